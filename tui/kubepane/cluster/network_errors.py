"""Why no HTTP answer came, in a few words. Knows the shapes of aiohttp's exceptions without importing it."""

from __future__ import annotations

import errno
import socket
import ssl

from kubepane.cluster.redaction import one_line
from kubepane.cluster.tls import verification_failed

CUT = "connection cut"
_NUMBERS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: CUT,
    errno.ECONNABORTED: CUT,
    errno.EPIPE: CUT,
    errno.EHOSTUNREACH: "no route to the host",
    errno.ENETUNREACH: "no network",
    errno.ENETDOWN: "no network",
    errno.EADDRNOTAVAIL: "no network",
    errno.ETIMEDOUT: "timed out",
    errno.EMFILE: "too many open files",
}
_ALERTS = {
    "WRONG_VERSION_NUMBER": "the server does not speak TLS there (is its address http:// rather than https://?)",
    "UNSUPPORTED_PROTOCOL": "the server only offers TLS older than 1.2",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server only offers TLS older than 1.2",
    "TLSV1_ALERT_UNKNOWN_CA": "the server does not know the authority of the client certificate",
    "SSLV3_ALERT_BAD_CERTIFICATE": "the server does not accept the client certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the server does not accept the client certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "the client certificate has expired",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server wants a client certificate",
    "UNEXPECTED_EOF_WHILE_READING": CUT,
}


def reason(error: BaseException, *, name: str, timeout: float | None = None) -> str:
    """The reason in words fit for a pane's title.

    Args:
        error: what aiohttp, asyncio or the system raised.
        name: the name the server's certificate is checked for.
        timeout: the seconds that were waited, for a timeout's text.
    """
    root = _root(error)
    through = "the proxy: " if type(error).__name__ in ("ClientProxyConnectionError", "ClientHttpProxyError") else ""
    if isinstance(root, ssl.SSLCertVerificationError):
        return verification_failed(root, name)
    if isinstance(root, ssl.SSLError):
        return _ALERTS.get(root.reason or "", f"TLS failed: {one_line((root.reason or str(root)).replace('_', ' ').lower(), 80)}")
    if isinstance(root, TimeoutError) and not root.errno:
        return f"{through}timed out" + (f" after {timeout:g}s" if timeout else "")
    if isinstance(root, socket.gaierror):
        return f"{through}no such host" if root.errno in _NO_SUCH_HOST else f"{through}the name cannot be looked up ({root.strerror or root})"
    if isinstance(root, OSError) and root.errno in _NUMBERS:
        return through + _NUMBERS[root.errno]
    status = getattr(root, "status", 0)
    if status and through:
        return f"the proxy refuses: HTTP {status} {one_line(str(getattr(root, 'message', '')), 80)}".rstrip()
    if isinstance(root, OSError) and root.strerror and not isinstance(root, ConnectionError):
        return through + one_line(root.strerror, 120)
    return through + (f"{CUT} while connecting" if root is not error and isinstance(root, ConnectionError) else CUT)


_NO_SUCH_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def is_certificate_error(error: BaseException) -> bool:
    """Whether the server's certificate was not accepted."""
    return isinstance(_root(error), ssl.SSLCertVerificationError)


def _root(error: BaseException) -> BaseException:
    """The system's own error inside aiohttp's wrappers."""
    for inner in ("certificate_error", "os_error"):
        found = getattr(error, inner, None)
        if isinstance(found, BaseException) and found is not error:
            return found
    cause = error.__cause__
    if isinstance(cause, OSError) and not isinstance(error, OSError):
        return _root(cause)
    return error
