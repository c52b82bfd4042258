from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from builders import pod, put
from kubepane.cluster import kinds, kinds as k
from kubepane.cluster.resources import Taint, Toleration
from kubepane.cluster.stores import Stores
from kubepane.insight import demand, placement, scheduling, taints
from kubepane.insight.fleet import Fleet, fleet
from kubepane.insight.scheduling import Reason, verdict


def node(stores: Stores, name: str, *, taint: str = "", cordoned: bool = False, labels: dict[str, str] | None = None, **give: str) -> Any:
    """A node with 4 cores and 8 GiB; `taint` as kubectl writes it."""
    key, _, effect = taint.partition(":")
    key, _, value = key.partition("=")
    found = [{"key": key, "value": value, "effect": effect}] if taint else []
    if cordoned:
        found.append({"key": taints.UNSCHEDULABLE, "effect": "NoSchedule"})
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110", **{n.replace("_", "/"): v for n, v in give.items()}}
    return put(
        stores, k.NODES, name, labels={"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})},
        spec={"taints": found, **({"unschedulable": True} if cordoned else {})}, status={"allocatable": allocatable, "conditions": [{"type": "Ready", "status": "True"}]},
    )  # fmt: skip


def pending(stores: Stores, name: str = "p", cpu: str = "100m", namespace: str = "shop", labels: Any = None, **spec: Any) -> Any:
    container: dict[str, Any] = {"name": "app", "resources": {"requests": {"cpu": cpu}}, **spec.pop("container", {})}
    more = {"labels": labels} if labels else {}
    return put(stores, k.PODS, name, namespace, spec={"containers": [container], **spec}, status={"phase": "Pending"}, **more)


def bound(stores: Stores, name: str, where: str, cpu: str = "100m", namespace: str = "shop", labels: Any = None, **spec: Any) -> Any:
    """A pod that runs on a node."""
    container = {"name": "app", "resources": {"requests": {"cpu": cpu}}, **spec.pop("container", {})}
    more = {"labels": labels} if labels else {}
    return pod(stores, name, namespace, spec={"nodeName": where, "containers": [container], **spec}, **more)


def reasons(stores: Stores, waiting: Any) -> dict[str, tuple[Reason, ...]]:
    return verdict(waiting, stores).reasons


# ---- taints ----------------------------------------------------------------------------------------------------------------

ONE = Taint("dedicated", "chatapp", "NoSchedule")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        (Toleration("dedicated", "Equal", "chatapp", "NoSchedule"), True),
        (Toleration("dedicated", "", "chatapp", ""), True),  # no operator is Equal, no effect is all of them
        (Toleration("dedicated", "Exists"), True),
        (Toleration("", "Exists"), True),
        (Toleration("", "Exists", "", "NoExecute"), False),
        (Toleration("dedicated", "Equal", "other", "NoSchedule"), False),
        (Toleration("dedicated", "Equal", "chatapp", "NoExecute"), False),
        (Toleration("other", "Exists"), False),
        (Toleration("dedicated", "Exists", "chatapp"), True),  # the value is not looked at
        (Toleration("", "", "chatapp"), True),  # the API forbids it, the scheduler lets it pass
        (Toleration("dedicated", "Nonsense", "chatapp"), False),
        (Toleration("dedicated", "Gt", "5"), False),  # the taint's value is no number
    ],
)
def test_tolerations(toleration: Toleration, tolerated: bool) -> None:
    assert taints.tolerates(toleration, ONE) is tolerated


@pytest.mark.parametrize(("operator", "value", "tolerated"), [("Gt", "750", True), ("Gt", "800", False), ("Lt", "900", True), ("Lt", "800", False)])
def test_tolerations_that_compare_mean_the_value_of_the_taint(operator: str, value: str, tolerated: bool) -> None:
    assert taints.tolerates(Toleration("sla", operator, value), Taint("sla", "800", "NoSchedule")) is tolerated


