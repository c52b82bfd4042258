import pytest
from hypothesis import given, strategies as st

from builders import NOW, put
from kubepane.cluster import kinds as k
from kubepane.cluster.metrics import Metrics
from kubepane.cluster.stores import Stores
from kubepane.views.filter import FilterError, parse
from kubepane.views.view import World
from views.sample import ServicesView


def matching(text: str) -> set[str]:
    stores = Stores()
    put(stores, k.SERVICES, "web", "shop", spec={"type": "ClusterIP", "ports": [{"port": 1}]}, labels={"app": "web", "tier": "front"})
    put(stores, k.SERVICES, "web-test", "test", spec={"type": "NodePort", "ports": [{"port": 1}] * 3}, labels={"app": "web"})
    put(stores, k.SERVICES, "db", "shop", spec={"type": "ClusterIP"}, creationTimestamp="2026-05-30T12:00:00Z")
    view = ServicesView(World(stores, Metrics()))
    wanted = parse(text, view.fields())
    return {s.metadata.name for s in stores.services if wanted.matches(view, s.metadata.uid, NOW)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {"web", "web-test", "db"}),
        ("web", {"web", "web-test"}),
        ("WEB", {"web", "web-test"}),
        ("web !test", {"web"}),
        ("!web", {"db"}),
        ("type:cluster", {"web", "db"}),
        ("type=clusterip", {"web", "db"}),
        ("type=cluster", set()),
        ("type!=NodePort", {"web", "db"}),
        ("ports>1", {"web-test"}),
        ("ports>=1 ports<3", {"web"}),
        ("ports<=0", {"db"}),
        ("age>1d", {"db"}),
        ("age<2h", {"web", "web-test"}),
        ("ns:shop web", {"web"}),
        ("-l app=web", {"web", "web-test"}),
        ("-l app=web,tier", {"web"}),
        ("-lapp=web", {"web", "web-test"}),
        ("-l !app", {"db"}),
        ("-l app!=web", {"db"}),
        ("nginx:1.27", set()),
        ("!", {"web", "web-test", "db"}),
    ],
)
def test_terms(text: str, names: set[str]) -> None:
    assert matching(text) == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour=red", "no column colour: namespace, name, type, ports, age"),
        ("ports>many", "many is no number"),
        ("type=", "type= needs a value"),
        ("-l", "-l needs a selector"),
        ("-l a~b", "no label selector"),
    ],
)
def test_what_cannot_be_understood_says_so(text: str, said: str) -> None:
    with pytest.raises(FilterError, match=said):
        matching(text)


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_a_clear_refusal(text: str) -> None:
    said = "fine"
    try:
        matching(text)
    except FilterError as error:
        said = str(error)
    assert said
