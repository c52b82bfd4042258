"""Claims and volumes step by step as a real cluster left them: static, reserved, unfit, released, in use, lost, reclaimed.

The steps and what a real 1.35.4 had after each (only what changed) are in `recorded/volumes.json`. Claims
named under `half done` were caught between the two halves of their binding: the real controller's two workers had met, and it finished at
its next look; they are compared one step later.
"""

from __future__ import annotations

from typing import Any

import pytest

from embedded.conftest import recording
from embedded.volumeobjects import Object, advance
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.protection import ClaimProtection, VolumeProtection
from kubepane_embedded.controllers.volumes import PersistentVolumeController
from kubepane_embedded.core import Core
from kubepane_embedded.seed import Seed

RECORDED = recording("volumes")
NAMESPACE = RECORDED["namespace"]
PLURALS = {
    "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "StorageClass": "storageclasses.storage.k8s.io",
    "Pod": "pods",
}


def act(core: Core, verb: str, *given: Any) -> None:
    """One request of the recording; a deleted pod goes at once, as nobody ends its containers here."""
    client = core.client("test")
    if verb == "create":
        client.create(PLURALS[given[0]["kind"]], given[0])
        return
    resource, name = given[:2]
    namespace = "" if resource == "persistentvolumes" else NAMESPACE
    if verb == "delete":
        client.delete(resource, namespace, name, grace=0 if resource == "pods" else None)
    elif verb == "patch":
        client.patch(resource, namespace, name, given[2])
    else:
        client.patch_status(resource, namespace, name, given[2])


def known(parts: dict[str, Any]) -> dict[str, Any]:
    """Without what is absent, empty or false."""
    return {key: value for key, value in parts.items() if value not in (None, [], False)}


def claim_facts(obj: Object) -> dict[str, Any]:
    """A claim as the recording has it."""
    meta, spec = obj["metadata"], obj["spec"]
    own = {"volume": spec.get("volumeName"), "class": spec.get("storageClassName"), "status": obj["status"]}
    return known({**own, **meta_facts(meta)})


def volume_facts(obj: Object) -> dict[str, Any]:
    """A volume as the recording has it."""
    reference = obj["spec"].get("claimRef")
    kept = {"name": reference["name"], "uid": bool(reference.get("uid"))} if reference else None
    status = {key: value for key, value in obj["status"].items() if key != "lastPhaseTransitionTime"}
    return known({"claim": kept, "status": status, **meta_facts(obj["metadata"])})


def meta_facts(meta: dict[str, Any]) -> dict[str, Any]:
    """What of the metadata was recorded."""
    return {"annotations": sorted(meta.get("annotations") or {}), "finalizers": meta.get("finalizers"), "deleting": "deletionTimestamp" in meta}


def events(core: Core) -> set[tuple[str, ...]]:
    """About whom, type, reason and message."""
    return {(one["involvedObject"]["name"], one["type"], one["reason"], one["message"]) for one in core.storage.objects("events")}


@pytest.fixture(scope="module")
def states() -> list[tuple[dict[str, Object], dict[str, Object], set[tuple[str, ...]]]]:
    """Claims, volumes and new events after each step, here."""
    core = Core(VirtualClock(), Seed(1))
    for part in (PersistentVolumeController, ClaimProtection, VolumeProtection):
        part(core).start()
    core.client("test").create("namespaces", {"metadata": {"name": NAMESPACE}})
    found, before = [], set[tuple[str, ...]]()
    for step in RECORDED["steps"]:
        for request in step["do"]:
            act(core, *request)
        advance(core, RECORDED["seconds"])
        claims = {obj["metadata"]["name"]: claim_facts(obj) for obj in core.storage.objects("persistentvolumeclaims")}
        volumes = {obj["metadata"]["name"]: volume_facts(obj) for obj in core.storage.objects("persistentvolumes")}
        found.append((claims, volumes, events(core) - before))
        before |= events(core)
    return found


def as_of(kind: str, number: int) -> dict[str, Object]:
    """All claims or volumes of the recording after a step."""
    state: dict[str, Any] = {}
    for step in RECORDED["steps"][: number + 1]:
        state |= step[kind]
    return {name: obj for name, obj in state.items() if obj is not None}


NUMBERS = range(len(RECORDED["steps"]))
NAMES = [step["name"] for step in RECORDED["steps"]]


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_claims_are_as_the_real_ones(number: int, states: list[Any]) -> None:
    late = RECORDED["steps"][number].get("half done", [])
    here, there = ({name: obj for name, obj in all_.items() if name not in late} for all_ in (states[number][0], as_of("claims", number)))
    assert here == there


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_volumes_are_as_the_real_ones(number: int, states: list[Any]) -> None:
    assert states[number][1] == as_of("volumes", number)


@pytest.mark.parametrize("number", NUMBERS, ids=NAMES)
def test_events_are_the_real_ones(number: int, states: list[Any]) -> None:
    assert states[number][2] == {tuple(event) for event in RECORDED["steps"][number]["events"]}
