from datetime import datetime
from typing import Any

import pytest

from builders import make, pod, put
from clusters import live, refuse, replay
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.insight import claims
from kubepane.insight.finding import Level
from recordings import age_fits, recorded

SEEN = recorded("storage-and-network")
AT = datetime.fromisoformat(SEEN["at"])
BASE: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def claim(stores: Stores, phase: str = "Pending", *, annotations: dict[str, str] | None = None, **spec: Any) -> r.Claim:
    status: dict[str, Any] = {"phase": phase}
    if phase == "Bound":
        status |= {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}
    more: dict[str, Any] = {"annotations": annotations} if annotations else {}
    obj: r.Claim = put(stores, k.CLAIMS, "data", uid="claim-uid", spec=BASE | spec, status=status, **more)
    return obj


def volume(stores: Stores, name: str = "pv-1", phase: str = "Available", **spec: Any) -> r.PersistentVolume:
    base: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "persistentVolumeReclaimPolicy": "Retain"}
    obj: r.PersistentVolume = put(stores, k.VOLUMES, name, spec=base | spec, status={"phase": phase})
    return obj


def mount(stores: Stores, name: str = "mysql-0", node: str = "worker-1", phase: str = "Running") -> None:
    spec = {"nodeName": node, "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}], "containers": [{"name": "c"}]}
    pod(stores, name, spec=spec, status={"phase": phase})


def node(stores: Stores, name: str = "worker-1", ready: str = "True", hostname: str = "") -> None:
    put(stores, k.NODES, name, labels={"kubernetes.io/hostname": hostname or name}, status={"conditions": [{"type": "Ready", "status": ready}]})


def found(stores: Stores) -> tuple[str, Level, str]:
    chain = claims.chain(stores, "shop", "data")
    return chain.broken, chain.finding.level, chain.finding.clause


def bind(stores: Stores, **spec: Any) -> None:
    claim(stores, "Bound", volumeName="pv-1", storageClassName="")
    volume(stores, phase="Bound", claimRef={"namespace": "shop", "name": "data", "uid": "claim-uid"}, **spec)


# ---- against a real server


def test_claims_read_as_the_server_prints_them() -> None:
    stores, table = replay("storage-and-network"), SEEN["persistentvolumeclaims"]
    assert len(table["rows"]) == 17
    for cells in table["rows"]:
        c = stores.claims.named("st-try", cells[0])
        assert c is not None
        ours = [
            c.metadata.name, claims.phase(c), c.spec.volume_name, claims.capacity(c), claims.modes(c), claims.class_of(c) or "",
            c.spec.volume_attributes_class_name or "<unset>", cells[7], c.spec.volume_mode,
        ]  # fmt: skip
        assert ours == cells
        assert age_fits(c.metadata.creation_timestamp, cells[7], AT, slack=2)


@pytest.mark.parametrize(
    ("name", "broken", "level", "clause"),
    [
        ("bound", "", Level.OK, "every link holds; the data is on worker-2: pods can only run there"),
        ("deleting", "claim", Level.WARN, "deleted, but pod uses-deleting still mounts it"),
        ("dyn", "volume", Level.BUSY, "waits for provisioner example.com/silent"),
        ("gone-node", "node", Level.BAD, "node worker-99 of volume st-pv-gone-node does not exist"),
        ("lost", "volume", Level.BAD, "volume st-pv-lost2 no longer exists"),
        ("missing-class", "class", Level.BAD, "no StorageClass nope (have: st-dyn, st-local, st-wffc)"),
        ("mode-block", "", Level.OK, "bound; no pod mounts it; hostPath /d is a folder of whatever node the pod runs on"),
        ("no-class", "class", Level.BAD, "no class and no default StorageClass (have: st-dyn, st-local, st-wffc)"),
        ("prebound", "volume", Level.BAD, "volume nope does not exist"),
        ("released", "volume", Level.BAD, "no volume of class st-rel fits: st-pv-released Released, still names the deleted claim of this name"),
        ("static-none", "volume", Level.BAD, "no volume without class; st-pv-small would fit, but has class st-local"),
        ("too-big", "volume", Level.BAD, "no volume of class st-local fits: st-pv-small 1Gi < 9Gi"),
        ("wffc", "volume", Level.WAIT, "waits for its first pod: normal"),
        ("wffc-by-hand", "volume", Level.WARN, "pod by-hand came to worker-1 without the scheduler, so no node was chosen for the claim"),
        ("wffc-stuck", "volume", Level.WAIT, "waits until pod stuck is scheduled"),
        ("wrong-mode", "volume", Level.BAD, "no volume of class st-local fits: st-pv-small RWO, asks RWX"),
        ("absent", "claim", Level.BAD, "claim absent does not exist"),
    ],
)
def test_every_link_that_was_broken_on_a_real_cluster(name: str, broken: str, level: Level, clause: str) -> None:
    chain = claims.chain(replay("storage-and-network"), "st-try", name)
    assert (chain.broken, chain.finding.level, chain.finding.clause) == (broken, level, clause)
    assert chain.finding.evidence
    assert chain.finding.next or level not in (Level.BAD,)


def test_a_node_chosen_by_the_scheduler_is_named() -> None:
    chain = claims.chain(replay("storage-and-network"), "st-try", "wffc-used")
    assert chain.finding.level is Level.BUSY
    assert chain.finding.clause.startswith("waits for provisioner example.com/silent on node worker-")


# ---- bound


def test_a_chain_that_holds() -> None:
    stores = live()
    bind(stores, hostPath={"path": "/data"})
    mount(stores)
    node(stores)
    assert found(stores) == ("", Level.OK, "every link holds; hostPath /data is a folder of whatever node the pod runs on")
    chain = claims.chain(stores, "shop", "data")
    assert chain.volume is not None
    assert chain.claim is not None
    assert claims.truly_bound(chain.claim, chain.volume)
    assert (chain.binding, chain.node, [p.metadata.name for p in chain.pods]) == ("static", "worker-1", ["mysql-0"])


@pytest.mark.parametrize(
    ("ref", "clause"),
    [
        (None, "volume pv-1 does not name this claim"),
        ({"namespace": "shop", "name": "data", "uid": "older"}, "volume pv-1 names a deleted claim of this name (other uid)"),
        ({"namespace": "shop", "name": "data"}, "volume pv-1 names a deleted claim of this name (other uid)"),
        ({"namespace": "shop", "name": "other", "uid": "u"}, "volume pv-1 belongs to shop/other"),
    ],
)
def test_bound_counts_only_from_both_sides(ref: Any, clause: str) -> None:
    stores = live()
    claim(stores, "Bound", volumeName="pv-1")
    volume(stores, phase="Bound", claimRef=ref)
    assert found(stores) == ("volume", Level.BAD, clause)


def test_a_bound_claim_whose_volume_went() -> None:
    stores = live()
    claim(stores, "Bound", volumeName="pv-1")
    assert found(stores) == ("volume", Level.BAD, "volume pv-1 does not exist")
    claim(stores, "Lost", volumeName="pv-1")
    assert found(stores) == ("volume", Level.BAD, "volume pv-1 no longer exists")
    volume(stores, claimRef={"namespace": "shop", "name": "other", "uid": "u"})
    assert found(stores) == ("volume", Level.BAD, "volume pv-1 belongs to shop/other")


def test_a_failed_volume_says_why() -> None:
    stores = live()
    claim(stores, "Bound", volumeName="pv-1")
    ref = {"namespace": "shop", "name": "data", "uid": "claim-uid"}
    put(stores, k.VOLUMES, "pv-1", spec={"claimRef": ref}, status={"phase": "Failed", "message": "disk on fire"})
    assert found(stores) == ("volume", Level.WARN, "volume pv-1 failed: disk on fire")


PINNED = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["worker-1"]}]}]}}


