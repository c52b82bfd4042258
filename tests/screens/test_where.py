"""Every card says where it acts: context, cluster, namespaces."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kubepane.cluster import kinds as k
from kubepane.cluster.context import Target
from kubepane.cluster.writing import Ref
from kubepane.screens.changes import Changes

PODS = [Ref(k.PODS, "shop", "a"), Ref(k.PODS, "till", "b"), Ref(k.NODES, "", "n")]


@pytest.mark.parametrize(
    ("cluster", "refs", "said"),
    [
        ("eu-1", PODS, "shop-admin on eu-1  ns shop, till"),
        ("shop-admin", PODS[:1], "shop-admin  ns shop"),
        ("eu-1", PODS[2:], "shop-admin on eu-1"),
    ],
)
def test_context_cluster_and_namespaces(cluster: str, refs: list[Ref], said: str) -> None:
    session: Any = SimpleNamespace(context="shop-admin", target=Target("shop-admin", cluster, "", "", ""))
    nothing: Any = None
    where = Changes(nothing, session, nothing, nothing, nothing)._where(refs)
    assert "".join(text for text, _ in where) == said
