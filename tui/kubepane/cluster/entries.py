"""What one cluster and one user of a kubeconfig say, field by field, with errors that name the field and its file."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from kubepane.cluster.context import ExecPlugin, Impersonation, Pem, User
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.redaction import one_line, remember

EXEC_GROUP = "client.authentication.k8s.io"
_INTERACTIVE_MODES = ("Never", "IfAvailable", "Always")
_PROVIDERS = {
    "oidc": "use an exec plugin such as kubelogin (kubectl oidc-login) instead",
    "gcp": "use the exec plugin gke-gcloud-auth-plugin instead: `gcloud container clusters get-credentials NAME` writes it",
    "azure": "use the exec plugin kubelogin instead: `kubelogin convert-kubeconfig` writes it",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One named entry of a list in a kubeconfig.

    Attributes:
        kind: `cluster`, `user` or `context`.
        file: the file it stands in, against whose folder relative paths are resolved.
        fields: the mapping itself, never printed.
        within: where the mapping stands in the entry, for errors: `exec.`.
    """

    kind: str
    name: str
    file: str
    fields: Mapping[str, Any] = field(repr=False)
    within: str = ""

    def loose(self, key: str) -> str:
        """A text field, "" when it is absent or no text: for lists that show also what is broken."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""

    def text(self, key: str) -> str:
        """A text field, "" when absent."""
        value = self.fields.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(key, "must be text; write it in quotes")
        return value

    def flag(self, key: str) -> bool:
        """A boolean field, false when absent."""
        value = self.fields.get(key)
        if not isinstance(value, bool | None):
            raise self.wrong(key, "must be true or false")
        return bool(value)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty when absent."""
        value = self.fields.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "must be a list of texts")
        return tuple(value)

    def inner(self, key: str) -> Entry | None:
        """A mapping within, None when absent."""
        value = self.fields.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(key, "must be a mapping")
        return Entry(self.kind, self.name, self.file, value, f"{self.within}{key}.")

    def path(self, key: str) -> str:
        """A file's path, absolute, "" when absent."""
        value = self.text(key)
        return self.absolute(value) if value else ""

    def absolute(self, path: str) -> str:
        """A path as seen from the folder of this entry's file."""
        return os.path.join(os.path.dirname(os.path.abspath(self.file)), path)

    def pem(self, key: str) -> Pem:
        """A certificate or key, from `KEY-data` (base64) or else from the file `KEY`."""
        encoded = self.text(f"{key}-data")
        if not encoded:
            return Pem(path=self.path(key))
        try:
            return Pem(data=base64.b64decode("".join(encoded.split()), validate=True))
        except (binascii.Error, ValueError):
            raise self.wrong(f"{key}-data", "is not base64") from None

    def wrong(self, key: str, why: str) -> BadConfig:
        """The error about one field."""
        return BadConfig(f"kubeconfig {self.file}: {self.kind} {one_line(self.name, 80)!r}: {self.within}{key} {why}")


def cluster_fields(cluster: Entry, with_certificate: bool) -> dict[str, Any]:
    """The part of a `Context` that its cluster decides.

    Args:
        with_certificate: the user has a client certificate; then, as in client-go's DefaultServerURL, an address without a
            scheme means https.
    """
    ca, insecure = cluster.pem("certificate-authority"), cluster.flag("insecure-skip-tls-verify")
    if ca and insecure:
        raise cluster.wrong("insecure-skip-tls-verify", "and a certificate-authority exclude each other: remove one of them")
    return {
        "server": _server(cluster, bool(ca) or insecure or with_certificate),
        "ca": ca,
        "insecure": insecure,
        "tls_server_name": cluster.text("tls-server-name"),
        "proxy_url": cluster.text("proxy-url"),
        "disable_compression": cluster.flag("disable-compression"),
    }


