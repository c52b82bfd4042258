"""Workloads: rollouts and their words, the order of a StatefulSet, DaemonSets, Jobs."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.peers import Space, condition, container, is_ready, template, workload


def available(count: int) -> Any:
    def so(obj: Any) -> bool:
        status = obj["status"]
        return bool(
            status.get("observedGeneration", 0) >= obj["metadata"]["generation"]
            and status.get("availableReplicas", 0) == count == status.get("replicas", 0)
        )

    return so


def revisions(space: Space) -> dict[str, tuple[str, int]]:
    sets = space.door.get(space.apps("replicasets"))["items"]
    return {
        one["spec"]["template"]["spec"]["containers"][0]["image"]: (
            one["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
            one["spec"]["replicas"],
        )
        for one in sets
    }


def test_a_rollout_and_back(space: Space) -> None:
    door, path = space.door, space.apps("deployments", "web")
    door.create(space.apps("deployments"), workload("web", 3))
    ready = door.until(path, available(3))
    assert condition(ready, "Available") == ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    door.patch(
        path,
        [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.k8s.io/pause:3.9"}],
        "application/json-patch+json",
    )
    done = door.until(path, lambda d: available(3)(d) and d["status"].get("updatedReplicas") == 3)
    status, reason, message = condition(done, "Progressing")
    assert (status, reason) == ("True", "NewReplicaSetAvailable")
    assert message.startswith('ReplicaSet "web-')
    assert message.endswith('" has successfully progressed.')
    assert revisions(space) == {"registry.k8s.io/pause:3.10": ("1", 0), "registry.k8s.io/pause:3.9": ("2", 3)}
    assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    reasons = {(kind, reason) for kind, reason, _ in space.events("web")}
    assert reasons == {("Normal", "ScalingReplicaSet")}
    messages = [message for _, _, message in space.events("web")]
    assert any(message.startswith("Scaled up replica set web-") and message.endswith("from 0 to 3") for message in messages)
    door.patch(
        path,
        [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.k8s.io/pause:3.10"}],
        "application/json-patch+json",
    )
    door.until(path, lambda d: available(3)(d) and d["status"].get("updatedReplicas") == 3)
    assert revisions(space) == {"registry.k8s.io/pause:3.10": ("3", 3), "registry.k8s.io/pause:3.9": ("2", 0)}


@pytest.mark.needs_kubectl
def test_kubectl_waits_for_a_rollout_and_undoes_it(space: Space) -> None:
    space.door.create(space.apps("deployments"), workload("web", 2))
    assert "successfully rolled out" in space.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    space.kubectl("set", "image", "deployment/web", "c=registry.k8s.io/pause:3.9")
    assert "successfully rolled out" in space.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert [line.split()[0] for line in space.kubectl("rollout", "history", "deployment/web").splitlines()[2:] if line] == ["1", "2"]
    assert "rolled back" in space.kubectl("rollout", "undo", "deployment/web")
    space.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    assert [line.split()[0] for line in space.kubectl("rollout", "history", "deployment/web").splitlines()[2:] if line] == ["2", "3"]


def test_a_stuck_rollout_keeps_the_old_pods(space: Space) -> None:
    door, path = space.door, space.apps("deployments", "web")
    door.create(space.apps("deployments"), workload("web", 4, progressDeadlineSeconds=600))
    door.until(path, available(4))
    door.patch(path, {"spec": {"template": {"spec": {"nodeSelector": {"no": "where"}}}}})
    stuck = door.until(path, lambda d: d["status"].get("unavailableReplicas", 0) == 2 and d["status"].get("updatedReplicas") == 2)
    assert stuck["status"]["availableReplicas"] == 3  # 25 % of four may be away, 25 % more may come
    assert condition(stuck, "Progressing")[:2] == ("True", "ReplicaSetUpdated")


def test_a_stateful_set_goes_in_order(space: Space) -> None:
    door, path = space.door, space.apps("statefulsets", "db")
    with door.watch(space.core("pods") + "?watch=1&labelSelector=app%3Ddb", 90) as events:
        door.create(space.apps("statefulsets"), workload("db", 3, serviceName="db"))
        door.until(path, lambda s: s["status"].get("readyReplicas") == 3)
        door.patch(path, {"spec": {"replicas": 1}})
        ready: set[str] = set()
        order: list[str] = []
        while len(order) < 5:
            event = next(events)
            name = event["object"]["metadata"]["name"]
            if event["type"] == "ADDED":
                assert len(ready) == len(order), "the next one comes when the last one is ready"
                order.append(f"+{name}")
            elif event["type"] == "DELETED":
                order.append(f"-{name}")
            elif is_ready(event["object"]):
                ready.add(name)
    assert order == ["+db-0", "+db-1", "+db-2", "-db-2", "-db-1"]
    labels = door.get(space.core("pods", "db-0"))["metadata"]["labels"]
    assert (labels["apps.kubernetes.io/pod-index"], labels["statefulset.kubernetes.io/pod-name"]) == ("0", "db-0")
    assert "Create Pod db-0 in StatefulSet db successful" in space.told("db", "SuccessfulCreate")


def test_claims_of_a_stateful_set_stay(space: Space) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1Gi"}}},
    }
    space.door.create(space.apps("statefulsets"), workload("db", 1, serviceName="db", volumeClaimTemplates=[claim]))
    space.door.until(space.core("persistentvolumeclaims", "data-db-0"), lambda c: c["status"]["phase"] == "Pending")
    space.door.until(space.core("pods", "db-0"), lambda p: condition(p, "PodScheduled")[1] == "Unschedulable")
    space.door.patch(space.apps("statefulsets", "db"), {"spec": {"replicas": 0}})
    space.door.gone(space.core("pods", "db-0"))
    assert space.door.get(space.core("persistentvolumeclaims", "data-db-0"))["metadata"]["labels"] == {"app": "db"}


def test_a_daemon_set_has_one_pod_on_each_node_it_tolerates(space: Space) -> None:
    body = workload("agent", 0)
    del body["spec"]["replicas"]
    space.door.create(space.apps("daemonsets"), body)
    free = set(space.peer.nodes) - set(space.peer.tainted)
    done = space.door.until(space.apps("daemonsets", "agent"), lambda d: d["status"].get("numberReady") == len(free))
    assert done["status"]["desiredNumberScheduled"] == len(free)
    assert {one["spec"]["nodeName"] for one in space.pods()} == free
    space.door.patch(space.apps("daemonsets", "agent"), {"spec": {"template": {"spec": {"tolerations": [{"operator": "Exists"}]}}}})
    space.door.until(space.apps("daemonsets", "agent"), lambda d: d["status"].get("numberReady") == len(space.peer.nodes))


def test_a_job_ends_and_takes_its_pods_when_it_is_deleted(space: Space) -> None:
    spec = {
        "completions": 2,
        "parallelism": 1,
        "template": template({"app": "j"}, restartPolicy="Never", containers=[container(image="busybox:1.36", command=["true"])]),
    }
    space.door.create(space.path("batch/v1", "jobs"), {"metadata": {"name": "j"}, "spec": spec})
    done = space.door.until(space.path("batch/v1", "jobs", "j"), lambda j: condition(j, "Complete")[0] == "True", 90)
    assert done["status"]["succeeded"] == 2
    assert condition(done, "SuccessCriteriaMet")[:2] == ("True", "CompletionsReached")
    assert condition(done, "Complete")[2] == "Reached expected number of succeeded pods"
    space.door.delete(space.path("batch/v1", "jobs", "j"), {"propagationPolicy": "Background"})
    space.door.until(space.core("pods"), lambda found: found["items"] == [])


@pytest.mark.needs_kubelet
def test_a_failing_probe_restarts_and_a_missing_image_waits(space: Space) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 5}
    broken = {
        "metadata": {"name": "p", "annotations": {"sim.kubepane.io/probe-liveness": "503"}},
        "spec": {"containers": [container(image="nginx:1.27", livenessProbe=probe)]},
    }
    space.door.create(space.core("pods"), broken)
    space.door.until(space.core("pods", "p"), lambda p: p["status"].get("containerStatuses", [{}])[0].get("restartCount", 0) >= 1)
    assert "Liveness probe failed: HTTP probe failed with statuscode: 503" in space.told("p", "Unhealthy")
