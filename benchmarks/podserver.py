#!/usr/bin/env python3
"""An API server with nothing but made-up pods, as fast as Python can send: podserver.py COUNT [CHANGES/S]. Prints its port.

Serves `/version`, `/livez`, and lists and watches of pods, the initial list streamed (KEP-3157) when it is asked for. Everything
else is 404. It keeps no state: a change raises a version.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from urllib.parse import parse_qs, urlsplit

from fakepods import fake_pod, fake_pods

END = {"resourceVersion": "900000", "annotations": {"k8s.io/initial-events-end": "true"}}


class PodServer:
    """The pods and the answers."""

    def __init__(self, count: int, rate: float) -> None:
        self.count, self.rate = count, rate
        self.pods = fake_pods(count)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while (head := await reader.readuntil(b"\r\n\r\n")) and await self._answer(head, writer):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        url = urlsplit(head.split(b" ", 2)[1].decode())
        query = parse_qs(url.query)
        if url.path == "/api/v1/pods" and query.get("watch"):
            await self._watch(writer, "sendInitialEvents" in query)
            return False
        status, body = self._plain(url.path)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return True

    def _plain(self, path: str) -> tuple[str, bytes]:
        if path == "/api/v1/pods":
            head = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"900000"},"items":['
            return "200 OK", head + b",".join(self.pods) + b"]}"
        if path == "/version":
            return "200 OK", b'{"major":"1","minor":"35","gitVersion":"v1.35.4"}'
        if path in ("/livez", "/readyz"):
            return "200 OK", b"ok"
        failure = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": "not served here", "code": 404}
        return "404 Not Found", json.dumps(failure).encode()

    async def _watch(self, writer: asyncio.StreamWriter, initial: bool) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        if initial:
            for group in _groups(self.pods, 50):
                _chunk(writer, b"".join(_event("ADDED", pod) for pod in group))
                await writer.drain()
            bookmark = {"kind": "Pod", "apiVersion": "v1", "metadata": END}
            _chunk(writer, _event("BOOKMARK", json.dumps(bookmark).encode()))
        for turn in itertools.count(1):
            await asyncio.sleep(1 / self.rate if self.rate else 3600)
            pod = fake_pod(turn * 7919 % self.count, turn)
            _chunk(writer, _event("MODIFIED", json.dumps(pod, separators=(",", ":")).encode()))
            await writer.drain()


def _groups(pods: list[bytes], size: int) -> list[list[bytes]]:
    return [pods[i : i + size] for i in range(0, len(pods), size)]


def _event(kind: str, obj: bytes) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + obj + b"}\n"


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


async def main(count: int, rate: float) -> None:
    """Serves on a free port of loopback until it is ended."""
    server = await asyncio.start_server(PodServer(count, rate).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))
