"""Programs that print credentials: what they are told, what they may print, and what happens to those that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.authority import authority
from kubepane.cluster.context import Context, ExecPlugin, Pem, User
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.exec_plugin import MAX_OUTPUT, _Pipe, exec_info, run

V1 = "client.authentication.k8s.io/v1"
CANARY = "c4n4ry-0123456789abcdef"
Write = Callable[..., ExecPlugin]


@pytest.fixture
def script(tmp_path: Path) -> Write:
    """Writes a plugin in Python."""

    def write(body: str, **how: Any) -> ExecPlugin:
        path = tmp_path / "login"
        path.write_text(f"#!{sys.executable} -IS\nimport json, os, sys, time\n" + textwrap.dedent(body))
        path.chmod(0o755)
        return ExecPlugin(**{"api_version": V1, "command": str(path), **how})

    return write


def credential(version: str = V1, **status: Any) -> str:
    """The line of a plugin that prints these credentials."""
    return f"print({json.dumps(json.dumps({'kind': 'ExecCredential', 'apiVersion': version, 'status': status}))})\n"


@contextmanager
def typed_ahead(keys: bytes) -> Iterator[None]:
    """Something waits at this process' standard input."""
    reading, writing = os.pipe()
    os.write(writing, keys)
    os.close(writing)
    kept = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


async def refused(plugin: ExecPlugin, **how: Any) -> str:
    with pytest.raises(BadConfig) as caught:
        await run(plugin, {}, dict(os.environ), **how)
    text = str(caught.value)
    assert "\n" not in text
    assert CANARY not in text
    return text


# ---- what it may print ---------------------------------------------------------------------------------------------------


async def test_a_token_and_a_certificate_with_an_end(script: Write) -> None:
    client = authority().issue("me")
    status = {"clientCertificateData": client.certificate.decode(), "clientKeyData": client.key.decode()}
    plugin = script(credential(token="t0k", expirationTimestamp="2026-01-02T03:04:05Z", **status))
    issued = await run(plugin, {}, dict(os.environ))
    assert issued.token == "t0k"
    assert issued.certificate.strip() == client.certificate.strip()
    assert issued.key.strip() == client.key.strip()
    assert issued.expires == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert "t0k" not in repr(issued)


@pytest.mark.parametrize("stamp", ["2026-01-02T03:04:05.123456Z", "2026-01-02T04:04:05+01:00", "2026-01-02T03:04:05"])
async def test_ways_to_write_a_time(script: Write, stamp: str) -> None:
    issued = await run(script(credential(token="t", expirationTimestamp=stamp)), {}, dict(os.environ))
    assert issued.expires is not None
    assert issued.expires.replace(microsecond=0) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("print('token: " + CANARY + "')", "printed no JSON"),
        ("print('[' * 100000)", "printed no JSON"),
        ("sys.stdout.buffer.write(bytes(range(128, 256)))", "printed no JSON"),
        ("", "printed no JSON"),
        ("print('[]')", "no ExecCredential"),
        ('print(\'{"kind": "Secret"}\')', "no ExecCredential"),
        (credential("client.authentication.k8s.io/v1beta1", token=CANARY), "change apiVersion there"),
        (credential(), "neither a token nor a certificate"),
        (credential(token=5), "neither a token nor a certificate"),
        ('print(\'{"kind": "ExecCredential", "apiVersion": "' + V1 + "\"}')", "neither a token nor a certificate"),
        (credential(clientKeyData=CANARY), "a certificate without a key, or the reverse"),
        (credential(token=CANARY, expirationTimestamp="soon"), "no time"),
        (credential(token=CANARY, expirationTimestamp=7), "no time"),
        (f"sys.stdout.write('x' * {2 * MAX_OUTPUT})", "printed more than 1 MiB"),
    ],
)
async def test_what_is_no_credential(script: Write, body: str, why: str) -> None:
    text = await refused(script(body))
    assert why in text
    assert "login" in text


# ---- what it is told -----------------------------------------------------------------------------------------------------


