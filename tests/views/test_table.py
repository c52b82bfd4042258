from hypothesis import given, strategies as st

from builders import NOW, put
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.stores import Stores
from kubepane.views.filter import parse
from kubepane.views.table import Table
from kubepane.views.view import World
from views.sample import ServicesView


def table(stores: Stores) -> Table:
    return Table(ServicesView(World(stores, Metrics())), lambda: None, lambda: NOW)


def names(t: Table) -> list[str]:
    return [t.view.record(key, NOW)["name"] for key in t.order]


def text(line: list[tuple[str, str]]) -> str:
    return "".join(part for part, _ in line)


def test_changes_become_order_and_changed_keys() -> None:
    stores = Stores()
    t = table(stores)
    b, a = put(stores, k.SERVICES, "b"), put(stores, k.SERVICES, "a")
    assert t.update() == {a.metadata.uid, b.metadata.uid}
    assert names(t) == ["a", "b"]
    stores.services.drop(a.metadata.uid)
    assert t.update() == {a.metadata.uid}
    assert names(t) == ["b"]
    assert t.update() == set()


def test_a_closed_table_hears_nothing_more() -> None:
    stores = Stores()
    t = table(stores)
    t.close()
    put(stores, k.SERVICES, "a")
    assert t.update() == set()


def test_work_is_bounded_and_nothing_is_lost() -> None:
    stores = Stores()
    t = table(stores)
    for i in range(1000):
        put(stores, k.SERVICES, f"s{i:04}")
    seen = t.update(until=0.0)
    assert 0 < len(seen) < 1000
    assert t.behind
    while t.behind:
        seen |= t.update(until=0.0)
    assert len(seen) == 1000
    assert names(t) == [f"s{i:04}" for i in range(1000)]


def test_filter_sort_and_namespaces_work_together() -> None:
    stores = Stores()
    t = table(stores)
    for name, namespace, ports in (("a", "shop", 3), ("b", "shop", 1), ("c", "shop", 2), ("d", "test", 9)):
        put(stores, k.SERVICES, name, namespace, spec={"ports": [{"port": 1}] * ports})
    t.update()
    t.set_sort("ports")
    assert names(t) == ["b", "c", "a", "d"]
    t.set_sort("ports")
    assert names(t) == ["d", "a", "c", "b"]
    t.set_namespaces(["shop"])
    assert names(t) == ["a", "c", "b"]
    t.set_filter(parse("ports>1", t.view.fields()))
    assert names(t) == ["a", "c"]
    put(stores, k.SERVICES, "e", "shop", spec={"ports": [{"port": 1}] * 5})
    put(stores, k.SERVICES, "f", "shop")
    t.update()
    assert names(t) == ["e", "a", "c"]
    assert [text(part) for part in t.title(80)] == ["9 Services", " 3 of 6", " · /ports>1", " · by ports ↓"]
    t.set_filter(parse("", ()))
    t.set_sort("")
    assert names(t) == ["a", "b", "c", "e", "f"]


def test_a_pane_is_as_fresh_as_the_worst_kind_that_makes_its_rows() -> None:
    stores = Stores()
    t = table(stores)
    assert text(t.fresh()) == "◌ connecting"
    stores.services.set_freshness(Freshness(State.SYNCING, received=500, expected=1850))
    assert text(t.fresh()) == "◌ syncing 500/1,850"
    assert text(t.title(80)[1]) == " 0+"
    stores.services.set_freshness(Freshness(State.LIVE))
    stores.nodes.set_freshness(Freshness(State.FORBIDDEN, verb="list", resource="nodes"))
    assert text(t.fresh()) == "● live"
    stores.services.set_freshness(Freshness(State.FORBIDDEN, verb="list", resource="services", namespace="shop"))
    assert text(t.fresh()) == "✕ forbidden: list services in shop"
    t.user = "ann"
    said = "\n".join(text(line) for line in t.empty(80, 20))
    assert "missing  list services in namespace shop" in said
    assert "you are  ann" in said


def test_an_empty_pane_says_whether_it_is_the_filter() -> None:
    stores = Stores()
    stores.services.set_freshness(Freshness(State.LIVE))
    t = table(stores)
    assert text(t.empty(80, 20)[0]) == "No Services."
    put(stores, k.SERVICES, "a")
    t.update()
    t.set_filter(parse("zzz", ()))
    assert text(t.empty(80, 20)[0]) == "Nothing passes the filter zzz"


def test_a_namespace_that_does_not_exist_is_said_where_that_can_be_known() -> None:
    stores = Stores()
    stores.services.set_freshness(Freshness(State.LIVE))
    t = table(stores)
    t.set_namespaces(["shopp"])
    assert text(t.empty(80, 20)[0]) == "No Services in namespace shopp."
    put(stores, k.NAMESPACES, "shop")
    stores.namespaces.set_freshness(Freshness(State.LIVE))
    assert text(t.empty(80, 20)[0]) == "▲ No namespace shopp."
    t.set_namespaces(["shop", "shopp"])
    assert text(t.empty(80, 20)[0]) == "No Services in namespace shop, shopp."


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["put", "drop", "update"]), st.integers(0, 5)), max_size=40))
def test_the_order_is_always_that_of_the_store(steps: list[tuple[str, str, int]]) -> None:
    stores = Stores()
    t = table(stores)
    t.set_sort("ports")
    for name, what, ports in steps:
        if what == "put":
            put(stores, k.SERVICES, name, uid=name, spec={"ports": [{"port": 1}] * ports})
        elif what == "drop":
            stores.services.drop(name)
        else:
            t.update()
    t.update()
    want = sorted((len(s.spec.ports or ()), s.metadata.name) for s in stores.services)
    assert names(t) == [name for _, name in want]
