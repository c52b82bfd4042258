"""Endings and what follows: policies, back-off, init containers, sidecars, memory (texts read from upstream's source)."""

from __future__ import annotations

from itertools import pairwise

import pytest

from embedded.kubelet_stage import BOX, WEB, Stage
from kubepane_embedded.kubelet.backoff import Backoff, go_duration
from kubepane_embedded.patches import PatchType

JSON = PatchType.JSON


@pytest.fixture
def stage() -> Stage:
    return Stage()


POLICIES = [
    ("Always", 0, "Running", "CrashLoopBackOff"),
    ("Always", 1, "Running", "CrashLoopBackOff"),
    ("OnFailure", 0, "Succeeded", "Completed"),
    ("OnFailure", 1, "Running", "CrashLoopBackOff"),
    ("Never", 0, "Succeeded", "Completed"),
    ("Never", 1, "Failed", "Error"),
]


@pytest.mark.parametrize(("policy", "code", "phase", "reason"), POLICIES)
def test_restart_policy_decides(stage: Stage, policy: str, code: int, phase: str, reason: str) -> None:
    stage.box(f"echo once; exit {code}", restartPolicy=policy)
    stage.run(7)
    state = stage.container()["state"]
    assert stage.status()["phase"] == phase
    assert next(iter(state.values()))["reason"] == reason
    if "terminated" in state:
        assert state["terminated"]["exitCode"] == code
        assert stage.container()["restartCount"] == 0


def test_crash_loop_says_how_long_it_waits(stage: Stage) -> None:
    made = stage.box("exit 1")
    stage.run(6)
    pod = f"p_default({made['metadata']['uid']})"
    assert stage.waiting() == ("CrashLoopBackOff", f"back-off 10s restarting failed container=c pod={pod}")
    assert ("Warning", "BackOff", f"Back-off restarting failed container c in pod {pod}") in stage.events()
    container = stage.container()
    assert container["restartCount"] == 1  # the first restart comes without waiting
    assert container["lastState"]["terminated"]["reason"] == "Error"
    assert not container["ready"]
    assert not container["started"]
    stage.run(10)
    assert stage.waiting()[1].startswith("back-off 20s ")


def test_waits_double_to_five_minutes(stage: Stage) -> None:
    seen = stage.reasons()
    stage.box("exit 1")
    stage.run(2400)
    starts = [when for when, reason in seen if reason == "running"]
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert gaps[0] < 5
    for gap, wait in zip(gaps[1:], (10, 20, 40, 80, 160, 300, 300), strict=False):
        assert wait - 1 <= gap < wait + 4
    assert stage.waiting()[1].startswith("back-off 5m0s ")


def test_wait_is_forgotten_after_ten_quiet_minutes(stage: Stage) -> None:
    stage.box("[ -f /data/calm ] && sleep 700; exit 1", container={"volumeMounts": [{"name": "d", "mountPath": "/data"}]}, volumes=[{"name": "d"}])
    stage.run(70)
    assert stage.waiting()[1].startswith("back-off 40s ")
    worker = next(iter(stage.kubelets._workers.values()))
    run = worker.slots[0].run
    assert run is not None
    run.around.files.write("/data/calm", "")
    stage.run(760)
    assert stage.container()["restartCount"] >= 5
    assert "running" in stage.container()["state"]  # the back-off has begun anew: restarted at once


def test_backoff_doubles_and_expires() -> None:
    backoff = Backoff(10, 300)
    assert backoff.left_since("c", 0, 0) == 0
    for expected in (10, 20, 40, 80, 160, 300, 300):
        backoff.step("c", 100, 100)
        assert backoff.wait("c") == expected
    assert backoff.left_since("c", 100, 150) == 250
    assert backoff.left_since("c", 701, 701) == 0
    backoff.step("c", 701, 701)
    assert backoff.wait("c") == 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.35, "350ms"), (1.2, "1.2s"), (10, "10s"), (160, "2m40s"), (300, "5m0s"), (3605, "1h0m5s"), (62.5, "1m2.5s")],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_program_that_is_not_in_the_image(stage: Stage) -> None:
    stage.box("", container={"command": ["nosuch"]})
    stage.run(2)
    text = 'exec: "nosuch": executable file not found in $PATH'
    assert stage.waiting()[0] == "RunContainerError"
    assert stage.waiting()[1].endswith(text)
    assert stage.messages("Failed")[0].startswith("Error: failed to create containerd task: ")
    ended = stage.container()["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    stage.run(5)
    assert stage.waiting()[0] == "CrashLoopBackOff"


def test_memory_over_the_limit_is_killed_and_restarted(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB, "resources": {"limits": {"memory": "64Mi"}}}])
    stage.used["p"] = 64 * 1024 * 1024
    stage.run(60)
    assert stage.container()["restartCount"] == 0
    stage.used["p"] += 1
    stage.run(6)
    stage.used["p"] = 0
    stage.run(3)
    container = stage.container()
    assert container["restartCount"] == 1
    assert container["lastState"]["terminated"]["exitCode"] == 137
    assert container["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert "running" in container["state"]


def test_memory_without_a_limit_is_nobodys_business(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}])
    stage.used["p"] = 1 << 40
    stage.run(60)
    assert stage.container()["restartCount"] == 0


