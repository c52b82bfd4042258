from kubepane.cluster.freshness import Freshness, State, worst
from kubepane.snapshot import freshness


def test_json_says_what_is_left_out() -> None:
    said = freshness(Freshness(State.LIVE, others=True, skipped=2, hidden=("a",)))
    assert (said["partial"], said["others"], said["skipped"], said["hidden"]) == (True, True, 2, ["a"])


def test_json_of_a_whole_pane_holds_no_empty_fields() -> None:
    assert freshness(Freshness(State.LIVE)) == {"state": "live"}


def test_of_equal_states_the_partial_one_is_shown() -> None:
    partial = Freshness(State.LIVE, others=True)
    assert worst([Freshness(State.LIVE), partial]) is partial
