"""kubepane, started by somebody who ignores hangups: `nohup`."""

import signal
import sys
from typing import Any

from kubepane.cli import main

_set = signal.signal


def ignoring(number: int, handler: Any) -> Any:
    """Sets the handler, but hangups stay ignored."""
    return _set(number, signal.SIG_IGN if number == signal.SIGHUP else handler)


if __name__ == "__main__":
    signal.signal = ignoring  # type: ignore[assignment]
    sys.exit(main(["run", *sys.argv[1:]]))
