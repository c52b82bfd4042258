"""Objects by the names that kubectl takes."""

from __future__ import annotations

import pytest

from kubepane.acting.naming import kind_named, named, namespace_of
from kubepane.acting.plan import Malformed
from kubepane.cluster import kinds as k
from kubepane.cluster.kinds import KINDS, Kind
from kubepane.cluster.writing import Ref


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_kind_has_its_names(kind: Kind) -> None:
    for word in (kind.plural, kind.kind, kind.kind.lower(), kind.resource, kind.plural.upper()):
        assert kind_named(word) is kind, word


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("po", k.PODS), ("no", k.NODES), ("deploy", k.DEPLOYMENTS), ("rs", k.REPLICASETS), ("sts", k.STATEFULSETS), ("ds", k.DAEMONSETS),
        ("cj", k.CRONJOBS), ("hpa", k.AUTOSCALERS), ("pvc", k.CLAIMS), ("pv", k.VOLUMES), ("sc", k.STORAGECLASSES), ("svc", k.SERVICES),
        ("ing", k.INGRESSES), ("netpol", k.NETWORKPOLICIES), ("sa", k.SERVICEACCOUNTS), ("cm", k.CONFIGMAPS), ("ns", k.NAMESPACES),
    ],
)  # fmt: skip
def test_short_names_are_kubectls(word: str, kind: Kind) -> None:
    assert kind_named(word) is kind


def test_an_object_is_in_the_namespace_unless_it_has_none() -> None:
    assert named("deploy/web", "shop") == Ref(k.DEPLOYMENTS, "shop", "web")
    assert named("node/n1", "shop") == Ref(k.NODES, "", "n1")


@pytest.mark.parametrize("text", ["", "web", "deploy/", "/web", "deploy/web/x", "deploy"])
def test_another_form_is_malformed_and_the_right_one_is_said(text: str) -> None:
    with pytest.raises(Malformed, match=r"KIND/NAME|no kind ''"):
        named(text, "shop")


def test_a_kind_that_makes_no_sense_names_those_that_do() -> None:
    with pytest.raises(Malformed, match="there is no kind 'thing' here; it can be deployment or statefulset"):
        named("thing/x", "shop", (k.DEPLOYMENTS, k.STATEFULSETS))
    with pytest.raises(Malformed, match="that cannot be done to a pod; it can be deployment"):
        named("pod/x", "shop", (k.DEPLOYMENTS,))


def test_one_namespace_is_taken_none_is_default_and_several_are_refused() -> None:
    assert namespace_of(()) == "default"
    assert namespace_of(("shop",)) == "shop"
    with pytest.raises(Malformed, match="names 2 namespaces"):
        namespace_of(("a", "b"))
