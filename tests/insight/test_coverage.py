from typing import Any

from hypothesis import given, settings, strategies as st
from msgspec.structs import replace

from builders import make, pod
from clusters import live
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight.coverage import Coverage
from kubepane.insight.reach import allows_dns, directions, selects


def test_pods_that_policies_are_not_about() -> None:
    stores = live()
    spec = {"nodeName": "n", "containers": [{"name": "c"}]}
    pod(stores, "web")
    pod(stores, "done", status={"phase": "Succeeded"})
    pod(stores, "failed", status={"phase": "Failed"})
    pod(stores, "host", spec=spec | {"hostNetwork": True})
    coverage = Coverage(stores)
    for p in stores.pods:
        coverage.pod(p.metadata.uid)
    assert (coverage.total("shop"), coverage.open("shop"), coverage.namespaces()) == (1, 1, ["shop"])


def test_only_what_changed_is_told() -> None:
    stores = live()
    p = pod(stores, "web", labels={"app": "web"})
    coverage = Coverage(stores)
    coverage.pod(p.metadata.uid)
    assert coverage.drain() == ({"shop"}, set())
    coverage.pod(p.metadata.uid)
    assert coverage.drain() == (set(), set())
    stores.networkpolicies.put(make(k.NETWORKPOLICIES, "np", uid="np", spec={"podSelector": {}}))
    coverage.look("shop")
    assert coverage.drain() == ({"shop"}, {"np"})
    assert (coverage.open("shop"), coverage.selected("np")) == (0, 1)
    stores.pods.drop(p.metadata.uid)
    coverage.pod(p.metadata.uid)
    assert (coverage.total("shop"), coverage.selected("np")) == (0, 0)


DNS = [{"ports": [{"port": 53, "protocol": "UDP"}]}]
NAMESPACES, APPS = ("a", "b"), ("x", "y", "z")
POLICY = st.fixed_dictionaries({"podSelector": st.sampled_from([{}, *({"matchLabels": {"app": a}} for a in APPS)]),
                                "policyTypes": st.sampled_from([["Ingress"], ["Egress"], ["Ingress", "Egress"]]),
                                "egress": st.sampled_from([[], DNS])})  # fmt: skip
STEP = st.one_of(
    st.tuples(st.just("pod"), st.sampled_from(NAMESPACES), st.integers(0, 5), st.sampled_from(APPS), st.sampled_from(["Running", "Succeeded"])),
    st.tuples(st.just("drop pod"), st.sampled_from(NAMESPACES), st.integers(0, 5)),
    st.tuples(st.just("policy"), st.sampled_from(NAMESPACES), st.integers(0, 2), POLICY),
    st.tuples(st.just("drop policy"), st.sampled_from(NAMESPACES), st.integers(0, 2)),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEP, max_size=25))
def test_counting_as_things_change_gives_what_counting_anew_gives(steps: list[Any]) -> None:
    stores = live()
    coverage = Coverage(stores)
    for version, step in enumerate(steps, 2):
        what, namespace, n = step[0], step[1], step[2]
        if what == "pod":
            body = {"labels": {"app": step[3]}, "status": {"phase": step[4]}, "spec": {"containers": [{"name": "c"}]}}
            p = make(k.PODS, f"p{n}", namespace, uid=f"{namespace}-p{n}", **body)
            stores.pods.put(_at(p, version))
            coverage.pod(p.metadata.uid)
        elif what == "drop pod":
            stores.pods.drop(f"{namespace}-p{n}")
            coverage.pod(f"{namespace}-p{n}")
        elif what == "policy":
            stores.networkpolicies.put(make(k.NETWORKPOLICIES, f"n{n}", namespace, uid=f"{namespace}-n{n}", spec=step[3]))
            coverage.look(namespace)
        else:
            stores.networkpolicies.drop(f"{namespace}-n{n}")
            coverage.look(namespace)
    for namespace in NAMESPACES:
        assert (coverage.total(namespace), coverage.open(namespace)) == _counted(stores, namespace)
    for policy in stores.networkpolicies:
        selected = [
            p for p in stores.pods if p.metadata.namespace == policy.metadata.namespace and p.status.phase == "Running" and selects(policy, p)
        ]
        assert coverage.selected(policy.metadata.uid) == len(selected)
        assert coverage.without_dns(policy.metadata.uid) == sum(_mute(stores, p) for p in selected)


def _at(p: Any, version: int) -> Any:
    return replace(p, metadata=replace(p.metadata, resource_version=str(version)))


def _of(stores: Stores, p: Any) -> list[Any]:
    return [n for n in stores.networkpolicies if n.metadata.namespace == p.metadata.namespace and selects(n, p)]


def _counted(stores: Stores, namespace: str) -> tuple[int, int]:
    pods = [p for p in stores.pods if p.metadata.namespace == namespace and p.status.phase == "Running"]
    return len(pods), sum(not any(directions(n)[0] for n in _of(stores, p)) for p in pods)


def _mute(stores: Stores, p: Any) -> bool:
    outward = [n for n in _of(stores, p) if directions(n)[1]]
    return bool(outward) and not any(allows_dns(n) for n in outward)