def test_a_taint_that_only_prefers_keeps_nobody_away() -> None:
    stores = Stores()
    node(stores, "a", taint="x:PreferNoSchedule")
    node(stores, "b", taint="dedicated=chatapp:NoExecute")
    found = verdict(pending(stores), stores)
    assert found.fits == ("a",)
    assert found.reasons == {"b": (Reason("taint", "dedicated=chatapp:NoExecute"),)}


def test_a_cordoned_node_is_named_for_what_it_is() -> None:
    stores = Stores()
    node(stores, "a", cordoned=True)
    put(stores, k.NODES, "b", spec={"unschedulable": True}, status={"allocatable": {"pods": "9", "cpu": "1"}})  # its taint has not come yet
    assert reasons(stores, pending(stores)) == {"a": (Reason("cordon"),), "b": (Reason("cordon"),)}
    everywhere = pending(stores, "daemon", tolerations=[{"operator": "Exists"}])
    assert verdict(everywhere, stores).fits == ("a", "b")


def test_the_control_plane_is_told_apart() -> None:
    stores = Stores()
    node(stores, "cp-0", taint="node-role.kubernetes.io/control-plane:NoSchedule")
    node(stores, "a", taint="dedicated=chatapp:NoSchedule")
    assert verdict(pending(stores), stores).control_planes == {"cp-0"}


# ---- selector and affinity -------------------------------------------------------------------------------------------------


