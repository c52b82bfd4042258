"""Starting the containers of a pod in their order, with back-offs (kuberuntime_manager.go, computePodActions and SyncPod)."""

from __future__ import annotations

from typing import Protocol

from kubepane_embedded.faults import asked
from kubepane_embedded.kubelet.backoff import Backoff, go_duration
from kubepane_embedded.kubelet.creating import Pod, make
from kubepane_embedded.kubelet.environment import ConfigError
from kubepane_embedded.kubelet.hooks import run_hook
from kubepane_embedded.kubelet.nodetime import NodeTime
from kubepane_embedded.kubelet.probing import Probed, begin_probes
from kubepane_embedded.kubelet.pulling import Refusal
from kubepane_embedded.kubelet.records import Ending, Kind, Run, Slot, Waiting, restarts_after
from kubepane_embedded.kubelet.settings import fault_of
from kubepane_embedded.kubelet.stopping import Stopped, stop_run
from kubepane_embedded.meta import key_of, uid_of
from kubepane_embedded.recorder import NORMAL, WARNING

FIRST_WAIT, LONGEST_WAIT = 10.0, 300.0
RETRY = 10.0
"""Seconds, lengthened by up to a half, after which a failed start is tried again."""
RESYNC = 60.0
"""Longest time between two looks at a container in back-off."""
AGAIN = 1.0
"""Seconds until the kubelet looks again after it has written a failure."""
HOOK_PATIENCE = 600.0


class Started(Pod, Probed, Stopped, Protocol):
    """A pod worker as its starter sees it."""

    time: NodeTime

    def wake(self, seconds: float) -> None:
        """Look at the pod again after so many seconds."""

    def policy(self) -> str:
        """The pod's restartPolicy."""


