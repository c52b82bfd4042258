"""Which volume fits a claim: pure rules, for the controller and for a scheduler that asks for one node.

Follows component-helpers/storage/volume/pv_helpers.go (FindMatchingVolume) and pkg/controller/volume/persistentvolume/index.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from kubepane_embedded.meta import Object, is_deleting, key_of, labels_of, uid_of
from kubepane_embedded.quantity import parse
from kubepane_embedded.selectors import LabelSelector, Requirement
from kubepane_embedded.storageclasses import class_name

MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


def requested(claim: Object) -> Fraction:
    """Bytes that a claim asks for."""
    return parse(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage") or "0")


def capacity(volume: Object) -> Fraction:
    """Bytes that a volume has."""
    return parse((volume["spec"].get("capacity") or {}).get("storage") or "0")


def modes_of(obj: Object) -> set[str]:
    """Access modes of a claim or volume."""
    return set(obj["spec"].get("accessModes") or ())


def same_volume_mode(claim: Object, volume: Object) -> bool:
    """Whether both are file systems or both raw devices."""
    return (claim["spec"].get("volumeMode") or "Filesystem") == (volume["spec"].get("volumeMode") or "Filesystem")


def attributes_class(obj: Object) -> str:
    """The VolumeAttributesClass of a claim or volume, "" for none."""
    return obj["spec"].get("volumeAttributesClassName") or ""


def is_bound_to(volume: Object, claim: Object) -> bool:
    """Whether a volume is kept for or bound to a claim; a reference without uid is kept for whoever comes by that name."""
    reference = volume["spec"].get("claimRef")
    if not reference or (reference.get("namespace"), reference.get("name")) != key_of(claim):
        return False
    return (reference.get("uid") or uid_of(claim)) == uid_of(claim)


def matches_node(volume: Object, node_labels: dict[str, str]) -> bool:
    """Whether the volume can be used on a node with such labels (component-helpers/storage/volume/helpers.go)."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    if required is None:
        return True
    return any(_term_matches(term, node_labels) for term in required.get("nodeSelectorTerms") or [])


def _term_matches(term: dict[str, Any], labels: dict[str, str]) -> bool:
    expressions = term.get("matchExpressions") or []
    parts = [Requirement(one.get("key") or "", one.get("operator") or "", tuple(one.get("values") or ())) for one in expressions]
    return bool(parts) and all(part.matches(labels) for part in parts)


def why_unfit(volume: Object, claim: Object) -> str:
    """Why a volume that a claim names cannot be its, "" when it can (checkVolumeSatisfyClaim)."""
    if is_deleting(volume):
        return f'the volume is marked for deletion "{volume["metadata"]["name"]}"'
    if capacity(volume) < requested(claim):
        return "requested PV is too small"
    if class_name(volume) != class_name(claim):
        return "storageClassName does not match"
    if attributes_class(volume) != attributes_class(claim):
        return "volumeAttributesClassName does not match"
    if not same_volume_mode(claim, volume):
        return "incompatible volumeMode"
    return "" if modes_of(claim) <= modes_of(volume) else "incompatible accessMode"


def find_volume(claim: Object, volumes: Iterable[Object], waits: bool) -> Object | None:
    """The volume for a claim as the controller looks for it: fewest access modes first, of these the one kept for it or the smallest.

    Args:
        claim: An unbound claim.
        volumes: All volumes, in the order of the store.
        waits: The class waits for a consumer: only a volume that is kept for the claim counts, the rest is the scheduler's.
    """
    shelves: dict[tuple[str, ...], list[Object]] = {}
    for volume in volumes:
        if modes_of(claim) <= modes_of(volume):
            shelves.setdefault(tuple(sorted(modes_of(volume), key=_mode_rank)), []).append(volume)
    for modes in sorted(shelves, key=lambda modes: (len(modes), modes)):
        found = _best(claim, shelves[modes], None, waits)
        if found is not None:
            return found
    return None


def find_volume_on(claim: Object, volumes: Iterable[Object], node: Object) -> Object | None:
    """The volume for a claim whose pod would run on a node, as a scheduler asks; leave out volumes chosen for its other claims."""
    fitting = [volume for volume in volumes if modes_of(claim) <= modes_of(volume) or is_bound_to(volume, claim)]
    return _best(claim, fitting, labels_of(node), False)


def _mode_rank(mode: str) -> int:
    return MODES.index(mode) if mode in MODES else len(MODES)


def _best(claim: Object, volumes: list[Object], node_labels: dict[str, str] | None, waits: bool) -> Object | None:
    candidates = [volume for volume in volumes if _is_candidate(volume, claim)]
    reserved = next((volume for volume in candidates if is_bound_to(volume, claim)), None)
    if reserved is not None:
        return reserved if node_labels is None or matches_node(reserved, node_labels) else None
    if waits:
        return None
    free = [volume for volume in candidates if _is_free_for(volume, claim, node_labels)]
    return min(free, key=capacity, default=None)


def _is_candidate(volume: Object, claim: Object) -> bool:
    """What holds also for a volume that is kept for the claim; its class does not matter then."""
    if volume["spec"].get("claimRef") and not is_bound_to(volume, claim):
        return False
    if capacity(volume) < requested(claim) or is_deleting(volume):
        return False
    return same_volume_mode(claim, volume) and attributes_class(volume) == attributes_class(claim)


def _is_free_for(volume: Object, claim: Object, node_labels: dict[str, str] | None) -> bool:
    if (volume.get("status") or {}).get("phase") != "Available" or class_name(volume) != class_name(claim):
        return False
    selector = claim["spec"].get("selector")
    if selector is not None and not LabelSelector.of(selector).matches_object(volume):
        return False
    return node_labels is None or matches_node(volume, node_labels)
