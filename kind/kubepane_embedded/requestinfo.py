"""What a request path and method ask for: resource, namespace, name, subresource, verb (apiserver RequestInfo)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubepane_embedded.listing import is_true

METHODS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
NAMESPACE_PARTS = ("status", "finalize")


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request to a resource. `verb` is what rights are checked for."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str
    subresource: str
    verb: str


def read_path(method: str, path: str, query: Mapping[str, str]) -> RequestInfo | None:
    """The request behind `/api/v1/…` or `/apis/<group>/<version>/…`; None for every other path."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    own = group == "" and len(rest) == 3 and rest[2] in NAMESPACE_PARTS
    if rest[0] == "namespaces" and len(rest) > 2 and not own:
        namespace, rest = rest[1], rest[2:]
    plural, name, subresource = rest[0], rest[1] if len(rest) > 1 else "", "/".join(rest[2:])
    verb = METHODS.get(method, "")
    if not name and verb == "get":
        verb = "watch" if is_true(query.get("watch")) else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    return RequestInfo(group, version, plural, namespace, name, subresource, verb)
