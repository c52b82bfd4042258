"""One way to reach one cluster, as a kubeconfig or the pod's own files describe it. Nothing is opened or run here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kubepane.cluster.errors import BadConfig
from kubepane.cluster.redaction import redact

PROTECTED = r"(?ai)(?<![a-z])(?:prod|live|prd)"  # in the name of a context or cluster that is somebody's production
_FILE_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Pem:
    """A certificate, a chain or a key: as data, or as a file that is read when it is used.

    Attributes:
        data: the PEM text, never printed.
        path: where it stands, "" when `data` is given.
    """

    data: bytes = field(default=b"", repr=False)
    path: str = ""

    def __bool__(self) -> bool:
        return bool(self.data or self.path)

    def read(self, what: str) -> bytes:
        """The PEM text of now.

        Args:
            what: what it is, for the error: `client key`.

        Raises:
            BadConfig: the file cannot be read or is no ordinary file.
        """
        return self.data or read_small_file(self.path, what)


@dataclass(frozen=True, slots=True)
class ExecPlugin:
    """A program that prints credentials (client.authentication.k8s.io, KEP-541).

    Attributes:
        command: a name to look up in PATH, or an absolute path (relative ones are resolved against their kubeconfig's folder).
        cluster_config: the cluster's extension `client.authentication.k8s.io/exec`, handed on as it is.
    """

    api_version: str
    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = "IfAvailable"
    cluster_config: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Whom the user acts as. `user` is "" for nobody else."""

    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def headers(self) -> list[tuple[str, str]]:
        """The Impersonate-* headers, groups and extras repeated; client-go transport/round_trippers.go."""
        found = [("Impersonate-User", self.user)] if self.user else []
        if self.uid:
            found.append(("Impersonate-Uid", self.uid))
        found += [("Impersonate-Group", group) for group in self.groups]
        found += [(f"Impersonate-Extra-{_header_name(key)}", value) for key, values in self.extra for value in values]
        return found


@dataclass(frozen=True, slots=True)
class User:
    """Who the user is. Several of these may be given at once: a certificate and a token are both sent."""

    name: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    certificate: Pem = Pem()
    key: Pem = Pem()
    plugin: ExecPlugin | None = None


@dataclass(frozen=True)
class Context:
    """Everything that is needed to talk to one cluster as one user.

    Attributes:
        server: the API server's URL, without a slash at the end; a path in it is kept.
        ca: the certificate authorities that are trusted instead of the system's.
        insecure: the server's certificate is not checked at all.
        tls_server_name: the name to check the certificate for, instead of the server's host.
        proxy_url: the cluster's proxy-url; "" leaves it to the environment.
        namespace: the context's namespace, "" when it names none.
        source: where it was read: a file's path, or `in-cluster`.
        protection: the regular expression that names of protected contexts and clusters match.
    """

    name: str
    server: str
    cluster: str = ""
    namespace: str = ""
    user: User = User()
    impersonation: Impersonation = Impersonation()
    ca: Pem = Pem()
    insecure: bool = False
    tls_server_name: str = ""
    proxy_url: str = field(default="", repr=False)
    disable_compression: bool = False
    source: str = ""
    protection: str = PROTECTED

    @cached_property
    def target(self) -> Target:
        """What the header says of it."""
        where = urlsplit(self.server)
        return Target(
            context=self.name,
            cluster=self.cluster,
            server=redact(self.server),
            host=where.netloc.rpartition("@")[2],
            user=self.user.name,
            namespace=self.namespace,
            acting_as=self.impersonation.user,
            acting_groups=self.impersonation.groups,
            insecure=self.insecure and where.scheme == "https",
            plain=where.scheme == "http" and not _is_loopback(where.hostname or ""),
            protected=any(re.search(self.protection, name) for name in (self.name, self.cluster)),
            source=self.source,
        )


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster this is, as whom: safe to show, known before anything is connected.

    Attributes:
        server: the API server's URL without user info.
        host: its host and port.
        acting_as: the impersonated user, "" when there is none.
        insecure: the server's certificate is not checked: somebody else may be answering.
        plain: no TLS at all, and not to this very machine.
        protected: the context or cluster is called like somebody's production.
    """

    context: str
    cluster: str
    server: str
    host: str
    user: str
    namespace: str = ""
    acting_as: str = ""
    acting_groups: tuple[str, ...] = ()
    insecure: bool = False
    plain: bool = False
    protected: bool = False
    source: str = ""


def read_small_file(path: str, what: str, limit: int = _FILE_LIMIT) -> bytes:
    """The content of an ordinary file of at most `limit` bytes.

    Raises:
        BadConfig: it is missing, unreadable, a device or a pipe (which could make us wait for ever), or larger.
    """
    try:
        file = Path(path)
        if not file.is_file():
            raise BadConfig(f"{what} file {path} " + ("is no ordinary file" if file.exists() else "does not exist"))
        with file.open("rb") as stream:
            content = stream.read(limit + 1)
    except OSError as error:
        raise BadConfig(f"{what} file {path} cannot be read: {error.strerror or error}") from None
    except ValueError:
        raise BadConfig(f"{what} file {path!r} is no file name") from None
    if len(content) > limit:
        raise BadConfig(f"{what} file {path} is larger than {limit >> 10:,} KiB")
    return content


def _header_name(key: str) -> str:
    """An extra's key as part of a header name: what RFC 7230 does not allow there, and %, is percent-encoded."""
    allowed = "!#$&'*+-.^_`|~"
    return "".join(ch if ch.isascii() and (ch.isalnum() or ch in allowed) else "".join(f"%{b:02X}" for b in ch.encode()) for ch in key)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"