def test_the_node_of_a_pinned_volume() -> None:
    stores = live()
    bind(stores, nodeAffinity=PINNED, local={"path": "/l"})
    assert found(stores) == ("node", Level.BAD, "node worker-1 of volume pv-1 does not exist")
    node(stores, ready="Unknown")
    assert found(stores) == ("node", Level.WARN, "node worker-1 of volume pv-1 is not ready")
    node(stores)
    assert found(stores) == ("", Level.OK, "bound; no pod mounts it; the data is on worker-1: pods can only run there")
    mount(stores, node="worker-2")
    assert found(stores) == ("node", Level.BAD, "pod mysql-0 runs on worker-2, the volume is on worker-1")


def test_a_host_name_that_is_not_the_nodes_name() -> None:
    stores = live()
    bind(stores, nodeAffinity=PINNED)
    node(stores, "ip-10-0-0-7.ec2.internal", hostname="worker-1")
    assert found(stores)[:2] == ("", Level.OK)


def test_a_node_is_not_missed_where_nodes_may_not_be_listed() -> None:
    stores = live()
    refuse(stores, k.NODES)
    bind(stores, nodeAffinity=PINNED)
    assert found(stores)[:2] == ("", Level.OK)


@pytest.mark.parametrize(
    ("condition", "level", "clause"),
    [
        ({"type": "Resizing", "status": "True"}, Level.BUSY, "growing 1Gi → 5Gi"),
        ({"type": "FileSystemResizePending", "status": "True"}, Level.WAIT, "growing 1Gi → 5Gi: the file system follows when a pod mounts it"),
        ({"type": "ControllerResizeError", "status": "True", "message": "no space"}, Level.WARN, "growing 1Gi → 5Gi failed: no space"),
    ],
)
def test_growing(condition: dict[str, str], level: Level, clause: str) -> None:
    stores = live()
    bind(stores)
    status = {"phase": "Bound", "capacity": {"storage": "1Gi"}, "conditions": [condition]}
    put(stores, k.CLAIMS, "data", uid="claim-uid", spec=BASE | {"resources": {"requests": {"storage": "5Gi"}}, "volumeName": "pv-1"}, status=status)
    assert found(stores) == ("volume", level, clause)
    explained = claims.explain_claim(stores, stores.claims.named("shop", "data"))  # type: ignore[arg-type]
    assert [f.clause for f in explained] == [clause]


