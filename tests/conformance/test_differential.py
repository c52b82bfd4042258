"""The same seeded random calls on the embedded API server and on a real one, both alone: no controller, scheduler or kubelet interferes.

KUBEPANE_SEEDS=200 tries more of them.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kubepane_embedded
from conformance.door import Door
from conformance.randomcalls import Call, script
from conformance.sameness import Side, compared, unlike
from conformance.tolerated import KEPT, unexplained
from controlplane.conftest import require
from kubepane_controlplane.plane import ControlPlane
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster

SEEDS = int(os.environ.get("KUBEPANE_SEEDS", "40"))
LENGTH = 60
AGREEMENT = 0.96
real = [pytest.mark.controlplane, pytest.mark.timeout(600)]
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, Door]]:
    """Embedded and real; a real control plane whose controllers have made the first namespaces and have ended."""
    require()
    kubeconfig = tmp_path_factory.mktemp("alone") / "kubeconfig"
    with ControlPlane(0, metrics=False) as plane, ServedCluster(EmbeddedCluster(kubeconfig=kubeconfig)):
        plane.parts["kube-controller-manager"].kill()
        plane.parts["kube-scheduler"].kill()
        both = Door(kubeconfig), Door(plane.kubeconfig)
        yield both
        for door in both:
            door.close()


def calls(doors: tuple[Door, Door], seed: int, wild: float) -> list[Call]:
    """The script of a seed in a namespace of its own, which both have."""
    namespace = f"seed-{seed}-{next(NUMBERS)}"
    for door in doors:
        door.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        door("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    return script(seed, LENGTH, namespace, wild)


@pytest.mark.parametrize("first", range(0, SEEDS, 10))
class TestReal:
    """Ten seeds a time."""

    pytestmark = real

    def test_good_calls_have_the_same_answers(self, doors: tuple[Door, Door], first: int) -> None:
        for seed in range(first, first + 10):
            found = compared(Side(doors[0]), Side(doors[1]), calls(doors, seed, 0.0))
            assert not [f"seed {seed}: {difference}" for difference in unexplained(found)]

    def test_spoilt_calls_have_the_same_codes(self, doors: tuple[Door, Door], first: int) -> None:
        made, found = 0, []
        for seed in range(first, first + 10):
            sent = calls(doors, seed, 1.0)
            made += len(sent)
            found += compared(Side(doors[0]), Side(doors[1]), sent)
        unlike_codes = [difference for difference in found if difference.first[0] != difference.second[0]]
        crashed = [f"{difference}" for difference in found if difference.first[0] in (0, 500) and difference.second[0] not in (0, 500)]
        assert crashed == []
        assert 1 - len(unlike_codes) / made >= AGREEMENT, "\n".join(map(str, unlike_codes))


def test_what_is_kept_is_written_down() -> None:
    text = (Path(kubepane_embedded.__file__).parent / "DIFFERENCES.md").read_text(encoding="utf-8")
    assert {kept.title for kept in KEPT} == set(re.findall(r"^### (.+)$", text, re.MULTILINE))


def test_scripts_are_the_same_for_the_same_seed() -> None:
    assert script(7, LENGTH, "n") == script(7, LENGTH, "n")
    assert script(7, LENGTH, "n") != script(8, LENGTH, "n")
    kinds = {call.method + call.content for seed in range(10) for call in script(seed, LENGTH, "n")}
    assert len(kinds) >= 7


def test_what_is_unlike_is_named() -> None:
    assert unlike({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}) == [".a[1].b:\n    1: 2\n    2: 3"]
    assert unlike({"a": 1}, {"a": 1}) == []
