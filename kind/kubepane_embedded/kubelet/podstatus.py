"""The status of a pod as its kubelet writes it (pkg/kubelet/kubelet_pods.go, generateAPIPodStatus)."""

from __future__ import annotations

from typing import Any, NamedTuple

from kubepane_embedded.kubelet.conditions import conditions_of, is_ready
from kubepane_embedded.kubelet.records import FIELDS, Kind, Slot, Waiting
from kubepane_embedded.meta import Object

Part = dict[str, Any]
LISTS = {"initContainers": "initContainerStatuses", "containers": "containerStatuses", "ephemeralContainers": "ephemeralContainerStatuses"}
LOST = Waiting("ContainerStatusUnknown", "The container could not be located when the pod was terminated")


class Facts(NamedTuple):
    """What a status says beside the containers.

    Args:
        phase: The pod's phase.
        reason: Why it failed as a whole, "" when that is not the case.
        message: The text of that.
        started_at: When the kubelet took it on.
        address: The pod's address, "" before its sandbox.
        host: The node's address.
        sandbox: Whether its sandbox stands.
        terminal: Whether nothing will be started any more.
    """

    phase: str
    reason: str
    message: str
    started_at: str
    address: str
    host: str
    sandbox: bool
    terminal: bool


def status_of(pod: Object, slots: list[Slot], facts: Facts, now: str) -> Part:
    """The whole status; fields of others (qosClass, nominated node, claims) stay."""
    before = pod.get("status") or {}
    kept = {key: value for key, value in before.items() if key not in ("reason", "message")}
    status: Part = {**kept, "phase": facts.phase, "conditions": conditions_of(pod, slots, facts.phase, facts.sandbox, now)}
    if facts.reason:
        status |= {"reason": facts.reason, "message": facts.message}
    elif before.get("reason") and before.get("phase") == facts.phase:
        status |= {key: before[key] for key in ("reason", "message") if before.get(key)}
    if pod["metadata"].get("generation"):
        status["observedGeneration"] = pod["metadata"]["generation"]
    if facts.host:
        status |= {"hostIP": facts.host, "hostIPs": [{"ip": facts.host}]}
    if facts.address:
        status |= {"podIP": facts.address, "podIPs": [{"ip": facts.address}]}
    status["startTime"] = facts.started_at
    initialising = any(slot.kind in (Kind.INIT, Kind.SIDECAR) for slot in slots)
    lost = facts.terminal and _has_initialized(slots)
    for field, name in LISTS.items():
        mine = [slot for slot in slots if FIELDS[slot.kind] == field]
        ordered = sorted(mine, key=lambda slot: slot.name) if field == "containers" else mine
        if ordered:
            status[name] = [container_status(slot, initialising, lost) for slot in ordered]
    return status


def _has_initialized(slots: list[Slot]) -> bool:
    """Whether containers that never ran are missed (pkg/kubelet/status/status_manager.go, hasPodInitialized)."""
    before = [slot for slot in slots if slot.kind in (Kind.INIT, Kind.SIDECAR)]
    if not before or any(slot.kind is Kind.MAIN and slot.run is not None for slot in slots):
        return True
    last = before[-1]
    if last.kind is Kind.SIDECAR:
        return last.run is not None and last.run.alive and last.run.up
    return any(ending is not None and ending.code == 0 for ending in (last.ending, last.last))


def container_status(slot: Slot, initialising: bool, lost: bool) -> Part:
    """The status of one container; `lost` when the pod has ended and a container that never ran counts as failed."""
    run = slot.run
    state, last = _states(slot, initialising, lost)
    found: Part = {
        "name": slot.name,
        "state": state,
        "lastState": last,
        "ready": is_ready(slot) or (slot.kind is Kind.INIT and slot.ending is not None and slot.ending.code == 0 and slot.waiting is None),
        "restartCount": slot.restarts,
        "image": run.image if run is not None else slot.spec.get("image") or "",
        "imageID": run.image_id if run is not None else "",
        "started": run is not None and run.alive and run.up,
    }
    if run is not None:
        found["containerID"] = run.container_id
        found |= _resources(slot)
        found["user"] = {"linux": _user(slot)}
    mounts = slot.spec.get("volumeMounts") or []
    if mounts:
        found["volumeMounts"] = [_mount(mount) for mount in mounts]
    return found


def _states(slot: Slot, initialising: bool, lost: bool) -> tuple[Part, Part]:
    """State and last state."""
    run, ending = slot.run, slot.ending
    last = {"terminated": slot.last.state()} if slot.last is not None else {}
    if run is None:
        if lost:
            return {"terminated": {"exitCode": 137, "reason": LOST.reason, "message": LOST.message, "startedAt": None, "finishedAt": None}}, last
        return {"waiting": _waiting(slot.waiting or Waiting("PodInitializing" if initialising else "ContainerCreating"))}, last
    if ending is None:
        return {"running": {"startedAt": run.started_at}}, last
    if slot.waiting is not None:
        return {"waiting": _waiting(slot.waiting)}, {"terminated": ending.state()}
    return {"terminated": ending.state()}, last


def _waiting(waiting: Waiting) -> Part:
    return {"reason": waiting.reason, "message": waiting.message} if waiting.message else {"reason": waiting.reason}


def _resources(slot: Slot) -> Part:
    resources = slot.spec.get("resources") or {}
    found: Part = {"resources": {key: dict(resources[key]) for key in ("limits", "requests") if resources.get(key)}}
    if resources.get("requests"):
        found["allocatedResources"] = dict(resources["requests"])
    return found


def _user(slot: Slot) -> Part:
    user = (slot.spec.get("securityContext") or {}).get("runAsUser")
    number = user if user is not None else slot.run.around.image.user if slot.run is not None else 0
    group = 0 if user is not None else number
    return {"uid": number, "gid": group, "supplementalGroups": [group]}


def _mount(mount: Part) -> Part:
    found: Part = {"name": mount.get("name") or "", "mountPath": mount.get("mountPath") or ""}
    if mount.get("readOnly"):
        found |= {"readOnly": True, "recursiveReadOnly": "Disabled"}
    return found
