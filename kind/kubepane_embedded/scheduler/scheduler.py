"""The scheduler as a moving part: follows the store, tries one waiting pod after the other, tells what came of it.

Follows pkg/scheduler/schedule_one.go and eventhandlers.go with the default plugins. Left out: preemption (a pod of higher priority waits
until there is room), nominated nodes, extenders, other profiles, dynamic resources, gang scheduling, volumes and limits of cloud drivers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from kubepane_embedded.clock import Timer
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object, clone, is_deleting, uid_of
from kubepane_embedded.podfacts import condition, is_finished, node_of
from kubepane_embedded.recorder import WARNING
from kubepane_embedded.scheduler.binding import Binder
from kubepane_embedded.scheduler.cache import Cache
from kubepane_embedded.scheduler.events import EventRecorder
from kubepane_embedded.scheduler.fit_error import NO_NODES, fit_message, note
from kubepane_embedded.scheduler.framework import Cycle
from kubepane_embedded.scheduler.pending import Pending, Place, Waiting
from kubepane_embedded.scheduler.podinfo import DEFAULT_SCHEDULER, PodInfo
from kubepane_embedded.scheduler.reasons import Change, OwnChange, VolumeChange, is_reason, is_relevant
from kubepane_embedded.scheduler.selection import choose, find_nodes
from kubepane_embedded.strategy import set_condition

log = logging.getLogger(__name__)
VOLUME_RESOURCES = ("persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io")
UNSCHEDULABLE = "Unschedulable"
ERROR = "SchedulerError"


class Scheduler:
    """Gives every pod a node, or says why none fits.

    Args:
        core: The cluster.
        host: Name of the machine the scheduler runs on; part of its events.
    """

    def __init__(self, core: Core, host: str = "kubepane-control-plane") -> None:
        self._client = core.client("kube-scheduler")
        self._clock = core.clock
        self._storage = core.storage
        self._seed = core.seed.fork()
        self._cache = Cache(core.storage)
        self._recorder = EventRecorder(self._client, host)
        self._pending = Pending(core.clock, self._wake)
        self._binder = Binder(self._client, self._cache, self._recorder, self._failed)
        self._notes: dict[tuple[str, Key], None] = {}
        self._next: Timer | None = None

    def start(self) -> None:
        """Follow nodes, pods and volumes; look at all that is there."""
        for resource in ("nodes", "pods", *VOLUME_RESOURCES):
            self._storage.subscribe(resource, self._note(resource))
        for resource in ("nodes", "pods"):
            for obj in self._storage.objects(resource):
                meta = obj["metadata"]
                self._notes[resource, (meta.get("namespace") or "", meta["name"])] = None
        self._recorder.start()
        self._wake()

    # following the store

    def _note(self, resource: str) -> Callable[[Key], None]:
        def dirty(key: Key) -> None:
            self._notes[resource, key] = None
            self._wake()

        return dirty

    def _wake(self) -> None:
        if self._next is None or not self._next.pending:
            self._next = self._clock.call_soon(self._run)

    def _run(self) -> None:
        """Take note of what changed, then try one pod."""
        self._catch_up()
        waiting = self._pending.pop()
        if waiting is None:
            return
        self._wake()
        try:
            self._attempt(waiting)
        except Exception:
            log.exception("scheduling %s failed", waiting.pod.key)
            self._pending.reject(waiting, set())

    def _catch_up(self) -> None:
        notes, self._notes = self._notes, {}
        for resource, key in notes:
            if resource == "nodes":
                self._look_at_node(key[1])
            elif resource == "pods":
                self._look_at_pod(key)
            else:
                self._reconsider(VolumeChange(resource, key))

    def _look_at_node(self, name: str) -> None:
        change = self._cache.update_node(name)
        if change is not None and is_relevant(change):
            self._reconsider(change)

    def _look_at_pod(self, key: Key) -> None:
        change = self._cache.update_pod(key)
        if change is not None:
            self._reconsider(change)
        pod = self._storage.read("pods", *key)
        waiting = self._pending.get(key)
        if waiting is not None and (pod is None or uid_of(pod) != waiting.pod.uid or not _is_ours(pod)):
            self._pending.remove(key)
            waiting = None
        if pod is None or not _is_ours(pod):
            return
        if waiting is None:
            self._pending.add(PodInfo(pod))
        else:
            self._follow(waiting, PodInfo(pod))

    def _follow(self, waiting: Waiting, now: PodInfo) -> None:
        """A waiting pod changed."""
        before, waiting.pod = waiting.pod, now
        if waiting.place is Place.GATED:
            if not now.gates:
                self._pending.ungate(waiting)
        elif waiting.place is Place.REJECTED and not before.is_same_for_scheduling(now):
            self._reconsider_one(waiting, OwnChange(before, now))

    def _reconsider(self, change: Change) -> None:
        for waiting in self._pending.rejected():
            self._reconsider_one(waiting, change)

    def _reconsider_one(self, waiting: Waiting, change: Change) -> None:
        if is_reason(change, Cycle(waiting.pod, self._cache, self._storage, []), waiting.plugins):
            self._pending.retry(waiting)

    # trying

    def _attempt(self, waiting: Waiting) -> None:
        pod = waiting.pod
        cycle = Cycle(pod, self._cache, self._storage, self._cache.nodes())
        if not cycle.nodes:
            self._reject(waiting, NO_NODES, set())
            return
        nodes, diagnosis = find_nodes(cycle)
        if not nodes:
            self._reject(waiting, fit_message(pod, diagnosis), diagnosis.plugins)
            return
        node = choose(cycle, nodes, self._seed).name
        self._cache.assume(pod, node)
        self._binder.bind(waiting, node, cycle.volumes.get(node))

    def _failed(self, waiting: Waiting, message: str) -> None:
        """A pod got a node but could not be bound to it."""
        self._pending.reject(waiting, set())
        self._tell(waiting.pod, message, ERROR)

    def _reject(self, waiting: Waiting, message: str, plugins: set[str]) -> None:
        self._pending.reject(waiting, plugins)
        self._tell(waiting.pod, message, UNSCHEDULABLE)

    def _tell(self, pod: PodInfo, message: str, reason: str) -> None:
        """The event and the condition PodScheduled, which is written only when it says something new."""
        self._recorder.event(pod.object, WARNING, "FailedScheduling", "Scheduling", note(message))
        present = self._storage.read("pods", *pod.key)
        if present is None or uid_of(present) != pod.uid:
            return
        old = condition(present, "PodScheduled") or {}
        if (old.get("status"), old.get("reason"), old.get("message")) == ("False", reason, message):
            return
        since = old.get("lastTransitionTime") if old.get("status") == "False" else None
        wanted: dict[str, Any] = {"type": "PodScheduled", "observedGeneration": pod.generation, "status": "False", "lastProbeTime": None}
        wanted |= {"lastTransitionTime": since or self._clock.stamp(), "reason": reason, "message": message}
        changed = clone(present)
        set_condition(changed, wanted)
        self._client.update_status("pods", changed)


def _is_ours(pod: Object) -> bool:
    """Whether a pod still wants a node from this scheduler."""
    if node_of(pod) or is_deleting(pod) or is_finished(pod):
        return False
    return ((pod.get("spec") or {}).get("schedulerName") or DEFAULT_SCHEDULER) == DEFAULT_SCHEDULER
