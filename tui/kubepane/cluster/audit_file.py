"""What was changed, and which pods were entered, one JSON line each, in a file that only its owner can read: never a body, never a secret."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from kubepane.cluster.context import Target
from kubepane.cluster.redaction import one_line
from kubepane.cluster.writing import Outcome, Ref

MOST = 1 << 20  # bytes, then the file moves aside
KEPT = 3  # older files


class Entry(msgspec.Struct, frozen=True):
    """One change and what became of it."""

    at: datetime
    context: str
    server: str
    user: str
    object: str
    uid: str
    says: str
    method: str
    path: str
    revision_before: str
    revision_after: str
    end: str
    text: str


def default_path() -> Path:
    """`$XDG_STATE_HOME/kubepane/audit.jsonl`."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "kubepane" / "audit.jsonl"


def entry(outcome: Outcome, target: Target | None, now: datetime) -> Entry:
    """The line of an outcome."""
    step = outcome.step
    raw = step.raw or {}
    request = step.request(raw)
    return Entry(
        now,
        target.context if target else "",
        target.server if target else "",
        (target.acting_as or target.user or "") if target else "",
        str(step.about),
        step.about.uid,
        one_line(step.says),
        request.method,
        request.path,
        str((raw.get("metadata") or {}).get("resourceVersion") or ""),
        outcome.revision,
        outcome.end.value,
        one_line(outcome.text),
    )


def visit(about: Ref, says: str, path: str, end: str, text: str, target: Target | None, now: datetime) -> Entry:
    """The line of a way into a pod that was opened or has ended: never what went through it.

    Args:
        says: what it is: `shell in container app`.
        end: `opened` or `ended`.
        text: how it ended.
    """
    who = (target.acting_as or target.user or "") if target else ""
    context, server = (target.context, target.server) if target else ("", "")
    return Entry(now, context, server, who, str(about), about.uid, one_line(says), "GET", path, "", "", end, one_line(text))


def to(path: Path) -> Callable[[Entry], None]:
    """What adds a line to the file, and moves it aside when it is full.

    The function raises OSError when the line could not be written: the caller says so, the change itself has happened.
    """

    def write(line: Entry) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_size > MOST:
                _rotate(path)
        # not blocking: a pipe in its place is refused instead of waited for
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        try:
            os.fchmod(handle, 0o600)
            os.write(handle, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(handle)

    return write


def _rotate(path: Path) -> None:
    for number in range(KEPT, 0, -1):
        older = path if number == 1 else path.with_name(f"{path.name}.{number - 1}")
        with contextlib.suppress(FileNotFoundError):
            older.rename(path.with_name(f"{path.name}.{number}"))
