"""One control plane for the tests of a module, started when the first of them asks for it; without binaries they are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from kubepane_controlplane import building
from kubepane_controlplane.plane import ControlPlane


def require() -> None:
    """Skip where no control plane can be started, and in the ordinary run of all tests: they take minutes and a gigabyte."""
    if not building.is_built():
        pytest.skip("the control plane is not built: make controlplane")
    if not os.environ.get("KUBEPANE_TEST_KUBECONFIG"):
        pytest.skip("KUBEPANE_TEST_KUBECONFIG is not set: make test-controlplane runs these")


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    """Two nodes, no metrics-server, an audit log."""
    require()
    with ControlPlane(2, metrics=False, audit=True) as running:
        yield running
