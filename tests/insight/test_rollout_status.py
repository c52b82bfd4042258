from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from builders import make
from kubepane.cluster import kinds as k
from kubepane.insight.rollout_status import condition, daemonset_status, deployment_status, fenceposts, scaled, statefulset_status

LATE: dict[str, Any] = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}


def deployment(generation: int = 2, replicas: Any = 4, **status: Any) -> Any:
    spec = {} if replicas == "default" else {"replicas": replicas}
    return make(k.DEPLOYMENTS, "web", generation=generation, spec=spec, status={"observedGeneration": 2, **status})


DEPLOYMENTS = [
    # what the object says, kubectl's sentence, whether it is done
    (deployment(generation=3), "Waiting for deployment spec update to be observed...", False),
    (deployment(generation=3, **LATE), "Waiting for deployment spec update to be observed...", False),
    (deployment(**LATE), 'deployment "web" exceeded its progress deadline', False),
    (deployment(replicas=4), 'Waiting for deployment "web" rollout to finish: 0 out of 4 new replicas have been updated...', False),
    (deployment(updatedReplicas=3), 'Waiting for deployment "web" rollout to finish: 3 out of 4 new replicas have been updated...', False),
    (deployment(updatedReplicas=4), 'Waiting for deployment "web" rollout to finish: 0 of 4 updated replicas are available...', False),
    (
        deployment(updatedReplicas=4, availableReplicas=3),
        'Waiting for deployment "web" rollout to finish: 3 of 4 updated replicas are available...',
        False,
    ),
    (deployment(updatedReplicas=4, availableReplicas=4), 'deployment "web" successfully rolled out', True),
    (deployment(replicas=0), 'deployment "web" successfully rolled out', True),
]


@pytest.mark.parametrize(("obj", "text", "done"), DEPLOYMENTS, ids=range(len(DEPLOYMENTS)))
def test_deployments_in_kubectls_words(obj: Any, text: str, done: bool) -> None:
    verdict = deployment_status(obj)
    assert (verdict.text, verdict.done) == (text, done)
    assert verdict.failed == ("exceeded" in text)


def test_old_pods_are_waited_for() -> None:
    old = make(k.DEPLOYMENTS, "web", spec={"replicas": 4}, status={"replicas": 5, "updatedReplicas": 4, "availableReplicas": 4})
    assert deployment_status(old).text == 'Waiting for deployment "web" rollout to finish: 1 old replicas are pending termination...'


def daemonset(strategy: str = "RollingUpdate", generation: int = 1, **status: Any) -> Any:
    return make(k.DAEMONSETS, "agent", generation=generation, spec={"updateStrategy": {"type": strategy}}, status={"observedGeneration": 1, **status})


DAEMONSETS = [
    (daemonset("OnDelete"), "rollout status is only available for RollingUpdate strategy type", True),
    (daemonset(generation=2), "Waiting for daemon set spec update to be observed...", False),
    (
        daemonset(desiredNumberScheduled=3, updatedNumberScheduled=1),
        'Waiting for daemon set "agent" rollout to finish: 1 out of 3 new pods have been updated...',
        False,
    ),
    (
        daemonset(desiredNumberScheduled=3, updatedNumberScheduled=3),
        'Waiting for daemon set "agent" rollout to finish: 0 of 3 updated pods are available...',
        False,
    ),
    (daemonset(desiredNumberScheduled=3, updatedNumberScheduled=3, numberAvailable=3), 'daemon set "agent" successfully rolled out', True),
]


@pytest.mark.parametrize(("obj", "text", "done"), DAEMONSETS, ids=range(len(DAEMONSETS)))
def test_daemonsets_in_kubectls_words(obj: Any, text: str, done: bool) -> None:
    verdict = daemonset_status(obj)
    assert (verdict.text, verdict.done) == (text, done)


def statefulset(
    rolling: Any = None, generation: int = 1, replicas: int = 3, strategy: str = "RollingUpdate", observed: int = 1, **status: Any
) -> Any:
    update = {"type": strategy, **({} if rolling is None else {"rollingUpdate": rolling})}
    spec = {"replicas": replicas, "updateStrategy": update}
    return make(k.STATEFULSETS, "db", generation=generation, spec=spec, status={"observedGeneration": observed, **status})


MOVING: dict[str, Any] = {"currentRevision": "db-1", "updateRevision": "db-2"}
STATEFULSETS = [
    (statefulset(strategy="OnDelete"), "rollout status is only available for RollingUpdate strategy type", True),
    (statefulset(observed=0, generation=0), "Waiting for statefulset spec update to be observed...", False),
    (statefulset(generation=2), "Waiting for statefulset spec update to be observed...", False),
    (statefulset(readyReplicas=1), "Waiting for 2 pods to be ready...", False),
    (
        statefulset({"partition": 1}, readyReplicas=3, updatedReplicas=1),
        "Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...",
        False,
    ),
    (statefulset({"partition": 1}, readyReplicas=3, updatedReplicas=2), "partitioned roll out complete: 2 new pods have been updated...", True),
    (statefulset({}, readyReplicas=3), "partitioned roll out complete: 0 new pods have been updated...", True),
    (
        statefulset(readyReplicas=3, updatedReplicas=2, **MOVING),
        "waiting for statefulset rolling update to complete 2 pods at revision db-2...",
        False,
    ),
    (
        statefulset(readyReplicas=3, currentReplicas=3, currentRevision="db-2", updateRevision="db-2"),
        "statefulset rolling update complete 3 pods at revision db-2...",
        True,
    ),
]


@pytest.mark.parametrize(("obj", "text", "done"), STATEFULSETS, ids=range(len(STATEFULSETS)))
def test_statefulsets_in_kubectls_words(obj: Any, text: str, done: bool) -> None:
    verdict = statefulset_status(obj)
    assert (verdict.text, verdict.done) == (text, done)


@given(percent=st.integers(0, 200), total=st.integers(0, 5_000))
def test_percentages_round_surge_up_and_unavailable_down(percent: int, total: int) -> None:
    exact = Fraction(percent * total, 100)
    assert scaled(f"{percent}%", total, up=True) == math.ceil(exact)
    assert scaled(f"{percent}%", total, up=False) == math.floor(exact)


SIZES = st.one_of(st.none(), st.integers(0, 20), st.integers(0, 100).map(lambda n: f"{n}%"))


@given(surge=SIZES, unavailable=SIZES, desired=st.integers(0, 500))
def test_a_rollout_can_always_move(surge: Any, unavailable: Any, desired: int) -> None:
    above, below = fenceposts(surge, unavailable, desired)
    assert above >= 0
    assert below >= 0
    assert above + below >= 1


def test_what_is_neither_number_nor_percentage_is_nothing() -> None:
    assert [scaled(value, 10, up=True) for value in ("", "%", "x%", "-5%", "5", None, 3)] == [0, 0, 0, 0, 0, 0, 3]


def test_the_default_fenceposts_of_a_deployment() -> None:
    assert [fenceposts("25%", "25%", n) for n in (1, 2, 3, 4, 10)] == [(1, 0), (1, 0), (1, 0), (1, 1), (3, 2)]


def test_conditions_may_be_missing() -> None:
    assert condition(None, "Ready") is None
    assert condition((), "Ready") is None
