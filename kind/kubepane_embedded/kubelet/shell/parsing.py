"""Reading a shell program: lists, pipes, `if`, `while`, `for`, groups, redirections."""

from __future__ import annotations

import re

from kubepane_embedded.kubelet.shell.syntax import (
    NOTHING,
    Chain,
    For,
    Function,
    Group,
    If,
    Loop,
    Many,
    Node,
    Pipe,
    Redirect,
    ShellSyntaxError,
    Simple,
    Word,
)
from kubepane_embedded.kubelet.shell.words import Characters

ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
DEFINITION = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)[ \t]*\([ \t]*\)")
REDIRECT = re.compile(r"(\d?)(>>|>&|>|<)")
CLOSING = ("then", "elif", "else", "fi", "do", "done", "}", ")")
DEEPEST = 40


def parse(text: str) -> Node:
    """The program of a text; raises ShellSyntaxError."""
    reader = Reader(text)
    program = reader.many(())
    if reader.chars.peek():
        raise reader.unexpected()
    return program


class Reader:
    """A program being read."""

    def __init__(self, text: str) -> None:
        self.chars = Characters(text)
        self._depth = 0

    def unexpected(self) -> ShellSyntaxError:
        """What the shell says about what comes next."""
        keyword = self._keyword()
        return ShellSyntaxError(f'syntax error: unexpected "{keyword or self.chars.peek() or "end of file"}"')

    def many(self, ends: tuple[str, ...]) -> Node:
        """Commands up to one of the closing words."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ShellSyntaxError("syntax error: nested too deeply")
        items: list[tuple[Node, bool]] = []
        self._skip_lines()
        while self.chars.peek() and self._keyword() not in ends:
            items.append(self._item())
            self._skip_lines()
        self._depth -= 1
        return Many(tuple(items)) if items else NOTHING

    def _item(self) -> tuple[Node, bool]:
        if self._keyword():
            raise self.unexpected()
        command = self._chain()
        self.chars.skip_blanks()
        background = self.chars.peek() == "&"
        if background or self.chars.peek() == ";":
            self.chars.take()
        elif self.chars.peek() not in ("", "\n", ")"):
            raise self.unexpected()
        return command, background

    def _skip_lines(self) -> None:
        self.chars.skip_blanks()
        while self.chars.peek() == "\n":
            self.chars.take()
            self.chars.skip_blanks()

    def _keyword(self) -> str:
        """The closing word or bracket that comes next, not taken; "" when something else does."""
        self.chars.skip_blanks()
        if self.chars.peek() == ")":
            return ")"
        for word in CLOSING:
            after = self.chars.peek(len(word) + 1)
            if after.startswith(word) and (len(after) == len(word) or after[-1] in " \t\n;&|)"):
                return word
        return ""

    def _expect(self, word: str) -> None:
        self._skip_lines()
        if self._keyword() != word:
            raise self.unexpected()
        self.chars.take(len(word))

    def _chain(self) -> Node:
        first = self._pipe()
        rest: list[tuple[str, Node]] = []
        self.chars.skip_blanks()
        while self.chars.peek(2) in ("&&", "||"):
            operator = self.chars.take(2)
            self._skip_lines()
            rest.append((operator, self._pipe()))
            self.chars.skip_blanks()
        return Chain(first, tuple(rest)) if rest else first

    def _pipe(self) -> Node:
        self.chars.skip_blanks()
        negated = self.chars.peek(2) == "! "
        if negated:
            self.chars.take(2)
        commands = [self._command()]
        self.chars.skip_blanks()
        while self.chars.peek() == "|" and self.chars.peek(2) != "||":
            self.chars.take()
            self._skip_lines()
            commands.append(self._command())
            self.chars.skip_blanks()
        return Pipe(tuple(commands), negated) if negated or len(commands) > 1 else commands[0]

    def _command(self) -> Node:
        self.chars.skip_blanks()
        compound = self._compound()
        if compound is None:
            return self._function() or self._simple()
        subshell, body = compound
        redirects = self._redirects()
        return Group(body, subshell, redirects) if redirects or subshell else body

    def _compound(self) -> tuple[bool, Node] | None:
        if self.chars.peek() == "(":
            self.chars.take()
            body = self.many((")",))
            self._expect(")")
            return True, body
        start = self.chars.at
        word = self.chars.word()
        name = word[0].text if word is not None and len(word) == 1 and not word[0].quoted and word[0].kind == "text" else ""
        if name in ("while", "until"):
            return False, self._loop(name == "until")
        if name == "for":
            return False, self._for()
        if name == "if":
            return False, self._if()
        if name == "{":
            body = self.many(("}",))
            self._expect("}")
            return False, body
        self.chars.at = start
        return None

    def _function(self) -> Node | None:
        """A definition, when one comes next."""
        named = DEFINITION.match(self.chars.text, self.chars.at)
        if named is None:
            return None
        self.chars.at = named.end()
        self._skip_lines()
        return Function(named[1], self._command())

    def _loop(self, until: bool) -> Node:
        condition = self.many(("do",))
        self._expect("do")
        body = self.many(("done",))
        self._expect("done")
        return Loop(condition, body, until)

    def _for(self) -> Node:
        self.chars.skip_blanks()
        name = self.chars.word()
        words: list[Word] = []
        self.chars.skip_blanks()
        if name is None:
            raise self.unexpected()
        if self.chars.peek(3) == "in ":
            self.chars.take(3)
            self.chars.skip_blanks()
            while (word := self.chars.word()) is not None:
                words.append(word)
                self.chars.skip_blanks()
        if self.chars.peek() == ";":
            self.chars.take()
        self._expect("do")
        body = self.many(("done",))
        self._expect("done")
        return For("".join(piece.text for piece in name), tuple(words), body)

    def _if(self) -> Node:
        branches = [self._branch()]
        while self._keyword() == "elif":
            self.chars.take(4)
            branches.append(self._branch())
        otherwise = None
        if self._keyword() == "else":
            self.chars.take(4)
            otherwise = self.many(("fi",))
        self._expect("fi")
        return If(tuple(branches), otherwise)

    def _branch(self) -> tuple[Node, Node]:
        condition = self.many(("then",))
        self._expect("then")
        return condition, self.many(("elif", "else", "fi"))

    def _simple(self) -> Node:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self.chars.skip_blanks()
            redirect = self._redirect()
            if redirect is not None:
                redirects.append(redirect)
                continue
            named = ASSIGNMENT.match(self.chars.text, self.chars.at) if not words else None
            if named is not None:
                self.chars.at = named.end()
                assignments.append((named[1], self.chars.word() or ()))
                continue
            word = self.chars.word()
            if word is None:
                break
            words.append(word)
        if not (assignments or words or redirects):
            raise self.unexpected()
        return Simple(tuple(assignments), tuple(words), tuple(redirects))

    def _redirects(self) -> tuple[Redirect, ...]:
        found: list[Redirect] = []
        self.chars.skip_blanks()
        while (redirect := self._redirect()) is not None:
            found.append(redirect)
            self.chars.skip_blanks()
        return tuple(found)

    def _redirect(self) -> Redirect | None:
        found = REDIRECT.match(self.chars.text, self.chars.at)
        if found is None:
            return None
        self.chars.at = found.end()
        self.chars.skip_blanks()
        target = self.chars.word()
        if target is None:
            raise self.unexpected()
        return Redirect(int(found[1] or (0 if found[2] == "<" else 1)), found[2], target)
