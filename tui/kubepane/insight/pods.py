"""A pod in kubectl's words (READY, STATUS, RESTARTS), how it is doing, and what it may use.

Source: printPod in pkg/printers/internalversion/printers.go of Kubernetes 1.35, checked cell by cell against a real server.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from kubepane.cluster.resources import Condition, Container, ContainerStatus, Pod, PodStatus, Terminated
from kubepane.insight import quantities
from kubepane.insight.ages import age
from kubepane.insight.finding import Level

NONE = "<none>"
QUIET = frozenset(("", "ContainerCreating", "PodInitializing"))
"""Reasons of a waiting container that only say that it is on its way; all others say that something is wrong."""


class PodStatusText(msgspec.Struct, frozen=True, gc=False):
    """What kubectl prints of a pod.

    Attributes:
        ready: containers that are ready, sidecars included.
        total: containers that should be.
        status: the STATUS column.
        restarts: of all that count, sidecars included.
        last_restart: when the last of them ended before it was restarted.
    """

    ready: int
    total: int
    status: str
    restarts: int = 0
    last_restart: datetime | None = None

    @property
    def ready_text(self) -> str:
        """READY: `1/2`."""
        return f"{self.ready}/{self.total}"

    def restarts_text(self, now: datetime) -> str:
        """RESTARTS: `0`, `3 (5m ago)`."""
        if not self.restarts or self.last_restart is None:
            return str(self.restarts)
        return f"{self.restarts} ({age(self.last_restart, now)} ago)"


# ---- STATUS --------------------------------------------------------------------------------------------------------------


def status(pod: Pod) -> PodStatusText:
    """READY, STATUS and RESTARTS as the server prints them."""
    state, total = pod.status, len(pod.spec.containers or ())
    sidecars = _sidecars(pod)
    if not sidecars and not state.init_container_statuses and _plain(pod):
        statuses = state.container_statuses or ()
        return PodStatusText(len(statuses), total, state.phase, *_restarts(statuses))
    text = state.reason or state.phase
    if _gated(state):
        text = "SchedulingGated"
    ready, stuck = _initial(pod, sidecars)
    if stuck is None or _true(state, "Initialized"):
        n, text = _containers(state, stuck or text)
        ready += n
        counted = [s for s in _until_stuck(pod, sidecars) if s.name in sidecars]
        counted += state.container_statuses or ()
    else:
        text = stuck
        counted = _until_stuck(pod, sidecars)
    return PodStatusText(ready, total + len(sidecars), _deleted(pod, text), *_restarts(counted))


def _plain(pod: Pod) -> bool:
    """Every container runs and is ready, and nothing is said about the pod itself: STATUS is the phase."""
    state = pod.status
    if state.reason or pod.metadata.deletion_timestamp is not None or not state.container_statuses or _gated(state):
        return False
    for s in state.container_statuses:
        at = s.state
        if not s.ready or at.running is None or at.waiting is not None or at.terminated is not None:
            return False
    return True


def _gated(state: PodStatus) -> bool:
    for c in state.conditions or ():
        if c.type == "PodScheduled":
            return c.reason == "SchedulingGated"
    return False


def _sidecars(pod: Pod) -> frozenset[str]:
    init = pod.spec.init_containers
    return frozenset(c.name for c in init if c.restart_policy == "Always") if init else frozenset()


def _passed(s: ContainerStatus, sidecars: frozenset[str]) -> bool:
    """This init container no longer holds up the pod: it ended well, or it is a sidecar that has started."""
    ended = s.state.terminated
    return (ended is not None and ended.exit_code == 0) or (s.name in sidecars and s.started is True)


def stuck_at(pod: Pod) -> ContainerStatus | None:
    """The init container that the pod waits for; None when none is in the way."""
    sidecars = _sidecars(pod)
    return next((s for s in pod.status.init_container_statuses or () if not _passed(s, sidecars)), None)


def _until_stuck(pod: Pod, sidecars: frozenset[str]) -> list[ContainerStatus]:
    seen: list[ContainerStatus] = []
    for s in pod.status.init_container_statuses or ():
        seen.append(s)
        if not _passed(s, sidecars):
            break
    return seen


def _initial(pod: Pod, sidecars: frozenset[str]) -> tuple[int, str | None]:
    """Ready sidecars up to the init container in the way, and the `Init:…` text of that one; None when none is."""
    ready = 0
    for i, s in enumerate(pod.status.init_container_statuses or ()):
        ended, waiting = s.state.terminated, s.state.waiting
        if ended is not None and ended.exit_code == 0:
            continue
        if s.name in sidecars and s.started is True:
            ready += s.ready
            continue
        if ended is not None:
            return ready, f"Init:{_ending(ended)}"
        if waiting is not None and waiting.reason not in ("", "PodInitializing"):
            return ready, f"Init:{waiting.reason}"
        return ready, f"Init:{i}/{len(pod.spec.init_containers or ())}"
    return ready, None


def _containers(state: PodStatus, text: str) -> tuple[int, str]:
    """Ready containers and STATUS from the containers' states; the first container has the last word."""
    ready, failed = 0, ""
    for s in reversed(state.container_statuses or ()):
        if s.state.waiting is not None and s.state.waiting.reason:
            text = s.state.waiting.reason
        elif s.state.terminated is not None:
            text = _ending(s.state.terminated)
            if s.state.terminated.exit_code:
                failed = text
        elif s.ready and s.state.running is not None:
            ready += 1
    if text == "Completed":
        if ready and _true(state, "Ready"):
            text = "Running"
        elif failed:
            text = failed
        elif ready:
            text = "NotReady"
    return ready, text


