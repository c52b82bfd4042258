"""The default ServiceAccount and the CA bundle come back."""

from __future__ import annotations

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.namespace_furniture import FurnitureController
from kubepane_embedded.core import Core


def settle(core: Core) -> None:
    assert isinstance(core.clock, VirtualClock)
    core.clock.advance(1)


def test_deleted_and_changed_ones_come_back(core: Core) -> None:
    FurnitureController(core).start()
    settle(core)
    client = core.client("test")
    before = core.storage.read("serviceaccounts", "default", "default")
    bundle = core.storage.read("configmaps", "default", "kube-root-ca.crt")
    assert before is not None
    assert bundle is not None
    client.delete("serviceaccounts", "default", "default")
    client.patch("configmaps", "default", "kube-root-ca.crt", {"data": {"ca.crt": "forged"}})
    settle(core)
    after = core.storage.read("serviceaccounts", "default", "default")
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    restored = core.storage.read("configmaps", "default", "kube-root-ca.crt")
    assert restored is not None
    assert restored["data"] == bundle["data"]
    client.delete("configmaps", "default", "kube-root-ca.crt")
    settle(core)
    again = core.storage.read("configmaps", "default", "kube-root-ca.crt")
    assert again is not None
    assert (again["data"], again["metadata"]["annotations"]) == (bundle["data"], bundle["metadata"]["annotations"])


def test_a_namespace_that_is_going_stays_empty(core: Core) -> None:
    FurnitureController(core).start()
    client = core.client("test")
    client.create("namespaces", {"metadata": {"name": "going"}})
    client.delete("namespaces", "", "going")
    client.delete("serviceaccounts", "going", "default")
    settle(core)
    assert core.storage.read("serviceaccounts", "going", "default") is None


def test_nothing_is_written_when_nothing_is_missing(core: Core) -> None:
    before = core.storage.revision
    FurnitureController(core).start()
    core.client("test").create("configmaps", {"metadata": {"name": "mine", "namespace": "default"}})
    settle(core)
    core.client("test").delete("configmaps", "default", "mine")
    assert core.clock._heap == []
    assert core.storage.revision == before + 2
