"""The journal in a file: private, bounded, without secrets, and never a reason to stop."""

from __future__ import annotations

import os
from collections.abc import Callable

from kubepane.cluster.errors import BadConfig
from kubepane.cluster.journal import Line
from kubepane.cluster.redaction import one_line

MOST = 10 << 20  # bytes that one run adds at most


def to(path: str) -> Callable[[Line], None]:
    """What writes lines to the end of a file that only its owner can read.

    Raises:
        BadConfig: the file cannot be written, or it is a link.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BadConfig(f"cannot write the log file {path}: {error.strerror}") from None
    written = 0

    def write(line: Line) -> None:
        nonlocal written
        data = f"{line.at:%Y-%m-%dT%H:%M:%SZ} {line.subject} {one_line(line.text)}\n".encode()
        written += len(data)
        if written <= MOST:
            try:
                os.write(handle, data)
            except OSError:
                written = MOST  # a full disk: the screen goes on, the file ends here

    return write
