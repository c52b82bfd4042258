"""What a bug in our own code leaves behind: a short report without secrets, and the right exit code."""

from __future__ import annotations

import traceback

from kubepane import __version__
from kubepane.cluster.redaction import redact
from kubepane_widgets.text import clean

EXIT = 70  # EX_SOFTWARE of sysexits.h


def report(error: BaseException) -> str:
    """The report: where it happened, without the values of variables, secrets taken out, nothing the terminal would obey."""
    stack = traceback.TracebackException.from_exception(error, capture_locals=False)
    lines = [clean(redact(line)) for block in stack.format() for line in block.splitlines()]
    return "\n".join([f"kubepane {__version__} ended by a bug of its own; nothing in the cluster was changed by that.", *lines])
