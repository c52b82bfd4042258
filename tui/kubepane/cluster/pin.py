"""Which cluster this is: the uid of its namespace kube-system, kept from when we connected; another one behind the address gets no change.

Rules: research T6 and S5. The namespace cannot be deleted, so its uid is as old as the cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from kubepane.cluster.clock import Clock
from kubepane.cluster.errors import ClusterError, Forbidden, NotFound, NotServed, OtherCluster
from kubepane.cluster.requests import METADATA

NAMESPACE = "kube-system"
PATH = f"/api/v1/namespaces/{NAMESPACE}"
HOLDS = 5.0  # seconds that a look counts for, while nothing has failed since


class Read(Protocol):
    """What GETs a path: `Api.get`."""

    def __call__(self, path: str, query: None = None, *, accept: str = ...) -> Awaitable[bytes]: ...


class _Meta(msgspec.Struct):
    uid: str = ""


class _Head(msgspec.Struct):
    metadata: _Meta


class Pin:
    """The identity of one session's cluster.

    Args:
        read: GETs a path.
        said: is told once whatever the user should know of it.

    Attributes:
        uid: of its namespace kube-system, "" while that is not known.
        other: how it shows that another one is there now, "" while all is well.
    """

    def __init__(self, read: Read, clock: Clock, said: Callable[[str], None]) -> None:
        self._read, self._clock, self._said = read, clock, said
        self.uid = ""
        self.other = ""
        self._looked = float("-inf")
        self._blind = False
        self._turn = asyncio.Lock()

    def doubt(self) -> None:
        """Something failed: whoever answers next may be another one."""
        self._looked = float("-inf")

    def seen(self, uid: str) -> None:
        """This is its uid, as a read or the watch of the namespaces has it: the first one counts, any other is another cluster's."""
        if not self.uid:
            self.uid = uid
        elif uid != self.uid:
            self._lost(f"now {uid}")

    async def check(self) -> None:
        """Whether it is still the same cluster; asks the server, unless it did a moment ago.

        Raises:
            OtherCluster: it is not, or that cannot be told any more.
            ClusterError: no answer came to that question.
        """
        async with self._turn:
            if not self.other and self._clock.monotonic() - self._looked >= HOLDS:
                await self._look()
                self._looked = self._clock.monotonic()
        if self.other:
            raise self._refusal()

    async def _look(self) -> None:
        try:
            self.seen(msgspec.json.decode(await self._read(PATH, accept=METADATA), type=_Head).metadata.uid)
        except NotFound:
            self._unseen(f"there is no namespace {NAMESPACE}")
        except (Forbidden, NotServed) as error:
            self._unseen(str(error))
        except msgspec.DecodeError:
            raise ClusterError(f"GET {PATH} does not give a namespace") from None

    def _unseen(self, why: str) -> None:
        """It cannot be read: said once, for rights may be as they are; but where it could be read before, it is another one."""
        if self.uid:
            self._lost(why)
        elif not self._blind:
            self._blind = True
            self._said(f"a change cannot be kept from another cluster behind the same address: {why}")

    def _lost(self, why: str) -> None:
        if not self.other:
            self.other = why
            self._said(str(self._refusal()))

    def _refusal(self) -> OtherCluster:
        return OtherCluster(
            f"another cluster answers than the one that was connected to (uid of {NAMESPACE} {self.uid}; {self.other}): "
            "nothing is sent; choose the context again to go on"
        )
