"""Fixtures for all rooms, and who may run beside whom."""

from __future__ import annotations

from pathlib import Path

import pytest

OWN = Path(__file__).with_name("controlplane")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on one real cluster run one after another (`--dist loadgroup`); those that start a control plane of their own run beside them."""
    for item in items:
        if item.get_closest_marker("controlplane"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem if item.path.parent == OWN else "cluster"))
