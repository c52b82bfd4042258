"""PodDisruptionBudgets: how many pods there should be, how many are healthy, how many may be disturbed.

Follows kubernetes/pkg/controller/disruption/disruption.go. Upstream updates only one of several budgets that select the same pod; here all
are kept right.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from kubepane_embedded.clock import parse_stamp
from kubepane_embedded.controllers.scales import expected_pods
from kubepane_embedded.controllers.selection import index_labels, labelled
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.eviction import BUDGETS
from kubepane_embedded.meta import Key, Object, clone, controller_of, is_deleting, key_of, labels_of, uid_of
from kubepane_embedded.podfacts import condition, is_finished, is_ready
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.storage import Change
from kubepane_embedded.strategy import set_condition
from kubepane_embedded.workqueue import WorkQueue

DELETION_SECONDS = 120
"""How long an evicted pod may take until its deletion begins, and until a condition DisruptionTarget without deletion is stale."""
UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the status of the PDB cannot be "
    "calculated correctly, which may result in undefined behavior. To account for these pods please set "
    '".spec.minAvailable" field of the PDB to an integer value.'
)


class DisruptionController:
    """Keeps the status of PodDisruptionBudgets.

    Args:
        core: The cluster.
    """

    def __init__(self, core: Core) -> None:
        self._storage = core.storage
        self._registry = core.registry
        self._clock = core.clock
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "controllermanager")
        self._queue = WorkQueue(core.clock, self._reconcile, "disruption-controller")
        self._stale = WorkQueue(core.clock, self._reset_stale, "disruption-controller pods")
        self._told: set[str] = set()

    def start(self) -> None:
        """Follow budgets and what of pods concerns them."""
        index_labels(self._storage)
        self._storage.subscribe(BUDGETS, self._queue.add)
        self._storage.watch("pods", self._on_pod)
        for budget in self._storage.objects(BUDGETS):
            self._queue.add(key_of(budget))

    def _on_pod(self, change: Change) -> None:
        previous = change.previous.obj if change.previous is not None else None
        if previous is not None and change.type != "DELETED" and _facts(previous) == _facts(change.now.obj):
            return
        for pod in (change.now.obj, previous) if previous is not None else (change.now.obj,):
            for budget in self._storage.objects(BUDGETS, key_of(pod)[0]):
                if _selector(budget).matches_object(pod):
                    self._queue.add(key_of(budget))
        if change.type == "DELETED":
            self._told.discard(uid_of(change.now.obj))
        elif _is_target(change.now.obj):
            self._stale.add_after(key_of(change.now.obj), DELETION_SECONDS)

    def _reconcile(self, key: Key) -> None:
        budget = self._storage.read(BUDGETS, *key)
        if budget is None:
            return
        pods = self._pods(budget)
        if not pods:
            self._recorder.event(budget, NORMAL, "NoPods", "No matching pods found")
        self._tell_several(pods)
        try:
            expected, desired, unmanaged = self._expected(budget, pods)
        except ValueError as problem:
            self._recorder.event(budget, WARNING, "CalculateExpectedPodCountFailed", f"Failed to calculate the number of expected pods: {problem}")
            self._write(budget, {**(budget.get("status") or {}), "disruptionsAllowed": 0}, "SyncFailed", str(problem))
            return
        if unmanaged:
            self._recorder.event(budget, WARNING, "UnmanagedPods", UNMANAGED.format(_go_text(budget["spec"]["selector"])))
        self._tell_status(budget, pods, expected, desired)

    def _pods(self, budget: Object) -> list[Object]:
        namespace = key_of(budget)[0]
        selector = _selector(budget)
        labels = ((budget.get("spec") or {}).get("selector") or {}).get("matchLabels")
        candidates: Iterable[Object] = labelled(self._storage, namespace, labels) if labels else self._storage.objects("pods", namespace)
        return [pod for pod in candidates if selector.matches_object(pod)]

    def _tell_several(self, pods: list[Object]) -> None:
        """An eviction of a pod with two budgets is refused: say so on the pod, once."""
        for pod in pods:
            budgets = [key_of(one)[1] for one in self._storage.objects(BUDGETS, key_of(pod)[0]) if _selector(one).matches_object(pod)]
            if len(budgets) > 1 and uid_of(pod) not in self._told:
                self._told.add(uid_of(pod))
                namespace, name = key_of(pod)
                text = f'Pod "{namespace}"/"{name}" matches multiple PodDisruptionBudgets.  Chose "{budgets[0]}" arbitrarily.'
                self._recorder.event(pod, WARNING, "MultiplePodDisruptionBudgets", text)

    def _expected(self, budget: Object, pods: list[Object]) -> tuple[int, int, bool]:
        """(expected pods, desired healthy, whether pods without controller are among them); ValueError when it cannot be known."""
        spec = budget.get("spec") or {}
        largest, least = spec.get("maxUnavailable"), spec.get("minAvailable")
        if largest is None and isinstance(least, int):
            return len(pods), least, False
        expected = expected_pods(self._storage, self._registry, pods)
        unmanaged = any(controller_of(pod) is None for pod in pods)
        if largest is not None:
            return expected, max(0, expected - _scaled(largest, expected)), unmanaged
        return expected, _scaled(least, expected) if least is not None else 0, unmanaged

    def _tell_status(self, budget: Object, pods: list[Object], expected: int, desired: int) -> None:
        now = self._clock.now()
        disrupted: dict[str, str] = {}
        for name, time in ((budget.get("status") or {}).get("disruptedPods") or {}).items():
            pod = next((one for one in pods if key_of(one)[1] == name and not is_deleting(one)), None)
            due = parse_stamp(time) + timedelta(seconds=DELETION_SECONDS)
            if pod is not None and due < now:
                namespace = key_of(budget)[0]
                text = f"Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"  # upstream names the namespace twice
                self._recorder.event(pod, WARNING, "NotDeleted", text)
            elif pod is not None:
                disrupted[name] = time
                self._queue.add_after(key_of(budget), (due - now).total_seconds() + 0.001)
        healthy = sum(1 for pod in pods if is_ready(pod) and not is_deleting(pod) and key_of(pod)[1] not in disrupted)
        allowed = max(0, healthy - desired) if expected > 0 else 0
        status: dict[str, Any] = {"currentHealthy": healthy, "desiredHealthy": desired, "disruptionsAllowed": allowed, "expectedPods": expected}
        status |= {"observedGeneration": budget["metadata"].get("generation") or 0, **({"disruptedPods": disrupted} if disrupted else {})}
        self._write(budget, status, "SufficientPods" if allowed else "InsufficientPods", "")

    def _write(self, budget: Object, status: dict[str, Any], reason: str, message: str) -> None:
        wanted = clone(budget)
        wanted["status"] = {**clone(status), "conditions": clone((budget.get("status") or {}).get("conditions") or [])}
        state = "True" if reason == "SufficientPods" else "False"
        before = condition(budget, "DisruptionAllowed") or {}
        since = before["lastTransitionTime"] if before.get("status") == state else self._clock.stamp()
        entry = {"type": "DisruptionAllowed", "status": state, "reason": reason, "message": message, "lastTransitionTime": since}
        seen = status.get("observedGeneration") or 0
        set_condition(wanted, {**entry, **({"observedGeneration": seen} if seen else {})})
        if wanted["status"] == budget.get("status"):
            return
        try:
            self._client.update_status(BUDGETS, wanted)
        except ApiError as refusal:
            if refusal.code != 404:
                raise

    def _reset_stale(self, key: Key) -> None:
        """A pod that was to be disrupted and was not: its condition is taken back."""
        pod = self._storage.read("pods", *key)
        if pod is None or not _is_target(pod):
            return
        found = condition(pod, "DisruptionTarget") or {}
        due = parse_stamp(found["lastTransitionTime"]) + timedelta(seconds=DELETION_SECONDS)
        if due > self._clock.now():
            self._stale.add_after(key, (due - self._clock.now()).total_seconds())
            return
        wanted = clone(pod)
        entry = {"type": "DisruptionTarget", "status": "False", "lastProbeTime": None, "lastTransitionTime": self._clock.stamp()}
        set_condition(wanted, entry)
        self._client.update_status("pods", wanted)


def _selector(budget: Object) -> LabelSelector:
    return LabelSelector.of((budget.get("spec") or {}).get("selector"))


def _facts(pod: Object) -> tuple[Any, ...]:
    """What of a pod a budget depends on."""
    return (labels_of(pod), is_ready(pod), is_deleting(pod), (controller_of(pod) or {}).get("uid"), _is_target(pod))


def _is_target(pod: Object) -> bool:
    """Whether the pod says it will be disrupted although nobody deletes it yet."""
    found = condition(pod, "DisruptionTarget")
    told = found is not None and found.get("status") == "True" and found.get("reason") != "TerminationByKubelet"
    return told and not is_deleting(pod) and not is_finished(pod)


def _scaled(amount: int | str, total: int) -> int:
    """A number, or a percentage of a total, rounded up."""
    return amount if isinstance(amount, int) else -(-int(amount.rstrip("%")) * total // 100)


def _go_text(selector: dict[str, Any]) -> str:
    """A LabelSelector as Go prints it with %v, which is how the real controller quotes it."""
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{one.get('key')},Operator:{one.get('operator')},Values:[{' '.join(one.get('values') or [])}],}},"
        for one in selector.get("matchExpressions") or []
    )
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},MatchExpressions:[]LabelSelectorRequirement{{{terms}}},}}"
