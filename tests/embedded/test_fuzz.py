"""Nothing that is sent ends in a 500 of our own making, and the server goes on."""

from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from embedded.conftest import Wire
from kubepane_embedded import tables
from kubepane_embedded.body import Duplicates, check_fields, parse_json, parse_yaml
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.core import Core
from kubepane_embedded.errors import ApiError
from kubepane_embedded.label_parser import parse_labels
from kubepane_embedded.protobuf import MAGIC, decode
from kubepane_embedded.registry import default_registry
from kubepane_embedded.requestinfo import read_path
from kubepane_embedded.requests import ADMIN, WriteOptions
from kubepane_embedded.schemas import ANY, Field, root
from kubepane_embedded.selectors import parse_fields
from kubepane_embedded.storage import Stored

PART = st.sampled_from(
    ["api", "apis", "v1", "apps", "namespaces", "default", "pods", "deployments", "x", "status", "scale", "..", "%2e", "log", "eviction", "", "é"]
)
QUERY = st.sampled_from(
    ["", "?watch=x&timeoutSeconds=1", "?limit=-1", "?limit=99999999999999999999", "?resourceVersion=-5", "?continue=eyJ9", "?labelSelector=,,", "?labelSelector=a%20in%20(", "?fieldSelector=%3D",
     "?resourceVersionMatch=Nope&resourceVersion=1", "?dryRun=x", "?fieldValidation=Nope", "?fieldManager=%00", "?timeoutSeconds=abc", "?gracePeriodSeconds=x", "?propagationPolicy=x", "?tailLines=-1"]
)  # fmt: skip
METHOD = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "FOO"])
MEDIA = st.sampled_from(
    [
        "application/json",
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
        "text/plain",
        "",
    ]
)
BODY = st.sampled_from([b"", b"{", b"[]", b"null", b"1", b'"x"', b"{}", b'{"metadata":1}', b'{"metadata":{"name":1}}', b'{"spec":[]}', b'{"kind":"x"}', b"k8s\x00", b"k8s\x00\xff\xff", b"\xff\xfe", b"a: &a [*a]", b"[" * 5000, b'[{"op":"add"}]'])  # fmt: skip
ALLOWED_500 = (
    "strconv.ParseUint",
    "failed to create typed patch object",
    "resourceVersion should not be set on objects to be created",
    "declared merge key",
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(METHOD, st.lists(PART, max_size=7), QUERY, MEDIA, BODY)
async def test_any_request_gets_an_answer(wire: Wire, method: str, parts: list[str], query: str, media: str, body: bytes) -> None:
    path = "/" + "/".join(quote(part) for part in parts) + query
    reply = await wire(method, path, body, Content_Type=media or "x/y")
    assert reply.code < 500 or reply.code in (501, 504) or any(text in str(reply.body) for text in ALLOWED_500), (reply.code, reply.body)
    assert (await wire("GET", "/livez")).body == "ok"


KINDS = sorted({item.storage for item in default_registry().resources if item.storage})
TEXTS = [
    "a",
    "b",
    "25%",
    "0%",
    "1Gi",
    "-1",
    "Always",
    "Never",
    "TCP",
    "RollingUpdate",
    "Recreate",
    "None",
    "ClientIP",
    "ExternalName",
    "NodePort",
    "LoadBalancer",
    "In",
    "Exists",
    "Role",
    "User",
    "ServiceAccount",
    "Resource",
    "Pods",
    "Object",
    "External",
    "ContainerResource",
    "Container",
    "NoExecute",
    "Prefix",
    "10.0.0.0/8",
    "OnDelete",
    "2026-01-01T00:00:00Z",
    "x.io/y",
]
TEXT = st.text(max_size=3) | st.sampled_from([*TEXTS, "* * * * *", "\x1b[31m"])
NUMBER = st.sampled_from([-1, 0, 1, 2, 80, 30000, 65536, 2**31 - 1])
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "i": NUMBER,
    "l": NUMBER,
    "f": NUMBER,
    "b": st.booleans(),
    "o": NUMBER | TEXT,
    "q": st.sampled_from(["1", "100m", "1Gi", "0", "-1", "x"]) | NUMBER,
}


