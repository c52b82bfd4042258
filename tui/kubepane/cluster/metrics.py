"""Usage from metrics.k8s.io and what was seen of it: the newest sample and a bounded history per pod, node and HPA."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import isnan, nan

import msgspec

from kubepane.cluster.freshness import Freshness

HISTORY = 240  # samples kept: an hour at one in 15 s
ALL_SAMPLES = 400_000  # of all pods together: 13 MB; with 10,000 pods 40 each
FEWEST = 8
MISSED = 8  # polls after which what has no sample any more is forgotten


class Usage(msgspec.Struct, frozen=True, gc=False):
    """One sample.

    Attributes:
        cpu: thousandths of a core.
        memory: bytes.
        at: the server's timestamp of the sample, None when it gave none.
        window: seconds over which it was measured.
    """

    cpu: int
    memory: int
    at: datetime | None = None
    window: float = 0.0


class Scale(msgspec.Struct, frozen=True, gc=False):
    """One moment of an HPA.

    Attributes:
        at: when it was seen.
        current: the metric that decides, in the unit of its target; None while unknown.
        target: its target, None when there is none.
        wanted: status.desiredReplicas.
        ready: ready replicas of the target, status.currentReplicas where those are not known.
    """

    at: datetime
    current: float | None
    target: float | None
    wanted: int
    ready: int


class History:
    """The newest samples of one pod or node, packed: four numbers a sample, for there may be 10,000 of these."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers = array("d")  # at (seconds since the epoch), cpu, memory, window; and again

    def add(self, usage: Usage, most: int) -> None:
        """Appends a sample, unless it is the one that came last, and keeps the newest `most`."""
        numbers = self._numbers
        at = nan if usage.at is None else usage.at.timestamp()
        if numbers and numbers[-4] == at:
            return
        numbers.extend((at, usage.cpu, usage.memory, usage.window))
        if len(numbers) > 4 * most:
            del numbers[: len(numbers) - 4 * most]

    def samples(self) -> list[Usage]:
        """The samples, oldest first."""
        n = self._numbers
        return [
            Usage(int(n[i + 1]), int(n[i + 2]), None if isnan(n[i]) else datetime.fromtimestamp(n[i], UTC), n[i + 3]) for i in range(0, len(n), 4)
        ]


class Metrics:
    """What is known of usage. Written by the poller, read by views."""

    def __init__(self) -> None:
        self.pods: dict[str, Usage] = {}  # by namespace/name
        self.nodes: dict[str, Usage] = {}  # by name
        self.containers: dict[str, dict[str, Usage]] = {}  # by namespace/name, then container
        self.freshness = Freshness()  # of pods and containers
        self.node_freshness = Freshness()
        self.period = 15.0  # seconds between polls
        self.sampled_at: datetime | None = None  # newest timestamp of the last answer
        self.version = 0  # raised by everything that a reader may see
        self.wake: Callable[[], None] = lambda: None  # called when the version was raised
        self._pod_history: dict[str, History] = {}
        self._node_history: dict[str, History] = {}
        self._missed: dict[str, int] = {}
        self._scales: dict[str, deque[Scale]] = {}

    # ---- reading

    def pod(self, namespace: str, name: str) -> Usage | None:
        """The newest sample of a pod; None is normal in its first two minutes."""
        return self.pods.get(f"{namespace}/{name}")

    def pod_history(self, namespace: str, name: str) -> Sequence[Usage]:
        """Samples of a pod, oldest first."""
        history = self._pod_history.get(f"{namespace}/{name}")
        return history.samples() if history else ()

    def node_history(self, name: str) -> Sequence[Usage]:
        """Samples of a node, oldest first."""
        history = self._node_history.get(name)
        return history.samples() if history else ()

    def scales(self, uid: str) -> Sequence[Scale]:
        """What was seen of an HPA, oldest first."""
        return self._scales.get(uid, ())

    # ---- writing

    def took_pods(self, pods: dict[str, Usage], containers: dict[str, dict[str, Usage]]) -> None:
        """A complete answer for pods; pods without a sample keep their history for a while."""
        self.pods, self.containers = pods, containers
        most = min(HISTORY, max(FEWEST, ALL_SAMPLES // max(1, len(pods))))
        self._remember(self._pod_history, pods, most)
        self.sampled_at = max((u.at for u in pods.values() if u.at is not None), default=self.sampled_at)
        self._raise()

    def took_nodes(self, nodes: dict[str, Usage]) -> None:
        """A complete answer for nodes."""
        self.nodes = nodes
        self._remember(self._node_history, nodes, HISTORY)
        self._raise()

    def forget_usage(self) -> None:
        """There is no usage to be had: old figures would be taken for present ones."""
        self.pods, self.nodes, self.containers = {}, {}, {}
        self._raise()

    def set_freshness(self, pods: Freshness, nodes: Freshness) -> None:
        """How far the figures can be trusted."""
        if (pods, nodes) != (self.freshness, self.node_freshness):
            self.freshness, self.node_freshness = pods, nodes
            self._raise()

    def saw_scale(self, uid: str, scale: Scale) -> None:
        """Adds a moment of an HPA; of moments that are all alike only the first and the last are kept."""
        seen = self._scales.setdefault(uid, deque(maxlen=HISTORY))
        if len(seen) >= 2 and _alike(seen[-1], scale) and _alike(seen[-2], scale):
            seen[-1] = scale
        else:
            seen.append(scale)
        self._raise()

    def _raise(self) -> None:
        self.version += 1
        self.wake()

    def forget_scales(self, uid: str) -> None:
        """The HPA is gone."""
        self._scales.pop(uid, None)

    def _remember(self, histories: dict[str, History], newest: Mapping[str, Usage], most: int) -> None:
        for key, usage in newest.items():
            history = histories.get(key)
            if history is None:
                history = histories[key] = History()
            history.add(usage, most)
            self._missed.pop(key, None)
        for key in [k for k in histories if k not in newest]:
            self._missed[key] = self._missed.get(key, 0) + 1
            if self._missed[key] > MISSED:
                del histories[key], self._missed[key]


def _alike(a: Scale, b: Scale) -> bool:
    return (a.current, a.target, a.wanted, a.ready) == (b.current, b.target, b.wanted, b.ready)
