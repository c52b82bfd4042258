"""What the watches brought, in a file: the slim objects that panes and rules read, as they changed, one JSON line each time.

Nothing is in it that is not held in memory anyway: no Secret and no literal environment value ever is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.freshness import Freshness
from kubepane.cluster.kinds import KINDS, Kind
from kubepane.cluster.metrics import Metrics, Scale, Usage
from kubepane.cluster.session import Session
from kubepane.cluster.store import Changes, Store

FORMAT = 1
LONGEST_LINE = 256 << 20  # bytes; a first line of 50,000 pods fits


class Head(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first line.

    Attributes:
        kubepane: the version of this format.
        taken: when the recording began.
    """

    kubepane: int
    taken: datetime
    context: str = ""
    host: str = ""
    user: str = ""
    version: str = ""
    namespaces: tuple[str, ...] = ()


class Figures(msgspec.Struct, frozen=True, omit_defaults=True):
    """Usage as it was after a poll, and the newest moment of each HPA."""

    pods: dict[str, Usage] = {}
    nodes: dict[str, Usage] = {}
    containers: dict[str, dict[str, Usage]] = {}
    scales: dict[str, Scale] = {}
    freshness: Freshness = Freshness()
    node_freshness: Freshness = Freshness()


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line: what changed in one store, or new figures.

    Attributes:
        at: seconds since the recording began.
        kind: the plural name of the kind; "" for figures.
        put: the newest states of the objects that came or changed.
        gone: uids of those that went.
        fresh: the store's freshness, where that changed.
    """

    at: float
    kind: str = ""
    put: tuple[msgspec.Raw, ...] = ()
    gone: tuple[str, ...] = ()
    fresh: Freshness | None = None
    figures: Figures | None = None


class Recorder:
    """Writes what changed in a session since it last looked.

    Args:
        session: the living cluster.
        path: the file; it must not be there yet.

    Raises:
        BadConfig: the file cannot be made.
    """

    def __init__(self, session: Session, path: Path) -> None:
        self._session = session
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadConfig(f"cannot record to {path}: {error.strerror}") from None
        self._file = os.fdopen(handle, "wb")
        self._began = session.clock.monotonic()
        self._changes: list[tuple[Store[Any], Changes]] = [(store, store.subscribe(_quiet)) for store in session.stores]
        self._fresh: dict[str, Freshness] = {}
        self._version = -1
        self.frames = 0
        self.size = 0

    def head(self) -> None:
        """Write the first line, once it is known which cluster this is."""
        target, session = self._session.target, self._session
        self._write(
            Head(
                FORMAT,
                session.clock.now(),
                target.context if target else "",
                target.host if target else "",
                target.user if target else "",
                session.server_version,
                session.namespaces,
            )
        )

    def look(self) -> None:
        """Write what has changed.

        Raises:
            OSError: the disk is full, or gone.
        """
        at = round(self._session.clock.monotonic() - self._began, 3)
        for store, changes in self._changes:
            uids = changes.drain()
            fresh = store.freshness if self._fresh.get(store.kind.plural) != store.freshness else None
            if uids or fresh is not None:
                put = tuple(msgspec.Raw(msgspec.json.encode(obj)) for uid in sorted(uids) if (obj := store.get(uid)) is not None)
                gone = tuple(uid for uid in sorted(uids) if uid not in store)
                self._fresh[store.kind.plural] = store.freshness
                self._write(Frame(at, store.kind.plural, put, gone, fresh))
        metrics = self._session.metrics
        if metrics.version != self._version:
            self._version = metrics.version
            self._write(Frame(at, figures=_figures(metrics, self._session)))
        self._file.flush()

    def close(self) -> None:
        """End the recording."""
        for store, changes in self._changes:
            store.unsubscribe(changes)
        self._file.close()

    def _write(self, line: Head | Frame) -> None:
        self.size += self._file.write(msgspec.json.encode(line) + b"\n")
        self.frames += 1


def _quiet() -> None:
    """Readers are asked by the clock, not by each change."""


def _figures(metrics: Metrics, session: Session) -> Figures:
    scales = {hpa.metadata.uid: seen[-1] for hpa in session.stores.autoscalers if (seen := metrics.scales(hpa.metadata.uid))}
    return Figures(metrics.pods, metrics.nodes, metrics.containers, scales, metrics.freshness, metrics.node_freshness)


# ---- reading it back -----------------------------------------------------------------------------------------------------------


class Recording:
    """A file, read line by line.

    Args:
        path: the file.

    Raises:
        BadConfig: it is not there, or is no recording of this format.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise BadConfig(f"cannot read {path}: {error.strerror}") from None
        try:
            self.head = self._first()
        except BaseException:
            self._file.close()
            raise

    def _first(self) -> Head:
        try:
            head = msgspec.json.decode(self._file.readline(LONGEST_LINE), type=Head)
        except OSError as error:
            raise BadConfig(f"cannot read {self._path}: {error.strerror}") from None
        except msgspec.DecodeError:
            raise BadConfig(f"{self._path} is no recording of kubepane") from None
        if head.kubepane != FORMAT:
            raise BadConfig(f"{self._path} is a recording of another format ({head.kubepane}, this program reads {FORMAT})")
        return head

    def frames(self) -> Iterator[Frame]:
        """The lines, in order; a last line that was cut off is left out.

        Raises:
            BadConfig: a line in the middle cannot be read.
        """
        number = 1
        while line := self._file.readline(LONGEST_LINE):
            number += 1
            try:
                yield msgspec.json.decode(line, type=Frame)
            except msgspec.DecodeError as error:
                if not line.endswith(b"\n"):
                    return
                raise BadConfig(f"{self._path}, line {number}: {error}") from None

    def close(self) -> None:
        """Let the file go."""
        self._file.close()


_KINDS: dict[str, Kind] = {kind.plural: kind for kind in KINDS}


def apply(frame: Frame, session: Session) -> None:
    """Bring the stores of a session to where they were. Kinds that this version does not know are left out.

    Raises:
        BadConfig: an object cannot be read.
    """
    metrics, figures = session.metrics, frame.figures
    if figures is not None:
        metrics.took_pods(figures.pods, figures.containers)
        metrics.took_nodes(figures.nodes)
        for uid, scale in figures.scales.items():
            metrics.saw_scale(uid, scale)
        metrics.set_freshness(figures.freshness, figures.node_freshness)
    kind = _KINDS.get(frame.kind)
    if kind is None:
        return
    store = session.stores.of(kind)
    for uid in frame.gone:
        store.drop(uid)
    for raw in frame.put:
        store.put(_object(kind, raw))
    if frame.fresh is not None:
        store.set_freshness(frame.fresh)


def _object(kind: Kind, raw: msgspec.Raw) -> r.Object:
    try:
        found: r.Object = msgspec.json.decode(raw, type=kind.shape)
    except msgspec.DecodeError as error:
        raise BadConfig(f"a {kind.kind} of the recording cannot be read: {error}") from None
    return found
