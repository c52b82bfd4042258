from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from builders import NOW, make, pod, put
from insight.any_pod import any_pod
from insight.test_scheduling import bound, claim, local_volume, node, pending
from insight.why_samples import cluster, refuse
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.insight import pods, scheduler_message
from kubepane.insight.finding import Finding, Level
from kubepane.insight.why import explain_pod
from recordings import recorded

RECORDED = recorded("failed-scheduling")
PREEMPTION = " no new claims to deallocate, preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
SSD = {"nodeSelector": {"disk": "ssd"}}


def say(stores: Stores, waiting: Any, message: str = "0/4 nodes are available: 4 node(s) had untolerated taint(s).") -> Finding:
    """The first finding of a pod of which the scheduler said this."""
    return all_of(stores, waiting, message)[0]


def all_of(stores: Stores, waiting: Any, message: str = "") -> list[Finding]:
    body = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}
    told = make(k.PODS, waiting.metadata.name, uid=waiting.metadata.uid, status=body)
    return explain_pod(told.__class__(metadata=waiting.metadata, spec=waiting.spec, status=told.status), stores)


def look() -> Stores:
    """The cluster of the pictures: a control plane, two full workers, one that is kept for others."""
    stores = cluster("x")
    stores.nodes.replace([])
    node(stores, "chat-control-plane", taint="node-role.kubernetes.io/control-plane:NoSchedule")
    for name in ("chat-worker", "chat-worker2"):
        node(stores, name)
        bound(stores, f"full-{name}", name, "3950m")
    node(stores, "chat-worker3", taint="dedicated=chatapp:NoSchedule")
    return stores


# ---- what is worked out ------------------------------------------------------------------------------------------------------------


def test_the_clause_of_the_pictures() -> None:
    stores = look()
    found = say(stores, pending(stores, cpu="200m"))
    assert found.clause == "taint dedicated=chatapp:NoSchedule on chat-worker3 · cpu full on 2 nodes"
    assert found.level is Level.WAIT
    assert found.next == "tolerate dedicated=chatapp:NoSchedule in the pod, or remove the taint there"
    assert [(e.object, e.field, e.value) for e in found.evidence][:2] == [
        ("node/chat-worker3", "spec.taints", "dedicated=chatapp:NoSchedule"),
        ("node/chat-worker", "status.allocatable[cpu]", "4, of which 3950m is requested; the pod asks 200m"),
    ]
    assert found.evidence[-1].field == "status.conditions[PodScheduled].message"


def test_the_control_plane_is_named_where_there_is_nothing_else() -> None:
    stores = cluster("x")
    stores.nodes.replace([])
    node(stores, "cp-0", taint="node-role.kubernetes.io/control-plane:NoSchedule")
    assert say(stores, pending(stores)).clause == "taint node-role.kubernetes.io/control-plane:NoSchedule on cp-0"


def test_no_node_is_large_enough_whatever_the_control_plane_has() -> None:
    stores = look()
    stores.nodes.drop(stores.nodes.named("", "chat-worker3").metadata.uid)  # type: ignore[union-attr]
    assert say(stores, pending(stores, cpu="5")).clause == "asks cpu 5, no node has more than 4"


