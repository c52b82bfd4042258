"""An object before and after a server-side apply: what differs for a reader, whose fields are in the way, and whether it has happened.

Sources: kubectl pkg/cmd/diff (what is left out, Secrets masked), KEP-555 (managedFields, conflicts).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from kubepane.acting import differing
from kubepane.cluster.errors import ClusterError, Conflict
from kubepane.cluster.writing import Raw
from kubepane.insight import quantities
from kubepane_widgets.lines import Line

MANAGER = "kubepane"
_SERVERS = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MASK = "••••••"
_WITH = re.compile(r'conflicts? with "((?:[^"\\]|\\.)*)"(?: with subresource "([^"]*)")?')


def plain(raw: Raw | None) -> Raw:
    """The object without what the server alone writes; empty for None."""
    if raw is None:
        return {}
    meta = {name: value for name, value in (raw.get("metadata") or {}).items() if name not in _SERVERS}
    notes = {name: value for name, value in (meta.pop("annotations", None) or {}).items() if name != _LAST_APPLIED}
    whole = {name: value for name, value in raw.items() if name not in ("status", "metadata")}
    return {**whole, "metadata": {**meta, **({"annotations": notes} if notes else {})}}


def diff(before: Raw | None, after: Raw | None) -> list[Line]:
    """What a reader sees change; of a Secret only which keys differ."""
    old, new = plain(before), plain(after)
    if "Secret" in (old.get("kind"), new.get("kind")):
        old, new = _masked(old, new, "before"), _masked(new, old, "after")
    return differing.lines(old, new)


def _masked(secret: Raw, other: Raw, when: str) -> Raw:
    """A Secret without its values: they only say whether they differ from the other's."""
    shown = dict(secret)
    for part in ("data", "stringData"):
        values, others = secret.get(part), other.get(part) or {}
        if isinstance(values, dict):
            shown[part] = {name: _MASK if others.get(name) == value or name not in others else f"{_MASK} ({when})" for name, value in values.items()}
    return shown


# ---- conflicts -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A field that another manager owns with another value.

    Attributes:
        field: its path: `.spec.replicas`.
        manager: who, as the server names it.
    """

    field: str
    manager: str


def conflicts(error: ClusterError | None) -> tuple[Held, ...]:
    """The fields that an apply was refused for; none where it was for something else."""
    if not isinstance(error, Conflict):
        return ()
    return tuple(Held(cause.field, _manager(cause.message)) for cause in error.causes if cause.reason == "FieldManagerConflict")


def _manager(message: str) -> str:
    found = _WITH.search(message)
    if found is None:
        return message
    return found[1] + (f" ({found[2]})" if found[2] else "")


# ---- whether it has happened ---------------------------------------------------------------------------------------------------


def owned(raw: Raw | None) -> Any:
    """What our applies own of an object, as the server writes it; None for nothing."""
    entries = ((raw or {}).get("metadata") or {}).get("managedFields") or ()
    for entry in entries:
        if (entry.get("manager"), entry.get("operation"), entry.get("subresource") or "") == (MANAGER, "Apply", ""):
            return entry.get("fieldsV1") or {}
    return None


def holds(now: Raw | None, body: Raw, rehearsed: Raw | None) -> bool:
    """Whether an object has the applied configuration: its values are there, and ours are the fields that the dry run said."""
    if now is None or owned(now) is None:
        return False
    if rehearsed is not None and owned(now) != owned(rehearsed):
        return False
    return covers(now, _as_stored(body))


def _as_stored(body: Raw) -> Raw:
    """A configuration as it comes back: stringData of a Secret is written into its data."""
    texts = body.get("stringData")
    if body.get("kind") != "Secret" or not isinstance(texts, dict):
        return body
    written = {name: base64.b64encode(str(text).encode()).decode() for name, text in texts.items()}
    return {**{name: value for name, value in body.items() if name != "stringData"}, "data": {**(body.get("data") or {}), **written}}


def covers(present: Any, wanted: Any) -> bool:
    """Whether every value of a configuration is in an object; the server adds defaults, sorts some lists, and rewrites quantities."""
    if isinstance(wanted, dict):
        return isinstance(present, dict) and all(covers(present.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(present, list) and all(any(covers(one, value) for one in present) for value in wanted)
    if wanted is None or present == wanted:
        return True
    amounts = [quantities.parse(str(value)) for value in (present, wanted)]
    return amounts[0] is not None and amounts[0] == amounts[1]
