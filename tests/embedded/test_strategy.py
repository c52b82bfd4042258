"""What a write may change beside what it is about: annotations and generation of Deployments."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.core import Core
from kubepane_embedded.meta import clone

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
WEB: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
    "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
}


def test_annotations_of_a_deployment_come_with_its_status(core: Core) -> None:
    client = core.client("kube-controller-manager")
    web = clone(client.create("deployments.apps", WEB))
    web["metadata"] |= {"annotations": {"deployment.kubernetes.io/revision": "1"}, "labels": {"app": "other"}}
    web["spec"]["replicas"] = 7
    written = client.update_status("deployments.apps", web)
    assert written["metadata"]["annotations"] == {"deployment.kubernetes.io/revision": "1"}
    assert written["metadata"]["labels"] == {"app": "web"}
    assert (written["spec"]["replicas"], written["metadata"]["generation"]) == (1, 1)


def test_annotations_of_a_deployment_make_a_new_generation(core: Core) -> None:
    client = core.client("kubectl")
    client.create("deployments.apps", WEB)
    assert client.patch("deployments.apps", "default", "web", {"metadata": {"annotations": {"a": "b"}}})["metadata"]["generation"] == 2
    assert client.patch("deployments.apps", "default", "web", {"metadata": {"labels": {"a": "b"}}})["metadata"]["generation"] == 2


def test_annotations_of_other_kinds_do_not(core: Core) -> None:
    client = core.client("kubectl")
    client.create("replicasets.apps", WEB)
    patched = client.patch("replicasets.apps", "default", "web", {"metadata": {"annotations": {"a": "b"}}})
    assert patched["metadata"]["generation"] == 1
