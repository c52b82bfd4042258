"""Where pods go: spread, scores and preferences; and that no filter is ever broken, whatever is asked for."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from embedded.scheduling import NAMESPACE, Bench
from kubepane_embedded.meta import Object, labels_of
from kubepane_embedded.nodes import add_pods
from kubepane_embedded.scheduler.demand import add, amounts, requests_of
from kubepane_embedded.scheduler.framework import normalized
from kubepane_embedded.scheduler.podinfo import HostPort
from kubepane_embedded.tolerations import tolerating


def owner(bench: Bench, name: str, labels: dict[str, str]) -> dict[str, Any]:
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    wanted = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    made = bench.client.create("replicasets.apps", {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": wanted})
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": made["metadata"]["uid"], "controller": True}


def replica(bench: Bench, name: str, labels: dict[str, str], reference: dict[str, Any], cpu: str = "100m") -> None:
    spec = {"containers": [{"name": "c", "image": "nginx", "resources": {"requests": {"cpu": cpu}}}]}
    meta = {"name": name, "namespace": NAMESPACE, "labels": labels, "ownerReferences": [reference]}
    bench.client.create("pods", {"metadata": meta, "spec": spec})


def places(bench: Bench, prefix: str) -> Counter[str | None]:
    pods = [pod for pod in bench.core.storage.objects("pods", NAMESPACE) if pod["metadata"]["name"].startswith(prefix)]
    return Counter(pod["spec"].get("nodeName") for pod in pods)


@pytest.mark.parametrize("seed", range(5))
def test_four_replicas_over_three_nodes(seed: int) -> None:
    bench = Bench(seed=seed).start()
    reference = owner(bench, "web", {"app": "web"})
    for number in range(4):
        replica(bench, f"web-{number}", {"app": "web"}, reference)
        bench.clock.settle()
    assert sorted(places(bench, "web").values()) == [1, 1, 2]


def test_replicas_spread_even_where_a_node_is_fuller() -> None:
    """The default constraints outweigh a little free CPU."""
    bench = Bench().start()
    bench.pod("weight", "1", nodeSelector={"kubernetes.io/hostname": "kubepane-worker"})
    reference = owner(bench, "web", {"app": "web"})
    for number in range(3):
        replica(bench, f"web-{number}", {"app": "web"}, reference)
        bench.clock.settle()
    assert sorted(places(bench, "web").values()) == [1, 1, 1]


def test_the_same_seed_chooses_the_same_nodes() -> None:
    def run(seed: int) -> list[str | None]:
        bench = Bench(seed=seed).start()
        for number in range(12):
            bench.pod(f"p{number}")
        bench.clock.settle()
        return [bench.node_of(f"p{number}") for number in range(12)]

    assert run(3) == run(3)
    assert len({tuple(run(seed)) for seed in range(4)}) > 1


def test_the_emptier_node_is_better() -> None:
    bench = Bench(workers=2).start()
    bench.pod("weight", "2", nodeSelector={"kubernetes.io/hostname": "kubepane-worker"})
    bench.clock.settle()
    for number in range(2):
        bench.pod(f"p{number}", "500m")
        bench.clock.settle()
    assert places(bench, "p") == {"kubepane-worker2": 2}


def test_preferences_decide_among_fitting_nodes() -> None:
    bench = Bench().start()
    bench.client.patch("nodes", "", "kubepane-worker3", {"metadata": {"labels": {"disk": "ssd"}}})
    bench.clock.settle()
    term = {"weight": 10, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}}
    bench.pod("fast", affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [term]}})
    bench.clock.settle()
    assert bench.node_of("fast") == "kubepane-worker3"
    near = {"weight": 10, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"g": "one"}}}}
    bench.pod("one", labels={"g": "one"}, nodeSelector={"kubernetes.io/hostname": "kubepane-worker2"})
    bench.clock.settle()
    bench.pod("beside", affinity={"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [near]}})
    bench.pod("apart", affinity={"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [near]}})
    bench.clock.settle()
    assert bench.node_of("beside") == "kubepane-worker2"
    assert bench.node_of("apart") != "kubepane-worker2"


def test_a_soft_taint_is_avoided_but_no_bar() -> None:
    bench = Bench(workers=2)
    bench.client.patch("nodes", "", "kubepane-worker", {"spec": {"taints": [{"key": "a", "effect": "PreferNoSchedule"}]}})
    bench.start()
    for number in range(3):
        bench.pod(f"p{number}", "1")
        bench.clock.settle()
    assert places(bench, "p") == {"kubepane-worker2": 3}
    bench.pod("big", "3")
    bench.clock.settle()
    assert bench.node_of("big") == "kubepane-worker"


def test_soft_spread_of_the_pod_itself() -> None:
    bench = Bench(workers=0)
    for number in range(4):
        bench.add_node(f"n{number}", {"zone": "ab"[number // 2]})
    bench.start()
    rule = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"g": "s"}}}
    for number in range(6):
        bench.pod(f"p{number}", labels={"g": "s"}, topologySpreadConstraints=[rule])
        bench.clock.settle()
    zones: Counter[str] = Counter()
    for node, count in places(bench, "p").items():
        zones[labels_of(bench.read(node or "", "nodes", ""))["zone"]] += count
    assert zones == {"a": 3, "b": 3}


@pytest.mark.parametrize(("policy", "placed"), [("Honor", True), ("Ignore", False)])
def test_nodes_that_keep_the_pod_out_count_as_the_policy_says(policy: str, placed: bool) -> None:
    """The empty control plane is behind all others, unless its taint takes it out of the count."""
    bench = Bench(workers=1).start()
    rule = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule", "nodeTaintsPolicy": policy}
    rule["labelSelector"] = {"matchLabels": {"g": "s"}}
    bench.pod("first", labels={"g": "s"})
    bench.pod("second", labels={"g": "s"}, topologySpreadConstraints=[rule])
    bench.clock.settle()
    assert bool(bench.node_of("second")) == placed


def test_only_the_first_of_a_group_may_start_anywhere() -> None:
    bench = Bench().start()
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"g": "together"}}}
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for name, node in (("first", "kubepane-worker2"), ("second", "kubepane-worker3")):
        bench.pod(name, labels={"g": "together"}, affinity=near, nodeSelector={"kubernetes.io/hostname": node})
        bench.clock.settle()
    assert bench.node_of("first") == "kubepane-worker2"
    assert "1 node(s) didn't match pod affinity rules" in (bench.why("second") or "")


def test_shares_of_the_largest() -> None:
    assert normalized([0, 5, 10]) == [0, 50, 100]
    assert normalized([0, 5, 10], reverse=True) == [100, 50, 0]
    assert normalized([0, 0]) == [0, 0]
    assert normalized([0, 0], reverse=True) == [100, 100]


def test_any_address_collides_with_all() -> None:
    wide, one, two = HostPort("0.0.0.0", "TCP", 80), HostPort("10.0.0.1", "TCP", 80), HostPort("10.0.0.2", "TCP", 80)
    assert wide.collides(one)
    assert one.collides(wide)
    assert not one.collides(two)
    assert not wide.collides(HostPort("0.0.0.0", "UDP", 80))


TAINTS = [{"key": "k", "value": value, "effect": effect} for value in "xy" for effect in ("NoSchedule", "NoExecute")]
TOLERATIONS = [{"key": "k", "operator": "Equal", "value": "x"}, {"key": "k", "operator": "Exists", "effect": "NoExecute"}, {"operator": "Exists"}]
NODES = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from(["0", "1", "2500m"]),
        "pods": st.sampled_from(["1", "3", "9"]),
        "taints": st.lists(st.sampled_from(TAINTS), max_size=2, unique_by=lambda one: (one["key"], one["effect"])),
        "cordoned": st.booleans(),
        "zone": st.sampled_from(["a", "b"]),
    }
)
PODS = st.fixed_dictionaries(
    {
        "cpu": st.sampled_from(["", "300m", "1", "2"]),
        "tolerations": st.lists(st.sampled_from(TOLERATIONS), max_size=1),
        "zone": st.sampled_from(["", "a"]),
        "port": st.sampled_from([0, 0, 8080]),
        "apart": st.booleans(),
        "gone": st.booleans(),
    }
)


def make_node(bench: Bench, number: int, wanted: dict[str, Any]) -> None:
    bench.add_node(f"n{number}", {"zone": wanted["zone"]}, wanted["taints"] or None, cpu=wanted["cpu"], pods=wanted["pods"])
    if wanted["cordoned"]:
        bench.client.patch("nodes", "", f"n{number}", {"spec": {"unschedulable": True}})


def make_pod(bench: Bench, number: int, wanted: dict[str, Any]) -> None:
    ports = [{"containerPort": 80, "hostPort": wanted["port"]}] if wanted["port"] else []
    resources = {"requests": {"cpu": wanted["cpu"]}} if wanted["cpu"] else {}
    spec: dict[str, Any] = {"containers": [{"name": "c", "image": "nginx", "ports": ports, "resources": resources}]}
    spec["tolerations"] = wanted["tolerations"]
    if wanted["zone"]:
        spec["nodeSelector"] = {"zone": wanted["zone"]}
    if wanted["apart"]:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"g": "apart"}}}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    bench.pod(f"p{number}", labels={"g": "apart"} if wanted["apart"] else {}, **spec)


def check_node(node: Object, pods: list[Object]) -> None:
    total: dict[str, int] = {}
    for pod in pods:
        add(total, requests_of(pod))
    allocatable = amounts(node["status"]["allocatable"])
    assert len(pods) <= allocatable["pods"]
    assert total.get("cpu", 0) <= allocatable["cpu"]
    taken = [port["hostPort"] for pod in pods for port in pod["spec"]["containers"][0].get("ports") or []]
    assert len(taken) == len(set(taken))
    assert sum(labels_of(pod).get("g") == "apart" for pod in pods) <= 1
    for pod in pods:
        tolerations = pod["spec"].get("tolerations") or []
        hard = [taint for taint in node["spec"].get("taints") or [] if taint["key"] == "k"]
        assert all(tolerating(tolerations, taint) for taint in hard)
        assert not node["spec"].get("unschedulable") or any(one.get("operator") == "Exists" and not one.get("key") for one in tolerations)
        assert (pod["spec"].get("nodeSelector") or {}).items() <= labels_of(node).items()


def check_all(bench: Bench) -> None:
    pods = bench.core.storage.objects("pods", NAMESPACE)
    for node in bench.core.storage.objects("nodes"):
        check_node(node, [pod for pod in pods if pod["spec"].get("nodeName") == node["metadata"]["name"]])


@given(nodes=st.lists(NODES, min_size=1, max_size=4), pods=st.lists(PODS, min_size=1, max_size=14), seed=st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_no_filter_is_ever_broken(nodes: list[dict[str, Any]], pods: list[dict[str, Any]], seed: int) -> None:
    bench = Bench(workers=0, seed=seed)
    for number, node in enumerate(nodes):
        make_node(bench, number, node)
    bench.start()
    for number, pod in enumerate(pods):
        make_pod(bench, number, pod)
        bench.clock.settle()
    check_all(bench)
    for number, pod in enumerate(pods):
        if pod["gone"]:
            bench.client.delete("pods", NAMESPACE, f"p{number}", grace=0)
    bench.clock.advance(20)
    check_all(bench)
    check_cache(bench)
    check_nothing_was_missed(bench)


def check_cache(bench: Bench) -> None:
    """The sums that were kept by addition and subtraction are those of the pods that are there."""
    pods = bench.core.storage.objects("pods", NAMESPACE)
    for node in bench.scheduler._cache.nodes():
        total: dict[str, int] = {}
        mine = [pod for pod in pods if pod["spec"].get("nodeName") == node.name]
        for pod in mine:
            add(total, requests_of(pod))
        assert (node.requested, node.count) == (total, len(mine))


def check_nothing_was_missed(bench: Bench) -> None:
    """A pod that waits would still be rejected: every change that could help it was a reason to try it again."""
    places_before = {pod["metadata"]["name"]: pod["spec"].get("nodeName") for pod in bench.core.storage.objects("pods", NAMESPACE)}
    bench.clock.advance(400)  # all are tried once more without a reason
    after = {pod["metadata"]["name"]: pod["spec"].get("nodeName") for pod in bench.core.storage.objects("pods", NAMESPACE)}
    assert after == places_before


def test_ten_thousand_pods_do_not_slow_an_attempt() -> None:
    bench = Bench(workers=0)
    for number in range(8):
        bench.add_node(f"n{number}", pods="3000")
    add_pods(bench.core, 10_000)
    bench.start()
    began = time.perf_counter()
    for number in range(100):
        bench.pod(f"p{number}", "1m")
    created = time.perf_counter() - began
    bench.clock.settle()
    took = time.perf_counter() - began - created
    assert all(bench.node_of(f"p{number}") for number in range(100))
    assert took < 2.0, f"{took:.2f} s for 100 pods"