def test_a_deleted_claim_without_pods_goes() -> None:
    stores = live()
    put(stores, k.CLAIMS, "data", deletionTimestamp="2026-06-01T11:59:00Z", finalizers=["kubernetes.io/pvc-protection"], spec=BASE)
    assert found(stores) == ("claim", Level.BUSY, "being deleted, held by kubernetes.io/pvc-protection")
    assert claims.phase(stores.claims.named("shop", "data")) == "Terminating"  # type: ignore[arg-type]


def test_pods_that_have_finished_do_not_hold_a_claim() -> None:
    stores = live()
    bind(stores)
    mount(stores, "done", phase="Succeeded")
    assert claims.chain(stores, "shop", "data").pods == ()


def test_several_pods_on_several_nodes() -> None:
    stores = live()
    bind(stores)
    mount(stores, "b", node="n2")
    mount(stores, "a", node="n1")
    chain = claims.chain(stores, "shop", "data")
    assert [p.metadata.name for p in chain.pods] == ["a", "b"]
    assert chain.node == "n1 +1"


# ---- pending


def storageclass(stores: Stores, name: str = "fast", mode: str = "Immediate", provisioner: str = "csi.example.com", default: bool = False) -> None:
    notes: dict[str, Any] = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}} if default else {}
    put(stores, k.STORAGECLASSES, name, provisioner=provisioner, volumeBindingMode=mode, **notes)


def event(stores: Stores, reason: str, message: str, at: str = "2026-06-01T11:59:00Z") -> None:
    about = {"kind": "PersistentVolumeClaim", "namespace": "shop", "name": "data", "uid": "claim-uid"}
    put(stores, k.EVENTS, f"data.{reason}.{at}", involvedObject=about, reason=reason, message=message, lastTimestamp=at, type="Warning")


def test_no_class_and_a_default_class() -> None:
    stores = live()
    claim(stores)
    assert found(stores) == ("class", Level.BAD, "no class and no default StorageClass (have: none)")
    storageclass(stores, "standard", default=True)
    assert found(stores) == ("class", Level.BUSY, "is about to get the default class standard")


