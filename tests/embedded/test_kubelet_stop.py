"""Ending pods: grace, preStop, sidecars, deadlines (texts read from upstream's source)."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.kubelet_stage import APP, BOX, WEB, Stage
from kubepane_embedded.storage import Change


@pytest.fixture
def stage() -> Stage:
    return Stage()


def lifetimes(stage: Stage) -> list[tuple[float, str]]:
    """From now on: (time, kind of change) of every change of the pod `p`."""
    found: list[tuple[float, str]] = []

    def note(change: Change) -> None:
        found.append((stage.clock.seconds(), change.type))

    stage.core.storage.watch("pods", note)
    return found


def removed_after(stage: Stage, seconds: float = 100, **options: Any) -> float:
    """Delete the pod and let time pass; how long it took to go."""
    seen = lifetimes(stage)
    begun = stage.clock.seconds()
    stage.user.delete("pods", "default", "p", **options)
    stage.run(seconds)
    assert stage.gone()
    return next(when for when, kind in seen if kind == "DELETED") - begun


def test_server_ends_soon_after_it_is_asked_to(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": APP}])
    stage.run(20)
    assert removed_after(stage) == pytest.approx(1.2)
    assert stage.messages("Killing") == ["Stopping container c"]


def test_last_status_tells_how_it_ended(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": APP}])
    stage.run(20)
    states: list[dict[str, Any]] = []
    stage.core.storage.watch("pods", lambda change: states.append(change.now.obj))
    stage.user.delete("pods", "default", "p")
    stage.run(5)
    last = states[-1]["status"]
    ended = last["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (143, "Error")
    assert last["phase"] == "Failed"
    assert not last["containerStatuses"][0]["ready"]
    assert last["observedGeneration"] == 2


def test_container_that_never_ran_is_missed_in_the_last_status(stage: Stage) -> None:
    states: list[dict[str, Any]] = []
    stage.core.storage.watch("pods", lambda change: states.append(change.now.obj["status"]))
    for name, before in (("p", []), ("q", [{"name": "first", "image": BOX, "command": ["sleep", "60"]}])):
        stage.pod(name, containers=[{"name": "c", "image": APP}], initContainers=before)
        stage.run(0.2)
        stage.user.delete("pods", "default", name)
        stage.run(100)
        state = states[-1]["containerStatuses"][0]["state"]
        expected = "PodInitializing" if before else "ContainerStatusUnknown"
        assert (states[-1]["phase"], next(iter(state.values()))["reason"]) == ("Failed", expected)


def test_process_without_a_handler_is_killed_when_the_grace_is_over(stage: Stage) -> None:
    stage.box("while true; do sleep 1; done", terminationGracePeriodSeconds=12)
    stage.run(5)
    assert removed_after(stage) == pytest.approx(12)


def test_trap_ends_a_script(stage: Stage) -> None:
    stage.box("trap 'echo bye; exit 0' TERM; while true; do sleep 1; done")
    stage.run(5)
    assert removed_after(stage) < 1


def test_fault_stop(stage: Stage) -> None:
    stage.pod(annotations={"sim.kubepane.io/stop": "20s"}, containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    assert removed_after(stage) == pytest.approx(20.1)


def test_pre_stop_comes_first(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": APP, "lifecycle": {"preStop": {"sleep": {"seconds": 8}}}}])
    stage.run(20)
    assert removed_after(stage) == pytest.approx(9.2)


@pytest.mark.parametrize(
    ("hook", "seconds", "failed"),
    [
        ({"exec": {"command": ["sh", "-c", "sleep 5"]}}, 6.2, False),
        ({"exec": {"command": ["sh", "-c", "exit 1"]}}, 1.2, True),
        ({"exec": {"command": ["sleep", "1000"]}}, 31.2, False),
        ({"httpGet": {"path": "/", "port": 9}}, 1.2, True),
    ],
)
def test_pre_stop_hooks(stage: Stage, hook: dict[str, Any], seconds: float, failed: bool) -> None:
    stage.pod(containers=[{"name": "c", "image": APP, "lifecycle": {"preStop": hook}}])
    stage.run(20)
    assert removed_after(stage) == pytest.approx(seconds)
    assert stage.messages("FailedPreStopHook") == (["PreStopHook failed"] if failed else [])


def test_shorter_grace_asked_for_later_counts(stage: Stage) -> None:
    stage.box("sleep 1000", terminationGracePeriodSeconds=300)
    stage.run(5)
    stage.user.delete("pods", "default", "p")
    stage.run(10)
    assert removed_after(stage, grace=5) == pytest.approx(5)


def test_force_takes_the_pod_away_at_once(stage: Stage) -> None:
    stage.box("sleep 1000")
    stage.run(5)
    stage.user.delete("pods", "default", "p", grace=0)
    assert stage.gone()
    stage.run(60)
    assert not stage.kubelets._workers


def test_pod_that_has_not_begun_goes_at_once(stage: Stage) -> None:
    stage.pod(annotations={"sim.kubepane.io/pull": "slow=60s"}, containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    assert removed_after(stage) < 1


def test_pod_that_waits_in_a_crash_loop_goes_at_once(stage: Stage) -> None:
    stage.box("exit 1")
    stage.run(20)
    assert removed_after(stage) < 1


def test_sidecars_end_last_and_in_reverse(stage: Stage) -> None:
    side = [{"name": f"s{number}", "image": WEB, "restartPolicy": "Always"} for number in (1, 2)]
    stage.pod(initContainers=side, containers=[{"name": "c", "image": APP}])
    stage.run(20)
    ended: list[str] = []

    def note(change: Change) -> None:
        for group in ("containerStatuses", "initContainerStatuses"):
            for one in change.now.obj["status"].get(group, []):
                if "terminated" in one["state"] and one["name"] not in ended:
                    ended.append(one["name"])

    stage.core.storage.watch("pods", note)
    stage.user.delete("pods", "default", "p")
    stage.run(20)
    assert ended == ["c", "s2", "s1"]
    assert sorted(stage.messages("Killing")) == ["Stopping container c", "Stopping container s1", "Stopping container s2"]


def test_pod_over_its_deadline_fails(stage: Stage) -> None:
    stage.box("sleep 1000", activeDeadlineSeconds=30, terminationGracePeriodSeconds=5)
    stage.run(29)
    assert stage.status()["phase"] == "Running"
    stage.run(7)
    status = stage.status()
    text = "Pod was active on the node longer than the specified deadline"
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "DeadlineExceeded", text)
    assert ("Normal", "DeadlineExceeded", text) in stage.events()
    assert stage.container()["state"]["terminated"]["exitCode"] == 137
    assert not stage.gone()


def test_finalizer_keeps_a_pod_that_has_ended(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}])
    stage.user.patch("pods", "default", "p", {"metadata": {"finalizers": ["example.com/hold"]}})
    stage.run(5)
    stage.user.delete("pods", "default", "p")
    stage.run(5)
    assert "terminated" in stage.container()["state"]
    stage.user.patch("pods", "default", "p", {"metadata": {"finalizers": None}})
    stage.run(1)
    assert stage.gone()


def test_address_is_free_again_and_nothing_is_kept_of_the_pod(stage: Stage) -> None:
    stage.box("echo hello; sleep 1", name="p", restartPolicy="Never")
    stage.run(10)
    uid = stage.read()["metadata"]["uid"]
    stage.user.delete("pods", "default", "p")
    stage.run(1)
    assert stage.logbook.read(uid, "c") is None
    assert not stage.kubelets._workers


def test_same_name_again_is_another_pod(stage: Stage) -> None:
    stage.box("echo first; sleep 1000")
    stage.run(5)
    stage.user.delete("pods", "default", "p", grace=0)
    stage.box("echo second; sleep 1000")
    stage.run(5)
    assert stage.log() == ["second"]


def test_deleted_pod_stays_ready_until_its_containers_end(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2, "failureThreshold": 2}
    stage.pod(
        annotations={"sim.kubepane.io/stop": "10s"},
        containers=[{"name": "c", "image": WEB, "readinessProbe": probe, "livenessProbe": probe}],
    )
    stage.run(10)
    stage.user.delete("pods", "default", "p")
    stage.run(5)
    assert stage.condition("Ready")["status"] == "True"
    stage.run(10)
    assert stage.gone()
    assert stage.messages("Unhealthy") == []


def test_box_that_ends_while_it_is_asked_to_is_done(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": BOX, "command": ["sleep", "12"]}], restartPolicy="Never")
    stage.run(8)
    assert removed_after(stage) == pytest.approx(5.6, abs=1)
