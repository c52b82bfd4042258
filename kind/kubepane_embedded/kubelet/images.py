"""The images that simulated nodes can pull, and how the application in each behaves.

Anything else is answered as a registry would: not found. See `faults` for failures on purpose.
"""

from __future__ import annotations

from typing import NamedTuple

MIB = 1024 * 1024


class Application(NamedTuple):
    """What runs in an image.

    Args:
        pull_seconds: How long the first pull on a node takes.
        start_seconds: From container start until it answers its probes.
        idle_cpu: Millicores without any demand.
        idle_memory: Bytes without any demand.
    """

    pull_seconds: float = 1.0
    start_seconds: float = 0.5
    idle_cpu: int = 1
    idle_memory: int = 8 * MIB


KNOWN: dict[str, Application] = {
    "mrsinghdocker/chatapp": Application(4.0, 6.0, 8, 180 * MIB),
    "mysql": Application(5.0, 5.0, 6, 220 * MIB),
    "nginx": Application(2.0, 0.3, 1, 6 * MIB),
    "busybox": Application(0.8, 0.1, 0, MIB),
    "registry.k8s.io/pause": Application(0.2, 0.0, 0, MIB // 2),
}
"""Repository without tag or digest → its application."""


def repository_of(image: str) -> str:
    """`docker.io/library/nginx:1.27@sha256:…` → `nginx`."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = head + slash + last.partition(":")[0]
    for prefix in ("docker.io/library/", "docker.io/", "index.docker.io/"):
        name = name.removeprefix(prefix)
    return name


def application(image: str) -> Application | None:
    """The application of an image, or None when no registry has it."""
    return KNOWN.get(repository_of(image))
