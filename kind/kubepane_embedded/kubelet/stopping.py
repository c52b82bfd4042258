"""Ending containers: preStop, SIGTERM, the grace, SIGKILL (pkg/kubelet/kuberuntime/kuberuntime_container.go, killContainer)."""

from __future__ import annotations

from typing import Protocol

from kubepane_embedded.faults import asked
from kubepane_embedded.kubelet.answers import Target
from kubepane_embedded.kubelet.hooks import run_hook
from kubepane_embedded.kubelet.nodetime import NodeTime
from kubepane_embedded.kubelet.records import Kind, Run, Slot
from kubepane_embedded.kubelet.settings import seconds_of
from kubepane_embedded.recorder import NORMAL, WARNING

MINIMUM = 2.0
"""Seconds that every container gets between SIGTERM and SIGKILL."""
KILLED = 137


class Stopped(Target, Protocol):
    """A pod worker as its stopper sees it."""

    slots: list[Slot]
    time: NodeTime

    def say(self, slot: Slot, type: str, reason: str, message: str) -> None:
        """An event about a container."""

    def ended(self, slot: Slot, run: Run, code: int, reason: str = "") -> None:
        """A run is over."""


def stop_run(pod: Stopped, slot: Slot, run: Run, grace: float, message: str = "") -> None:
    """Say that a container is stopped, and stop it."""
    pod.say(slot, NORMAL, "Killing", message or f"Stopping container {slot.name}")
    end_run(pod, slot, run, grace)


def end_run(pod: Stopped, slot: Slot, run: Run, grace: float) -> None:
    """preStop, SIGTERM, and SIGKILL when the grace is over."""
    if run.stopping:
        return
    run.stopping = True
    handler = (slot.spec.get("lifecycle") or {}).get("preStop")
    spent = 0.0
    if handler and grace > 0:
        hooked = run_hook(pod, slot, run, handler, grace)
        spent = min(hooked.seconds, grace)
        if hooked.failure:
            pod.say(slot, WARNING, "FailedPreStopHook", "PreStopHook failed")
    slow = seconds_of(asked(pod.pod, "stop"), 0.0)
    pod.time.later(spent + slow, lambda: run.process.terminate() if run.alive else None)
    pod.time.later(spent + max(grace - int(spent), MINIMUM), lambda: pod.ended(slot, run, KILLED))


class Stopper:
    """Ends all containers of a pod: first all but sidecars, then sidecars from the last to the first."""

    def __init__(self, pod: Stopped) -> None:
        self._pod = pod
        self._ends = 0.0
        self.begun = False

    def begin(self, grace: float) -> None:
        """Stop everything within `grace` seconds; asked again it only shortens the time that is left."""
        now = self._pod.time.clock.seconds()
        if self.begun:
            if now + grace < self._ends:
                self._ends = now + grace
                for slot, run in self._alive():
                    self._kill_later(slot, run, max(grace, MINIMUM))
            return
        self.begun = True
        self._ends = now + grace
        for slot, run in self._alive():
            if not run.stopping:
                self._pod.say(slot, NORMAL, "Killing", f"Stopping container {slot.name}")
                if slot.kind is not Kind.SIDECAR:
                    end_run(self._pod, slot, run, grace)

    def go_on(self) -> None:
        """The turn of the next sidecar, when nothing before it runs any more."""
        alive = self._alive()
        if alive and all(slot.kind is Kind.SIDECAR for slot, _ in alive):
            slot, run = alive[-1]
            end_run(self._pod, slot, run, max(self._ends - self._pod.time.clock.seconds(), 0.0))

    def _alive(self) -> list[tuple[Slot, Run]]:
        return [(slot, slot.run) for slot in self._pod.slots if slot.run is not None and slot.run.alive]

    def _kill_later(self, slot: Slot, run: Run, seconds: float) -> None:
        self._pod.time.later(seconds, lambda: self._pod.ended(slot, run, KILLED))
