from datetime import datetime

import pytest

from builders import NOW, put
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.stores import Stores
from kubepane.views.guarded import GuardedTable
from kubepane.views.view import World
from kubepane_widgets.columns import Row
from views.sample import ServicesView


class Sick(ServicesView):
    """Fails on purpose."""

    ill = True

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        if self.ill:
            raise KeyError("nothing")
        return super().row(key, now, width, height)


@pytest.fixture
def told() -> list[tuple[str, str]]:
    return []


def test_a_view_that_fails_says_so_and_is_tried_again(told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("kubepane.views.guarded.time.monotonic", lambda: clock[0])
    stores = Stores()
    stores.services.set_freshness(Freshness(State.LIVE))
    put(stores, k.SERVICES, "a")
    view = Sick(World(stores, Metrics()))
    table = GuardedTable(view, lambda: None, lambda: NOW, lambda name, error: told.append((name, str(error))))
    table.update()
    (key,) = table.order
    assert len(table.row(key, 80, 20).cells) == len(view.columns(80, 20))
    assert told == [("services", "'nothing'")]
    assert table.freshness.state.value == "failed"
    assert table.stale
    assert "KeyError in this pane" in "".join(text for text, _ in table.fresh())
    assert table.update() == set()
    assert list(table.order) == []
    assert told == [("services", "'nothing'")]  # not once for every paint
    view.ill = False
    clock[0] += 1.5
    table.update()
    assert table.freshness.state.value == "live"
    assert [table.row(key, 80, 20).cells[1] for key in table.order] == ["a"]


def test_pauses_grow_while_it_fails(told: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("kubepane.views.guarded.time.monotonic", lambda: clock[0])
    stores = Stores()
    put(stores, k.SERVICES, "a")
    table = GuardedTable(Sick(World(stores, Metrics())), lambda: None, lambda: NOW, lambda name, error: told.append((name, str(error))))
    for _ in range(100):
        table.update()
        for key in list(table.order):
            table.row(key, 80, 20)
        clock[0] += 1.0
    assert 5 <= len(told) <= 9
