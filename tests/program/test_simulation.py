"""The simulated cluster from the command line: `kubepane cluster serve`."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kubepane import cli, exits
from sources import ROOTS


def words(*more: str) -> list[str]:
    return [sys.executable, "-m", "kubepane", "cluster", "serve", *more]


ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, ROOTS.values()))}


@contextmanager
def serving(*more: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    with subprocess.Popen(words(*more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def read(kubeconfig: Path, path: str) -> Any:
    server = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    with urllib.request.urlopen(server + path, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_first_line_is_a_kubeconfig_that_works_and_goes_with_it(number: signal.Signals) -> None:
    with serving("--nodes", "2", "--pods", "5") as (process, kubeconfig):
        assert stat.S_IMODE(kubeconfig.stat().st_mode) == 0o600
        assert [node["metadata"]["name"] for node in read(kubeconfig, "/api/v1/nodes")["items"]] == [
            "kubepane-control-plane",
            "kubepane-worker",
            "kubepane-worker2",
        ]
        assert [pod["status"]["phase"] for pod in read(kubeconfig, "/api/v1/namespaces/load/pods")["items"]] == ["Running"] * 5
        assert read(kubeconfig, "/version")["gitVersion"] == "v1.35.4+embedded"
        process.send_signal(number)
        assert process.wait(10) == 0
        assert not kubeconfig.exists()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_named_kubeconfig_is_written_there(tmp_path: Path) -> None:
    wanted = tmp_path / "config"
    with serving("--kubeconfig", str(wanted)) as (_, kubeconfig):
        assert kubeconfig == wanted
        assert stat.S_IMODE(wanted.stat().st_mode) == 0o600


def test_a_port_that_is_taken_is_one_line_and_exit_3() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(words("--port", str(taken.getsockname()[1])), env=ENV, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == exits.UNREACHABLE
    assert done.stdout == ""
    assert done.stderr.startswith("kubepane: cannot serve the simulated cluster: ")
    assert done.stderr.count("\n") == 1
    assert "in use" in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("serve", "--speed", "0"), "no speed from 0.1 to 1000"),
        (("serve", "--speed", "nan"), "no speed from 0.1 to 1000"),
        (("serve", "--pods", "-3"), "no whole number from 0 to 65535"),
        (("serve", "--port", "70000"), "no whole number from 0 to 65535"),
        (("serve", "--nodes", "²"), "no whole number from 0 to 65535"),
        ((), "COMMAND"),
    ],
)
def test_wrong_options_are_one_line_and_exit_2(given: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["cluster", *given])
    assert end.value.code == exits.USAGE
    text = capsys.readouterr().err
    assert said in text
    assert text.count("\n") == 1