def test_fault_exit(stage: Stage) -> None:
    stage.pod(annotations={"sim.kubepane.io/exit": "3@after=20s"}, containers=[{"name": "c", "image": WEB}])
    stage.run(15)
    assert "running" in stage.container()["state"]
    stage.run(10)
    assert stage.container()["lastState"]["terminated"]["exitCode"] == 3


def test_init_containers_run_one_after_the_other(stage: Stage) -> None:
    init = [{"name": f"i{number}", "image": BOX, "command": ["sh", "-c", f"sleep 10; echo {number}"]} for number in (1, 2)]
    stage.pod(initContainers=init, containers=[{"name": "c", "image": WEB}])
    stage.run(8)
    assert stage.waiting() == ("PodInitializing", "")
    assert stage.waiting("i2") == ("PodInitializing", "")
    initialised = stage.condition("Initialized")
    assert (initialised["status"], initialised["reason"]) == ("False", "ContainersNotInitialized")
    assert initialised["message"] == "containers with incomplete status: [i1 i2]"
    assert stage.status()["phase"] == "Pending"
    stage.run(30)
    assert stage.status()["phase"] == "Running"
    assert stage.condition("Initialized")["status"] == "True"
    assert stage.container("i1")["ready"]
    assert stage.container("i1")["state"]["terminated"]["reason"] == "Completed"
    assert stage.log("i2") == ["2"]
    event = next(one for one in stage.core.storage.objects("events") if one["involvedObject"].get("fieldPath") == "spec.initContainers{i1}")
    assert event["source"]["component"] == "kubelet"


@pytest.mark.parametrize(("policy", "phase"), [("Always", "Pending"), ("Never", "Failed")])
def test_init_container_that_fails(stage: Stage, policy: str, phase: str) -> None:
    init = [{"name": "i", "image": BOX, "command": ["sh", "-c", "exit 2"]}]
    stage.pod(initContainers=init, containers=[{"name": "c", "image": WEB}], restartPolicy=policy)
    stage.run(30)
    assert stage.status()["phase"] == phase
    assert stage.container("i")["restartCount"] == (0 if policy == "Never" else 2)
    assert stage.messages("Started") == ["Container started"]
    assert stage.waiting()[0] == "PodInitializing"


def test_init_container_hands_files_to_the_others(stage: Stage) -> None:
    mounts = [{"name": "d", "mountPath": "/data"}]
    init = [{"name": "i", "image": BOX, "command": ["sh", "-c", "echo made > /data/x"], "volumeMounts": mounts}]
    main = {"name": "c", "image": BOX, "command": ["sh", "-c", "cat /data/x; sleep 1000"], "volumeMounts": mounts}
    stage.pod(initContainers=init, containers=[main], volumes=[{"name": "d", "emptyDir": {}}])
    stage.run(10)
    assert stage.log() == ["made"]


def test_sidecar_starts_first_and_does_not_keep_the_pod_alive(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}
    sidecar = {"name": "s", "image": WEB, "restartPolicy": "Always", "startupProbe": {**probe, "failureThreshold": 30}}
    main = {"name": "c", "image": BOX, "command": ["sh", "-c", "sleep 20"]}
    stage.pod(annotations={"sim.kubepane.io/start": "6s"}, initContainers=[sidecar], containers=[main], restartPolicy="Never")
    stage.run(6)
    assert "running" in stage.container("s")["state"]
    assert not stage.container("s")["started"]
    assert stage.waiting() == ("PodInitializing", "")
    stage.run(6)
    assert stage.container("s")["started"]
    assert "running" in stage.container()["state"]
    assert stage.status()["phase"] == "Running"
    stage.run(30)
    assert stage.status()["phase"] == "Succeeded"
    assert "terminated" in stage.container("s")["state"]


def test_sidecar_is_restarted_though_the_pod_never_is(stage: Stage) -> None:
    sidecar = {"name": "s", "image": BOX, "command": ["sh", "-c", "sleep 5; exit 1"], "restartPolicy": "Always"}
    stage.pod(initContainers=[sidecar], containers=[{"name": "c", "image": WEB}], restartPolicy="Never")
    stage.run(30)
    assert stage.container("s")["restartCount"] >= 1
    assert stage.status()["phase"] == "Running"


