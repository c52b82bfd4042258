"""The terminal of an exec session: lines out of bytes, echo, erase, interrupt, end of input."""

from __future__ import annotations

import asyncio

from kubepane_embedded.runtime import ExecSession

INTERRUPT, END, ERASE, RETURN = "\x03", "\x04", ("\x7f", "\b"), "\r"
LONGEST = 4096
"""Characters of one line."""


class Terminal:
    """Reads lines from a session; with a terminal it echoes and edits them as a tty driver does.

    Args:
        session: The client's streams.
        tty: Whether the client has a terminal.
    """

    def __init__(self, session: ExecSession, tty: bool) -> None:
        self._session = session
        self._tty = tty
        self._waiting = ""
        self._ended = False

    async def write(self, text: str) -> None:
        """Text for the client; a terminal wants carriage returns."""
        await self._session.write((text.replace("\n", "\r\n") if self._tty else text).encode())

    async def line(self) -> str | None:
        """The next line without its end; None at the end of input."""
        typed = ""
        while True:
            while self._waiting:
                char, self._waiting = self._waiting[0], self._waiting[1:]
                if self._tty:
                    found = await self._key(char, typed)
                    if found is None:
                        return None
                    typed, whole = found
                    if whole:
                        return typed
                elif char == "\n":
                    return typed
                elif len(typed) < LONGEST:
                    typed += char
            if self._ended:
                return typed or None
            await self._fill()

    async def _key(self, char: str, typed: str) -> tuple[str, bool] | None:
        """What a key makes of the line: the line, and whether it is complete; None for the end of input."""
        if char in (RETURN, "\n"):
            await self.write("\n")
            return typed, True
        if char == INTERRUPT:
            await self.write("^C\n")
            return "", True
        if char == END:
            return (typed, False) if typed else None
        if char in ERASE:
            if typed:
                await self.write("\b \b")
            return typed[:-1], False
        if char < " " or len(typed) >= LONGEST:
            return typed, False
        await self.write(char)
        return typed + char, False

    async def interrupted(self) -> None:
        """Returns when the client types the interrupt key, or goes."""
        while INTERRUPT not in self._waiting or not self._tty:
            if self._ended:
                await asyncio.Event().wait()
            await self._fill()
        self._waiting = self._waiting.partition(INTERRUPT)[2]
        await self.write("^C\n")

    async def _fill(self) -> None:
        data = await self._session.read()
        if not data:
            self._ended = True
        self._waiting = (self._waiting + data.decode("utf-8", "replace"))[-64 * 1024 :]
