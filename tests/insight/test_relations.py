from builders import pod, put
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import relations


def workload() -> tuple[Stores, object, object, object]:
    stores = Stores()
    deployment = put(stores, k.DEPLOYMENTS, "web")
    replicaset = put(stores, k.REPLICASETS, "web-1", owner=deployment)
    first = pod(stores, "web-1-a", owner=replicaset, labels={"app": "web"})
    pod(stores, "web-1-b", owner=replicaset, labels={"app": "web"})
    pod(stores, "alone")
    put(stores, k.SERVICES, "web", spec={"selector": {"app": "web"}})
    return stores, deployment, replicaset, first


def test_the_chain_of_owners_goes_up_to_the_workload() -> None:
    stores, deployment, replicaset, first = workload()
    assert relations.owner_chain(stores, first) == [("ReplicaSet", "web-1", replicaset), ("Deployment", "web", deployment)]  # type: ignore[arg-type]


def test_an_owner_that_is_not_held_is_still_named() -> None:
    stores = Stores()
    other = Stores()
    rs = put(other, k.REPLICASETS, "gone")
    orphan = pod(stores, "orphan", owner=rs)
    assert relations.owner_chain(stores, orphan) == [("ReplicaSet", "gone", None)]


def test_the_family_of_a_deployment_is_all_it_owns() -> None:
    stores, deployment, _, _ = workload()
    assert len(relations.family(stores, deployment.metadata.uid)) == 4  # type: ignore[attr-defined]


def test_the_tree_stands_between_owners_and_children() -> None:
    stores, _, _, first = workload()
    lines = [(item.depth, item.how, item.kind, item.name, item.here) for item in relations.tree(stores, k.PODS, first)]  # type: ignore[arg-type]
    assert lines == [
        (0, "", "Deployment", "web", False),
        (1, "owns", "ReplicaSet", "web-1", False),
        (2, "owns", "Pod", "web-1-a", True),
        (3, "runs on", "Node", "worker-1", False),
        (3, "served by", "Service", "web", False),
    ]


def test_a_ring_of_owners_ends() -> None:
    stores = Stores()
    a = put(stores, k.JOBS, "a", uid="a")
    b = put(stores, k.JOBS, "b", uid="b", owner=a)
    put(stores, k.JOBS, "a", uid="a", owner=b)
    assert relations.family(stores, "a") == {"a", "b"}
    assert len(relations.owner_chain(stores, b)) <= relations.DEPTH


def test_the_pods_of_a_service_and_of_a_deployment() -> None:
    stores, deployment, _, _ = workload()
    service = stores.services.named("shop", "web")
    assert service is not None
    assert [p.metadata.name for p in relations.pods_of(stores, k.SERVICES, service)] == ["web-1-a", "web-1-b"]
    assert [p.metadata.name for p in relations.pods_of(stores, k.DEPLOYMENTS, deployment)] == ["web-1-a", "web-1-b"]  # type: ignore[arg-type]