def test_no_class_but_a_volume_without_class() -> None:
    stores = live()
    claim(stores)
    volume(stores)
    assert found(stores) == ("volume", Level.BUSY, "a volume without class fits: binding")


def test_the_default_class_is_marked_among_those_there_are() -> None:
    stores = live()
    claim(stores, storageClassName="nope")
    storageclass(stores, "a")
    storageclass(stores, "b", default=True)
    assert found(stores)[2] == "no StorageClass nope (have: a, b (default))"


def test_a_class_can_be_a_mere_word() -> None:
    stores = live()
    claim(stores, storageClassName="manual")
    volume(stores, storageClassName="manual", capacity={"storage": "500Mi"})
    assert found(stores) == ("volume", Level.BAD, "no volume of class manual fits: pv-1 500Mi < 1Gi")
    volume(stores, "pv-2", storageClassName="manual")
    assert found(stores) == ("volume", Level.BUSY, "volume pv-2 fits: binding")


def test_the_old_annotation_is_the_class() -> None:
    stores = live()
    claim(stores, annotations={"volume.beta.kubernetes.io/storage-class": "old"}, storageClassName="new")
    assert found(stores)[2] == "no StorageClass old (have: none)"


def test_the_nearest_volume_is_named_and_the_others_counted() -> None:
    stores = live()
    claim(stores, storageClassName="", accessModes=["ReadWriteMany"])
    volume(stores, "far", capacity={"storage": "1Mi"})
    volume(stores, "near")
    volume(stores, "taken", phase="Released", claimRef={"namespace": "x", "name": "y", "uid": "z"}, accessModes=["ReadWriteMany"])
    assert found(stores)[2] == "no volume without class fits: near RWO, asks RWX (nor 2 more)"


def test_nothing_free_at_all() -> None:
    stores = live()
    claim(stores, storageClassName="")
    volume(stores, phase="Bound", claimRef={"namespace": "x", "name": "y", "uid": "z"})
    assert found(stores) == ("volume", Level.BAD, "no free volume without class")


def test_the_controllers_event_is_not_believed_where_there_is_no_provisioner() -> None:
    stores = live()
    storageclass(stores, "local", provisioner="kubernetes.io/no-provisioner")
    claim(stores, storageClassName="local")
    event(stores, "ProvisioningFailed", "no volume plugin matched name: kubernetes.io/no-provisioner")
    volume(stores, storageClassName="lokal")
    assert found(stores) == ("volume", Level.BAD, "no volume of class local; pv-1 would fit, but has class lokal")


def test_a_provisioner_at_work_and_failing() -> None:
    stores = live()
    storageclass(stores)
    claim(stores, storageClassName="fast")
    assert found(stores) == ("volume", Level.BUSY, "waits for provisioner csi.example.com")
    event(stores, "ProvisioningFailed", 'failed to provision volume with StorageClass "fast": rpc error: quota exceeded', "2026-06-01T11:50:00Z")
    assert found(stores) == ("volume", Level.BAD, "provisioning failed: rpc error: quota exceeded")
    event(stores, "Provisioning", "External provisioner is provisioning volume", "2026-06-01T11:51:00Z")
    assert found(stores)[1] is Level.BAD, "it says so before each try"
    event(stores, "Provisioning", "External provisioner is provisioning volume", "2026-06-01T12:30:00Z")
    assert found(stores)[1] is Level.BUSY, "that failure is long past"


def test_the_first_consumer() -> None:
    stores = live()
    storageclass(stores, mode="WaitForFirstConsumer")
    claim(stores, storageClassName="fast")
    assert found(stores) == ("volume", Level.WAIT, "waits for its first pod: normal")
    mount(stores, node="", phase="Pending")
    assert found(stores) == ("volume", Level.WAIT, "waits until pod mysql-0 is scheduled")
    claim(stores, storageClassName="fast", annotations={"volume.kubernetes.io/selected-node": "worker-1"})
    assert found(stores) == ("volume", Level.BAD, "node worker-1, chosen for it, does not exist")
    node(stores)
    assert found(stores) == ("volume", Level.BUSY, "waits for provisioner csi.example.com on node worker-1")


