"""What runs in a container, as its kubelet sees it: started, probed, asked to stop, ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kubepane_embedded.kubelet.files import Files
from kubepane_embedded.kubelet.images import Application
from kubepane_embedded.kubelet.network import Network
from kubepane_embedded.kubelet.nodetime import Later

TERMINATED = 143
"""Exit code of a process that SIGTERM ended."""


@dataclass(slots=True)
class Surroundings:
    """What a process finds in its container, and what it may do there.

    Args:
        argv: Its command line.
        env: Its environment.
        hostname: The pod's name.
        namespace: The pod's namespace, for short names of Services.
        address: The pod's address.
        image: The image's application.
        files: What it can read and write.
        network: Who else is there.
        say: Writes to the container's log.
        exit: Ends the process with an exit code.
        later: Calls back after seconds, unless the process has ended.
        now: Cluster time.
        start_seconds: How long it takes to come up.
        stdin: Whether its standard input stays open.
    """

    argv: list[str]
    env: dict[str, str]
    hostname: str
    namespace: str
    address: str
    image: Application
    files: Files
    network: Network
    say: Callable[[str], None]
    exit: Callable[[int], None]
    later: Callable[[float, Callable[[], None]], Later]
    now: Callable[[], datetime]
    start_seconds: float
    stdin: bool = False
    commands: dict[str, Any] = field(default_factory=dict)
    """Commands that only this image has, by name (`shell.commands.Command`)."""


class Process:
    """A server that comes up after its start time, answers on its ports, and ends soon after SIGTERM.

    Args:
        around: Its container.
    """

    end_code = 0
    """Exit code after SIGTERM."""
    missing = ""
    """Why it cannot even be started, "" when it can."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.up = False

    def start(self) -> None:
        """Begin; called once, when the container has started."""
        self.around.later(self.around.start_seconds, self.come_up)

    def come_up(self) -> None:
        """Everything is ready: take connections."""
        self.up = True

    def adopt(self) -> None:
        """Be running already, without a word (a kubelet that finds the container when it starts)."""
        self.up = True

    def terminate(self) -> None:
        """SIGTERM."""
        self.up = False
        self.around.later(self.around.image.stop_seconds, lambda: self.around.exit(self.end_code))

    def listens(self, port: int) -> bool:
        """Whether it takes connections on a port now."""
        return self.up and port in self.around.image.ports

    def http(self, port: int, path: str, agent: str) -> int | None:
        """The status of a GET, None when it does not speak HTTP."""
        return 200 if path.partition("?")[0] in ("/", "/index.html", "/healthz", "/health", "/ready", "/readyz", "/livez") else 404

    def grpc(self, port: int) -> bool:
        """Whether it implements the gRPC health protocol."""
        return False

    def credentials(self, port: int) -> dict[str, str] | None:
        """User → password of a database, None when it is none."""
        return None
