"""Usage from metrics.k8s.io and what was seen of it: the newest sample and a bounded history per pod, node and HPA."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime

import msgspec

from kubepane.cluster.freshness import Freshness

HISTORY = 240  # samples kept: an hour at one in 15 s


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


class Metrics:
    """What is known of usage. Written by the poller, read by views."""

    def __init__(self) -> None:
        self.pods: dict[str, Usage] = {}  # by namespace/name
        self.nodes: dict[str, Usage] = {}  # by name
        self.containers: dict[str, dict[str, Usage]] = {}  # by namespace/name, then container
        self.freshness = Freshness()
        self.period = 15.0  # seconds between polls
        self.sampled_at: datetime | None = None  # newest timestamp of the last answer
        self.version = 0  # raised by every poll
        self._pod_history: dict[str, deque[Usage]] = {}
        self._node_history: dict[str, deque[Usage]] = {}
        self._scales: dict[str, deque[Scale]] = {}

    def pod(self, namespace: str, name: str) -> Usage | None:
        """The newest sample of a pod; None is normal in its first two minutes."""
        return self.pods.get(f"{namespace}/{name}")

    def pod_history(self, namespace: str, name: str) -> Sequence[Usage]:
        """Samples of a pod, oldest first."""
        return self._pod_history.get(f"{namespace}/{name}", ())

    def node_history(self, name: str) -> Sequence[Usage]:
        """Samples of a node, oldest first."""
        return self._node_history.get(name, ())

    def scales(self, uid: str) -> Sequence[Scale]:
        """What was seen of an HPA, oldest first."""
        return self._scales.get(uid, ())

    def saw_scale(self, uid: str, scale: Scale) -> None:
        """Adds a moment of an HPA."""
        self._scales.setdefault(uid, deque(maxlen=HISTORY)).append(scale)
