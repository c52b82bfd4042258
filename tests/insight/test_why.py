from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import NOW, put
from insight.why_samples import (
    ENDED,
    LATER,
    STARTED,
    cluster,
    container,
    crashing,
    ended,
    event,
    refuse,
    running,
    sick,
    waiting,
)
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight.finding import Level
from kubepane.insight.why import POD_RULES, clause, explain_pod


def why(pod: Any, stores: Stores | None = None, now: Any = None) -> str:
    return clause(pod, stores or cluster(), now)


def fields(pod: Any, stores: Stores | None = None, now: Any = None) -> dict[str, str]:
    """The evidence of the most important finding."""
    return {e.field: e.value for e in explain_pod(pod, stores or cluster(), now)[0].evidence}


# ---- images ------------------------------------------------------------------------------------------------------------------

NOT_FOUND = (
    'rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/shop/cart:2.8.1": failed to resolve reference '
    '"docker.io/shop/cart:2.8.1": docker.io/shop/cart:2.8.1: not found'
)


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (NOT_FOUND, "not found"),
        ('failed to resolve reference "ghcr.io/a/b:1": failed to authorize: 401 Unauthorized', "unauthorized"),
        (
            'failed to resolve reference "docker.io/a/b:1": pull access denied, may require authorization: server message: '
            "insufficient_scope: authorization failed",
            "unauthorized, or no such repository",
        ),
        ('failed to do request: Head "https://reg.corp/v2/a": dial tcp: lookup reg.corp on 10.96.0.10:53: no such host', "no such host reg.corp"),
        ('failed to do request: Head "https://reg.corp/v2/a": dial tcp: lookup reg.corp: Try again', "name reg.corp not resolved"),
        ('Head "https://10.1.1.1:5000/v2/a": dial tcp 10.1.1.1:5000: connect: connection refused', "connection refused"),
        (
            'Get "https://reg/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
            "certificate: certificate signed by unknown authority",
        ),
        ("429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit", "rate limit of the registry reached"),
        ("no match for platform in manifest: not found", "not made for the node's platform"),
        ('Failed to apply default image tag "a b": couldn\'t parse image name "a b": invalid reference format', "no valid image name"),
        ("write /var/lib/containerd: no space left on device", "no space left on the node"),
        ('Get "https://reg/v2/": context deadline exceeded', "timeout"),
        ('Get "https://reg/v2/": http: server gave HTTP response to HTTPS client', "the registry speaks plain HTTP"),
        ('Container image "shop/app:1" is not present with pull policy of Never', "not on the node, and pulling is Never"),
        ("failed to unpack: something of tomorrow", "something of tomorrow"),
    ],
)
def test_an_image_that_cannot_be_pulled(message: str, cause: str) -> None:
    assert why(sick(waiting("ErrImagePull", message), phase="Pending")) == f"image shop/app:1: {cause}"


def test_while_it_backs_off_the_cause_is_in_the_message_or_an_event() -> None:
    assert why(sick(waiting("ImagePullBackOff", f'Back-off pulling image "shop/app:1": ErrImagePull: {NOT_FOUND}'))) == "image shop/app:1: not found"
    stores = cluster()
    quiet = sick(waiting("ImagePullBackOff", 'Back-off pulling image "shop/app:1"'))
    assert why(quiet, stores) == "image shop/app:1 cannot be pulled"
    event(stores, "Failed", f'Failed to pull image "shop/app:1": {NOT_FOUND}')
    assert why(quiet, stores) == "image shop/app:1: not found"
    assert fields(quiet, stores)["event Failed"].endswith("not found")


def test_a_missing_secret_for_the_registry_is_what_to_do() -> None:
    found = explain_pod(sick(waiting("ErrImagePull", "401 Unauthorized")), cluster())[0]
    assert "imagePullSecret" in found.next
    assert found.level is Level.BAD


# ---- configuration -----------------------------------------------------------------------------------------------------------


def misses(message: str) -> Any:
    return sick(waiting("CreateContainerConfigError", message), phase="Pending")


