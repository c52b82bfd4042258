"""Reads kubeconfig files and merges them as kubectl does (client-go tools/clientcmd: loader.go, merge.go, validation.go)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kubepane.cluster import plain_yaml
from kubepane.cluster.context import PROTECTED, Context, Impersonation, Pem, User
from kubepane.cluster.entries import Entry, cluster_fields, user_of
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.redaction import one_line, redact

MAX_BYTES = 10 << 20
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
IN_CLUSTER = "in-cluster"
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Choice:
    """One context, for a list to choose from. `server` is "" when its cluster is not defined."""

    name: str
    cluster: str
    server: str
    user: str
    namespace: str
    current: bool


@dataclass(frozen=True)
class Kubeconfig:
    """All files together.

    Attributes:
        current: the name of the current context, "" when no file sets one.
        files: the files that were read, in order of precedence.
        in_cluster: the context made of the pod's own service account, when there was no file.
    """

    current: str = ""
    files: tuple[str, ...] = ()
    clusters: Mapping[str, Entry] = field(default_factory=dict, repr=False)
    users: Mapping[str, Entry] = field(default_factory=dict, repr=False)
    contexts: Mapping[str, Entry] = field(default_factory=dict, repr=False)
    in_cluster: Context | None = None

    def choices(self) -> tuple[Choice, ...]:
        """Every context by name, also the ones that `context` would refuse."""
        if self.in_cluster:
            only = self.in_cluster
            return (Choice(only.name, only.cluster, only.server, only.user.name, only.namespace, True),)
        return tuple(self._choice(name, entry) for name, entry in sorted(self.contexts.items()))

    def _choice(self, name: str, entry: Entry) -> Choice:
        cluster = entry.loose("cluster")
        server = self.clusters[cluster].loose("server") if cluster in self.clusters else ""
        return Choice(name, cluster, redact(server), entry.loose("user"), entry.loose("namespace"), name == self.current)

    def context(self, name: str = "", *, namespace: str = "", act_as: str = "", act_groups: Sequence[str] = (), protection: str = "") -> Context:
        """One context, ready to connect with.

        Args:
            name: its name, "" for the current one.
            namespace: instead of the context's own.
            act_as: the user to impersonate (`--as`), instead of the kubeconfig's.
            act_groups: the groups to impersonate (`--as-group`), instead of the kubeconfig's.
            protection: the regular expression of protected names, "" for the usual one.

        Raises:
            BadConfig: there is no such context, or something that it names is missing or cannot be used.
        """
        found = self._in_cluster(name) if self.in_cluster else self._resolve(name or self._current())
        wanted = found.impersonation
        if act_as or act_groups:
            wanted = Impersonation(act_as or wanted.user, wanted.uid, tuple(act_groups) or wanted.groups, wanted.extra)
        if not wanted.user and (wanted.groups or wanted.uid or wanted.extra):
            raise BadConfig("groups, a uid or extra fields are to be impersonated, but no user: name one with --as")
        space = namespace or found.namespace
        if space and not _NAMESPACE.fullmatch(space):
            raise BadConfig(f"{one_line(space, 80)!r} is not the name of a namespace: only a-z, 0-9 and -, at most 63 characters")
        return replace(found, namespace=space, impersonation=wanted, protection=protection or PROTECTED)

    def _current(self) -> str:
        if not self.current:
            raise BadConfig(f"no current-context in {self._where()}: choose one with --context; {self._names()}")
        return self.current

    def _in_cluster(self, name: str) -> Context:
        assert self.in_cluster
        if name not in ("", IN_CLUSTER):
            raise BadConfig(f"no context {name!r}: there is no kubeconfig file here, only the pod's own service account")
        return self.in_cluster

    def _resolve(self, name: str) -> Context:
        entry = self.contexts.get(name)
        if entry is None:
            raise BadConfig(f"no context {name!r} in {self._where()}; {self._names()}")
        cluster_name, user_name = entry.text("cluster"), entry.text("user")
        cluster, user = self.clusters.get(cluster_name), self.users.get(user_name)
        if cluster is None:
            raise BadConfig(f"context {name!r} names " + (f"cluster {cluster_name!r}, which is not defined" if cluster_name else "no cluster"))
        if user is None:
            raise BadConfig(f"context {name!r} names " + (f"user {user_name!r}, which is not defined" if user_name else "no user"))
        who, impersonation = user_of(user, cluster)
        return Context(
            name=name,
            cluster=cluster_name,
            namespace=entry.text("namespace"),
            user=who,
            impersonation=impersonation,
            source=entry.file,
            **cluster_fields(cluster, bool(who.certificate)),
        )

    def _where(self) -> str:
        return ", ".join(self.files)

    def _names(self) -> str:
        names = sorted(self.contexts)
        if not names:
            return "no context is defined"
        return "there are: " + ", ".join(one_line(n, 60) for n in names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def load(explicit: str = "", env: Mapping[str, str] = os.environ, *, service_account: str = SERVICE_ACCOUNT) -> Kubeconfig:
    """The kubeconfig kubectl would use: `explicit` (`--kubeconfig`), else KUBECONFIG, else ~/.kube/config, else the pod's own account.

    Raises:
        BadConfig: a file is broken, the explicit one is missing, or nothing was found at all.
    """
    if explicit:
        if not Path(explicit).exists():
            raise BadConfig(f"kubeconfig {explicit} does not exist")
        return merge([read(explicit)])
    wanted = _default_files(env)
    found = merge([one for path in wanted if (one := read(path)) is not None])
    if found.contexts or found.current:
        return found
    pod = in_cluster(env, service_account)
    if pod is not None:
        return Kubeconfig(current=IN_CLUSTER, in_cluster=pod)
    where = ", ".join(wanted) or "~/.kube/config"
    raise BadConfig(f"no kubeconfig: {where} " + ("define no context" if found.files else "not found") + "; pass --kubeconfig FILE or set KUBECONFIG")


def _default_files(env: Mapping[str, str]) -> list[str]:
    paths = [path for path in env.get("KUBECONFIG", "").split(os.pathsep) if path]
    if paths:
        return list(dict.fromkeys(paths))
    home = env.get("HOME") or os.path.expanduser("~")
    return [os.path.join(home, ".kube", "config")]


def read(path: str) -> Kubeconfig | None:
    """One file alone; None when it does not exist.

    Raises:
        BadConfig: it cannot be read or is no kubeconfig.
    """
    text = _text(path)
    if text is None:
        return None
    try:
        document = plain_yaml.parse(text)
    except plain_yaml.Unreadable as error:
        raise BadConfig(f"kubeconfig {path}: {one_line(str(error))}") from None
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise BadConfig(f"kubeconfig {path}: a mapping is expected, with clusters, users and contexts; this is a {_called(document)}")
    if document.get("kind") not in (None, "Config"):
        raise BadConfig(f"kubeconfig {path}: kind is {one_line(str(document['kind']), 60)!r}, not Config")
    current = document.get("current-context")
    if not isinstance(current, str | None):
        raise BadConfig(f"kubeconfig {path}: current-context must be text; write it in quotes")
    clusters, users, contexts = (_named(document, plural, path) for plural in ("clusters", "users", "contexts"))
    return Kubeconfig(current or "", (path,), clusters, users, contexts)


def merge(parts: Sequence[Kubeconfig | None]) -> Kubeconfig:
    """Several files as one: the first that sets the current context, and the first that defines a name, wins."""
    clusters: dict[str, Entry] = {}
    users: dict[str, Entry] = {}
    contexts: dict[str, Entry] = {}
    given = [part for part in parts if part is not None]
    for part in reversed(given):
        clusters.update(part.clusters)
        users.update(part.users)
        contexts.update(part.contexts)
    current = next((part.current for part in given if part.current), "")
    return Kubeconfig(current, tuple(file for part in given for file in part.files), clusters, users, contexts)


def in_cluster(env: Mapping[str, str], folder: str = SERVICE_ACCOUNT) -> Context | None:
    """The pod's own service account (client-go rest.InClusterConfig); None when this is not a pod."""
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "")
    token = os.path.join(folder, "token")
    if not host or not port or not os.path.exists(token):
        return None
    try:
        namespace = Path(folder, "namespace").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        namespace = ""
    return Context(
        name=IN_CLUSTER,
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        cluster=IN_CLUSTER,
        namespace=namespace,
        user=User(name="service account", token_file=token),
        ca=Pem(path=os.path.join(folder, "ca.crt")),
        source=IN_CLUSTER,
    )


