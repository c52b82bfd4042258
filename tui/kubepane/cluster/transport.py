"""Requests over the wire: kubernetes_asyncio's ApiClient on an aiohttp session of our own. The only module that imports aiohttp.

It is imported late, by `connection`, for it takes a tenth of a second: the dashboard paints first.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_parser import DeflateBuffer
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from kubepane.cluster import network_errors
from kubepane.cluster.call import Call
from kubepane.cluster.client_library import ApiClient, Configuration, RESTClientObject
from kubepane.cluster.errors import BadConfig, ClusterError, NotKubernetes, Unreachable
from kubepane.cluster.redaction import one_line

CONNECT_TIMEOUT = 10.0  # seconds, TCP and TLS; a starting API server holds handshakes for up to 1.6 s
KEEPALIVE = 75.0  # seconds an idle connection is kept; the server closes it after 90
_ERROR_PAGE = 10.0  # seconds without a byte after which an error page is taken as it is
_PING = 20.0  # seconds between two pings of a socket: balancers drop what is idle for a minute
_SOCKET_SILENCE = 60.0  # seconds without even an answer to a ping after which a socket that is being read is dead
_GOODBYE = 1.0  # seconds that the other side of a socket has for its goodbye
BUFFER = 1 << 18  # bytes; reading stops at twice this until they are fetched, so that many streams cannot fill the memory


class Transport:
    """Sends requests to one server as one TLS identity, over as many connections as are needed."""

    def __init__(
        self,
        server: str,
        tls: ssl.SSLContext | None,
        *,
        proxy: str = "",
        server_name: str = "",
        headers: Sequence[tuple[str, str]] = (),
        user_agent: str = "",
        reuse: bool = True,
    ) -> None:
        """Must be made inside a running event loop.

        Args:
            tls: None for a server without TLS.
            server_name: the name to check the server's certificate for, "" for the server's own.
            headers: sent with every request; a name may come several times.
            reuse: whether connections are kept for the next request.
        """
        self.uses = 0  # answers that are still open
        self.distrusted = False  # the server's certificate was not accepted once
        self._name = server_name or urlsplit(server).hostname or server
        self._made_with: dict[str, Any] = {
            "server": server, "tls": tls, "proxy": proxy, "server_name": server_name, "headers": headers, "user_agent": user_agent,
        }  # fmt: skip
        self._retired = False
        self._closing: asyncio.Task[None] | None = None
        kept: dict[str, Any] = {"keepalive_timeout": KEEPALIVE} if reuse else {"force_close": True}
        connector = aiohttp.TCPConnector(limit=0, ssl=tls or True, resolver=_Resolver(), socket_factory=_socket, **kept)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # neither ~/.netrc (its password would go to the server) nor aiohttp's idea of NO_PROXY
            read_bufsize=BUFFER,
            middlewares=(_once, _switched),
        )
        configuration = Configuration(host=server)
        configuration.proxy, configuration.tls_server_name = proxy or None, server_name or None
        self._client = _LeanClient(configuration, _Rest(configuration, _Lean(self._session, headers)))
        self._client.user_agent = user_agent

    def single_use(self) -> Transport:
        """One to the same server that opens a connection for every request."""
        return Transport(reuse=False, **self._made_with)

    async def request(self, call: Call, credentials: Mapping[str, str]) -> Answer:
        """Sends a request and waits for the head of its answer, whatever its status.

        Args:
            credentials: headers that say who we are.

        Raises:
            Unreachable: no HTTP answer came.
            NotKubernetes: what came is no HTTP.
            BadConfig: the address or a header cannot be sent at all.
        """
        patience = aiohttp.ClientTimeout(total=call.total, connect=2 * CONNECT_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=call.silence)
        if self.closed:
            raise Unreachable("the connection was closed")
        self.uses += 1
        try:
            async with asyncio.timeout(call.head):
                response = await self._client.call_api(
                    call.path,
                    call.method,
                    query_params=list(call.query.items()),
                    header_params={**call.headers, **credentials},
                    body=call.body,
                    _preload_content=False,
                    _request_timeout=patience,
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self.done()
            raise self.explained(error, call.head or call.silence or call.total) from None
        except BaseException:
            self.done()
            raise
        finally:
            self._client.last_response = None  # it would pin the last body
        return Answer(self, response, call.silence)

    async def upgrade(self, call: Call, credentials: Mapping[str, str], protocols: Sequence[str]) -> Answer | Socket:
        """Asks for a WebSocket; the answer is the socket, or whatever else the server says.

        Args:
            call: a GET; its path carries the query already, for there a key may come several times.
            protocols: that we speak, the best first.

        Raises:
            Unreachable, NotKubernetes, BadConfig: as `request` does.
        """
        if self.closed:
            raise Unreachable("the connection was closed")
        self.uses += 1
        try:
            async with asyncio.timeout(call.head):
                opened = await self._session.ws_connect(
                    URL(self._made_with["server"].rstrip("/") + call.path, encoded=True),
                    protocols=protocols,
                    headers=_with({"User-Agent": self._made_with["user_agent"], **call.headers, **credentials}, self._made_with["headers"]),
                    proxy=self._made_with["proxy"] or None,
                    server_hostname=self._made_with["server_name"] or None,
                    timeout=aiohttp.ClientWSTimeout(ws_close=_GOODBYE),
                    autoping=False,
                )
        except _Declined as declined:
            return Answer(self, declined.response, _ERROR_PAGE)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            self.done()
            raise self.explained(error, call.head) from None
        except BaseException:
            self.done()
            raise
        return Socket(self, opened)

    def explained(self, error: Exception, waited: float | None) -> ClusterError:
        """The error as one of ours."""
        if isinstance(error, _Lost):
            error = error.first
        if isinstance(error, aiohttp.InvalidURL):
            return BadConfig("the server's address or the request's path is no URL")
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            return BadConfig(f"the request cannot be sent: {one_line(str(error), 120)}")
        if isinstance(error, aiohttp.ClientResponseError) and not isinstance(error, aiohttp.ClientHttpProxyError):
            return NotKubernetes("what answers there does not speak HTTP as an API server does")
        self.distrusted = self.distrusted or network_errors.is_certificate_error(error)
        waited = CONNECT_TIMEOUT if isinstance(error, aiohttp.ConnectionTimeoutError) else waited
        return Unreachable(network_errors.reason(error, name=self._name, timeout=waited))

    def done(self) -> None:
        """One answer less is open."""
        self.uses -= 1
        self._close_if_idle()

    def retire(self) -> None:
        """Closes it once the last open answer is done: streams may live on with the certificate they began with."""
        self._retired = True
        self._close_if_idle()

    def _close_if_idle(self) -> None:
        if self._retired and not self.uses and self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self.close(), name="close transport")

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._session.closed

    async def close(self) -> None:
        """Closes every connection at once."""
        await self._client.close()


class Answer:
    """An HTTP answer whose body is still to be read. Must be closed."""

    def __init__(self, transport: Transport, response: aiohttp.ClientResponse, silence: float | None) -> None:
        self.status = response.status
        self.headers: CIMultiDictProxy[str] = response.headers
        self._transport, self._response, self._silence = transport, response, silence
        self._open = True

    @property
    def received(self) -> int:
        """Bytes of the body that have come so far, as they were on the wire."""
        return getattr(self._response.content, "total_raw_bytes", 0)  # aiohttp's reader of an empty body has forgotten it

    async def chunk(self, idle: float | None) -> bytes:
        """The next bytes as soon as there are any, b"" at the end.

        Raises:
            Unreachable: the connection was cut, or nothing came for `idle` seconds.
        """
        deadline = asyncio.timeout(idle)
        try:
            async with deadline:
                return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            if deadline.expired():
                raise Unreachable(f"nothing came for {idle:g}s") from None
            raise self._transport.explained(error, self._silence) from None

    async def body(self, limit: int) -> bytes:
        """The rest of the body.

        Raises:
            Unreachable: the connection was cut before its end.
            NotKubernetes: it is larger than `limit` bytes.
        """
        parts, size = [], 0
        while part := await self.chunk(None):
            size += len(part)
            if size > limit:
                raise NotKubernetes(f"an answer larger than {limit >> 20:,} MiB")
            parts.append(part)
        return b"".join(parts)

    async def start_of_body(self, limit: int) -> bytes:
        """At most its first `limit` bytes, and what came of them when it is cut: for error pages."""
        found = b""
        with suppress(Unreachable):
            while len(found) < limit and (part := await self.chunk(_ERROR_PAGE)):
                found += part
        return found[:limit]

    def close(self) -> None:
        """Gives the connection back when the body was read to its end, else closes its socket at once."""
        if not self._open:
            return
        self._open = False
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            # A mere close would wait for the server's TLS goodbye, on a dead link for half a minute.
            connection.transport.abort()
        self._response.close()
        self._transport.done()


class Socket:
    """A WebSocket: whole messages of bytes in both directions. Must be closed.

    Attributes:
        protocol: the one that the server chose, "" for none.
    """

    def __init__(self, transport: Transport, opened: aiohttp.ClientWebSocketResponse[Any]) -> None:
        self.protocol = opened.protocol or ""
        self._transport, self._socket, self._open = transport, opened, True
        self._pings = asyncio.get_running_loop().create_task(self._ping(), name="ping")

    async def receive(self) -> bytes | None:
        """The next message, None once the server has said goodbye or `close` was called.

        Raises:
            Unreachable: it was cut, or nothing has come for a minute, not even the answers to our pings.
        """
        while self._open:
            try:
                async with asyncio.timeout(_SOCKET_SILENCE):
                    message = await self._socket.receive()
            except TimeoutError:
                raise Unreachable(f"nothing came for {_SOCKET_SILENCE:g}s") from None
            if message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
                return message.data if isinstance(message.data, bytes) else str(message.data).encode()
            if message.type is aiohttp.WSMsgType.PING:
                await self._socket.pong(message.data)
            elif message.type is aiohttp.WSMsgType.CLOSE or not self._open:
                return None
            elif message.type is not aiohttp.WSMsgType.PONG:
                raise Unreachable(network_errors.CUT)
        return None

    async def send(self, data: bytes) -> None:
        """Sends a message; waits while the other side does not take any.

        Raises:
            Unreachable: the socket is closed or was cut.
        """
        try:
            await self._socket.send_bytes(data)
        except (aiohttp.ClientError, OSError) as error:
            raise self._transport.explained(error, None) from None

    async def _ping(self) -> None:
        with suppress(aiohttp.ClientError, OSError):
            while True:
                await asyncio.sleep(_PING)
                await self._socket.ping()

    async def close(self) -> None:
        """Says goodbye and closes; the other side is waited for only a moment."""
        if not self._open:
            return
        self._open = False
        self._pings.cancel()
        try:
            await self._socket.close()
        finally:
            self._transport.done()


class _Declined(Exception):
    """The server answered to an upgrade, but did not switch; the answer can still be read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        super().__init__(response.status)
        self.response = response


