"""pods/log, pods/exec and pods/attach over HTTP and WebSocket; what they say comes from the simulated kubelet (`runtime.PodRuntime`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from aiohttp import WSMsgType, web

from kubepane_embedded import errors
from kubepane_embedded.ages import moment_of
from kubepane_embedded.clock import Clock, micro_stamp
from kubepane_embedded.listing import is_true
from kubepane_embedded.meta import Object
from kubepane_embedded.runtime import LogLine, PodRuntime
from kubepane_embedded.views import ENCODER

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
BEHIND = 8192
"""Lines that a follower may be behind; one that reads slower than that is cut."""
BEGINNING = 0.1
"""Seconds that a runtime takes to begin. kubectl throws away what comes before its streams are made: output, and the exit code too."""
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


def choose_container(pod: Object, asked: str) -> str:
    """The container meant; BadRequest when several are possible or the name is none of them (registry/core/pod/strategy.go)."""
    spec, name = pod.get("spec") or {}, pod["metadata"]["name"]
    groups = [spec.get(group) or [] for group in ("containers", "initContainers", "ephemeralContainers")]
    names = [one.get("name") or "" for one in groups[0]]
    every = [one.get("name") or "" for group in groups for one in group]
    if asked:
        if asked not in every:
            raise errors.bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(names) == 1:
        return names[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
    init = [one.get("name") or "" for one in groups[1]]
    if init:
        text += f" or one of the init containers: [{' '.join(init)}]"
    raise errors.bad_request(text)


def waiting_reason(pod: Object, container: str) -> str:
    """Why a container has no log yet."""
    status = pod.get("status") or {}
    for group in ("initContainerStatuses", "containerStatuses"):
        for one in status.get(group) or []:
            if one.get("name") == container:
                return (((one.get("state") or {}).get("waiting")) or {}).get("reason") or "ContainerCreating"
    return "ContainerCreating"


class LogOptions:
    """PodLogOptions of a request."""

    def __init__(self, query: Any) -> None:
        self.follow = is_true(query.get("follow"))
        self.previous = is_true(query.get("previous"))
        self.timestamps = is_true(query.get("timestamps"))
        self.tail = self._number(query, "tailLines", 0)
        self.limit = self._number(query, "limitBytes", 1)
        self.seconds = self._number(query, "sinceSeconds", 1)
        self.since = moment_of(query.get("sinceTime"))

    @staticmethod
    def _number(query: Any, name: str, least: int) -> int | None:
        text = query.get(name)
        if text in (None, ""):
            return None
        try:
            value = int(text)
        except ValueError:
            raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
        if value < least:
            rule = "must be greater than 0" if least else "must be greater than or equal to 0"
            cause = errors.Cause("FieldValueInvalid", f"Invalid value: {value}: {rule}", name)
            raise errors.invalid("", "PodLogOptions", "", [cause])
        return value

    def chosen(self, lines: list[LogLine], now: datetime) -> list[LogLine]:
        """The lines that were asked for."""
        start = now - timedelta(seconds=self.seconds) if self.seconds is not None else self.since
        if start is not None:
            lines = [line for line in lines if line.time >= start]
        return lines[max(0, len(lines) - self.tail) :] if self.tail is not None else lines

    def text(self, line: LogLine) -> bytes:
        """A line as it is sent."""
        head = f"{micro_stamp(line.time)} " if self.timestamps else ""
        return f"{head}{line.text}\n".encode()


async def send_log(request: web.Request, pod: Object, asked: str, runtime: PodRuntime | None, clock: Clock) -> web.StreamResponse:
    """Answer pods/log; `asked` is the container, "" for the only one."""
    options = LogOptions(request.query)
    container = choose_container(pod, asked)
    name = pod["metadata"]["name"]
    if not (pod.get("spec") or {}).get("nodeName"):
        return web.Response(status=204)
    source = runtime.log(pod, container, options.previous) if runtime is not None else None
    if source is None:
        if options.previous:
            raise errors.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        raise errors.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {waiting_reason(pod, container)}')
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue()
    stop = source.follow(lambda line: _queue(queue, line)) if options.follow else None
    try:
        text = b"".join(options.text(line) for line in options.chosen(source.lines(), clock.now()))
        if options.limit is not None:
            text = text[: options.limit]
        if stop is None:
            return web.Response(body=text, content_type="text/plain")
        return await _follow(request, text, queue, options)
    finally:
        if stop is not None:
            stop()


def _queue(queue: asyncio.Queue[LogLine | None], line: LogLine | None) -> None:
    if queue.qsize() < BEHIND:
        queue.put_nowait(line)
    elif queue.qsize() == BEHIND:
        queue.put_nowait(None)


async def _follow(request: web.Request, text: bytes, queue: asyncio.Queue[LogLine | None], options: LogOptions) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    left = options.limit
    if text:
        await response.write(text)
    while left is None or left > len(text):
        line = await queue.get()
        if line is None:
            break
        lines = [line]
        while not queue.empty() and lines[-1] is not None:
            lines.append(queue.get_nowait())  # type: ignore[arg-type]
        await response.write(b"".join(options.text(one) for one in lines if one is not None))
        if lines[-1] is None:
            break
    await response.write_eof()
    return response


class Session:
    """The streams of one exec over a WebSocket (`vN.channel.k8s.io`): one leading byte names the channel."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._input: asyncio.Queue[bytes] = asyncio.Queue()
        self._size = (80, 24)
        self._ended = False

    async def read(self) -> bytes:
        """Input of the client; b"" when it has closed its side."""
        if self._ended and self._input.empty():
            return b""
        data = await self._input.get()
        self._ended = self._ended or not data
        return data

    async def write(self, data: bytes) -> None:
        """Standard output."""
        await self._send(STDOUT, data)

    async def write_error(self, data: bytes) -> None:
        """Standard error."""
        await self._send(STDERR, data)

    def resized(self) -> tuple[int, int]:
        """Columns and rows of the client's terminal."""
        return self._size

    async def _send(self, channel: int, data: bytes) -> None:
        if data and not self._socket.closed:
            await self._socket.send_bytes(bytes([channel]) + data)

    async def pump(self) -> None:
        """Take what the client sends until it goes."""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == STDIN and data:
                self._input.put_nowait(data)
            elif channel == RESIZE:
                self._resize(data)
            elif channel == CLOSE and data[:1] == b"\x00":
                self._input.put_nowait(b"")
        self._input.put_nowait(b"")

    def _resize(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        numbers = [int(part) for part in "".join(char if char.isdigit() else " " for char in text[:100]).split()[:2]]
        if len(numbers) == 2:
            self._size = (numbers[0], numbers[1])

    async def finish(self, code: int) -> None:
        """Send the outcome as a Status on the error channel and close."""
        status: Object = {"metadata": {}, "status": "Success"}
        if code:
            text = f"command terminated with non-zero exit code: command terminated with exit code {code}"
            causes = [{"reason": "ExitCode", "message": str(code)}]
            status = {"metadata": {}, "status": "Failure", "message": text, "reason": "NonZeroExitCode", "details": {"causes": causes}}
        await self._send(ERROR, ENCODER.encode(status))
        await self._socket.close()


async def run_exec(request: web.Request, pod: Object, asked: str, runtime: PodRuntime | None) -> web.StreamResponse:
    """Answer pods/exec; `asked` is the container, "" for the only one."""
    container = choose_container(pod, asked)
    command = request.query.getall("command", [])
    if not command:
        raise errors.bad_request("you must specify at least 1 command for the container")
    running = _running(pod, container, runtime)
    tty = is_true(request.query.get("tty"))
    return await _streamed(request, lambda session: running.exec(pod, container, command, tty, session))


async def run_attach(request: web.Request, pod: Object, asked: str, runtime: PodRuntime | None) -> web.StreamResponse:
    """Answer pods/attach; `asked` is the container, "" for the only one."""
    container = choose_container(pod, asked)
    running = _running(pod, container, runtime)
    tty = is_true(request.query.get("tty"))
    return await _streamed(request, lambda session: running.attach(pod, container, tty, session))


def _running(pod: Object, container: str, runtime: PodRuntime | None) -> PodRuntime:
    """Who runs the pod's containers; refused when nobody does."""
    if runtime is None or (pod.get("status") or {}).get("phase") != "Running":
        name = pod["metadata"]["name"]
        text = f'Internal error occurred: unable to upgrade connection: container not found ("{container}") in pod {name}'
        raise errors.ApiError(500, "InternalError", text)
    return runtime


async def _begun(session: Session, begin: Callable[[Session], Awaitable[int]]) -> int:
    await asyncio.sleep(BEGINNING)
    return await begin(session)


async def _streamed(request: web.Request, begin: Callable[[Session], Awaitable[int]]) -> web.StreamResponse:
    """Upgrade to a WebSocket, run what was asked for on its streams, say how it ended."""
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise errors.bad_request("Upgrade request required")
    socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=30)
    await socket.prepare(request)
    session = Session(socket)
    pump = asyncio.ensure_future(session.pump())
    run = asyncio.ensure_future(_begun(session, begin))
    try:
        await asyncio.wait({pump, run}, return_when=asyncio.FIRST_COMPLETED)
        if run.done() or not socket.closed:
            await session.finish(await run)
    finally:
        for task in (pump, run):
            task.cancel()
        await asyncio.gather(pump, run, return_exceptions=True)
    return socket
