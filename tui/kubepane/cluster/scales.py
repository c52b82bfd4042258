"""Writes down what each HPA measures and wants, whenever it changes and at a steady pace between, for its chart."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime

from kubepane.cluster.amounts import NANO, nano
from kubepane.cluster.freshness import State
from kubepane.cluster.metrics import Metrics, Scale
from kubepane.cluster.resources import Autoscaler, Metric, MetricSource, MetricValue
from kubepane.cluster.stores import Stores
from kubepane.cluster.watcher import Means

PERIOD = 15.0


def scale(autoscaler: Autoscaler, ready: int | None, at: datetime) -> Scale:
    """One moment of an HPA: its first metric that has a target, and the replicas.

    A metric that failed is unknown, not old: its entry may be `{"type": ""}`, and when the target is gone the status keeps the
    last value, which only the conditions give away.

    Args:
        ready: ready replicas of the target, None when the target is not known.
    """
    status = autoscaler.status
    current = target = None
    for i, metric in enumerate(autoscaler.spec.metrics or ()):
        if (source := _source(metric)) is None:
            continue
        field, target = _figure(source.target)
        if target is not None:
            current = _current(autoscaler, i, metric.type, field)
            break
    return Scale(at, current, target, status.desired_replicas, status.current_replicas if ready is None else ready)


def _current(autoscaler: Autoscaler, index: int, kind: str, field: str) -> float | None:
    conditions = {c.type: c.status for c in autoscaler.status.conditions or ()}
    if "False" in (conditions.get("ScalingActive"), conditions.get("AbleToScale")):
        return None
    measured = autoscaler.status.current_metrics or ()
    if index >= len(measured) or measured[index].type != kind:
        return None
    source = _source(measured[index])
    return None if source is None else _number(source.current, field)


def _source(metric: Metric) -> MetricSource | None:
    return metric.resource or metric.container_resource or metric.pods or metric.object or metric.external


def _figure(value: MetricValue) -> tuple[str, float | None]:
    for field in ("average_utilization", "average_value", "value"):
        if (number := _number(value, field)) is not None:
            return field, number
    return "", None


def _number(value: MetricValue, field: str) -> float | None:
    found = getattr(value, field)
    if isinstance(found, str):
        amount = nano(found)
        return None if amount is None else amount / NANO
    return None if found is None else float(found)


class ScaleRecorder:
    """Fills the histories of HPAs in `Metrics`."""

    def __init__(self, means: Means, stores: Stores, metrics: Metrics) -> None:
        self._means, self._stores, self._metrics = means, stores, metrics
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Records until it is cancelled."""
        store = self._stores.autoscalers
        changes = store.subscribe(self._changed.set)
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(PERIOD):
                        await self._changed.wait()
                self._changed.clear()
                try:
                    self._record(changes.drain() or set(store.uids()))
                except Exception as fault:
                    self._means.log.error("recording scales failed", exc_info=fault)
        finally:
            store.unsubscribe(changes)

    def _record(self, uids: set[str]) -> None:
        store, now = self._stores.autoscalers, self._means.clock.now()
        if store.freshness.state not in (State.LIVE, State.POLLING, State.SYNCING):
            return  # a flat line would claim to know
        for uid in uids:
            autoscaler = store.get(uid)
            if autoscaler is None:
                self._metrics.forget_scales(uid)
            else:
                self._metrics.saw_scale(uid, scale(autoscaler, self._ready(autoscaler), now))

    def _ready(self, autoscaler: Autoscaler) -> int | None:
        ref, namespace = autoscaler.spec.scale_target_ref, autoscaler.metadata.namespace
        if ref.kind == "Deployment":
            deployment = self._stores.deployments.named(namespace, ref.name)
            return None if deployment is None else deployment.status.ready_replicas
        if ref.kind == "StatefulSet":
            stateful = self._stores.statefulsets.named(namespace, ref.name)
            return None if stateful is None else stateful.status.ready_replicas
        if ref.kind == "ReplicaSet":
            replicaset = self._stores.replicasets.named(namespace, ref.name)
            return None if replicaset is None else replicaset.status.ready_replicas
        return None
