from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.views.certainty import Certainty
from kubepane.views.trail import Trail


def test_a_change_reaches_what_was_left_and_what_was_joined() -> None:
    touches = {"p": ["a"], "q": ["b"], "r": []}
    trail = Trail(lambda uid: touches.get(uid, ()))
    assert trail.follow(["p", "q", "r"]) == {"a", "b"}
    assert trail.all() == {"a", "b"}
    touches["p"] = ["c"]
    assert trail.follow(["p"]) == {"a", "c"}
    assert trail.follow(["p"]) == {"c"}
    del touches["p"]
    assert trail.follow(["p"]) == {"c"}
    assert trail.follow(["p", "never"]) == set()
    assert trail.all() == {"b"}


def test_certainty_turns_only_where_the_conclusion_does() -> None:
    stores = Stores()
    certainty = Certainty(stores, (k.PODS, k.NODES))
    assert not certainty.turned()
    stores.pods.set_freshness(Freshness(State.SYNCING))
    assert not certainty.turned()
    stores.pods.set_freshness(Freshness(State.LIVE))
    assert certainty.turned()
    assert not certainty.turned()
    stores.nodes.set_freshness(Freshness(State.ABSENT))
    assert certainty.turned()
    stores.nodes.set_freshness(Freshness(State.LIVE))
    assert not certainty.turned()
    stores.services.set_freshness(Freshness(State.LIVE))
    assert not certainty.turned()
    stores.pods.set_freshness(Freshness(State.RECONNECTING))
    assert certainty.turned()
