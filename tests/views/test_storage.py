import json
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from builders import NOW, make, pod, put
from clusters import LIVE, live, paint, records, refuse, replay, shown
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.views.storage import StorageView
from kubepane_widgets.columns import Wide
from recordings import recorded

SEEN = recorded("storage-and-network")
AT = datetime.fromisoformat(SEEN["at"])


def claim(stores: Stores, name: str, size: str, storageclass: str | None, volume: str = "", **more: Any) -> Any:
    phase = "Bound" if volume else "Pending"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, "storageClassName": storageclass, "volumeName": volume}
    status = {"phase": phase, "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"]} if volume else {"phase": phase}
    obj = put(stores, k.CLAIMS, name, spec=spec, status=status, **more)
    if volume:
        ref = {"namespace": "shop", "name": name, "uid": obj.metadata.uid}
        body = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "claimRef": ref, "storageClassName": storageclass or ""}
        put(
            stores,
            k.VOLUMES,
            volume,
            spec=body | {"persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/data/mysql"}},
            status={"phase": "Bound"},
        )
    return obj


def mount(stores: Stores, name: str, claims: str, node: str = "chat-worker") -> Any:
    mounts = [{"name": "data", "mountPath": "/var/lib/mysql"}]
    spec = {
        "nodeName": node,
        "containers": [{"name": "c", "volumeMounts": mounts}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claims}}],
    }
    return pod(stores, name, spec=spec) if node else pod(stores, name, spec=spec, status={"phase": "Pending"})


def story() -> Stores:
    """The four claims of the look."""
    stores = live()
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    put(stores, k.STORAGECLASSES, "standard", provisioner="local", volumeBindingMode="WaitForFirstConsumer", annotations=default)
    for node in ("chat-worker", "chat-worker2"):
        put(stores, k.NODES, node, status={"conditions": [{"type": "Ready", "status": "True"}]})
    claim(stores, "data-mysql-0", "1Gi", "", "mysql-pv")
    mount(stores, "mysql-0", "data-mysql-0")
    claim(stores, "data-prometheus-0", "10Gi", "standard", "pvc-7f3a91c2")
    mount(stores, "prometheus-0", "data-prometheus-0", "chat-worker2")
    claim(stores, "data-reports-0", "5Gi", "fast")
    mount(stores, "reports-0", "data-reports-0", "")
    claim(stores, "cache-search", "2Gi", "standard")
    return stores


def test_narrow_as_the_look_has_it() -> None:
    assert paint(shown(StorageView, story()), 54, 5) == [
        "  POD             CLAIM             SIZE   VOLUME",
        "✕ reports-0 ─── → data-reports-0     5Gi ╌✕ no Storag…",
        "○ none yet ──── → cache-search       2Gi ─→ waits for…",
        "● mysql-0 ───── → data-mysql-0       1Gi → mysql-pv",
        "● prometheus-0… → data-prometheus-0 10Gi → pvc-7f3a91…",
    ]


def test_wider_as_the_look_has_it() -> None:
    assert paint(shown(StorageView, story()), 76, 12)[:5] == [
        "  POD          CLAIM           SIZE MODE    CLASS     VOLUME     NODE",
        "✕ reports-0… → data-reports-0   5Gi RWO  ╌✕ no StorageClass fast (have: sta…",
        "○ none yet ─ → cache-search     2Gi RWO  ─→ waits for its first pod: normal",
        "● mysql-0 ── → data-mysql-0     1Gi RWO  ─→ (none)  → mysql-pv → chat-worker",
        "● prometheu… → data-prometheu… 10Gi RWO  ─→ standa… → pvc-7f3… → chat-worke…",
    ]


