from __future__ import annotations

import re
from typing import Any

import pytest

from builders import make, pod, put
from clusters import LIVE, live
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.insight import hpa
from kubepane.insight.finding import Level
from recordings import objects, recorded

VARIANTS = recorded("hpa-targets")
SHAPES = {name: seen for name, seen in VARIANTS.items() if "cells" in seen}


def autoscaler(name: str) -> Any:
    return objects(k.AUTOSCALERS, [VARIANTS[name]["hpa"]])[0]


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_cells_are_those_of_the_server(name: str) -> None:
    a, (own, reference, targets, least, most, replicas, _) = autoscaler(name), SHAPES[name]["cells"]
    assert (a.metadata.name, hpa.reference(a), hpa.targets(a)) == (own, reference, targets)
    assert (str(a.spec.min_replicas), a.spec.max_replicas, a.status.current_replicas) == (least, most, replicas)


def test_all_shapes_were_compared() -> None:
    assert len(SHAPES) == 18


def test_no_metrics_and_unknown_types() -> None:
    assert hpa.targets(make(k.AUTOSCALERS, "web")) == "<none>"
    assert hpa.targets(make(k.AUTOSCALERS, "web", spec={"metrics": [{"type": "New"}]})) == "<unknown type>"
    assert hpa.targets(make(k.AUTOSCALERS, "web", spec={"metrics": [{"type": "Resource"}]})) == "<unknown type>"


# ---- a recorded life: unknown, up to 3, down to 1 ---------------------------------------------------------------------------


def life(name: str) -> list[tuple[float, str, hpa.Assessment, str]]:
    """(seconds, reason of AbleToScale, assessment, TARGETS) after each change of the recorded HPA, its Deployment kept in step."""
    seen = recorded(name)
    steps = sorted([*(("hpa", *e) for e in seen["horizontalpodautoscalers"]), *(("deploy", *e) for e in seen["deployments"])], key=lambda e: e[1])
    stores, out = live(), []
    for what, at, _, obj in steps:
        kind = k.AUTOSCALERS if what == "hpa" else k.DEPLOYMENTS
        stores.of(kind).put(objects(kind, [obj])[0])
        if what == "hpa":
            a = next(iter(stores.autoscalers))
            able = next((c.reason for c in a.status.conditions or () if c.type == "AbleToScale"), "")
            out.append((at, able, hpa.assess(a, stores), hpa.targets(a)))
    return out


def test_the_recorded_demo_is_never_accused_and_every_stage_has_its_word() -> None:
    stages = [(found.text, found.level) for _, _, found, _ in life("hpa-demo")]
    told = [stage for i, stage in enumerate(stages) if i == 0 or stage != stages[i - 1]]
    assert told == [
        ("not looked at yet", Level.BUSY),
        ("no metrics yet", Level.WAIT),
        ("scaling 1 → 2", Level.BUSY),
        ("steady", Level.OK),
        ("scaling 2 → 3", Level.BUSY),
        ("steady", Level.OK),
        ("scaling 3 → 1", Level.BUSY),
        ("steady", Level.OK),
    ]


def test_the_recorded_sums_are_the_controllers_own() -> None:
    """Whenever it scaled or stayed with nothing in the way, what we compute from its metrics is what it set."""
    scaled = plain = counted_less = 0
    for name in ("hpa-demo", "chatapp-story"):
        for _, able, found, _ in life(name):
            if able not in ("ReadyForNewScale", "SucceededRescale") or found.limit or found.sums.best is None:
                continue
            assert found.sums.wanted == found.sums.desired, found.sums
            scaled += able == "SucceededRescale"
            plain += not found.sums.best.why
            counted_less += found.sums.best.why == "a pod without metrics counts as idle"
    assert (scaled, plain, counted_less) == (5, 12, 7)


def test_a_scale_down_in_steps_says_that_the_window_held_more() -> None:
    found = [found for *_, found, _ in life("chatapp-story") if found.limit == "3 for now"]
    assert [(f.sums.wanted, f.sums.current, f.reason) for f in found] == [(1, 4, "the window held a higher number")]


def test_one_that_left_its_maximum_is_not_accused_while_the_window_still_holds_it_there() -> None:
    """ScalingLimited stays TooManyReplicas then, for it judges the number that the window holds."""
    held = [found for _, able, found, _ in life("chatapp-story") if able == "ScaleDownStabilized" and found.sums.current == 4]
    assert held
    assert {(f.level, f.text, f.limit) for f in held} == {(Level.OK, "steady", "held at 4")}


def test_the_recorded_window_holds_three_while_one_is_wanted() -> None:
    held = [found for _, able, found, _ in life("hpa-demo") if able == "ScaleDownStabilized"]
    assert len(held) >= 2
    assert {(f.limit, f.reason, f.sums.wanted, f.level) for f in held} == {("held at 3", "ScaleDownStabilized", 1, Level.OK)}


