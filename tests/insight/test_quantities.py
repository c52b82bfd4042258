from decimal import Decimal

import pytest
from hypothesis import given, strategies as st
from kubernetes.utils.quantity import parse_quantity

from kubepane.insight import quantities as q


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("250m", Decimal("0.25")),
        ("1Gi", 2**30),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E", 10**18),
        (".5", Decimal("0.5")),
        ("-1", -1),
        ("100n", Decimal("1e-7")),
        ("2k", 2000),
    ],
)
def test_forms(text: str, value: Decimal) -> None:
    assert q.parse(text) == value


@pytest.mark.parametrize("text", ["", "x", "1K", "1 Gi", "1e", "--1", "1e9999", "Mi", "9" * 100])
def test_what_is_no_quantity_is_none_and_zero(text: str) -> None:
    assert q.parse(text) is None
    assert q.size(text) == 0


@given(st.decimals(min_value=0, max_value=10**9, places=3), st.sampled_from(["n", "u", "m", "", "k", "M", "G", "Ki", "Mi", "Gi", "e3"]))
def test_as_the_official_client_reads_them(number: Decimal, suffix: str) -> None:
    text = f"{number}{suffix}"
    assert q.parse(text) == parse_quantity(text)


def test_rounding_is_up_for_what_is_asked_and_down_for_what_is_shown() -> None:
    assert q.millicores("1n") == 1
    assert q.size("1.5") == 2
    assert q.memory_text(268 * 2**20 + 999) == "268Mi"
    assert q.cpu_text(371.9) == "371m"
