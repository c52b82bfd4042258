"""How a command ends: the exit codes, and the line on stderr that says why it was not done."""

from __future__ import annotations

import sys

from kubepane_widgets.text import clean

DONE, NO, USAGE, UNREACHABLE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 130


def sorry(text: str, code: int) -> int:
    """Writes one line on stderr, cleaned, since parts of it may come from a cluster or a kubeconfig.

    Returns:
        The exit code that was given.
    """
    sys.stderr.write(f"kubepane {clean(text)}\n")
    return code