def test_large_with_the_chain_of_the_cursor() -> None:
    assert paint(shown(StorageView, story()), 116, 26, cursor=2)[1:] == [
        "✕ reports-0 ────── → data-reports-0     5Gi RWO  ╌✕ fast no StorageClass fast (have: standard (default))",
        "○ none yet ─────── → cache-search       2Gi RWO  ─→ standard waits for its first pod: normal",
        "● mysql-0 ──────── → data-mysql-0       1Gi RWO  ─→ (none)   → mysql-pv     Retain  → chat-worker  static",
        "● prometheus-0 ─── → data-prometheus-0 10Gi RWO  ─→ standard → pvc-7f3a91c2 Retain  → chat-worker2 WaitForFirstCons…",
        "",
        "╭ Pod ─────────────╮    ╭ Claim ───────────╮    ╭ Class ───────────╮    ╭ Volume ──────────╮    ╭ Node ────────────╮",
        '│ mysql-0          │    │ data-mysql-0     │    │ "" (none)        │    │ mysql-pv         │    │ chat-worker      │',
        "│ ● Running 1/1    │───►│ ● Bound          │───►│ ● static         │───►│ ● Bound          │───►│ ● Ready          │",
        "│ at /var/lib/mys… │    │ asks 1Gi RWO     │    │ no provisioner   │    │ has 1Gi RWO      │    │ path /data/mysql │",
        "│ as volume data   │    │ age 60m          │    │ binds Immediate  │    │ on delete Retain │    │ type hostPath    │",
        "╰──────────────────╯    ╰──────────────────╯    ╰──────────────────╯    ╰──────────────────╯    ╰──────────────────╯",
        "",
        "● whole: every link holds; hostPath /data/mysql is a folder of whatever node the pod runs on",
        "✕ data-reports-0: no StorageClass fast (have: standard (default))",
        "  cure create StorageClass fast, or delete the claim (its class is fixed) and name another",
    ]


def test_a_broken_chain_breaks_in_the_boxes() -> None:
    lines = paint(shown(StorageView, story()), 116, 26, cursor=0)
    assert any("○ Pending" in line and "───►│ ○ Pending" in line and "╌╌╌✕│ ✕ no such class" in line and "│╌╌╌╌│" in line for line in lines)


def test_the_title_says_what_is_broken() -> None:
    table = shown(StorageView, story())
    assert table.view.facts(NOW) == ["1 broken", "1 waiting"]
    assert len(table.order) == 4


def test_records_read_as_kubectl_prints() -> None:
    found = records(shown(StorageView, replay("storage-and-network"), AT), AT)
    columns = ["name", "status", "volume", "capacity", "access_modes", "storageclass", "volumeattributesclass", "age", "volumemode"]
    for cells in SEEN["persistentvolumeclaims"]["rows"]:
        ours = [found[cells[0]][c] for c in columns]
        assert [*ours[:7], ours[8]] == [*cells[:7], cells[8]]
    json.dumps(list(found.values()))
    assert found["bound"]["pods"] == ["uses-bound"]
    assert (found["bound"]["capacity_value"], found["dyn"]["capacity_value"]) == (2 << 30, None)
    assert found["bound"]["why"] == ""
    assert found["absent"]["uid"] == ""


@pytest.mark.parametrize("width", [40, 54, 56, 76, 90, 91, 116, 156, 240])
@pytest.mark.parametrize("height", [3, 8, 14, 20, 44])
@pytest.mark.parametrize("wide", [False, True])
def test_every_size_fits(width: int, height: int, wide: bool) -> None:
    table = shown(StorageView, replay("storage-and-network"), AT)
    table.view.wide = wide
    for cursor in range(len(table.order)) if (width, height) in ((116, 20), (156, 44)) else (0,):
        paint(table, width, height, cursor)


def test_notes_carry_the_whole_reason() -> None:
    table = shown(StorageView, story())
    notes = [table.row(key, 54, 5).note for key in table.order]
    assert notes[:2] == ["shop/data-reports-0: no StorageClass fast (have: standard (default))", "shop/cache-search: waits for its first pod: normal"]
    assert notes[2].startswith("shop/data-mysql-0: every link holds")


def test_a_chain_broken_at_the_node_keeps_what_comes_before() -> None:
    stores = replay("storage-and-network")
    table = shown(StorageView, stores, AT)
    key = next(key for key in table.order if table.view.record(key, AT)["name"] == "gone-node")
    cells = dict(zip([c.key for c in table.columns(116, 20)], table.row(key, 116, 20).cells, strict=True))
    assert isinstance(cells["node"], Wide)
    assert cells["volume"] == [("→ ", "muted"), ("st-pv-gone-node", "fg")]


