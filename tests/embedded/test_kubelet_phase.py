"""The phase of a pod by the states of its containers (getPhase)."""

from __future__ import annotations

import pytest

from embedded.kubelet_stage import Stage
from kubepane_embedded.kubelet.creating import found_running
from kubepane_embedded.kubelet.phase import phase_of
from kubepane_embedded.kubelet.records import Ending, Kind, Slot, Waiting

CASES = [
    ("w", "Always", False, "Pending"),
    ("r", "Always", False, "Running"),
    ("rw", "Always", False, "Pending"),
    ("r0", "Never", False, "Running"),
    ("0", "Always", False, "Running"),
    ("0", "OnFailure", False, "Succeeded"),
    ("1", "OnFailure", False, "Running"),
    ("00", "Never", False, "Succeeded"),
    ("01", "Never", False, "Failed"),
    ("0", "Always", True, "Succeeded"),
    ("01", "Always", True, "Failed"),
    ("b", "Always", False, "Running"),
    ("b", "Always", True, "Failed"),
]
"""Containers (w waits, r runs, 0 and 1 have ended so, b is in back-off), policy, whether all is over, phase."""


@pytest.fixture(scope="module")
def stage() -> Stage:
    stage = Stage(1)
    stage.pod(containers=[{"name": "c", "image": "busybox", "command": ["sleep", "1000"]}])
    stage.run(5)
    return stage


def slot(stage: Stage, state: str, kind: Kind = Kind.MAIN) -> Slot:
    """A container in a state."""
    worker = stage.kubelets._workers["default", "p"]
    made = Slot("c", kind, worker.slots[0].spec)
    if state == "w":
        return made
    made.run = found_running(worker, made)
    if state in "01b":
        made.run.ending = Ending(int(state == "1"), "", "", 0.0, "", "", "")
    if state == "b":
        made.waiting = Waiting("CrashLoopBackOff")
    return made


@pytest.mark.parametrize(("states", "policy", "terminal", "phase"), CASES)
def test_phase(stage: Stage, states: str, policy: str, terminal: bool, phase: str) -> None:
    assert phase_of([slot(stage, state) for state in states], policy, terminal) == phase


@pytest.mark.parametrize(
    ("init", "policy", "phase"),
    [("w", "Never", "Pending"), ("r", "Never", "Pending"), ("1", "Never", "Failed"), ("1", "Always", "Pending"), ("0", "Never", "Pending")],
)
def test_phase_while_initialising(stage: Stage, init: str, policy: str, phase: str) -> None:
    assert phase_of([slot(stage, init, Kind.INIT), slot(stage, "w")], policy, False) == phase
