"""All moving parts of a cluster, put together."""

from __future__ import annotations

from kubepane_embedded.core import Core
from kubepane_embedded.parts import Parts


def everything(core: Core) -> Parts:
    """The parts of a whole cluster; see `parts.Assembly`."""
    return Parts()
