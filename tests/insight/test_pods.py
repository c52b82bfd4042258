from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from builders import NOW, make
from insight.any_pod import any_pod
from kubepane.cluster import kinds as k
from kubepane.insight import pods
from kubepane.insight.finding import Level
from recordings import age_fits, objects, recorded

CELLS = recorded("pod-statuses")
PODS = {p.metadata.name: p for p in objects(k.PODS, CELLS["items"])}
LEVELS = {
    "completed": Level.DONE, "completed-error-elsewhere": Level.BAD, "completed-running-notready": Level.BUSY, "completed-running-ready": Level.OK,
    "crashloop": Level.BAD, "creating": Level.WAIT, "evicted": Level.BAD, "exitcode": Level.BAD, "gated": Level.WAIT, "imagepull": Level.BAD,
    "init-0of2": Level.WAIT, "init-1of2": Level.WAIT, "init-crash": Level.BAD, "init-error": Level.BAD, "init-signal": Level.BAD,
    "no-status": Level.WAIT, "oom": Level.BAD, "running": Level.OK, "sidecar-crash-initialized": Level.BAD, "sidecar-not-started": Level.WAIT,
    "sidecar-ready": Level.OK, "signal": Level.BAD, "terminating": Level.BAD, "terminating-nodelost": Level.BAD, "terminating-succeeded": Level.DONE,
    "two-waiting": Level.BAD, "unknown": Level.BAD,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PODS))
def test_cells_are_those_of_the_server(name: str) -> None:
    now = datetime.fromtimestamp(CELLS["rendered_at"], UTC)
    text = pods.status(PODS[name])
    _, ready, status, restarts, age, ip, _, _, gates = CELLS["cells"][name]
    assert (text.ready_text, text.status, pods.ip(PODS[name]), pods.readiness_gates(PODS[name])) == (ready, status, ip, gates)
    assert restarts in {text.restarts_text(now + timedelta(seconds=s)) for s in (-1, 0, 1)}
    assert age_fits(PODS[name].metadata.creation_timestamp, age, now)


@pytest.mark.parametrize("at", [0, 1])
def test_running_pods_read_as_the_server_prints_them(at: int) -> None:
    seen = recorded("chatapp-pods")[at]
    rows = {cells[0]: cells for cells in seen["rows"]}
    assert rows.keys() == {item["metadata"]["name"] for item in seen["items"]}
    for pod in objects(k.PODS, seen["items"]):
        text, cells = pods.status(pod), rows[pod.metadata.name]
        node = pod.spec.node_name or pods.NONE
        assert [text.ready_text, text.status, text.restarts_text(NOW), pods.ip(pod), node] == [*cells[1:4], cells[5], cells[6]]
        assert pods.level(pod) is Level.OK


def test_every_recorded_pod_has_its_level() -> None:
    assert {name: pods.level(pod) for name, pod in PODS.items()} == LEVELS  # pending ones wait: they were never bound to a node


# ---- one-container states --------------------------------------------------------------------------------------------------

AGO = "2026-06-01T11:55:00Z"


def pod(state: dict[str, Any] | None = None, *, node: str = "worker-1", phase: str = "Running", ready: bool = False, **more: Any) -> Any:
    status: dict[str, Any] = {"phase": phase, **more.pop("status", {})}
    if state is not None:
        status["containerStatuses"] = [
            {"name": "app", "ready": ready, "restartCount": more.pop("restarts", 0), "state": state} | more.pop("extra", {})
        ]
    spec = {"nodeName": node, "containers": [{"name": "app"}], **more.pop("spec", {})}
    return make(k.PODS, "p", spec=spec, status=status, **more)


