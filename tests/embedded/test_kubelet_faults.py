"""Whatever goes wrong and in whatever order: the status of a pod never contradicts itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from embedded.kubelet_stage import APP, BOX, WEB, Stage
from kubepane_embedded.errors import ApiError
from kubepane_embedded.storage import Change

PREFIX = "sim.kubepane.io/"
PROBE = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2, "failureThreshold": 2}
FAULTS = [
    ("probe-liveness", "503"),
    ("probe-readiness", "timeout"),
    ("probe-startup", "refused@after=3s"),
    ("exit", "0@after=4s"),
    ("exit", "7"),
    ("pull", "not-found"),
    ("pull", "slow=20s"),
    ("start", "15s"),
    ("stop", "60s"),
]
STEPS = st.one_of(
    st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
    st.tuples(st.just("heal"), st.sampled_from(sorted({name for name, _ in FAULTS}))),
    st.tuples(st.just("memory"), st.sampled_from([0, 1 << 30])),
    st.tuples(st.just("wait"), st.sampled_from([0.2, 1, 5, 30, 400])),
    st.tuples(st.just("image"), st.sampled_from([WEB, "traefik/whoami:nope", "nginx:1"])),
    st.tuples(st.just("node"), st.sampled_from(["stopped", None])),
    st.tuples(st.just("config"), st.booleans()),
    st.tuples(st.just("delete"), st.sampled_from([None, 3])),
)
ORDER = {"Pending": 0, "Running": 1, "Succeeded": 2, "Failed": 2}


class Witness:
    """Looks at every state of the pod that is stored."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self.restarts: dict[str, int] = {}
        self.phase = "Pending"

    def look(self, change: Change) -> None:
        """Check one state."""
        status = change.now.obj["status"]
        if change.type == "DELETED" or "containerStatuses" not in status:
            return
        self._phases(status)
        for group in ("initContainerStatuses", "containerStatuses"):
            for one in status.get(group, []):
                self._container(one)
        self._conditions(status)

    def _phases(self, status: dict[str, Any]) -> None:
        phase = status["phase"]
        assert not (self.phase in ("Succeeded", "Failed") and phase != self.phase), "a pod has come back to life"
        assert not (self.phase == "Running" and phase == "Pending"), "a running pod is pending again"
        self.phase = phase
        running = [
            one["name"] for group in ("initContainerStatuses", "containerStatuses") for one in status.get(group, []) if "running" in one["state"]
        ]
        if phase in ("Succeeded", "Failed"):
            assert not running
        if phase == "Succeeded":
            assert all(one["state"]["terminated"]["exitCode"] == 0 for one in status["containerStatuses"])

    def _container(self, one: dict[str, Any]) -> None:
        assert len(one["state"]) == 1
        assert one["restartCount"] >= self.restarts.get(one["name"], 0)
        self.restarts[one["name"]] = one["restartCount"]
        if one["name"] != "i" and one["ready"]:
            assert one["started"]
        if one["started"]:
            assert "running" in one["state"]
        if one["restartCount"]:
            assert "terminated" in one["lastState"]
        if "running" in one["state"] or "terminated" in one["state"]:
            assert one["containerID"] or one["state"]["terminated"]["reason"] == "ContainerStatusUnknown"

    def _conditions(self, status: dict[str, Any]) -> None:
        conditions = {one["type"]: one for one in status["conditions"]}
        all_ready = all(one["ready"] for one in status["containerStatuses"])
        for kind in ("Ready", "ContainersReady"):
            assert (conditions[kind]["status"] == "True") == (all_ready and status["phase"] == "Running")
        if conditions["Ready"]["status"] == "False":
            assert conditions["Ready"]["reason"] in ("ContainersNotReady", "PodCompleted", "PodFailed")
        for one in status["conditions"]:
            assert one["lastTransitionTime"]


def made(stage: Stage, policy: str, startup: bool, init: bool) -> None:
    """A pod with everything that can go wrong."""
    probes: dict[str, Any] = {
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        **({"startupProbe": {**PROBE, "failureThreshold": 20}} if startup else {}),
    }
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}}]
    main = {"name": "c", "image": WEB, "env": env, "resources": {"limits": {"memory": "64Mi"}}, **probes}
    other = {"name": "d", "image": BOX, "command": ["sh", "-c", "sleep 50; exit 0"]}
    first: dict[str, Any] = {"initContainers": [{"name": "i", "image": BOX, "command": ["sh", "-c", "sleep 2"]}]} if init else {}
    stage.pod(containers=[main, other], restartPolicy=policy, terminationGracePeriodSeconds=10, **first)


def play(stage: Stage, kind: str, value: Any) -> None:
    """One step of a story."""
    annotations: dict[str, Any] | None = None
    try:
        if kind == "fault":
            annotations = {PREFIX + value[0]: value[1]}
        elif kind == "heal":
            annotations = {PREFIX + value: None}
        elif kind == "memory":
            stage.used["p"] = value
        elif kind == "image":
            spec = {"containers": [{**stage.read()["spec"]["containers"][0], "image": value}, stage.read()["spec"]["containers"][1]]}
            stage.user.patch("pods", "default", "p", {"spec": spec})
        elif kind == "node":
            stage.user.patch("nodes", "", "kubepane-worker", {"metadata": {"annotations": {PREFIX + "kubelet": value}}})
        elif kind == "config":
            stage.user.patch("configmaps", "default", "cfg", {"data": {"a": "x" if value else None}})
        elif kind == "delete":
            stage.user.delete("pods", "default", "p", grace=value)
        if annotations is not None:
            stage.user.patch("pods", "default", "p", {"metadata": {"annotations": annotations}})
    except ApiError:
        pass
    stage.run(value if kind == "wait" else 0.3)


@given(
    policy=st.sampled_from(["Always", "OnFailure", "Never"]),
    startup=st.booleans(),
    init=st.booleans(),
    steps=st.lists(STEPS, min_size=3, max_size=12),
)
@settings(deadline=None, max_examples=120)
def test_status_is_always_consistent(policy: str, startup: bool, init: bool, steps: list[tuple[str, Any]]) -> None:
    stage = Stage(1)
    stage.config("cfg", a="x")
    witness = Witness(policy)
    stage.core.storage.watch("pods", witness.look)
    made(stage, policy, startup, init)
    for kind, value in steps:
        if stage.gone():
            return
        play(stage, kind, value)
    if stage.gone():
        return
    stage.user.patch("nodes", "", "kubepane-worker", {"metadata": {"annotations": None}})
    stage.user.delete("pods", "default", "p")
    stage.run(120)
    assert stage.gone()
    assert not stage.kubelets._workers
    assert not stage.kubelets._shared.watch._watched


@given(steps=st.lists(STEPS.filter(lambda step: step[0] not in ("delete", "node")), max_size=8))
@settings(deadline=None, max_examples=40)
def test_pod_recovers_when_everything_is_well_again(steps: list[tuple[str, Any]]) -> None:
    stage = Stage(1)
    stage.config("cfg", a="x")
    probes = {"livenessProbe": PROBE, "readinessProbe": PROBE}
    stage.pod(containers=[{"name": "c", "image": WEB, **probes, "env": []}, {"name": "d", "image": APP}])
    for kind, value in steps:
        play(stage, kind, value)
    stage.used["p"] = 0
    stage.user.patch("pods", "default", "p", {"metadata": {"annotations": None}})
    play(stage, "image", WEB)
    stage.run(700)
    assert stage.condition("Ready")["status"] == "True"
