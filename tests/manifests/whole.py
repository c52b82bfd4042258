"""Bundled sets together with what they need, and single objects of them."""

from __future__ import annotations

from functools import cache
from typing import Any

from kubepane_manifests import catalogue
from kubepane_manifests.documents import Object
from kubepane_manifests.kustomization import RANK

NAMES = [one.name for one in catalogue.sets()]
PODS_OF = {"Deployment", "StatefulSet", "Job"}


@cache
def own(name: str) -> list[Object]:
    """The objects of a set; not to be changed."""
    return catalogue.find(name).objects()


@cache
def needed(name: str) -> list[Object]:
    """The objects of the sets that must be there before."""
    return [obj for other in catalogue.find(name).needs for obj in own(other)]


def whole(name: str) -> list[Object]:
    """A set's objects with those that it needs, each once: the set's own wins."""
    found = {(obj["kind"], obj["metadata"]["name"]): obj for obj in [*needed(name), *own(name)]}
    return sorted(found.values(), key=lambda obj: RANK.get(obj["kind"], 0))


def only(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of this kind and name."""
    (found,) = [obj for obj in objects if obj["kind"] == kind and obj["metadata"]["name"] == name]
    return found


def templates(objects: list[Object]) -> list[tuple[Object, Object]]:
    """Each workload with its pod template."""
    return [(obj, obj["spec"]["template"]) for obj in objects if obj["kind"] in PODS_OF]


def containers(template: Object) -> list[dict[str, Any]]:
    """All containers of a pod template, init containers too."""
    spec = template["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]
