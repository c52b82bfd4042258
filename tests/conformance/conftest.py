"""Every test here runs on the embedded cluster, and on the one that KUBEPANE_TEST_KUBECONFIG names: the same calls, the same expectations."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.peers import SPEED, Peer, Space
from kubepane_embedded.cluster import ServedCluster
from kubepane_embedded.seeds.clusters import Wanted, seeded

KUBECONFIG = os.environ.get("KUBEPANE_TEST_KUBECONFIG", "")
NUMBERS = itertools.count()
REAL = [pytest.mark.controlplane, pytest.mark.skipif(not KUBECONFIG, reason="KUBEPANE_TEST_KUBECONFIG names no real cluster")]


@pytest.fixture(scope="session", params=["embedded", pytest.param("real", marks=REAL)])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """One cluster after the other."""
    if request.param == "real":
        real = Peer("real", Path(KUBECONFIG))
        yield real
        real.door.close()
        return
    kubeconfig = tmp_path_factory.mktemp("embedded") / "kubeconfig"
    with ServedCluster(seeded(Wanted(speed=SPEED, nodes=3, kubeconfig=kubeconfig))):
        embedded = Peer("embedded", kubeconfig)
        yield embedded
        embedded.door.close()


@pytest.fixture(autouse=True)
def able(request: pytest.FixtureRequest) -> None:
    """Skip what this cluster cannot do, and say so."""
    if "peer" not in request.fixturenames:
        return
    peer: Peer = request.getfixturevalue("peer")
    if request.node.get_closest_marker("needs_kubelet") and not peer.has_kubelet:
        pytest.skip(f"{peer.name}: its nodes are played by KWOK, which knows no probes")
    if request.node.get_closest_marker("needs_metrics") and not peer.has_metrics:
        pytest.skip(f"{peer.name}: metrics.k8s.io is not served")
    if request.node.get_closest_marker("needs_kubectl") and shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")


@pytest.fixture
def space(peer: Peer) -> Iterator[Space]:
    """A namespace of the test's own, with its service account, deleted afterwards."""
    name = f"conformance-{secrets.token_hex(3)}-{next(NUMBERS)}"
    peer.door.create("/api/v1/namespaces", {"metadata": {"name": name}})
    one = Space(peer, name)
    peer.door.until(one.core("serviceaccounts", "default"), lambda _: True)
    yield one
    peer.door.delete(f"/api/v1/namespaces/{name}")
