"""Taking over pods that run already when their kubelet starts: no events, no second start."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.kubelet.creating import found_running
from kubepane_embedded.kubelet.podstatus import LISTS
from kubepane_embedded.kubelet.podworker import PodWorker
from kubepane_embedded.kubelet.probing import FIELDS as PROBES, Probe
from kubepane_embedded.kubelet.records import Ending, Slot
from kubepane_embedded.meta import uid_of

Part = dict[str, Any]


def is_begun(pod: dict[str, Any]) -> bool:
    """Whether a kubelet has brought this pod so far that there is something to take over."""
    status = pod.get("status") or {}
    statuses = [one for name in LISTS.values() for one in status.get(name) or []]
    return any((one.get("state") or {}).get("running") or (one.get("state") or {}).get("terminated") or one.get("restartCount") for one in statuses)


def adopt(worker: PodWorker) -> None:
    """Fill a new worker from the status that is in the API."""
    status = worker.pod.get("status") or {}
    worker.started_at = status.get("startTime") or worker.time.clock.stamp()
    worker.address = status.get("podIP") or ""
    if worker.address:
        worker.kubelet.addresses.hold(worker.address)
        worker.sandbox = True
    worker.mounted = True
    known = {one.get("name"): one for name in LISTS.values() for one in status.get(name) or []}
    for slot in worker.slots:
        if slot.name in known:
            _take_over(worker, slot, known[slot.name])


def _take_over(worker: PodWorker, slot: Slot, status: Part) -> None:
    slot.restarts = int(status.get("restartCount") or 0)
    state = status.get("state") or {}
    last = (status.get("lastState") or {}).get("terminated")
    ended = state.get("terminated") or (last if state.get("waiting") else None)
    if state.get("waiting") is None and last:
        slot.last = _ending(worker, last)
    if not state.get("running") and not ended:
        return
    run = slot.run = found_running(worker, slot)
    run.container_id = status.get("containerID") or run.container_id
    if ended:
        run.ending = _ending(worker, ended)
        return
    run.started_at = (state.get("running") or {}).get("startedAt") or run.started_at
    run.started = _seconds(worker, run.started_at)
    run.up, run.ready = bool(status.get("started")), bool(status.get("ready"))
    worker.kubelet.shared.logbook.begin(uid_of(worker.pod), slot.name)
    run.process.adopt()
    worker.kubelet.shared.watch.add(worker, slot, run)
    for kind in ("liveness", "readiness") if run.up else ("startup",):
        spec = slot.spec.get(PROBES[kind])
        if spec:
            probe = Probe(worker, slot, run, kind, spec)
            run.probes.append(probe)
            probe.begin()


def _ending(worker: PodWorker, ended: Part) -> Ending:
    finished = ended.get("finishedAt") or worker.time.clock.stamp()
    return Ending(
        int(ended.get("exitCode") or 0),
        ended.get("reason") or "",
        ended.get("message") or "",
        _seconds(worker, finished),
        ended.get("startedAt"),
        finished,
        ended.get("containerID") or "",
    )


def _seconds(worker: PodWorker, stamp: str) -> float:
    """A time of an object as seconds of the cluster's clock."""
    try:
        return (parse_stamp(stamp) - worker.time.clock.start).total_seconds()
    except ValueError:
        return worker.time.clock.seconds()
