from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from builders import NOW
from kubepane.insight.ages import age, duration, next_change

D, H, M, Y = 86400, 3600, 60, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-10, "<invalid>"), (-2, "<invalid>"), (-1, "0s"), (0, "0s"), (0.9, "0s"), (1, "1s"), (119, "119s"), (120, "2m"), (121, "2m1s"), (599, "9m59s"),
        (600, "10m"), (179 * M + 59, "179m"), (3 * H, "3h"), (3 * H + M, "3h1m"), (8 * H - 1, "7h59m"), (8 * H, "8h"), (48 * H - 1, "47h"), (2 * D, "2d"),
        (2 * D + 4 * H, "2d4h"), (8 * D - 1, "7d23h"), (8 * D, "8d"), (2 * Y - 1, "729d"), (2 * Y, "2y"), (2 * Y + D, "2y1d"), (8 * Y - 1, "7y364d"), (8 * Y, "8y"),
    ],
)  # fmt: skip
def test_durations_read_as_kubectl_writes_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_no_time_is_unknown() -> None:
    assert age(None, NOW) == "<unknown>"
    assert next_change(None, NOW) == float("inf")


@given(st.floats(min_value=-100, max_value=20 * Y, allow_nan=False))
def test_an_age_does_not_change_before_it_is_said_to(seconds: float) -> None:
    then = NOW - timedelta(seconds=seconds)
    wait = next_change(then, NOW)
    assert wait > 0
    before = NOW + timedelta(seconds=max(0.0, wait - 0.01))
    if seconds > 0:
        assert age(then, before) == age(then, NOW)
