"""`kubepane kind` as a process: interrupted, killed politely, and on a terminal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubepane.kindcluster import programs
from program.kindstage import Stage
from ptys import Terminal
from sources import ROOTS


def free_ports() -> tuple[str, ...]:
    with socket.socket() as one, socket.socket() as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        return ("--http-port", str(one.getsockname()[1]), "--https-port", str(two.getsockname()[1]))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, ROOTS.values())), "PYTHONUTF8": "1"}


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "kubepane", "kind", *words], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def hanging(stage: Stage) -> int:
    """Waits until a fake program hangs; its process id."""
    with open(stage.world / "hangs", encoding="utf-8") as fifo:
        return int(fifo.readline())


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_while_the_cluster_is_made(stage: Stage, number: signal.Signals) -> None:
    stage.fails("kind create", " • Starting control-plane  ...\n", hang=True, leave=3)
    with started("up", *free_ports()) as process:
        child = hanging(stage)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert gone(child)
    assert err == ("kubepane kind up: interrupted; 3 unfinished nodes are left: `kubepane kind up` begins anew, `kubepane kind down` removes them\n")
    assert "✕ cluster" in out
    assert len(stage.state["containers"]) == 3
    said = stage.run("down", "--yes")
    assert said.code == 0, said.err


def test_an_interrupt_before_anything_was_made(stage: Stage) -> None:
    stage.fails("kind create", hang=True)
    with started("up", *free_ports()) as process:
        child = hanging(stage)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "kubepane kind up: interrupted; nothing is left behind\n")
    assert gone(child)
    assert not stage.record.exists()


def test_an_interrupt_while_an_add_on_is_installed(stage: Stage) -> None:
    stage.made()
    stage.set(addons={})
    stage.fails("kubectl apply", hang=True)
    with started("up") as process:
        child = hanging(stage)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert gone(child)
    assert "interrupted; the cluster kubepane is there, but not complete: `kubepane kind up` continues, `kubepane kind down` removes it" in err
    assert stage.run("up").code == 0


def test_killed_outright_while_the_cluster_is_made(stage: Stage) -> None:
    stage.fails("kind create", hang=True, leave=3)
    with started("up", *free_ports()) as process:
        child = hanging(stage)
        while not stage.record.exists() or '"kubepane-worker2"' not in stage.record.read_text():
            assert process.poll() is None  # ids are written down twice a second
        process.kill()
        process.wait()
    os.kill(child, signal.SIGKILL)
    assert "kubepane, unfinished" in stage.run("status").out
    assert stage.run("down", "--yes").code == 0
    assert stage.state["containers"] == []


def test_a_program_that_does_not_listen_is_ended_by_force(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "GRACE", 0.2)
    stage.fails("kind create", hang=True, deaf=True)
    handle = os.open(stage.world / "hangs", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(programs.TookTooLong) as end:
        programs.Programs().run("kind", "create", timeout=0.6)
    assert end.value.ran.code == -signal.SIGKILL
    assert gone(int(os.read(handle, 20)))
    os.close(handle)


def test_on_a_terminal_the_line_of_a_step_is_rewritten(stage: Stage) -> None:
    stage.set(looks=0)
    terminal = Terminal("kind", "up", *free_ports(), size=(100, 30))
    try:
        terminal.wait("apply story")
        assert terminal.ended() == 0
    finally:
        terminal.close()
    shown = terminal.text()
    assert "○" not in shown
    assert [line.split()[1] for line in shown.splitlines() if line.startswith("●")] == ["cluster", "calico", "metrics-server", "ingress-nginx"]
    assert "○ calico".encode() in terminal.raw
