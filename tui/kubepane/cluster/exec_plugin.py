"""Runs the programs that print credentials (KEP-541): no shell, no terminal, nothing to read, bounded output, bounded time."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kubepane.cluster.context import Context, ExecPlugin
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.proxies import proxy_for
from kubepane.cluster.redaction import one_line, remember

TIMEOUT = 30.0  # seconds
MAX_OUTPUT = 1 << 20  # bytes kept of each pipe; the rest is read and dropped
_LINGER = 1.0  # seconds to wait for the pipes' end once the program itself has ended


@dataclass(frozen=True, slots=True)
class Issued:
    """What a plugin printed.

    Attributes:
        expires: when it becomes useless, None when the plugin did not say.
    """

    token: str = field(default="", repr=False)
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    expires: datetime | None = None


async def run(plugin: ExecPlugin, info: Mapping[str, Any], env: Mapping[str, str], *, timeout: float = TIMEOUT) -> Issued:
    """Runs the plugin once.

    Args:
        info: what it is told in KUBERNETES_EXEC_INFO, see `exec_info`.
        env: the environment it starts from, before its own entries.
        timeout: seconds until it is killed, with everything it started.

    Raises:
        BadConfig: it is missing, failed, took too long, or printed something else than credentials.
    """
    name = os.path.basename(plugin.command)
    if plugin.interactive_mode == "Always":
        raise BadConfig(f"the exec plugin {name} wants to ask on the terminal (interactiveMode: Always): log in with it first, then set IfAvailable")
    surroundings = {**env, **dict(plugin.env), "KUBERNETES_EXEC_INFO": json.dumps(info)}
    out, err = _Pipe(MAX_OUTPUT), _Pipe(MAX_OUTPUT)
    try:
        async with asyncio.timeout(timeout):
            code = await _run((_found(plugin, surroundings), *plugin.args), surroundings, out, err)
    except TimeoutError:
        raise BadConfig(f"the exec plugin {name} gave no answer in {timeout:g} s and was stopped{_said(err)}") from None
    except (OSError, ValueError) as error:
        raise BadConfig(f"the exec plugin {name} cannot be run: {getattr(error, 'strerror', None) or error}{_hint(plugin)}") from None
    if code != 0:
        why = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise BadConfig(f"the exec plugin {name} {why}{_said(err)}")
    if out.dropped:
        raise BadConfig(f"the exec plugin {name} printed more than {MAX_OUTPUT >> 20} MiB, which is no credential")
    return _issued(name, plugin.api_version, bytes(out.kept), _said(err))


def exec_info(plugin: ExecPlugin, context: Context, env: Mapping[str, str]) -> dict[str, Any]:
    """The ExecCredential a plugin is started with: never interactive, with the cluster when it asks for that."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        cluster: dict[str, Any] = {
            "server": context.server,
            "tls-server-name": context.tls_server_name,
            "insecure-skip-tls-verify": context.insecure,
            "certificate-authority-data": base64.b64encode(context.ca.read("certificate authority")).decode() if context.ca else "",
            "proxy-url": proxy_for(context.server, context.proxy_url, env),
            "disable-compression": context.disable_compression,
            "config": plugin.cluster_config,
        }
        spec["cluster"] = {key: value for key, value in cluster.items() if value or key in ("server", "config")}
    return {"kind": "ExecCredential", "apiVersion": plugin.api_version, "spec": spec}


class _Pipe(asyncio.Protocol):
    """Reads a pipe to its end and keeps its first bytes, and its last 4 KiB for messages."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept = bytearray()
        self.tail = b""
        self.dropped = False
        self.ended = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        room = self.limit - len(self.kept)
        self.kept += data[:room]
        self.dropped = self.dropped or len(data) > room
        self.tail = (self.tail + data)[-4096:]

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


async def _run(command: tuple[str, ...], env: Mapping[str, str], out: _Pipe, err: _Pipe) -> int:
    """Runs a program in a session of its own, where no terminal can be opened, and gives its exit code (negative: a signal)."""
    async with contextlib.AsyncExitStack() as stack:
        # Pipes of our own: those of asyncio stay open as long as any grandchild holds them.
        ends = [await _opened(pipe, stack) for pipe in (out, err)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command, env=dict(env), stdin=asyncio.subprocess.DEVNULL, stdout=ends[0], stderr=ends[1], start_new_session=True
            )
        finally:
            for end in ends:
                os.close(end)
        try:
            code = await process.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(out.ended.wait(), err.ended.wait()), _LINGER)
            return code
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())


async def _opened(pipe: _Pipe, stack: contextlib.AsyncExitStack) -> int:
    """A new pipe that `pipe` reads until the stack closes; gives the descriptor to write to, which the caller closes."""
    reading, writing = os.pipe()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: pipe, os.fdopen(reading, "rb", buffering=0))
    stack.callback(transport.close)
    return writing


def _found(plugin: ExecPlugin, env: Mapping[str, str]) -> str:
    command = plugin.command
    path = command if os.path.isabs(command) else shutil.which(command, path=env.get("PATH"))
    if path is None or not os.path.isabs(path):
        raise BadConfig(f"the exec plugin {one_line(command, 80)} is not installed: it is not in PATH{_hint(plugin)}")
    if not os.path.exists(path):
        raise BadConfig(f"the exec plugin {one_line(command, 120)} does not exist{_hint(plugin)}")
    return path


def _issued(name: str, version: str, output: bytes, said: str) -> Issued:
    try:
        answer = json.loads(output)
    except (ValueError, RecursionError):
        raise BadConfig(f"the exec plugin {name} printed no JSON where credentials are expected{said}") from None
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential":
        raise BadConfig(f"the exec plugin {name} printed JSON that is no ExecCredential{said}")
    if answer.get("apiVersion") != version:
        theirs = one_line(str(answer.get("apiVersion")), 80)
        raise BadConfig(f"the exec plugin {name} answers in {theirs}, the kubeconfig asks for {version}: change apiVersion there")
    status = answer.get("status")
    values = [status.get(key) or "" for key in ("token", "clientCertificateData", "clientKeyData")] if isinstance(status, dict) else ["", "", ""]
    if not all(isinstance(value, str) for value in values) or not any(values):
        raise BadConfig(f"the exec plugin {name} gave neither a token nor a certificate{said}")
    token, certificate, key = (value.strip() for value in values)
    if bool(certificate) != bool(key):
        raise BadConfig(f"the exec plugin {name} gave a certificate without a key, or the reverse")
    remember(token)
    remember(key)
    assert isinstance(status, dict)
    return Issued(token, certificate.encode(), key.encode(), _expires(name, status.get("expirationTimestamp")))


def _expires(name: str, text: Any) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadConfig(f"the exec plugin {name} gave an expirationTimestamp that is no time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _said(err: _Pipe) -> str:
    """The last line of what the plugin complained about, for the end of a message."""
    lines = [line for raw in err.tail.decode(errors="replace").splitlines() if (line := one_line(raw, 200))]
    return f": {lines[-1]}" if lines else ""


def _hint(plugin: ExecPlugin) -> str:
    return f"; {one_line(plugin.install_hint)}" if plugin.install_hint.strip() else ""
