from kubepane.insight.finding import Level
from kubepane.views.tally import Tally


def test_rows_are_judged_when_asked_for_and_once() -> None:
    asked: list[str] = []
    levels: dict[str, Level] = {"a": Level.BAD, "b": Level.OK}

    def judge(key: str) -> Level | None:
        asked.append(key)
        return levels.get(key)

    tally = Tally(judge)
    tally.due(["a", "b", "c"])
    assert (asked, len(tally)) == ([], 0)
    assert ["a" in tally, "b" in tally, "c" in tally, "never" in tally] == [True, True, False, False]
    assert tally.level("a") is Level.BAD
    assert tally.level("c") is Level.OFF
    assert sorted(asked) == ["a", "b", "c"]
    assert (tally.count(Level.BAD), tally.count(Level.BAD, Level.OK), len(tally)) == (1, 2, 2)
    assert sorted(tally.rows()) == ["a", "b"]
    assert tally.rows(Level.OK) == ["b"]
    levels["a"] = Level.OK
    del levels["b"]
    assert tally.level("a") is Level.BAD, "nobody said that it changed"
    tally.due(["a", "b"])
    assert tally.level("a") is Level.OK
    assert "b" not in tally
    assert (tally.count(Level.BAD), tally.count(Level.OK), len(tally)) == (0, 1, 1)