def test_a_first_consumer_of_volumes_made_by_hand() -> None:
    stores = live()
    storageclass(stores, mode="WaitForFirstConsumer", provisioner="kubernetes.io/no-provisioner")
    claim(stores, storageClassName="fast")
    mount(stores, node="", phase="Pending")
    assert found(stores) == ("volume", Level.BAD, "no free volume of class fast")
    volume(stores, storageClassName="fast")
    assert found(stores) == ("volume", Level.WAIT, "waits until pod mysql-0 is scheduled")


@pytest.mark.parametrize(
    ("spec", "clause"),
    [
        ({"claimRef": {"namespace": "shop", "name": "other", "uid": "u"}}, "volume pv-1: belongs to shop/other"),
        ({"capacity": {"storage": "1Mi"}}, "volume pv-1: 1Mi < 1Gi"),
        ({"storageClassName": "x"}, "volume pv-1: class x, asks none"),
    ],
)
def test_a_volume_asked_for_by_name_that_does_not_suit(spec: Any, clause: str) -> None:
    stores = live()
    claim(stores, volumeName="pv-1", storageClassName="")
    volume(stores, **spec)
    assert found(stores) == ("volume", Level.BAD, clause)


def test_a_volume_asked_for_by_name_that_suits() -> None:
    stores = live()
    claim(stores, volumeName="pv-1", storageClassName="")
    volume(stores)
    assert found(stores) == ("volume", Level.BUSY, "binding to volume pv-1")


# ---- where we may not look


def test_nothing_is_missed_where_nothing_may_be_listed() -> None:
    stores = live()
    refuse(stores, k.VOLUMES, k.STORAGECLASSES, k.NODES)
    claim(stores, "Bound", volumeName="pv-1", storageClassName="fast")
    assert found(stores) == ("", Level.OK, "bound to pv-1; the volume could not be looked at: may not list persistentvolumes")
    claim(stores, storageClassName="fast")
    assert found(stores) == ("class", Level.WAIT, "waits for a volume of class fast (could not look: may not list storageclasses.storage.k8s.io)")
    claim(stores, storageClassName="")
    assert found(stores) == ("volume", Level.WAIT, "waits for a volume without class (could not look: may not list persistentvolumes)")
    claim(stores)
    assert found(stores)[2].startswith("asks for the default class (could not look")
    claim(stores, volumeName="pv-1")
    assert found(stores) == ("volume", Level.WAIT, "waits for volume pv-1 (could not look: may not list persistentvolumes)")


