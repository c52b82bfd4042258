"""Storage classes and volumes as the API server treats them."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.core import Core
from kubepane_embedded.storageclasses import default_class

DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


def add_class(core: Core, name: str, annotations: dict[str, str]) -> None:
    core.client("t").create("storageclasses.storage.k8s.io", {"metadata": {"name": name, "annotations": annotations}, "provisioner": "x.io/p"})


def claim(**spec: Any) -> dict[str, Any]:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"metadata": {"name": "c", "namespace": "default"}, "spec": wanted}


def test_newest_default_class_then_the_first_by_name(core: Core) -> None:
    for name in ("b", "c"):
        add_class(core, name, DEFAULT)
    core.clock.advance(2)  # type: ignore[attr-defined]
    assert (default_class(core.storage) or {})["metadata"]["name"] == "b"
    add_class(core, "z", DEFAULT)
    add_class(core, "a", {})
    assert core.client("t").create("persistentvolumeclaims", claim())["spec"]["storageClassName"] == "z"


def test_a_claim_without_class_may_be_given_one(core: Core) -> None:
    client = core.client("t")
    client.create("persistentvolumeclaims", claim())
    changed = client.patch("persistentvolumeclaims", "default", "c", {"spec": {"storageClassName": "late"}})
    assert changed["spec"]["storageClassName"] == "late"


def test_a_volume_says_when_it_entered_its_phase(core: Core) -> None:
    client = core.client("t")
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/d"}}
    first = client.create("persistentvolumes", {"metadata": {"name": "v"}, "spec": spec})["status"]
    core.clock.advance(7)  # type: ignore[attr-defined]
    same = client.patch_status("persistentvolumes", "", "v", {"message": "m"})["status"]
    after = client.patch_status("persistentvolumes", "", "v", {"phase": "Available"})["status"]
    assert same["lastPhaseTransitionTime"] == first["lastPhaseTransitionTime"] != after["lastPhaseTransitionTime"]
    assert after["lastPhaseTransitionTime"] == core.clock.stamp()
