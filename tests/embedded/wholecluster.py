"""The whole cluster served for unmodified kubectl, on a fast clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.test_kubectl import Kubectl
from kubepane_embedded.cluster import ServedCluster
from kubepane_embedded.seeds.clusters import Wanted, seeded

SPEED = 50.0
MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
SOON = "--timeout=30s"


@contextmanager
def kubectl_on(folder: Path, story: bool = False, speed: float = SPEED) -> Iterator[Kubectl]:
    """kubectl on a whole cluster that is served until the block ends."""
    path = folder / "kubeconfig"
    with ServedCluster(seeded(Wanted(speed=speed, story=story, kubeconfig=path))):
        yield Kubectl(path)


def words(text: str) -> list[list[str]]:
    """A table as words, its heading left out."""
    return [line.split() for line in text.splitlines()[1:] if line]
