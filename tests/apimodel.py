"""An API server as far as reading goes: objects with a history, lists in pages, watches, bookmarks, rights; and faults on demand.

It does no I/O: `cluster.modelrequests` puts it behind the `Requests` protocol on virtual time, `faultserver` behind real HTTP.
What it does in odd cases was copied from a real 1.35 server: a watch from a future version is silent for ever, events have no
cache, an expired version is an ERROR event in a 200, a namespace that does not exist has an empty list.
"""

from __future__ import annotations

import asyncio
import base64
import bisect
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kubepane.cluster.kinds import KINDS, Kind

END_MARK = {"k8s.io/initial-events-end": "true"}


# ---- what is asked and answered --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ask:
    """One request. `verb` is list, watch, watchlist, get, post, or livez."""

    verb: str
    path: str
    plural: str = ""
    namespace: str = ""
    name: str = ""
    query: dict[str, str] = field(default_factory=dict)
    partial: bool = False
    body: Any = None


@dataclass(frozen=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    body: bytes
    kind: str = "application/json"
    retry_after: str = ""


@dataclass(frozen=True)
class Lost:
    """No answer: the connection is refused or closed; after `seconds` of silence, if any."""

    seconds: float = 0.0


@dataclass(frozen=True)
class Hang:
    """No answer, and no end either."""


@dataclass(frozen=True)
class Raw:
    """A stream with these bytes and nothing else; `then` is `end` (in order), `cut`, or `silence`."""

    chunks: tuple[bytes, ...]
    then: str = "end"


@dataclass(frozen=True)
class Spoiled:
    """The true stream, ended after so many lines; `then` as in `Raw`."""

    lines: int
    then: str = "cut"


Fault = Answer | Lost | Hang | Raw | Spoiled
Rule = Callable[[Ask], Fault | None]


def status(code: int, reason: str, message: str = "", *, retry_after: str = "", **details: Any) -> Answer:
    """An error with a Status body."""
    return Answer(code, json.dumps(status_body(code, reason, message, **details)).encode(), retry_after=retry_after)


def status_body(code: int, reason: str, message: str = "", **details: Any) -> dict[str, Any]:
    """The Status itself."""
    body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message or reason, "code": code}
    if reason:
        body["reason"] = reason
    return body | ({"details": details} if details else {})


def text(code: int, words: str, *, retry_after: str = "") -> Answer:
    """An error as Go's http.Error writes it."""
    return Answer(code, words.encode(), "text/plain; charset=utf-8", retry_after)


def page(code: int = 502) -> Answer:
    """A proxy's page."""
    return Answer(code, b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>", "text/html")


def error_event(code: int, reason: str, message: str = "", **details: Any) -> bytes:
    """An ERROR event."""
    return json.dumps({"type": "ERROR", "object": status_body(code, reason, message, **details)}).encode() + b"\n"


EXPIRED = Raw((error_event(410, "Expired", "too old resource version: 1 (383)"),))
TOO_LARGE = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}


# ---- objects ---------------------------------------------------------------------------------------------------------------


class Entry:
    """One line of history."""

    __slots__ = ("line", "namespace", "partial", "version")

    def __init__(self, version: int, namespace: str, line: bytes, partial: bytes) -> None:
        self.version, self.namespace, self.line, self.partial = version, namespace, line, partial


class Collection:
    """All objects of one kind, and what happened to them."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.log: list[Entry] = []
        self.oldest = 0  # a watch from an older version is refused

    def within(self, namespace: str) -> list[dict[str, Any]]:
        """The objects of a namespace, "" for all, in the order of their keys."""
        return [self.objects[key] for key in sorted(self.objects) if not namespace or key[0] == namespace]

    def after(self, version: int) -> Iterator[Entry]:
        """What happened after a version."""
        first = bisect.bisect_right(self.log, version, key=lambda e: e.version)
        return iter(self.log[first:])


def partial_of(obj: dict[str, Any]) -> dict[str, Any]:
    """Only its metadata, as PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def event_line(change: str, obj: dict[str, Any]) -> bytes:
    """A watch event."""
    return json.dumps({"type": change, "object": obj}, separators=(",", ":")).encode() + b"\n"


