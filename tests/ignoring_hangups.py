"""kubepane, started by somebody who ignores hangups: `nohup`."""

import signal
import sys

from kubepane import terminal
from kubepane.cli import main

if __name__ == "__main__":
    real = signal.signal
    terminal.signal.signal = lambda number, handler: real(number, signal.SIG_IGN if number == signal.SIGHUP else handler)  # type: ignore[assignment]
    sys.exit(main(["run", *sys.argv[1:]]))
