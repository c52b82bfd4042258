"""LIST: options, resourceVersion rules, pages, selectors.

Rules: kubernetes.io/docs/reference/using-api/api-concepts, apiserver validation of ListOptions, and what a 1.35 server answers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from kubepane_embedded import errors
from kubepane_embedded.label_parser import parse_labels
from kubepane_embedded.registry import Resource
from kubepane_embedded.selectors import FieldTest, LabelSelector, parse_fields
from kubepane_embedded.storage import Storage, Stored

FALSE = ("", "false", "0", "False", "FALSE", "F", "f")
BIG = 1 << 63


def is_true(text: str | None) -> bool:
    """A boolean parameter: anything but false or 0."""
    return text is not None and text not in FALSE


@dataclass(slots=True)
class ListOptions:
    """ListOptions of a request; `revision` is None when absent or empty."""

    revision: int | None = None
    match: str = ""
    limit: int = 0
    token: str = ""
    labels: LabelSelector | None = None
    fields: list[FieldTest] | None = None
    watch: bool = False
    bookmarks: bool = False
    initial: bool | None = None
    timeout: float | None = None

    @property
    def selective(self) -> bool:
        """Whether a selector is set."""
        return self.labels is not None or bool(self.fields)

    def selects(self, stored: Stored) -> bool:
        """Whether an object passes the selectors."""
        if self.labels is not None and not self.labels.matches_object(stored.obj):
            return False
        return all(test(stored.obj) for test in self.fields or ())


def read_options(query: Mapping[str, str], resource: Resource, watch: bool) -> ListOptions:
    """Options from the query; BadRequest or Invalid as the real server says it."""
    options = ListOptions(match=query.get("resourceVersionMatch", ""), token=query.get("continue", ""), watch=watch)
    options.bookmarks = is_true(query.get("allowWatchBookmarks"))
    if "sendInitialEvents" in query:
        options.initial = is_true(query["sendInitialEvents"])
    options.limit = _number(query.get("limit"), "limit")
    timeout = _number(query.get("timeoutSeconds"), "timeoutSeconds")
    options.timeout = float(timeout) if timeout > 0 else None
    if query.get("labelSelector"):
        options.labels = parse_labels(query["labelSelector"])
    if query.get("fieldSelector"):
        options.fields = parse_fields(resource, query["fieldSelector"])
    _check_match(options, query.get("resourceVersion", ""))
    options.revision = _revision(query.get("resourceVersion", ""), watch)
    return options


def _number(text: str | None, name: str) -> int:
    if not text:
        return 0
    try:
        value = int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    if abs(value) >= BIG:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return max(value, 0)


def _revision(text: str, watch: bool) -> int | None:
    if text == "":
        return None
    if text.isascii() and text.isdigit() and int(text) < 2 * BIG:
        return int(text)
    why = "value out of range" if text.isascii() and text.isdigit() else "invalid syntax"
    problem = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}": {why}'
    if watch:
        raise errors.ApiError(500, "", problem)
    raise errors.bad_request(f"invalid resource version: {problem}")


def _check_match(options: ListOptions, revision: str) -> None:
    """resourceVersionMatch and sendInitialEvents (apimachinery internalversion/validation)."""
    match = options.match
    if options.initial is not None:
        if not options.watch:
            raise _forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
        if match != "NotOlderThan":
            raise _forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        return
    if not match:
        return
    if options.watch:
        raise _forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
    if options.token:
        raise _forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided")
    if not revision:
        raise _forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match not in ("Exact", "NotOlderThan"):
        listed = '"Exact", "NotOlderThan", ""'
        cause = errors.Cause("FieldValueNotSupported", f'Unsupported value: "{match}": supported values: {listed}', "resourceVersionMatch")
        raise errors.invalid("meta.k8s.io", "ListOptions", "", [cause])
    if match == "Exact" and revision == "0":
        raise _forbidden("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')


def _forbidden(field: str, why: str) -> errors.ApiError:
    return errors.invalid("meta.k8s.io", "ListOptions", "", [errors.Cause("FieldValueForbidden", f"Forbidden: {why}", field)])


@dataclass(slots=True)
class Page:
    """Objects of one answer and the list's metadata."""

    rows: list[Stored]
    revision: int
    token: str = ""
    remaining: int | None = None

    @property
    def meta(self) -> dict[str, Any]:
        """ListMeta."""
        meta: dict[str, Any] = {"resourceVersion": str(self.revision)}
        if self.token:
            meta["continue"] = self.token
        if self.remaining:
            meta["remainingItemCount"] = self.remaining
        return meta


