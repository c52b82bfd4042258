"""The embedded cluster: store, API, clock and moving parts together, served on loopback."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from concurrent.futures import Future
from pathlib import Path

from kubepane_embedded.clock import Clock, PacedClock, VirtualClock
from kubepane_embedded.core import Core
from kubepane_embedded.kubeconfig import write_kubeconfig
from kubepane_embedded.parts import Assembly, Parts, no_parts
from kubepane_embedded.seed import Seed
from kubepane_embedded.server import Server


class EmbeddedCluster:
    """A whole cluster in one process, reached by its kubeconfig only.

    Args:
        clock: Cluster time; real time by default.
        seed: Same seed and same calls, same objects.
        parts: Makes the moving parts; none by default, which is an API server alone.
        port: Where to listen, 0 for any free port.
        kubeconfig: Where to write the kubeconfig; a directory of its own, removed on stop, by default.
        wire: Clock of the protocol's own timers (watch timeouts, bookmarks); real time by default.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        seed: int = 1,
        parts: Assembly = no_parts,
        port: int = 0,
        kubeconfig: Path | None = None,
        wire: Clock | None = None,
    ) -> None:
        self.core = Core(clock or PacedClock(), Seed(seed))
        self.parts: Parts = parts(self.core)
        self.server = Server(self.core, self.parts.runtime, self.parts.metrics, wire)
        self.kubeconfig = kubeconfig
        self._port = port
        self._own_directory: Path | None = None
        self._begun = False

    def begin(self) -> None:
        """Start the moving parts without serving yet; `start` does it where it was not done."""
        if not self._begun:
            self._begun = True
            for part in self.parts.running:
                part.start()

    async def start(self) -> Path:
        """Start the parts, listen, write the kubeconfig; returns its path. OSError when port or file cannot be had."""
        loop = asyncio.get_running_loop()
        self.begin()
        await self.server.start(self._port)
        self.core.clock.attach(loop)
        if self.kubeconfig is None:
            self._own_directory = Path(tempfile.mkdtemp(prefix="kubepane-"))
            self.kubeconfig = self._own_directory / "kubeconfig"
        write_kubeconfig(self.kubeconfig, self.server.url)
        return self.kubeconfig

    async def stop(self) -> None:
        """End watches, stop listening, let the clock go."""
        self.core.clock.detach()
        await self.server.stop()
        if self._own_directory is not None:
            shutil.rmtree(self._own_directory, ignore_errors=True)
            self._own_directory = self.kubeconfig = None


class ServedCluster:
    """An embedded cluster on a thread of its own, with a loop of its own.

    Use as a context manager, or `start()` and `stop()`; nothing of the cluster may be touched from other threads but through `call`.
    """

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.cluster = cluster
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="embedded-cluster", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def start(self) -> Path:
        """Start the thread and the cluster; returns the kubeconfig's path once requests are answered."""
        self._thread.start()
        try:
            return asyncio.run_coroutine_threadsafe(self.cluster.start(), self._loop).result(30)
        except BaseException:
            self._end_loop()
            raise

    def stop(self) -> None:
        """Stop the cluster and end the thread."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self.cluster.stop(), self._loop).result(30)
            self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass in the cluster; RuntimeError when its clock is not a virtual one."""
        clock = self.cluster.core.clock
        if not isinstance(clock, VirtualClock):
            raise RuntimeError("only a virtual clock can be advanced")
        done: Future[None] = Future()

        def run() -> None:
            try:
                clock.advance(seconds)
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                done.set_exception(error)
            else:
                done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(120)

    def __enter__(self) -> ServedCluster:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve_in_thread(cluster: EmbeddedCluster) -> ServedCluster:
    """Start a cluster on a thread; its kubeconfig's path is `served.cluster.kubeconfig`."""
    served = ServedCluster(cluster)
    served.start()
    return served
