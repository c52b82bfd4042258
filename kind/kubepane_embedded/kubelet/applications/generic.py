"""Servers that need no words of their own, and the container that only waits."""

from __future__ import annotations

from kubepane_embedded.kubelet.processes import Process

REDIS, POSTGRES = 6379, 5432


class Server(Process):
    """A server that answers HTTP on its port; databases only take connections."""

    def come_up(self) -> None:
        """Say where it listens."""
        super().come_up()
        for port in self.around.image.ports:
            self.around.say(f"{self.around.now():%Y-%m-%dT%H:%M:%SZ} ready to accept connections on port {port}")

    def http(self, port: int, path: str, agent: str) -> int | None:
        """200 for the usual paths; nothing from a database."""
        return None if port in (REDIS, POSTGRES) else super().http(port, path, agent)


class Pause(Process):
    """Waits for SIGTERM without a word."""

    def terminate(self) -> None:
        """End at once, as it says."""
        self.around.say("Shutting down, got signal: Terminated")
        super().terminate()