def test_one_of_two_containers_ends(stage: Stage) -> None:
    ends = {"name": "a", "image": BOX, "command": ["sh", "-c", "exit 0"]}
    stays = {"name": "b", "image": BOX, "command": ["sleep", "60"]}
    stage.pod(containers=[ends, stays], restartPolicy="Never")
    stage.run(10)
    assert stage.status()["phase"] == "Running"
    assert stage.condition("ContainersReady")["message"] == "containers with unready status: [a]"
    stage.run(60)
    assert stage.status()["phase"] == "Succeeded"
    assert (stage.condition("Ready")["reason"], stage.condition("Initialized")["reason"]) == ("PodCompleted", "PodCompleted")


def test_failed_pod_is_not_ready(stage: Stage) -> None:
    stage.box("exit 4", restartPolicy="Never")
    stage.run(10)
    assert (stage.condition("Ready")["status"], stage.condition("Ready")["reason"]) == ("False", "PodFailed")
    assert stage.condition("PodReadyToStartContainers")["status"] == "False"


def test_termination_message(stage: Stage) -> None:
    stage.box("echo why > /dev/termination-log; exit 1", "file", restartPolicy="Never")
    stage.box("echo last words; exit 1", "log", container={"terminationMessagePolicy": "FallbackToLogsOnError"}, restartPolicy="Never")
    stage.run(10)
    assert stage.container(name="file")["state"]["terminated"]["message"] == "why\n"
    assert stage.container(name="log")["state"]["terminated"]["message"] == "last words"


def test_changed_image_restarts_the_container(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": "nginx:1.27"}])
    stage.run(5)
    stage.user.patch("pods", "default", "p", [{"op": "replace", "path": "/spec/containers/0/image", "value": "nginx:1.29"}], JSON)
    stage.run(10)
    assert stage.messages("Killing") == ["Container c definition changed, will be restarted"]
    assert stage.container()["image"] == "docker.io/library/nginx:1.29"
    assert stage.container()["restartCount"] == 1


def test_failed_post_start_hook_kills_the_container(stage: Stage) -> None:
    stage.box("sleep 1000", container={"lifecycle": {"postStart": {"exec": {"command": ["false"]}}}})
    stage.run(6)
    assert stage.messages("FailedPostStartHook") == ["PostStartHook failed"]
    assert stage.messages("Killing") == ["FailedPostStartHook"]
    assert stage.container()["restartCount"] >= 1


def test_restart_rules_of_a_container(stage: Stage) -> None:
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    stage.box("exit 42", container={"restartPolicy": "Never", "restartPolicyRules": rules}, restartPolicy="Never")
    stage.run(10)
    assert stage.container()["restartCount"] >= 1
    assert stage.status()["phase"] == "Running"


def test_pod_is_not_failed_before_its_sidecar_has_ended(stage: Stage) -> None:
    sidecar = {"name": "s", "image": WEB, "restartPolicy": "Always"}
    init = {"name": "i", "image": BOX, "command": ["sh", "-c", "sleep 3; exit 1"]}
    stage.pod(
        annotations={"sim.kubepane.io/stop": "10s"}, initContainers=[sidecar, init], containers=[{"name": "c", "image": WEB}], restartPolicy="Never"
    )
    stage.run(10)
    assert stage.container("i")["state"]["terminated"]["exitCode"] == 1
    assert "running" in stage.container("s")["state"]
    assert stage.status()["phase"] == "Pending"
    stage.run(10)
    assert stage.status()["phase"] == "Failed"


def test_pod_that_somebody_declares_failed_is_stopped_and_stays_failed(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    stage.user.patch_status("pods", "default", "p", {"phase": "Failed", "reason": "Evicted", "message": "because"})
    stage.run(10)
    status = stage.status()
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", "Evicted", "because")
    assert stage.container()["state"]["terminated"]["exitCode"] == 0


def test_second_run_is_not_touched_by_the_end_of_the_first(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": "nginx:1", "livenessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 5}}])
    stage.run(5)
    stage.user.patch("pods", "default", "p", {"metadata": {"annotations": {"sim.kubepane.io/probe-liveness": "503"}}})
    stage.run(12)
    stage.user.patch("pods", "default", "p", {"metadata": {"annotations": None}})
    stage.run(10)
    assert stage.container()["restartCount"] == 1
    stage.run(60)  # beyond the grace after which the first run would have been killed
    lines = len(stage.log())
    stage.run(10)
    assert len(stage.log()) > lines
    assert "running" in stage.container()["state"]
