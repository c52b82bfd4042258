"""The HorizontalPodAutoscaler controller: every so often, read the metrics of each HPA, scale its target, tell why.

Follows pkg/controller/podautoscaler/horizontal.go. The arithmetic is in `autoscaler_replicas`, the speed limits in `autoscaler_behavior`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kubepane_embedded.controllers.autoscaler_behavior import History, Wanted, decide
from kubepane_embedded.controllers.autoscaler_metrics import MetricFailed, Target, answer, tolerances
from kubepane_embedded.controllers.autoscaler_replicas import Patience
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.label_parser import parse_labels
from kubepane_embedded.meta import Key, Object, clone, key_of, labels_of
from kubepane_embedded.recorder import NORMAL, WARNING, Recorder
from kubepane_embedded.registry import Resource
from kubepane_embedded.runtime import MetricsSource
from kubepane_embedded.selectors import LabelSelector
from kubepane_embedded.workqueue import WorkQueue

RESOURCE = "horizontalpodautoscalers.autoscaling"
MOMENT = 0.005
"""Seconds that a look takes: the next is due a period after its end, so a window of whole periods is over when it should be."""
NO_SCALE = "the HPA controller was unable to get the target's current scale: "
NO_REPLICAS = "the HPA was unable to compute the replica count: "


@dataclass(frozen=True, slots=True)
class HpaSettings:
    """What the flags `--horizontal-pod-autoscaler-…` of kube-controller-manager set.

    Args:
        sync_period: Seconds between two looks at an HPA.
        downscale_stabilization: Seconds for which the highest recommendation holds.
        tolerance: How far usage may be from its target.
        patience: `cpu-initialization-period` and `initial-readiness-delay`.
    """

    sync_period: float = 15.0
    downscale_stabilization: float = 300.0
    tolerance: float = 0.1
    patience: Patience = field(default_factory=Patience)


class NotScaled(Exception):
    """The reason why no metric says how many replicas there should be."""


class Choice(NamedTuple):
    """What the metrics ask for: replicas, the metric that asked for most, and all entries of currentMetrics."""

    replicas: int
    metric: str
    statuses: list[dict[str, Any]] | None


class Look:
    """One look at an HPA: its new status as it grows."""

    def __init__(self, hpa: Object, stamp: str) -> None:
        self.hpa = hpa
        self.spec: dict[str, Any] = hpa.get("spec") or {}
        self.status: dict[str, Any] = clone(hpa.get("status") or {})
        self._stamp = stamp

    def say(self, kind: str, status: bool, reason: str, message: str) -> None:
        """Set a condition; its time changes with its status only (setConditionInList)."""
        conditions = self.status["conditions"] = self.status.get("conditions") or []
        found = next((one for one in conditions if one.get("type") == kind), None)
        word = "True" if status else "False"
        since = found.get("lastTransitionTime") if found is not None and found.get("status") == word else self._stamp
        told = {"type": kind, "status": word, "lastTransitionTime": since, "reason": reason, "message": message}
        if found is None:
            conditions.append(told)
        else:
            conditions[conditions.index(found)] = told

    def count(self, current: int, desired: int, statuses: list[dict[str, Any]] | None, rescaled: bool) -> None:
        """Set counts and current metrics (setStatus)."""
        last = self._stamp if rescaled else self.status.get("lastScaleTime")
        self.status = {
            **({"lastScaleTime": last} if last else {}),
            **({"currentReplicas": current} if current else {}),
            "desiredReplicas": desired,
            "currentMetrics": statuses,
            "conditions": self.status.get("conditions") or [],
        }


class HpaController:
    """Scales what HPAs point at.

    Args:
        core: The cluster.
        metrics: Where usage comes from; None is a cluster without metrics API.
        settings: Periods and tolerance; the controller manager's defaults unless given.
    """

    def __init__(self, core: Core, metrics: MetricsSource | None, settings: HpaSettings | None = None) -> None:
        self._core = core
        self._client = core.client("kube-controller-manager")
        self._recorder = Recorder(self._client, "horizontal-pod-autoscaler")
        self._metrics = metrics
        self._settings = settings or HpaSettings()
        self._queue = WorkQueue(core.clock, self._reconcile, "horizontalpodautoscaler")
        self._histories: dict[Key, History] = {}
        self._selectors: dict[Key, LabelSelector] = {}

    def start(self) -> None:
        """Follow all HPAs: each is looked at one period after it was seen, then once a period."""
        self._core.storage.subscribe(RESOURCE, self._seen)
        for hpa in self._core.storage.objects(RESOURCE):
            self._seen(key_of(hpa))

    def _seen(self, key: Key) -> None:
        """Any change waits for the period too; a look that is due earlier stays (NewDefaultHPARateLimiter)."""
        self._queue.add_after(key, self._settings.sync_period)

    def _reconcile(self, key: Key) -> None:
        hpa = self._core.storage.read(RESOURCE, *key)
        if hpa is None:
            self._histories.pop(key, None)
            self._selectors.pop(key, None)
            return
        self._queue.add_after(key, self._settings.sync_period + MOMENT)
        look = Look(hpa, self._core.clock.stamp())
        found = self._scale_of(look)
        if found is not None:
            self._scaled(key, look, *found)

    # the target

    def _scale_of(self, look: Look) -> tuple[Resource, Object] | None:
        """Resource and Scale of the target; None after saying why there is none."""
        target = look.spec.get("scaleTargetRef") or {}
        try:
            resource = self._resource(target.get("apiVersion") or "", target.get("kind") or "")
            scale = self._client.scale(resource.storage, key_of(look.hpa)[0], target.get("name") or "")
        except (ApiError, LookupError) as refusal:
            why = str(refusal.args[0]) if isinstance(refusal, LookupError) else str(refusal)
            self._recorder.event(look.hpa, WARNING, "FailedGetScale", why)
            look.say("AbleToScale", False, "FailedGetScale", NO_SCALE + why)
            self._write(look)
            return None
        look.say("AbleToScale", True, "SucceededGetScale", "the HPA controller was able to get the target's current scale")
        return resource, scale

    def _resource(self, api_version: str, kind: str) -> Resource:
        """What a reference names, in any version of its group; LookupError in the words of the REST mapper."""
        group = api_version.rpartition("/")[0]
        kinds = [one for one in self._core.registry.resources if one.kind == kind and one.group == group and one.storage]
        if not kinds:
            raise LookupError(f'no matches for kind "{kind}" in group "{group}"')
        scalable = next((one for one in kinds if one.subresource("scale") is not None), None)
        if scalable is None:
            raise LookupError("the server could not find the requested resource")
        return scalable

    # deciding

    def _scaled(self, key: Key, look: Look, resource: Resource, scale: Object) -> None:
        current = (scale.get("spec") or {}).get("replicas") or 0
        least, most = look.spec.get("minReplicas"), look.spec.get("maxReplicas") or 0
        least = 1 if least is None else least
        history = self._histories.setdefault(key, History())
        history.begin(current, self._core.clock.seconds())
        if current == 0 and least != 0:
            look.say("ScalingActive", False, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
            look.count(current, current, None, False)
            self._write(look)
        elif current > most:
            self._rescale(key, look, resource, Choice(most, "", None), current, "Current number of replicas above Spec.MaxReplicas")
        elif current < least:
            self._rescale(key, look, resource, Choice(least, "", None), current, "Current number of replicas below Spec.MinReplicas")
        else:
            self._by_metrics(key, look, resource, scale, Wanted(current, current, least, most))

    def _by_metrics(self, key: Key, look: Look, resource: Resource, scale: Object, wanted: Wanted) -> None:
        try:
            choice = self._choice(key, look, scale, wanted.current)
        except NotScaled as why:
            self._write(look)
            self._recorder.event(look.hpa, WARNING, "FailedComputeMetricsReplicas", str(why))
            return
        reason = f"{choice.metric} above target" if choice.replicas > wanted.current else ""
        reason = "All metrics below target" if choice.replicas < wanted.current else reason
        clock, window = self._core.clock, self._settings.downscale_stabilization
        wanted = wanted._replace(desired=choice.replicas)
        decision = decide(wanted, look.spec.get("behavior"), self._histories[key], clock.seconds(), window)
        look.say("AbleToScale", True, *decision.able)
        look.say("ScalingLimited", decision.limited, *decision.limit)
        if decision.replicas == wanted.current:
            look.count(wanted.current, wanted.current, choice.statuses, False)
            self._write(look)
        else:
            self._rescale(key, look, resource, choice._replace(replicas=decision.replicas), wanted.current, reason)

    def _rescale(self, key: Key, look: Look, resource: Resource, choice: Choice, current: int, reason: str) -> None:
        namespace, size = key[0], choice.replicas
        try:
            self._client.update_scale(resource.storage, namespace, look.spec["scaleTargetRef"]["name"], size)
        except ApiError as refusal:
            self._recorder.event(look.hpa, WARNING, "FailedRescale", f"New size: {size}; reason: {reason}; error: {refusal}")
            look.say("AbleToScale", False, "FailedUpdateScale", f"the HPA controller was unable to update the target scale: {refusal}")
            look.count(current, look.status.get("desiredReplicas") or 0, choice.statuses, False)
            self._write(look)
            return
        look.say("AbleToScale", True, "SucceededRescale", f"the HPA controller was able to update the target scale to {size}")
        self._recorder.event(look.hpa, NORMAL, "SuccessfulRescale", f"New size: {size}; reason: {reason}")
        self._histories[key].scaled(look.spec.get("behavior"), current, size, self._core.clock.seconds())
        look.count(current, size, choice.statuses, True)
        self._write(look)

    # metrics

    def _choice(self, key: Key, look: Look, scale: Object, current: int) -> Choice:
        """The largest count that a metric asks for (computeReplicasForMetrics); raises NotScaled with the status set."""
        desired = look.status.get("desiredReplicas") or 0
        try:
            selector, pods = self._selected(key, look, (scale.get("status") or {}).get("selector") or "")
        except NotScaled:
            look.count(current, desired, None, False)
            raise
        rules = tolerances(look.spec.get("behavior"), self._settings.tolerance)
        target = Target(current, key[0], selector, pods, rules, self._settings.patience, self._core.clock.now())
        metrics = look.spec.get("metrics") or []
        replicas, name, statuses, failures = self._answers(look.hpa, metrics, target)
        if failures and (len(failures) == len(metrics) or replicas < current):
            look.say("ScalingActive", False, failures[0].reason, NO_REPLICAS + failures[0].message)
            look.count(current, desired, statuses, False)
            raise NotScaled(f"invalid metrics ({len(failures)} invalid out of {len(metrics)}), first error is: {failures[0].outer}")
        look.say("ScalingActive", True, "ValidMetricFound", f"the HPA was able to successfully calculate a replica count from {name}")
        return Choice(replicas, name, statuses)

    def _answers(
        self,
        hpa: Object,
        metrics: Sequence[dict[str, Any]],
        target: Target,
    ) -> tuple[int, str, list[dict[str, Any]], list[MetricFailed]]:
        """Largest count, the metric that asked for it, all statuses and what failed."""
        replicas, name = 0, ""
        statuses: list[dict[str, Any]] = []
        failures: list[MetricFailed] = []
        for metric in metrics:
            try:
                found = answer(metric, target, self._metrics)
            except MetricFailed as failure:
                self._recorder.event(hpa, WARNING, failure.reason, failure.message)
                statuses.append({"type": ""})
                failures.append(failure)
                continue
            statuses.append(found.status)
            if replicas == 0 or found.replicas > replicas:
                replicas, name = found.replicas, found.name
        return replicas, name, statuses, failures

    def _selected(self, key: Key, look: Look, text: str) -> tuple[LabelSelector, list[Object]]:
        """Selector and pods of the target, unless another HPA selects one of them too (validateAndParseSelector)."""
        if not text:
            self._recorder.event(look.hpa, WARNING, "SelectorRequired", "selector is required")
            look.say("ScalingActive", False, "InvalidSelector", "the HPA target's scale is missing a selector")
            raise NotScaled("selector is required")
        selector = self._selectors[key] = parse_labels(text)
        pods = self._client.list("pods", key[0], selector)
        rivals = sorted(f"{other[0]}/{other[1]}" for other in self._selecting(key[0], pods))
        if len(rivals) > 1:
            message = f"pods by selector {text} are controlled by multiple HPAs: [{' '.join(rivals)}]"
            self._recorder.event(look.hpa, WARNING, "AmbiguousSelector", message)
            look.say("ScalingActive", False, "AmbiguousSelector", message)
            raise NotScaled(message)
        return selector, pods

    def _selecting(self, namespace: str, pods: list[Object]) -> list[Key]:
        """HPAs of the namespace whose targets select any of these pods."""
        labels = [labels_of(pod) for pod in pods]
        here = ((key, selector) for key, selector in self._selectors.items() if key[0] == namespace)
        return [key for key, selector in here if any(selector.matches(one) for one in labels)]

    # writing

    def _write(self, look: Look) -> None:
        """Write the status when it changed (updateStatusIfNeeded)."""
        if look.status == (look.hpa.get("status") or {}):
            return
        try:
            self._client.update_status(RESOURCE, {**look.hpa, "status": look.status})
        except ApiError as refusal:
            self._recorder.event(look.hpa, WARNING, "FailedUpdateStatus", str(refusal))