class Starter:
    """Starts containers; whoever is called again does what is due now."""

    def __init__(self, pod: Started) -> None:
        self._pod = pod
        self._backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
        self._busy = False

    def round(self) -> None:
        """Start what is to be started; one image is pulled after the other, as SyncPod does."""
        self._busy = False
        for slot in self._pod.slots:
            if slot.kind is Kind.EPHEMERAL and slot.run is None:
                self._try(slot)
        if not self._initialised():
            return
        for slot in self._pod.slots:
            if slot.kind is not Kind.MAIN:
                continue
            self._replace_changed(slot)
            if not self._busy and self._wanted(slot):
                self._try(slot)

    def _wanted(self, slot: Slot) -> bool:
        if slot.run is None:
            return True
        ending = slot.run.ending
        return ending is not None and restarts_after(slot, self._pod.policy(), ending.code)

    def _initialised(self) -> bool:
        """Start init containers; whether the others may start (computeInitContainerActions)."""
        begun = any(slot.kind is Kind.MAIN and slot.run is not None for slot in self._pod.slots)
        for slot in self._pod.slots:
            if slot.kind is Kind.SIDECAR:
                if not slot.alive and not self._busy:
                    self._try(slot)
                if not begun and not (slot.run is not None and slot.run.alive and slot.run.up):
                    return False
            elif slot.kind is Kind.INIT and not begun:
                ending = slot.ending
                if ending is not None and ending.code == 0:
                    continue
                if not slot.alive and self._wanted(slot) and not self._busy:
                    self._try(slot)
                return False
        return True

    def _replace_changed(self, slot: Slot) -> None:
        """A container whose image was changed is stopped, to be started with the new one."""
        run = slot.run
        if run is not None and run.alive and not run.stopping and slot.spec.get("image") != run.asked_image:
            grace = float((self._pod.pod.get("spec") or {}).get("terminationGracePeriodSeconds") or 30)
            stop_run(self._pod, slot, run, grace, f"Container {slot.name} definition changed, will be restarted")

    def _try(self, slot: Slot) -> None:
        """One attempt at starting a container."""
        now = self._pod.time.clock.seconds()
        if now < slot.not_before:
            self._pod.wake(slot.not_before - now)
            return
        if slot.ending is not None and not slot.counted and self._back_off(slot, slot.ending, now):
            return
        image = self._pod.kubelet.puller.ensure(self._pod.pod, slot.spec, lambda type, reason, text: self._pod.say(slot, type, reason, text))
        if isinstance(image, Refusal):
            self._refused(slot, image.reason, image.message, f"Error: {image.reason}", AGAIN if image.reason == "ErrImagePull" else 0.0)
        elif image > 0:
            self._busy = True
            self._pod.wake(image)
        else:
            self._start(slot)

    def _back_off(self, slot: Slot, ending: Ending, now: float) -> bool:
        """Whether a container that has ended has to wait before it is started again."""
        left = self._backoff.left_since(slot.name, ending.at, now)
        if left <= 0:
            self._backoff.step(slot.name, ending.at, now)
            slot.counted = True
            return False
        namespace, name = key_of(self._pod.pod)
        pod = f"{name}_{namespace}({uid_of(self._pod.pod)})"
        self._pod.say(slot, WARNING, "BackOff", f"Back-off restarting failed container {slot.name} in pod {pod}")
        wait = go_duration(self._backoff.wait(slot.name))
        slot.waiting = Waiting("CrashLoopBackOff", f"back-off {wait} restarting failed container={slot.name} pod={pod}")
        slot.not_before = now + min(left, RESYNC)
        self._pod.wake(min(left, RESYNC))
        return True

    def _refused(self, slot: Slot, reason: str, message: str, event: str, wait: float = 0.0) -> None:
        self._pod.say(slot, WARNING, "Failed", event)
        slot.waiting = Waiting(reason, message)
        seconds = wait or self._pod.kubelet.shared.seed.jitter(RETRY, 0.5)
        slot.not_before = self._pod.time.clock.seconds() + seconds
        self._pod.wake(seconds)

    def _start(self, slot: Slot) -> None:
        try:
            run = make(self._pod, slot)
        except ConfigError as trouble:
            self._refused(slot, "CreateContainerConfigError", str(trouble), f"Error: {trouble}")
            return
        self._begin(slot, run)

    def _begin(self, slot: Slot, run: Run) -> None:
        shared = self._pod.kubelet.shared
        if slot.run is not None:
            slot.last = slot.run.ending
            slot.restarts += 1
        slot.run, slot.waiting, slot.counted = run, None, False
        self._pod.say(slot, NORMAL, "Created", "Container created")
        shared.logbook.begin(uid_of(self._pod.pod), slot.name)
        if run.process.missing:
            self._not_started(slot, run)
            return
        self._pod.say(slot, NORMAL, "Started", "Container started")
        run.process.start()
        shared.watch.add(self._pod, slot, run)
        self._arm(slot, run)
        if run.alive and self._post_start(slot, run):
            begin_probes(self._pod, slot, run)

    def _not_started(self, slot: Slot, run: Run) -> None:
        """The container was made, but its program is not there: it has ended with 128 before it began."""
        clock = self._pod.time.clock
        message = run.process.missing
        self._pod.say(slot, WARNING, "Failed", f"Error: {message}")
        run.ending = Ending(128, "StartError", message, clock.seconds(), "1970-01-01T00:00:00Z", clock.stamp(), run.container_id)
        slot.waiting = Waiting("RunContainerError", message)
        slot.not_before = clock.seconds() + AGAIN
        self._pod.wake(AGAIN)

    def _arm(self, slot: Slot, run: Run) -> None:
        """The fault `exit`: end by itself after a while."""
        fault = fault_of(asked(self._pod.pod, "exit"))
        if fault is not None and slot.kind is Kind.MAIN and fault.value.isdigit():
            run.around.later(fault.after, lambda: run.around.exit(int(fault.value) % 256))

    def _post_start(self, slot: Slot, run: Run) -> bool:
        handler = (slot.spec.get("lifecycle") or {}).get("postStart")
        if not handler:
            return True
        hooked = run_hook(self._pod, slot, run, handler, HOOK_PATIENCE)
        if not hooked.failure:
            return True
        self._pod.say(slot, WARNING, "FailedPostStartHook", "PostStartHook failed")
        stop_run(self._pod, slot, run, 0.0, "FailedPostStartHook")
        return False
