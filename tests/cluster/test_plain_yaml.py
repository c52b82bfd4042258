"""One YAML or JSON document as plain values, and what is refused."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from kubepane.cluster.plain_yaml import MAX_ALIASES, MAX_DEPTH, Unreadable, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: 1\nb: two\nc: true\nd: ~\ne: [1, x]\n", {"a": 1, "b": "two", "c": True, "d": None, "e": [1, "x"]}),
        ("a: '1'\nb: \"true\"\n", {"a": "1", "b": "true"}),
        ("a: yes\nb: off\n", {"a": True, "b": False}),  # YAML 1.1, as Kubernetes reads it
        ("a: 2026-01-02\n", {"a": "2026-01-02"}),
        ("a: 0x1F\nb: 010\nc: 1_000\nd: -3\ne: 1.5\n", {"a": 31, "b": 8, "c": 1000, "d": -3, "e": 1.5}),
        ("a: 12:30:45\n", {"a": "12:30:45"}),
        ("a: !!str 1\n", {"a": "1"}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("a: &x [1]\nb: *x\n", {"a": [1], "b": [1]}),
        ("base: &b {x: 1, y: 2}\nz:\n  <<: *b\n  y: 3\n", {"base": {"x": 1, "y": 2}, "z": {"x": 1, "y": 3}}),
        ("z: {<<: [{x: 1}, {x: 2, y: 3}]}\n", {"z": {"x": 1, "y": 3}}),
        ("{a: b}", {"a": "b"}),  # looks like JSON, is YAML
        ('{"a": [1, null, true, 1.5, "é"]}', {"a": [1, None, True, 1.5, "é"]}),
        ("---\na: 1\n...\n", {"a": 1}),
    ],
)
def test_values(text: str, value: Any) -> None:
    assert parse(text) == value


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{n}: &{n} [{','.join(['*' + p] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [1\nb: 2\n", "line 2"),
        ("a: b: c\n", "line 1"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands twice"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ("a: !!python/object/apply:os.system [x]\n", "tag"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("a: &x [*x]\n", "alias 'x'"),
        ("a: *nowhere\n", "alias 'nowhere'"),
        ("? [a]\n: 1\n", "key is itself a list"),
        ("a:\n  <<: 3\n", "<< needs a mapping"),
        ("[" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} levels"),
        ("[" * 100_000, "levels"),
        ('{"a":' * 100_000, "levels"),
        (BOMB, "once aliases are expanded"),
        ("a: &a x\nb: [" + ",".join(["*a"] * (MAX_ALIASES + 1)) + "]", "aliases"),
        ("a: \x00\n", "x0000"),
        ("\t- x", "line 1"),
        ("%YAML 9.9\n---\nx", "line 1"),
    ],
)
def test_refusals_say_where(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(why)) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz-", min_size=1, max_size=6), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=150)
def test_what_was_written_is_read(value: Any) -> None:
    assert parse(yaml.safe_dump(value)) == value
    assert parse(json.dumps([value])) == [value]


@given(st.text(max_size=60))
@settings(max_examples=300)
def test_any_text_is_a_value_or_unreadable(text: str) -> None:
    with suppress(Unreadable):
        parse(text)
