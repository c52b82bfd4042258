"""The words for why no answer came."""

from __future__ import annotations

import errno
import os
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from kubepane.cluster.network_errors import reason

KEY = ConnectionKey("h", 443, True, True, None, None, None)


def tls(name: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {name}] whatever")
    error.reason = name
    return error


def connector(error: OSError) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY, error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (connector(ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")), "connection refused"),
        (connector(OSError(errno.EHOSTUNREACH, os.strerror(errno.EHOSTUNREACH))), "no route to the host"),
        (connector(OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))), "no network"),
        (connector(OSError(errno.EMFILE, "Too many open files")), "too many open files"),
        (connector(OSError(errno.EACCES, "Permission denied")), "Permission denied"),
        (aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_NONAME, "Name or service not known")), "no such host"),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")),
            "the name cannot be looked up (Temporary failure in name resolution)",
        ),
        (aiohttp.ClientProxyConnectionError(KEY, ConnectionRefusedError(errno.ECONNREFUSED, "x")), "the proxy: connection refused"),
        (aiohttp.ConnectionTimeoutError(), "timed out after 10s"),
        (aiohttp.SocketTimeoutError(), "timed out after 10s"),
        (TimeoutError(), "timed out after 10s"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "timed out"),
        (aiohttp.ServerDisconnectedError(), "connection cut"),
        (aiohttp.ClientPayloadError("Response payload is not completed"), "connection cut"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "x"), "connection cut"),
        (ConnectionResetError(), "connection cut"),
        (connector(ConnectionResetError()), "connection cut while connecting"),
        (aiohttp.ClientConnectionResetError(), "connection cut"),
        (connector(tls("WRONG_VERSION_NUMBER")), "the server does not speak TLS there (is its address http:// rather than https://?)"),
        (connector(tls("TLSV1_ALERT_PROTOCOL_VERSION")), "the server only offers TLS older than 1.2"),
        (connector(tls("SSLV3_ALERT_CERTIFICATE_EXPIRED")), "the client certificate has expired"),
        (connector(tls("SOMETHING_NEW")), "TLS failed: something new"),
    ],
)
def test_words(error: Exception, words: str) -> None:
    assert reason(error, name="h", timeout=10) == words


def test_a_proxy_that_refuses() -> None:
    request = aiohttp.RequestInfo(URL("http://proxy"), "CONNECT", CIMultiDictProxy(CIMultiDict()))
    error = aiohttp.ClientHttpProxyError(request, (), status=407, message="Proxy Authentication Required")
    assert reason(error, name="h") == "the proxy refuses: HTTP 407 Proxy Authentication Required"


def test_a_certificate_inside_its_wrapper() -> None:
    inner = ssl.SSLCertVerificationError(1, "certificate verify failed")
    inner.verify_code, inner.verify_message = 10, "certificate has expired"
    assert reason(aiohttp.ClientConnectorCertificateError(KEY, inner), name="h") == "the server's certificate has expired"
