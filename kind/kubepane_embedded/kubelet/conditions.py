"""Conditions of a pod that its kubelet owns (pkg/kubelet/status/generate.go)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.kubelet.records import Kind, Slot
from kubepane_embedded.meta import Object
from kubepane_embedded.podfacts import condition

Part = dict[str, Any]
OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
NOT_READY = "ContainersNotReady"


class Verdict:
    """Status of one condition, with why."""

    def __init__(self, holds: bool, reason: str = "", message: str = "") -> None:
        self.holds = holds
        self.reason = reason
        self.message = message


def named(slots: list[Slot]) -> str:
    """Names as Go prints a list: `[a b]`."""
    return "[" + " ".join(slot.name for slot in slots) + "]"


def initialised(slots: list[Slot], phase: str) -> Verdict:
    """Initialized: init containers have succeeded, sidecars have started."""
    if phase == "Succeeded":
        return Verdict(True, "PodCompleted")
    if any(slot.kind is Kind.MAIN and slot.run is not None for slot in slots):
        return Verdict(True)
    open_ = [slot for slot in slots if slot.kind in (Kind.INIT, Kind.SIDECAR) and not _initialised(slot)]
    return Verdict(False, "ContainersNotInitialized", f"containers with incomplete status: {named(open_)}") if open_ else Verdict(True)


def _initialised(slot: Slot) -> bool:
    if slot.kind is Kind.SIDECAR:
        return slot.run is not None and slot.run.alive and slot.run.up
    return slot.ending is not None and slot.ending.code == 0 and slot.waiting is None


def containers_ready(slots: list[Slot], phase: str) -> Verdict:
    """ContainersReady: all containers but init containers are ready."""
    if phase in ("Succeeded", "Failed"):
        return Verdict(False, "PodCompleted" if phase == "Succeeded" else "PodFailed")
    unready = [slot for slot in slots if slot.kind in (Kind.SIDECAR, Kind.MAIN) and not is_ready(slot)]
    return Verdict(False, NOT_READY, f"containers with unready status: {named(unready)}") if unready else Verdict(True)


def is_ready(slot: Slot) -> bool:
    """Whether a container counts as ready."""
    return slot.run is not None and slot.run.alive and slot.run.up and slot.run.ready


def ready(pod: Object, containers: Verdict) -> Verdict:
    """Ready: the containers are, and every readiness gate holds."""
    if not containers.holds:
        return containers
    troubles = []
    for gate in (pod.get("spec") or {}).get("readinessGates") or []:
        kind = gate.get("conditionType") or ""
        found = condition(pod, kind)
        if found is None:
            troubles.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif found.get("status") != "True":
            troubles.append(f'the status of pod readiness gate "{kind}" is not "True", but {found.get("status")}')
    return Verdict(False, "ReadinessGatesNotReady", ", ".join(troubles)) if troubles else Verdict(True)


def conditions_of(pod: Object, slots: list[Slot], phase: str, sandbox: bool, now: str) -> list[Part]:
    """All conditions of a pod: others' as they are, the kubelet's own anew; times of those that did not change are kept."""
    containers = containers_ready(slots, phase)
    verdicts = {
        "PodReadyToStartContainers": Verdict(sandbox),
        "Initialized": initialised(slots, phase),
        "Ready": ready(pod, containers),
        "ContainersReady": containers,
        "PodScheduled": Verdict(True),
    }
    present = (pod.get("status") or {}).get("conditions") or []
    found = [one for one in present if one.get("type") not in OWNED]
    generation = pod["metadata"].get("generation")
    for kind, verdict in verdicts.items():
        found.append(_condition(kind, verdict, condition(pod, kind), generation, now))
    return found


def _condition(kind: str, verdict: Verdict, before: Part | None, generation: int | None, now: str) -> Part:
    status = "True" if verdict.holds else "False"
    same = before is not None and before.get("status") == status and before.get("lastTransitionTime")
    found: Part = {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else now,
    }
    if generation:
        found["observedGeneration"] = generation
    if verdict.reason:
        found["reason"] = verdict.reason
    if verdict.message:
        found["message"] = verdict.message
    return found
