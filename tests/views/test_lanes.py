from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from clusters import live
from kubepane.insight.finding import Level
from kubepane.insight.rollout_status import Verdict
from kubepane.insight.rollouts import Phase, Rollout, Side
from kubepane.insight.workloads import Assessment, assess
from kubepane.views.lanes import CELLS, lane
from kubepane_widgets.lines import Line, width
from rolling import daemonset, deployment, statefulset


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


LANES: list[tuple[Any, str, list[str]]] = [
    (lambda s: deployment(s, "rr", "rsp"), "■■ → ■◧□·", ["muted", "muted", "ok", "accent", "warn", "muted"]),
    (lambda s: deployment(s, "", "rrrr", reason="NewReplicaSetAvailable"), "■■■■", ["soft"]),
    (lambda s: deployment(s, "", "rrrs", reason="NewReplicaSetAvailable"), "■■■◧", ["ok", "accent"]),
    (lambda s: deployment(s, None, "", desired=0, reason="NewReplicaSetAvailable"), "", []),
    (lambda s: deployment(s, "rrr", "r", spec={"paused": True}), "■■■ → ■···", ["muted", "muted", "ok", "muted"]),
    (lambda s: statefulset(s, "", "p", desired=1), "□", ["warn"]),
    (lambda s: statefulset(s, "rr", "r", rolling={"partition": 2}), "■■ → ■", ["muted", "muted", "ok"]),
    (lambda s: daemonset(s, "rr", "s"), "■■ → ◧··", ["muted", "muted", "accent", "muted"]),
]


@pytest.mark.parametrize(("made", "wanted", "tones"), LANES, ids=range(len(LANES)))
def test_one_square_a_pod(made: Any, wanted: str, tones: list[str]) -> None:
    stores = live()
    drawn = lane(assess(made(stores), stores))
    assert (text(drawn), [tone for _, tone in drawn]) == (wanted, tones)


def test_more_pods_than_cells_are_a_meter() -> None:
    stores = live()
    assert text(lane(assess(deployment(stores, "r" * 30, "r" * 10 + "s" * 10, desired=50), stores))) == "███ → █▓░░░░"
    assert text(lane(assess(deployment(live(), None, "r" * 40, desired=40, reason="NewReplicaSetAvailable"), live()))) != ""


COUNTS = st.integers(0, 5_000)
SIDES = st.builds(lambda r, s, p: Side(ready=r, starting=s, pending=p), COUNTS, COUNTS, COUNTS)


@given(new=SIDES, old=st.one_of(st.none(), SIDES), desired=COUNTS, phase=st.sampled_from(Phase), cells=st.integers(9, 20))
def test_a_lane_never_takes_more_than_its_cells(new: Side, old: Side | None, desired: int, phase: Phase, cells: int) -> None:
    ro = Rollout(Verdict(""), phase, desired, new, old)
    for found in (Assessment(Level.BUSY, rollout=ro), Assessment(Level.BUSY, pods=new)):
        drawn = lane(found, cells)
        assert width(drawn) <= cells
        assert set(text(drawn)) <= set("■◧□·█▓▒░ →")


def test_a_cronjob_has_none() -> None:
    assert lane(Assessment(Level.DONE)) == []
    assert CELLS == 12
