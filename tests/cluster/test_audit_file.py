"""The audit file: one line a change, for its owner only, bounded, without bodies and secrets, and through no link."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builders import NOW
from kubepane.cluster import audit_file, kinds as k
from kubepane.cluster.context import Target
from kubepane.cluster.writing import End, Outcome, Ref, Request, Step

SECRET = "hunter2-of-the-body"


def outcome(says: str = "replicas 1 → 2", text: str = "done", end: End = End.DONE) -> Outcome:
    raw = {"metadata": {"resourceVersion": "7"}, "data": {"password": SECRET}}
    step = Step(Ref(k.SECRETS, "shop", "s", "u1"), says, raw, lambda now: Request("PATCH", "/api/v1/x", {"data": SECRET}, {"q": SECRET}))
    return Outcome(step, end, text, "8")


def line(**more: Any) -> audit_file.Entry:
    return audit_file.entry(outcome(**more), None, NOW)


def test_a_line_says_who_did_what_to_which_object_where(tmp_path: Path) -> None:
    target = Target(context="prod", cluster="c", server="https://k8s.example:6443", host="k8s.example", user="ann")
    path = tmp_path / "state" / "audit.jsonl"
    audit_file.to(path)(audit_file.entry(outcome(), target, NOW))
    assert json.loads(path.read_text()) == {
        "at": "2026-06-01T12:00:00Z", "context": "prod", "server": "https://k8s.example:6443", "user": "ann", "object": "secret shop/s",
        "uid": "u1", "says": "replicas 1 → 2", "method": "PATCH", "path": "/api/v1/x", "revision_before": "7", "revision_after": "8",
        "end": "done", "text": "done",
    }  # fmt: skip
    acting = replace(target, acting_as="bob")
    assert audit_file.entry(outcome(), acting, NOW).user == "bob"


def test_neither_bodies_nor_values_are_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit_file.to(path)(line())
    assert SECRET not in path.read_text()


def test_a_line_is_a_line_whatever_the_server_says(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit_file.to(path)(line(says="a\nb\x1b[31m", text='no\r\n{"forged": true}'))
    assert len(path.read_bytes().splitlines()) == 1
    assert b"\x1b" not in path.read_bytes()
    assert "forged" not in json.loads(path.read_text())


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.jsonl"
    os.umask(before := os.umask(0))
    audit_file.to(path)(line())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 & ~before == 0 or before == 0
    path.chmod(0o644)
    audit_file.to(path)(line())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().splitlines()) == 2


def test_a_full_file_moves_aside_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_file, "MOST", 10)
    path = tmp_path / "audit.jsonl"
    write = audit_file.to(path)
    for number in range(7):
        write(line(says=f"change {number}"))
    held = {one.name: json.loads(one.read_text())["says"] for one in tmp_path.iterdir()}
    assert held == {"audit.jsonl": "change 6", "audit.jsonl.1": "change 5", "audit.jsonl.2": "change 4", "audit.jsonl.3": "change 3"}
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in tmp_path.iterdir())


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "audit.jsonl"
    victim.write_text("mine")
    path.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        audit_file.to(path)(line())
    assert victim.read_text() == "mine"


def test_a_pipe_in_its_place_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        audit_file.to(path)(line())


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert audit_file.default_path() == tmp_path / "kubepane" / "audit.jsonl"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert audit_file.default_path() == Path.home() / ".local" / "state" / "kubepane" / "audit.jsonl"