async def test_it_gets_its_arguments_and_environment_and_no_terminal(script: Write, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    body = f"""
        try:
            os.open("/dev/tty", os.O_RDWR)
            terminal = True
        except OSError:
            terminal = False
        with open({str(seen)!r}, "w") as out:
            json.dump([sys.argv[1:], os.environ["OWN"], os.environ["GIVEN"], json.loads(os.environ["KUBERNETES_EXEC_INFO"]), sys.stdin.read(),
                       os.getpgid(0) == os.getpid(), terminal], out)
    """
    plugin = script(textwrap.dedent(body) + credential(token="t"), args=("a b", "$HOME; rm *"), env=(("OWN", "1"),))
    with typed_ahead(b"the user's keys"):
        await run(plugin, {"x": 1}, {**os.environ, "GIVEN": "2", "OWN": "0"})
    assert json.loads(seen.read_text()) == [["a b", "$HOME; rm *"], "1", "2", {"x": 1}, "", True, False]


def test_the_cluster_is_only_told_when_it_is_asked_for() -> None:
    context = Context(
        name="c", server="https://h", ca=Pem(data=b"PEM"), tls_server_name="n", user=User(), disable_compression=True, proxy_url="http://p:1"
    )
    silent = ExecPlugin(V1, "x")
    assert exec_info(silent, context, {}) == {"kind": "ExecCredential", "apiVersion": V1, "spec": {"interactive": False}}
    curious = ExecPlugin(V1, "x", provide_cluster_info=True, cluster_config={"audience": 7})
    assert exec_info(curious, context, {})["spec"]["cluster"] == {
        "server": "https://h",
        "tls-server-name": "n",
        "certificate-authority-data": "UEVN",
        "proxy-url": "http://p:1",
        "disable-compression": True,
        "config": {"audience": 7},
    }


async def test_a_name_is_looked_up_in_its_own_path(script: Write, tmp_path: Path) -> None:
    script(credential(token="t"))
    issued = await run(ExecPlugin(V1, "login"), {}, {"PATH": str(tmp_path)})
    assert issued.token == "t"


# ---- what it may not do --------------------------------------------------------------------------------------------------


async def test_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = await refused(ExecPlugin(V1, "no-such-plugin", install_hint="get it\nfrom \x1b[31mus"))
    assert "no-such-plugin is not installed" in text
    assert "get it from" in text
    assert "\x1b" not in text
    assert "does not exist" in await refused(ExecPlugin(V1, str(tmp_path / "gone")))
    (tmp_path / "here").write_text("#!/bin/sh\n")
    (tmp_path / "here").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadConfig, match="not installed"):  # never from the folder we happen to be in
        await run(ExecPlugin(V1, "here"), {}, {"PATH": ""})
    with pytest.raises(BadConfig, match="not installed"):
        await run(ExecPlugin(V1, "here"), {}, {"PATH": ".:"})


async def test_it_cannot_be_run(tmp_path: Path) -> None:
    path = tmp_path / "login"
    path.write_text("hello")
    assert "cannot be run: Permission denied" in await refused(ExecPlugin(V1, str(path)))
    path.chmod(0o755)
    assert "cannot be run: Exec format error" in await refused(ExecPlugin(V1, str(path)))


async def test_it_fails_and_its_last_line_is_told_without_secrets(script: Write) -> None:
    body = f"sys.stderr.write('trace\\ntrace\\nError: log\\x1b[2J in again, token={CANARY}\\n\\n'); sys.exit(3)"
    text = await refused(script(body))
    assert text.endswith("ended with exit code 3: Error: log [2J in again, token=***")
    assert "ended by signal 9" in await refused(script("os.kill(os.getpid(), 9)"))


async def test_a_megabyte_of_complaints_does_not_block_it(script: Write) -> None:
    body = "sys.stderr.write('blah blah\\n' * 300000)\n" + credential(token="t")
    assert (await run(script(body), {}, dict(os.environ))).token == "t"


def test_no_more_is_kept_of_a_pipe_than_its_limit() -> None:
    pipe = _Pipe(10)
    for _ in range(3000):
        pipe.data_received(b"abcd")
    assert (bytes(pipe.kept), pipe.dropped, len(pipe.tail)) == (b"abcdabcdab", True, 4096)


async def test_it_hangs_and_is_stopped_with_all_it_started(script: Write, tmp_path: Path) -> None:
    child = tmp_path / "child"
    body = f"""
        pid = os.fork()
        if not pid:
            time.sleep(60)
        open({str(child)!r}, "w").write(str(pid))
        sys.stderr.write("waiting for you\\n")
        sys.stderr.flush()
        time.sleep(60)
    """
    began = time.monotonic()
    text = await refused(script(body), timeout=0.6)
    assert "gave no answer in 0.6 s and was stopped: waiting for you" in text
    assert time.monotonic() - began < 5
    pid = int(child.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_what_it_leaves_running_is_not_waited_for(script: Write) -> None:
    body = credential(token="t") + "sys.stdout.flush()\nif not os.fork():\n    os.setsid()\n    time.sleep(3)\n"
    began = time.monotonic()
    assert (await run(script(body), {}, dict(os.environ))).token == "t"
    assert time.monotonic() - began < 2.5


async def test_cancelling_stops_it(script: Write, tmp_path: Path) -> None:
    started = tmp_path / "started"
    plugin = script(f"open({str(started)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n")
    task = asyncio.ensure_future(run(plugin, {}, dict(os.environ)))
    while not (started.exists() and started.read_text()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(int(started.read_text()))


async def test_it_cannot_have_the_terminal(script: Write) -> None:
    assert "interactiveMode: Always" in await refused(script(credential(token=CANARY), interactive_mode="Always"))


async def test_no_descriptor_stays_open(script: Write) -> None:
    plugin, failing = script(credential(token="t")), ExecPlugin(V1, "/nowhere/to/be/found")
    await run(plugin, {}, dict(os.environ))
    await asyncio.sleep(0)
    before = len(os.listdir("/proc/self/fd"))
    for one in (plugin, failing):
        if one is failing:
            await refused(one)
        else:
            await run(one, {}, dict(os.environ))
    await asyncio.sleep(0)
    assert len(os.listdir("/proc/self/fd")) <= before