def test_a_key_that_is_not_there() -> None:
    stores = cluster()
    pod = misses("couldn't find key DB_URL in ConfigMap shop/checkout-env")
    put(stores, k.CONFIGMAPS, "checkout-env", data={"DB_HOST": "x"})
    assert why(pod, stores) == "ConfigMap checkout-env has no key DB_URL"
    assert fields(pod, stores)["data"] == "keys: DB_HOST"
    put(stores, k.CONFIGMAPS, "checkout-env", data={"DB_URL": "x"})
    assert why(pod, stores) == "ConfigMap checkout-env is there now: the kubelet tries again"
    refuse(stores, k.CONFIGMAPS)
    assert why(pod, stores) == "ConfigMap checkout-env has no key DB_URL"  # the kubelet's word is enough


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('configmap "checkout-env" not found', "ConfigMap checkout-env not found"),
        ('secret "db" not found', "Secret db not found"),
        ("couldn't find key pass in Secret shop/db", "Secret db has no key pass"),
        ("container has runAsNonRoot and image will run as root", "container has runAsNonRoot and image will run as root"),
        ("", "CreateContainerConfigError"),
    ],
)
def test_what_else_the_kubelet_misses(message: str, expected: str) -> None:
    assert why(misses(message)) == expected


# ---- crashes -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (crashing(1, message="boot\nDB_URL is not set\n\n"), "exit 1: DB_URL is not set"),
        (crashing(1), "exit 1"),
        (crashing(2, "Custom"), "exit 2 (Custom)"),
        (crashing(137), "exit 137 (SIGKILL, killed)"),
        (crashing(143), "exit 143 (SIGTERM, told to stop)"),
        (crashing(139), "exit 139 (SIGSEGV, segmentation fault)"),
        (crashing(127), "exit 127 (command not found)"),
        (crashing(150), "exit 150 (signal 22)"),
        (crashing(0, "Completed"), "exit 0 and started again: its command comes to an end"),
        (crashing(137, "OOMKilled"), "limit 256Mi reached, exit 137"),
        (
            crashing(
                128,
                "StartError",
                "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable "
                'to start container process: exec: "nope": executable file not found in $PATH: unknown',
            ),
            "command nope: not found in the image",
        ),
        (waiting("CrashLoopBackOff", "back-off"), "crashes; how it ended is not known"),
        (container(ended(3)), "exit 3"),
        (container(ended(137, "OOMKilled")), "limit 256Mi reached, exit 137"),
    ],
)
def test_how_a_container_ended(status: dict[str, Any], expected: str) -> None:
    pod = sick(status, app={"resources": {"limits": {"memory": "256Mi"}}})
    assert why(pod) == expected
    assert explain_pod(pod, cluster())[0].level is Level.BAD


def test_out_of_memory_without_a_limit() -> None:
    assert why(sick(crashing(137, "OOMKilled"))) == "out of memory on the node, no limit of its own, exit 137"
    whole = sick(crashing(137, "OOMKilled"), spec={"resources": {"limits": {"memory": "1Gi"}}})
    assert why(whole) == "limit 1Gi reached, exit 137"


def test_the_evidence_of_a_crash_loop() -> None:
    found = fields(sick(crashing(1, message="DB_URL is not set")), now=NOW)
    at = "status.containerStatuses[app]"
    assert found == {
        f"{at}.lastState.terminated.exitCode": "1",
        f"{at}.lastState.terminated.reason": "Error",
        f"{at}.lastState.terminated.message": "DB_URL is not set",
        f"{at}.restartCount": "7",
        f"{at}.state.waiting.message": "back-off 5m0s, next start in 3m",
    }


def test_a_container_is_named_where_it_could_be_another() -> None:
    assert why(sick(running(True, name="web"), crashing(1, name="proxy"))) == "proxy: exit 1"


