"""The one door for requests: budget, typed errors, one renewal after a 401, read-only switch, counters.

Everything that leaves the program for the cluster passes here, except what the user's own programs do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from kubepane.cluster import answers
from kubepane.cluster.audit import Change, Warned, ignore
from kubepane.cluster.budget import Budget
from kubepane.cluster.call import Call
from kubepane.cluster.clock import Clock, SystemClock
from kubepane.cluster.connection import Connection, Sent
from kubepane.cluster.context import Target
from kubepane.cluster.errors import ClusterError, NotKubernetes, ReadOnly, Unauthorized, Unreachable
from kubepane.cluster.requests import JSON
from kubepane.cluster.traffic import Traffic

if TYPE_CHECKING:
    from kubepane.cluster.transport import Answer, Socket  # only its type: importing it takes a tenth of a second

MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

HEAD_TIMEOUT = 60.0  # seconds a stream may wait for the head of its answer: a stalled etcd holds a WatchList for long
SOCKET_TIMEOUT = 30.0  # seconds for a WebSocket to be opened: the server has to reach the node first
CHANGES = 20  # a second at most: somebody waits for each, and none keeps a read waiting
MAX_BODY = 512 << 20  # bytes of an answer, unpacked: 50,000 pods in one list, and the end of any compression bomb
_MAX_ERROR_BODY = 64 << 10
_PATIENCE = 10  # a body may take this many times the silence that is allowed: it ends what drips byte by byte
_REVIEWS = ("/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/")  # POSTs that change nothing
_HEALTH = ("/livez", "/readyz", "/healthz")
_SAFE = "/:@!$&'()*+,;=~"  # what stays as it is in a path


class Version(msgspec.Struct, frozen=True, rename="camel"):
    """What GET /version says. `major` and `minor` may end in a `+` on some clouds."""

    git_version: str = ""
    major: str = ""
    minor: str = ""
    platform: str = ""


class Probe(msgspec.Struct, frozen=True):
    """Whether the link is up.

    Attributes:
        up: an HTTP answer came, whatever its status (/livez is 500 while etcd stalls and the link is fine).
        status: its HTTP code, 0 when none came.
        why: why none came.
        seconds: how long it took.
        server_ahead: seconds that the server's clock is ahead of ours, to the second, None when it did not say.
    """

    up: bool
    status: int = 0
    why: str = ""
    seconds: float = 0.0
    server_ahead: float | None = None


class Api:
    """Implements `requests.Requests`, and the verbs that change something.

    Every method raises a `ClusterError` and nothing else, except on cancellation.

    Attributes:
        read_only: no request that could change anything leaves, not even a dry run.
        traffic: the counters.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock | None = None,
        budget: Budget | None = None,
        read_only: bool = False,
        on_warning: Callable[[Warned], None] = ignore,
        on_change: Callable[[Change], None] = ignore,
    ) -> None:
        self._clock = clock or SystemClock()
        self._connection = connection
        self._budget = budget or Budget(self._clock)
        self._confirmed = Budget(self._clock, rate=CHANGES, burst=CHANGES)
        self.traffic = Traffic(self._clock)
        self.read_only = read_only
        self._on_warning, self._on_change = on_warning, on_change

    @property
    def target(self) -> Target:
        """Which cluster this is, as whom."""
        return self._connection.target

    async def close(self) -> None:
        """Ends every stream and closes the connection."""
        await self._connection.close()

    # ---- reading ---------------------------------------------------------------------------------------------------------

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON, timeout: float = 30.0) -> bytes:
        """See `requests.Requests.get`; `timeout` is the silence that is borne.

        A body that goes on arriving may take ten times that in all: a slow link is no fault. The health endpoints are asked
        over a connection of their own and past the budget (rule R29), and answer in plain text.
        """
        headers = {"Accept": accept, "Accept-Encoding": self._encoding()}
        if path.startswith(_HEALTH):
            return await self._health(Call("GET", quote(path, _SAFE), query or {}, headers, total=timeout, silence=timeout))
        call = Call("GET", quote(path, _SAFE), query or {}, headers, total=_PATIENCE * timeout, silence=timeout)
        _, body = await self._exchange(call, json="json" in accept)
        return body

    def stream(
        self, path: str, query: Mapping[str, str] | None = None, *, accept: str = JSON, idle: float | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """See `requests.Requests.stream`. A WatchList is asked for compressed (Kubernetes ≥ 1.37 does it), a plain watch is not."""
        query = query or {}
        encoding = self._encoding() if "sendInitialEvents" in query and _whole_gzip() else "identity"
        call = Call("GET", quote(path, _SAFE), query, {"Accept": accept, "Accept-Encoding": encoding}, head=HEAD_TIMEOUT)
        return self._stream(call, idle, json="json" in accept)

    async def server_version(self) -> Version:
        """The server's version."""
        try:
            return msgspec.json.decode(await self.get("/version"), type=Version)
        except msgspec.DecodeError:
            raise NotKubernetes("GET /version does not give a version") from None

    async def probe(self, *, timeout: float = 10.0) -> Probe:
        """Asks /livez on a connection of its own. Raises only `BadConfig`."""
        call = Call("GET", "/livez", {}, {"Accept": "*/*", "Accept-Encoding": "identity"}, total=timeout, silence=timeout)
        started = self._clock.monotonic()
        try:
            sent = await self._probed(call)
        except (Unreachable, NotKubernetes) as error:
            return Probe(isinstance(error, NotKubernetes), 0, str(error), self._clock.monotonic() - started)
        sent.answer.close()
        return Probe(True, sent.answer.status, "", self._clock.monotonic() - started, self._server_ahead(sent.answer))

    async def link_is_up(self, *, timeout: float = 10.0) -> bool:
        """Whether any HTTP answer comes."""
        return (await self.probe(timeout=timeout)).up

    # ---- changing --------------------------------------------------------------------------------------------------------

    async def post(self, path: str, body: Any, query: Mapping[str, str] | None = None, *, timeout: float = 30.0) -> bytes:
        """Creates an object, or a review: reviews change nothing and are allowed in read-only mode."""
        call = self._with_body("POST", path, body, query, JSON, timeout)
        if path.startswith(_REVIEWS):
            _, answer = await self._exchange(call)
            return answer
        return await self._change(call)

    async def put(self, path: str, body: Any, query: Mapping[str, str] | None = None, *, timeout: float = 30.0) -> bytes:
        """Replaces an object; the answer is its new state."""
        return await self._change(self._with_body("PUT", path, body, query, JSON, timeout))

    async def patch(
        self, path: str, body: Any, query: Mapping[str, str] | None = None, *, content_type: str = MERGE_PATCH, timeout: float = 30.0
    ) -> bytes:
        """Patches an object; the answer is its new state. For `APPLY_PATCH` the body is sent as JSON, which is YAML as well."""
        return await self._change(self._with_body("PATCH", path, body, query, content_type, timeout))

    async def delete(self, path: str, body: Any = None, query: Mapping[str, str] | None = None, *, timeout: float = 30.0) -> bytes:
        """Deletes an object; `body` are DeleteOptions. The answer is a Status, or the object that is going."""
        return await self._change(self._with_body("DELETE", path, body, query, JSON, timeout))

    async def socket(self, path: str, query: Sequence[tuple[str, str]], protocols: Sequence[str]) -> Socket:
        """A WebSocket to a pod (exec, portforward). What goes through it could change anything: never in read-only mode."""
        if self.read_only:
            raise ReadOnly(f"read-only: {path} was not opened")
        call = Call("GET", f"{quote(path, _SAFE)}?{urlencode(query)}", head=SOCKET_TIMEOUT)
        got = await self._upgraded(call, protocols)
        if isinstance(got, Sent) and got.answer.status == 401 and await self._renewed(got):
            got = await self._upgraded(call, protocols)
        if isinstance(got, Sent):
            raise await self._refusal(got)
        return got

    async def _upgraded(self, call: Call, protocols: Sequence[str]) -> Sent | Socket:
        await self._budget.take()
        self.traffic.sent()
        return await self._connection.upgrade(call, protocols)

    async def _change(self, call: Call) -> bytes:
        """Sends a change, once: when no answer comes it may have happened all the same, and only the caller can look."""
        started, status, error = self._clock.monotonic(), None, ""
        stopped = self.read_only
        try:
            if stopped:
                raise ReadOnly(f"read-only: {call.method} {call.path} was not sent")
            status, body = await self._exchange(call)
            return body
        except ClusterError as problem:
            status, error = getattr(problem, "status", None), str(problem)
            raise
        except asyncio.CancelledError:
            error = "given up before the answer came"
            raise
        finally:
            self._on_change(Change(call.method, call.path, dict(call.query), status, error, stopped, self._clock.monotonic() - started))

    # ---- how -------------------------------------------------------------------------------------------------------------

    def _with_body(self, method: str, path: str, body: Any, query: Mapping[str, str] | None, content_type: str, timeout: float) -> Call:
        headers = {"Accept": JSON, "Content-Type": content_type, "Accept-Encoding": self._encoding()}
        plain = msgspec.to_builtins(body) if body is not None else None
        return Call(method, quote(path, _SAFE), query or {}, headers, plain, total=_PATIENCE * timeout, silence=timeout)

    def _encoding(self) -> str:
        return "identity" if self._connection.context.disable_compression else "gzip"

    async def _exchange(self, call: Call, *, json: bool = True) -> tuple[int, bytes]:
        """Status and body of a 2xx answer."""
        async with self._budget.place():
            answer = await self._accepted(call)
            body = await self._read(answer)
        if json:
            answers.check_json(answer.headers, body)
        return answer.status, body

    async def _read(self, answer: Answer) -> bytes:
        try:
            return await answer.body(MAX_BODY)
        finally:
            self.traffic.got(answer.received)
            answer.close()

    @asynccontextmanager
    async def _stream(self, call: Call, idle: float | None, json: bool) -> AsyncIterator[AsyncIterator[bytes]]:
        answer = await self._accepted(call)
        self.traffic.open_streams += 1
        try:
            if answers.is_page(answer.headers, json=json):
                raise answers.stranger(answer.status, answer.headers, await answer.start_of_body(_MAX_ERROR_BODY))
            yield _Chunks(answer, idle, self.traffic)
        finally:
            self.traffic.open_streams -= 1
            answer.close()

    async def _health(self, call: Call) -> bytes:
        sent = await self._probed(call)
        if sent.answer.status != 200:
            raise await self._refusal(sent)
        return await self._read(sent.answer)

    async def _probed(self, call: Call) -> Sent:
        self.traffic.sent()
        return await self._connection.probe(call)

    async def _accepted(self, call: Call) -> Answer:
        """A 2xx answer, after one more try with other credentials where a 401 brought some; anything else is raised."""
        sent = await self._send(call)
        if sent.answer.status == 401 and await self._renewed(sent):
            sent = await self._send(call)
        if 200 <= sent.answer.status < 300:
            return sent.answer
        raise await self._refusal(sent)

    async def _send(self, call: Call) -> Sent:
        reads = call.method == "GET" or call.path.startswith(_REVIEWS)
        await (self._budget if reads else self._confirmed).take()
        started = self._clock.monotonic()
        self.traffic.sent()
        sent = await self._connection.send(call)
        self.traffic.latency = self._clock.monotonic() - started
        for text in answers.warnings_of(sent.answer.headers.getall("Warning", ())):
            self._on_warning(Warned(call.method, call.path, text))
        return sent

    async def _renewed(self, sent: Sent) -> bool:
        renewed = True
        try:
            renewed = await self._connection.credentials.refused(sent.identity)
        finally:
            if renewed:
                sent.answer.close()
        return renewed

    async def _refusal(self, sent: Sent) -> ClusterError:
        answer = sent.answer
        try:
            body = await answer.start_of_body(_MAX_ERROR_BODY)
        finally:
            self.traffic.got(answer.received)
            answer.close()
        error = answers.refusal(answer.status, answer.headers, body, self._clock.now())
        if isinstance(error, Unauthorized):
            user, doubt = self.target.user, self._connection.credentials.doubt()
            message = f"the server does not accept user {user!r}" + (f": {doubt}" if doubt else "")
            return Unauthorized(error.status, error.reason, message, error.retry_after, error.causes)
        return error

    def _server_ahead(self, answer: Answer) -> float | None:
        said = answers.http_date(answer.headers.get("Date", ""))
        return (said - self._clock.now()).total_seconds() if said else None


class _Chunks:
    """The body of a stream, as it comes."""

    def __init__(self, answer: Answer, idle: float | None, traffic: Traffic) -> None:
        self._answer, self._idle, self._traffic = answer, idle, traffic
        self._counted = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await self._answer.chunk(self._idle)
        received = self._answer.received
        self._traffic.got(received - self._counted)
        self._counted = received
        if not chunk:
            raise StopAsyncIteration
        return chunk


def _whole_gzip() -> bool:
    from kubepane.cluster import transport  # late: the first request loads it, not the first paint

    return transport.WHOLE_GZIP
