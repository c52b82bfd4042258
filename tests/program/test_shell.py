"""A shell in a container through a real terminal: it works, and the terminal comes back whatever happens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubepane_embedded import podstreams
from living import CORE, Asked, Cut, Living, living
from ptys import Terminal

BOX = {"name": "box", "image": "busybox:1.36", "command": ["sleep", "100000"]}
MOUSE = {"1000", "1002", "1003", "1006", "1015"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster"), speed=20.0) as made:
        yield made


def ready(cluster: Living, name: str, *containers: dict[str, Any]) -> None:
    """A pod of the test's own that runs."""
    spec = {"terminationGracePeriodSeconds": 0, "containers": list(containers or (BOX,))}
    cluster.call("POST", f"{CORE}/pods", {"metadata": {"name": name}, "spec": spec})
    until(lambda: cluster.get(f"{CORE}/pods/{name}")["status"]["phase"] == "Running")


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


class Seat:
    """Somebody in front of the dashboard, with the pod's row under the cursor."""

    def __init__(self, cluster: Living, state: Path, pod: str, *args: str, **env: str) -> None:
        given = {"XDG_STATE_HOME": str(state), "XDG_CONFIG_HOME": str(state), **env}
        self.terminal = Terminal("--kubeconfig", str(cluster.kubeconfig), "-n", "shop", *args, env=given)
        self._state, self._pod = state, pod
        self.terminal.wait(pod)
        self.terminal.wait("live")
        self.type("/")
        self.terminal.wait("!not")  # the prompt is there
        self.type(f"{pod}\r")
        self.terminal.wait("1 of")

    def type(self, text: str) -> None:
        self.terminal.keys(text)

    def shell(self) -> None:
        """Opens it, and waits for its prompt."""
        self.type("s")
        self.terminal.wait("leave with exit or ctrl-d")
        self.terminal.wait("/ #")

    def left(self) -> None:
        """The program draws again."""
        self.terminal.wait("1 Pods")
        assert "1049" in self.terminal.modes

    def audit(self) -> list[tuple[str, str, str]]:
        """(object, end, text) of the audit lines."""
        file = self._state / "kubepane" / "audit.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [(line["object"], line["end"], line["text"]) for line in lines]

    def quit(self) -> None:
        self.type("q")
        assert self.terminal.ended() == 0
        self.given_back()

    def given_back(self) -> None:
        assert self.terminal.modes & {"1049", "2004", "1004", "2048", *MOUSE} == set()
        assert "25" in self.terminal.modes
        assert termios.tcgetattr(self.terminal.fd)[:4] == self.terminal.attributes[:4]


@pytest.fixture
def sit(cluster: Living, tmp_path: Path) -> Iterator[Callable[..., Seat]]:
    seats: list[Seat] = []

    def seat(pod: str, *args: str, **env: str) -> Seat:
        seats.append(Seat(cluster, tmp_path, pod, *args, **env))
        return seats[-1]

    yield seat
    cluster.before = lambda asked: None
    for one in seats:
        one.terminal.close()


def test_a_shell_and_back(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "talk")
    seat = sit("talk")
    seat.shell()
    assert "kubepane-embedded: pod shop/talk, container box" in seat.terminal.text()
    assert "1049" not in seat.terminal.modes
    seat.type("echo $((20+22))\r")
    seat.terminal.wait("\n42")
    ready(cluster, "meanwhile")  # the watches go on
    seat.type("exit 3\r")
    seat.left()
    seat.terminal.wait("exit code 3")
    seat.terminal.wait("pod/meanwhile")
    seat.quit()
    assert [line[:2] for line in seat.audit()] == [("pod shop/talk", "opened"), ("pod shop/talk", "ended")]
    assert seat.audit()[1][2].startswith("exit code 3 after ")