@st.composite
def value_of(draw: st.DrawFn, field: Field, depth: int = 0) -> Any:
    """A value of the type, mostly: fields left out, nulls, and now and then a wrong one."""
    if draw(st.integers(0, 60)) == 0:
        return draw(st.none() | st.booleans() | NUMBER | TEXT | st.just([]) | st.just({}))
    if field.kind == "scalar":
        return draw(SCALARS.get(field.word, TEXT))
    if field.kind == "any":
        return draw(st.none() | TEXT | st.just({"a": 1}))
    if depth > 9:
        return [] if field.kind == "list" else {}
    if field.kind == "list":
        return [draw(value_of(field.item or ANY, depth + 1)) for _ in range(draw(st.integers(0, 2)))]
    if field.kind == "map":
        names = draw(st.lists(st.sampled_from(["a", "b", "cpu", "memory", "storage", "pods", "x.io/y", ""]), max_size=2, unique=True))
        return {name: draw(value_of(field.item or ANY, depth + 1)) for name in names}
    known = field.type.fields if field.type else {}
    must = [name for name, below in known.items() if below.required and draw(st.integers(0, 9)) > 0]
    more = draw(st.lists(st.sampled_from(sorted(known)), max_size=3)) if known else []
    wanted = dict.fromkeys([*must, *more, *(name for name in ("spec", "template") if name in known)])
    return {name: draw(value_of(known[name], depth + 1)) for name in wanted if name != "metadata" or depth}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(KINDS))
def test_any_body_is_stored_or_refused(data: st.DataObject, storage: str) -> None:
    core = Core(VirtualClock())
    resource = core.registry.stored(storage)
    field = root(resource.api_version, resource.kind)
    namespace = "default" if resource.namespaced else ""
    old: Stored | None = None
    for _ in range(2):
        body = data.draw(value_of(field))
        if not isinstance(body, dict):
            continue
        body["metadata"] = {"name": "fuzz"}
        try:
            cleaned = check_fields(body, resource.api_version, resource.kind, WriteOptions(), Duplicates())
            if old is None:
                old = core.api.create(ADMIN, resource, namespace, cleaned, WriteOptions())
            else:
                old = core.api.update(ADMIN, resource, namespace, "fuzz", cleaned, WriteOptions())
        except ApiError as error:
            check_refusal(error)
            continue
        json.dumps(old.full)
        tables.row(resource.storage, old.obj, core.clock.now(), "Metadata", old.obj)


def check_refusal(error: ApiError) -> None:
    """A refusal blames the request."""
    assert error.code < 500 or any(text in error.message for text in ALLOWED_500), error.message


_shared: list[Core] = []


def _core() -> Core:
    if not _shared:
        _shared.append(Core())
    return _shared[0]


@given(st.binary(max_size=60))
def test_any_bytes_as_protobuf(data: bytes) -> None:
    for body in (data, MAGIC + data):
        for version, kind in (("v1", "Pod"), ("apps/v1", "Deployment"), ("v1", "DeleteOptions")):
            try:
                decode(body, version, kind)
            except ApiError as error:
                check_refusal(error)


@given(st.text(max_size=30))
def test_any_text_as_selector_json_yaml_or_path(text: str) -> None:
    resource = _core().registry.stored("pods")
    for parse in (parse_labels, lambda value: parse_fields(resource, value)):
        try:
            parse(text)
        except ApiError as error:
            check_refusal(error)
    for read in (parse_json, parse_yaml):
        with contextlib.suppress(ValueError):
            read(text.encode("utf-8", "surrogatepass"))
    read_path("GET", "/" + text, {})


@pytest.mark.parametrize("bomb", [b"[" * 100_000, b'{"a":' * 50_000, b"a: &a [x,x,x]\nb: &b [*a,*a,*a]\n" + b"c: [" + b"*b," * 200 + b"]"])
def test_bombs(bomb: bytes) -> None:
    for read in (parse_json, parse_yaml):
        with pytest.raises(ValueError):  # noqa: PT011
            read(bomb)