def test_a_container_that_the_kubelet_killed_for_its_probe() -> None:
    stores = cluster()
    probe = {"livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}}}
    event(stores, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", path="spec.containers{app}", at=ENDED)
    assert why(sick(crashing(137), app=probe), stores) == "liveness /healthz 500, killed: exit 137"
    assert why(sick(crashing(1), app=probe), stores) == "exit 1"  # it ended by itself
    event(
        stores, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500", path="spec.containers{app}", at="2026-06-01T11:40:00Z"
    )
    assert why(sick(crashing(137), app=probe), stores) == "exit 137 (SIGKILL, killed)"  # that was the run before


@pytest.mark.parametrize("reason", ["RunContainerError", "CreateContainerError"])
def test_a_container_that_cannot_be_started(reason: str) -> None:
    assert why(sick(waiting(reason, 'exec: "/app": permission denied: unknown'))) == "command /app: permission denied"
    assert why(sick(waiting(reason, 'failed to reserve container name "app_web-0"'))) == 'cannot start: failed to reserve container name "app_web-0"'


def test_a_reason_of_tomorrow_is_told_as_it_is() -> None:
    assert why(sick(waiting("QuantumError", "the cat is both"))) == "the cat is both"


def test_a_restart_of_a_moment_ago_is_worth_a_look() -> None:
    well = sick(running(True, restartCount=1, lastState=ended(137, "OOMKilled")), status={"conditions": [{"type": "Ready", "status": "True"}]})
    found = explain_pod(well, cluster(), NOW)
    assert [(f.level, f.clause) for f in found] == [
        (Level.WARN, "restarted 2m ago: out of memory on the node, no limit of its own, exit 137"),
    ]
    assert explain_pod(well, cluster(), NOW + timedelta(minutes=9)) == []  # long ago
    assert explain_pod(well, cluster()) == []  # without a time nothing is said that changes by itself


# ---- init containers -----------------------------------------------------------------------------------------------------------


def initial(status: dict[str, Any], **spec: Any) -> Any:
    fresh = {"conditions": [{"type": "Initialized", "status": "False"}], "initContainerStatuses": [status]}
    containers = {"initContainers": [{"name": "setup", "image": "shop/setup:1", **spec}]}
    return sick(waiting("PodInitializing"), spec=containers, phase="Pending", status=fresh)


def test_an_init_container_in_the_way() -> None:
    assert why(initial(crashing(1, message="no database", name="setup"))) == "init setup: exit 1: no database"
    assert why(initial(waiting("ErrImagePull", NOT_FOUND, name="setup"))) == "init setup: image shop/setup:1: not found"
    assert why(initial(running(name="setup"))) == "init setup runs, 1 of 1"
    again = running(name="setup", restartCount=2, lastState=ended(1))
    assert why(initial(again)) == "init setup runs, 1 of 1, after exit 1"


def test_a_sidecar_that_does_not_start() -> None:
    probe = {"httpGet": {"path": "/ready", "port": 15021}, "failureThreshold": 30}
    stores = cluster()
    event(
        stores,
        "Unhealthy",
        'Startup probe failed: Get "http://10.0.0.9:15021/ready": dial tcp: connect: connection refused',
        count=4,
        path="spec.initContainers{setup}",
    )
    assert why(initial(running(name="setup", started=False), restartPolicy="Always", startupProbe=probe), stores) == (
        "setup: startup /ready connection refused, 4 of 30"
    )


# ---- not yet created -----------------------------------------------------------------------------------------------------------


def creating(**spec: Any) -> Any:
    return sick(waiting("ContainerCreating"), spec=spec, phase="Pending")


def test_what_holds_up_a_pod_that_has_a_node() -> None:
    stores = cluster()
    assert why(creating(), stores) == ""
    event(stores, "Pulling", 'Pulling image "shop/app:1"', kind="Normal")
    assert why(creating(), stores) == "pulling image shop/app:1"
    event(stores, "FailedMount", 'MountVolume.SetUp failed for volume "cfg" : configmap "checkout-env" not found')
    assert why(creating(), stores) == "ConfigMap checkout-env not found"
    event(stores, "FailedMount", 'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32. Output: x')
    assert why(creating(), stores) == "volume data: mount failed: exit status 32"


def test_a_volume_that_another_node_still_holds() -> None:
    stores = cluster()
    event(stores, "FailedAttachVolume", 'Multi-Attach error for volume "pvc-7f3a" Volume is already exclusively attached to one node')
    assert why(creating(), stores) == "volume pvc-7f3a is still attached to another node"


def test_a_volume_of_a_configuration_that_is_not_there_needs_no_event() -> None:
    stores = cluster()
    pod = creating(volumes=[{"name": "cfg", "configMap": {"name": "settings"}}])
    assert why(pod, stores) == "ConfigMap settings not found"
    refuse(stores, k.CONFIGMAPS)
    assert why(pod, stores) == ""  # we could not look: nothing is concluded
    assert why(creating(volumes=[{"name": "cfg", "configMap": {"name": "settings", "optional": True}}])) == ""


# ---- probes --------------------------------------------------------------------------------------------------------------------

LOGIN = {"readinessProbe": {"httpGet": {"path": "/login", "port": "http"}}, "ports": [{"name": "http", "containerPort": 8080}]}


@pytest.mark.parametrize(
    ("probe", "message", "count", "expected"),
    [
        ({"httpGet": {"path": "/login", "port": 8080}}, "HTTP probe failed with statuscode: 503", 2, "readiness /login 503, 2 of 3"),
        ({"httpGet": {"path": "/login", "port": 8080}}, "HTTP probe failed with statuscode: 503", 9, "readiness /login 503, 9 times"),
        (
            {"httpGet": {"port": 8080}},
            'Get "http://10.0.0.9:8080/": dial tcp 10.0.0.9:8080: connect: connection refused',
            1,
            "readiness / connection refused, 1 of 3",
        ),
        (
            {"httpGet": {"port": 8080}, "timeoutSeconds": 2},
            'Get "http://10.0.0.9/": context deadline exceeded (Client.Timeout exceeded)',
            1,
            "readiness / timeout after 2s, 1 of 3",
        ),
        ({"tcpSocket": {"port": 3306}}, "dial tcp 10.0.0.9:3306: connect: connection refused", 1, "readiness :3306 connection refused, 1 of 3"),
        ({"grpc": {"port": 9090}}, 'service unhealthy (responded with "NOT_SERVING")', 1, "readiness grpc :9090 NOT_SERVING, 1 of 3"),
        (
            {"exec": {"command": ["/usr/bin/mysqladmin", "ping"]}},
            "mysqladmin: connect failed\nerror: 'Access denied'\n",
            1,
            "readiness exec mysqladmin error: 'Access denied', 1 of 3",
        ),
        ({"exec": {"command": ["check"]}}, "", 1, "readiness exec check fails, 1 of 3"),
    ],
)
def test_a_readiness_probe_that_fails(probe: dict[str, Any], message: str, count: int, expected: str) -> None:
    stores = cluster()
    event(stores, "Unhealthy", f"Readiness probe failed: {message}", count=count, path="spec.containers{app}")
    pod = sick(running(), app={"readinessProbe": probe})
    assert why(pod, stores) == expected
    assert explain_pod(pod, stores)[0].level is Level.BUSY


def test_the_evidence_of_a_probe() -> None:
    stores = cluster()
    event(stores, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", path="spec.containers{app}")
    assert fields(sick(running(), app=LOGIN), stores) == {
        "event Unhealthy": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "spec.containers[app].readinessProbe": "GET /login:http (8080), every 10s, 3 failures",
        "status.containerStatuses[app].ready": "false",
        "event Unhealthy count": "1, threshold 3",
    }


def test_an_event_of_the_run_before_proves_nothing() -> None:
    stores = cluster()
    event(
        stores, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", path="spec.containers{app}", at="2026-06-01T11:40:00Z"
    )
    assert why(sick(running(), app=LOGIN), stores) == "readiness /login has not succeeded yet"


def test_without_events_only_the_probe_is_known() -> None:
    stores = cluster()
    refuse(stores, k.EVENTS)
    assert why(sick(running(), app=LOGIN), stores) == "readiness /login has not succeeded yet (could not look: may not list events)"


def test_the_startup_probe_goes_first() -> None:
    stores = cluster()
    app = {**LOGIN, "startupProbe": {"httpGet": {"path": "/up", "port": 8080}, "failureThreshold": 30}}
    event(stores, "Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503", count=12, path="spec.containers{app}")
    assert why(sick(running(started=False), app=app), stores) == "startup /up 503, 12 of 30"
    assert why(sick(running(), app=app), stores) == "readiness /login has not succeeded yet"


# ---- ended, ending, lost ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            {"reason": "Evicted", "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "},
            "node worker-1 low on memory",
        ),
        (
            {"reason": "Evicted", "message": "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. "},
            "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi",
        ),
        ({"reason": "DeadlineExceeded", "message": "Pod was active on the node longer than the specified deadline"}, "ran longer than its deadline"),
        (
            {"reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu, requested: 4, used: 1, capacity: 2"},
            "Node didn't have enough resource: cpu, requested: 4, used: 1, capacity: 2",
        ),
        ({"reason": "Terminated", "message": "Pod was terminated in response to imminent node shutdown."}, "node worker-1 was shut down"),
        (
            {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "x"}]},
            "made room for a pod of higher priority",
        ),
        ({}, "failed without a word"),
    ],
)
def test_a_pod_that_failed(status: dict[str, Any], expected: str) -> None:
    assert why(sick(phase="Failed", status=status)) == expected


