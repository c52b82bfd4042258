"""What filters and scores have in common: one scheduling cycle, and what they answer (kube-scheduler/framework/interface.go).

A filter prepares once per cycle and then tests nodes. Names are those of upstream's plugins; they decide which later events are a reason
to try a pod again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from kubepane_embedded.meta import Object
from kubepane_embedded.scheduler.cache import Cache
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.scheduler.podinfo import PodInfo
from kubepane_embedded.storage import Storage


class Rejection(NamedTuple):
    """Why a node, or all of them, will not do.

    Args:
        reasons: In the server's words; several are possible.
        resolvable: Whether taking other pods away could help.
        plugin: Who says so; filled in by `selection`.
    """

    reasons: tuple[str, ...]
    resolvable: bool = False
    plugin: str = ""


@dataclass(slots=True)
class PodVolumes:
    """What is to be done about a pod's unbound claims on one node."""

    static: list[tuple[Object, Object]] = field(default_factory=list)
    """(volume, claim) to bind to each other."""
    dynamic: list[Object] = field(default_factory=list)
    """Claims to have provisioned."""


@dataclass(slots=True)
class Cycle:
    """One attempt for one pod."""

    pod: PodInfo
    cache: Cache
    storage: Storage
    nodes: list[NodeInfo]
    volumes: dict[str, PodVolumes] = field(default_factory=dict)
    """By node, filled by the volume filter where claims wait for this pod."""


Test = Callable[[NodeInfo], Rejection | None]


class Prepared(NamedTuple):
    """What a filter knows before it sees a node.

    Args:
        test: Tests one node; None when the filter has nothing to say about this pod.
        rejection: No node will do.
        only: Names of the only nodes that can do; None for no limit.
    """

    test: Test | None = None
    rejection: Rejection | None = None
    only: frozenset[str] | None = None


NOTHING = Prepared()
Filter = Callable[[Cycle], Prepared]
Score = Callable[[Cycle, list[NodeInfo]], list[int] | None]
"""0 to 100 for each node, in order; None when the score has nothing to say about this pod."""
MAX_SCORE = 100


def normalized(scores: list[int], reverse: bool = False) -> list[int]:
    """Scaled so that the largest becomes 100, turned around when less is better (plugins/helper/normalize_score.go)."""
    most = max(scores, default=0)
    if most == 0:
        return [MAX_SCORE] * len(scores) if reverse else scores
    scaled = [MAX_SCORE * score // most for score in scores]
    return [MAX_SCORE - score for score in scaled] if reverse else scaled
