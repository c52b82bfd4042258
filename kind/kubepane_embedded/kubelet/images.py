"""The images that simulated nodes can pull, and how the application in each behaves.

Anything else is answered as a registry would: not found. See `faults` for failures on purpose.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MIB = 1024 * 1024
VERSIONS = r"latest|stable|mainline|lts|alpine|v?\d+(\.\d+){0,3}(-[a-z0-9.]+)*"
"""Tags that look like released versions; a tag that does not match is unknown to its repository."""


class Application(NamedTuple):
    """What runs in an image.

    Args:
        pull_seconds: How long the first pull on a node takes.
        start_seconds: From container start until it answers its probes.
        idle_cpu: Millicores without any demand.
        idle_memory: Bytes without any demand.
        kind: What it does: a name in `applications.KINDS`.
        ports: Where it listens once it is up.
        command: Its entrypoint and arguments.
        stop_seconds: From SIGTERM until it has ended.
        size: Bytes of the image.
        tags: Pattern of the tags that its repository has.
        shell: Whether there is a shell (and the usual small commands) in the image.
        user: The user it runs as.
    """

    pull_seconds: float = 1.0
    start_seconds: float = 0.5
    idle_cpu: int = 1
    idle_memory: int = 8 * MIB
    kind: str = "server"
    ports: tuple[int, ...] = ()
    command: tuple[str, ...] = ()
    stop_seconds: float = 0.2
    size: int = 20 * MIB
    tags: str = VERSIONS
    shell: bool = True
    user: int = 0


def _small(size: int, command: str = "sh", tags: str = VERSIONS) -> Application:
    """A system image: nothing runs in it but what the pod asks for."""
    return Application(0.8, 0.1, 0, MIB, "shell", (), (command,), 0.1, size, tags)


_CHATAPP = Application(4.0, 7.0, 8, 180 * MIB, "chatapp", (8080,), ("java", "-jar", "/app.jar"), 1.2, 301_204_480, r"k8s|latest|v?\d+(\.\d+){0,2}")
_MYSQL = Application(2.5, 1.8, 6, 220 * MIB, "mysql", (3306, 33060), ("docker-entrypoint.sh", "mysqld"), 1.5, 242_548_736)
_NGINX = Application(
    2.0, 0.3, 1, 6 * MIB, "nginx", (80,), ("/docker-entrypoint.sh", "nginx", "-g", "daemon off;"), 0.1, 72_225_394, VERSIONS + r"|perl|otel"
)
_PAUSE = Application(0.2, 0.0, 0, MIB // 2, "pause", (), ("/pause",), 0.0, 319_900, shell=False, user=65535)


def _addon(cpu: int, memory: int, size: int, *ports: int) -> Application:
    """A part of the cluster itself; its image came with the node."""
    return Application(0.3, 0.6, cpu, memory * MIB, "server", ports, ("/entrypoint",), 0.2, size, shell=False)


KNOWN: dict[str, Application] = {
    "mrsinghdocker/chatapp": _CHATAPP,
    "mysql": _MYSQL,
    "mariadb": _MYSQL._replace(command=("docker-entrypoint.sh", "mariadbd"), size=118_123_008),
    "nginx": _NGINX,
    "httpd": _NGINX._replace(kind="server", command=("httpd-foreground",), size=58_200_000),
    "redis": Application(1.2, 0.3, 2, 10 * MIB, "server", (6379,), ("docker-entrypoint.sh", "redis-server"), 0.2, 52_300_000),
    "postgres": Application(3.0, 2.5, 3, 60 * MIB, "server", (5432,), ("docker-entrypoint.sh", "postgres"), 0.5, 159_000_000),
    "busybox": _small(2_223_686, tags=VERSIONS + r"|musl|glibc|uclibc"),
    "alpine": _small(3_802_452, "/bin/sh", VERSIONS + r"|edge"),
    "debian": _small(48_480_000, "bash", VERSIONS + r"|bookworm(-slim)?|trixie(-slim)?"),
    "ubuntu": _small(29_720_000, "/bin/bash", VERSIONS + r"|jammy|noble"),
    "curlimages/curl": _small(9_300_000, "curl")._replace(user=100),
    "registry.k8s.io/pause": _PAUSE,
    "registry.k8s.io/coredns/coredns": _addon(3, 30, 21_168_808, 53, 9153, 8080, 8181),
    "registry.k8s.io/kube-proxy": _addon(1, 20, 25_963_482, 10256),
    "registry.k8s.io/metrics-server/metrics-server": _addon(4, 40, 22_511_104, 10250),
    "registry.k8s.io/ingress-nginx/controller": _addon(2, 90, 101_000_000, 80, 443, 10254),
    "quay.io/calico/node": _addon(25, 120, 156_000_000, 9099),
    "kindest/local-path-provisioner": _addon(1, 12, 21_000_000),
    "traefik/whoami": Application(0.8, 0.1, 1, 6 * MIB, "server", (80,), ("/whoami",), 0.1, 2_900_000, shell=False),
    "registry.k8s.io/hpa-example": Application(4.0, 1.0, 1, 20 * MIB, "server", (80,), ("apache2-foreground",), 0.2, 178_000_000),
    "registry.k8s.io/e2e-test-images/agnhost": Application(2.0, 0.2, 1, 10 * MIB, "pause", (), ("/agnhost", "pause"), 0.1, 51_000_000),
}
"""Repository without tag or digest → its application."""
NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,}")


class Reference(NamedTuple):
    """An image name in its parts (distribution/reference)."""

    host: str
    path: str
    tag: str
    digest: str

    @property
    def full(self) -> str:
        """`docker.io/library/nginx:1.27`, with the tag that is meant when none is given."""
        return f"{self.host}/{self.path}" + (f"@{self.digest}" if self.digest else f":{self.tag}")


def parsed(image: str) -> Reference | None:
    """The parts of an image name, defaults filled in; None when it is no image name."""
    name, at, digest = image.partition("@")
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    parts = [*(head.split("/") if slash else ()), last]
    host = "docker.io"
    if len(parts) > 1 and ("." in parts[0] or ":" in parts[0] or parts[0] == "localhost"):
        host = parts.pop(0)
    elif len(parts) == 1:
        parts = ["library", *parts]
    wrong_tag = bool(colon) and TAG.fullmatch(tag) is None
    wrong_digest = bool(at) and DIGEST.fullmatch(digest) is None
    if wrong_tag or wrong_digest or HOST.fullmatch(host) is None or not all(NAME.fullmatch(part) for part in parts):
        return None
    return Reference("docker.io" if host == "index.docker.io" else host, "/".join(parts), tag or "latest", digest)


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
    known = KNOWN.get(repository_of(image))
    reference = parsed(image)
    if known is None or reference is None:
        return None
    return known if reference.digest or re.fullmatch(known.tags, reference.tag) else None