def test_ctrl_c_and_ctrl_z_go_to_the_container_and_ctrl_d_ends_it(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "keys")
    seat = sit("keys")
    seat.shell()
    seat.type("sleep 5000\r")
    seat.type("\x1a\x03")
    seat.terminal.wait("^C")
    seat.type("echo still here\r")
    seat.terminal.wait("\nstill here")
    seat.type("\x04")
    seat.left()
    seat.quit()


def test_whatever_is_printed_the_modes_are_put_back(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "wild")
    seat = sit("wild")
    seat.shell()
    for modes in ("?1049h", "?1000h", "?1003h", "?1006h", "?2004h", "?1004h", "?25l", "?7l", "?1h", "31m", "5;9r", "4h"):
        seat.type(f"printf '\\033[{modes}'\r")
    seat.type("printf '\\033]0;an unfinished title'\r")
    seat.terminal.read(0.3)
    seat.type("exit\r")
    seat.left()
    seat.quit()
    last = {number: seat.terminal.raw.rfind(f"\x1b[?{number}h".encode()) for number in (1, 7, 25)}
    assert last[1] < seat.terminal.raw.rfind(b"\x1b[?1;5;6l")
    assert max(last[7], last[25]) > seat.terminal.raw.rfind(b"\x1b[?7l")


def test_nothing_is_drawn_meanwhile_however_much_changes(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "quiet")
    seat = sit("quiet")
    seat.shell()
    before = len(seat.terminal.raw)
    for number in range(50):  # more than Textual's writer would hold before it blocks the program
        about = {"kind": "Pod", "namespace": "shop", "name": "quiet"}
        event = {"metadata": {"name": f"noise-{number}"}, "involvedObject": about, "reason": f"Noise{number}", "message": "x", "type": "Warning"}
        cluster.call("POST", f"{CORE}/events", event)
        seat.terminal.read(0.1)
    assert len(seat.terminal.raw) == before
    seat.type("echo alive\r")
    seat.terminal.wait("\nalive", 3)
    seat.type("exit\r")
    seat.left()
    seat.terminal.wait("Noise49")
    seat.quit()