def _ending(ended: Terminated) -> str:
    return ended.reason or (f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}")


def _deleted(pod: Pod, text: str) -> str:
    if pod.metadata.deletion_timestamp is None:
        return text
    if pod.status.reason == "NodeLost":
        return "Unknown"
    return text if pod.status.phase in ("Succeeded", "Failed") else "Terminating"


def _restarts(statuses: Iterable[ContainerStatus]) -> tuple[int, datetime | None]:
    total, last = 0, None
    for s in statuses:
        total += s.restart_count
        ended = s.last_state.terminated
        if ended is not None and ended.finished_at is not None and (last is None or ended.finished_at > last):
            last = ended.finished_at
    return total, last


def condition(state: PodStatus, kind: str) -> Condition | None:
    """The condition of a type."""
    for c in state.conditions or ():
        if c.type == kind:
            return c
    return None


def _true(state: PodStatus, kind: str) -> bool:
    c = condition(state, kind)
    return c is not None and c.status == "True"


# ---- level ---------------------------------------------------------------------------------------------------------------


def level(pod: Pod) -> Level:
    """How a pod is doing, from the pod alone: the same at any time. Costs about a microsecond for a healthy one."""
    state = pod.status
    if state.phase == "Running" and not state.reason and pod.metadata.deletion_timestamp is None and (statuses := state.container_statuses):
        for c in state.conditions or ():
            if c.type == "Ready":
                if c.status != "True":
                    break
                for s in statuses:
                    if not s.ready or s.state.running is None:
                        return _level(pod)
                if state.init_container_statuses:
                    return _level(pod)
                return Level.OK
    return _level(pod)


def _level(pod: Pod) -> Level:
    state = pod.status
    if state.phase == "Succeeded":
        return Level.DONE
    if state.phase == "Failed" or state.phase == "Unknown" or state.reason == "NodeLost":
        return Level.BAD
    if pod.metadata.deletion_timestamp is not None:
        return Level.BUSY
    if any(trouble(s) for s in all_statuses(pod)):
        return Level.BAD
    if state.phase == "Running":
        return Level.OK if _serves(pod) else Level.BUSY
    return Level.BUSY if pod.spec.node_name else Level.WAIT


def _serves(pod: Pod) -> bool:
    """The Ready condition decides, for it also holds readiness gates and the node's state; without one the containers do."""
    ready = condition(pod.status, "Ready")
    if ready is not None:
        return ready.status == "True"
    text = status(pod)
    return text.total > 0 and text.ready == text.total


def all_statuses(pod: Pod) -> tuple[ContainerStatus, ...]:
    """The statuses of init containers and containers, in their order."""
    return (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ()))


def trouble(s: ContainerStatus) -> bool:
    """A container that waits for a reason that will not go away by itself, or that ended badly."""
    waiting, ended = s.state.waiting, s.state.terminated
    return (waiting is not None and waiting.reason not in QUIET) or (ended is not None and ended.exit_code != 0)


# ---- what the other columns say --------------------------------------------------------------------------------------------


def ip(pod: Pod) -> str:
    """IP of -o wide."""
    ips = pod.status.pod_ips
    return (ips[0].ip if ips else "") or NONE


def readiness_gates(pod: Pod) -> str:
    """READINESS GATES of -o wide: `1/2`."""
    gates = pod.spec.readiness_gates
    if not gates:
        return NONE
    return f"{sum(_true(pod.status, g.condition_type) for g in gates)}/{len(gates)}"


class Bounds(msgspec.Struct, frozen=True, gc=False):
    """What the containers that run asked for and may use; sidecars count, init containers do not.

    CPU in thousandths of a core, memory in bytes; 0 is none. There is a limit only where every container has one.
    """

    cpu_request: int = 0
    cpu_limit: int = 0
    memory_request: int = 0
    memory_limit: int = 0


_bounds: dict[tuple[int, int], tuple[object, object, Bounds]] = {}
_BOUNDS_MAX = 5_000


def bounds(pod: Pod) -> Bounds:
    """Requests and limits of a pod. Pods made from one template share their containers, so this is mostly a look-up."""
    if pod.spec.resources is not None:
        return _sum_bounds(pod)
    key = (id(pod.spec.containers), id(pod.spec.init_containers))
    held = _bounds.get(key)
    if held is None:
        if len(_bounds) >= _BOUNDS_MAX:
            _bounds.clear()
        held = _bounds[key] = (pod.spec.containers, pod.spec.init_containers, _sum_bounds(pod))  # holds on to what the ids stand for
    return held[2]


def _sum_bounds(pod: Pod) -> Bounds:
    running = [*(pod.spec.containers or ()), *(c for c in pod.spec.init_containers or () if c.restart_policy == "Always")]
    whole = pod.spec.resources
    asked, allowed = (whole.requests or {}, whole.limits or {}) if whole else ({}, {})
    return Bounds(
        cpu_request=quantities.millicores(asked["cpu"]) if "cpu" in asked else _sum(running, "requests", "cpu"),
        cpu_limit=quantities.millicores(allowed["cpu"]) if "cpu" in allowed else _sum(running, "limits", "cpu"),
        memory_request=quantities.size(asked["memory"]) if "memory" in asked else _sum(running, "requests", "memory"),
        memory_limit=quantities.size(allowed["memory"]) if "memory" in allowed else _sum(running, "limits", "memory"),
    )


def _sum(containers: list[Container], which: str, resource: str) -> int:
    number = quantities.millicores if resource == "cpu" else quantities.size
    values = [number((getattr(c.resources, which) or {}).get(resource, "0")) for c in containers]
    return 0 if which == "limits" and not all(values) else sum(values)
