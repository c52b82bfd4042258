"""One control plane for the tests of a module, started when the first of them asks for it; without binaries they are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kubepane_controlplane import building
from kubepane_controlplane.plane import ControlPlane

NOT_BUILT = "the control plane is not built: make controlplane"


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Two nodes, no metrics-server, an audit log."""
    if not building.is_built():
        pytest.skip(NOT_BUILT)
    with ControlPlane(2, metrics=False, audit=True) as running:
        yield running