@pytest.mark.parametrize(
    ("spec", "clause"),
    [
        ({"cpu": "5"}, "asks cpu 5, no node has more than 4"),
        ({"container": {"resources": {"requests": {"nvidia.com/gpu": "1"}}}}, "no nvidia.com/gpu on all 2 nodes"),
        (SSD, "no label disk=ssd on all 2 nodes"),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
                        }
                    }
                }
            },
            "node affinity zone=a not met on all 2 nodes",
        ),
        ({"container": {"ports": [{"hostPort": 80}]}}, "host port 80/TCP taken on all 2 nodes"),
        (
            {
                "affinity": {
                    "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
                        ]
                    }
                }
            },
            "anti-affinity app=web on all 2 nodes",
        ),
        (
            {
                "affinity": {
                    "podAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {"labelSelector": {"matchLabels": {"app": "cache"}}, "topologyKey": "kubernetes.io/hostname"}
                        ]
                    }
                }
            },
            "no pod app=cache near, on all 2 nodes",
        ),
        ({"cpu": "3", "container": {"resources": {"requests": {"cpu": "3950m", "memory": "8Gi"}}}}, "cpu and memory full on all 2 nodes"),
    ],
)
def test_each_reason_in_words(spec: dict[str, Any], clause: str) -> None:
    stores = cluster("x")
    stores.nodes.replace([])
    for name in ("a", "b"):
        node(stores, name)
        more: dict[str, Any] = {"container": {"ports": [{"hostPort": 80}], "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}}}
        bound(stores, f"on-{name}", name, labels={"app": "web"}, **more)
    assert say(stores, pending(stores, **spec)).clause == clause


def test_a_node_that_has_a_state_is_told_by_its_state() -> None:
    stores = cluster("x")
    stores.nodes.replace([])
    node(stores, "a", taint="node.kubernetes.io/not-ready:NoSchedule")
    node(stores, "b", cordoned=True)
    found = say(stores, pending(stores))
    assert found.clause == "a not ready · b cordoned"
    assert found.next == "see why node a is so"


def test_a_volume_that_is_elsewhere() -> None:
    stores = cluster("x")
    stores.nodes.replace([])
    node(stores, "a")
    node(stores, "b", taint="x:NoSchedule")
    held = claim(stores, volume="pv", phase="Bound", storageClassName="local")
    local_volume(stores, "pv", "b", "Bound", claimRef={"namespace": "shop", "name": "data", "uid": held.metadata.uid})
    mount = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    assert say(stores, pending(stores, volumes=mount)).clause == "taint x:NoSchedule on b · volume pv only on b"


def test_a_claim_that_blocks_comes_before_the_nodes() -> None:
    stores = look()
    claim(stores, "data-reports-0", storageClassName="fast")
    mount = [{"name": "data", "persistentVolumeClaim": {"claimName": "data-reports-0"}}]
    found = all_of(stores, pending(stores, volumes=mount), "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found")
    assert [f.clause for f in found] == ["claim data-reports-0 unbound: no StorageClass fast (have: none)"]
    assert found[0].next.startswith("create StorageClass fast")
    gone = [{"name": "data", "persistentVolumeClaim": {"claimName": "nope"}}]
    assert say(stores, pending(stores, volumes=gone), '0/4 nodes are available: persistentvolumeclaim "nope" not found. not found').clause == (
        "claim nope does not exist"
    )


def test_a_volume_that_is_being_provisioned() -> None:
    stores = cluster("worker-1")
    put(stores, k.STORAGECLASSES, "fast", "", provisioner="example.com/disks", volumeBindingMode="WaitForFirstConsumer")
    mount = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    claim(stores, storageClassName="fast")
    waiting = pending(stores, volumes=mount)
    assert say(stores, waiting, "").clause == "fits on worker-1 now: waits for the scheduler"  # it waits for the pod, not the pod for it
    notes = {"volume.kubernetes.io/selected-node": "worker-1"}
    put(stores, k.CLAIMS, "data", spec={"storageClassName": "fast"}, status={"phase": "Pending"}, annotations=notes)
    found = [f.clause for f in explain_pod(waiting, stores)]
    assert found == ["claim data unbound: waits for provisioner example.com/disks on node worker-1"]


# ---- what only the scheduler knows ---------------------------------------------------------------------------------------------------


def test_a_reason_that_we_do_not_compute_is_the_schedulers() -> None:
    stores = look()
    stores.pods.replace([])
    spread = "0/4 nodes are available: 2 node(s) didn't match pod topology spread constraints, 2 node(s) had untolerated taint(s)." + PREEMPTION
    assert say(stores, pending(stores), spread).clause == (
        "taint dedicated=chatapp:NoSchedule on chat-worker3 · scheduler: topology spread not met on 2 nodes"
    )


def test_room_taken_by_pods_that_we_may_not_see() -> None:
    stores = look()
    stores.pods.replace([])
    message = "0/4 nodes are available: 2 Insufficient cpu, 2 node(s) had untolerated taint(s)." + PREEMPTION
    assert say(stores, pending(stores), message).clause == "taint dedicated=chatapp:NoSchedule on chat-worker3 · scheduler: cpu full on 2 nodes"


def test_nodes_that_may_not_be_listed() -> None:
    stores = cluster()
    refuse(stores, k.NODES)
    found = say(stores, pending(stores), RECORDED["cpu-memory"]["message"])
    assert found.clause == ("untolerated taints on 1 node · cpu full on 3 nodes · memory full on 3 nodes · which nodes: may not list nodes")
    assert found.evidence[0].field == "status.conditions[PodScheduled].message"


def test_a_cause_that_has_gone() -> None:
    stores = cluster("worker-1")
    found = say(stores, pending(stores), "")
    assert found.clause == "fits on worker-1 now: waits for the scheduler"


def test_nobody_has_looked_yet() -> None:
    stores = cluster("worker-1")
    assert explain_pod(pending(stores), stores)[0].clause == "the scheduler has not looked at it yet"
    assert explain_pod(pending(stores, schedulerName="volcano"), stores)[0].clause == "scheduler volcano has not looked at it"


def test_gates() -> None:
    stores = cluster("worker-1")
    found = explain_pod(pending(stores, schedulingGates=[{"name": "quota/x"}]), stores)
    assert [f.clause for f in found] == ["scheduling gate quota/x"]


def test_a_pod_that_preempts_says_so() -> None:
    stores = cluster("worker-1")
    waiting = pending(stores)
    body = {"phase": "Pending", "nominatedNodeName": "worker-1", "conditions": [{"type": "PodScheduled", "status": "False", "message": ""}]}
    put(stores, k.PODS, "p", uid=waiting.metadata.uid, spec={}, status=body)
    told = stores.pods.get(waiting.metadata.uid)
    assert told is not None
    assert explain_pod(told, stores)[-1].clause == "takes the place of pods on worker-1, once they have ended"


def test_many_reasons_are_cut() -> None:
    stores = cluster("x")
    stores.nodes.replace([])
    for i in range(8):
        node(stores, f"n{i}", taint=f"k{i}:NoSchedule")
    assert say(stores, pending(stores)).clause.endswith("k3:NoSchedule on n3 · 4 more reasons")
    assert len(say(stores, pending(stores)).evidence) <= 13


def test_the_workload_to_change_is_named() -> None:
    stores = look()
    deployment = put(stores, k.DEPLOYMENTS, "chatapp")
    rs = put(stores, k.REPLICASETS, "chatapp-7c9f", owner=deployment)
    waiting = put(stores, k.PODS, "p", owner=rs, spec={"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]}, status={})
    assert say(stores, waiting).next.startswith("tolerate dedicated=chatapp:NoSchedule in deploy/chatapp, ")


def test_nodes_that_are_still_being_read() -> None:
    stores = cluster()
    stores.nodes.replace([])
    stores.nodes.set_freshness(Freshness(State.SYNCING))
    assert "nodes not read yet" in say(stores, pending(stores)).clause


# ---- the scheduler's words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "parts"),
    [
        ("taint-all", ["untolerated taints on 4 nodes"]),
        ("cpu-memory", ["untolerated taints on 1 node", "cpu full on 3 nodes", "memory full on 3 nodes"]),
        ("selector", ["untolerated taints on 1 node", "node selector or affinity not met on 3 nodes"]),
        ("nodename-field", ["node affinity not met on 4 nodes"]),
        ("ext-resource", ["untolerated taints on 1 node", "nvidia.com/gpu full on 3 nodes"]),
        ("mixed-cordon-taint-cpu", ["cpu full on 1 node", "cordoned on 1 node", "untolerated taints on 2 nodes"]),
        ("wffc-static-no-pv", ["untolerated taints on 1 node", "no volume to bind on 3 nodes"]),
        ("anti-affinity", ["untolerated taints on 1 node", "pod anti-affinity on 3 nodes"]),
        ("pod-affinity", ["untolerated taints on 1 node", "pod affinity not met on 3 nodes"]),
        ("spread-missing-label", ["untolerated taints on 1 node", "topology spread: label missing on 3 nodes"]),
    ],
)
def test_recorded_messages(case: str, parts: list[str]) -> None:
    message = scheduler_message.parse(RECORDED[case]["message"])
    assert message.nodes == 4
    assert [scheduler_message.phrase(p) for p in message.parts] == parts


@pytest.mark.parametrize(
    ("case", "rest"),
    [
        ("unbound-claim", "pod has unbound immediate PersistentVolumeClaims"),
        ("claim-missing", 'persistentvolumeclaim "nope" not found'),
        ("wffc-waiting-provisioner", 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'),
    ],
)
def test_messages_about_the_pod_itself(case: str, rest: str) -> None:
    assert (scheduler_message.parse(RECORDED[case]["message"]).parts, scheduler_message.parse(RECORDED[case]["message"]).rest) == ((), rest)


def test_every_recorded_message_is_understood() -> None:
    for case, seen in RECORDED.items():
        message = scheduler_message.parse(seen["message"])
        assert bool(message.parts) != bool(message.rest) or not seen["message"], case
        assert all(p.kind != p.words and "node(s)" not in p.words for p in message.parts), case


def test_older_servers_name_the_taint() -> None:
    message = scheduler_message.parse(
        "0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: chatapp}, 2 node(s) had untolerated taint {gpu: }. preemption: 0/3 n"
    )
    assert [scheduler_message.phrase(p) for p in message.parts] == ["taint dedicated=chatapp on 1 node", "taint gpu on 2 nodes"]


# ---- whatever the cluster holds ------------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(any_pod())
def test_no_pod_is_too_odd_to_be_explained(case: Any) -> None:
    stores = look()
    pod(stores, "well")
    for finding in explain_pod(case, stores, NOW):
        assert finding.clause.strip()
        assert finding.evidence
        assert "\n" not in finding.clause
    if pods.level(case) in (Level.BAD, Level.WAIT):
        assert explain_pod(case, stores, NOW)
    for finding in explain_pod(case, Stores(), NOW):  # nothing could be looked at
        assert "does not exist" not in finding.clause
        assert finding.clause