READY = {"conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"conditions": [{"type": "Ready", "status": "False"}]}


@pytest.mark.parametrize(
    ("case", "level"),
    [
        (pod({"running": {}}, ready=True, status=READY), Level.OK),
        (pod({"running": {}}, ready=True), Level.OK),
        (pod({"running": {}}, ready=False, status=UNREADY), Level.BUSY),
        (pod({"running": {}}, ready=True, status=UNREADY), Level.BUSY),  # a readiness gate, or a node that is lost
        (pod({"terminated": {"exitCode": 0}}, status=UNREADY), Level.BUSY),
        (pod({"terminated": {"exitCode": 1}}, status=UNREADY), Level.BAD),
        (pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending"), Level.BUSY),
        (pod({"waiting": {"reason": "CreateContainerConfigError"}}, phase="Pending"), Level.BAD),
        (pod({"waiting": {"reason": "SomethingOfTomorrow"}}, phase="Pending"), Level.BAD),
        (pod(phase="Pending"), Level.BUSY),
        (pod(phase="Pending", node=""), Level.WAIT),
        (pod(phase="", node=""), Level.WAIT),
        (pod({"running": {}}, ready=True, status=READY, deletionTimestamp=AGO), Level.BUSY),
        (pod({"running": {}}, ready=True, status={"reason": "NodeLost", **UNREADY}), Level.BAD),
        (pod(phase="Failed", deletionTimestamp=AGO), Level.BAD),
        (pod(phase="Succeeded"), Level.DONE),
        (pod(phase="Unknown"), Level.BAD),
    ],
)
def test_level(case: Any, level: Level) -> None:
    assert pods.level(case) is level


def test_a_failing_sidecar_is_trouble_though_the_containers_run() -> None:
    crash = {"name": "proxy", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    sick = pod(
        {"running": {}}, ready=True, spec={"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]},
        status={**READY, "initContainerStatuses": [crash]},
    )  # fmt: skip
    assert pods.level(sick) is Level.BAD
    assert pods.status(sick).total == 2


def test_restarts_say_when_the_last_one_was() -> None:
    case = pod({"running": {}}, ready=True, extra={"restartCount": 3, "lastState": {"terminated": {"exitCode": 1, "finishedAt": AGO}}})
    assert pods.status(case).restarts_text(NOW) == "3 (5m ago)"
    assert pods.status(pod({"running": {}}, extra={"restartCount": 3})).restarts_text(NOW) == "3"


def test_readiness_gates_are_counted() -> None:
    gated = pod(
        {"running": {}}, ready=True, spec={"readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]},
        status={"conditions": [{"type": "a", "status": "True"}, {"type": "Ready", "status": "False"}]},
    )  # fmt: skip
    assert pods.readiness_gates(gated) == "1/2"
    assert pods.level(gated) is Level.BUSY


# ---- requests and limits ---------------------------------------------------------------------------------------------------


def container(name: str, request: str = "", limit: str = "", **more: Any) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    if request:
        resources["requests"] = {"cpu": request, "memory": "64Mi"}
    if limit:
        resources["limits"] = {"cpu": limit, "memory": "128Mi"}
    return {"name": name, "resources": resources, **more}


def test_bounds_add_up_sidecars_but_no_init_containers() -> None:
    spec = {
        "containers": [container("a", "100m", "200m"), container("b", "50m", "1")],
        "initContainers": [container("setup", "4", "4"), container("proxy", "10m", "20m", restartPolicy="Always")],
    }
    got = pods.bounds(make(k.PODS, "p", spec=spec))
    assert got == pods.Bounds(cpu_request=160, cpu_limit=1220, memory_request=3 * 64 << 20, memory_limit=3 * 128 << 20)


def test_one_container_without_a_limit_means_none() -> None:
    got = pods.bounds(make(k.PODS, "p", spec={"containers": [container("a", "100m", "200m"), container("b", "50m")]}))
    assert (got.cpu_request, got.cpu_limit) == (150, 0)


def test_the_bounds_of_the_pod_itself_go_first() -> None:
    whole = {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}}
    got = pods.bounds(make(k.PODS, "p", spec={"containers": [container("a", "100m", "200m")], "resources": whole}))
    assert got == pods.Bounds(cpu_request=2000, cpu_limit=200, memory_request=64 << 20, memory_limit=1 << 30)


# ---- whatever the server may send ------------------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(any_pod())
def test_whatever_the_states_are(case: Any) -> None:
    text, level = pods.status(case), pods.level(case)
    assert 0 <= text.ready <= text.total
    assert text.restarts <= sum(s.restart_count for s in pods.all_statuses(case))
    assert text.restarts_text(NOW).split(" ")[0] == str(text.restarts)
    if level is Level.OK:
        assert case.metadata.deletion_timestamp is None
        assert case.status.phase == "Running"
        assert not any(pods.trouble(s) for s in pods.all_statuses(case))
    if case.metadata.deletion_timestamp is not None:
        assert level is not Level.OK
        assert text.status in ("Terminating", "Unknown") or case.status.phase in ("Succeeded", "Failed")
    if level is Level.BAD and case.status.phase in ("Pending", "Running") and not case.status.reason:
        assert any(pods.trouble(s) for s in pods.all_statuses(case))


@settings(max_examples=200, deadline=None)
@given(any_pod())
def test_the_short_way_to_the_level_says_what_the_long_one_says(case: Any) -> None:
    assert pods.level(case) is pods._level(case)
