"""Ports of this machine: whether one is taken, and by whom."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
ADDRESS = "127.0.0.1"
_LISTEN = "0A"  # TCP_LISTEN of the kernel's include/net/tcp_states.h
_ANSWER = 0.5  # seconds


def taken(port: int) -> bool:
    """Something listens on this port, so that a container cannot have it."""
    with socket.socket() as probe:
        probe.settimeout(_ANSWER)
        if probe.connect_ex((ADDRESS, port)) == 0:
            return True
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE  # EACCES says nothing: the engine has more rights than we
    return False


def listener(port: int) -> str:
    """The program that listens on this port, as `nginx (pid 812)`; "" when it cannot be seen, for it is somebody else's."""
    inodes = set(_inodes(port))
    if inodes:
        for process in PROC.glob("[0-9]*"):
            if inodes & set(_sockets(process)):
                with contextlib.suppress(OSError):
                    return f"{(process / 'comm').read_text(encoding='utf-8', errors='replace').strip()} (pid {process.name})"
    return ""


def lowest_without_rights() -> int:
    """The lowest port that a program without root's rights may have."""
    try:
        return int((PROC / "sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1024


def _inodes(port: int) -> Iterator[str]:
    """Of the sockets that listen on a port: `sl local_address rem_address st … inode` of Linux' proc_net_tcp."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROC / "net" / name).read_text(encoding="ascii", errors="replace").splitlines()[1:]:
                fields = line.split()
                if len(fields) > 9 and fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _sockets(process: Path) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for handle in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                target = os.readlink(handle)
                if target.startswith("socket:["):
                    yield target[8:-1]
