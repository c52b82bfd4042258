"""The merge patch between two values, held to RFC 7386 by what it does; and the diff that people read."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from kubepane.acting import differing

KEYS = st.sampled_from(["a", "b", "c", "name", ""])
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "null"])
SOLID = st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "null"])  # an object of the API holds no nulls
VALUES = st.recursive(SOLID, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)


def applied(target: Any, patch: Any) -> Any:
    """MergePatch of RFC 7386, section 2, word for word."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        else:
            out[name] = applied(out.get(name), value)
    return out


@given(OBJECTS, OBJECTS)
@settings(deadline=None)
def test_the_patch_leads_from_one_to_the_other(a: Any, b: Any) -> None:
    assert applied(a, differing.merge_patch(a, b)) == b


@given(OBJECTS)
@settings(deadline=None)
def test_between_equals_it_is_empty(a: Any) -> None:
    assert differing.merge_patch(a, a) == {}


@given(OBJECTS, OBJECTS)
@settings(deadline=None)
def test_it_leaves_alone_what_others_set_beside(a: Any, b: Any) -> None:
    """A field that neither knows survives: that is why it is a patch."""
    ours = differing.merge_patch(a, b)
    assert applied({**a, "theirs": {"x": 1}}, ours) == {**b, "theirs": {"x": 1}}


def test_equal_things_have_no_lines_and_a_change_is_shown_in_its_surroundings() -> None:
    assert differing.lines({"a": 1}, {"a": 1}) == []
    shown = ["".join(part for part, _ in line) for line in differing.lines({"a": 1, "b": 2}, {"a": 1, "b": 3})]
    assert shown == ["…", " a: 1", "-b: 2", "+b: 3"]
    assert ["".join(part for part, _ in line) for line in differing.lines(None, {"a": 1})] == ["…", "+a: 1"]
