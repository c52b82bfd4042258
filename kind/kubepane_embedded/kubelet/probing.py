"""Startup, liveness and readiness probes of one run of a container (pkg/kubelet/prober/worker.go)."""

from __future__ import annotations

from typing import Any, Protocol

from kubepane_embedded.kubelet.answers import Answer, ProbeError, Target, ask
from kubepane_embedded.kubelet.nodetime import Later, NodeTime
from kubepane_embedded.kubelet.records import Run, Slot
from kubepane_embedded.meta import is_deleting
from kubepane_embedded.recorder import WARNING

Part = dict[str, Any]
FIELDS = {"startup": "startupProbe", "liveness": "livenessProbe", "readiness": "readinessProbe"}
SOON = 0.1
"""Seconds from a container's start to the first probe when no initial delay is asked for."""


class Probed(Target, Protocol):
    """A pod worker as its probes see it."""

    time: NodeTime

    def say(self, slot: Slot, type: str, reason: str, message: str) -> None:
        """An event about a container."""

    def poke(self) -> None:
        """Look at the pod soon: something has changed."""

    def kill_unhealthy(self, slot: Slot, kind: str) -> None:
        """A liveness or startup probe has failed for good."""


class Probe:
    """One probe of one run, with at most one timer.

    Args:
        pod: The pod's worker.
        slot: The container.
        run: Its run.
        kind: `startup`, `liveness` or `readiness`.
        spec: The probe.
    """

    def __init__(self, pod: Probed, slot: Slot, run: Run, kind: str, spec: Part) -> None:
        self._pod = pod
        self._slot = slot
        self._run = run
        self.kind = kind
        self._spec = spec
        self._period = float(spec.get("periodSeconds") or 10)
        self._needed = {True: int(spec.get("successThreshold") or 1), False: int(spec.get("failureThreshold") or 3)}
        self._last: bool | None = None
        self._count = 0
        self._timer: Later | None = None

    def begin(self) -> None:
        """Probe first after the initial delay, counted from the container's start."""
        age = self._pod.time.clock.seconds() - self._run.started
        self._schedule(max(SOON, float(self._spec.get("initialDelaySeconds") or 0) - age))

    def stop(self) -> None:
        """No more probes."""
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self, seconds: float) -> None:
        self._timer = self._pod.time.later(seconds, self._fire)

    def _fire(self) -> None:
        if not self._run.alive or (self.kind != "readiness" and is_deleting(self._pod.pod)):
            return
        answer = self._ask()
        if answer is None or self._heed(answer.success):
            self._schedule(self._period)

    def _ask(self) -> Answer | None:
        """One answer; None when it does not count."""
        run = self._run
        age = self._pod.time.clock.seconds() - run.started
        title = self.kind.capitalize()
        try:
            answer = ask(self._pod, run.around, self._slot.spec, self._spec, self.kind, age)
        except ProbeError as error:
            self._pod.say(self._slot, WARNING, "Unhealthy", f"{title} probe errored and resulted in unknown state: {error}")
            return None
        if not answer.success:
            self._pod.say(self._slot, WARNING, "Unhealthy", f"{title} probe failed: {answer.text}")
        return answer

    def _heed(self, success: bool) -> bool:
        """Count a result and act on it once its threshold is reached; whether to go on probing."""
        self._count = self._count + 1 if success == self._last else 1
        self._last = success
        if self._count < self._needed[success]:
            return True
        if self.kind == "readiness":
            if self._run.ready != success:
                self._run.ready = success
                self._pod.poke()
            return True
        if self.kind == "startup":
            if success:
                come_up(self._pod, self._slot, self._run)
            else:
                self._pod.kill_unhealthy(self._slot, self.kind)
            return False
        if not success:
            self._pod.kill_unhealthy(self._slot, self.kind)
        return success


def begin_probes(pod: Probed, slot: Slot, run: Run) -> None:
    """Probes of a run that has just begun; the startup probe holds the others back."""
    spec = slot.spec.get(FIELDS["startup"])
    if spec and not run.up:
        _begin(pod, slot, run, "startup", spec)
    else:
        come_up(pod, slot, run)


def come_up(pod: Probed, slot: Slot, run: Run) -> None:
    """A run counts as started: it is ready when no probe says otherwise, and the other probes begin."""
    run.up = True
    for kind in ("liveness", "readiness"):
        spec = slot.spec.get(FIELDS[kind])
        if spec:
            _begin(pod, slot, run, kind, spec)
        elif kind == "readiness":
            run.ready = True
    pod.poke()


def _begin(pod: Probed, slot: Slot, run: Run, kind: str, spec: Part) -> None:
    probe = Probe(pod, slot, run, kind, spec)
    run.probes.append(probe)
    probe.begin()
