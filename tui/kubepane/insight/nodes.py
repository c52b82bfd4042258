"""Nodes: status as kubectl prints it, roles, taints, pressure, and what their pods request of what they can allocate.

Sources: printNode and findNodeRoles of pkg/printers/internalversion/printers.go, printAllResourceUsages of kubectl
pkg/metricsutil (kubectl top).
"""

from __future__ import annotations

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.store import Store
from kubepane.insight import demand, quantities
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.rollout_status import condition

ROLE = "node-role.kubernetes.io/"
PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
_ENDED = ("Succeeded", "Failed")


def status(node: r.Node) -> str:
    """STATUS: `Ready`, `NotReady`, `Unknown` without a Ready condition, and `,SchedulingDisabled`."""
    ready = condition(node.status.conditions, "Ready")
    text = "Unknown" if ready is None else "Ready" if ready.status == "True" else "NotReady"
    return f"{text},SchedulingDisabled" if node.spec.unschedulable else text


def roles(node: r.Node) -> str:
    """ROLES: from the role labels, sorted; `<none>`."""
    found = set()
    for key, value in (node.metadata.labels or {}).items():
        if key.startswith(ROLE):
            found.add(key[len(ROLE) :])
        elif key == "kubernetes.io/role":
            found.add(value)
    return ",".join(sorted(found - {""})) or "<none>"


def address(node: r.Node, kind: str) -> str:
    """The first address of a type, `InternalIP` or `ExternalIP`; `<none>`."""
    return next((a.address for a in node.status.addresses or () if a.type == kind), "<none>")


def taint(t: r.Taint) -> str:
    """A taint as kubectl writes it: `dedicated=chatapp:NoSchedule`, `node.kubernetes.io/unreachable:NoExecute`."""
    return f"{t.key}={t.value}:{t.effect}" if t.value else f"{t.key}:{t.effect}"


def taints(node: r.Node) -> list[str]:
    """All taints of a node, in full, in the order the server gives."""
    return [taint(t) for t in node.spec.taints or ()]


def pressures(node: r.Node) -> list[str]:
    """The pressure conditions that hold. Other conditions are left alone: whether True is good depends on who wrote them."""
    return [c.type for c in node.status.conditions or () if c.type in PRESSURES and c.status == "True"]


def level(node: r.Node) -> Level:
    """How a node is doing. A taint is somebody's wish, not a fault."""
    ready = condition(node.status.conditions, "Ready")
    if ready is None or ready.status != "True":
        return Level.BAD
    return Level.WARN if node.spec.unschedulable or pressures(node) else Level.OK


def findings(node: r.Node) -> list[Finding]:
    """What is wrong with a node, most important first; none for a healthy one."""
    name, out = f"node/{node.metadata.name}", []
    ready = condition(node.status.conditions, "Ready")
    if ready is None:
        out.append(Finding(Level.BAD, "no Ready condition: its kubelet never reported", (Evidence(name, "status.conditions", "no Ready"),)))
    elif ready.status != "True":
        why = ready.message or ready.reason or f"Ready is {ready.status}"
        fact = Evidence(name, "status.conditions[Ready]", f"{ready.status} {ready.reason}".strip())
        out.append(Finding(Level.BAD, why.rstrip("."), (fact,), "look at its kubelet and its network"))
    for c in node.status.conditions or ():
        if c.type in PRESSURES and c.status == "True":
            fact = Evidence(name, f"status.conditions[{c.type}]", f"True {c.reason}".strip())
            out.append(Finding(Level.WARN, f"{c.type}: {c.message or c.reason}".rstrip("."), (fact,)))
    if node.spec.unschedulable:
        out.append(
            Finding(Level.WARN, "cordoned: takes no new pods", (Evidence(name, "spec.unschedulable", "true"),), "uncordon it when its work is done")
        )
    return out


# ---- what pods request ---------------------------------------------------------------------------------------------------


class Load(msgspec.Struct, frozen=True, gc=False):
    """CPU in thousandths of a core, memory in bytes, number of pods."""

    cpu: int = 0
    memory: int = 0
    pods: int = 0


def allocatable(node: r.Node) -> Load:
    """What a node gives to pods; 0 where it does not say."""
    have = node.status.allocatable or {}
    return Load(quantities.millicores(have.get("cpu", "0")), quantities.size(have.get("memory", "0")), quantities.size(have.get("pods", "0")))


def share(used: float, of: float) -> int | None:
    """Percent, truncated as kubectl top does; None of nothing."""
    return int(used / of * 100) if of > 0 else None


def requests(pod: r.Pod) -> tuple[int, int]:
    """What a pod requests, as the scheduler counts it: (thousandths of a core, bytes)."""
    asked = demand.asked(pod)
    return asked.get("cpu", 0), asked.get("memory", 0)


class Requested:
    """What the pods of each node request, kept up to date by what changed.

    Counted are pods that are bound and have not ended, as kubectl describe node does. It reads its own dirty set of the pod
    store: whoever asks gets the newest sums.
    """

    def __init__(self, pods: Store[r.Pod]) -> None:
        self._pods = pods
        self._changes = pods.subscribe(_nobody)
        self._sums: dict[str, list[int]] = {}  # by node: cpu, memory, pods
        self._where: dict[str, tuple[str, int, int]] = {}  # by pod: its node and what was added there
        self._touched: set[str] = set()

    def of(self, node: str) -> Load:
        """The sums of a node by its name."""
        self.sync()
        found = self._sums.get(node)
        return Load(*found) if found else Load()

    def touched(self) -> set[str]:
        """Names of nodes whose sums changed since this was asked last."""
        self.sync()
        touched, self._touched = self._touched, set()
        return touched

    def sync(self) -> None:
        """Takes in what changed."""
        if not self._changes.uids:
            return
        for uid in self._changes.drain():
            pod = self._pods.get(uid)
            new = None
            if pod is not None and pod.spec.node_name and pod.status.phase not in _ENDED:
                new = (pod.spec.node_name, *requests(pod))
            old = self._where.get(uid)
            if old == new:
                continue
            if old is not None:
                self._add(*old, -1)
                del self._where[uid]
            if new is not None:
                self._add(*new, 1)
                self._where[uid] = new

    def _add(self, node: str, cpu: int, memory: int, sign: int) -> None:
        sums = self._sums.setdefault(node, [0, 0, 0])
        sums[0] += sign * cpu
        sums[1] += sign * memory
        sums[2] += sign
        self._touched.add(node)
        if not sums[2]:
            del self._sums[node]


def _nobody() -> None:
    """Nobody is woken: the sums are read when a row is asked for."""
