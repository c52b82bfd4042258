"""Logs that are followed, previous logs, and commands in running containers with their streams."""

from __future__ import annotations

import asyncio

import pytest

from embedded.kubelet_stage import WEB, Stage
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.kubelet.logbook import LINES, Logbook
from kubepane_embedded.runtime import LogLine


class Session:
    """A client: what it types, and what it is shown."""

    def __init__(self, *typed: str) -> None:
        self.typed: asyncio.Queue[bytes] = asyncio.Queue()
        self.shown = ""
        self.errors = ""
        for text in typed:
            self.typed.put_nowait(text.encode())

    async def read(self) -> bytes:
        return await self.typed.get()

    async def write(self, data: bytes) -> None:
        self.shown += data.decode()

    async def write_error(self, data: bytes) -> None:
        self.errors += data.decode()

    def resized(self) -> tuple[int, int]:
        return (80, 24)


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.box("echo started; sleep 1000", container={"env": [{"name": "COLOUR", "value": "blue"}]})
    stage.run(5)
    return stage


async def run(stage: Stage, command: list[str], *typed: str, tty: bool = False, container: str = "c") -> tuple[int, Session]:
    """Run a command; what is typed ends with the end of input."""
    session = Session(*typed, "")
    code = await asyncio.wait_for(stage.kubelets.exec(stage.read(), container, command, tty, session), 5)
    return code, session


@pytest.mark.parametrize(
    ("command", "code", "shown", "errors"),
    [
        (["printenv", "COLOUR"], 0, "blue\n", ""),
        (["cat", "/etc/hostname"], 0, "p\n", ""),
        (["sh", "-c", "echo out; echo err >&2; exit 3"], 3, "out\n", "err\n"),
        (["sh", "-c", "nosuch"], 127, "", "sh: nosuch: not found\n"),
        (["/bin/echo", "a", "b"], 0, "a b\n", ""),
    ],
)
async def test_command(stage: Stage, command: list[str], code: int, shown: str, errors: str) -> None:
    ended, session = await run(stage, command)
    assert (ended, session.shown, session.errors) == (code, shown, errors)


async def test_program_that_is_not_there(stage: Stage) -> None:
    code, session = await run(stage, ["nosuch"])
    assert code == 127
    assert 'exec: "nosuch": executable file not found in $PATH' in session.errors


async def test_ls_of_the_root(stage: Stage) -> None:
    _, session = await run(stage, ["ls", "/"])
    assert {"bin", "etc", "tmp"} <= set(session.shown.split())


async def test_shell_reads_its_input(stage: Stage) -> None:
    code, session = await run(stage, ["sh"], "A=1\necho $A$COLOUR\n", "cd /tmp; pwd\nfalse\n", "exit 3\necho never\n")
    assert (code, session.shown) == (3, "1blue\n/tmp\n")


async def test_shell_ends_with_its_input(stage: Stage) -> None:
    code, session = await run(stage, ["sh"], "false\n")
    assert (code, session.shown) == (1, "")


async def test_cat_repeats_its_input(stage: Stage) -> None:
    code, session = await run(stage, ["cat"], "one\ntw", "o\n")
    assert (code, session.shown) == (0, "one\ntwo\n")


async def test_terminal_echoes_and_edits(stage: Stage) -> None:
    code, session = await run(stage, ["sh"], "ecx\x7fho hi\r", "\x03", "exit 4\r", tty=True)
    assert code == 4
    assert session.shown == "/ # ecx\b \bho hi\r\nhi\r\n/ # ^C\r\n/ # exit 4\r\n"


async def test_end_of_input_key_ends_the_shell(stage: Stage) -> None:
    code, _ = await run(stage, ["sh"], "true\r\x04", tty=True)
    assert code == 0


async def test_sleep_lasts_as_long_as_the_clusters_time(stage: Stage) -> None:
    session = Session()
    task = asyncio.ensure_future(stage.kubelets.exec(stage.read(), "c", ["sh", "-c", "sleep 30; echo done"], False, session))
    await asyncio.sleep(0.01)
    stage.run(29)
    await asyncio.sleep(0.01)
    assert not task.done()
    stage.run(2)
    assert await asyncio.wait_for(task, 5) == 0
    assert session.shown == "done\n"


async def test_interrupt_key_ends_a_sleep(stage: Stage) -> None:
    session = Session("sleep 1000\r")
    task = asyncio.ensure_future(stage.kubelets.exec(stage.read(), "c", ["sh"], True, session))
    await asyncio.sleep(0.01)
    session.typed.put_nowait(b"\x03")
    await asyncio.sleep(0.01)
    session.typed.put_nowait(b"echo $?; exit 5\r")
    assert await asyncio.wait_for(task, 5) == 5
    assert "\r\n130\r\n" in session.shown


async def test_client_that_goes_leaves_nothing(stage: Stage) -> None:
    session = Session()
    task = asyncio.ensure_future(stage.kubelets.exec(stage.read(), "c", ["sleep", "1000"], False, session))
    await asyncio.sleep(0.01)
    before = len(asyncio.all_tasks())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) < before
    stage.run(2000)


