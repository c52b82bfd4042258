"""Words of a shell program as the arguments they stand for."""

from __future__ import annotations

import ast
from collections.abc import Generator
from typing import Any, Protocol

from kubepane_embedded.kubelet.shell.effects import Effect
from kubepane_embedded.kubelet.shell.syntax import Piece, ShellSyntaxError, Word
from kubepane_embedded.kubelet.shell.words import Characters

Expansion = Generator[Effect, Any, str]
WHOLE = (1 << 63) - 1


class Values(Protocol):
    """Where the values come from."""

    def variable(self, name: str) -> str | None:
        """The value of a variable or parameter, None when unset."""

    def assign(self, name: str, value: str) -> None:
        """Set a variable."""

    def substituted(self, program: str) -> Expansion:
        """The output of a program."""


def text_of(values: Values, word: Word) -> Expansion:
    """A word as one text."""
    text = ""
    for piece in word:
        text += yield from _piece(values, piece)
    return text


def fields_of(values: Values, word: Word) -> Generator[Effect, Any, list[str]]:
    """A word as arguments: what is not quoted falls apart at blanks."""
    fields: list[str] = []
    open_field = False
    for piece in word:
        text = yield from _piece(values, piece)
        if piece.quoted or piece.kind == "text":
            if open_field:
                fields[-1] += text
            else:
                fields.append(text)
            open_field = True
            continue
        parts = text.split()
        if parts and open_field and not text[:1].isspace():
            fields[-1] += parts.pop(0)
        fields += parts
        open_field = bool(text) and not text[-1:].isspace() if parts or text.strip() else open_field and not text
    return fields


def _piece(values: Values, piece: Piece) -> Expansion:
    if piece.kind == "text":
        return piece.text
    if piece.kind == "command":
        return (yield from values.substituted(piece.text)).rstrip("\n")
    if piece.kind == "sum":
        expression = yield from text_of(values, _word(piece.text))
        return str(calculate(expression, values))
    return (yield from _variable(values, piece))


def _word(text: str) -> Word:
    """A text inside `${…}` or `$((…))`, read as if it were quoted."""
    word = Characters('"' + text.replace('"', '\\"') + '"').word()
    return word or ()


def _variable(values: Values, piece: Piece) -> Expansion:
    value = values.variable(piece.text)
    operator = piece.operator
    if operator == "length":
        return str(len(value or ""))
    missing = value is None or (operator.startswith(":") and not value)
    kind = operator[-1:]
    if kind == "-" or kind == "=" or kind == "?":
        if not missing:
            return value or ""
        operand = yield from text_of(values, _word(piece.operand))
        if kind == "?":
            raise ShellSyntaxError(f"{piece.text}: {operand or 'parameter not set'}")
        if kind == "=":
            values.assign(piece.text, operand)
        return operand
    if kind == "+":
        return "" if missing else (yield from text_of(values, _word(piece.operand)))
    if kind in ("#", "%"):
        pattern = yield from text_of(values, _word(piece.operand))
        return _trimmed(value or "", pattern, operator)
    return value or ""


def _trimmed(value: str, pattern: str, operator: str) -> str:
    """`${name#pattern}` and `${name%pattern}`; the pattern is a text with a `*` at most at its open end."""
    if operator[0] == "#":
        plain = pattern.lstrip("*")
        at = value.rfind(plain) if operator == "##" else value.find(plain)
        begins = value.startswith(plain) if pattern == plain else at >= 0
        return value[(0 if pattern == plain else at) + len(plain) :] if begins else value
    plain = pattern.rstrip("*")
    at = value.find(plain) if operator == "%%" else value.rfind(plain)
    if pattern == plain:
        return value.removesuffix(plain)
    return value[:at] if at >= 0 else value


def calculate(expression: str, values: Values) -> int:
    """A sum of whole numbers and variables; raises ShellSyntaxError."""
    try:
        tree = ast.parse(expression.strip().replace("&&", " and ").replace("||", " or ") or "0", mode="eval")
        return _evaluate(tree.body, values)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError) as error:
        why = "divide by zero" if isinstance(error, ZeroDivisionError) else f'arithmetic expression: expecting primary: "{expression}"'
        raise ShellSyntaxError(why) from None


def _evaluate(node: ast.expr, values: Values) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return int(node.value)
    if isinstance(node, ast.Name):
        text = values.variable(node.id) or "0"
        return int(text) if text.lstrip("-").isdigit() else 0
    if isinstance(node, ast.UnaryOp):
        value = _evaluate(node.operand, values)
        return -value if isinstance(node.op, ast.USub) else int(not value) if isinstance(node.op, ast.Not) else value
    if isinstance(node, ast.BinOp):
        return _wrapped(_operation(node.op, _evaluate(node.left, values), _evaluate(node.right, values)))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return int(_comparison(node.ops[0], _evaluate(node.left, values), _evaluate(node.comparators[0], values)))
    if isinstance(node, ast.BoolOp):
        found = [bool(_evaluate(part, values)) for part in node.values]
        return int(all(found) if isinstance(node.op, ast.And) else any(found))
    raise ValueError


def _operation(operator: ast.operator, left: int, right: int) -> int:
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.Mult):
        return left * right
    quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
    if isinstance(operator, (ast.Div, ast.FloorDiv)):
        return quotient
    if isinstance(operator, ast.Mod):
        return left - quotient * right
    raise ValueError


def _comparison(operator: ast.cmpop, left: int, right: int) -> bool:
    kinds: list[tuple[type[ast.cmpop], bool]] = [
        (ast.Lt, left < right),
        (ast.LtE, left <= right),
        (ast.Gt, left > right),
        (ast.GtE, left >= right),
        (ast.Eq, left == right),
        (ast.NotEq, left != right),
    ]
    for kind, holds in kinds:
        if isinstance(operator, kind):
            return holds
    raise ValueError


def _wrapped(value: int) -> int:
    """64 bits, as a shell counts."""
    return (value + WHOLE + 1) % (2 * WHOLE + 2) - WHOLE - 1