def test_the_recorded_story_stands_at_its_maximum() -> None:
    full = [found for _, _, found, _ in life("chatapp-story") if found.at_max]
    assert full
    assert {(f.level, f.limit) for f in full} == {(Level.WARN, "max 4")}
    assert [f.text for f in full] == ["wants 5", "wants 5"]
    assert all(f.finding and f.finding.evidence[0].value == "TooManyReplicas" for f in full)


def test_targets_follow_the_recorded_tables() -> None:
    for name in ("hpa-demo", "chatapp-story"):
        texts = [text for _, _, _, text in life(name)]
        for row in recorded(name)["tables"]:
            cells = row["cells"] if isinstance(row["cells"][0], str) else row["cells"][0]
            assert cells[2] in texts


# ---- who is to blame ---------------------------------------------------------------------------------------------------------

LEAD = "the HPA was unable to compute the replica count: failed to get cpu utilization: "
BLAME = [
    (
        "FailedGetResourceMetric",
        LEAD + "unable to get metrics for resource cpu: no metrics returned from resource metrics API",
        Level.WAIT,
        "no metrics yet",
    ),
    (
        "FailedGetResourceMetric",
        LEAD + "missing request for cpu in container c of Pod norq-57bb5b75fb-8z2bk",
        Level.BAD,
        "no cpu request on container c",
    ),
    ("FailedGetResourceMetric", LEAD + "did not receive metrics for targeted pods (pods might be unready)", Level.BUSY, "its pods are not ready yet"),
    (
        "FailedGetResourceMetric",
        LEAD + "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the "
        "requested resource (get pods.metrics.k8s.io)",
        Level.BAD,
        "no metrics-server: pods.metrics.k8s.io is not served",
    ),
    (
        "FailedGetResourceMetric",
        LEAD + "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server is currently unable to "
        "handle the request (get pods.metrics.k8s.io)",
        Level.BAD,
        "metrics-server does not answer",
    ),
    (
        "FailedGetExternalMetric",
        "the HPA was unable to compute the replica count: unable to get external metric shop/q/nil: unable to fetch metrics from external "
        "metrics API: no matches for kind",
        Level.BAD,
        "no external metrics API: external.metrics.k8s.io is not served",
    ),
    (
        "FailedGetPodsMetric",
        "the HPA was unable to compute the replica count: unable to get metric q: unable to fetch metrics from custom metrics API: forbidden",
        Level.BAD,
        "custom metrics API: forbidden",
    ),
    ("FailedGetResourceMetric", LEAD + "no pods returned by selector while calculating replica count", Level.WAIT, "no pods yet"),
    ("ScalingDisabled", "scaling is disabled since the replica count of the target is zero", Level.OFF, "target scaled to zero"),
    ("AmbiguousSelector", "pods by selector app=x are controlled by multiple HPAs: [a b]", Level.BAD, "its pods belong to several HPAs"),
    ("InvalidSelector", "the HPA target's scale is missing a selector", Level.BAD, "the target's scale has no valid selector"),
    ("FailedGetResourceMetric", LEAD + "something new", Level.BAD, "something new"),
    ("Strange", "", Level.BAD, "Strange"),
]


@pytest.mark.parametrize(("reason", "message", "level", "clause"), BLAME, ids=range(len(BLAME)))
def test_the_message_says_who_is_to_blame(reason: str, message: str, level: Level, clause: str) -> None:
    assert hpa.blame(reason, message)[:2] == (level, clause)


@pytest.mark.parametrize(
    ("name", "level", "text"),
    [
        ("norq", Level.BAD, "no cpu request on container c"),
        ("zero", Level.OFF, "target scaled to zero"),
        ("no-metrics-api", Level.BAD, "no metrics-server: pods.metrics.k8s.io is not served"),
        ("missing-target-after", Level.BAD, "no deploy/nope"),
        ("first-metric-invalid", Level.WARN, "wants 6"),
    ],
)
def test_recorded_ailments(name: str, level: Level, text: str) -> None:
    a = autoscaler(name)
    found = hpa.assess(a, Stores())  # nothing is known of its target: the conditions must say it all
    assert (found.level, found.text) == (level, text)
    assert found.finding is not None
    assert found.finding.evidence
    assert hpa.explain_autoscaler(a, Stores()) == [found.finding]


def conditions(**reasons: str) -> list[dict[str, str]]:
    """Conditions by type: `True Reason` or `False Reason`."""
    return [{"type": kind, **dict(zip(("status", "reason"), text.split(" "), strict=True))} for kind, text in reasons.items()]