def _server(cluster: Entry, tls: bool) -> str:
    address = cluster.text("server").strip()
    if not address:
        raise cluster.wrong("server", "is missing: the cluster has no address")
    if "://" not in address:
        address = ("https://" if tls else "http://") + address
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        usable = False
    if not usable or any(ch.isspace() or not ch.isprintable() for ch in address):
        raise cluster.wrong("server", f"{one_line(address, 120)!r} is no address like https://HOST:6443")
    return address.rstrip("/")


def user_of(user: Entry, cluster: Entry) -> tuple[User, Impersonation]:
    """Who the user is and whom they act as.

    Raises:
        BadConfig: a way to authenticate that is not supported, or one that is incomplete.
    """
    if user.fields.get("username") or user.fields.get("password"):
        raise user.wrong("username and password", "are of no use: Kubernetes has no basic authentication since 1.19; use a token or an exec plugin")
    certificate, key = user.pem("client-certificate"), user.pem("client-key")
    if bool(certificate) != bool(key):
        missing, given = ("client-key", "client-certificate") if certificate else ("client-certificate", "client-key")
        raise user.wrong(missing, f"is missing: a {given} alone proves nothing")
    token = user.text("token").strip()
    remember(token)
    # A token or a certificate beats a plugin, as in client-go exec.go (UpdateTransportConfig).
    plugin = None if token or certificate or user.text("tokenFile") else _plugin(user, cluster)
    who = User(user.name, token, user.path("tokenFile"), certificate, key, plugin)
    return who, _impersonation(user)


def _impersonation(user: Entry) -> Impersonation:
    extra = user.inner("as-user-extra")
    keys = extra.fields if extra else {}
    return Impersonation(
        user.text("as"),
        user.text("as-uid"),
        user.texts("as-groups"),
        tuple((str(key), extra.texts(key)) for key in keys) if extra else (),
    )


def _plugin(user: Entry, cluster: Entry) -> ExecPlugin | None:
    provider, spec = user.inner("auth-provider"), user.inner("exec")
    if provider is not None:
        name = provider.loose("name")
        advice = _PROVIDERS.get(name, "use an exec plugin instead")
        raise user.wrong("auth-provider", f"{one_line(name, 40)!r} is not supported, kubectl dropped it as well: {advice}")
    if spec is None:
        return None
    command, version, mode = spec.text("command"), spec.text("apiVersion"), spec.text("interactiveMode") or "IfAvailable"
    if not command:
        raise spec.wrong("command", "is missing")
    if version not in (f"{EXEC_GROUP}/v1", f"{EXEC_GROUP}/v1beta1"):
        raise spec.wrong("apiVersion", f"must be {EXEC_GROUP}/v1 or v1beta1, not {one_line(version, 60)!r}: update the plugin and its entry")
    if mode not in _INTERACTIVE_MODES:
        raise spec.wrong("interactiveMode", f"must be one of {', '.join(_INTERACTIVE_MODES)}")
    return ExecPlugin(
        api_version=version,
        command=spec.absolute(command) if os.sep in command else command,
        args=spec.texts("args"),
        env=_environment(spec),
        install_hint=spec.text("installHint"),
        provide_cluster_info=spec.flag("provideClusterInfo"),
        interactive_mode=mode,
        cluster_config=_extension(cluster, f"{EXEC_GROUP}/exec"),
    )


def _environment(spec: Entry) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for item in spec.fields.get("env") or ():
        name, value = (item.get("name"), item.get("value", "")) if isinstance(item, dict) else (None, None)
        if not isinstance(name, str) or not name or "=" in name or "\0" in name or not isinstance(value, str) or "\0" in value:
            raise spec.wrong("env", "must be a list of {name: …, value: …}, both text")
        found.append((name, value))
    return tuple(found)


def _extension(cluster: Entry, name: str) -> Any:
    """The content of a named extension, as it is."""
    extensions = cluster.fields.get("extensions")
    for item in extensions if isinstance(extensions, list) else ():
        if isinstance(item, dict) and item.get("name") == name:
            return item.get("extension")
    return None