def _text(path: str) -> str | None:
    try:
        with open(path, "rb") as stream:
            # A pipe is allowed for `--kubeconfig <(…)`; what could never end is not.
            mode = os.fstat(stream.fileno()).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
                raise BadConfig(f"kubeconfig {path} is no ordinary file")
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise BadConfig(f"kubeconfig {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_BYTES:
        raise BadConfig(f"kubeconfig {path} is larger than {MAX_BYTES >> 20} MiB: that is no kubeconfig")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadConfig(f"kubeconfig {path} is not UTF-8 text") from None


def _named(document: Mapping[str, Any], plural: str, path: str) -> dict[str, Entry]:
    """One of the lists `[{name: …, cluster: {…}}, …]` by name."""
    singular = plural[:-1]
    items = document.get(plural)
    if items is None:
        return {}
    if not isinstance(items, list):
        raise BadConfig(f"kubeconfig {path}: {plural} must be a list, not a {_called(items)}")
    found: dict[str, Entry] = {}
    for number, item in enumerate(items, 1):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            raise BadConfig(f"kubeconfig {path}: {singular} {number} has no name, or one that is not text; write it in quotes")
        if name in found:
            raise BadConfig(f"kubeconfig {path}: {singular} {one_line(name, 80)!r} is defined twice")
        fields = item.get(singular)
        if not isinstance(fields, dict | None):
            raise BadConfig(f"kubeconfig {path}: {singular} {one_line(name, 80)!r} must hold a mapping, not a {_called(fields)}")
        found[name] = Entry(singular, name, path, fields or {})
    return found


def _called(value: Any) -> str:
    return {dict: "mapping", list: "list", str: "text", bool: "boolean", int: "number", float: "number"}.get(type(value), "nothing")
