"""What a rule is given: one pod, the cluster around it, and the time where there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import events, pods
from kubepane.insight.finding import Evidence, Finding, Level

LONGEST = 200  # characters of a text from elsewhere that go into a clause


class Case:
    """One unhealthy pod.

    Attributes:
        pod: the pod.
        stores: what is known of the cluster.
        now: the time, None where an answer is wanted that does not change by itself.
        level: how the pod is doing.
        ref: the pod as evidence names it.
    """

    __slots__ = ("_events", "level", "now", "pod", "ref", "stores")

    def __init__(self, pod: r.Pod, stores: Stores, now: datetime | None, level: Level) -> None:
        self.pod, self.stores, self.now, self.level = pod, stores, now, level
        self.ref = f"pod/{pod.metadata.name}"
        self._events: list[r.Event] | None = None

    @property
    def events(self) -> list[r.Event]:
        """The pod's events, the newest first."""
        if self._events is None:
            self._events = sorted(self.stores.events.by("object", self.pod.metadata.uid), key=events.when, reverse=True)
        return self._events

    def newest(self, reasons: Iterable[str], container: str = "") -> r.Event | None:
        """The newest event with one of these reasons, about this container or about the whole pod."""
        wanted = frozenset(reasons)
        return next((e for e in self.events if e.reason in wanted and (not container or events.container(e) in ("", container))), None)

    def says(self, field: str, value: str) -> Evidence:
        """A fact of the pod itself."""
        return Evidence(self.ref, field, value)

    def told(self, event: r.Event) -> Evidence:
        """A fact that an event tells."""
        return Evidence(self.ref, f"event {event.reason}", short(event.message.strip()))

    @property
    def workload(self) -> str:
        """Where the pod comes from, for what to do: `deploy/web`; "the pod" for one of its own."""
        refs = self.pod.metadata.owner_references or ()
        owner = next((o for o in refs if o.controller), None)
        if owner is None:
            return "the pod"
        if owner.kind == "ReplicaSet" and (rs := self.stores.replicasets.get(owner.uid)) is not None:
            owner = next((o for o in rs.metadata.owner_references or () if o.controller), owner)
        return f"{events.SHORT.get(owner.kind, owner.kind.lower())}/{owner.name}"

    def container(self, name: str) -> r.Container:
        """The container of this name in the spec."""
        spec = self.pod.spec
        return next((c for c in (*(spec.containers or ()), *(spec.init_containers or ())) if c.name == name), r.Container(name=name))

    def lead(self, s: r.ContainerStatus) -> str:
        """What a clause about a container begins with: which one, where it could be another."""
        if self.initial(s):
            return f"init {s.name}: " if self.container(s.name).restart_policy != "Always" else f"{s.name}: "
        return f"{s.name}: " if len(self.pod.spec.containers or ()) + len(self.pod.spec.init_containers or ()) > 1 else ""

    def initial(self, s: r.ContainerStatus) -> bool:
        """Whether this is an init container, or a sidecar."""
        return any(s is i for i in self.pod.status.init_container_statuses or ())

    def path(self, s: r.ContainerStatus, field: str) -> str:
        """The path of a field of a container's status."""
        return f"status.{'initContainerStatuses' if self.initial(s) else 'containerStatuses'}[{s.name}].{field}"

    def declared(self, s: r.ContainerStatus, field: str) -> str:
        """The path of a field of a container's spec."""
        return f"spec.{'initContainers' if self.initial(s) else 'containers'}[{s.name}].{field}"


Rule = Callable[[Case], Iterable[Finding]]
"""Looks at one case and says what it finds; nothing for what it is not about."""


def short(text: str, most: int = LONGEST) -> str:
    """A text from elsewhere on one line, cut where it is too long for a clause."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def last_line(text: str) -> str:
    """The last line that says something: where programs write what killed them."""
    return next((short(line) for line in reversed(text.strip().splitlines()) if line.strip()), "")


def sentence(text: str) -> str:
    """The first sentence, without its full stop."""
    return short(text.strip().split(". ", 1)[0].rstrip("."))


def in_trouble(pod: r.Pod) -> list[r.ContainerStatus]:
    """The containers in trouble, in their order; while the pod initializes the one in the way speaks for all."""
    stuck = pods.stuck_at(pod)
    initialized = pods.condition(pod.status, "Initialized")
    if stuck is not None and pods.trouble(stuck) and (initialized is None or initialized.status != "True"):
        return [stuck]
    return [s for s in pods.all_statuses(pod) if pods.trouble(s)]
