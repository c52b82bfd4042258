"""The life of one pod on its node (pkg/kubelet/kubelet.go: SyncPod, SyncTerminatingPod, SyncTerminatedPod)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.errors import ApiError
from kubepane_embedded.kubelet.addresses import NoAddress
from kubepane_embedded.kubelet.backoff import Backoff
from kubepane_embedded.kubelet.guests import send_home
from kubepane_embedded.kubelet.kubelet import Kubelet
from kubepane_embedded.kubelet.phase import init_failed, phase_of
from kubepane_embedded.kubelet.podstatus import Facts, status_of
from kubepane_embedded.kubelet.records import Ending, Kind, Run, Slot, restarts_after, slots_of
from kubepane_embedded.kubelet.starting import Starter
from kubepane_embedded.kubelet.stopping import Stopper, stop_run
from kubepane_embedded.kubelet.volumes import problems
from kubepane_embedded.meta import Key, Object, is_deleting, key_of, uid_of
from kubepane_embedded.podfacts import is_finished, phase
from kubepane_embedded.recorder import NORMAL, WARNING

FIRST_MOUNT, LONGEST_MOUNT = 0.5, 122.0
"""Seconds between two tries at mounting a volume (goroutinemap/exponentialbackoff)."""
SANDBOX_SECONDS = 0.4
RETRY = 10.0
RELIST = 1.0
"""Seconds until the kubelet has noticed the end of a container (pkg/kubelet/pleg)."""
NEVER = float("inf")
DEADLINE = "DeadlineExceeded"
DEADLINE_TEXT = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    """Everything a kubelet does for one pod; `sync` looks at the present state and does what is due.

    Args:
        kubelet: The node's kubelet.
        pod: The pod.
    """

    def __init__(self, kubelet: Kubelet, pod: Object) -> None:
        self.kubelet = kubelet
        self.time = kubelet.time
        self.pod = pod
        self.uid = uid_of(pod)
        self.key: Key = key_of(pod)
        self.slots: list[Slot] = slots_of(pod)
        self.address = ""
        self.started_at = ""
        self.mounted = False
        self.sandbox = False
        self.finished = False
        self._sandbox_at = 0.0
        self._mount_at = 0.0
        self._mounts = Backoff(FIRST_MOUNT, LONGEST_MOUNT)
        self._failed = ("", "")
        self._starter = Starter(self)
        self._stopper = Stopper(self)
        self._poked = True
        self._due = NEVER
        self._revision = ""
        self._gone = False

    # what the parts of the worker use

    def poke(self) -> None:
        """Look at the pod soon: something has changed."""
        self._poked = True
        self.kubelet.shared.look(self.key, 0.0)

    def wake(self, seconds: float) -> None:
        """Look at the pod again after so many seconds."""
        self._due = min(self._due, self.time.clock.seconds() + seconds)
        self.kubelet.shared.look(self.key, seconds)

    def policy(self) -> str:
        """The pod's restartPolicy."""
        return (self.pod.get("spec") or {}).get("restartPolicy") or "Always"

    def grace(self) -> float:
        """Seconds that containers get to end."""
        seconds = self.pod["metadata"].get("deletionGracePeriodSeconds")
        if seconds is None:
            seconds = (self.pod.get("spec") or {}).get("terminationGracePeriodSeconds")
        return 30.0 if seconds is None else float(seconds)

    def say(self, slot: Slot, type: str, reason: str, message: str) -> None:
        """An event about a container."""
        self.kubelet.recorder.event(self.pod, type, reason, message, slot.field_path)

    def listener(self) -> PodWorker:
        """Who answers at the pod's address: its containers."""
        return self

    def listens(self, port: int) -> bool:
        """Whether a container takes connections on a port."""
        return any(slot.run is not None and slot.run.alive and slot.run.process.listens(port) for slot in self.slots)

    def http(self, port: int, path: str, agent: str) -> int | None:
        """The status of a GET from the container that listens."""
        run = self.listening(port)
        return run.process.http(port, path, agent) if run is not None else None

    def credentials(self, port: int) -> dict[str, str] | None:
        """User → password of the database that listens."""
        run = self.listening(port)
        return run.process.credentials(port) if run is not None else None

    def listening(self, port: int) -> Run | None:
        """The run of the container that takes connections on a port."""
        runs = (slot.run for slot in self.slots if slot.run is not None and slot.run.alive)
        return next((run for run in runs if run.process.listens(port)), None)

    def ended(self, slot: Slot, run: Run, code: int, reason: str = "") -> None:
        """A run is over; called once or more often, the first counts."""
        if not run.alive:
            return
        shared, clock = self.kubelet.shared, self.time.clock
        why = reason or ("Completed" if code == 0 else "Error")
        run.ending = Ending(code, why, self._last_words(slot, run, code), clock.seconds(), run.started_at, clock.stamp(), run.container_id)
        for probe in run.probes:
            probe.stop()
        send_home(run)
        shared.watch.remove(run)
        shared.logbook.end(self.uid, slot.name)
        slot.waiting, slot.counted, slot.not_before = None, False, clock.seconds() + RELIST
        self.poke()

    def _last_words(self, slot: Slot, run: Run, code: int) -> str:
        """The termination message: the file, or the end of the log if asked for (kuberuntime_container.go)."""
        text = run.around.files.read(slot.spec.get("terminationMessagePath") or "/dev/termination-log") or ""
        if not text and code and slot.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            text = self.kubelet.shared.logbook.tail(self.uid, slot.name, 80, 2048)
        return text[:4096]

    def kill_unhealthy(self, slot: Slot, kind: str) -> None:
        """A liveness or startup probe has failed for good."""
        run = slot.run
        if run is None or not run.alive or run.stopping or self._stopper.begun:
            return
        again = (slot.spec.get("restartPolicy") or self.policy()) != "Never"
        probe = slot.spec.get(f"{kind}Probe") or {}
        grace = probe.get("terminationGracePeriodSeconds")
        text = f"Container {slot.name} failed {kind} probe" + (", will be restarted" if again else "")
        stop_run(self, slot, run, self.grace() if grace is None else float(grace), text)

    # the life

    def sync(self, pod: Object) -> None:
        """Do what is due; raises ApiError when the API refuses, to be called again."""
        now = self.time.clock.seconds()
        if not self._poked and pod["metadata"].get("resourceVersion") == self._revision and now < self._due:
            if self._due < NEVER:
                self.kubelet.shared.look(self.key, self._due - now)
            return
        self.pod, self._poked, self._due = pod, False, NEVER
        self._refresh()
        try:
            self._step(now)
            self._write()
        except ApiError:
            self._poked = True
            raise
        self._bury()

    def _refresh(self) -> None:
        """Take over changed specs and new ephemeral containers."""
        known = {slot.name: slot for slot in self.slots}
        for fresh in slots_of(self.pod):
            if fresh.name in known:
                known[fresh.name].spec = fresh.spec
            else:
                self.slots.append(fresh)

    def _step(self, now: float) -> None:
        if self.finished:
            return
        self._check_deadline(now)
        if is_deleting(self.pod) or self._failed[0] or is_finished(self.pod):
            self._stopper.begin(self.grace())
        if self._stopper.begun:
            self._stopper.go_on()
            return
        self._live(now)
        if self._is_over():
            self._stopper.begin(self.grace())
            self._stopper.go_on()

    def _check_deadline(self, now: float) -> None:
        """activeDeadlineSeconds (active_deadline.go)."""
        limit = (self.pod.get("spec") or {}).get("activeDeadlineSeconds")
        if limit is None or not self.started_at or self._failed[0] or self._stopper.begun:
            return
        left = (parse_stamp(self.started_at) - self.time.clock.start).total_seconds() + float(limit) - now
        if left > 0:
            self.wake(left)
            return
        self._failed = (DEADLINE, DEADLINE_TEXT)
        self.kubelet.recorder.event(self.pod, NORMAL, DEADLINE, DEADLINE_TEXT)

    def _live(self, now: float) -> None:
        if not self.started_at:
            self.started_at = self.time.clock.stamp()
            self._poked = True
            self.wake(0.0)  # first of all the API hears that the pod was taken on
            return
        if self._mount(now) and self._make_sandbox(now):
            self._starter.round()

    def _mount(self, now: float) -> bool:
        if self.mounted:
            return True
        if now < self._mount_at:
            self.wake(self._mount_at - now)
            return False
        troubles = list(problems(self.kubelet.shared.client.storage, self.pod))
        if not troubles:
            self.mounted = True
            return True
        for trouble in troubles:
            self.kubelet.recorder.event(self.pod, WARNING, "FailedMount", trouble.message)
        self._mounts.step(self.uid, now, now)
        unprocessed = any(trouble.unprocessed for trouble in troubles)
        wait = self.kubelet.shared.seed.jitter(RETRY, 0.5) if unprocessed else self._mounts.wait(self.uid)
        self._mount_at = now + wait
        self.wake(wait)
        return False

    def _make_sandbox(self, now: float) -> bool:
        if self.sandbox:
            return True
        if not self._sandbox_at:
            self._sandbox_at = now + self.kubelet.shared.seed.jitter(SANDBOX_SECONDS, 0.5)
        if now < self._sandbox_at:
            self.wake(self._sandbox_at - now)
            return False
        host = bool((self.pod.get("spec") or {}).get("hostNetwork"))
        try:
            self.address = self.kubelet.address() if host else self.kubelet.addresses.take()
        except NoAddress as trouble:
            text = f'rpc error: code = Unknown desc = failed to setup network for sandbox "{self.uid}": plugin type="ptp" failed (add): {trouble}'
            self.kubelet.recorder.event(self.pod, WARNING, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {text}")
            self._sandbox_at = now + self.kubelet.shared.seed.jitter(RETRY, 0.5)
            self.wake(self._sandbox_at - now)
            return False
        self.sandbox = True
        return True

    def _is_over(self) -> bool:
        """Whether nothing will be started any more: containers have ended for good, or initialisation has failed."""
        policy = self.policy()
        if init_failed(self.slots, policy):
            return True
        endings = [(slot, slot.ending) for slot in self.slots if slot.kind is Kind.MAIN]
        return bool(endings) and all(ending is not None and not restarts_after(slot, policy, ending.code) for slot, ending in endings)

    # the status

    def _write(self) -> None:
        alive = any(slot.alive for slot in self.slots)
        terminal = self.finished or (self._stopper.begun and not alive)
        facts = self._facts(terminal)
        status: dict[str, Any] = status_of(self.pod, self.slots, facts, self.time.clock.stamp())
        if status != self.pod.get("status"):
            self.pod = self.kubelet.shared.client.update_status("pods", {**self.pod, "status": status})
        self._revision = self.pod["metadata"].get("resourceVersion") or ""
        if terminal and not self.finished:
            self._finish()

    def _facts(self, terminal: bool) -> Facts:
        before = phase(self.pod)
        now = phase_of(self.slots, self.policy(), terminal)
        if terminal and (self._failed[0] or now not in ("Succeeded", "Failed")):
            now = "Failed"
        elif not terminal and now in ("Succeeded", "Failed"):
            now = before  # not before everything has ended (mergePodStatus)
        if before in ("Succeeded", "Failed"):
            now = before
        reason, message = self._failed if now == "Failed" else ("", "")
        host = self.kubelet.address()
        address = self.address or (host if (self.pod.get("spec") or {}).get("hostNetwork") else "")
        return Facts(now, reason, message, self.started_at or self.time.clock.stamp(), address, host, self.sandbox and not terminal, terminal)

    def _finish(self) -> None:
        """All containers have ended for good: the address is free."""
        self.finished = True
        self.kubelet.addresses.free(self.address)

    def _bury(self) -> None:
        """Take a deleted pod out of the API once nothing of it runs."""
        if not (self.finished and is_deleting(self.pod)) or self._gone:
            return
        self._gone = True
        try:
            self.kubelet.shared.client.delete("pods", *self.key, grace=0, uid=self.uid)
        except ApiError as refusal:
            if refusal.code not in (404, 409):
                self._gone = False
                raise

    def drop(self) -> None:
        """The pod is gone from the API, or its node is: forget everything of it."""
        for slot in self.slots:
            run = slot.run
            if run is not None and run.alive:
                run.ending = Ending(137, "Error", "", self.time.clock.seconds(), run.started_at, self.time.clock.stamp(), run.container_id)
                for probe in run.probes:
                    probe.stop()
                send_home(run)
                self.kubelet.shared.watch.remove(run)
        if not self.finished:
            self.kubelet.addresses.free(self.address)
        self.finished = True
        self.kubelet.puller.forget(self.uid)
        self.kubelet.shared.volumes.forget(self.uid)
        self.kubelet.shared.logbook.forget(self.uid, [slot.name for slot in self.slots])
