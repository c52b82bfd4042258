"""Patches: each type by table and by property; strategic merges against what a real server made of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import clone
from kubepane_embedded.patches import PatchType, merge, patch_value
from kubepane_embedded.registry import default_registry
from kubepane_embedded.schemas import root
from kubepane_embedded.strategic import strategic_merge

DEPLOYMENT = default_registry().stored("deployments.apps")
POD = root("v1", "Pod")


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": spec}


STRATEGIC = [
    ("scalars replace", pod(a=1), pod(a=2), pod(a=2)),
    ("null deletes", pod(nodeName="n", x=1), pod(nodeName=None), pod(x=1)),
    ("maps merge", pod(nodeSelector={"a": "1", "b": "2"}), pod(nodeSelector={"b": None, "c": "3"}), pod(nodeSelector={"a": "1", "c": "3"})),
    ("containers merge by name", pod(containers=[{"name": "a", "image": "1"}, {"name": "b"}]), pod(containers=[{"name": "a", "image": "2"}]), pod(containers=[{"name": "a", "image": "2"}, {"name": "b"}])),
    ("new items go to the end", pod(containers=[{"name": "a"}]), pod(containers=[{"name": "z", "image": "1"}]), pod(containers=[{"name": "a"}, {"name": "z", "image": "1"}])),
    ("$patch delete", pod(containers=[{"name": "a"}, {"name": "b"}]), pod(containers=[{"name": "a", "$patch": "delete"}]), pod(containers=[{"name": "b"}])),
    ("$patch replace of a list", pod(containers=[{"name": "a"}]), pod(containers=[{"name": "b"}, {"$patch": "replace"}]), pod(containers=[{"name": "b"}])),
    ("$patch replace of a map", pod(nodeSelector={"a": "1"}), pod(nodeSelector={"$patch": "replace", "b": "2"}), pod(nodeSelector={"b": "2"})),
    ("tolerations are atomic", pod(tolerations=[{"key": "a"}]), pod(tolerations=[{"key": "b"}]), pod(tolerations=[{"key": "b"}])),
    ("order of elements", pod(containers=[{"name": "a"}, {"name": "b"}]), {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}, pod(containers=[{"name": "b"}, {"name": "a"}])),
    ("order keeps what the server added", pod(containers=[{"name": "a"}, {"name": "s"}, {"name": "b"}]), {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "a", "image": "1"}]}}, pod(containers=[{"name": "b"}, {"name": "a", "image": "1"}, {"name": "s"}])),
    ("primitive lists", {"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}, {"metadata": {"finalizers": ["b", "c"]}}),
    ("volumes keep only their new source", pod(volumes=[{"name": "v", "emptyDir": {}}]), pod(volumes=[{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]), pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}])),
    ("ports merge by containerPort", pod(containers=[{"name": "a", "ports": [{"containerPort": 1, "name": "x"}]}]), pod(containers=[{"name": "a", "ports": [{"containerPort": 1, "name": "y"}]}]), pod(containers=[{"name": "a", "ports": [{"containerPort": 1, "name": "y"}]}])),
]  # fmt: skip


@pytest.mark.parametrize(("present", "patch", "wanted"), [case[1:] for case in STRATEGIC], ids=[case[0] for case in STRATEGIC])
def test_strategic_merge(present: dict[str, Any], patch: dict[str, Any], wanted: dict[str, Any]) -> None:
    before, asked = clone(present), clone(patch)
    assert strategic_merge(present, patch, POD) == wanted
    assert (present, patch) == (before, asked)


@pytest.mark.parametrize(("patch", "code"), [(pod(containers=[{"image": "x"}]), 500), (pod(containers=["x"]), 400), ({"$patch": "nonsense"}, 400)])
def test_strategic_merges_that_cannot_be_understood(patch: dict[str, Any], code: int) -> None:
    with pytest.raises(ApiError) as refusal:
        strategic_merge(pod(containers=[{"name": "a"}]), patch, POD)
    assert refusal.value.code == code


def test_merge_patch_is_rfc_7386() -> None:
    table: list[tuple[Any, Any, Any]] = [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ]
    for target, patch, wanted in table:
        assert merge(target, patch) == wanted


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([{"op": "add", "path": "/a/-", "value": 3}], {"a": [1, 2, 3], "b/c": 1}),
        ([{"op": "remove", "path": "/a/0"}], {"a": [2], "b/c": 1}),
        ([{"op": "replace", "path": "/b~1c", "value": 2}], {"a": [1, 2], "b/c": 2}),
        ([{"op": "move", "from": "/a/0", "path": "/x"}], {"a": [2], "b/c": 1, "x": 1}),
        ([{"op": "copy", "from": "/a", "path": "/x"}], {"a": [1, 2], "b/c": 1, "x": [1, 2]}),
        ([{"op": "test", "path": "/a/1", "value": 2}], {"a": [1, 2], "b/c": 1}),
    ],
)
def test_json_patch(steps: list[Any], wanted: dict[str, Any]) -> None:
    assert patch_value({"a": [1, 2], "b/c": 1}, steps, PatchType.JSON, DEPLOYMENT) == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["name", "spec", "containers", "$patch", "a", "env"]), below, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(JSON, JSON)
def test_merge_patches_are_idempotent(target: Any, patch: Any) -> None:
    once = merge(target, patch)
    assert merge(once, patch) == once


STEP = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]),
        "path": st.text("/~01-ab ", max_size=6) | JSON,
        "from": st.text("/ab0", max_size=4),
        "value": JSON,
    },
)


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(st.sampled_from("ab"), JSON),
    st.lists(STEP | JSON, max_size=3) | JSON,
    st.sampled_from([PatchType.JSON, PatchType.MERGE, PatchType.STRATEGIC]),
)
def test_no_patch_ends_in_anything_but_an_object_or_a_refusal(present: dict[str, Any], patch: Any, kind: PatchType) -> None:
    before = clone(present)
    try:
        result = patch_value(present, patch, kind, DEPLOYMENT)
    except ApiError as refusal:
        _check(refusal)
    else:
        assert isinstance(result, dict)
    assert present == before


def _check(refusal: ApiError) -> None:
    assert 400 <= refusal.code < 500 or "does not contain declared merge key" in refusal.message  # the real server's 500, too


def test_every_kind_has_a_type(core: Core) -> None:
    for resource in core.registry.resources:
        assert root(resource.api_version, resource.kind).type is not None, resource
