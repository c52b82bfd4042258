"""`python -m kubepane`."""

import sys

from kubepane.cli import main

if __name__ == "__main__":
    sys.exit(main())
