"""A forwarded connection to a simulated application: HTTP/1.x requests are answered with the status that it would give."""

from __future__ import annotations

from typing import NamedTuple

from kubepane_embedded.kubelet.network import Answer, Listener
from kubepane_embedded.kubelet.shell.network_commands import REASONS, Target, body_of
from kubepane_embedded.runtime import Streams

LONGEST = 64 << 10
"""Bytes of a request's head."""
SIGN_IN = "/login"
"""Where the applications' redirects lead."""


class Head(NamedTuple):
    """The head of a request."""

    method: str
    path: str
    version: str
    headers: dict[str, str]

    @property
    def length(self) -> int:
        """Bytes of the body that follows."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() else 0

    @property
    def lasting(self) -> bool:
        """Whether the connection stays open after the answer."""
        wish = self.headers.get("connection", "").lower()
        return wish == "keep-alive" if self.version == "HTTP/1.0" else wish != "close"


def head_of(data: bytes) -> Head | None:
    """The head of a request, None when it is none."""
    first, *lines = data.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.0", "HTTP/1.1") or not words[1].startswith("/"):
        return None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Head(words[0], words[1], words[2], headers)


async def serve(streams: Streams, listener: Listener, port: int, address: str) -> None:
    """Answer until the client goes, wants no more, or speaks something else; what is no HTTP server hangs up at the first byte."""
    held = b""
    while True:
        while b"\r\n\r\n" not in held:
            data = await streams.read()
            if not data or len(held) > LONGEST:
                return
            held += data
        text, _, held = held.partition(b"\r\n\r\n")
        head = head_of(text)
        if head is None:
            await streams.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return
        left = head.length - len(held)
        held = held[head.length :]
        while left > 0:
            data = await streams.read()
            if not data:
                return
            left, held = left - len(data), data[left:]
        status = listener.http(port, head.path, head.headers.get("user-agent", "")) if listener.listens(port) else None
        if status is None:
            return
        await streams.write(_answer(head, status, port, address))
        if not head.lasting:
            return


def _answer(head: Head, status: int, port: int, address: str) -> bytes:
    body = body_of(Target(address, port, head.path), Answer(status, address=address)).encode()
    reason = REASONS.get(status, "Found" if status == 302 else "")
    lines = [f"HTTP/1.1 {status} {reason}", "Content-Type: text/html", f"Content-Length: {len(body)}"]
    lines += [f"Location: {SIGN_IN}"] if status == 302 else []
    lines += [] if head.lasting else ["Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head.method == "HEAD" else body)