def test_another_size_reaches_the_container(cluster: Living, sit: Callable[..., Seat], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[bytes] = []
    resize = podstreams.Session._resize

    def noted(self: podstreams.Session, data: bytes) -> None:
        sizes.append(data)
        resize(self, data)

    monkeypatch.setattr(podstreams.Session, "_resize", noted)
    ready(cluster, "wide")
    seat = sit("wide")
    seat.shell()
    assert [json.loads(size) for size in sizes] == [{"Width": 120, "Height": 40}]
    seat.terminal.resize(90, 30)
    seat.type("echo sized\r")
    seat.terminal.wait("\nsized")
    assert json.loads(sizes[-1]) == {"Width": 90, "Height": 30}
    seat.type("exit\r")
    seat.left()
    assert all(len(line.rstrip()) <= 90 for line in seat.terminal.screen.display)
    seat.terminal.wait("exit code 0")
    seat.quit()


def test_several_containers_are_asked_for(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "two", {**BOX, "name": "first"}, {**BOX, "name": "second"})
    seat = sit("two")
    seat.type("x")
    seat.terminal.wait("which container")
    seat.type("second\r")
    seat.terminal.wait("container second")
    seat.terminal.wait("/ #")
    seat.type("exit\r")
    seat.left()
    seat.quit()


def test_the_object_screen_opens_one_as_well(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "opened")
    seat = sit("opened")
    seat.type("\r")
    seat.terminal.wait("pod/opened")
    seat.terminal.wait("s shell")
    seat.shell()
    seat.type("exit\r")
    seat.terminal.wait("pod/opened")
    seat.terminal.wait("exit code 0")


def test_an_image_without_a_shell(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "bare", {"name": "app", "image": "registry.k8s.io/pause:3.10"})
    seat = sit("bare")
    seat.type("s")
    seat.terminal.wait("the image has no shell")
    assert b"\x1b[?1049l" not in seat.terminal.raw  # it was never handed over
    seat.quit()


def test_a_pod_that_is_deleted_ends_its_shell(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "doomed")
    seat = sit("doomed")
    seat.shell()
    cluster.call("DELETE", f"{CORE}/pods/doomed?gracePeriodSeconds=0")
    seat.left()
    seat.terminal.wait("exit code 137")
    seat.quit()


def test_a_link_that_is_cut_ends_it_too_and_stray_keys_do_nothing(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "cut")
    transports: list[Any] = []
    server = cluster.served.cluster.server
    handle = server._dispatch

    async def dispatch(request: Any, path: str) -> Any:
        if path.endswith("/exec"):
            transports.append((request.transport, asyncio.get_running_loop()))
        return await handle(request, path)

    server._dispatch = dispatch  # type: ignore[method-assign]
    try:
        seat = sit("cut")
        seat.shell()
        transport, loop = transports[-1]
        loop.call_soon_threadsafe(transport.abort)
        seat.left()
        seat.terminal.wait("the link was cut")
        seat.quit()
        assert "the link was cut" in seat.audit()[1][2]
    finally:
        server._dispatch = handle  # type: ignore[method-assign]


def test_a_dead_session_is_dropped_by_hand(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "stuck")
    seat = sit("stuck")
    seat.shell()
    seat.type("sleep 5000\r")
    seat.type("~.")
    seat.left()
    seat.terminal.wait("left after")
    seat.quit()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_the_middle_of_a_shell(cluster: Living, sit: Callable[..., Seat], number: int, code: int) -> None:
    ready(cluster, f"ended-{code}")
    seat = sit(f"ended-{code}")
    seat.shell()
    seat.terminal.signal(number)
    started = time.monotonic()
    assert seat.terminal.ended() == code
    assert time.monotonic() - started < 2  # in order, not by force
    seat.given_back()
    assert [line[1] for line in seat.audit()] == ["opened", "ended"]


def test_a_stop_and_a_continue_in_the_middle_of_a_shell(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "paused")
    seat = sit("paused")
    seat.shell()
    seat.terminal.signal(signal.SIGSTOP)
    os.waitpid(seat.terminal.pid, os.WUNTRACED)
    termios.tcsetattr(seat.terminal.fd, termios.TCSANOW, seat.terminal.attributes)  # as a job-control shell does
    seat.terminal.signal(signal.SIGCONT)
    until(lambda: not termios.tcgetattr(seat.terminal.fd)[3] & termios.ICANON)
    seat.type("echo back\r")
    seat.terminal.wait("\nback")
    seat.type("exit\r")
    seat.left()
    seat.quit()


def test_a_terminal_that_can_do_nothing(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "dumb")
    seat = sit("dumb", TERM="dumb")
    seat.shell()
    start = seat.terminal.raw.rfind(b"leave with exit")
    seat.type("echo plain\r")
    seat.terminal.wait("\nplain")
    assert b"\x1b" not in seat.terminal.raw[start:]
    seat.type("exit\r")
    seat.left()
    seat.quit()


def test_read_only_opens_nothing(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "locked")
    seat = sit("locked", "--read-only")
    cluster.asked.clear()
    seat.type("s")
    seat.terminal.wait("read-only: a shell could change anything")
    assert [one.path for one in cluster.asked if one.path.endswith("/exec")] == []
    assert seat.audit() == []
    seat.quit()


def test_a_link_that_dies_before_it_opens_leaves_the_dashboard_where_it_is(cluster: Living, sit: Callable[..., Seat]) -> None:
    ready(cluster, "never")
    seat = sit("never")

    def cut(asked: Asked) -> None:
        if asked.path.endswith("/exec"):
            raise Cut

    cluster.before = cut
    seat.type("s")
    seat.terminal.wait("connection cut")
    assert b"\x1b[?1049l" not in seat.terminal.raw
    assert seat.audit() == []
    seat.quit()