# ---- kept up to date


def rows(table: Any) -> dict[str, str]:
    table.update()
    return {r["name"]: r["why"] for r in records(table).values()}


def test_rows_follow_everything_they_are_made_of() -> None:
    stores = live()
    table = shown(StorageView, stores)
    assert rows(table) == {}
    mount(stores, "mysql-0", "data")
    assert rows(table) == {"data": "claim data does not exist"}
    obj = claim(stores, "data", "1Gi", "fast")
    assert rows(table) == {"data": "no StorageClass fast (have: none)"}
    put(stores, k.STORAGECLASSES, "fast", uid="fast", provisioner="x", volumeBindingMode="Immediate")
    assert rows(table) == {"data": "waits for provisioner x"}
    about = {"kind": "PersistentVolumeClaim", "name": "data", "uid": obj.metadata.uid}
    put(stores, k.EVENTS, "e", uid="e", involvedObject=about, reason="ProvisioningFailed", message="quota", lastTimestamp="2026-06-01T11:59:00Z")
    assert rows(table) == {"data": "provisioning failed: quota"}
    stores.events.drop("e")
    assert rows(table) == {"data": "waits for provisioner x"}
    bound = claim(stores, "data", "1Gi", "fast", "pv-1", uid=obj.metadata.uid)
    assert rows(table) == {"data": ""}
    pv = stores.volumes.named("", "pv-1")
    assert pv is not None
    stores.volumes.drop(pv.metadata.uid)
    assert rows(table) == {"data": "volume pv-1 does not exist"}
    stores.volumes.put(pv)
    stores.storageclasses.drop("fast")
    assert rows(table) == {"data": ""}
    stores.claims.drop(bound.metadata.uid)
    assert rows(table) == {"data": "claim data does not exist"}
    stores.pods.drop(next(iter(stores.pods)).metadata.uid)
    assert rows(table) == {}


def test_a_node_that_goes_breaks_the_chain_of_its_volume() -> None:
    stores = live()
    claim(stores, "data", "1Gi", "", "pv-1")
    pv = stores.volumes.named("", "pv-1")
    assert pv is not None
    pinned = {"required": {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]}}
    spec = {"capacity": {"storage": "1Gi"}, "claimRef": {"namespace": "shop", "name": "data", "uid": pv.spec.claim_ref.uid}, "nodeAffinity": pinned}  # type: ignore[union-attr]
    put(stores, k.VOLUMES, "pv-1", uid=pv.metadata.uid, spec=spec, status={"phase": "Bound"})
    table = shown(StorageView, stores)
    assert rows(table) == {"data": "node n1 of volume pv-1 does not exist"}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    put(stores, k.NODES, "n1", uid="n1", status=ready)
    assert rows(table) == {"data": ""}
    put(stores, k.NODES, "n1", uid="n1", status={"conditions": [{"type": "Ready", "status": "Unknown"}]})
    assert rows(table) == {"data": "node n1 of volume pv-1 is not ready"}


def test_a_heartbeat_of_a_node_touches_no_row() -> None:
    stores = live()
    claim(stores, "data", "1Gi", "", "pv-1")
    ready = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-06-01T11:00:00Z"}]}
    node = put(stores, k.NODES, "n1", uid="n1", status=ready)
    table = shown(StorageView, stores)
    stores.nodes.put(replace(node, metadata=replace(node.metadata, resource_version="2")))
    assert table.update() == set()


def test_a_pod_without_claims_touches_no_row() -> None:
    stores = story()
    table = shown(StorageView, stores)
    pod(stores, "web", spec={"nodeName": "n", "containers": [{"name": "c"}]})
    assert table.update() == set()


def test_what_is_missing_shows_once_all_claims_are_read() -> None:
    stores = live()
    stores.claims.set_freshness(Freshness(State.SYNCING))
    mount(stores, "mysql-0", "data")
    table = shown(StorageView, stores)
    assert rows(table) == {}
    stores.claims.set_freshness(LIVE)
    assert rows(table) == {"data": "claim data does not exist"}
    refuse(stores, k.CLAIMS)
    assert rows(table) == {}


