"""Quantities and durations, against the exact parsers of insight and of the official client."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st
from kubernetes.utils.quantity import parse_quantity

from kubepane.cluster.amounts import NANO, nano, seconds, up
from kubepane.insight import quantities

SUFFIXES = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E3", "e-3", "E+2"]


@given(whole=st.integers(0, 10**6), part=st.none() | st.integers(0, 999), suffix=st.sampled_from(SUFFIXES), sign=st.sampled_from(["", "", "-", "+"]))
def test_every_form_is_exact(whole: int, part: int | None, suffix: str, sign: str) -> None:
    text = f"{sign}{whole}{'' if part is None else f'.{part}'}{suffix}"
    found, exact = nano(text), quantities.parse(text)
    assert exact is not None
    assert found is not None
    assert 0 <= found - Fraction(exact) * NANO < 1
    if suffix != "E":  # the official client reads a lone E as the beginning of an exponent
        assert exact == parse_quantity(text)


@pytest.mark.parametrize(
    "text", ["", " ", "m", "1 m", "1mm", "x", "1K", "--1", "1.2.3", "1e999", "Ki", "１", "0x10", "1_000", "NaN", "inf", "9" * 65]
)
def test_what_is_no_quantity(text: str) -> None:
    assert nano(text) is None


@pytest.mark.parametrize(("text", "millis"), [("149994514n", 150), ("0", 0), ("1n", 1), ("1", 1000), ("250m", 250), ("1000001n", 2)])
def test_cpu_is_rounded_up_as_kubectl_top_does(text: str, millis: int) -> None:
    assert up(nano(text) or 0, NANO // 1000) == millis


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("9.986s", 9.986), ("30s", 30), ("1m30s", 90), ("1h", 3600), ("500ms", 0.5), ("1.5h", 5400), ("250us", 0.00025), ("", 0), ("x", 0), ("s", 0)],
)
def test_durations(text: str, wanted: float) -> None:
    assert seconds(text) == pytest.approx(wanted)
