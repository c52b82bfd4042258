"""The container engine under Kind: which one it is, whether it can do the work, and the containers of a cluster.

The order of choice and the questions are kind's own: pkg/cluster/provider.go and pkg/cluster/internal/providers/{docker,podman}/provider.go.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from kubepane.kindcluster import failures
from kubepane.kindcluster.programs import Programs, Ran, TookTooLong
from kubepane.kindcluster.trouble import CANNOT, Trouble

CHOICE = "KIND_EXPERIMENTAL_PROVIDER"
ENGINES = ("docker", "podman")
LABEL = "io.x-k8s.kind.cluster"
_FORMAT = "{{.ID}}\t{{.Names}}\t{{.State}}\t{{.Ports}}"
_MAPPED = re.compile(r":(\d+)(?:-(\d+))?->(\d+)(?:-\d+)?/tcp")
_PATIENCE = 60.0  # seconds for an engine that starts on the first question


class Container(NamedTuple):
    """A node's container.

    Attributes:
        id: all of it.
        name: of the container, which is that of the node.
        state: `running`, `exited`, …
        ports: port of this machine → port of the container.
    """

    id: str
    name: str
    state: str
    ports: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class About:
    """What an engine is like.

    Attributes:
        rootless: it runs without root's rights.
        cgroup2: its machine has cgroup v2.
        delegated: it may limit CPU, memory and processes.
        same_kernel: it runs on the kernel of this machine, so that this machine's limits count.
    """

    rootless: bool = False
    cgroup2: bool = True
    delegated: bool = True
    same_kernel: bool = True


class Engine:
    """Docker or Podman."""

    def __init__(self, programs: Programs, name: str, about: About) -> None:
        self._programs = programs
        self.name, self.about = name, about

    def containers(self, cluster: str) -> list[Container]:
        """The nodes of a Kind cluster, stopped ones too."""
        ran = self._ask("ps", "-a", "--no-trunc", "--filter", f"label={LABEL}={cluster}", "--format", _FORMAT)
        return sorted((_container(line) for line in ran.out.splitlines() if line.strip()), key=lambda one: one.name)

    def publisher(self, port: int) -> str:
        """The running container that has this port of the machine, "" when none has."""
        ran = self._ask("ps", "--no-trunc", "--format", _FORMAT)
        found = (_container(line) for line in ran.out.splitlines() if line.strip())
        return next((one.name for one in found if port in one.ports), "")

    def start(self, containers: list[Container]) -> None:
        """Starts nodes that were stopped."""
        self._ask("start", *(one.id for one in containers), timeout=120.0)

    def _ask(self, *args: str, timeout: float = _PATIENCE) -> Ran:
        try:
            ran = self._programs.run(self.name, *args, timeout=timeout)
        except TookTooLong as late:
            raise Trouble(f"{self.name} {args[0]} gives no answer", f"see whether {self.name} works at all: {self.name} info", CANNOT) from late
        if not ran.good:
            raise failures.explain(ran, f"{self.name} {args[0]}")
        return ran


def _container(line: str) -> Container:
    id_, name, state, ports = (*line.split("\t"), "", "", "")[:4]
    mapped = {}
    for first, last, inside in _MAPPED.findall(ports):
        for step in range(int(last or first) - int(first) + 1):
            mapped[int(first) + step] = int(inside) + step
    return Container(id_.strip(), name.strip(), state.strip().lower(), mapped)


def choose(programs: Programs, made_with: str = "") -> Engine:
    """The engine that runs, and tells kind to take the same.

    Args:
        programs: how to ask.
        made_with: the engine that the cluster was made with, which is then the only one in question; "" for any.

    Raises:
        Trouble: none is installed, none runs, or the one that runs cannot do it.
    """
    named = programs.environ.get(CHOICE, "")
    if made_with and programs.find(made_with):
        candidates: tuple[str, ...] = (made_with,)
    elif named in ENGINES:
        candidates = (named,)
    elif named in ("nerdctl", "finch", "nerdctl.lima"):
        raise Trouble(f"{CHOICE} names {named}", "kubepane looks after clusters of docker and podman only", CANNOT)
    else:
        candidates = ENGINES
    installed = [name for name in candidates if programs.find(name) and not _is_podman_in_disguise(programs, name)]
    if not installed:
        raise Trouble(
            f"no container engine: {' and '.join(candidates)} missing", "install Docker Engine (docs.docker.com) or Podman (podman.io)", CANNOT
        )
    first: Trouble | None = None
    for name in installed:
        try:
            about = _about(programs, name)
        except Trouble as trouble:
            first = first or trouble
        else:
            programs.environ[CHOICE] = name
            return Engine(programs, name, about)
    assert first is not None
    raise first


def _is_podman_in_disguise(programs: Programs, name: str) -> bool:
    """Podman comes with a program called docker; kind wants to talk to Podman itself."""
    if name != "docker":
        return False
    try:
        return not programs.run("docker", "-v", timeout=_PATIENCE).out.startswith("Docker version")
    except TookTooLong:
        return False


def _about(programs: Programs, name: str) -> About:
    try:
        ran = programs.run(name, "info", "--format", "{{json .}}" if name == "docker" else "json", timeout=_PATIENCE)
    except TookTooLong as late:
        raise Trouble(f"{name} gives no answer", f"see whether it works at all: {name} info", CANNOT) from late
    if not ran.good:
        trouble = failures.explain(ran, name)
        trouble.code = CANNOT
        raise trouble
    try:
        found = msgspec.json.decode(ran.out.encode(), type=dict[str, Any])
    except msgspec.DecodeError:
        raise Trouble(f"{name} info is no JSON", f"install a current {name}", CANNOT) from None
    if errors := found.get("ServerErrors"):
        raise failures.explain(Ran(ran.argv, 1, "", "\n".join(map(str, errors))), name)
    return _docker(found) if name == "docker" else _podman(found)


def _docker(found: dict[str, Any]) -> About:
    limits = found.get("CgroupDriver") != "none" and all(found.get(key) for key in ("MemoryLimit", "PidsLimit", "CPUShares"))
    options = ",".join(map(str, found.get("SecurityOptions") or ()))
    return About(
        "name=rootless" in options.split(","), found.get("CgroupVersion") == "2", limits, _here(found.get("Name"), found.get("KernelVersion"))
    )


def _podman(found: dict[str, Any]) -> About:
    host = found.get("host") or {}
    controllers = host.get("cgroupControllers")
    limits = controllers is None or {"memory", "pids", "cpu"} <= set(controllers)  # before 4.0 it did not say
    rootless = bool((host.get("security") or {}).get("rootless"))
    return About(rootless, host.get("cgroupVersion") == "v2", limits, _here(host.get("hostname"), host.get("kernel")))


def _here(name: Any, kernel: Any) -> bool:
    machine = os.uname()
    return (name, kernel) == (machine.nodename, machine.release)
