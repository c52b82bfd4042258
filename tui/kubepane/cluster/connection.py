"""Who is connected where, as whom: a context of the kubeconfig with its credentials, and the transport that they make.

Importing this module imports no client library, so that the dashboard can show the target at once. `preload` brings it in.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubepane import __version__
from kubepane.cluster.call import Call
from kubepane.cluster.clock import Clock, SystemClock
from kubepane.cluster.context import Context, Target
from kubepane.cluster.credentials import Credentials, Identity
from kubepane.cluster.errors import Unreachable
from kubepane.cluster.proxies import proxy_for
from kubepane.cluster.redaction import redact
from kubepane.cluster.tls import tls_context

if TYPE_CHECKING:
    from kubepane.cluster.transport import Answer, Socket, Transport

USER_AGENT = f"kubepane/{__version__}"


def preload() -> None:
    """Imports the client library: a tenth of a second of work. Best run in a thread while the screen is painted."""
    from kubepane.cluster import transport  # noqa: F401  (late, that is the point)


@dataclass(frozen=True, slots=True)
class Sent:
    """An answer and the identity it was given to."""

    answer: Answer
    identity: Identity


class Connection:
    """One cluster, reached as one user. Nothing is read, run or opened before the first request.

    Attributes:
        target: what the header says of it.
        credentials: the identity, renewed here.
    """

    def __init__(self, context: Context, *, clock: Clock | None = None, env: Mapping[str, str] = os.environ) -> None:
        self.context = context
        self.credentials = Credentials(context, clock=clock or SystemClock(), env=env)
        self._env = env
        self._transport: Transport | None = None
        self._probe: Transport | None = None
        self._identity: Identity | None = None  # whose certificate the transports were made with
        self._making = asyncio.Lock()
        self._old: list[Transport] = []
        self._closed = False

    @property
    def target(self) -> Target:
        """Which cluster this is, as whom."""
        return self.context.target

    def proxy(self) -> str:
        """The proxy the cluster is reached through, without its password; "" for none.

        Raises:
            BadConfig: the proxy cannot be used.
        """
        return redact(proxy_for(self.context.server, self.context.proxy_url, self._env))

    async def send(self, call: Call) -> Sent:
        """Sends a request with the present identity; see `transport.Transport.request` for its errors.

        Raises:
            BadConfig: there is no identity to be had.
        """
        identity = await self._prepare()
        assert self._transport
        return await self._through(self._transport, identity, call)

    async def probe(self, call: Call) -> Sent:
        """The same on a connection of its own (rule R29): a pooled one may be dead though the server is back."""
        identity = await self._prepare()
        if self._probe is None:
            assert self._transport
            self._probe = self._transport.single_use()
        return await self._through(self._probe, identity, call)

    async def upgrade(self, call: Call, protocols: Sequence[str]) -> Sent | Socket:
        """Asks for a WebSocket with the present identity; see `transport.Transport.upgrade`."""
        identity = await self._prepare()
        assert self._transport
        got = await self._transport.upgrade(call, identity.headers(), protocols)
        from kubepane.cluster.transport import Answer  # loaded by `_prepare` by now

        return Sent(got, identity) if isinstance(got, Answer) else got

    async def _through(self, transport: Transport, identity: Identity, call: Call) -> Sent:
        try:
            return Sent(await transport.request(call, identity.headers()), identity)
        finally:
            if transport.distrusted and transport in (self._transport, self._probe):
                self._identity = None  # the CA may be replaced on disk: read it again next time

    async def close(self) -> None:
        """Ends everything that is open, and a plugin that is running."""
        self._closed = True
        await self.credentials.close()
        for transport in (self._transport, self._probe, *self._old):
            if transport is not None:
                await transport.close()

    async def _prepare(self) -> Identity:
        if self._closed:
            raise Unreachable("the connection was closed")
        identity = await self.credentials.current()
        if self._fits(identity):
            return identity
        async with self._making:
            if not self._fits(identity):
                await self._make(identity)
        return identity

    def _fits(self, identity: Identity) -> bool:
        """Whether the transport was made with this identity's certificate; another token needs no other connection."""
        held = self._identity
        return held is not None and held.certificate == identity.certificate and held.key == identity.key

    async def _make(self, identity: Identity) -> None:
        context = self.context
        proxy = proxy_for(context.server, context.proxy_url, self._env)
        tls = await asyncio.to_thread(_ready, context, identity)
        if self._closed:
            raise Unreachable("the connection was closed")
        from kubepane.cluster.transport import Transport  # late: see `preload`

        made = Transport(
            context.server,
            tls,
            proxy=proxy,
            server_name=context.tls_server_name,
            headers=context.impersonation.headers(),
            user_agent=USER_AGENT,
        )
        self._old = [old for old in self._old if not old.closed]
        for old in (self._transport, self._probe):
            if old is not None:
                old.retire()
                self._old.append(old)
        self._transport, self._probe, self._identity = made, None, identity


def _ready(context: Context, identity: Identity) -> ssl.SSLContext | None:
    """What takes long and needs no event loop: the library's import, and the system's CAs, which are 20 ms of parsing."""
    preload()
    return tls_context(context, identity.certificate, identity.key) if context.server.startswith("https:") else None
