"""`kubepane record` and `kubepane replay`: what the watches brought, into a file, and back onto the dashboard."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kubepane import config
from kubepane.cluster.clock import SpedClock
from kubepane.cluster.context import Target
from kubepane.cluster.errors import BadConfig, ClusterError
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import KINDS
from kubepane.cluster.options import Options
from kubepane.cluster.recording import Recorder, Recording, apply
from kubepane.cluster.session import Session
from kubepane.exits import DONE, NO, UNREACHABLE, sorry
from kubepane.settle import settle

PERIOD = 0.25  # seconds between looks at what changed
LISTS = 15.0
END = "the recording ends here"


def record(options: Options, path: str, seconds: float) -> int:
    """Records until it is interrupted, or for some seconds.

    Args:
        path: the file to make.
        seconds: how long at most; 0 for no limit.

    Returns:
        The exit code.
    """
    try:
        session = Session(config.apply(config.load(options), options))
        return asyncio.run(_record(session, Path(path), seconds))
    except BadConfig:
        raise
    except (ClusterError, TimeoutError) as error:
        return sorry(f"record: {error}; kubepane doctor says more", UNREACHABLE)


async def _record(session: Session, path: Path, seconds: float) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    recorder = Recorder(session, path)
    session.want(KINDS)
    session.start()
    try:
        await settle(session, KINDS, LISTS)
        recorder.head()
        sys.stderr.write(f"recording to {path}; Ctrl-C ends it\n")
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds or None):
                await _until(stop, recorder)
        recorder.look()
    except OSError as error:
        return sorry(f"record: the recording ended: {error.strerror or error}", NO)
    finally:
        recorder.close()
        await session.close()
    sys.stderr.write(f"{recorder.frames:,} lines, {recorder.size / 1000:,.0f} kB\n")
    return DONE


async def _until(stop: asyncio.Event, recorder: Recorder) -> None:
    while not stop.is_set():
        recorder.look()
        with suppress(TimeoutError):
            async with asyncio.timeout(PERIOD):
                await stop.wait()


class ReplayedSession(Session):
    """A session whose stores are filled from a recording; it has no connection, so nothing can be fetched or changed."""

    def __init__(self, options: Options, recording: Recording, speed: float) -> None:
        head = recording.head
        super().__init__(replace(options, read_only=True), clock=SpedClock(speed, head.taken))
        self.target = Target(f"{head.context or '?'} (replay)", "", "", head.host, head.user)
        self.server_version, self.namespaces = head.version, head.namespaces
        self._recording, self._speed = recording, speed

    def start(self) -> None:
        """Begins to play; needs a running loop."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._play(), name="replay"))

    async def _play(self) -> None:
        loop = asyncio.get_running_loop()
        began, problem = loop.time(), END
        try:
            for frame in self._recording.frames():
                await asyncio.sleep(max(0.0, began + frame.at / self._speed - loop.time()))
                apply(frame, self)
                self.changed()
        except BadConfig as error:
            problem = str(error)
        self.journal.write("replay", problem)
        now = self.clock.now()
        for store in self.stores:
            if store.freshness.state in (State.LIVE, State.POLLING, State.SYNCING):
                store.set_freshness(Freshness(State.RECONNECTING, since=now, why=problem))
        self.changed()

    async def close(self) -> None:
        await super().close()
        self._recording.close()


def play(options: Options, path: str, speed: float) -> int:
    """Shows a recording on the dashboard.

    Returns:
        The exit code.
    """
    from kubepane.app import show  # Textual: only where something is drawn

    settings = config.load(options)
    return show(ReplayedSession(config.apply(settings, options), Recording(Path(path)), speed), settings)