@pytest.mark.parametrize(
    ("reason", "message", "level", "clause"),
    [
        ("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found', Level.BAD, 'storageclass.storage.k8s.io "fast" not found'),
        ("WaitForFirstConsumer", "waiting for first consumer to be created before binding", Level.WAIT, "waits for its first pod: normal"),
        ("WaitForPodScheduled", "waiting for pod a to be scheduled", Level.WAIT, "waits for pod a to be scheduled"),
        ("ExternalProvisioning", "Waiting for a volume to be created", Level.BUSY, "waits for its provisioner"),
    ],
)
def test_the_event_tells_what_we_may_not_see(reason: str, message: str, level: Level, clause: str) -> None:
    stores = live()
    refuse(stores, k.STORAGECLASSES)
    claim(stores, storageClassName="fast")
    event(stores, reason, message)
    assert found(stores) == ("class", level, clause)


def test_a_claim_that_pods_name_is_missed_only_once_all_claims_are_known() -> None:
    stores = live()
    mount(stores)
    assert found(stores) == ("claim", Level.BAD, "claim data does not exist")
    for state, clause in (
        (State.SYNCING, "could not look: persistentvolumeclaims not read yet"),
        (State.RECONNECTING, "could not look: persistentvolumeclaims not current"),
    ):
        stores.claims.set_freshness(Freshness(state))
        assert found(stores) == ("", Level.OFF, clause)
    refuse(stores, k.CLAIMS)
    assert found(stores) == ("", Level.OFF, "could not look: may not list persistentvolumeclaims")
    stores.claims.set_freshness(Freshness(State.LIVE, hidden=("other",)))
    assert found(stores) == ("", Level.OFF, "could not look: not all persistentvolumeclaims are shown")
    stores.claims.set_freshness(Freshness(State.ABSENT))
    assert found(stores)[1] is Level.BAD, "an API that is not served has none"


def test_an_object_without_any_field_says_something() -> None:
    stores = live()
    stores.claims.put(make(k.CLAIMS, "data"))
    stores.volumes.put(make(k.VOLUMES, "pv"))
    assert found(stores) == ("volume", Level.BUSY, "a volume without class fits: binding")


def test_what_else_there_is_to_say() -> None:
    stores = live()
    conditions = [{"type": "ModifyVolumeError", "status": "True", "message": "no such tier"}, {"type": "Resizing", "status": "False"}]
    spec = BASE | {"volumeName": "pv-1", "resources": {"requests": {"storage": "1Gi"}}}
    put(stores, k.CLAIMS, "data", uid="claim-uid", spec=spec, status={"phase": "Bound", "conditions": conditions})
    ref = {"namespace": "shop", "name": "data", "uid": "claim-uid"}
    put(
        stores, k.VOLUMES, "pv-1", deletionTimestamp="2026-06-01T11:59:00Z", spec={"claimRef": ref, "nodeAffinity": PINNED}, status={"phase": "Bound"}
    )
    data = stores.claims.named("shop", "data")
    assert data is not None
    assert [(f.level, f.clause) for f in claims.explain_claim(stores, data)] == [
        (Level.BAD, "node worker-1 of volume pv-1 does not exist"),
        (Level.WARN, "volume pv-1 is deleted and goes with the claim"),
        (Level.WARN, "changing the volume's attributes failed: no such tier"),
    ]


def test_of_several_default_classes_the_newest_is_taken() -> None:
    stores = live()
    claim(stores)
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    for name, at in (("old", "2026-01-01T00:00:00Z"), ("new", "2026-02-01T00:00:00Z"), ("b", "2026-01-15T00:00:00Z")):
        put(stores, k.STORAGECLASSES, name, provisioner="x", annotations=default, creationTimestamp=at)
    assert found(stores)[2] == "is about to get the default class new"


def test_a_class_without_a_binding_mode_binds_at_once() -> None:
    stores = live()
    put(stores, k.STORAGECLASSES, "fast", provisioner="x")
    claim(stores, storageClassName="fast")
    assert claims.chain(stores, "shop", "data").binding == "Immediate"
    assert found(stores) == ("volume", Level.BUSY, "waits for provisioner x")


@pytest.mark.parametrize(("wanted", "binding"), [("fast", "missing"), ("", "static"), (None, "static")])
def test_the_binding_of_a_class(wanted: str | None, binding: str) -> None:
    stores = live()
    claim(stores, storageClassName=wanted)
    assert claims.chain(stores, "shop", "data").binding == binding
    refuse(stores, k.STORAGECLASSES)
    assert claims.chain(stores, "shop", "data").binding == ("static" if wanted == "" else "")


def test_a_whole_chain_needs_no_explanation() -> None:
    stores = live()
    bind(stores)
    mount(stores)
    data = stores.claims.named("shop", "data")
    assert data is not None
    assert claims.explain_claim(stores, data) == []
    refuse(stores, k.VOLUMES)
    stores.volumes.replace([])
    assert claims.explain_claim(stores, data) == []


def test_a_volume_that_would_fit_but_for_its_class_is_named() -> None:
    stores = live()
    claim(stores, storageClassName="manual")
    put(stores, k.STORAGECLASSES, "standard", provisioner="x")
    volume(stores, "other", storageClassName="standard")
    assert found(stores)[2] == "no StorageClass manual (have: standard)"
    volume(stores, "mysql-pv", storageClassName="manuel")
    assert found(stores) == ("class", Level.BAD, "no StorageClass manual; volume mysql-pv would fit, but has class manuel")
