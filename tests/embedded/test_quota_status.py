"""ResourceQuota status: what comes is counted at once, what goes soon; figures of a real 1.35.4."""

from __future__ import annotations

from typing import Any

import pytest

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.quotas import QUOTAS, QuotaController
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError

HARD = {
    "pods": "10",
    "requests.cpu": "2",
    "limits.memory": "4Gi",
    "services": "5",
    "configmaps": "10",
    "count/deployments.apps": "4",
    "services.nodeports": "3",
    "requests.storage": "10Gi",
    "persistentvolumeclaims": "3",
    "secrets": "9",
}
ZERO = {**dict.fromkeys(HARD, "0"), "configmaps": "1"}
SCOPED: dict[str, dict[str, Any]] = {
    "best": {"hard": {"pods": "4"}, "scopes": ["BestEffort"]},
    "notbest": {"hard": {"pods": "4", "requests.cpu": "1"}, "scopes": ["NotBestEffort"]},
    "term": {"hard": {"pods": "4"}, "scopes": ["Terminating"]},
    "prio": {
        "hard": {"pods": "4"},
        "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}]},
    },
}


@pytest.fixture
def cluster(core: Core) -> Core:
    QuotaController(core).start()
    return core


def advance(core: Core, seconds: float = 0.0) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(seconds)


def quota(core: Core, name: str, spec: dict[str, Any]) -> None:
    core.client("test").create(QUOTAS, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    advance(core)


def used(core: Core, name: str) -> dict[str, str]:
    found = core.storage.read(QUOTAS, "default", name)
    assert found is not None
    assert found["status"]["hard"] == found["spec"]["hard"]
    return dict(found["status"]["used"])


def pod(core: Core, name: str, cpu: str = "", memory: str = "", **spec: Any) -> None:
    resources = {"requests": {"cpu": cpu}, "limits": {"memory": memory}} if cpu else {}
    body = {"containers": [{"name": "c", "image": "x", "resources": resources}], **spec}
    core.client("test").create("pods", {"metadata": {"name": name, "namespace": "default"}, "spec": body})


def test_as_on_a_real_server(cluster: Core) -> None:
    client = cluster.client("test")
    client.delete("services", "default", "kubernetes")
    quota(cluster, "all", {"hard": HARD})
    for name, spec in SCOPED.items():
        quota(cluster, name, spec)
    assert used(cluster, "all") == ZERO
    pod(cluster, "a", "250m", "256Mi", activeDeadlineSeconds=600)
    pod(cluster, "b", "500m", "1Gi")
    ports = [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]
    client.create("services", {"metadata": {"name": "np", "namespace": "default"}, "spec": {"type": "NodePort", "ports": ports}})
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}
    client.create("persistentvolumeclaims", {"metadata": {"name": "d", "namespace": "default"}, "spec": claim})
    full = {"limits.memory": "1280Mi", "persistentvolumeclaims": "1", "pods": "2", "requests.cpu": "750m", "requests.storage": "1Gi"}
    full |= {"services": "1", "services.nodeports": "2"}
    assert used(cluster, "all") == {**ZERO, **full}  # at once, by admission
    assert [used(cluster, name)["pods"] for name in SCOPED] == ["0", "2", "1", "0"]
    with pytest.raises(ApiError) as refused:
        pod(cluster, "besteffort")
    assert str(refused.value) == 'pods "besteffort" is forbidden: failed quota: all: must specify limits.memory for: c; requests.cpu for: c'
    advance(cluster)
    client.delete("pods", "default", "b")
    advance(cluster)
    client.delete("services", "default", "np")
    advance(cluster)
    left = {"limits.memory": "256Mi", "persistentvolumeclaims": "1", "pods": "1", "requests.cpu": "250m", "requests.storage": "1Gi"}
    assert used(cluster, "all") == {**ZERO, **left}
    assert [used(cluster, name)["pods"] for name in SCOPED] == ["0", "1", "1", "0"]
    assert used(cluster, "notbest")["requests.cpu"] == "250m"


def test_scoped_quota_refuses_only_what_it_means(cluster: Core) -> None:
    quota(cluster, "best", {"hard": {"pods": "1"}, "scopes": ["BestEffort"]})
    pod(cluster, "one")
    pod(cluster, "charged", "1m", "1Mi")
    with pytest.raises(ApiError, match="exceeded quota: best, requested: pods=1, used: pods=1, limited: pods=1"):
        pod(cluster, "two")


def test_finished_pods_make_room(cluster: Core) -> None:
    quota(cluster, "all", {"hard": {"pods": "1", "count/pods": "5"}})
    pod(cluster, "a")
    advance(cluster)
    cluster.client("kubelet").patch_status("pods", "default", "a", {"phase": "Succeeded"})
    advance(cluster)
    assert used(cluster, "all") == {"pods": "0", "count/pods": "1"}
    pod(cluster, "b")


def test_changed_limits_and_changed_services(cluster: Core) -> None:
    quota(cluster, "all", {"hard": {"services.nodeports": "3"}})
    client = cluster.client("test")
    spec = {"type": "NodePort", "ports": [{"port": 80}]}
    client.create("services", {"metadata": {"name": "np", "namespace": "default"}, "spec": spec})
    advance(cluster)
    client.patch("services", "default", "np", {"spec": {"type": "ClusterIP"}})
    advance(cluster)
    assert used(cluster, "all") == {"services.nodeports": "0"}
    client.patch(QUOTAS, "default", "all", {"spec": {"hard": {"services.nodeports": "9", "services": "4"}}})
    advance(cluster)
    assert used(cluster, "all") == {"services.nodeports": "0", "services": "2"}  # `kubernetes` is one


def test_drift_is_put_right_within_five_minutes(cluster: Core) -> None:
    quota(cluster, "all", {"hard": {"pods": "9"}})
    advance(cluster, 10)
    meta = {"name": "unseen", "namespace": "default"}
    cluster.storage.put("pods", {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": {"containers": []}})  # past admission
    advance(cluster, 1)
    assert used(cluster, "all") == {"pods": "0"}
    advance(cluster, 300)
    assert used(cluster, "all") == {"pods": "1"}


def test_nothing_is_written_when_nothing_changes(cluster: Core) -> None:
    quota(cluster, "all", {"hard": HARD})
    before = cluster.storage.revision
    advance(cluster, 3600)
    assert cluster.storage.revision == before
