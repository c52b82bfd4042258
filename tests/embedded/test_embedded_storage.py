"""The store: versions, history, indexes, followers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kubepane_embedded.meta import Object, key_of, owners_of
from kubepane_embedded.storage import RING, Storage


def thing(name: str, namespace: str = "n", **more: Any) -> Object:
    return {"kind": "Thing", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace, "uid": f"u-{name}", **more}}


def test_one_counter_over_all_resources() -> None:
    storage = Storage()
    first = storage.put("a", thing("x"))
    second = storage.put("b", thing("y"))
    assert second.revision == first.revision + 1
    gone = storage.remove("a", "n", "x")
    assert gone.revision == second.revision + 1
    assert gone.obj["metadata"]["resourceVersion"] == str(gone.revision)
    assert first.obj["metadata"]["resourceVersion"] == str(first.revision)


def test_history_names_what_was_before() -> None:
    storage = Storage()
    storage.put("a", thing("x"))
    start = storage.revision
    storage.put("a", {**thing("x"), "spec": 1})
    storage.remove("a", "n", "x")
    changes = storage.since("a", start) or []
    assert [change.type for change in changes] == ["MODIFIED", "DELETED"]
    assert changes[0].previous is not None
    assert "spec" not in changes[0].previous.obj


def test_the_ring_forgets_and_says_so() -> None:
    storage = Storage()
    for number in range(RING + 10):
        storage.put("a", thing(f"x{number}"))
    assert storage.since("a", 1) is None
    floor = storage.floor("a")
    assert len(storage.since("a", floor) or []) == RING
    storage.compact()
    assert storage.since("a", floor) is None
    assert storage.since("a", storage.revision) == []


def test_owned_and_indexes_follow_changes() -> None:
    storage = Storage()
    storage.add_index("a", "node", lambda obj: [obj.get("node", "")])
    owner = {"uid": "o", "kind": "Owner", "name": "o", "apiVersion": "v1"}
    storage.put("a", {**thing("x", ownerReferences=[owner]), "node": "n1"})
    assert [key_of(obj) for _, obj in storage.owned("o")] == [("n", "x")]
    assert [key_of(obj) for obj in storage.find("a", "node", "n1")] == [("n", "x")]
    storage.put("a", {**thing("x"), "node": "n2"})
    assert storage.owned("o") == []
    assert storage.find("a", "node", "n1") == []
    storage.remove("a", "n", "x")
    assert storage.find("a", "node", "n2") == []


def test_an_owner_hears_of_a_child_that_is_gone() -> None:
    storage = Storage()
    dirty: list[tuple[str, str]] = []
    storage.subscribe("a", dirty.append, lambda obj: [("n", owner["name"]) for owner in owners_of(obj)])
    storage.put("a", thing("x", ownerReferences=[{"uid": "1", "name": "old"}]))
    storage.put("a", thing("x", ownerReferences=[{"uid": "2", "name": "new"}]))
    storage.remove("a", "n", "x")
    assert dirty == [("n", "old"), ("n", "new"), ("n", "old"), ("n", "new")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["n", "n-b", "m"]), st.booleans()), max_size=30))
def test_any_past_revision_can_be_read(steps: list[tuple[str, str, bool]]) -> None:
    storage = Storage()
    past: dict[int, list[str]] = {}
    for name, namespace, keep in steps:
        if keep:
            storage.put("a", thing(name, namespace))
        elif storage.read("a", namespace, name):
            storage.remove("a", namespace, name)
        past[storage.revision] = [f"{row.obj['metadata']['namespace']}/{row.obj['metadata']['name']}" for row in storage.rows("a")]
        assert past[storage.revision] == sorted(past[storage.revision])
    for revision, names in past.items():
        rows = storage.at("a", "", revision)
        assert rows is not None
        assert [f"{row.obj['metadata']['namespace']}/{row.obj['metadata']['name']}" for row in rows] == names


def test_bytes_start_with_the_kind() -> None:
    storage = Storage()
    stored = storage.put("a", thing("x"))
    assert stored.json.startswith(b'{"kind":"Thing","apiVersion":"v1","metadata":')
    with pytest.raises(KeyError):
        storage.remove("a", "n", "y")


def test_two_indexes_may_not_share_a_name() -> None:
    storage = Storage()

    def keep() -> None:
        storage.add_index("a", "label", lambda obj: obj["metadata"].get("labels") or {})

    keep()
    keep()  # asking again for the same is harmless
    with pytest.raises(ValueError, match="a are indexed by other values under the name 'label'"):
        storage.add_index("a", "label", lambda obj: [obj["metadata"]["name"]])
