"""Label and field selectors: what they match, and the words for those that cannot be read."""

from __future__ import annotations

import pytest

from kubepane_embedded.errors import ApiError
from kubepane_embedded.label_parser import parse_labels
from kubepane_embedded.registry import default_registry
from kubepane_embedded.selectors import LabelSelector, parse_fields

PODS = default_registry().stored("pods")
LABELS = {"app": "web", "tier": "front", "n": "5", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True), ("app", True), ("!app", False), ("nope", False), ("!nope", True), ("app=web", True), ("app==web", True), ("app = web", True),
        ("app!=web", False), ("nope!=x", True), ("app in (web,x)", True), ("app notin (web)", False), ("nope notin (x)", True), ("empty=", True),
        ("empty in ()", True), ("n>4", True), ("n<5", False), ("app>4", False), ("app=web,tier in (front, back),!x", True), ("in in (in)", False),
    ],
)  # fmt: skip
def test_labels(text: str, matches: bool) -> None:
    assert parse_labels(text).matches(LABELS) is matches


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a>x", "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a=(b", "unable to parse requirement: found '(', expected: identifier"),
        ("x in (a,!b)", "unable to parse requirement: found '!', expected: ',', or identifier"),
    ],
)
def test_labels_that_cannot_be_read(text: str, message: str) -> None:
    """Each of these messages was taken from a real 1.35.4 server."""
    with pytest.raises(ApiError) as refusal:
        parse_labels(text)
    assert (refusal.value.code, refusal.value.message) == (400, message)


def test_selector_objects() -> None:
    assert not LabelSelector.of(None).matches(LABELS)
    assert LabelSelector.of({}).matches({})
    assert not LabelSelector.of_map({}).matches({})
    terms = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "In", "values": ["back", "front"]}, {"key": "x", "operator": "DoesNotExist"}],
    }
    selector = LabelSelector.of(terms)
    assert selector.matches(LABELS)
    assert str(selector) == "app=web,tier in (back,front),!x"


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("spec.nodeName=n", True),
        ("spec.nodeName!=n", False),
        ("status.phase==Running,metadata.name=p", True),
        ("status.podIPs=10.0.0.1", True),
        ("spec.hostNetwork=false", True),
    ],
)
def test_fields(text: str, matches: bool) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]}}
    assert all(test(pod) for test in parse_fields(PODS, text)) is matches
