"""Whose cluster it is: a record of the containers that kubepane made, by their ids, that only its owner can read.

Names do not tell: everybody may make a cluster called kubepane, and may make it anew. Ids of containers are never used twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import msgspec

from kubepane.kindcluster.engine import Container
from kubepane.kindcluster.trouble import CANNOT, REFUSED, Trouble

MAX_BYTES = 1 << 20


class Record(msgspec.Struct, kw_only=True):
    """What kubepane knows of a cluster that it made.

    Attributes:
        name: of the cluster.
        engine: docker or podman.
        created: when, in UTC.
        finished: kind came to its end; otherwise it was interrupted in the midst.
        containers: name of each node → id of its container.
        workers: worker nodes.
        http_port: of this machine.
        https_port: of this machine.
        kubeconfig: the file that the context was written to last.
    """

    name: str
    engine: str
    created: str
    finished: bool = False
    containers: dict[str, str] = {}
    workers: int = 0
    http_port: int = 80
    https_port: int = 443
    kubeconfig: str = ""


class Owner(Enum):
    """Whose the containers of a name are."""

    NOBODY = "absent"
    OURS = "kubepane"
    UNFINISHED = "kubepane, unfinished"
    OTHER = "somebody else"


class Verdict(NamedTuple):
    """An answer, with its reason when it is `OTHER`."""

    owner: Owner
    why: str = ""


def judge(record: Record | None, containers: Sequence[Container]) -> Verdict:
    """Whose these containers are: ours only when we made every one of them."""
    if not containers:
        return Verdict(Owner.NOBODY)
    if record is None:
        return Verdict(Owner.OTHER, "kubepane has no record of having made it")
    known = set(record.containers.values())
    strange = [one.name for one in containers if one.id not in known]
    if strange and not known:
        return Verdict(Owner.OTHER, "kubepane was killed while making one of this name and cannot tell whether this is it")
    if strange:
        return Verdict(Owner.OTHER, f"kubepane did not make the container {strange[0]}")
    return Verdict(Owner.OURS if record.finished else Owner.UNFINISHED)


class Records:
    """The records of one user, a file for each cluster."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or Path.home()) / ".local" / "state")
        self.folder = Path(state) / "kubepane" / "kind"

    def path(self, name: str) -> Path:
        """Where the record of a cluster is."""
        return self.folder / f"{name}.json"

    def load(self, name: str) -> Record | None:
        """The record of a cluster; None when there is none, or none that can be read."""
        try:
            with self.path(name).open("rb") as file:
                found = msgspec.json.decode(file.read(MAX_BYTES), type=Record)
        except (OSError, msgspec.DecodeError):
            return None
        return found if found.name == name else None

    def save(self, record: Record) -> None:
        """Writes the record at once or not at all, for its owner only."""
        path = self.path(record.name)
        new = path.with_suffix(".new")
        try:
            self._prepare()
            with contextlib.suppress(FileNotFoundError):
                new.unlink()
            handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            raise self._cannot(error) from None

    def forget(self, name: str) -> None:
        """Removes the record of a cluster that is gone."""
        with contextlib.suppress(FileNotFoundError):
            self.path(name).unlink()

    @contextlib.contextmanager
    def only_one(self, name: str) -> Iterator[None]:
        """Holds the cluster's lock: two programs at work on one cluster would undo each other's work.

        Raises:
            Trouble: another kubepane is at work on it.
        """
        try:
            self._prepare()
            handle = os.open(self.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._cannot(error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Trouble(f"another `kubepane kind` is at work on {name}", "wait until it is done", REFUSED) from None
        finally:
            os.close(handle)

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _cannot(self, error: OSError) -> Trouble:
        return Trouble(
            f"cannot write {self.folder}: {error.strerror}", "kubepane must remember which clusters are its own: see XDG_STATE_HOME", CANNOT
        )
