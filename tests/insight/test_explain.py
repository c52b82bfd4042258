import pytest

from builders import NOW, pod, put
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight.explain import explain
from kubepane.insight.finding import Level


@pytest.mark.parametrize("kind", [kind for kind in k.KINDS if kind is not k.EVENTS])
def test_any_object_can_be_explained_even_an_empty_one(kind: k.Kind) -> None:
    stores = Stores()
    obj = put(stores, kind, "x")
    for finding in explain(obj, stores, NOW):
        assert finding.clause
        assert isinstance(finding.level, Level)


def test_a_healthy_pod_has_nothing_to_explain() -> None:
    stores = Stores()
    assert explain(pod(stores, "web"), stores, NOW) == []


def test_a_deployment_past_its_deadline_says_so() -> None:
    stores = Stores()
    status = {
        "observedGeneration": 1,
        "conditions": [
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": 'ReplicaSet "x" has timed out progressing.'}
        ],
    }
    obj = put(stores, k.DEPLOYMENTS, "web", generation=1, spec={"replicas": 2, "progressDeadlineSeconds": 600}, status=status)
    found = explain(obj, stores, NOW)
    assert found[0].level is Level.BAD
    assert any("deadline" in f.clause or "progress" in f.clause for f in found)
