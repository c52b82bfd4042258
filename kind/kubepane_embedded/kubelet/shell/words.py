"""Reading words of a shell program: quotes, variables, command substitution, sums."""

from __future__ import annotations

from kubepane_embedded.kubelet.shell.syntax import Piece, ShellSyntaxError, Word

BREAKS = " \t\n;&|<>()"
OPERATORS = (":-", ":=", ":+", ":?", "##", "%%", "-", "=", "+", "?", "#", "%")


class Characters:
    """A program's text and how far it was read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self, length: int = 1) -> str:
        """The next characters, "" at the end."""
        return self.text[self.at : self.at + length]

    def take(self, length: int = 1) -> str:
        """Read on."""
        found = self.text[self.at : self.at + length]
        self.at += length
        return found

    def skip_blanks(self) -> None:
        """Skip blanks, joined lines and a comment."""
        while (self.peek() and self.peek() in " \t") or self.peek(2) == "\\\n":
            self.take(2 if self.peek() == "\\" else 1)
        if self.peek() == "#":
            while self.peek() not in ("", "\n"):
                self.take()

    def word(self) -> Word | None:
        """The next word, or None when there is none here."""
        pieces: list[Piece] = []
        found = False
        while self.peek() and self.peek() not in BREAKS:
            found = True
            self._piece(pieces)
        return tuple(pieces) if found else None

    def _piece(self, pieces: list[Piece]) -> None:
        char = self.peek()
        if char == "'":
            self.take()
            pieces.append(Piece("text", self._until("'"), True))
        elif char == '"':
            self.take()
            self._quoted(pieces)
        elif char == "\\":
            self.take()
            pieces.append(Piece("text", self.take(), True))
        elif char == "$":
            pieces.append(self._dollar(False))
        elif char == "`":
            self.take()
            pieces.append(Piece("command", self._until("`"), False))
        else:
            start = self.at
            while self.peek() and self.peek() not in BREAKS and self.peek() not in "'\"\\$`":
                self.take()
            pieces.append(Piece("text", self.text[start : self.at]))

    def _quoted(self, pieces: list[Piece]) -> None:
        text = ""
        pieces.append(Piece("text", "", True))  # "" is a word, too
        while self.peek() != '"':
            char = self.peek()
            if not char:
                raise ShellSyntaxError("syntax error: unterminated quoted string")
            if char == "\\" and self.peek(2)[1:] in ("$", "`", '"', "\\", "\n"):
                text += self.take(2)[1:].replace("\n", "")
            elif char in "$`":
                pieces.append(Piece("text", text, True))
                text = ""
                pieces.append(self._dollar(True) if char == "$" else self._ticked())
            else:
                text += self.take()
        self.take()
        pieces.append(Piece("text", text, True))

    def _ticked(self) -> Piece:
        self.take()
        return Piece("command", self._until("`"), True)

    def _dollar(self, quoted: bool) -> Piece:
        self.take()
        if self.peek(2) == "((":
            return Piece("sum", self._balanced("((", "))"), quoted)
        if self.peek() == "(":
            return Piece("command", self._balanced("(", ")"), quoted)
        if self.peek() == "{":
            return self._braced(quoted)
        if self.peek() and self.peek() in "?$#@*!0123456789":
            return Piece("variable", self.take(), quoted)
        name = self._name()
        return Piece("variable", name, quoted) if name else Piece("text", "$", quoted)

    def _name(self) -> str:
        start = self.at
        while self.peek() and (self.peek().isalnum() or self.peek() == "_"):
            self.take()
        return self.text[start : self.at]

    def _braced(self, quoted: bool) -> Piece:
        inside = self._balanced("{", "}")
        if len(inside) > 1 and inside.startswith("#"):
            return Piece("variable", inside[1:], quoted, "length")
        name = Characters(inside)._name() or inside[:1]
        rest = inside[len(name) :]
        operator = next((one for one in OPERATORS if rest.startswith(one)), "")
        if rest and not operator:
            raise ShellSyntaxError("syntax error: bad substitution")
        return Piece("variable", name, quoted, operator, rest[len(operator) :])

    def _balanced(self, begin: str, end: str) -> str:
        """What stands between matching brackets, quotes respected."""
        self.take(len(begin))
        start, depth = self.at, 1
        while self.peek():
            char = self.peek()
            if char in "'\"":
                self.take()
                self._until(char)
            elif self.peek(len(end)) == end and depth == 1:
                inside = self.text[start : self.at]
                self.take(len(end))
                return inside
            else:
                depth += (char == begin[0]) - (char == end[0])
                self.take()
        raise ShellSyntaxError(f'syntax error: unterminated "${begin}"')

    def _until(self, end: str) -> str:
        start = self.at
        while self.peek() != end:
            if not self.peek():
                raise ShellSyntaxError("syntax error: unterminated quoted string")
            self.take()
        found = self.text[start : self.at]
        self.take()
        return found
