"""What a kubelet knows of each container of a pod: its runs, how they ended, why it waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, Protocol

from kubepane_embedded.kubelet.processes import Process, Surroundings
from kubepane_embedded.meta import Object

Part = dict[str, Any]


class Kind(Enum):
    """What a container is in its pod."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"
    EPHEMERAL = "ephemeral"


FIELDS = {Kind.INIT: "initContainers", Kind.SIDECAR: "initContainers", Kind.MAIN: "containers", Kind.EPHEMERAL: "ephemeralContainers"}
"""Kind → the list of the spec that it is in."""


class Waiting(NamedTuple):
    """Why a container does not run."""

    reason: str
    message: str = ""


class Ending(NamedTuple):
    """How a run ended."""

    code: int
    reason: str
    message: str
    at: float
    started_at: str | None
    finished_at: str
    container_id: str

    def state(self) -> Part:
        """As `state.terminated`."""
        parts: Part = {"exitCode": self.code, "reason": self.reason}
        if self.message:
            parts["message"] = self.message
        return {**parts, "startedAt": self.started_at, "finishedAt": self.finished_at, "containerID": self.container_id}


class Stoppable(Protocol):
    """A probe that goes on by itself."""

    def stop(self) -> None:
        """End it."""


@dataclass(slots=True)
class Run:
    """One run of a container."""

    container_id: str
    asked_image: str
    """The image as the pod names it."""
    image: str
    image_id: str
    started: float
    started_at: str
    process: Process
    around: Surroundings
    up: bool = False
    """Whether the startup probe has succeeded, or there is none."""
    ready: bool = False
    stopping: bool = False
    ending: Ending | None = None
    probes: list[Stoppable] = field(default_factory=list)
    guests: list[Callable[[], None]] = field(default_factory=list)
    """Told when it ends (`guests`)."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.ending is None


@dataclass(slots=True)
class Slot:
    """One container of a pod, over all its runs."""

    name: str
    kind: Kind
    spec: Part
    run: Run | None = None
    last: Ending | None = None
    """How the run before the present one ended."""
    waiting: Waiting | None = None
    restarts: int = 0
    not_before: float = 0.0
    """When a start is tried again."""
    counted: bool = False
    """Whether the present ending was counted in the back-off."""

    @property
    def alive(self) -> bool:
        """Whether a run goes on."""
        return self.run is not None and self.run.alive

    @property
    def ending(self) -> Ending | None:
        """How the present run ended, None when it goes on or there was none."""
        return self.run.ending if self.run is not None else None

    @property
    def field_path(self) -> str:
        """The event's fieldPath: `spec.containers{name}`."""
        return f"spec.{FIELDS[self.kind]}{{{self.name}}}"


def slots_of(pod: Object) -> list[Slot]:
    """The containers of a pod: init containers in order, then the others, then ephemeral ones."""
    spec = pod.get("spec") or {}
    found = []
    for container in spec.get("initContainers") or []:
        kind = Kind.SIDECAR if container.get("restartPolicy") == "Always" else Kind.INIT
        found.append(Slot(container.get("name") or "", kind, container))
    for kind in (Kind.MAIN, Kind.EPHEMERAL):
        found += [Slot(container.get("name") or "", kind, container) for container in spec.get(FIELDS[kind]) or []]
    return found


def restarts_after(slot: Slot, pod_policy: str, code: int) -> bool:
    """Whether a container that ended with this code is started again (api/v1/pod/util.go, ContainerShouldRestart)."""
    if slot.kind is Kind.EPHEMERAL:
        return False
    for rule in slot.spec.get("restartPolicyRules") or []:
        codes = rule.get("exitCodes") or {}
        holds = (code in (codes.get("values") or [])) == (codes.get("operator") == "In")
        if rule.get("action") == "Restart" and codes and holds:
            return True
    policy = slot.spec.get("restartPolicy") or pod_policy
    if slot.kind is Kind.INIT and policy == "Always":
        policy = "OnFailure"  # an init container that succeeded is done
    return policy == "Always" or (policy == "OnFailure" and code != 0)