def test_who_may_list_only_claims_sees_their_rows() -> None:
    stores = story()
    refuse(stores, k.VOLUMES, k.STORAGECLASSES, k.NODES, k.PODS)
    for store in (stores.volumes, stores.storageclasses, stores.nodes, stores.pods):
        store.replace([])
    table = shown(StorageView, stores)
    assert [table.view.record(key, NOW)["name"] for key in table.order] == ["cache-search", "data-reports-0", "data-mysql-0", "data-prometheus-0"]
    assert table.view.facts(NOW) == ["2 waiting"]
    paint(table, 116, 26)


def test_a_view_over_everything_sorts_and_filters_by_its_columns() -> None:
    table = shown(StorageView, story())
    for column in table.view.fields():
        table.set_sort(column)
        assert len(table.order) == 4
    table.set_sort("size")
    sizes = [table.view.record(key, NOW)["size"] for key in table.order]
    assert sizes in (["1Gi", "2Gi", "5Gi", "10Gi"], ["10Gi", "5Gi", "2Gi", "1Gi"])


def test_hostile_names_stay_in_their_cells() -> None:
    stores = live()
    evil = "a\x1b[2Jb\u202ec[/red]"
    stores.claims.put(make(k.CLAIMS, evil, evil, spec={"storageClassName": evil, "volumeName": evil}, status={"phase": evil}))
    for width in (54, 116, 156):
        for line in paint(shown(StorageView, stores), width, 26):
            assert line.isprintable()


def box(lines: list[str], n: int) -> list[str]:
    """The four lines of the n-th box of a chain."""
    top = next(i for i, line in enumerate(lines) if line.startswith("╭ "))
    return [line.split("│")[2 * n + 1].strip() for line in lines[top + 1 : top + 5]]


def boxes(stores: Stores, name: str) -> list[list[str]]:
    table = shown(StorageView, stores, AT)
    cursor = next(i for i, key in enumerate(table.order) if table.view.record(key, AT)["name"] == name)
    lines = paint(table, 156, 44, cursor)
    return [box(lines, n) for n in range(5)]


def test_boxes_of_broken_chains() -> None:
    stores = replay("storage-and-network")
    assert boxes(stores, "gone-node") == [
        ["none", "", "", ""],
        ["gone-node", "● Bound", "asks 1Gi RWO", boxes(stores, "gone-node")[1][3]],
        ["st-gone", "– no such class", "", ""],
        ["st-pv-gone-node", "● Bound", "has 3Gi RWO", "on delete Retain"],
        ["worker-99", "✕ does not exist", "path /l", "type local"],
    ]
    assert boxes(stores, "missing-class")[2][:2] == ["nope", "✕ no such class"]
    assert boxes(stores, "dyn")[0][0] == "none yet"
    assert boxes(stores, "dyn")[2:] == [
        ["st-dyn", "● dynamic", "by example.com/silent", "binds Immediate"],
        ["none yet", "", "", ""],
        ["–", "", "", ""],
    ]
    assert boxes(stores, "too-big")[2] == ["st-local", "● static", "by kubernetes.io/no-pro…", "binds Immediate"]
    assert boxes(stores, "prebound")[3][:2] == ["nope", "✕ does not exist"]
    assert boxes(stores, "no-class")[2] == ["the default", "✕ there is none", "", ""]
    assert boxes(stores, "mode-block")[4][:1] == ["anywhere"]
    assert boxes(stores, "deleting")[1][1] == "▲ Terminating"
    assert boxes(stores, "lost")[1][1] == "✕ Lost"


def test_boxes_where_nothing_may_be_listed() -> None:
    stores = replay("storage-and-network")
    kinds = (k.VOLUMES, k.STORAGECLASSES, k.NODES)
    refuse(stores, *kinds)
    for kind in kinds:
        stores.of(kind).replace([])
    assert boxes(stores, "bound")[2:] == [
        ["st-manual", "– not seen", "", ""],
        ["st-pv-pinned", "– not seen", "", ""],
        ["worker-2", "– not seen", "", ""],
    ]