Saved = tuple[int, dict[str, tuple[dict[tuple[str, str], dict[str, Any]], list[Entry], int]]]


class Model:
    """The server.

    Attributes:
        version: the newest resourceVersion.
        watch_list: whether `sendInitialEvents` is known.
        bookmarks: whether watches get bookmarks at all.
        may: the rights, as a function of verb, plural and namespace ("" for the whole cluster).
        rules: faults, asked in turn for each request; the first that answers wins.
        bodies: answers to GETs of other paths.
        asked: every request so far.
    """

    def __init__(self, kinds: Iterable[Kind] = KINDS) -> None:
        self.version = 100
        self.watch_list = True
        self.bookmarks = True
        self.may: Callable[[str, str, str], bool] = lambda verb, plural, namespace: True
        self.rules: list[Rule] = []
        self.bodies: dict[str, bytes] = {}
        self.asked: list[Ask] = []
        self.collections = {kind.plural: Collection(kind) for kind in kinds}
        self._snapshots: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self._uids = 0
        self.cursors: set[Cursor] = set()

    # ---- changing the truth

    def put(self, kind: Kind, obj: dict[str, Any]) -> dict[str, Any]:
        """Creates or changes an object: it gets a uid and the next version. Its name and namespace are in its metadata."""
        collection = self.collections[kind.plural]
        meta = obj.setdefault("metadata", {})
        key = (meta.get("namespace", ""), meta["name"])
        old = collection.objects.get(key)
        if old is not None:
            meta["uid"] = old["metadata"]["uid"]
        elif not meta.get("uid"):
            self._uids += 1
            meta["uid"] = f"uid-{self._uids}"
        self.version += 1
        obj = (
            {"kind": kind.kind, "apiVersion": f"{kind.group}/{kind.version}".lstrip("/")}
            | obj
            | {"metadata": meta | {"resourceVersion": str(self.version)}}
        )
        collection.objects[key] = obj
        self._happened(collection, "MODIFIED" if old else "ADDED", obj)
        return obj

    def make(self, kind: Kind, name: str, namespace: str = "shop", **body: Any) -> dict[str, Any]:
        """Creates or changes an object by name."""
        return self.put(kind, {"metadata": {"name": name} | ({"namespace": namespace} if kind.namespaced else {})} | body)

    def delete(self, kind: Kind, name: str, namespace: str = "shop") -> None:
        """Deletes an object; the event carries its last state at a new version."""
        collection = self.collections[kind.plural]
        obj = collection.objects.pop((namespace if kind.namespaced else "", name))
        self.version += 1
        self._happened(collection, "DELETED", obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self.version)}})

    def load(self, kind: Kind, body: dict[str, Any]) -> None:
        """Takes the objects of a recorded list, as if they had been there since before all history."""
        collection = self.collections[kind.plural]
        for item in body.get("items") or ():
            item = {"kind": kind.kind, "apiVersion": f"{kind.group}/{kind.version}".lstrip("/")} | item
            meta = item["metadata"]
            collection.objects[(meta.get("namespace", ""), meta["name"])] = item
            self.version = max(self.version, int(meta.get("resourceVersion") or 0))

    def _happened(self, collection: Collection, change: str, obj: dict[str, Any]) -> None:
        line, partial = event_line(change, obj), b""
        if collection.kind.metadata_only:
            partial = event_line(change, partial_of(obj))
        collection.log.append(Entry(self.version, obj["metadata"].get("namespace", ""), line, partial))
        for cursor in self.cursors:
            cursor.wake.set()

    def touch(self) -> None:
        """Something is written that nobody here watches, as leases are every few seconds."""
        self.version += 1

    def forget_history(self, kind: Kind | None = None) -> None:
        """A restart, or a compaction: whoever asks for what was before gets 410."""
        self.version += 1
        for collection in self.collections.values():
            if kind is None or collection.kind is kind:
                collection.oldest = self.version  # open watches go on all the same
        self._snapshots.clear()

    def save(self) -> Saved:
        """A backup of etcd."""
        return self.version, {plural: (dict(one.objects), list(one.log), one.oldest) for plural, one in self.collections.items()}

    def restore(self, saved: Saved) -> None:
        """The backup is put back: versions go on from there. Nobody is told; the server's own memory is as long as it was."""
        self.version, held = saved
        for plural, (objects, log, oldest) in held.items():
            collection = self.collections[plural]
            collection.objects, collection.log, collection.oldest = dict(objects), list(log), oldest
        self._snapshots.clear()

    def uids(self, kind: Kind, namespace: str = "") -> dict[str, str]:
        """The truth: uid → version."""
        return {o["metadata"]["uid"]: o["metadata"]["resourceVersion"] for o in self.collections[kind.plural].within(namespace)}

    # ---- answering

    def count(self, verb: str = "", plural: str = "") -> int:
        """How many such requests came."""
        return sum(1 for ask in self.asked if (not verb or ask.verb == verb) and (not plural or ask.plural == plural))

    def verbs(self, plural: str = "") -> list[str]:
        """What was asked for, in order."""
        return [ask.verb for ask in self.asked if not plural or ask.plural == plural]

    def tally(self) -> Counter[str]:
        """Requests by verb."""
        return Counter(ask.verb for ask in self.asked)

    def ask(self, method: str, path: str, query: dict[str, str], *, accept: str = "", body: Any = None) -> Ask:
        """What a request means."""
        if method == "POST":
            return Ask("post", path, query=query, body=body)
        if path in ("/livez", "/readyz", "/healthz"):
            return Ask("livez", path, query=query)
        found = self._place(path)
        if found is None:
            return Ask("get", path, query=query)
        plural, namespace, name = found
        verb = "get" if name else "list"
        if query.get("watch") in ("1", "true"):
            verb = "watchlist" if query.get("sendInitialEvents") == "true" else "watch"
        return Ask(verb, path, plural, namespace, name, dict(query), "PartialObjectMetadata" in accept)

    def _place(self, path: str) -> tuple[str, str, str] | None:
        for plural, collection in self.collections.items():
            base = collection.kind.path()
            prefix = base.removesuffix(plural)
            if not path.startswith(prefix):
                continue
            parts = path.removeprefix(prefix).split("/")
            if parts[0] == "namespaces" and len(parts) >= 3 and collection.kind.namespaced and parts[2] == plural and len(parts) <= 4:
                return plural, parts[1], parts[3] if len(parts) == 4 else ""
            if parts[0] == plural and len(parts) == 1:
                return plural, "", ""
            if parts[0] == plural and len(parts) == 2 and not collection.kind.namespaced:
                return plural, "", parts[1]
        return None

    def answer(self, ask: Ask) -> Fault | Cursor:
        """What comes of a request: an answer, a fault, or an open watch."""
        self.asked.append(ask)
        spoiled: Spoiled | None = None
        for rule in self.rules:
            found = rule(ask)
            if isinstance(found, Spoiled):
                spoiled = found
                break
            if found is not None:
                return found
        if ask.verb == "livez":
            return text(200, "ok")
        if ask.verb == "post":
            return self._review(ask)
        if not ask.plural:
            known = self.bodies.get(ask.path)
            return Answer(200, known) if known is not None else text(404, "404 page not found\n")
        verb = "watch" if ask.verb.startswith("watch") else ask.verb
        if not (self.may(verb, ask.plural, ask.namespace) or (ask.namespace and self.may(verb, ask.plural, ""))):
            return self._forbidden(verb, ask)
        if verb == "watch":
            return self._watch(ask, spoiled)
        return self._one(ask) if ask.name else self._list(ask)

    def _forbidden(self, verb: str, ask: Ask) -> Answer:
        kind = self.collections[ask.plural].kind
        where = f'in the namespace "{ask.namespace}"' if ask.namespace else "at the cluster scope"
        message = f'{kind.resource} is forbidden: User "dev" cannot {verb} resource "{kind.plural}" in API group "{kind.group}" {where}'
        return status(403, "Forbidden", message, kind=kind.plural)

    def _review(self, ask: Ask) -> Answer:
        spec = (ask.body or {}).get("spec", {})
        if ask.path.endswith("selfsubjectrulesreviews"):
            found = []
            for collection in self.collections.values():
                kind = collection.kind
                verbs = [v for v in ("get", "list", "watch") if self.may(v, kind.plural, spec["namespace"]) or self.may(v, kind.plural, "")]
                if verbs:
                    found.append({"verbs": verbs, "apiGroups": [kind.group], "resources": [kind.plural]})
            return Answer(201, json.dumps({"status": {"resourceRules": found, "incomplete": False}}).encode())
        wanted = spec.get("resourceAttributes", {})
        allowed = self.may(wanted.get("verb", ""), wanted.get("resource", ""), wanted.get("namespace", ""))
        return Answer(201, json.dumps({"status": {"allowed": allowed}}).encode())

    def _one(self, ask: Ask) -> Answer:
        obj = self.collections[ask.plural].objects.get((ask.namespace, ask.name))
        if obj is None:
            return status(404, "NotFound", f'{ask.plural} "{ask.name}" not found', name=ask.name, kind=ask.plural)
        return Answer(200, json.dumps(obj).encode())

    def _list(self, ask: Ask) -> Answer:
        collection, query = self.collections[ask.plural], ask.query
        wanted, limit = query.get("resourceVersion", ""), int(query.get("limit") or 0)
        if "continue" in query:
            if wanted not in ("", "0"):
                return status(400, "BadRequest", "specifying resource version is not allowed when using continue")
            return self._rest(ask, query["continue"], limit)
        if query.get("resourceVersionMatch") and not wanted:
            return status(422, "Invalid", "resourceVersionMatch is forbidden unless resourceVersion is provided")
        if wanted.isdecimal() and int(wanted) > self.version:
            return status(504, "Timeout", f"Timeout: Too large resource version: {wanted}, current: {self.version}", retry_after="1", **TOO_LARGE)
        items = collection.within(ask.namespace)
        if wanted == "0" and collection.kind.bookmarks:
            limit = 0
        return self._page(ask, items, self.version, 0, limit)

    def _rest(self, ask: Ask, token: str, limit: int) -> Answer:
        where = json.loads(base64.b64decode(token))
        if where["id"] not in self._snapshots:
            expired = status_body(410, "Expired", "The provided continue parameter is too old to display a consistent list result.")
            expired["metadata"] = {"continue": "aW5jb25zaXN0ZW50"}
            return Answer(410, json.dumps(expired).encode())
        version, items = self._snapshots[where["id"]]
        return self._page(ask, items, version, where["start"], limit, where["id"])

    def _page(self, ask: Ask, items: list[dict[str, Any]], version: int, start: int, limit: int, snapshot: str = "") -> Answer:
        end = start + limit if limit else len(items)
        meta: dict[str, Any] = {"resourceVersion": str(version)}
        if end < len(items):
            snapshot = snapshot or f"{ask.plural}-{len(self.asked)}"
            self._snapshots[snapshot] = (version, items)
            meta["continue"] = base64.b64encode(json.dumps({"id": snapshot, "start": end}).encode()).decode()
            meta["remainingItemCount"] = len(items) - end
        shown = [partial_of(o) if ask.partial else o for o in items[start:end]]
        return Answer(200, json.dumps({"kind": "List", "apiVersion": "v1", "metadata": meta, "items": shown}, separators=(",", ":")).encode())

    # ---- watching

    def _watch(self, ask: Ask, spoiled: Spoiled | None) -> Fault | Cursor:
        collection, query = self.collections[ask.plural], ask.query
        if ask.verb == "watchlist":
            if not self.watch_list:
                message = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
                return status(422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: {message}')
            if query.get("resourceVersionMatch") != "NotOlderThan":
                return status(422, "Invalid", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        version = query.get("resourceVersion", "")
        if version and not version.isdecimal():
            return status(500, "", f'Invalid value: "{version}"')
        cursor = Cursor(self, collection, ask, spoiled)
        self.cursors.add(cursor)
        return cursor

    def cut_all(self, then: str = "cut") -> None:
        """Ends every open watch: `cut` without order, `end` in order, `silence` not at all but it stays mute."""
        for cursor in list(self.cursors):
            cursor.then = then
            cursor.wake.set()


class Cursor:
    """One open watch: gives lines as far as they are there.

    Attributes:
        wake: set when there may be something new.
        then: how it ended, "" while it goes on.
        seconds: after how many it ends in order.
    """

    def __init__(self, model: Model, collection: Collection, ask: Ask, spoiled: Spoiled | None) -> None:
        self.wake = asyncio.Event()
        self.then = ""
        self.seconds = float(ask.query.get("timeoutSeconds") or 1800)
        self._model, self._collection, self._ask, self._spoiled = model, collection, ask, spoiled
        self._lines = 0
        self._marks = ask.query.get("allowWatchBookmarks") in ("1", "true") and model.bookmarks
        self._initial: list[bytes] = []
        wanted = int(ask.query.get("resourceVersion") or 0)
        self._from = wanted
        if ask.verb == "watchlist":
            self._begin_with_list(wanted)
        elif wanted and wanted < collection.oldest:
            self._refuse(error_event(410, "Expired", f"too old resource version: {wanted} ({collection.oldest})"))

    def _begin_with_list(self, wanted: int) -> None:
        model = self._model
        if wanted > model.version:
            message = f"Timeout: Too large resource version: {wanted}, current: {model.version}"
            self._refuse(error_event(504, "Timeout", message, retryAfterSeconds=1, **TOO_LARGE))
            return
        self._from = model.version
        shape = partial_of if self._ask.partial else dict
        self._initial = [event_line("ADDED", shape(o)) for o in self._collection.within(self._ask.namespace)]
        if self._marks:
            self._initial.append(self._bookmark_line(END_MARK))

    def _refuse(self, line: bytes) -> None:
        self._initial, self.then = [line], "end"

    @property
    def from_the_future(self) -> bool:
        """The server has not reached its version: neither events nor bookmarks come."""
        return self._from > self._model.version

    def lines(self) -> list[bytes]:
        """The lines that are there now."""
        self.wake.clear()
        if self.then == "silence":
            return []
        found, self._initial = self._initial, []
        if not self.then and not self.from_the_future:
            for entry in self._collection.after(self._from):
                self._from = entry.version
                if not self._ask.namespace or entry.namespace == self._ask.namespace:
                    found.append(entry.partial if self._ask.partial else entry.line)
        if self._spoiled is not None:
            found = found[: max(0, self._spoiled.lines - self._lines)]
            self._lines += len(found)
            if self._lines >= self._spoiled.lines:
                self.then = self._spoiled.then
        return found

    def bookmark(self) -> bytes:
        """A periodic bookmark, after the lines that are there; nothing where none is sent."""
        if not self._marks or not self._collection.kind.bookmarks or self.from_the_future or self.then:
            return b""
        lines = self.lines()
        return b"".join(lines) if self.then else b"".join((*lines, self._bookmark_line({})))

    def close(self) -> None:
        """Nobody reads it any more."""
        self._model.cursors.discard(self)

    def _bookmark_line(self, annotations: dict[str, str]) -> bytes:
        version = max(self._from, self._model.version)
        self._from = version
        meta: dict[str, Any] = {"resourceVersion": str(version), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        kind = self._collection.kind
        return event_line("BOOKMARK", {"kind": kind.kind, "apiVersion": kind.version, "metadata": meta, "spec": {"containers": None}, "status": {}})


# ---- rules -----------------------------------------------------------------------------------------------------------------


def when(fault: Fault | None, *, verb: str = "", plural: str = "", namespace: str | None = None, times: int | None = None) -> Rule:
    """A rule: this fault for these requests, for so many times. `verb` may name several, parted by spaces."""
    left = [times]

    def rule(ask: Ask) -> Fault | None:
        if (verb and ask.verb not in verb.split()) or (plural and ask.plural != plural):
            return None
        if (namespace is not None and ask.namespace != namespace) or left[0] == 0:
            return None
        if left[0] is not None:
            left[0] -= 1
        return fault

    return rule
