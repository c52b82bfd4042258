"""What kubelets do with pods, and what the API server thinks of the statuses that they write: images, configuration, crashes, limits, logs, ends."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.peers import Space, container, pod, until

pytestmark = [pytest.mark.needs_kubelet, pytest.mark.timeout(180)]
Object = dict[str, Any]
SHELL = "busybox:1.37"


def first(obj: Object) -> Object:
    """The status of the first container, {} while there is none."""
    found: Object = (obj["status"].get("containerStatuses") or [{}])[0]
    return found


def waits(obj: Object) -> tuple[str, str]:
    """Why the first container waits."""
    waiting = first(obj).get("state", {}).get("waiting") or {}
    return waiting.get("reason", ""), waiting.get("message", "")


def start(space: Space, name: str, annotations: dict[str, str] | None = None, **spec: Any) -> str:
    """Create a pod; its path."""
    body = pod(name, **spec)
    if annotations:
        body["metadata"]["annotations"] = {f"sim.kubepane.io/{key}": value for key, value in annotations.items()}
    space.door.create(space.core("pods"), body)
    return space.core("pods", name)


def script(text: str, **more: Any) -> Object:
    """A container that runs a line of shell."""
    return container(image=SHELL, command=["sh", "-c", text], **more)


def test_an_unknown_image_is_tried_again_and_again(space: Space) -> None:
    path = start(space, "p", containers=[container(image="registry.k8s.io/there-is-no-such-image:1")])
    found = space.door.until(path, lambda p: waits(p)[0] == "ImagePullBackOff")
    assert waits(found)[1].startswith('Back-off pulling image "registry.k8s.io/there-is-no-such-image:1"')
    assert (found["status"]["phase"], first(found)["ready"], first(found)["started"]) == ("Pending", False, False)
    assert any("Error: ErrImagePull" in text for text in space.told("p", "Failed"))
    assert space.told("p", "BackOff")


@pytest.mark.parametrize("kind", ["configmaps", "secrets"])
def test_a_missing_key_holds_the_container_until_it_is_there(space: Space, kind: str) -> None:
    field = "configMapKeyRef" if kind == "configmaps" else "secretKeyRef"
    space.door.create(space.core(kind), {"metadata": {"name": "settings"}})
    env = [{"name": "COLOUR", "valueFrom": {field: {"name": "settings", "key": "colour"}}}]
    path = start(space, "p", containers=[container(env=env)])
    found = space.door.until(path, lambda p: waits(p)[0] == "CreateContainerConfigError")
    word = "ConfigMap" if kind == "configmaps" else "Secret"
    assert waits(found)[1] == f"couldn't find key colour in {word} {space.name}/settings"
    data = {"data": {"colour": "blue"}} if kind == "configmaps" else {"stringData": {"colour": "blue"}}
    space.door.patch(space.core(kind, "settings"), data)
    found = space.door.until(path, lambda p: first(p).get("ready"))
    assert (found["status"]["phase"], first(found)["restartCount"]) == ("Running", 0)


def test_a_missing_volume_source_keeps_the_pod_from_being_made(space: Space) -> None:
    volumes = [{"name": "v", "configMap": {"name": "later"}}]
    path = start(space, "p", containers=[container(volumeMounts=[{"name": "v", "mountPath": "/v"}])], volumes=volumes)
    assert 'MountVolume.SetUp failed for volume "v" : configmap "later" not found' in space.told("p", "FailedMount")
    assert waits(space.door.get(path))[0] == "ContainerCreating"
    space.door.create(space.core("configmaps"), {"metadata": {"name": "later"}})
    space.door.until(path, lambda p: first(p).get("ready"))


def test_a_crash_is_counted_and_the_last_end_is_kept(space: Space) -> None:
    path = start(space, "p", containers=[script("echo going; exit 3")])
    found = space.door.until(path, lambda p: first(p).get("restartCount", 0) >= 1 and waits(p)[0] == "CrashLoopBackOff")
    last = first(found)["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (3, "Error")
    assert last["containerID"] == first(found)["containerID"]
    assert waits(found)[1].startswith("back-off 10s restarting failed container=c pod=p_")
    assert [message for message in space.told("p", "BackOff") if "restarting failed container c in pod p_" in message]
    assert found["status"]["phase"] == "Running"
    answer = space.door("GET", f"{path}/log?previous=true")
    assert (answer.code, answer.body) == (200, "going\n")


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (7, "Failed")])
def test_a_pod_that_is_not_restarted_ends(space: Space, code: int, phase: str) -> None:
    path = start(space, "p", containers=[script(f"exit {code}")], restartPolicy="Never")
    found = space.door.until(path, lambda p: p["status"].get("phase") == phase)
    ended = first(found)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (code, "Error" if code else "Completed")
    assert space.door("GET", f"{path}/log").code == 200


def test_over_its_memory_limit_a_container_is_killed(space: Space) -> None:
    if not space.peer.is_simulated:
        pytest.skip(f"{space.peer.name}: memory is real there, and no image of ours fills it")
    limits = {"limits": {"memory": "64Mi"}}
    path = start(space, "p", {"memory": "100Mi@over=2s"}, containers=[container(image="nginx:1.27", resources=limits)])
    found = space.door.until(path, lambda p: first(p).get("restartCount", 0) >= 1)
    ended = first(found)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


def test_init_containers_run_one_after_another(space: Space) -> None:
    path = start(space, "p", initContainers=[{**script("echo one"), "name": "first"}, {**script("echo two"), "name": "second"}])
    found = space.door.until(path, lambda p: first(p).get("ready"))
    ends = [one["state"]["terminated"]["reason"] for one in found["status"]["initContainerStatuses"]]
    assert ends == ["Completed", "Completed"]
    conditions = {one["type"]: one["status"] for one in found["status"]["conditions"]}
    assert conditions.items() >= {"Initialized": "True", "Ready": "True", "ContainersReady": "True", "PodScheduled": "True"}.items()


def test_readiness_comes_and_goes_without_a_restart(space: Space) -> None:
    probe = {"exec": {"command": ["test", "-e", "/var/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    path = start(space, "p", containers=[script("while true; do sleep 1; done", readinessProbe=probe)])
    space.door.until(path, lambda p: p["status"].get("phase") == "Running")
    assert space.told("p", "Unhealthy")[0].startswith("Readiness probe failed:")
    assert not first(space.door.get(path))["ready"]
    assert space.door("GET", f"{path}/log").code == 200


@pytest.mark.needs_kubectl
def test_kubectl_runs_a_command_in_a_container_and_hears_its_exit_code(space: Space) -> None:
    path = start(space, "p", containers=[script("while true; do sleep 1; done")])
    space.door.until(path, lambda p: first(p).get("ready"))
    assert space.kubectl("exec", "p", "--", "sh", "-c", "echo hello; hostname").split() == ["hello", "p"]
    failed = space.peer.kubectl("--namespace", space.name, "exec", "p", "--", "sh", "-c", "exit 4")
    assert (failed.returncode, failed.stderr.strip()) == (4, "command terminated with exit code 4")


def test_logs_are_cut_followed_and_refused_as_asked(space: Space) -> None:
    path = start(space, "p", containers=[script("echo one; echo two; echo three; exit 0")], restartPolicy="Never")
    waiting = start(space, "q", containers=[container(image="registry.k8s.io/there-is-no-such-image:1")])
    space.door.until(path, lambda p: p["status"].get("phase") == "Succeeded")
    assert space.door("GET", f"{path}/log?tailLines=2").body == "two\nthree\n"
    assert space.door("GET", f"{path}/log?limitBytes=5").body == "one\nt"
    assert space.door("GET", f"{path}/log?follow=true").body == "one\ntwo\nthree\n"
    refused = space.door("GET", f"{path}/log?container=nobody")
    assert (refused.code, refused.body["message"]) == (400, "container nobody is not valid for pod p")
    space.door.until(waiting, lambda p: waits(p)[0] in ("ErrImagePull", "ImagePullBackOff"))
    refused = until(lambda: space.door("GET", f"{waiting}/log"))
    assert refused.code == 400
    assert refused.body["message"].startswith('container "c" in pod "q" is waiting to start: ')
    assert space.door("GET", f"{path}/log?previous=true").code == 400


def test_a_deleted_pod_gets_its_time_and_then_is_gone(space: Space) -> None:
    path = start(space, "p", terminationGracePeriodSeconds=30, containers=[container(image="nginx:1.27")])
    space.door.until(path, lambda p: first(p).get("ready"))
    answer = space.door.delete(path)
    assert (answer.code, answer.body["metadata"]["deletionGracePeriodSeconds"]) == (200, 30)
    assert space.told("p", "Killing") == ["Stopping container c"]
    space.door.gone(path, 25)
