"""Defaults and canonical quantities, against what a real 1.35.4 server stored of the same bodies."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from embedded.conftest import recording
from kubepane_embedded.core import Core
from kubepane_embedded.quantity import canonical, parse
from kubepane_embedded.requests import ADMIN, WriteOptions

CASES = recording("defaults")
VOLATILE = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|10\.96\.\d+\.\d+|kube-api-access-\w{5}"
)


def settled(value: Any, key: str = "") -> Any:
    """The value without what differs on every run."""
    if isinstance(value, dict):
        return {name: settled(part, name) for name, part in value.items()}
    if isinstance(value, list):
        return [settled(part) for part in value]
    if key == "nodePort":
        return 0
    return VOLATILE.sub("*", value) if isinstance(value, str) else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['given']['kind']}-{case['given']['metadata']['name']}")
def test_a_body_is_stored_as_the_real_server_stores_it(core: Core, case: dict[str, Any]) -> None:
    body = case["given"]
    resource = core.registry.of_kind(body["apiVersion"], body["kind"])
    assert resource is not None
    stored = core.api.create(ADMIN, resource, body["metadata"].get("namespace", ""), body, WriteOptions(dry_run=True))
    assert settled(stored.obj) == settled(case["stored"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['given']['kind']}-{case['given']['metadata']['name']}")
def test_a_stored_object_put_back_changes_nothing(core: Core, case: dict[str, Any]) -> None:
    body = case["given"]
    resource = core.registry.of_kind(body["apiVersion"], body["kind"])
    assert resource is not None
    namespace = body["metadata"].get("namespace", "")
    stored = core.api.create(ADMIN, resource, namespace, body, WriteOptions())
    again = core.api.update(ADMIN, resource, namespace, body["metadata"]["name"], stored.full, WriteOptions())
    assert again is stored


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500m", "1500m"),
        ("1024Mi", "1Gi"),
        ("1000Mi", "1000Mi"),
        ("1073741825", "1073741825"),
        ("0", "0"),
        ("0Mi", "0"),
        ("512Ki", "512Ki"),
        ("1e3", "1e3"),
        ("100000", "100k"),
        ("0.5Gi", "512Mi"),
        ("1.5Ki", "1536"),
        ("0.0000000001", "1n"),
        ("-1500m", "-1500m"),
        ("12E", "12E"),
        ("1Ki", "1Ki"),
        ("100Ki", "100Ki"),
    ],
)
def test_quantities(given: str, stored: str) -> None:
    assert canonical(given) == stored


@pytest.mark.parametrize("text", ["", "1 ", "x", "1Kii", "--1", "1e", "٣", "1" * 80, ".", "1.5.5"])
def test_no_quantity(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the text itself
        canonical(text)


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi"]))
def test_canonical_keeps_the_value_and_is_stable(number: int, suffix: str) -> None:
    once = canonical(f"{number}{suffix}")
    assert parse(once) == parse(f"{number}{suffix}")
    assert canonical(once) == once
    assert isinstance(parse(once), Fraction)
