"""Reads the text of a label selector: `a=b,c in (d,e),!f` (apimachinery/pkg/labels/selector.go, its lexer and its words)."""

from __future__ import annotations

from kubepane_embedded import errors
from kubepane_embedded.checks import VALUE, VALUE_RULE, check_qualified
from kubepane_embedded.selectors import LabelSelector, Requirement

SYMBOLS = "=!(),><"
TOKENS = ("==", "!=", "=", "!", "(", ")", ",", ">", "<")
OPERATORS = {"=": "In", "==": "In", "in": "In", "!=": "NotIn", "notin": "NotIn", ">": "Gt", "<": "Lt"}
END = ""


def parse_labels(text: str) -> LabelSelector:
    """A `labelSelector` parameter; BadRequest when it cannot be read."""
    try:
        return LabelSelector(tuple(_Parser(_tokens(text)).requirements()))
    except _Unreadable as wrong:
        raise errors.bad_request(str(wrong)) from None


class _Unreadable(Exception):
    """What is wrong with the text."""


def _tokens(text: str) -> list[str]:
    """Symbols and words; the end is an empty token."""
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] in SYMBOLS:
            part = next(one for one in TOKENS if text.startswith(one, at))
            found.append(part)
            at += len(part)
        else:
            start = at
            while at < len(text) and text[at] not in SYMBOLS and not text[at].isspace():
                at += 1
            found.append(text[start:at])
    return [*found, END]


def _is_word(part: str) -> bool:
    return part != END and part not in TOKENS


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _take(self) -> str:
        part = self._peek()
        self._at += 1
        return part

    def requirements(self) -> list[Requirement]:
        """All terms."""
        found: list[Requirement] = []
        while self._peek() != END:
            if not _is_word(self._peek()) and self._peek() != "!":
                raise _Unreadable(f"found '{self._peek()}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except _Unreadable as wrong:
                raise _Unreadable(f"unable to parse requirement: {wrong}") from None
            part = self._take()
            if part == END:
                break
            if part != ",":
                raise _Unreadable(f"found '{part}', expected: ',' or 'end of string'")
            if not _is_word(self._peek()) and self._peek() != "!":
                raise _Unreadable(f"found '{self._peek()}', expected: identifier after ','")
        return found

    def _requirement(self) -> Requirement:
        part = self._take()
        absent = part == "!"
        key = self._take() if absent else part
        if not _is_word(key):
            raise _Unreadable(f"found '{key}', expected: identifier")
        reasons = [cause.message.partition(": ")[2].partition(": ")[2] for cause in check_qualified(key, "")]
        if reasons:
            raise _Unreadable(f'<nil>: Invalid value: "{key}": {"; ".join(reasons)}')
        if absent:
            return Requirement(key, "DoesNotExist")
        if self._peek() in (END, ","):
            return Requirement(key, "Exists")
        sign = self._take()
        if sign not in OPERATORS:
            raise _Unreadable(f"found '{sign}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._values() if sign in ("in", "notin") else [self._value()]
        return _checked(Requirement(key, OPERATORS[sign], tuple(values)))

    def _value(self) -> str:
        if self._peek() in (END, ","):
            return ""
        part = self._take()
        if not _is_word(part):
            raise _Unreadable(f"found '{part}', expected: identifier")
        return part

    def _values(self) -> list[str]:
        part = self._take()
        if part != "(":
            raise _Unreadable(f"found '{part}' expected: '('")
        if self._peek() == ")":
            self._take()
            return [""]
        if not _is_word(self._peek()) and self._peek() != ",":
            raise _Unreadable(f"found '{self._peek()}', expected: ',', ')' or identifier")
        return self._listed()

    def _listed(self) -> list[str]:
        found: list[str] = []
        while True:
            part = self._take()
            if _is_word(part):
                found.append(part)
                if self._peek() not in (",", ")"):
                    raise _Unreadable(f"found '{self._peek()}', expected: ',' or ')'")
            elif part == ",":
                if not found or self._peek() in (",", ")"):
                    found.append("")
            elif part == ")" and found:
                return sorted(set(found))
            else:
                raise _Unreadable(f"found '{part}', expected: ',', or identifier")


def _checked(term: Requirement) -> Requirement:
    """Values must be label values; bounds must be whole numbers."""
    for index, value in enumerate(term.values):
        if term.operator in ("Gt", "Lt") and not value.lstrip("+-").isdecimal():
            raise _Unreadable(f"values[{index}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer")
        if len(value) > 63 or not VALUE.fullmatch(value):
            rule = "must be no more than 63 bytes" if len(value) > 63 else VALUE_RULE
            raise _Unreadable(f'values[{index}][{term.key}]: Invalid value: "{value}": {rule}')
    return term