def stage(current: int, desired: int, metric: int = 50, **reasons: str) -> hpa.Assessment:
    """An HPA 1–4 on cpu 50 % over a ready Deployment."""
    stores = live()
    put(stores, k.DEPLOYMENTS, "web", spec={"replicas": current}, status={"readyReplicas": current})
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}}]
    measured = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": metric}}}]
    base = {"AbleToScale": "True ReadyForNewScale", "ScalingActive": "True ValidMetricFound", "ScalingLimited": "False DesiredWithinRange"}
    a = put(
        stores, k.AUTOSCALERS, "web",
        spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 4, "metrics": metrics},
        status={"currentReplicas": current, "desiredReplicas": desired, "currentMetrics": measured, "conditions": conditions(**{**base, **reasons})},
    )  # fmt: skip
    return hpa.assess(a, stores)


HEALTHY = [
    stage(3, 3),
    stage(4, 4),
    stage(1, 1, 1, ScalingLimited="True TooFewReplicas"),
    stage(3, 3, 5, AbleToScale="True ScaleDownStabilized"),
]


@pytest.mark.parametrize("found", HEALTHY, ids=["within", "at max without wanting more", "idle at its minimum", "stabilising"])
def test_a_healthy_one_is_never_accused(found: hpa.Assessment) -> None:
    assert (found.level, found.text, found.finding) == (Level.OK, "steady", None)


def test_one_at_its_maximum_that_wants_more_is_flagged() -> None:
    found = stage(4, 4, 182, ScalingLimited="True TooManyReplicas")
    assert (found.level, found.text, found.limit, found.at_max) == (Level.WARN, "wants 15", "max 4", True)
    assert stage(4, 4, 50, ScalingLimited="True TooManyReplicas").level is Level.OK


def test_a_rate_limit_is_no_fault() -> None:
    found = stage(1, 2, 300, ScalingLimited="True ScaleUpLimit")
    assert (found.level, found.text, found.limit, found.reason) == (Level.BUSY, "scaling 1 → 2", "2 for now", "ScaleUpLimit")


def test_a_target_that_is_not_there_is_said_to_be_missing_only_when_that_is_known() -> None:
    a = make(
        k.AUTOSCALERS, "web", spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}}, status={"conditions": conditions(AbleToScale="True X")}
    )
    stores = live()
    assert hpa.assess(a, stores).text == "no deploy/web"
    for state in (State.FORBIDDEN, State.SYNCING, State.RECONNECTING):
        stores.deployments.set_freshness(Freshness(state))
        assert hpa.assess(a, stores).text == "steady"
    stores.deployments.set_freshness(LIVE)
    put(stores, k.DEPLOYMENTS, "web", "other")
    assert hpa.assess(a, stores).text == "no deploy/web"
    put(stores, k.DEPLOYMENTS, "web")
    assert hpa.assess(a, stores).text == "steady"


def test_a_target_of_an_unknown_kind_is_left_to_the_conditions() -> None:
    ref = {"scaleTargetRef": {"kind": "Rollout", "name": "web"}}
    assert hpa.assess(make(k.AUTOSCALERS, "web", spec=ref, status={"conditions": conditions(AbleToScale="True X")}), live()).level is Level.OK
    assert hpa.short_reference(make(k.AUTOSCALERS, "web", spec=ref)) == "rollout/web"


def test_a_scale_that_cannot_be_set_says_why() -> None:
    message = "the HPA controller was unable to update the target scale: admission webhook denied"
    a = make(
        k.AUTOSCALERS, "web", status={"conditions": [{"type": "AbleToScale", "status": "False", "reason": "FailedUpdateScale", "message": message}]}
    )
    assert hpa.assess(a, Stores()).text == "cannot set replicas: admission webhook denied"


def waiting(stores: Stores) -> Any:
    deployment = put(stores, k.DEPLOYMENTS, "web")
    rs = put(stores, k.REPLICASETS, "web-1", owner=deployment)
    message = LEAD + "unable to get metrics for resource cpu: no metrics returned from resource metrics API"
    active = [{"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": message}]
    put(stores, k.AUTOSCALERS, "web", uid="hpa", spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}}, status={"conditions": active})
    return rs


def test_no_metrics_of_pods_that_run_nowhere_is_put_down_to_that() -> None:
    stores = live()
    rs = waiting(stores)
    a = stores.autoscalers.get("hpa")
    assert a is not None
    assert hpa.assess(a, stores).text == "no metrics yet"
    for name in ("a", "b"):
        pod(stores, name, owner=rs, spec={}, status={"phase": "Pending"})
    assert hpa.assess(a, stores).text == "no metrics yet: 2 pods pending"
    pod(stores, "c", owner=rs)
    assert hpa.assess(a, stores).text == "no metrics yet"


def test_clauses_are_short_and_lower_case() -> None:
    for reason, message, *_ in BLAME:
        clause = hpa.blame(reason, message)[1]
        assert len(clause) < 80
        assert not re.search(r"[!\n]|\.$", clause)
