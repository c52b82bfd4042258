"""A machine for `kubepane kind`: fake programs first in PATH, a clock that nobody waits for, and what was asked and said."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from kubepane import cli
from kubepane.kindcluster import commands, ports

FAKE = Path(__file__).parent / "fakes" / "kind_world.py"
HERE = os.uname()
DOCKER = {
    "Name": HERE.nodename,
    "KernelVersion": HERE.release,
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "PidsLimit": True,
    "CPUShares": True,
    "SecurityOptions": ["name=cgroupns"],
}
PODMAN = {
    "host": {
        "hostname": HERE.nodename,
        "kernel": HERE.release,
        "cgroupVersion": "v2",
        "cgroupControllers": ["cpu", "memory", "pids"],
        "security": {"rootless": False},
    }
}
BLANK: dict[str, Any] = {
    "containers": [], "made": 0, "labels": [], "addons": {}, "looks": 1,
    "nodes late": 0, "stuck": {}, "fail": {}, "kind": "v0.33.0", "engine": "docker",
    "docker is docker": True, "up": {"docker": True, "podman": True}, "info": {"docker": DOCKER, "podman": PODMAN},
}  # fmt: skip


class Call(NamedTuple):
    """One program that was started."""

    program: str
    args: tuple[str, ...]
    stdin: str
    provider: str

    @property
    def words(self) -> str:
        return " ".join((self.program, *self.args))


class NoTime:
    """A clock that goes on only while somebody waits."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, 0, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


class Said(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


_MADE: dict[str, str] = {}


@dataclass
class Stage:
    """The machine.

    Attributes:
        world: folder of the fake programs' world.
        home: the user's.
        time: the clock.
    """

    world: Path
    home: Path
    time: NoTime
    captured: pytest.CaptureFixture[str]

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.world / "world.json").read_text())
        return found

    def set(self, **changes: Any) -> None:
        (self.world / "world.json").write_text(json.dumps({**self.state, **changes}))

    def fails(self, words: str, err: str = "", **how: Any) -> None:
        self.set(fail={**self.state["fail"], words: {"err": err, **how}})

    def install(self, *names: str) -> None:
        for name in names:
            path = self.world / "bin" / name
            path.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E {FAKE} {self.world} {name} "$@"\n')
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.world / "bin" / name).unlink()

    def calls(self, start: str = "") -> list[Call]:
        path = self.world / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        found = [Call(one["program"], tuple(one["args"]), one["stdin"], one["provider"]) for one in map(json.loads, lines)]
        return [call for call in found if call.words.startswith(start)]

    def forget_calls(self) -> None:
        (self.world / "calls.jsonl").unlink(missing_ok=True)

    def run(self, *words: str) -> Said:
        try:
            code = cli.main(["kind", *words])
        except SystemExit as end:
            code = int(str(end.code))
        return Said(code, *self.captured.readouterr())

    def made(self) -> None:
        """The machine as it is after `kubepane kind up`, which is run once and remembered."""
        config = self.home / ".kube" / "config"
        if not _MADE:
            assert self.run("up").code == 0
            _MADE["home"] = str(self.home)
            _MADE.update(
                {name: path.read_text() for name, path in (("world", self.world / "world.json"), ("record", self.record), ("config", config))}
            )
        for path, name in ((self.world / "world.json", "world"), (self.record, "record"), (config, "config")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_MADE[name].replace(_MADE["home"], str(self.home)))
        self.forget_calls()
        self.time.passed = 0.0

    @property
    def record(self) -> Path:
        return self.home / "state" / "kubepane" / "kind" / "kubepane.json"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Stage:
    """A machine with everything installed, no cluster, and limits that are high enough."""
    world, home, proc = tmp_path / "world", tmp_path / "home", tmp_path / "proc"
    for folder in (world / "bin", home, proc / "sys/fs/inotify", proc / "sys/net/ipv4"):
        folder.mkdir(parents=True)
    for name, value in (
        ("fs/inotify/max_user_watches", 524288),
        ("fs/inotify/max_user_instances", 512),
        ("net/ipv4/ip_unprivileged_port_start", 1024),
    ):
        (proc / "sys" / name).write_text(f"{value}\n")
    (world / "world.json").write_text(json.dumps(BLANK))
    os.mkfifo(world / "hangs")
    for name in ("HTTPS_PROXY", "KIND_EXPERIMENTAL_PROVIDER", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{world / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("shutil.which", _only(world / "bin"))
    monkeypatch.setenv("FAKE_PACKAGES", str(Path(yaml.__file__).parents[1]))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setattr(ports, "PROC", proc)
    monkeypatch.setattr(ports, "taken", lambda port: False)
    time = NoTime()
    monkeypatch.setattr(commands, "MachineTime", lambda: time)
    found = Stage(world, home, time, capsys)
    found.install("docker", "podman", "kind", "kubectl")
    return found


def _only(folder: Path) -> Any:
    """A `which` that knows the fake programs and no others: what this machine has installed plays no part."""

    def which(name: str, path: str | None = None) -> str | None:
        found = folder / name
        return str(found) if found.exists() else None

    return which