async def test_what_exec_writes_stays_in_the_container(stage: Stage) -> None:
    await run(stage, ["sh", "-c", "echo kept > /run/x"])
    _, session = await run(stage, ["cat", "/run/x"])
    assert session.shown == "kept\n"


async def test_image_without_a_shell(stage: Stage) -> None:
    stage.pod("w", containers=[{"name": "c", "image": WEB}])
    stage.run(5)
    session = Session("")
    assert await stage.kubelets.exec(stage.read("w"), "c", ["sh"], True, session) == 127
    assert 'exec: "sh": executable file not found in $PATH' in session.errors


async def test_container_that_does_not_run(stage: Stage) -> None:
    stage.box("exit 1", "q")
    stage.run(20)
    session = Session("")
    assert await stage.kubelets.exec(stage.read("q"), "c", ["true"], False, session) == 1
    assert session.errors == 'container not found ("c")\n'


def test_log_is_followed_to_its_end(stage: Stage) -> None:
    stage.box("for i in 1 2; do sleep 5; echo $i; done", "q", restartPolicy="Never")
    stage.run(4)
    journal = stage.kubelets.log(stage.read("q"), "c", False)
    assert journal is not None
    seen: list[LogLine | None] = []
    journal.follow(seen.append)
    stage.run(20)
    assert [line.text if line else None for line in seen] == ["1", "2", None]
    again: list[LogLine | None] = []
    journal.follow(again.append)
    assert again == [None]


def test_follower_that_leaves_hears_no_more(stage: Stage) -> None:
    journal = stage.kubelets.log(stage.read(), "c", False)
    assert journal is not None
    seen: list[LogLine | None] = []
    journal.follow(seen.append)()
    stage.logbook.write(stage.read()["metadata"]["uid"], "c", "more")
    assert seen == []
    assert stage.log() == ["started", "more"]


def test_previous_log_while_the_container_waits_and_while_it_runs(stage: Stage) -> None:
    volumes = [{"name": "d", "emptyDir": {}}]
    mounts = [{"name": "d", "mountPath": "/d"}]
    program = "echo x >> /d/runs; cat /d/runs | wc -l; sleep 3; exit 1"
    stage.box(program, "q", container={"volumeMounts": mounts}, volumes=volumes)
    stage.run(4)
    assert stage.log(name="q") == ["1"]
    assert stage.kubelets.log(stage.read("q"), "c", True) is None
    stage.run(4)
    assert stage.log(name="q") == ["2"]
    assert stage.log(name="q", previous=True) == ["1"]
    stage.run(4)
    assert stage.waiting(name="q")[0] == "CrashLoopBackOff"
    assert stage.log(name="q") == ["2"]
    assert stage.log(name="q", previous=True) == ["2"]  # both name the run that has ended, as upstream's do


def test_container_that_waits_has_no_log(stage: Stage) -> None:
    stage.pod("q", containers=[{"name": "c", "image": "nginx:nope"}])
    stage.run(5)
    assert stage.kubelets.log(stage.read("q"), "c", False) is None


def test_logbook_keeps_the_newest_lines() -> None:
    logbook = Logbook(VirtualClock())
    logbook.write("u", "c", "nobody runs")
    assert logbook.read("u", "c") is None
    logbook.begin("u", "c")
    for number in range(LINES + 10):
        logbook.write("u", "c", f"{number}")
    journal = logbook.read("u", "c")
    assert journal is not None
    assert len(journal.lines()) == LINES
    assert journal.lines()[0].text == "10"
    logbook.end("u", "c")
    logbook.write("u", "c", "too late")
    assert journal.lines()[-1].text == str(LINES + 9)
    logbook.begin("u", "c")
    assert logbook.read("u", "c", previous=True) is journal
    logbook.forget("u", ["c"])
    assert logbook.read("u", "c") is None


SHELL = "command -v bash >/dev/null && exec bash || exec sh"


async def test_a_program_may_become_an_interactive_shell(stage: Stage) -> None:
    code, session = await run(stage, ["sh", "-c", SHELL], "echo $((20+22))\r", "sh\r", "exit 4\r", "echo back $?\r", "exit 3\r", tty=True)
    assert code == 3
    assert "\n42\r\n" in session.shown
    assert "back 4\r\n" in session.shown
    assert session.shown.startswith("/ # ")


async def test_without_a_terminal_a_shell_reads_all_of_its_input_first(stage: Stage) -> None:
    code, session = await run(stage, ["sh", "-c", SHELL], "echo a\necho $((1+1))\nexit 5\n")
    assert (code, session.shown) == (5, "a\n2\n")


async def test_command_says_what_a_name_is(stage: Stage) -> None:
    code, session = await run(stage, ["sh", "-c", "command -v cat; command -v nosuch || echo none; command echo hi"])
    assert (code, session.shown) == (0, "cat\nnone\nhi\n")