def test_a_pod_that_failed_by_its_container() -> None:
    assert why(sick(container(ended(3, message="no rows")), phase="Failed")) == "exit 3: no rows"


GONE: dict[str, Any] = {"deletionTimestamp": "2026-06-01T11:56:00Z"}


def test_a_pod_that_does_not_go() -> None:
    held = sick(container(ended(0, "Completed")), finalizers=["batch.kubernetes.io/job-tracking"], **GONE)
    assert why(held) == "held by finalizer batch.kubernetes.io/job-tracking"
    assert why(sick(running(True), finalizers=["x/y"], **GONE)) == ""  # its containers hold it
    late = sick(running(True), **GONE)
    assert why(late, now=datetime(2026, 6, 1, 11, 56, 4, tzinfo=UTC)) == ""
    assert why(late) == ""
    assert why(late, now=NOW) == "grace period over 4m ago, app still runs"
    moved = sick(running(True), status={"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]}, **GONE)
    assert why(moved) == "evicted by a NoExecute taint of its node"


def test_a_lost_node_says_more_than_its_last_word_on_the_pod() -> None:
    stores = cluster()
    put(
        stores,
        k.NODES,
        "worker-1",
        status={"conditions": [{"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}]},
    )
    pod = sick(running(True))
    assert why(pod, stores) == "node worker-1 does not report: Kubelet stopped posting node status"
    assert why(sick(running(True), **GONE), stores) == "node worker-1 does not report: Kubelet stopped posting node status"
    refuse(stores, k.NODES)
    assert why(sick(running(True), status={"reason": "NodeLost"}), stores) == "node worker-1 is lost (could not look: may not list nodes)"


def test_a_node_that_does_not_exist() -> None:
    pod = sick(spec={"nodeName": "nope"}, phase="Pending", status={"conditions": []})
    assert why(pod) == "node nope does not exist"
    assert fields(pod)["metadata.name"] == "worker-1"
    stores = cluster()
    refuse(stores, k.NODES)
    assert why(pod, stores) == ""


def test_readiness_gates() -> None:
    ready = [{"type": "ContainersReady", "status": "True"}, {"type": "Ready", "status": "False"}]
    spec = {"readinessGates": [{"conditionType": "lb/ready"}]}
    assert why(sick(running(True), spec=spec, status={"conditions": ready})) == "readiness gate lb/ready: nobody has set it"
    shut = {"type": "lb/ready", "status": "False", "reason": "X", "message": "target is unhealthy."}
    assert why(sick(running(True), spec=spec, status={"conditions": [*ready, shut]})) == "readiness gate lb/ready: target is unhealthy"


# ---- what holds for all of them --------------------------------------------------------------------------------------------------


def test_healthy_and_finished_pods_need_no_words() -> None:
    well = sick(running(True), status={"conditions": [{"type": "Ready", "status": "True"}]})
    assert explain_pod(well, cluster(), NOW) == []
    assert explain_pod(sick(phase="Succeeded"), cluster(), NOW) == []


def test_the_worst_comes_first() -> None:
    stores = cluster()
    pod = sick(running(name="web"), crashing(1, name="app"), spec={"containers": [{"name": "web", **LOGIN}, {"name": "app"}]})
    assert [f.clause for f in explain_pod(pod, stores)] == ["app: exit 1", "web: readiness /login has not succeeded yet"]
    assert [f.level for f in explain_pod(pod, stores)] == [Level.BAD, Level.BUSY]


def test_a_rule_that_comes_late_may_say_the_worst() -> None:
    moved = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    found = explain_pod(sick(crashing(1), status={"conditions": [moved]}, **GONE), cluster())
    assert [f.clause for f in found] == ["exit 1", "evicted (drain or eviction request)"]


def test_every_rule_is_registered_once() -> None:
    assert len(set(POD_RULES)) == len(POD_RULES) >= 12
    assert STARTED < ENDED < LATER