def needs(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


NAMED_B = expression("metadata.name", "In", "b")["matchExpressions"]


@pytest.mark.parametrize(
    ("spec", "fits", "text"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, ("a",), "disk=ssd"),
        ({"affinity": needs(expression("zone", "In", "x", "y"))}, ("a",), "zone in (x,y)"),
        ({"affinity": needs(expression("zone", "In", "x"), expression("disk", "DoesNotExist"))}, ("a", "b", "c"), ""),  # terms are or'ed
        ({"affinity": needs({**expression("zone", "In", "x"), "matchFields": NAMED_B})}, (), "zone=x,metadata.name=b"),
        ({"affinity": needs({"matchFields": NAMED_B})}, ("b",), "metadata.name=b"),
        ({"affinity": needs({"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["b"]}]})}, ("a", "c"), "metadata.name!=b"),
        ({"affinity": needs({})}, (), "nothing"),  # an empty term matches nothing
        ({"affinity": needs()}, (), "nothing"),
        ({"affinity": needs(expression("gpus", "Gt", "1"))}, ("c",), "gpus>1"),
        ({"affinity": needs(expression("zone", "NotIn", "x"))}, ("b", "c"), "zone!=x"),  # also where there is no such label
    ],
)  # fmt: skip
def test_which_nodes_a_pod_is_meant_for(spec: dict[str, Any], fits: tuple[str, ...], text: str) -> None:
    stores = Stores()
    node(stores, "a", labels={"disk": "ssd", "zone": "x"})
    node(stores, "b", labels={"zone": "z"})
    node(stores, "c", labels={"gpus": "2"})
    found = verdict(pending(stores, **spec), stores)
    assert found.fits == fits
    assert {r for rs in found.reasons.values() for r in rs} == ({Reason("affinity", text)} if len(fits) < 3 else set())


def test_a_pod_not_meant_for_a_node_says_so_first() -> None:
    stores = Stores()
    node(stores, "a", taint="x:NoSchedule")
    assert [r.kind for r in reasons(stores, pending(stores, nodeSelector={"disk": "ssd"}))["a"]] == ["affinity", "taint"]


# ---- room --------------------------------------------------------------------------------------------------------------------


def test_what_is_bound_counts_until_it_ends() -> None:
    stores = Stores()
    node(stores, "a")
    waiting = pending(stores, cpu="1500m")
    bound(stores, "big", "a", "3")
    assert reasons(stores, waiting) == {"a": (Reason("resource", "cpu"),)}
    bound(stores, "big", "a", "2500m")  # the same pod, smaller now
    assert verdict(waiting, stores).fits == ("a",)
    other = bound(stores, "other", "a", "1")
    assert verdict(waiting, stores).fits == ()
    busy = {"nodeName": "a", "containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]}
    put(stores, k.PODS, "other", uid=other.metadata.uid, spec=busy, status={"phase": "Succeeded"})
    assert verdict(waiting, stores).fits == ("a",)


def test_more_than_any_node_has_is_another_reason() -> None:
    stores = Stores()
    node(stores, "a")
    gpu = pending(stores, container={"resources": {"requests": {"cpu": "5", "nvidia.com/gpu": "1"}}})
    assert reasons(stores, gpu) == {"a": (Reason("too big", "cpu"), Reason("too big", "nvidia.com/gpu"))}


def test_a_node_takes_only_so_many_pods() -> None:
    stores = Stores()
    node(stores, "a", pods="1")
    bound(stores, "one", "a")
    assert reasons(stores, pending(stores)) == {"a": (Reason("pods"),)}


def test_init_containers_and_sidecars_count_as_the_scheduler_counts_them() -> None:
    stores = Stores()
    init = [
        {"name": "setup", "resources": {"requests": {"cpu": "2"}}},
        {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "300m", "memory": "1Gi"}}},
        {"name": "late", "resources": {"requests": {"cpu": "2"}}},
    ]
    asks = pending(stores, cpu="500m", initContainers=init, overhead={"cpu": "10m"})
    assert demand.asked(asks) == {"cpu": 2310, "memory": 1 << 30}
    whole = pending(stores, cpu="500m", resources={"requests": {"cpu": "1"}})
    assert demand.asked(whole) == {"cpu": 1000}


def test_host_ports_clash_by_protocol_and_address() -> None:
    def port(**more: Any) -> dict[str, Any]:
        return {"ports": [{"containerPort": 80, "hostPort": 8080, **more}]}

    stores = Stores()
    node(stores, "a")
    bound(stores, "one", "a", container=port())
    assert reasons(stores, pending(stores, "tcp", container=port())) == {"a": (Reason("port", "8080/TCP"),)}
    assert verdict(pending(stores, "udp", container=port(protocol="UDP")), stores).fits == ("a",)
    assert reasons(stores, pending(stores, "own", container=port(hostIP="10.0.0.1"))) == {"a": (Reason("port", "8080/TCP"),)}
    assert demand.clash(("10.0.0.1", "TCP", 1), ("10.0.0.2", "TCP", 1)) is False


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [("cpu", 1500, "1500m"), ("cpu", 4000, "4"), ("memory", 3 << 29, "1536Mi"), ("memory", 1 << 33, "8Gi"), ("memory", 5, "5"), ("gpu", 2, "2")],
)
def test_amounts_in_words(resource: str, amount: int, text: str) -> None:
    assert demand.text(resource, amount) == text


# ---- volumes -----------------------------------------------------------------------------------------------------------------


def claim(stores: Stores, name: str = "data", volume: str = "", phase: str = "Pending", **spec: Any) -> Any:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": volume, **spec}
    return put(stores, k.CLAIMS, name, spec=body, status={"phase": phase})


def local_volume(stores: Stores, name: str, host: str, phase: str = "Available", **spec: Any) -> Any:
    tied = {"required": {"nodeSelectorTerms": [expression("kubernetes.io/hostname", "In", host)]}}
    body = {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "nodeAffinity": tied, "storageClassName": "local", **spec}
    return put(stores, k.VOLUMES, name, "", spec=body, status={"phase": phase})


MOUNT = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]


def test_a_bound_claim_ties_the_pod_to_its_volume() -> None:
    stores = Stores()
    node(stores, "a")
    node(stores, "b")
    held = claim(stores, volume="pv", phase="Bound", storageClassName="local")
    ref = {"namespace": "shop", "name": "data", "uid": held.metadata.uid}
    local_volume(stores, "pv", "b", "Bound", claimRef=ref)
    found = verdict(pending(stores, volumes=MOUNT), stores)
    assert (found.fits, found.reasons) == (("b",), {"a": (Reason("volume", "data"),)})


def test_a_claim_that_waits_for_the_pod_needs_a_volume_that_suits_on_the_node() -> None:
    stores = Stores()
    node(stores, "a")
    node(stores, "b")
    put(stores, k.STORAGECLASSES, "local", "", provisioner="kubernetes.io/no-provisioner", volumeBindingMode="WaitForFirstConsumer")
    claim(stores, storageClassName="local")
    local_volume(stores, "small", "a", capacity={"storage": "1Mi"})
    local_volume(stores, "fits", "b")
    assert verdict(pending(stores, volumes=MOUNT), stores).fits == ("b",)


# ---- pods beside pods ----------------------------------------------------------------------------------------------------------


def together(kind: str, key: str = "kubernetes.io/hostname", *, app: str = "web", **more: Any) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_pods_that_do_not_want_to_be_together() -> None:
    stores = Stores()
    node(stores, "a")
    node(stores, "b")
    bound(stores, "web-1", "a", labels={"app": "web"})
    waiting = pending(stores, "web-2", labels={"app": "web"}, affinity=together("podAntiAffinity"))
    found = verdict(waiting, stores)
    assert (found.fits, found.reasons) == (("b",), {"a": (Reason("apart", "app=web"),)})
    zone = pending(stores, "web-3", labels={"app": "web"}, affinity=together("podAntiAffinity", "kubernetes.io/os"))
    assert verdict(zone, stores).fits == ()


def test_pods_of_other_namespaces_do_not_count_unless_they_are_meant() -> None:
    stores = Stores()
    node(stores, "a")
    put(stores, k.NAMESPACES, "other", "", labels={"team": "x"})
    bound(stores, "web-1", "a", namespace="other", labels={"app": "web"})
    assert verdict(pending(stores, "p1", affinity=together("podAntiAffinity")), stores).fits == ("a",)
    assert verdict(pending(stores, "p2", affinity=together("podAntiAffinity", namespaces=["other"])), stores).fits == ()
    chosen = {"matchLabels": {"team": "x"}}
    assert verdict(pending(stores, "p3", affinity=together("podAntiAffinity", namespaceSelector=chosen)), stores).fits == ()
    assert verdict(pending(stores, "p4", affinity=together("podAntiAffinity", namespaceSelector={})), stores).fits == ()
    stores.pods.replace([])
    bound(stores, "web-2", "a", labels={"app": "web"})
    assert verdict(pending(stores, "p5", affinity=together("podAntiAffinity", namespaces=["other"])), stores).fits == ("a",)


def test_the_rule_of_a_pod_that_runs_counts_for_the_one_that_comes() -> None:
    stores = Stores()
    node(stores, "a")
    guard = bound(stores, "lonely", "a", labels={"app": "db"}, affinity=together("podAntiAffinity", app="web"))
    waiting = pending(stores, labels={"app": "web"})
    assert reasons(stores, waiting) == {"a": (Reason("apart", "of lonely"),)}
    stores.pods.drop(guard.metadata.uid)
    assert verdict(waiting, stores).fits == ("a",)
    assert not fleet(stores).guards


def test_a_rule_that_was_read_anew_is_the_same_rule() -> None:
    stores = Stores()
    node(stores, "a")
    held = bound(stores, "lonely", "a", affinity=together("podAntiAffinity"))
    assert len(fleet(stores).guards) == 1
    kinds._shared.clear()  # from now on equal parts of pods are other objects
    again = bound(stores, "lonely", "a", affinity=together("podAntiAffinity"))
    assert again.spec.affinity is not held.spec.affinity
    assert len(fleet(stores).guards) == 1
    stores.pods.drop(again.metadata.uid)
    assert not fleet(stores).guards


def test_pods_that_want_to_be_together() -> None:
    stores = Stores()
    node(stores, "a")
    node(stores, "b")
    lone = pending(stores, "p1", labels={"app": "api"}, affinity=together("podAffinity"))
    assert reasons(stores, lone) == {"a": (Reason("near", "app=web"),), "b": (Reason("near", "app=web"),)}
    first = pending(stores, "p2", labels={"app": "web"}, affinity=together("podAffinity"))
    assert verdict(first, stores).fits == ("a", "b")  # the first of its own kind
    bound(stores, "web-1", "b", labels={"app": "web"})
    assert verdict(lone, stores).fits == ("b",)


# ---- the picture stays current -------------------------------------------------------------------------------------------------


def test_nothing_is_left_of_what_has_gone() -> None:
    stores = Stores()
    here = node(stores, "a")
    held = bound(stores, "one", "a", container={"ports": [{"hostPort": 80}]})
    assert fleet(stores).hosts["a"].used == {"cpu": 100}
    stores.pods.drop(held.metadata.uid)
    assert (fleet(stores).hosts["a"].pods, fleet(stores).hosts["a"].used, dict(fleet(stores).hosts["a"].ports)) == (0, {"cpu": 0}, {})
    stores.nodes.drop(here.metadata.uid)
    assert fleet(stores).hosts == {}


def test_a_node_made_anew_under_the_same_name_is_another() -> None:
    stores = Stores()
    node(stores, "a", taint="x:NoSchedule")
    waiting = pending(stores)
    assert verdict(waiting, stores).fits == ()
    node(stores, "a")
    assert verdict(waiting, stores).fits == ("a",)


def test_what_changes_nothing_keeps_the_answer() -> None:
    stores = Stores()
    node(stores, "a")
    one = bound(stores, "one", "a")
    waiting = pending(stores)
    first = verdict(waiting, stores)
    epoch = fleet(stores).epoch
    stores.pods.put(one)
    stores.nodes.put(stores.nodes.named("", "a"))  # type: ignore[arg-type]
    assert verdict(waiting, stores) is first
    assert fleet(stores).epoch == epoch


def test_pods_of_one_template_are_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stores = Stores()
    for i in range(30):
        node(stores, f"n{i}")
        bound(stores, f"b{i}", f"n{i}", "3900m")
    judged: list[str] = []
    real = scheduling._judge

    def judge(pod: Any, *rest: Any) -> Any:
        judged.append(pod.metadata.name)
        return real(pod, *rest)

    monkeypatch.setattr(scheduling, "_judge", judge)
    waiting = [pending(stores, f"p{i}", "200m") for i in range(50)]
    assert all(verdict(p, stores).fits == () for p in waiting)
    assert judged == ["p0"]
    bound(stores, "b0", "n0", "100m")
    assert [verdict(p, stores).fits for p in waiting] == [("n0",)] * 50
    assert judged == ["p0", "p0"]


steps = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["100m", "2"]),
        st.sampled_from(["Running", "Failed", "gone"]),
        st.booleans(),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(steps, st.data())
def test_the_picture_is_the_same_as_one_made_anew(changes: list[Any], data: st.DataObject) -> None:
    stores = Stores()
    node(stores, "a")
    for i, where, cpu, phase, lonely in changes:
        uid = f"u{i}"
        if phase == "gone":
            stores.pods.drop(uid)
        else:
            spec: dict[str, Any] = {"nodeName": where, "containers": [{"name": "app", "resources": {"requests": {"cpu": cpu}}}]}
            spec |= {"affinity": together("podAntiAffinity")} if lonely else {}
            put(stores, k.PODS, f"p{i}", uid=uid, spec=spec, status={"phase": phase})
        if data.draw(st.booleans()):
            fleet(stores)
    anew = Fleet(stores)
    anew.sync()
    assert _seen(fleet(stores)) == _seen(anew)


def _seen(picture: Fleet) -> Any:
    hosts = {name: (h.pods, {k: v for k, v in h.used.items() if v}) for name, h in picture.hosts.items()}
    guards = Counter((ns, name) for (_, ns), g in picture.guards.items() for name, n in g.nodes.items() for _ in range(n))
    return hosts, guards


def test_texts_of_affinities() -> None:
    assert placement.text(None) == "nothing"
