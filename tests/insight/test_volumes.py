from datetime import datetime

import pytest

from builders import make
from clusters import replay
from kubepane.cluster import kinds as k
from kubepane.insight import quantities, volumes
from recordings import age_fits, recorded

SEEN = recorded("storage-and-network")
AT = datetime.fromisoformat(SEEN["at"])


def test_volumes_read_as_the_server_prints_them() -> None:
    stores, table = replay("storage-and-network"), SEEN["persistentvolumes"]
    assert len(table["rows"]) == 7
    for cells in table["rows"]:
        pv = stores.volumes.named("", cells[0])
        assert pv is not None
        ours = [
            pv.metadata.name, volumes.capacity(pv), volumes.modes(pv.spec.access_modes), pv.spec.persistent_volume_reclaim_policy, volumes.phase(pv),
            volumes.owner(pv), volumes.class_of(pv), pv.spec.volume_attributes_class_name or "<unset>", pv.status.reason, cells[9], pv.spec.volume_mode,
        ]  # fmt: skip
        assert ours == cells
        assert age_fits(pv.metadata.creation_timestamp, cells[9], AT, slack=2)


def claim(**spec: object) -> object:
    base = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return make(k.CLAIMS, "data", uid="claim-uid", spec=base | spec)


def volume(phase: str = "Available", **spec: object) -> object:
    base = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": "manual"}
    return make(k.VOLUMES, "pv-1", spec=base | spec, status={"phase": phase})


@pytest.mark.parametrize(
    ("asks", "has", "field", "words"),
    [
        ({}, {}, None, ""),
        ({}, {"capacity": {"storage": "2Gi"}}, None, ""),
        ({}, {"capacity": {"storage": "1073741823"}}, "spec.capacity.storage", "1073741823 < 1Gi"),
        ({}, {"capacity": {"storage": "1G"}}, "spec.capacity.storage", "1G < 1Gi"),
        ({}, {"capacity": None}, "spec.capacity.storage", "0 < 1Gi"),
        ({"accessModes": ["ReadWriteMany"]}, {}, "spec.accessModes", "RWO, asks RWX"),
        ({}, {"accessModes": ["ReadWriteMany", "ReadWriteOnce"]}, None, ""),
        ({"volumeMode": "Block"}, {}, "spec.volumeMode", "Filesystem, asks Block"),
        ({}, {"volumeMode": "Filesystem"}, None, ""),
        ({}, {"storageClassName": "slow"}, "spec.storageClassName", "class slow, asks manual"),
        ({}, {"storageClassName": ""}, "spec.storageClassName", "class none, asks manual"),
        ({"selector": {"matchLabels": {"disk": "ssd"}}}, {}, "metadata.labels", "not disk=ssd"),
        ({"volumeAttributesClassName": "gold"}, {}, "spec.volumeAttributesClassName", "attributes class none, asks gold"),
        ({}, {"claimRef": {"namespace": "shop", "name": "other"}}, "spec.claimRef", "reserved for shop/other"),
        ({}, {"claimRef": {"namespace": "shop", "name": "data"}}, None, ""),
        ({}, {"claimRef": {"namespace": "shop", "name": "data", "uid": "claim-uid"}}, None, ""),
        ({}, {"claimRef": {"namespace": "elsewhere", "name": "data"}}, "spec.claimRef", "reserved for elsewhere/data"),
    ],
)
def test_the_field_that_misses_is_named(asks: dict[str, object], has: dict[str, object], field: str | None, words: str) -> None:
    wrong = volumes.misfits(claim(**asks), volume(**has), "manual")  # type: ignore[arg-type]
    assert [(m.field, m.words) for m in wrong] == ([] if field is None else [(field, words)])


def test_a_released_volume_is_nobodys_until_somebody_clears_it() -> None:
    old = volume("Released", claimRef={"namespace": "shop", "name": "data", "uid": "an-older-uid"})
    assert [m.field for m in volumes.misfits(claim(), old, "manual")] == ["spec.claimRef.uid"]  # type: ignore[arg-type]
    others = volume("Released", claimRef={"namespace": "shop", "name": "x", "uid": "u"})
    assert [m.words for m in volumes.misfits(claim(), others, "manual")] == ["Released from shop/x"]  # type: ignore[arg-type]


def test_a_volume_that_is_being_deleted_serves_nobody() -> None:
    pv = make(k.VOLUMES, "pv", deletionTimestamp="2026-06-01T11:59:00Z", spec={"capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"]})
    assert [m.field for m in volumes.misfits(claim(), pv, "")] == ["metadata.deletionTimestamp"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "hosts", "words"),
    [
        ([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["b", "a"]}]}], ("a", "b"), "a,b"),
        ([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}], ("n",), "n"),
        ([{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-1a"]}]}], (), "zone=eu-1a"),
        ([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["a"]}]}], (), ""),
        (None, (), ""),
    ],
)
def test_where_a_volume_can_be_used(terms: object, hosts: tuple[str, ...], words: str) -> None:
    pv = volume(nodeAffinity={"required": {"nodeSelectorTerms": terms}})
    assert (volumes.pinned(pv), volumes.reach(pv)) == (hosts, words)  # type: ignore[arg-type]


def test_places() -> None:
    for spec, place in (
        ({"hostPath": {"path": "/d"}}, ("hostPath", "/d")),
        ({"local": {"path": "/l"}}, ("local", "/l")),
        ({"nfs": {"server": "s", "path": "/p"}}, ("nfs", "s:/p")),
        ({"csi": {"driver": "ebs.csi.aws.com"}}, ("csi", "ebs.csi.aws.com")),
        ({"awsElasticBlockStore": {}}, ("", "")),
    ):
        assert volumes.place(volume(**spec)) == place  # type: ignore[arg-type]


def test_modes_have_an_order_of_their_own() -> None:
    assert volumes.modes(["ReadWriteMany", "ReadWriteOnce", "ReadOnlyMany", "ReadWriteOnce", "ReadWriteOncePod"]) == "RWO,ROX,RWX,RWOP"
    assert volumes.modes(None) == ""
    assert quantities.size("1Gi") == 2**30


@pytest.mark.parametrize(
    ("phase", "field"), [("Available", None), ("Pending", None), ("", None), ("Failed", "status.phase"), ("Released", "status.phase")]
)
def test_a_volume_without_owner_must_be_free(phase: str, field: str | None) -> None:
    wrong = volumes.misfits(claim(), volume(phase), "manual")  # type: ignore[arg-type]
    assert [m.field for m in wrong] == ([field] if field else [])


def test_a_volume_of_the_old_annotation() -> None:
    pv = make(k.VOLUMES, "pv", annotations={"volume.beta.kubernetes.io/storage-class": "old"}, spec={"storageClassName": "new"})
    assert volumes.class_of(pv) == "old"
