"""The arithmetic of the HPA controller against the cases of upstream's own tests (facts of replica_calculator_test.go, 1.35.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, strategies as st

from kubepane_embedded.clock import stamp
from kubepane_embedded.controllers import autoscaler_replicas as arithmetic
from kubepane_embedded.controllers.autoscaler_replicas import Groups, NotComputable, Patience, Sample, Tolerances
from kubepane_embedded.meta import Object

NOW = datetime(2026, 1, 1, 8, 0, 0, tzinfo=UTC)
PATIENCE = Patience(120.0, 10.0)


class Case(NamedTuple):
    """Pods are letters: R ready, U unready, H ready but hot (just started), u unready and hot, P pending, F failed, D being deleted."""

    name: str
    current: int
    pods: str
    levels: tuple[int, ...]
    target: int
    replicas: int
    percent: int
    tolerances: Tolerances = Tolerances()
    requests: tuple[str, ...] = ()
    average: int | None = None


def pod(letter: str, number: int, request: str | None = "1") -> Object:
    hot = letter in "Hu"
    start = stamp(NOW - timedelta(seconds=0 if hot else 180))
    phase = {"P": "Pending", "F": "Failed"}.get(letter, "Running")
    ready = {"type": "Ready", "status": "False" if letter in "UuPF" else "True", "lastTransitionTime": start}
    meta: dict[str, Any] = {"name": f"p{number}", **({"deletionTimestamp": stamp(NOW)} if letter == "D" else {})}
    container = {"name": "c", **({"resources": {"requests": {"cpu": request}}} if request else {})}
    return {"metadata": meta, "spec": {"containers": [container]}, "status": {"phase": phase, "startTime": start, "conditions": [ready]}}


def samples(levels: tuple[int, ...]) -> dict[str, Sample]:
    return {f"p{number}": Sample(level, NOW, 60.0) for number, level in enumerate(levels)}


UTILIZATION = [
    Case("up", 3, "RRR", (300, 500, 700), 30, 5, 50, average=500),
    Case("up, one unready counts nothing", 3, "URR", (300, 500, 700), 30, 4, 60),
    Case("up, one hot counts nothing", 3, "HRR", (300, 500, 700), 30, 4, 60),
    Case("not up when the unready might take the load", 3, "RUU", (400, 500, 700), 30, 3, 40),
    Case("not up when the hot might take the load", 3, "Ruu", (400, 500, 700), 30, 3, 40),
    Case("not up when with the unready it is within tolerance", 2, "RU", (630, 90), 30, 2, 63),
    Case("up, failed pods ignored", 2, "RRFF", (500, 700), 30, 4, 60),
    Case("up, pods being deleted ignored", 2, "RRDD", (500, 700), 30, 4, 60),
    Case("down", 5, "RRRRR", (100, 300, 500, 250, 250), 50, 3, 28, average=280),
    Case("down, unready left out", 5, "RRRUU", (100, 300, 500, 250, 250), 50, 2, 30),
    Case("down, unscheduled left out", 5, "RPPPP", (100,), 50, 1, 10),
    Case("down, samples of pending pods left out", 5, "RPPPP", (100, 300, 500, 250, 250), 50, 1, 10),
    Case("down, hot left out", 5, "RRRHH", (100, 300, 500, 250, 250), 50, 2, 30),
    Case("down, hottest left out", 5, "RRRHH", (100, 300, 500, 1000, 1000), 50, 2, 30),
    Case("down, failed ignored", 5, "RRRRRFF", (100, 300, 500, 250, 250), 50, 3, 28),
    Case("down, deleted ignored", 5, "RRRRRDD", (100, 300, 500, 250, 250), 50, 3, 28),
    Case("within tolerance", 3, "RRR", (1010, 1030, 1020), 100, 3, 102, requests=("0.9", "1.0", "1.1"), average=1020),
    Case("no tolerance", 3, "RRR", (909, 1010, 1111), 100, 4, 101, Tolerances(0.0, 0.0)),
    Case("wide tolerance up", 3, "RRR", (1890, 1910, 1900), 100, 3, 190, Tolerances(0.1, 2.0)),
    Case("narrow tolerance up", 3, "RRR", (1100, 1080, 1090), 100, 4, 109, Tolerances(2.0, 0.08)),
    Case("tolerance down just enough", 3, "RRR", (660, 640, 650), 100, 3, 65, Tolerances(0.36, 0.1)),
    Case("tolerance down just not enough", 3, "RRR", (660, 640, 650), 100, 2, 65, Tolerances(0.34, 0.1)),
    Case("samples of unknown pods ignored", 4, "RRRR", (4000, 9500, 3000, 7000, 3200, 2000), 100, 24, 587, average=5875),
    Case("missing samples, down", 4, "RRRR", (400, 95), 100, 3, 24, average=247),
    Case("missing, equal", 2, "RR", (1000,), 100, 2, 100),
    Case("missing, would turn when counted as nothing", 2, "RR", (1900,), 100, 2, 190),
    Case("missing, would turn when counted as all", 2, "RR", (600,), 100, 2, 60),
    Case("missing and unready", 3, "URR", (100, 450), 50, 3, 45),
    Case("missing and hot", 3, "HRR", (100, 450), 50, 3, 45),
    Case("missing and unready, up", 3, "URR", (100, 2000), 50, 4, 200),
    Case("missing and hot, up", 3, "uRR", (100, 2000), 50, 4, 200),
    Case("missing and unready, down", 4, "URRR", (100, 100, 100), 50, 3, 10),
    Case("missing, down, target over 100", 4, "URRR", (200, 100, 100), 300, 2, 6, requests=("1", "1", "2", "2")),
    Case("a surge pod without sample", 2, "RRR", (100, 100), 50, 2, 10),
]
AVERAGE = [
    Case("up", 3, "RRR", (20000, 10000, 30000), 15000, 4, 0, average=20000),
    Case("readiness does not matter", 3, "RRu", (50000, 10000, 30000), 15000, 6, 0, average=30000),
    Case("readiness does not matter, more", 3, "uRu", (50000, 15000, 30000), 15000, 7, 0, average=31666),
    Case("down", 5, "RRRRR", (12000,) * 5, 20000, 3, 0, average=12000),
    Case("within tolerance", 3, "RRR", (20000, 21000, 21000), 20000, 3, 0, average=20666),
    Case("narrow tolerance", 3, "RRR", (20000, 21000, 21000), 20000, 4, 0, Tolerances(0.1, 0.01), average=20666),
    Case("missing, equal", 5, "RRRRR", (20000, 19000, 21000), 20000, 5, 0, average=20000),
    Case("a surge pod without sample", 2, "RRR", (10000, 10000), 17000, 2, 0, average=10000),
]


@pytest.mark.parametrize("case", UTILIZATION, ids=lambda case: case.name)
def test_utilization(case: Case) -> None:
    requests = case.requests or ("1",) * len(case.pods)
    pods = [pod(letter, number, requests[number]) for number, letter in enumerate(case.pods)]
    taken = samples(case.levels)
    groups = arithmetic.group(pods, taken, "cpu", NOW, PATIENCE)
    asked = arithmetic.requests_of(pods, "", "cpu")
    found = arithmetic.by_utilization(case.current, taken, groups, lambda: asked, case.target, case.tolerances)
    assert (found.replicas, found.percent) == (case.replicas, case.percent)
    assert case.average in (None, found.average)


@pytest.mark.parametrize("case", AVERAGE, ids=lambda case: case.name)
def test_average(case: Case) -> None:
    pods = [pod(letter, number) for number, letter in enumerate(case.pods)]
    taken = samples(case.levels)
    groups = arithmetic.group(pods, taken, "memory", NOW, PATIENCE)
    found = arithmetic.by_average(case.current, taken, groups, case.target, case.tolerances)
    assert (found.replicas, found.average, found.percent) == (case.replicas, case.average, None)


def test_what_cannot_be_computed() -> None:
    pods = [pod("R", 0)]
    groups = Groups(ready=1)
    with pytest.raises(NotComputable, match="no metrics returned matched known pods"):
        arithmetic.by_utilization(1, {"older": Sample(100, NOW, 60.0)}, groups, lambda: {"p0": 1000}, 100, Tolerances())
    with pytest.raises(NotComputable, match=r"did not receive metrics for targeted pods \(pods might be unready\)"):
        arithmetic.by_utilization(1, samples((100,)), Groups(unready={"p0"}), lambda: {"p0": 1000}, 100, Tolerances())
    with pytest.raises(NotComputable, match=r"^missing request for cpu in container c of Pod p0$"):
        arithmetic.requests_of([pod("R", 0, None)], "", "cpu")
    with pytest.raises(NotComputable, match=r"^container x not found in Pod p0$"):
        arithmetic.requests_of(pods, "x", "cpu")


def test_requests() -> None:
    sidecar = {"name": "s", "restartPolicy": "Always", "resources": {"requests": {"cpu": "100m"}}}
    once = {"name": "i", "resources": {"requests": {"cpu": "4"}}}
    containers = [{"name": name, "resources": {"requests": {"cpu": amount}}} for name, amount in (("a", "200m"), ("b", "1"))]
    found: Object = {"metadata": {"name": "p"}, "spec": {"initContainers": [once, sidecar], "containers": containers}}
    assert arithmetic.requests_of([found], "", "cpu") == {"p": 1300}
    assert arithmetic.requests_of([found], "b", "cpu") == {"p": 1000}
    found["spec"]["resources"] = {"requests": {"cpu": "3"}}
    assert arithmetic.requests_of([found], "", "cpu") == {"p": 3000}
    assert arithmetic.requests_of([found], "a", "cpu") == {"p": 200}
    found["spec"]["resources"] = {"requests": {"memory": "1Gi"}}
    assert arithmetic.requests_of([found], "", "cpu") == {"p": 1300}
    with pytest.raises(NotComputable, match=r"^missing pod-level request for hugepages-2Mi in Pod p$"):
        arithmetic.requests_of([found], "", "hugepages-2Mi")


@pytest.mark.parametrize(
    ("age", "ready_for", "status", "sample_age", "unready"),
    [
        (60, 30, "True", 0, False),
        (60, 10, "True", 0, True),  # the window of the sample reaches back before it was ready
        (60, 40, "True", 30, True),
        (60, 50, "False", 0, True),
        (400, 10, "True", 0, False),
        (400, 10, "False", 0, False),  # was ready once, is not now: it counts
        (400, 390, "False", 0, True),  # was never ready
    ],
)
def test_young_pods(age: int, ready_for: int, status: str, sample_age: int, unready: bool) -> None:
    ready = {"type": "Ready", "status": status, "lastTransitionTime": stamp(NOW - timedelta(seconds=ready_for))}
    young: Object = {
        "metadata": {"name": "p0"},
        "status": {"phase": "Running", "startTime": stamp(NOW - timedelta(seconds=age)), "conditions": [ready]},
    }
    taken = {"p0": Sample(1, NOW - timedelta(seconds=sample_age), 15.0)}
    groups = arithmetic.group([young], taken, "cpu", NOW, Patience())
    assert (groups.unready == {"p0"}, groups.ready) == (unready, 0 if unready else 1)
    assert arithmetic.group([young], taken, "memory", NOW, Patience()).ready == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("150007160n", 151), ("150000000n", 150), ("1n", 1), ("0", 0), ("250m", 250), ("2", 2000), ("1Ki", 1024000)]
)
def test_milli_units_are_rounded_up(text: str, expected: int) -> None:
    assert arithmetic.milli(text) == expected


levels = st.lists(st.integers(0, 4000), min_size=1, max_size=8)


@given(levels, st.integers(1, 150), st.integers(0, 7), st.integers(1, 500))
def test_more_usage_never_asks_for_fewer(used: list[int], target: int, which: int, more: int) -> None:
    requests = {f"p{number}": 1000 for number in range(len(used))}
    groups = Groups(ready=len(used))

    def replicas(amounts: list[int]) -> int:
        return arithmetic.by_utilization(len(used), samples(tuple(amounts)), groups, lambda: requests, target, Tolerances()).replicas

    higher = list(used)
    higher[which % len(used)] += more
    assert replicas(used) <= replicas(higher)


@given(st.text("RUHPFD", min_size=1, max_size=8), levels, st.integers(1, 150))
def test_unknown_pods_never_push_against_the_measured_direction(letters: str, used: list[int], target: int) -> None:
    pods = [pod(letter, number) for number, letter in enumerate(letters)]
    taken = {name: sample for name, sample in samples(tuple(used)).items() if int(name[1:]) < len(pods)}
    groups = arithmetic.group(pods, taken, "cpu", NOW, PATIENCE)
    current = sum(letter not in "FD" for letter in letters)
    try:
        found = arithmetic.by_utilization(current, taken, groups, lambda: arithmetic.requests_of(pods, "", "cpu"), target, Tolerances())
    except NotComputable:
        return
    assert found.percent is not None
    if found.percent > target:
        assert found.replicas >= min(current, groups.ready)
    elif not groups.unready:
        assert found.replicas <= current
