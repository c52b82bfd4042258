"""One look at a DaemonSet, its nodes and its pods: where one is missing, and which must go (pkg/controller/daemon/daemon_controller.go)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from kubepane_embedded.controllers.daemonset_facts import Placement, by_age, is_updated, max_surge, minimum_ready, target_of
from kubepane_embedded.controllers.revisions import POD_HASH
from kubepane_embedded.meta import Object, is_deleting, key_of, labels_of
from kubepane_embedded.podfacts import is_available, is_finished, is_ready, node_of, phase


class Plan(NamedTuple):
    """What to do: nodes to start a daemon on, daemons to delete."""

    start: list[str]
    delete: list[Object]


@dataclass(slots=True)
class Daemons:
    """The daemons of a set by node.

    Args:
        daemon_set: As stored.
        nodes: All nodes.
        pods: The set's pods.
        digest: Hash of the present template's revision.
        now: One moment for the whole look.
    """

    daemon_set: Object
    nodes: list[Object]
    pods: list[Object]
    digest: str
    now: datetime
    placement: Placement = field(init=False)
    by_node: dict[str, list[Object]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.placement = Placement.of(self.daemon_set)
        for pod in self.pods:
            node = None if is_finished(pod) and is_deleting(pod) else target_of(pod)
            if node is not None:
                self.by_node.setdefault(node, []).append(pod)

    def is_available(self, pod: Object) -> bool:
        """Whether a daemon is ready for long enough."""
        return is_available(pod, minimum_ready(self.daemon_set), self.now)

    def is_updated(self, pod: Object) -> bool:
        """Whether a daemon has the present template."""
        return is_updated(self.daemon_set, pod, self.digest)

    def wanted_on(self) -> list[str]:
        """Names of the nodes that are to have a daemon."""
        return [key_of(node)[1] for node in self.nodes if self.placement.judge(node)[0]]

    def ended(self) -> Iterable[tuple[str, Object]]:
        """Node and daemon, of those that have ended where they should run."""
        for node in self.nodes:
            name = key_of(node)[1]
            ended = [pod for pod in self.by_node.get(name, ()) if is_finished(pod) and not is_deleting(pod)]
            if ended and self.placement.judge(node)[1]:
                yield from ((name, pod) for pod in ended)

    def plan(self) -> Plan:
        """Where daemons are missing and which are in the wrong place or too many; ended ones are not in it."""
        plan = Plan([], [])
        names = set()
        for node in self.nodes:
            names.add(key_of(node)[1])
            self._plan_node(node, plan)
        for name in sorted(self.by_node.keys() - names):  # nobody else would delete them: they are never bound
            plan.delete.extend(pod for pod in self.by_node[name] if not node_of(pod))
        return plan

    def _plan_node(self, node: Object, plan: Plan) -> None:
        name = key_of(node)[1]
        may_start, may_stay = self.placement.judge(node)
        present = self.by_node.get(name)
        if present is None:
            if may_start:
                plan.start.append(name)
        elif not may_stay:
            plan.delete.extend(pod for pod in present if not is_deleting(pod))
        else:
            running = sorted((pod for pod in present if not is_deleting(pod) and not is_finished(pod)), key=by_age)
            if not max_surge(self.daemon_set, 1):
                plan.delete.extend(running[1:])
            elif not running and may_start:
                plan.start.append(name)
            else:
                plan.delete.extend(self._surplus(running))

    def _surplus(self, running: list[Object]) -> list[Object]:
        """While an update surges: an old and a new daemon stay together until the new one can take over."""
        if len(running) <= 1:
            return []
        new = [pod for pod in running if labels_of(pod).get(POD_HASH) == self.digest]
        old = [pod for pod in running if labels_of(pod).get(POD_HASH) != self.digest]
        surplus = [*new[1:], *old[1:]]
        if new and old and (not is_ready(old[0]) or self.is_available(new[0])):
            surplus.append(old[0])
        return surplus

    def counts(self) -> dict[str, int]:
        """The numbers of the status."""
        wanted = self.wanted_on()
        first = [min(self.by_node[name], key=by_age) for name in wanted if self.by_node.get(name)]
        ready = [pod for pod in first if is_ready(pod)]
        available = sum(self.is_available(pod) for pod in ready)
        elsewhere = {key_of(node)[1] for node in self.nodes} - set(wanted)
        return {
            "currentNumberScheduled": len(first),
            "numberMisscheduled": sum(bool(self.by_node.get(name)) for name in elsewhere),
            "desiredNumberScheduled": len(wanted),
            "numberReady": len(ready),
            "updatedNumberScheduled": sum(self.is_updated(pod) for pod in first),
            "numberAvailable": available,
            "numberUnavailable": len(wanted) - available,
        }


def ended_message(pod: Object, node: str) -> tuple[str, str]:
    """Reason and text of the event about a daemon that has ended."""
    namespace, name = key_of(pod)
    failed = phase(pod) == "Failed"
    found, verb = ("failed", "kill") if failed else ("succeeded", "delete")
    said = f"Found {found} daemon pod {namespace}/{name} on node {node}, will try to {verb} it"
    return ("FailedDaemonPod" if failed else "SucceededDaemonPod"), said


def status_of(counts: dict[str, int], generation: int, collisions: Any) -> dict[str, Any]:
    """The status as stored: of the numbers added later, zeros are left out."""
    always = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    status: dict[str, Any] = {name: counts[name] for name in always}
    status["observedGeneration"] = generation
    status |= {name: count for name, count in counts.items() if count and name not in always}
    return status if collisions is None else {**status, "collisionCount": collisions}
