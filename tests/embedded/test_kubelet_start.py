"""From bound to running: statuses, images, configuration, volumes, and the events about them (texts read from upstream's source)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from embedded.kubelet_stage import APP, BOX, NODE, WEB, Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_first_status_says_that_the_pod_was_taken_on(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}])
    stage.run(0.1)
    status = stage.status()
    assert (status["phase"], status["hostIP"], status["startTime"]) == ("Pending", "172.18.0.3", stage.clock.stamp())
    assert stage.waiting() == ("ContainerCreating", "")
    assert {one["type"]: one["status"] for one in status["conditions"]} == {
        "PodReadyToStartContainers": "False",
        "Initialized": "True",
        "Ready": "False",
        "ContainersReady": "False",
        "PodScheduled": "True",
    }
    assert stage.condition("Ready")["reason"] == "ContainersNotReady"
    assert stage.condition("Ready")["message"] == "containers with unready status: [c]"
    assert "podIP" not in status


def test_running_pod_has_everything_that_a_kubelet_writes(stage: Stage) -> None:
    resources = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    stage.pod(containers=[{"name": "c", "image": WEB, "resources": resources}])
    stage.run(5)
    status, container = stage.status(), stage.container()
    assert status["phase"] == "Running"
    assert status["podIP"] == "10.244.1.2"
    assert status["podIPs"] == [{"ip": "10.244.1.2"}]
    assert status["observedGeneration"] == 1
    assert all(one["status"] == "True" and one["observedGeneration"] == 1 for one in status["conditions"])
    assert container["ready"]
    assert container["started"]
    assert container["restartCount"] == 0
    assert set(container["state"]) == {"running"}
    assert container["image"] == "docker.io/traefik/whoami:v1.10"
    assert container["imageID"].startswith("docker.io/traefik/whoami@sha256:")
    assert container["resources"] == resources
    assert container["allocatedResources"] == resources["requests"]
    assert status["qosClass"] == "Burstable"


def test_events_of_a_start_in_their_order(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    found = stage.events()
    assert [(kind, reason) for kind, reason, _ in found] == [("Normal", reason) for reason in ("Pulling", "Pulled", "Created", "Started")]
    texts = [message for _, _, message in found]
    assert texts[0] == 'Pulling image "traefik/whoami:v1.10"'
    assert texts[1].startswith('Successfully pulled image "traefik/whoami:v1.10" in ')
    assert texts[1].endswith(" including waiting). Image size: 2900000 bytes.")
    assert texts[2:] == ["Container created", "Container started"]
    event = next(one for one in stage.core.storage.objects("events") if one["reason"] == "Pulled")
    assert event["source"] == {"component": "kubelet", "host": NODE}
    assert event["involvedObject"]["fieldPath"] == "spec.containers{c}"


def test_image_that_is_there_is_not_pulled_again(stage: Stage) -> None:
    stage.pod("first", containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    stage.pod("second", containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    assert stage.messages("Pulled", "second") == [f'Container image "{WEB}" already present on machine and can be accessed by the pod']
    assert stage.messages("Pulling", "second") == []


def test_always_pulls_again(stage: Stage) -> None:
    stage.pod("first", containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    stage.pod("second", containers=[{"name": "c", "image": WEB, "imagePullPolicy": "Always"}])
    stage.run(5)
    assert len(stage.messages("Pulling", "second")) == 1


def test_images_are_pulled_one_after_the_other(stage: Stage) -> None:
    stage.pod("slow", {"sim.kubepane.io/pull": "slow=30s"}, containers=[{"name": "c", "image": APP}])
    stage.run(1)
    stage.pod("quick", containers=[{"name": "c", "image": WEB}])
    stage.run(20)
    assert stage.waiting(name="quick")[0] == "ContainerCreating"
    stage.run(15)
    assert stage.status("quick")["phase"] == "Running"


NOT_FOUND = (
    'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/library/nginx:nope": failed to resolve reference '
    '"docker.io/library/nginx:nope": docker.io/library/nginx:nope: not found'
)
DENIED = (
    'failed to pull and unpack image "docker.io/library/nosuch:1": failed to resolve reference "docker.io/library/nosuch:1": pull access '
    "denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed"
)
UNAUTHORIZED = (
    'failed to pull and unpack image "docker.io/library/nginx:1": failed to resolve reference "docker.io/library/nginx:1": failed to '
    "authorize: failed to fetch oauth token: unexpected status from GET request: 401 Unauthorized"
)
NO_HOST = (
    'failed to pull and unpack image "reg.example.com/a/b:1": failed to resolve reference "reg.example.com/a/b:1": failed to do request: '
    'Head "https://reg.example.com/v2/a/b/manifests/1": dial tcp: lookup reg.example.com: no such host'
)


@pytest.mark.parametrize(
    ("image", "fault", "text"),
    [("nginx:nope", "", NOT_FOUND), ("nosuch:1", "", DENIED), ("nginx:1", "unauthorized", UNAUTHORIZED), ("reg.example.com/a/b:1", "", NO_HOST)],
)
def test_image_that_cannot_be_pulled(stage: Stage, image: str, fault: str, text: str) -> None:
    stage.pod(annotations={"sim.kubepane.io/pull": fault} if fault else {}, containers=[{"name": "c", "image": image}])
    stage.run(2.2)
    assert stage.waiting() == ("ErrImagePull", text)
    stage.run(2)
    assert stage.waiting() == ("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {text}')
    assert stage.events() == [
        ("Normal", "Pulling", f'Pulling image "{image}"'),
        ("Warning", "Failed", f'Failed to pull image "{image}": {text}'),
        ("Warning", "Failed", "Error: ErrImagePull"),
        ("Normal", "BackOff", f'Back-off pulling image "{image}"'),
        ("Warning", "Failed", "Error: ImagePullBackOff"),
    ]
    assert stage.status()["phase"] == "Pending"


def test_pull_waits_longer_after_each_failure(stage: Stage) -> None:
    seen = stage.reasons()
    stage.pod(containers=[{"name": "c", "image": "nginx:nope"}])
    stage.run(1800)
    tries = [when for when, reason in seen if reason == "ErrImagePull"]
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    for gap, wait in zip(gaps, (10, 20, 40, 80, 160, 300, 300), strict=False):
        assert wait < gap < wait + 20  # looked at every 10 to 15 s, and the registry takes its time
    assert len(gaps) >= 7


def test_image_that_appears_is_used(stage: Stage) -> None:
    stage.pod(annotations={"sim.kubepane.io/pull": "not-found"}, containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    stage.user.patch("pods", "default", "p", {"metadata": {"annotations": {"sim.kubepane.io/pull": None}}})
    stage.run(60)
    assert stage.status()["phase"] == "Running"


def test_never_pulled_image(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB, "imagePullPolicy": "Never"}])
    stage.run(2)
    text = f'Container image "{WEB}" is not present with pull policy of Never'
    assert stage.waiting() == ("ErrImageNeverPull", text)
    assert stage.events() == [("Warning", "ErrImageNeverPull", text), ("Warning", "Failed", "Error: ErrImageNeverPull")]


@pytest.mark.parametrize(
    ("image", "why"),
    [("Foo", "invalid reference format: repository name (library/Foo) must be lowercase"), ("a b", "invalid reference format")],
)
def test_bad_image_name(stage: Stage, image: str, why: str) -> None:
    stage.pod(containers=[{"name": "c", "image": image}])
    stage.run(2)
    text = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": {why}'
    assert stage.waiting() == ("InvalidImageName", text)
    assert ("Warning", "InspectFailed", text) in stage.events()
    assert ("Warning", "Failed", "Error: InvalidImageName") in stage.events()


CONFIG = [
    ({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}}]}, 'configmap "cfg" not found'),
    ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "sec", "key": "a"}}}]}, 'secret "sec" not found'),
    ({"envFrom": [{"configMapRef": {"name": "cfg"}}]}, 'configmap "cfg" not found'),
    ({"envFrom": [{"secretRef": {"name": "sec"}}]}, 'secret "sec" not found'),
    ({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "there", "key": "a"}}}]}, "couldn't find key a in ConfigMap default/there"),
]


@pytest.mark.parametrize(("container", "text"), CONFIG)
def test_missing_configuration(stage: Stage, container: dict[str, Any], text: str) -> None:
    stage.config("there", other="x")
    stage.pod(containers=[{"name": "c", "image": WEB, **container}])
    stage.run(5)
    assert stage.waiting() == ("CreateContainerConfigError", text)
    assert ("Warning", "Failed", f"Error: {text}") in stage.events()
    assert stage.status()["phase"] == "Pending"


def test_missing_key_goes_on_once_it_is_there(stage: Stage) -> None:
    stage.config("cfg", other="x")
    stage.box("echo $A; sleep 1000", container={"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}}]})
    stage.run(30)
    assert stage.waiting()[0] == "CreateContainerConfigError"
    stage.user.patch("configmaps", "default", "cfg", {"data": {"a": "found"}})
    stage.run(20)
    assert stage.status()["phase"] == "Running"
    assert stage.log() == ["found"]


def test_optional_configuration_may_be_missing(stage: Stage) -> None:
    stage.config("there", other="x")
    keys = [{"name": name, "key": "a", "optional": True} for name in ("cfg", "there")]
    env = [{"name": f"A{number}", "valueFrom": {"configMapKeyRef": key}} for number, key in enumerate(keys)]
    stage.pod(containers=[{"name": "c", "image": WEB, "env": env, "envFrom": [{"secretRef": {"name": "s", "optional": True}}]}])
    stage.run(5)
    assert stage.status()["phase"] == "Running"


def test_non_root_is_checked(stage: Stage) -> None:
    made = stage.pod(containers=[{"name": "c", "image": WEB, "securityContext": {"runAsNonRoot": True}}])
    stage.run(5)
    where = f'(pod: "p_default({made["metadata"]["uid"]})", container: c)'
    assert stage.waiting() == ("CreateContainerConfigError", f"container has runAsNonRoot and image will run as root {where}")


VOLUMES = [
    ({"configMap": {"name": "cfg"}}, 'MountVolume.SetUp failed for volume "v" : configmap "cfg" not found'),
    ({"secret": {"secretName": "sec"}}, 'MountVolume.SetUp failed for volume "v" : secret "sec" not found'),
    (
        {"configMap": {"name": "there", "items": [{"key": "k", "path": "k"}]}},
        'MountVolume.SetUp failed for volume "v" : configmap references non-existent config key: k',
    ),
    (
        {"projected": {"sources": [{"configMap": {"name": "cfg"}}, {"secret": {"name": "sec"}}]}},
        'MountVolume.SetUp failed for volume "v" : [configmap "cfg" not found, secret "sec" not found]',
    ),
    (
        {"persistentVolumeClaim": {"claimName": "data"}},
        "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process volumes=[v]: error processing "
        'PVC default/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found',
    ),
]


@pytest.mark.parametrize(("source", "text"), VOLUMES)
def test_volume_that_cannot_be_mounted(stage: Stage, source: dict[str, Any], text: str) -> None:
    stage.config("there", other="x")
    stage.pod(containers=[{"name": "c", "image": WEB}], volumes=[{"name": "v", **source}])
    stage.run(30)
    assert stage.events()[:1] == [("Warning", "FailedMount", text)]
    assert stage.waiting() == ("ContainerCreating", "")
    assert stage.condition("PodReadyToStartContainers")["status"] == "False"


def test_claim_that_is_not_bound_holds_the_pod_back(stage: Stage) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    stage.user.create("persistentvolumeclaims", {"metadata": {"name": "data", "namespace": "default"}, "spec": spec})
    stage.pod(containers=[{"name": "c", "image": WEB}], volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    stage.run(5)
    assert stage.messages("FailedMount")[0].endswith("error processing PVC default/data: PVC is not bound")


def test_mount_is_tried_again_until_it_works(stage: Stage) -> None:
    mounts = [{"name": "v", "mountPath": "/etc/cfg"}]
    stage.box("cat /etc/cfg/greeting; sleep 1000", container={"volumeMounts": mounts}, volumes=[{"name": "v", "configMap": {"name": "cfg"}}])
    stage.run(20)
    assert stage.status()["phase"] == "Pending"
    stage.config("cfg", greeting="hello\n")
    stage.run(40)
    assert stage.log() == ["hello"]
    assert stage.container()["volumeMounts"] == [{"name": "v", "mountPath": "/etc/cfg"}]


def test_host_network_has_the_address_of_the_node(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}], hostNetwork=True)
    stage.run(5)
    assert stage.status()["podIP"] == stage.status()["hostIP"] == "172.18.0.3"


def test_addresses_are_given_back(stage: Stage) -> None:
    for number in range(3):
        stage.pod(f"p{number}", containers=[{"name": "c", "image": WEB}])
    stage.run(8)
    given = [stage.status(f"p{number}")["podIP"] for number in range(3)]
    assert sorted(given) == ["10.244.1.2", "10.244.1.3", "10.244.1.4"]


def test_two_containers_start_in_their_order(stage: Stage) -> None:
    stage.pod(containers=[{"name": "b", "image": WEB}, {"name": "a", "image": BOX, "command": ["sleep", "1000"]}])
    stage.run(6)
    assert [one["name"] for one in stage.status()["containerStatuses"]] == ["a", "b"]
    events = [one for one in stage.core.storage.objects("events") if one["reason"] == "Started"]
    assert [one["involvedObject"]["fieldPath"] for one in events] == ["spec.containers{b}", "spec.containers{a}"]


def test_readiness_gates_hold_the_pod_back(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}], readinessGates=[{"conditionType": "example.com/gate"}])
    stage.run(5)
    ready = stage.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ReadinessGatesNotReady")
    assert ready["message"] == 'corresponding condition of pod readiness gate "example.com/gate" does not exist.'
    assert stage.condition("ContainersReady")["status"] == "True"
    gate = {"type": "example.com/gate", "status": "True", "lastProbeTime": None, "lastTransitionTime": stage.clock.stamp()}
    stage.user.patch_status("pods", "default", "p", {"conditions": [*stage.status()["conditions"], gate]})
    stage.run(1)
    assert stage.condition("Ready")["status"] == "True"
    assert stage.condition("example.com/gate")["status"] == "True"


def test_nothing_is_written_while_nothing_happens(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB, "readinessProbe": {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1}}])
    stage.run(20)
    revision = stage.read()["metadata"]["resourceVersion"]
    events = stage.core.storage.count("events")
    stage.run(200)
    assert stage.read()["metadata"]["resourceVersion"] == revision
    assert stage.core.storage.count("events") == events


def test_pod_of_an_unknown_node_is_left_alone(stage: Stage) -> None:
    stage.pod(nodeName="nowhere", containers=[{"name": "c", "image": WEB}])
    stage.run(60)
    assert stage.status() == {"phase": "Pending", "qosClass": "BestEffort"}


def test_events_of_one_source_sort_by_name_as_they_were_told(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    stored = [one["reason"] for one in stage.core.storage.objects("events", "default") if one["involvedObject"]["name"] == "p"]
    assert stored == ["Pulling", "Pulled", "Created", "Started"]


def test_addresses_run_out_and_come_back(stage: Stage) -> None:
    stage.user.create("nodes", {"metadata": {"name": "small"}, "spec": {"podCIDR": "10.244.9.0/29"}})
    box = [{"name": "c", "image": BOX, "command": ["sh", "-c", "sleep 100"]}]
    for number in range(6):
        stage.pod(f"p{number}", nodeName="small", containers=box, restartPolicy="Never")
    stage.run(30)
    late = next(number for number in range(6) if stage.status(f"p{number}")["phase"] == "Pending")
    text = "failed to allocate for range 0: no IP addresses available in range set: 10.244.9.1-10.244.9.6"
    assert stage.messages("FailedCreatePodSandBox", f"p{late}")[0].startswith("Failed to create pod sandbox: rpc error: code = Unknown desc = ")
    assert stage.messages("FailedCreatePodSandBox", f"p{late}")[0].endswith(text)
    stage.run(100)
    assert stage.status(f"p{late}")["phase"] == "Running"  # those that have ended hold no address any more
    assert stage.status(f"p{late}")["podIP"].startswith("10.244.9.")


def test_container_waits_for_the_pull_of_the_one_before_it(stage: Stage) -> None:
    stage.box("true", "first")
    stage.run(5)
    one = {"name": "a", "image": APP}
    stage.pod(annotations={"sim.kubepane.io/pull": "slow=30s"}, containers=[one, {"name": "b", "image": BOX, "command": ["sleep", "1000"]}])
    stage.run(10)
    assert stage.waiting("b") == ("ContainerCreating", "")
    stage.run(30)
    assert "running" in stage.container("b")["state"]


def test_pod_is_pending_until_every_container_has_run(stage: Stage) -> None:
    stage.pod(containers=[{"name": "a", "image": WEB}, {"name": "b", "image": "nginx:nope"}])
    stage.run(20)
    assert "running" in stage.container("a")["state"]
    assert stage.container("a")["ready"]
    assert stage.status()["phase"] == "Pending"


def test_times_of_conditions_that_did_not_change_are_kept(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 10}
    stage.pod(containers=[{"name": "c", "image": WEB, "readinessProbe": probe}])
    stage.run(30)
    assert stage.condition("Initialized")["lastTransitionTime"] == "2026-01-01T08:00:00Z"
    assert stage.condition("Ready")["lastTransitionTime"] > "2026-01-01T08:00:09Z"
