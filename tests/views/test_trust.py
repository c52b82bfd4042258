from datetime import timedelta

import pytest

from builders import NOW
from kubepane.cluster.freshness import Freshness, State
from kubepane.views import trust


def text(line: list[tuple[str, str]]) -> str:
    return "".join(part for part, _ in line)


@pytest.mark.parametrize(
    ("fresh", "words"),
    [
        (Freshness(), "◌ connecting"),
        (Freshness(State.SYNCING, received=7), "◌ syncing 7"),
        (Freshness(State.LIVE), "● live"),
        (Freshness(State.LIVE, hidden=("a", "b")), "● live · 2 namespaces not shown"),
        (Freshness(State.RECONNECTING, since=NOW - timedelta(seconds=12), why="connection refused"), "↻ reconnecting 12s (connection refused)"),
        (Freshness(State.POLLING, period=15), "◔ polling 15s"),
        (Freshness(State.FORBIDDEN, verb="watch", resource="deployments.apps"), "✕ forbidden: watch deployments.apps"),
        (Freshness(State.UNAUTHORIZED), "✕ unauthorized"),
        (Freshness(State.ABSENT), "– not served"),
        (Freshness(State.FAILED, why="bug"), "✕ error (bug)"),
    ],
)
def test_every_state_has_its_words(fresh: Freshness, words: str) -> None:
    assert text(trust.title(fresh, NOW)) == words


@pytest.mark.parametrize("state", State)
def test_no_state_is_without_words_and_none_shows_an_empty_pane_as_empty_unless_it_is(state: State) -> None:
    fresh = Freshness(state, resource="pods")
    assert text(trust.title(fresh, NOW))
    middle = trust.middle(fresh, "pods", "", NOW)
    assert (middle is None) == (state in (State.LIVE, State.POLLING))


def test_a_lost_link_says_as_of_when_and_when_next() -> None:
    fresh = Freshness(State.RECONNECTING, since=NOW, why="x", retry_at=NOW + timedelta(seconds=3))
    assert text(trust.note(fresh, NOW)).endswith(" · next try in 3s")
    assert text(trust.note(fresh, NOW)).startswith("as of ")


@pytest.mark.parametrize(("seconds", "words"), [(0, "<15s"), (14.9, "<15s"), (15, "<30s"), (119, "<120s"), (120, "2m"), (600, "10m")])
def test_an_age_in_steps(seconds: float, words: str) -> None:
    assert trust.rough_age(seconds) == words


@pytest.mark.parametrize("state", [State.LIVE, State.POLLING, State.SYNCING, State.RECONNECTING])
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"hidden": ("a",)}, "1 namespace not shown"),
        ({"hidden": ("a", "b")}, "2 namespaces not shown"),
        ({"others": True}, "other namespaces may not be seen"),
        ({"skipped": 1}, "1 object unreadable"),
        ({"skipped": 1200, "others": True}, "1,200 objects unreadable"),
    ],
)
def test_what_is_left_out_is_said_in_every_state_that_shows_rows(state: State, more: dict[str, object], words: str) -> None:
    fresh = Freshness(state, since=NOW, **more)  # type: ignore[arg-type]
    assert words in text(trust.title(fresh, NOW))
    assert trust.note(fresh, NOW)


def test_a_namespace_that_does_not_exist_is_said_though_the_watch_is_live() -> None:
    fresh = Freshness(State.LIVE, why="namespace shopp does not exist")
    assert "namespace shopp does not exist" in text(trust.title(fresh, NOW))


def test_nothing_found_where_not_all_could_be_seen_is_not_none() -> None:
    middle = trust.middle(Freshness(State.LIVE, others=True), "pods", "ann", NOW)
    assert middle is not None
    said = "\n".join(text(line) for line in middle)
    assert "Nothing in what may be seen" in said
    assert "other namespaces may not be seen" in said
    assert trust.middle(Freshness(State.LIVE), "pods", "ann", NOW) is None
