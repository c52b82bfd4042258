"""Rollouts for tests: Deployments with their ReplicaSets and pods, StatefulSets and DaemonSets in the middle of one."""

from __future__ import annotations

from typing import Any

from builders import put
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores

READY = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-06-01T11:59:00Z"}]}
IMAGE = {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}, "image": "shop/app:2"}
STATES: dict[str, dict[str, Any]] = {  # one letter a pod
    "r": {"phase": "Running", **READY, "containerStatuses": [{"name": "app", "ready": True, "state": {"running": {}}}]},
    "s": {"phase": "Running", "containerStatuses": [{"name": "app", "state": {"running": {"startedAt": "2026-06-01T11:59:30Z"}}}]},
    "p": {"phase": "Pending"},
    "b": {"phase": "Pending", "containerStatuses": [{"name": "app", **IMAGE}]},
    "t": {"phase": "Running", **READY},
}


def pods(stores: Stores, owner: Any, letters: str, name: str = "", first: int = 0, **labels: str) -> list[Any]:
    """Pods of an owner, one for each letter: r ready, s starting, p pending, b broken (image), t terminating."""
    if stores.nodes.named("", "n1") is None:
        put(
            stores,
            k.NODES,
            "n1",
            status={"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}},
        )
    made = []
    for i, letter in enumerate(letters, first):
        gone = {"deletionTimestamp": "2026-06-01T11:59:50Z"} if letter == "t" else {}
        spec = {"nodeName": "" if letter == "p" else "n1", "containers": [{"name": "app", "image": "shop/app:2"}]}
        made.append(put(stores, k.PODS, f"{name or owner.metadata.name}-{i}", owner=owner, spec=spec, status=STATES[letter], labels=labels, **gone))
    return made


def progressing(reason: str, at: str = "2026-06-01T11:59:00Z") -> dict[str, Any]:
    """The condition that the deadline counts from."""
    return {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": at, "message": "words"}


def deployment(
    stores: Stores, old: str | None = "rr", new: str | None = "r", *, desired: int = 4, reason: str = "ReplicaSetUpdated", spec: Any = None,
    status: Any = None, conditions: Any = (), at: str = "2026-06-01T11:59:00Z", wanted: tuple[int, int] | None = None,
) -> Any:  # fmt: skip
    """A Deployment `chatapp`, revision 3 (letters `old`) → 4 (letters `new`); None for a ReplicaSet that is not there."""
    template = {"spec": {"containers": [{"name": "app", "image": "shop/app:2"}]}}
    ready = sum((x or "").count("r") for x in (old, new))
    active = [len((x or "").replace("t", "")) for x in (old, new)]
    d = put(
        stores, k.DEPLOYMENTS, "chatapp", uid="d", generation=7, annotations={"deployment.kubernetes.io/revision": "4" if new is not None else "3"},
        spec={
            "replicas": desired, "template": template, "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}, **(spec or {}),
        },
        status={
            "observedGeneration": 7, "replicas": sum(active), "updatedReplicas": active[1], "readyReplicas": ready, "availableReplicas": ready,
            "conditions": [progressing(reason, at), *conditions], **(status or {}),
        },
    )  # fmt: skip
    for side, (letters, revision, image, age) in enumerate(((old, 3, "shop/app:1", "10:00:00"), (new, 4, "shop/app:2", "11:58:22"))):
        if letters is None:
            continue
        rs = put(
            stores, k.REPLICASETS, f"chatapp-{'old' if not side else 'new'}", owner=d, creationTimestamp=f"2026-06-01T{age}Z",
            annotations={"deployment.kubernetes.io/revision": str(revision)}, labels={"pod-template-hash": "old1" if not side else "new1"},
            spec={"replicas": wanted[side] if wanted else active[side], "template": {"spec": {"containers": [{"name": "app", "image": image}]}}},
            status={"replicas": active[side], "readyReplicas": letters.count("r"), "availableReplicas": letters.count("r")},
        )  # fmt: skip
        pods(stores, rs, letters)
    return d


def statefulset(stores: Stores, old: str = "rr", new: str = "s", *, desired: int = 3, rolling: Any = None, strategy: str = "RollingUpdate") -> Any:
    """A StatefulSet `db` on its way from revision db-aaa to db-bbb, the highest ordinals first; settled where there is no old pod."""
    letters = old + new
    ready, changing = letters.count("r"), bool(old)
    s = put(
        stores, k.STATEFULSETS, "db", uid="s", generation=2,
        spec={"replicas": desired, "updateStrategy": {"type": strategy, "rollingUpdate": rolling or {"partition": 0}}},
        status={
            "observedGeneration": 2, "replicas": len(letters.replace("t", "")), "readyReplicas": ready, "availableReplicas": ready,
            "updatedReplicas": len(new.replace("t", "")), "currentReplicas": len(old),
            "currentRevision": "db-aaa" if changing else "db-bbb", "updateRevision": "db-bbb",
        },
    )  # fmt: skip
    for i, letter in enumerate(letters):
        pods(stores, s, letter, first=i, **{"controller-revision-hash": "db-aaa" if i < len(old) else "db-bbb"})
    return s


def daemonset(stores: Stores, old: str = "rr", new: str = "s", *, desired: int = 3, rolling: Any = None) -> Any:
    """A DaemonSet `agent` on its way from template generation 1 to 2."""
    letters = old + new
    d = put(
        stores, k.DAEMONSETS, "agent", uid="ds", generation=2, annotations={"deprecated.daemonset.template.generation": "2"},
        spec={"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling or {"maxSurge": 0, "maxUnavailable": 1}}},
        status={
            "observedGeneration": 2, "desiredNumberScheduled": desired, "currentNumberScheduled": len(letters), "updatedNumberScheduled": len(new),
            "numberReady": letters.count("r"), "numberAvailable": letters.count("r"),
        },
    )  # fmt: skip
    pods(stores, d, old, "agent-old", 0, **{"controller-revision-hash": "aaa", "pod-template-generation": "1"})
    pods(stores, d, new, "agent-new", 0, **{"controller-revision-hash": "bbb", "pod-template-generation": "2"})
    return d
