"""TLS as kubectl does it: contexts made of a cluster's CA and a client certificate, and words for what goes wrong."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kubepane.cluster.context import Context
from kubepane.cluster.errors import BadConfig

# OpenSSL's X509_V_ERR_* that mean: nobody we trust has signed this.
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21, 24, 27, 28}
_EXPIRED, _NOT_YET_VALID, _OTHER_NAME, _OTHER_ADDRESS = 10, 9, 62, 64


def tls_context(context: Context, certificate: bytes = b"", key: bytes = b"") -> ssl.SSLContext:
    """A client's TLS context: 1.2 or newer, the cluster's CA or else the system's, a client certificate where there is one.

    Checks as Go does, so that a cluster that kubectl accepts is accepted: an intermediate CA may be the anchor, and a CA without
    key identifiers passes (OpenSSL's X509_STRICT, on by default in Python ≥ 3.13's create_default_context, refuses those).

    Raises:
        BadConfig: the CA, the certificate or its key cannot be used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.set_alpn_protocols(["http/1.1"])
    if context.insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif context.ca:
        _trust(made, context.ca.read("certificate authority"))
    else:
        made.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if certificate:
        _identify(made, certificate, key)
    return made


def _trust(made: ssl.SSLContext, pem: bytes) -> None:
    try:
        made.load_verify_locations(cadata=pem.decode("ascii", errors="ignore"))
    except (ssl.SSLError, ValueError):
        raise BadConfig("the certificate authority of the cluster is no PEM certificate") from None


def _identify(made: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    def locked() -> str:
        # Without this OpenSSL asks for the passphrase on the terminal that the screen is drawn on.
        raise BadConfig("the client key is locked with a passphrase: write it without one (openssl pkey -in KEY)")

    try:
        with _as_file(certificate) as certificate_path, _as_file(key) as key_path:
            made.load_cert_chain(certificate_path, key_path, password=locked)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadConfig("the client certificate and the client key do not belong together") from None
        raise BadConfig("the client certificate or its key is no usable PEM") from None
    except OSError as error:
        raise BadConfig(f"the client certificate cannot be loaded: {error.strerror or error}") from None


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """A path under which OpenSSL finds the content, which only takes files. Nothing stays behind, not even after kill -9 on Linux."""
    create: Callable[[str], int] | None = getattr(os, "memfd_create", None)
    if create is not None and os.path.isdir("/proc/self/fd"):
        fd = create("kubepane")
        try:
            _write_all(fd, content)
            yield f"/proc/self/fd/{fd}"
        finally:
            os.close(fd)
        return
    fd, path = tempfile.mkstemp(prefix="kubepane-")  # 0600
    try:
        try:
            _write_all(fd, content)
        finally:
            os.close(fd)
        yield path
    finally:
        os.unlink(path)


def _write_all(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


def verification_failed(error: ssl.SSLCertVerificationError, name: str) -> str:
    """Why a server's certificate was not accepted, in a few words.

    Args:
        name: the name it was checked for.
    """
    code = error.verify_code
    if code == _EXPIRED:
        return "the server's certificate has expired"
    if code == _NOT_YET_VALID:
        return "the server's certificate is not valid yet (is the clock of this machine right?)"
    if code in (_OTHER_NAME, _OTHER_ADDRESS):
        return f"the server's certificate is for another name (not for {name}; tls-server-name sets the name to expect)"
    if code in _UNKNOWN_AUTHORITY:
        return "the server's certificate is signed by an unknown certificate authority (is certificate-authority the cluster's own?)"
    message = error.verify_message or "it cannot be verified"
    if any(word in message for word in ("Key Identifier", "Basic Constraints", "strict")):
        message += " (Python 3.13 and newer check more than kubectl does: let the authority add the extension)"
    return f"the server's certificate is not accepted: {message}"
