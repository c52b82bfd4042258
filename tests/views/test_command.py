import pytest

from builders import make
from kubepane.cluster import kinds as k
from kubepane.views.command import kubectl


def test_the_command_names_context_namespace_and_resource() -> None:
    obj = make(k.DEPLOYMENTS, "web")
    assert kubectl("get", k.DEPLOYMENTS, obj, "prod eu", "-o", "yaml") == "kubectl --context 'prod eu' -n shop get deployments.apps/web -o yaml"


def test_logs_take_the_bare_name() -> None:
    assert kubectl("logs", k.PODS, make(k.PODS, "p"), "", "-f") == "kubectl -n shop logs p -f"


def test_a_name_that_is_none_is_not_put_on_a_command_line() -> None:
    with pytest.raises(ValueError, match="no valid"):
        kubectl("get", k.PODS, make(k.PODS, "p; rm -rf ~"), "")
