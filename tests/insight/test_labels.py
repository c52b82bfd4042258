import pytest

from kubepane.cluster.resources import Requirement, Selector
from kubepane.insight import labels


def requirement(key: str, operator: str, *values: str) -> Requirement:
    return Requirement(key=key, operator=operator, values=values)


@pytest.mark.parametrize(
    ("selector", "have", "matches"),
    [
        (None, {"a": "1"}, False),
        (Selector(), {"a": "1"}, True),
        (Selector(), None, True),
        (Selector(match_labels={"a": "1"}), {"a": "1", "b": "2"}, True),
        (Selector(match_labels={"a": "1"}), {"a": "2"}, False),
        (Selector(match_expressions=(requirement("a", "In", "1", "2"),)), {"a": "2"}, True),
        (Selector(match_expressions=(requirement("a", "In", "1"),)), {}, False),
        (Selector(match_expressions=(requirement("a", "NotIn", "1"),)), {}, True),
        (Selector(match_expressions=(requirement("a", "Exists"),)), {"a": ""}, True),
        (Selector(match_expressions=(requirement("a", "DoesNotExist"),)), {"a": ""}, False),
        (Selector(match_expressions=(requirement("a", "Sounds"),)), {"a": ""}, False),
    ],
)
def test_label_selectors(selector: Selector | None, have: dict[str, str] | None, matches: bool) -> None:
    assert labels.matches(selector, have) is matches


def test_node_selectors_compare_numbers() -> None:
    assert labels.satisfies(requirement("cores", "Gt", "4"), {"cores": "8"})
    assert not labels.satisfies(requirement("cores", "Lt", "4"), {"cores": "8"})
    assert not labels.satisfies(requirement("cores", "Gt", "many"), {"cores": "8"})


def test_a_service_without_selector_selects_nothing() -> None:
    assert not labels.matches_map({}, {"a": "1"})
    assert not labels.matches_map(None, {"a": "1"})


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (None, "<none>"),
        (Selector(), "<none>"),
        (Selector(match_labels={"b": "2", "a": "1"}), "a=1,b=2"),
        (
            Selector(match_labels={"app": "x"}, match_expressions=(requirement("tier", "In", "b", "a"), requirement("old", "DoesNotExist"))),
            "app=x,!old,tier in (a,b)",
        ),
    ],
)
def test_text_is_kubectls(selector: Selector | None, text: str) -> None:
    assert labels.text(selector) == text
