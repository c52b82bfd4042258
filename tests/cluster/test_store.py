"""Stores against a model: a dict, and indexes computed anew."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from builders import make
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import KINDS, PODS
from kubepane.cluster.resources import Pod
from kubepane.cluster.store import Changes, Store
from kubepane.cluster.stores import Stores, namespace, owners, pod_node

OWNERS = {node: make(PODS, f"owner-{node}", uid=f"o-{node}") for node in ("n1", "n2")}


def pod(name: str, uid: str, version: str = "1", *, space: str = "shop", node: str = "n1") -> Any:
    made = make(PODS, name, space, uid=uid, owner=OWNERS.get(node), spec={"nodeName": node})
    return replace(made, metadata=replace(made.metadata, resource_version=version))


def filled(*pods: Any) -> Store[Pod]:
    store: Store[Pod] = Store(PODS, {"node": pod_node, "owner": owners, "namespace": namespace})
    for one in pods:
        store.put(one)
    return store


def test_the_same_name_with_another_uid_takes_the_place() -> None:
    store = filled(pod("a", "u1"), pod("a", "u2"))
    assert list(store.uids()) == ["u2"]
    assert store.get("u1") is None
    assert [p.metadata.uid for p in store.by("node", "n1")] == ["u2"]


def test_a_late_drop_of_the_old_one_leaves_the_new_one() -> None:
    store = filled(pod("a", "u1"), pod("a", "u2"))
    assert store.drop("u1") is None
    found = store.named("shop", "a")
    assert found is not None
    assert found.metadata.uid == "u2"


def test_a_drop_gives_the_last_state() -> None:
    store = filled(pod("a", "u1", "7"))
    gone = store.drop("u1")
    assert gone is not None
    assert gone.metadata.resource_version == "7"
    assert (len(store), store.drop("u1"), list(store.by("node", "n1")), store.count("node", "n1")) == (0, None, [], 0)


def test_an_index_follows_a_change_of_key() -> None:
    store = filled(pod("a", "u1", node=""), pod("a", "u1", node="n2"))
    assert (list(store.by("node", "")), store.count("node", "n2")) == ([], 1)


def test_a_replacement_of_one_namespace_leaves_the_others() -> None:
    store = filled(pod("a", "u1"), pod("b", "u2"), pod("c", "u3", space="other"))
    gone = store.replace([pod("b", "u2"), pod("d", "u4")], "shop")
    assert ([p.metadata.uid for p in gone], set(store.uids())) == (["u1"], {"u2", "u3", "u4"})


def test_a_replacement_touches_only_what_differs() -> None:
    store = filled(pod("a", "u1", "1"), pod("b", "u2", "1"), pod("c", "u3", "1"))
    changes = store.subscribe(lambda: None)
    changes.drain()
    store.replace([pod("a", "u1", "1"), pod("b", "u2", "2")])
    assert changes.drain() == {"u2", "u3"}


def test_a_replacement_without_versions_takes_everything() -> None:
    store = filled(pod("a", "u1", ""))
    changes = store.subscribe(lambda: None)
    changes.drain()
    store.replace([pod("a", "u1", "")])
    assert changes.drain() == {"u1"}


def test_a_recreated_object_in_a_replacement() -> None:
    store = filled(pod("a", "u1"))
    store.replace([pod("a", "u2")])
    assert list(store.uids()) == ["u2"]


def test_a_reader_is_woken_once_until_it_looks() -> None:
    store = filled(pod("a", "u1"))
    woken: list[int] = []
    changes = store.subscribe(lambda: woken.append(1))
    assert changes.drain() == {"u1"}
    store.put(pod("b", "u2"))
    store.put(pod("b", "u2", "2"))
    store.drop("u1")
    assert (woken, changes.drain()) == ([1], {"u1", "u2"})
    store.put(pod("c", "u3"))
    assert woken == [1, 1]
    store.unsubscribe(changes)
    store.unsubscribe(changes)
    store.put(pod("d", "u4"))
    assert woken == [1, 1]


def test_freshness_wakes_readers_only_when_it_changes() -> None:
    store = filled()
    woken: list[int] = []
    store.subscribe(lambda: woken.append(1))
    store.set_freshness(Freshness(State.LIVE))
    store.set_freshness(Freshness(State.LIVE))
    assert woken == [1]


@pytest.mark.parametrize("plural", [k.plural for k in KINDS])
def test_every_kind_has_a_store(plural: str) -> None:
    stores = Stores()
    kind = next(k for k in KINDS if k.plural == plural)
    assert stores.of(kind).kind is kind
    assert len(list(stores)) == len(KINDS)


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store = filled()
        self.model: dict[str, Any] = {}
        self.readers: list[tuple[Changes, dict[str, Any]]] = []
        self.version = 0

    def _put(self, one: Any) -> None:
        m = one.metadata
        for uid in [u for u, o in self.model.items() if (o.metadata.namespace, o.metadata.name) == (m.namespace, m.name)]:
            del self.model[uid]
        self.model[m.uid] = one

    def _new(self, name: str, uid: int, space: str, node: str) -> Any:
        self.version += 1
        return pod(name, f"{space}-{name}-{uid}", str(self.version), space=space, node=node)

    @rule(name=st.sampled_from("abc"), uid=st.integers(0, 2), space=st.sampled_from(["shop", "other"]), node=st.sampled_from(["", "n1", "n2"]))
    def put(self, name: str, uid: int, space: str, node: str) -> None:
        one = self._new(name, uid, space, node)
        self.store.put(one)
        self._put(one)

    @rule(name=st.sampled_from("abc"), uid=st.integers(0, 2), space=st.sampled_from(["shop", "other"]))
    def drop(self, name: str, uid: int, space: str) -> None:
        key = f"{space}-{name}-{uid}"
        gone = self.store.drop(key)
        assert (gone is not None) == (self.model.pop(key, None) is not None)

    @rule(data=st.data(), space=st.sampled_from(["", "shop"]))
    def replace(self, data: st.DataObject, space: str) -> None:
        names = data.draw(st.lists(st.sampled_from("abc"), unique=True))
        new = [self._new(n, data.draw(st.integers(0, 2)), space or "shop", "n1") for n in names]
        kept = [o for o in self.model.values() if data.draw(st.booleans()) and (not space or o.metadata.namespace == space)]
        kept = [o for o in kept if (o.metadata.namespace, o.metadata.name) not in {(n.metadata.namespace, n.metadata.name) for n in new}]
        self.store.replace([*new, *kept], space)
        self.model = {u: o for u, o in self.model.items() if space and o.metadata.namespace != space}
        for one in [*new, *kept]:
            self._put(one)

    @rule()
    def subscribe(self) -> None:
        if len(self.readers) < 3:
            self.readers.append((self.store.subscribe(lambda: None), {}))

    @rule(data=st.data())
    def drain(self, data: st.DataObject) -> None:
        if self.readers:
            changes, seen = data.draw(st.sampled_from(self.readers))
            for uid in changes.drain():
                obj = self.store.get(uid)
                seen.pop(uid, None) if obj is None else seen.update({uid: obj})
            assert seen == self.model

    @invariant()
    def it_holds_what_the_model_holds(self) -> None:
        assert {o.metadata.uid: o for o in self.store} == self.model
        assert len(self.store) == len(self.model)
        for o in self.model.values():
            assert self.store.named(o.metadata.namespace, o.metadata.name) is o
        for index, keys in (("node", pod_node), ("owner", owners), ("namespace", namespace)):
            wanted: dict[str, set[str]] = {}
            for o in self.model.values():
                for key in keys(o):
                    wanted.setdefault(key, set()).add(o.metadata.uid)
            assert {key: {o.metadata.uid for o in held.values()} for key, held in self.store._indexes[index].items()} == wanted


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
