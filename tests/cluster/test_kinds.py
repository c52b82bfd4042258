"""Decoding objects of every kind with anything wrong in them: nothing raises but DecodeError, and what comes out has its declared types."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings, strategies as st
from msgspec.structs import fields

from kubepane.cluster import resources as r
from kubepane.cluster.kinds import CONFIGMAPS, KINDS, PODS, SECRETS, Kind, decode
from kubepane.cluster.stores import Stores

Path = tuple[str | int, ...]
WRONG: tuple[Any, ...] = (None, 7, -1.5, 10**30, True, "text", [], [None], ["text"], [{}], {}, {"a": None}, {"a": {"b": []}})
NAMES = [k.plural for k in KINDS]
ALL = {k.plural: k for k in KINDS}


def example(shape: Any) -> Any:
    """JSON with every field of a shape filled in."""
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        return {f.encode_name: example(f.type) for f in fields(shape)}
    if get_origin(shape) is tuple:
        return [example(get_args(shape)[0])]
    if get_origin(shape) is dict:
        return {"key": example(get_args(shape)[1])}
    if options := [a for a in get_args(shape) if a is not type(None)]:
        return example(options[0])
    return {str: "text", int: 1, bool: True, float: 1.5, datetime: "2026-06-01T12:00:00Z"}[shape]


def whole(kind: Kind) -> dict[str, Any]:
    """An object of a kind with every field filled in."""
    obj: dict[str, Any] = example(kind.shape)
    if kind is CONFIGMAPS:
        del obj["keys"]
        obj |= {"data": {"a": "1"}, "binaryData": {"b": "AA=="}}
    obj["metadata"] |= {"uid": "u", "name": "n", "namespace": "ns", "resourceVersion": "5"}
    return obj


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every place in it."""
    if at:
        yield at
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(inner, (*at, key))


def changed(value: Any, at: Path, new: Any) -> Any:
    """A copy with another value in one place; with `...` there is none."""
    out = copy.deepcopy(value)
    holder = out
    for key in at[:-1]:
        holder = holder[key]
    if new is ...:
        del holder[at[-1]]
    else:
        holder[at[-1]] = new
    return out


def take(kind: Kind, obj: Any) -> r.Object | None:
    """Decodes and stores; None for what is refused. What is taken must be of the declared types throughout."""
    raw = obj if isinstance(obj, bytes) else msgspec.json.encode(obj)
    try:
        found = decode(kind, raw)
    except msgspec.DecodeError:
        return None
    msgspec.convert(msgspec.to_builtins(found, builtin_types=(datetime,)), kind.shape)
    store = Stores().of(kind)
    store.put(found)
    store.put(found)
    store.drop(found.metadata.uid)
    assert len(store) == 0
    return found


@pytest.mark.parametrize("plural", NAMES)
def test_a_whole_object_keeps_every_field(plural: str) -> None:
    kind = ALL[plural]
    found = take(kind, whole(kind))
    assert found is not None
    for f in fields(type(found)):
        assert getattr(found, f.name) not in (None, "", (), 0), f.name


@pytest.mark.parametrize("plural", NAMES)
def test_any_field_may_be_missing_null_or_of_any_other_type(plural: str) -> None:
    kind = ALL[plural]
    obj = whole(kind)
    for at in [p for p in paths(obj) if "template" not in p[:-3]]:  # what is deep in a pod template is tried with pods
        holder = obj
        for key in at[:-1]:
            holder = holder[key]  # type: ignore[index]
        kept = holder.pop(at[-1])  # type: ignore[arg-type]
        assert take(kind, obj) is not None or at in (("metadata",), ("metadata", "uid"))
        for new in WRONG:
            _place(holder, at[-1], new)
            found = take(kind, obj)
            assert found is not None or at in (("metadata",), ("metadata", "uid")), (at, new)
            holder.pop(at[-1])  # type: ignore[arg-type]
        _place(holder, at[-1], kept)
    assert obj == whole(kind)


def _place(holder: Any, key: str | int, value: Any) -> None:
    if isinstance(holder, list):
        holder.insert(0, value)
    else:
        holder[key] = value


@pytest.mark.parametrize("plural", NAMES)
def test_one_odd_field_costs_no_other(plural: str) -> None:
    kind = ALL[plural]
    obj = whole(kind)
    for name in [f.encode_name for f in fields(kind.shape) if f.name not in ("metadata", "keys")]:
        found = take(kind, changed(obj, (name,), [[]]))
        assert found is not None
        assert found.metadata == decode(kind, msgspec.json.encode(obj)).metadata


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"7", b'"text"', b"{", b'{"metadata":', b"{}", b'{"metadata":{}}', b'{"metadata":{"uid":""}}', b"\xff\xfe"]
)
def test_what_is_no_object_or_has_no_uid_is_refused(raw: bytes) -> None:
    for kind in KINDS:
        assert take(kind, raw) is None


DEEP = b'{"metadata":{"uid":"u","name":"n"},%s}'


@pytest.mark.parametrize(
    "inside",
    [
        b'"unknown":' + b"[" * 100_000 + b"]" * 100_000,
        b'"spec":' + b'{"spec":' * 100_000 + b"1" + b"}" * 100_000,
        b'"spec":{"containers":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'"spec":{"nodeName":"\xff"}',
        b'"spec":{"nodeName":"\xed\xa0\x80"}',
        b'"spec":{"nodeName":"\\ud800"}',
        b'"spec":{"\xff":1}',
        b'"spec":NaN',
        b'"spec":1e999',
        b'"spec":{"priority":' + b"9" * 5_000 + b"}",
        b'"status":{"startTime":"9999-99-99T99:99:99Z"}',
        b'"status":{"startTime":"0000-01-01T00:00:00Z"}',
        b'"status":{"containerStatuses":[{"restartCount":1e400}]}',
        b'"status":{"containerStatuses":[{"restartCount":' + b"9" * 400 + b"}]}",
        b'"spec":{"nodeName":"' + b"x" * (2 << 20) + b'"}',
    ],
    ids=range(15),
)
def test_deep_huge_and_broken_values_raise_nothing_else(inside: bytes) -> None:
    take(PODS, DEEP % inside)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metadata", "spec", "status", "name", "uid", "containers", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_anything_anywhere(kind: Kind, data: st.DataObject) -> None:
    obj = whole(kind)
    places = list(paths(obj))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(places))
        try:
            obj = changed(obj, at, data.draw(JSON))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took that place away
    take(kind, obj)


def test_no_value_of_a_configmap_and_no_data_of_a_secret_is_kept() -> None:
    odd = whole(CONFIGMAPS) | {"data": {"password": "hunter2", "n": 5}}
    odd["metadata"]["labels"] = 7
    for kind, obj in (
        (CONFIGMAPS, whole(CONFIGMAPS) | {"data": {"password": "hunter2"}}),
        (CONFIGMAPS, odd),
        (SECRETS, whole(SECRETS) | {"data": {"p": "hunter2"}}),
    ):
        found = take(kind, obj)
        assert found is not None
        assert b"hunter2" not in msgspec.json.encode(found)
    kept = take(CONFIGMAPS, odd)
    assert isinstance(kept, r.ConfigMap)
    assert kept.keys == ("password", "n", "b")


def test_paths_are_those_of_the_api() -> None:
    assert PODS.path() == "/api/v1/pods"
    assert PODS.path("shop") == "/api/v1/namespaces/shop/pods"
    assert ALL["deployments"].path("shop") == "/apis/apps/v1/namespaces/shop/deployments"
    assert ALL["nodes"].path("shop") == "/api/v1/nodes"
    assert ALL["deployments"].resource == "deployments.apps"
