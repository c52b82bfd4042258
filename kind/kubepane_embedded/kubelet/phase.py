"""The phase of a pod by its containers (pkg/kubelet/kubelet_pods.go, getPhase)."""

from __future__ import annotations

from dataclasses import dataclass

from kubepane_embedded.kubelet.records import Kind, Slot, restarts_after


@dataclass(slots=True)
class Count:
    """How many containers are in which state."""

    running: int = 0
    waiting: int = 0
    stopped: int = 0
    for_good: int = 0
    succeeded: int = 0

    def add(self, slot: Slot, policy: str) -> None:
        """Count one container."""
        ending = slot.ending
        if slot.alive:
            self.running += 1
        elif ending is None:
            self.waiting += 1
        else:
            self.stopped += 1
            self.for_good += not restarts_after(slot, policy, ending.code)
            self.succeeded += ending.code == 0 and slot.waiting is None


def init_failed(slots: list[Slot], policy: str) -> bool:
    """Whether an init container has failed and is not tried again."""
    endings = [(slot, slot.ending) for slot in slots if slot.kind is Kind.INIT]
    return any(ending is not None and ending.code != 0 and not restarts_after(slot, policy, ending.code) for slot, ending in endings)


def phase_of(slots: list[Slot], policy: str, terminal: bool) -> str:
    """Pending, Running, Succeeded or Failed; `terminal` when nothing will be started any more."""
    mains = [slot for slot in slots if slot.kind is Kind.MAIN]
    if init_failed(slots, policy):
        return "Failed"
    if any(slot.kind is Kind.INIT and slot.ending is None for slot in slots):
        return "Pending"
    count = Count()
    for slot in mains:
        count.add(slot, policy)
    sidecars = sum(slot.alive for slot in slots if slot.kind is Kind.SIDECAR)
    if count.waiting:
        return "Pending"
    if count.running or sidecars:
        return "Running"
    if not count.stopped:
        return "Pending"
    if not terminal and count.stopped != count.for_good:
        return "Running"
    return "Succeeded" if count.stopped == count.succeeded else "Failed"
