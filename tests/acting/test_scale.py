"""Scaling: what is sent, what is warned of, what takes it back."""

from __future__ import annotations

from typing import Any

import pytest

from builders import NOW, put
from clusters import live
from kubepane.acting import scale
from kubepane.acting.plan import Intent, Malformed, Plan, Progress, Scene
from kubepane.cluster import kinds as k
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref

WEB = Ref(k.DEPLOYMENTS, "shop", "web", "u1")


def read(replicas: int | None = 2, uid: str = "u1") -> Raw:
    spec = {} if replicas is None else {"replicas": replicas}
    return {"metadata": {"name": "web", "uid": uid, "resourceVersion": "7"}, "spec": spec}


def planned(wanted: Any, *raws: Raw, stores: Stores | None = None, targets: tuple[Ref, ...] = (WEB,)) -> Plan:
    return scale.plan(Intent("scale", targets, {"replicas": wanted}), raws or [read()], Scene(stores or live(), NOW, "ctx"))


def test_it_puts_the_scale_with_uid_and_revision() -> None:
    (step,) = planned(4).steps
    sent = step.request(read())
    assert (sent.method, sent.path, step.reads) == ("PUT", f"{WEB.path}/scale", f"{WEB.path}/scale")
    assert sent.body == {
        "kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": 4},
        "metadata": {"name": "web", "namespace": "shop", "uid": "u1", "resourceVersion": "7"},
    }  # fmt: skip
    assert step.says == "replicas 2 → 4"


def test_its_premise_is_the_number_and_it_holds_when_that_is_there() -> None:
    (step,) = planned(4).steps
    assert step.premise(read(2)) != step.premise(read(3))
    assert step.premise(read(0)) == step.premise(read(None))
    assert [step.holds(seen) for seen in (read(4), read(2), None)] == [True, False, False]


@pytest.mark.parametrize("wanted", [-1, scale.MOST + 1])
def test_a_number_that_makes_no_sense_is_malformed(wanted: int) -> None:
    with pytest.raises(Malformed, match="no number of replicas"):
        planned(wanted)


@pytest.mark.parametrize("wanted", [0, scale.MOST])
def test_the_outermost_numbers_are_taken(wanted: int) -> None:
    assert planned(wanted).steps


@pytest.mark.parametrize(
    ("before", "wanted", "warned"),
    [
        (2, 0, ["0 replicas: nothing of it will run"]),
        (0, 0, ["it has 0 already: nothing would change"]),
        (2, 2, ["it has 2 already: nothing would change"]),
        (2, 20, []),
        (2, 21, ["more than ten times as many as now (2)"]),
        (0, 11, ["more than ten times as many as now (0)"]),
        (0, 10, []),
    ],
)
def test_what_may_be_a_slip_is_warned_of(before: int, wanted: int, warned: list[str]) -> None:
    assert list(planned(wanted, read(before)).warnings) == warned


def autoscaler(stores: Stores, name: str = "web", kind: str = "Deployment", namespace: str = "shop", least: int | None = None) -> None:
    target = {"kind": kind, "name": name}
    put(stores, k.AUTOSCALERS, "hpa", namespace, spec={"minReplicas": least, "maxReplicas": 4, "scaleTargetRef": target})


def test_an_hpa_that_owns_the_number_is_named() -> None:
    stores = live()
    autoscaler(stores)
    assert planned(3, stores=stores).warnings == ("hpa hpa owns this number (1 to 4): it will set it anew",)


@pytest.mark.parametrize("other", [{"name": "api"}, {"kind": "StatefulSet"}, {"namespace": "test"}])
def test_an_hpa_of_something_else_is_not(other: dict[str, Any]) -> None:
    stores = live()
    autoscaler(stores, **other)
    assert planned(3, stores=stores).warnings == ()


def test_hpas_that_could_not_be_read_are_not_taken_for_none() -> None:
    stores = live()
    stores.autoscalers.set_freshness(Freshness(State.FORBIDDEN))
    assert planned(3, stores=stores).warnings == ("whether an HPA owns this number is not known: HPAs could not be read",)


def test_undo_is_the_number_before_where_there_was_one() -> None:
    both = (WEB, Ref(k.STATEFULSETS, "shop", "db", "u2"))
    assert planned(4).undo == Intent("scale", (WEB,), {"replicas": 2})
    same = planned(4, read(2), read(2, "u2"), targets=both)
    assert same.undo == Intent("scale", both, {"replicas": 2})
    assert (same.title, same.kubectl, same.apart) == ("Scale 2 workloads", "", True)
    assert planned(4, read(2), read(3, "u2"), targets=both).undo is None


def test_the_equivalent_command() -> None:
    assert planned(4).kubectl == "kubectl --context ctx -n shop scale deployments.apps/web --replicas=4"


# ---- its end -------------------------------------------------------------------------------------------------------------------


def progress(spec: int = 4, ready: int = 4, total: int = 4, seen: int = 5, generation: int = 5, conditions: Any = ()) -> Progress:
    stores = live()
    status = {"readyReplicas": ready, "replicas": total, "observedGeneration": seen, "conditions": list(conditions)}
    put(stores, k.DEPLOYMENTS, "web", uid="u1", generation=generation, spec={"replicas": spec}, status=status)
    return planned(4).progress(stores, NOW)


def test_it_ends_when_so_many_are_ready_and_no_more_are_there() -> None:
    assert progress() == Progress(True, "4 of 4 ready")
    assert progress(ready=3) == Progress(False, "web: 3 of 4 ready")
    assert progress(total=5) == Progress(False, "web: 4 of 4 ready")
    assert not progress(seen=4).done


def test_it_fails_when_something_else_sets_the_number_or_it_is_gone() -> None:
    assert progress(spec=3) == Progress(True, "deployment shop/web wants 3 replicas now: something else has set them", failed=True)
    assert planned(4).progress(live(), NOW) == Progress(True, "deployment shop/web is gone", failed=True)


def test_it_fails_when_the_deadline_has_passed() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    assert progress(ready=1, conditions=[late]) == Progress(True, "1 of 4 ready, and its progress deadline has passed", failed=True)
