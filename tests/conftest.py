"""Who may run beside whom: with `--dist loadfile`, all files that share the one real cluster are one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

OWN = "tests/controlplane/"
"""Files here start control planes of their own."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling | None:
    """Tests on one cluster run one after another; `xdist_group` would say it, but xdist 3.8 does not find its way in pytest 9.2."""
    from xdist.scheduler import LoadFileScheduling  # where xdist is absent, or not asked, nobody calls this

    class ByCluster(LoadFileScheduling):  # type: ignore[misc]
        """A file is a unit of work, and so is the shared cluster."""

        def _split_scope(self, nodeid: str) -> str:
            scope: str = super()._split_scope(nodeid)
            return scope if nodeid.startswith(OWN) else "the shared cluster"

    return ByCluster(config, log) if config.getvalue("dist") == "loadfile" else None
