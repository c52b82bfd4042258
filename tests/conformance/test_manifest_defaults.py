"""What a server makes of every object of the bundled sets: the same on both, and the same as was recorded from a real 1.35.4.

KUBEPANE_RECORD=1 records anew from the cluster that KUBEPANE_TEST_KUBECONFIG names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.peers import Peer, Space
from manifests.paths import resource
from manifests.whole import NAMES, own

FILE = Path(__file__).with_name("recorded") / "manifest-defaults-1.35.4.json"
RECORD = os.environ.get("KUBEPANE_RECORD") == "1"
FRESH = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\b10\.96\.\d+\.\d+\b|kube-api-access-\w{5}"
)


def made(space: Space, obj: dict[str, Any]) -> dict[str, Any]:
    """The object as the server would store it in the test's namespace, or nowhere; without owners of fields."""
    moved = json.loads(json.dumps(obj))
    moved["metadata"].pop("generateName", None)
    kind = resource(obj)
    place = f"namespaces/{space.name}/" if kind.namespaced else ""
    if kind.namespaced:
        moved["metadata"]["namespace"] = space.name
    if kind.kind == "Namespace":
        moved["metadata"]["name"] = f"{space.name}-dry"
    answer = space.door("POST", f"{kind.path}/{place}{kind.plural}?dryRun=All&fieldValidation=Strict", moved)
    assert answer.code == 201, answer.body
    answer.body["metadata"].pop("managedFields", None)
    text = FRESH.sub("*", json.dumps(answer.body).replace(space.name, "NAMESPACE"))
    stored: dict[str, Any] = json.loads(re.sub(r'"nodePort": \d+', '"nodePort": 0', text))
    return stored


@pytest.fixture(scope="module")
def recorded() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    yield found
    if RECORD:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_defaults(space: Space, peer: Peer, recorded: dict[str, Any], name: str) -> None:
    found = {f"{obj['kind']}/{obj['metadata']['name']}": made(space, obj) for obj in own(name)}
    if RECORD and peer.name == "real":
        recorded[name] = found
    assert found == recorded[name]


def test_every_set_is_recorded(recorded: dict[str, Any]) -> None:
    assert set(recorded) == set(NAMES)