def list_page(storage: Storage, resource: Resource, namespace: str, options: ListOptions) -> Page:
    """Answer a LIST; 504 for a revision of the future, 410 for one that is gone."""
    current = storage.revision
    if options.token:
        return _next_page(storage, resource, namespace, options)
    wanted = options.revision
    if wanted is not None and wanted > current:
        raise errors.too_large_version(wanted, current, 1 if resource.cached else None)
    revision, rows = current, storage.rows(resource.storage, namespace)
    if wanted and (options.match == "Exact" or (options.limit and not options.match)):
        found = storage.at(resource.storage, namespace, wanted)
        if found is None:
            raise errors.expired(errors.EXPIRED_LIST)
        revision, rows = wanted, found
    if wanted == 0 and resource.cached:
        options.limit = 0
    return _cut(rows, revision, namespace, options)


def _next_page(storage: Storage, resource: Resource, namespace: str, options: ListOptions) -> Page:
    if options.revision:
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    if options.revision == 0:
        options.limit = 0
    revision, start = _read_token(options.token)
    if revision == -1:
        return _cut(_after(storage.rows(resource.storage, namespace), start, namespace), storage.revision, namespace, options)
    rows = storage.at(resource.storage, namespace, revision) if revision <= storage.revision else None
    if rows is None:
        raise errors.expired(errors.EXPIRED_CONTINUE, {"continue": _token(-1, start)})
    return _cut(_after(rows, start, namespace), revision, namespace, options)


def _after(rows: list[Stored], start: str, namespace: str) -> list[Stored]:
    return [row for row in rows if _key(row, namespace) >= start]


def _key(row: Stored, namespace: str) -> str:
    """The part of the etcd key that a continue token names."""
    meta = row.obj["metadata"]
    own = meta.get("namespace")
    return f"{own}/{meta['name']}" if own and not namespace else str(meta["name"])


def _cut(rows: list[Stored], revision: int, namespace: str, options: ListOptions) -> Page:
    chosen = [row for row in rows if options.selects(row)] if options.selective else rows
    if not options.limit or len(chosen) <= options.limit:
        return Page(chosen, revision)
    shown = chosen[: options.limit]
    remaining = None if options.selective else len(chosen) - options.limit
    return Page(shown, revision, _token(revision, _key(shown[-1], namespace) + "\0"), remaining)


def _token(revision: int, start: str) -> str:
    raw = msgspec.json.encode({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, str]:
    problem = "continue key is not valid: "
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        value = msgspec.json.decode(raw)
    except (binascii.Error, ValueError, msgspec.DecodeError) as wrong:
        raise errors.bad_request(f"invalid continue token: {problem}{wrong}") from None
    revision = value.get("rv") if isinstance(value, dict) else None
    start = value.get("start") if isinstance(value, dict) else None
    if not isinstance(revision, int) or isinstance(revision, bool) or not isinstance(start, str) or value.get("v") != "meta.k8s.io/v1":
        raise errors.bad_request(f"invalid continue token: {problem}server does not recognize this encoded version")
    if revision == 0 or revision < -1:
        raise errors.bad_request(f"invalid continue token: {problem}incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
    return revision, start