async def _switched(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps the answer where a WebSocket was asked for and refused; aiohttp would throw the server's words away, or follow a redirect."""
    response = await handler(request)
    if "Upgrade" in request.headers and response.status != 101:
        raise _Declined(response)
    return response


class _Lost(aiohttp.ClientError):
    """The connection failed; `first` says how."""

    def __init__(self, first: Exception) -> None:
        super().__init__()
        self.first = first


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keeps the session from sending a request again by itself, which it does for a GET, PUT or DELETE that got no answer.

    Whether a change has happened can then not be told, and no budget knows of the second request.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Lost(error) from None


class _Lean:
    """The session as ApiClient uses it, but following no redirect: it would carry the credentials to somebody else.

    The headers of every request are added here: a session's own ones are told to the proxy as well.
    """

    def __init__(self, session: aiohttp.ClientSession, headers: Sequence[tuple[str, str]]) -> None:
        self._session, self._headers = session, headers

    async def request(self, headers: Mapping[str, str] | None = None, **arguments: Any) -> aiohttp.ClientResponse:
        return await self._session.request(allow_redirects=False, headers=_with(headers or {}, self._headers), **arguments)

    async def close(self) -> None:
        await self._session.close()


def _with(headers: Mapping[str, str], more: Sequence[tuple[str, str]]) -> CIMultiDict[str]:
    made = CIMultiDict(headers)
    made.extend(more)
    return made


class _Rest(RESTClientObject):
    """The library's sender on our session; its own constructor makes a TLS context of all system CAs and a session for nothing."""

    def __init__(self, configuration: Any, session: Any) -> None:
        self.pool_manager = session
        self.proxy, self.proxy_headers = configuration.proxy, configuration.proxy_headers
        self.server_hostname = configuration.tls_server_name


class _LeanClient(ApiClient):
    """The library's ApiClient with a sender given to it instead of one that it makes."""

    def __init__(self, configuration: Any, rest_client: _Rest) -> None:
        self.configuration = configuration
        self.pool_threads = 1
        self.rest_client = rest_client
        self.default_headers: dict[str, str] = {}
        self.cookie = ""
        self.last_response: Any = None
        self.client_side_validation = configuration.client_side_validation


class _Resolver(AbstractResolver):
    """Looks names up in threads that do not hold up the program's end, as those of asyncio's executor would for a dead DNS."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Any]] = loop.create_future()

        def tell(found: list[Any] | OSError) -> None:
            if answer.done():
                return
            if isinstance(found, OSError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def look_up() -> None:
            found: list[Any] | OSError
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG)
            except OSError as error:
                found = error
            except UnicodeError:
                found = socket.gaierror(socket.EAI_NONAME, "no host name")
            with suppress(RuntimeError):  # the loop is gone
                loop.call_soon_threadsafe(tell, found)

        threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return [
            {"hostname": host, "host": address[0], "port": address[1], "family": kind, "proto": proto, "flags": flags}
            for kind, _, proto, _, address in await answer
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _socket(info: Any) -> socket.socket:
    """A TCP socket that notices a dead link within a minute (research: shipped settings never do)."""
    made = socket.socket(info[0], info[1], info[2])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"  # macOS calls it so
    for name, value in ((idle, 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000)):
        option = getattr(socket, name, None)
        if option is not None:
            with suppress(OSError):
                made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


class _Sink:
    """Stands in for a stream reader in the self-test."""

    _low_water = BUFFER

    def __init__(self) -> None:
        self.data = b""
        self.total_compressed_bytes: int | None = None

    def feed_data(self, data: bytes, size: int = 0) -> None:
        self.data += data


def _decodes_every_gzip_member() -> bool:
    """Whether a body of several gzip members is decoded whole, as Kubernetes 1.37 sends WatchLists (aiohttp < 3.14 drops the rest)."""
    members = [b'{"n":1}\n', b'{"n":2}\n', b'{"n":3}\n' * 9]
    wire = b"".join(_gzip(member) for member in members)
    for at in (len(wire), len(_gzip(members[0])), 7):
        sink: Any = _Sink()
        try:
            buffer = DeflateBuffer(sink, "gzip")
            for part in (wire[:at], wire[at:]):
                buffer.feed_data(part, len(part))
        except Exception:  # noqa: BLE001  (whatever another release does here: it means no)
            return False
        if sink.data != b"".join(members):
            return False
    return True


def _gzip(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(data) + packer.flush()


WHOLE_GZIP = _decodes_every_gzip_member()
