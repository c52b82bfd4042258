"""What must be so before a cluster can be made: tools, engine, limits, ports. It asks only; nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kubepane.kindcluster import ports
from kubepane.kindcluster.engine import About, Engine
from kubepane.kindcluster.failures import INOTIFY
from kubepane.kindcluster.plan import Wanted
from kubepane.kindcluster.programs import Programs, TookTooLong
from kubepane.kindcluster.trouble import CANNOT, NO, Trouble

WATCHES, INSTANCES = 524288, 512  # what kind's "Known Issues" page asks for; all nodes share the machine's
OLDEST_KIND = (0, 31)  # the first one that was released with nodes of Kubernetes 1.35
SOURCES = {
    "kind": "kind (kind.sigs.k8s.io says how)",
    "kubectl": "kubectl (kubernetes.io says how)",
}


def tools(programs: Programs) -> None:
    """Raises Trouble that names every tool that is missing."""
    missing = [name for name in SOURCES if programs.find(name) is None]
    if missing:
        raise Trouble(f"not installed: {' and '.join(missing)}", f"install {' and '.join(SOURCES[name] for name in missing)}", CANNOT)


def engine_fit(name: str, about: About) -> None:
    """Raises Trouble when the engine cannot run nodes; kind finds some of this only after it has begun."""
    if not about.cgroup2:
        raise Trouble(f"{name} runs on cgroup v1", "switch the machine to cgroup v2: kubelets of Kubernetes 1.35 do not start without it", CANNOT)
    if about.rootless and not about.delegated:
        text = "set Delegate=yes for user@.service (see “Rootless” in kind's documentation), then log in anew"
        raise Trouble(f"{name} is rootless and may not limit CPU, memory and processes", text, CANNOT)


def ports_free(engine: Engine, wanted: Wanted) -> None:
    """Raises Trouble when a port that the cluster is to have belongs to somebody else, and says to whom."""
    for option, port in (("--http-port", wanted.http_port), ("--https-port", wanted.https_port)):
        holder = engine.publisher(port)
        who = f"the container {holder}" if holder else ""
        if not who and ports.taken(port):
            who = ports.listener(port) or "a program of another user"
        if who:
            raise Trouble(f"port {port} of this machine is taken by {who}", f"stop it, or choose another with {option}", NO)
        if engine.about.rootless and engine.about.same_kernel and port < (lowest := ports.lowest_without_rights()):
            text = f"use {option} {port + 8000}, or sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
            raise Trouble(f"{engine.name} is rootless and may have no port below {lowest}, so not {port}", text, NO)


def doubts(programs: Programs, about: About) -> Iterator[str]:
    """What may go wrong later, with what helps: it works often enough to try."""
    if about.same_kernel:
        yield from _inotify()
    yield from _age(programs)


def _inotify() -> Iterator[str]:
    folder = ports.PROC / "sys/fs/inotify"
    low = []
    for name, enough in (("max_user_watches", WATCHES), ("max_user_instances", INSTANCES)):
        try:
            have = int((folder / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if have < enough:
            low.append(f"fs.inotify.{name} is {have}")
    if low:
        yield f"{', '.join(low)}: pods may fail with “too many open files”; {INOTIFY}"


def _age(programs: Programs) -> Iterator[str]:
    try:
        said = programs.run("kind", "version", timeout=30.0).out
    except TookTooLong:
        return
    match = re.search(r"\bv(\d+)\.(\d+)\.\d+", said)
    if match and (int(match[1]), int(match[2])) < OLDEST_KIND:
        yield f"kind {match[0]} is older than the node image; if making the cluster fails, install the current one"
