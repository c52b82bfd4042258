"""Who owns the claims of a StatefulSet's pods: persistentVolumeClaimRetentionPolicy (stateful_set_utils.go, isClaimOwnerUpToDate)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.controllers.statefulset_pods import is_wanted
from kubepane_embedded.meta import Object, owner_reference, owners_of, uid_of

RETAIN = "Retain"


def policy(stateful_set: Object) -> tuple[str, str]:
    """What happens to claims when the set is deleted, and when it is scaled down."""
    asked = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return asked.get("whenDeleted") or RETAIN, asked.get("whenScaled") or RETAIN


def has_right_owners(claim: Object, stateful_set: Object, pod: Object) -> bool:
    """Whether the claim's owners are what the policy asks for; a claim of an earlier set or pod of the name is left alone."""
    if is_stale(claim, stateful_set) or is_stale(claim, pod):
        return True
    if has_other_controller(claim, stateful_set, pod):
        return not (_is_owned(claim, stateful_set) or _is_owned(claim, pod))
    if any(not one.get("controller") for one in owners_of(claim) if one.get("uid") in _uids(stateful_set, pod)):
        return False
    by_set, by_pod = _wanted_owners(stateful_set, pod)
    return _is_owned(claim, stateful_set) == by_set and _is_owned(claim, pod) == by_pod


def right_owners(claim: Object, stateful_set: Object, pod: Object) -> list[dict[str, Any]]:
    """The owner references that the policy asks for, those of others kept."""
    kept = [one for one in owners_of(claim) if not (_names(one, stateful_set) or _names(one, pod))]
    if has_other_controller(claim, stateful_set, pod):
        return kept
    by_set, by_pod = _wanted_owners(stateful_set, pod)
    return kept + [owner_reference(owner) for owner, wanted in ((pod, by_pod), (stateful_set, by_set)) if wanted and uid_of(owner)]


def has_other_controller(claim: Object, stateful_set: Object, pod: Object) -> bool:
    """Whether something else manages the claim, though the policy wants it deleted with set or pod."""
    if policy(stateful_set) == (RETAIN, RETAIN):
        return False
    for one in owners_of(claim):
        owner = next((owner for owner in (stateful_set, pod) if _names(one, owner)), None)
        if owner is None and one.get("controller"):
            return True
        if owner is not None and one.get("uid") != uid_of(owner):
            return True
    return False


def is_stale(claim: Object, owner: Object) -> bool:
    """Whether the claim belongs to an earlier object of the same kind and name."""
    named = next((one for one in owners_of(claim) if _names(one, owner)), None)
    return named is not None and named.get("uid") != uid_of(owner)


def _wanted_owners(stateful_set: Object, pod: Object) -> tuple[bool, bool]:
    """Whether the set and whether the pod is to own the claim."""
    when_deleted, when_scaled = policy(stateful_set)
    condemned = when_scaled != RETAIN and not is_wanted(stateful_set, pod)
    return when_deleted != RETAIN and not condemned, condemned


def _names(reference: dict[str, Any], owner: Object) -> bool:
    same_kind = reference.get("apiVersion") == owner["apiVersion"] and reference.get("kind") == owner["kind"]
    return bool(same_kind and reference.get("name") == owner["metadata"]["name"])


def _uids(*owners: Object) -> set[str]:
    return {uid_of(owner) for owner in owners} - {""}


def _is_owned(claim: Object, owner: Object) -> bool:
    return bool(uid_of(owner)) and any(one.get("uid") == uid_of(owner) for one in owners_of(claim))
