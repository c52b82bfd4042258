"""The filter language of the lists: `text`, `!not`, `col:value`, `status!=Running`, `cpu>500m`, `-l app=x`. Terms are joined by and.

web !test            rows with "web" and without "test" in any of their texts
status:crash         the column holds the text, whatever the case
status=Running       it is the text; != it is not
cpu>500m mem<=1Gi    numbers and quantities; restarts>3, age>2h (older than two hours)
-l app=x,tier!=db    labels, as kubectl selects them
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubepane.insight import quantities
from kubepane.views.view import View

Test = Callable[[View, str, datetime], bool]
_TERM = re.compile(r"(?P<column>[A-Za-z][\w-]*)(?P<op>!=|>=|<=|=|>|<|:)(?P<value>.*)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
_SPAN = re.compile(r"(?:(\d+)y)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_ALIAS = {"mem": "memory", "ns": "namespace", "rst": "restarts"}


class FilterError(ValueError):
    """The filter cannot be understood; `str()` says what is wrong in a few words."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter. An empty one lets everything pass.

    Attributes:
        text: what the user typed.
        tests: one for each term.
    """

    text: str = ""
    tests: tuple[Test, ...] = ()

    def matches(self, view: View, key: str, now: datetime) -> bool:
        """Whether a row passes all terms."""
        return all(test(view, key, now) for test in self.tests)


def parse(text: str, columns: Sequence[str]) -> Filter:
    """Reads a filter.

    Args:
        text: what the user typed.
        columns: the names that may stand before an operator.

    Raises:
        FilterError: a column that does not exist, a value that cannot be compared, a selector that is none.
    """
    words = text.split()
    tests: list[Test] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word in ("-l", "--selector"):
            if at == len(words):
                raise FilterError("-l needs a selector: -l app=web")
            tests.append(_selector(words[at]))
            at += 1
        elif word.startswith("-l") and len(word) > 2:
            tests.append(_selector(word[2:].lstrip("=")))
        elif word.startswith("!") and len(word) > 1:
            tests.append(_not(_term(word[1:], columns)))
        elif word != "!":
            tests.append(_term(word, columns))
    return Filter(text.strip(), tuple(tests))


def _term(word: str, columns: Sequence[str]) -> Test:
    match = _TERM.fullmatch(word)
    if match is None:
        return _contains(word.lower())
    column = _ALIAS.get(match["column"].lower(), match["column"].lower())
    if column not in columns:
        if match["op"] == ":" and "/" not in match["column"]:
            return _contains(word.lower())  # an image or an address is a text like any other: nginx:1.27
        raise FilterError(f"no column {match['column']}: {', '.join(columns)}")
    if not match["value"]:
        raise FilterError(f"{word} needs a value")
    return _column(column, match["op"], match["value"])


def _contains(needle: str) -> Test:
    return lambda view, key, now: needle in view.text(key, now)


def _not(test: Test) -> Test:
    return lambda view, key, now: not test(view, key, now)


def _column(column: str, op: str, value: str) -> Test:
    wanted = value.lower()
    if op == ":":
        return lambda view, key, now: wanted in str(view.record(key, now).get(column, "")).lower()
    if op in ("=", "!="):
        same = op == "="
        return lambda view, key, now: (str(view.record(key, now).get(column, "")).lower() == wanted) is same
    number = _number(value)
    if number is None:
        raise FilterError(f"{value} is no number, quantity or age")
    compare = _COMPARE[op]
    if column == "cpu" and not value.endswith("%"):
        number *= 1000  # usage is held in thousandths of a core

    def test(view: View, key: str, now: datetime) -> bool:
        record = view.record(key, now)
        have = record.get(f"{column}_value", record.get(column))
        if isinstance(have, str):
            have = _number(have)
        return have is not None and compare(float(have), number)

    return test


def _number(value: str) -> float | None:
    text = value.rstrip("%")
    quantity = quantities.parse(text)
    if quantity is not None:
        return float(quantity)
    match = _SPAN.fullmatch(text)
    if match is None or not text:
        return None
    years, days, hours, minutes, seconds = (int(g or 0) for g in match.groups())
    return (((years * 365 + days) * 24 + hours) * 60 + minutes) * 60.0 + seconds


def _selector(text: str) -> Test:
    terms = [_requirement(part) for part in text.split(",") if part]
    if not terms:
        raise FilterError("-l needs a selector: -l app=web")
    return lambda view, key, now: (labels := view.labels(key)) is not None and all(term(labels) for term in terms)


def _requirement(part: str) -> Callable[[dict[str, str]], bool]:
    match = re.fullmatch(r"(!?)([\w./-]+)(?:(==|=|!=)([\w.-]*))?", part)
    if match is None or (match[1] and match[3]):
        raise FilterError(f"{part} is no label selector")
    absent, name, op, value = match.groups()
    if op is None:
        return lambda labels: (name in labels) is not bool(absent)
    if op == "!=":
        return lambda labels: labels.get(name) != value
    return lambda labels: labels.get(name) == value
