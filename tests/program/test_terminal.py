"""The terminal is given back as it was, whatever ends the program."""

from __future__ import annotations

import os
import signal
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptys import Terminal

NOWHERE = """
apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: ann, user: {token: canary-token-5310}}]
contexts: [{name: nowhere, context: {cluster: c, user: ann}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    file = tmp_path / "config"
    file.write_text(NOWHERE)
    file.chmod(0o600)
    return str(file)


@pytest.fixture
def app(kubeconfig: str) -> Iterator[Terminal]:
    terminal = Terminal("--kubeconfig", kubeconfig)
    try:
        terminal.wait("connection refused")
        yield terminal
    finally:
        terminal.close()


def assert_given_back(terminal: Terminal) -> None:
    assert terminal.modes & {"1049", "1000", "1002", "1003", "1006", "1015", "2004", "1004", "2048"} == set()
    assert "25" in terminal.modes  # the cursor shows
    assert termios.tcgetattr(terminal.fd)[:4] == terminal.attributes[:4]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_in_order(app: Terminal, number: int, code: int) -> None:
    assert "1049" in app.modes
    app.signal(number)
    assert app.ended() == code
    assert_given_back(app)


def test_q_ends_it_with_0(app: Terminal) -> None:
    app.keys("q")
    assert app.ended() == 0
    assert_given_back(app)


def test_it_says_what_is_wrong_and_goes_on_trying(app: Terminal) -> None:
    app.wait("connecting (connection refused)")
    assert "nowhere" in app.text()
    assert b"canary-token" not in app.raw


def test_a_stop_and_a_continue_draw_everything_again(app: Terminal) -> None:
    app.signal(signal.SIGTSTP)
    deadline = time.monotonic() + 5
    while "1049" in app.modes and time.monotonic() < deadline:
        app.read(0.05)
    assert "1049" not in app.modes
    os.waitpid(app.pid, os.WUNTRACED)  # it has really stopped: a continue before that would be lost
    app.screen.reset()
    app.signal(signal.SIGCONT)
    app.wait("1 Pods")
    assert "1049" in app.modes
    app.keys("q")
    assert app.ended() == 0


def test_a_terminal_that_went_away_ends_it_even_where_hangups_are_ignored(kubeconfig: str) -> None:
    terminal = Terminal("--kubeconfig", kubeconfig, module="ignoring_hangups")
    terminal.wait("connection refused")
    os.close(terminal.fd)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        pid, status = os.waitpid(terminal.pid, os.WNOHANG)
        if pid:
            terminal.status = os.waitstatus_to_exitcode(status)
            break
        time.sleep(0.05)
    terminal.close()
    assert terminal.status in (129, 143)


@pytest.mark.parametrize("size", [(1, 1), (7, 2), (20, 5), (60, 20), (200, 60)])
def test_any_size_is_survived(kubeconfig: str, size: tuple[int, int]) -> None:
    terminal = Terminal("--kubeconfig", kubeconfig, size=size)
    try:
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline and b"\x1b[?1049h" not in terminal.raw:
            terminal.read(0.1)
        terminal.resize(80, 24)
        terminal.wait("connection refused")
        for columns, rows in ((1, 1), (300, 3), (2, 90), (100, 30)):
            terminal.resize(columns, rows)
            terminal.read(0.05)
        terminal.wait("1 Pods")
        terminal.keys("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("args", "env"),
    [
        ((), {"TERM": "dumb"}),
        ((), {"LC_ALL": "C", "PYTHONUTF8": "0"}),
        ((), {"NO_COLOR": "1"}),
        (("--no-color",), {}),
        (("--ascii",), {}),
        (("--low-bandwidth",), {}),
    ],
)
def test_poor_terminals(kubeconfig: str, args: tuple[str, ...], env: dict[str, str]) -> None:
    terminal = Terminal("--kubeconfig", kubeconfig, *args, env=env)
    try:
        terminal.wait("1 Pods")
        terminal.wait("connection refused")
        if env.get("NO_COLOR") or "--no-color" in args:
            assert b"38;2;" not in terminal.raw
            assert b"38;5;" not in terminal.raw
        if "--ascii" in args or "LC_ALL" in env:
            assert terminal.raw.isascii()
        terminal.keys("q")
        assert terminal.ended() == 0
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [(":pods", "/ pods"), ("/wanda", "/ wanda"), ("?taint", "/ taint"), ("/wanda\r?taint", "/ taint"), (":pods\x15e\x15n", "/ n")],
    ids=["list", "filter", "help", "filter, then help", "list again"],
)
def test_what_is_typed_ahead_goes_where_it_would_go_one_by_one(app: Terminal, typed: str, shown: str) -> None:
    """A slow link hands over many keys at once."""
    app.keys(typed)
    app.wait(shown, 5)
