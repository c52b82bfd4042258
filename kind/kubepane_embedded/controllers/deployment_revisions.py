"""Which ReplicaSet is which revision: templates compared, their hash, the annotations that number and describe them.

Follows pkg/controller/deployment/sync.go (getNewReplicaSet) and util/deployment_util.go.
"""

from __future__ import annotations

import json
from typing import Any

from kubepane_embedded.controllers.deployment_facts import Rollout, by_age, max_surge
from kubepane_embedded.controllers.replicasets import wanted_replicas
from kubepane_embedded.meta import Object, annotations_of, clone, key_of, owner_reference
from kubepane_embedded.seed import ALPHABET

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HASH = "pod-template-hash"
NOT_COPIED = {
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
}
HISTORY_LENGTH = 2000
"""Most characters of the revision history."""
NAME_LENGTH = 253
MAPS = {"labels", "annotations", "nodeSelector", "limits", "requests", "matchLabels"}
"""Fields of a pod template that are maps."""


def rollout_of(deployment: Object, replica_sets: list[Object]) -> Rollout:
    """Tell the new ReplicaSet, the oldest with the Deployment's template, from the old ones."""
    ordered = sorted(replica_sets, key=by_age)
    template = deployment["spec"]["template"]
    new = next((one for one in ordered if same_template(one["spec"]["template"], template)), None)
    return Rollout(deployment, new, [one for one in ordered if one is not new])


def same_template(one: Object, other: Object) -> bool:
    """Whether two pod templates mean the same, the label with the hash aside (EqualIgnoreHash)."""
    one, other = _without_hash(one), _without_hash(other)
    return one == other or _pruned(one) == _pruned(other)


def _without_hash(template: Object) -> Object:
    meta = template.get("metadata") or {}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH}
    return {**template, "metadata": {**meta, "labels": labels}}


def _pruned(value: Any) -> Any:
    """Without empty lists and maps, which are the same as none; an empty struct (`namespaceSelector: {}`) is not."""
    if isinstance(value, dict):
        pairs = ((key, _pruned(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not None and item != [] and not (item == {} and key in MAPS)}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def template_hash(template: Object, collisions: int | None) -> str:
    """A stable 32-bit FNV hash of a template in letters that make no words (controller.ComputeHash, rand.SafeEncodeString)."""
    text = json.dumps(_pruned(template), sort_keys=True, separators=(",", ":")).encode()
    if collisions is not None:
        text += collisions.to_bytes(8, "little")
    number = 2166136261
    for byte in text:
        number = ((number ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(ALPHABET[ord(digit) % len(ALPHABET)] for digit in str(number))


def new_replica_set(rollout: Rollout, replicas: int) -> Object:
    """The ReplicaSet that a Deployment without one for its template needs."""
    deployment = rollout.deployment
    namespace, name = key_of(deployment)
    spec = deployment["spec"]
    digest = template_hash(spec["template"], (deployment.get("status") or {}).get("collisionCount"))
    template, selector = clone(spec["template"]), clone(spec["selector"])
    meta = template["metadata"] = template.get("metadata") or {}
    meta["labels"] = {**(meta.get("labels") or {}), HASH: digest}
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: digest}
    wanted: Object = {"replicas": replicas, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        wanted["minReadySeconds"] = spec["minReadySeconds"]
    made: Object = {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": f"{name[: NAME_LENGTH - 1 - len(digest)]}-{digest}",
            "namespace": namespace,
            "labels": dict(meta["labels"]),
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": wanted,
    }
    made["metadata"]["annotations"] = _described(rollout, made) | size_annotations(deployment)
    return made


def described(rollout: Rollout, replica_set: Object) -> Object | None:
    """The new ReplicaSet with its annotations and minReadySeconds as they should be now, or None when they are."""
    annotations = _described(rollout, replica_set)
    minimum = rollout.deployment["spec"].get("minReadySeconds") or 0
    if annotations == annotations_of(replica_set) and minimum == (replica_set["spec"].get("minReadySeconds") or 0):
        return None
    changed: Object = clone(replica_set)
    changed["metadata"]["annotations"] = annotations
    changed["spec"].pop("minReadySeconds", None)
    if minimum:
        changed["spec"]["minReadySeconds"] = minimum
    return changed


def _described(rollout: Rollout, replica_set: Object) -> dict[str, str]:
    """Annotations: the Deployment's, and a revision above those of all old ReplicaSets (SetNewReplicaSetAnnotations)."""
    copied = {key: value for key, value in annotations_of(rollout.deployment).items() if key not in NOT_COPIED}
    annotations = {**annotations_of(replica_set), **copied}
    present = annotations.get(REVISION)
    newest = max((revision(one) or 0 for one in rollout.old), default=0) + 1
    number = revision(replica_set)
    if number is None or number >= newest:
        return annotations
    annotations[REVISION] = str(newest)
    if present is not None:
        annotations[HISTORY] = _history(annotations.get(HISTORY, ""), present)
    return annotations


def _history(past: str, left: str) -> str:
    """The revisions a ReplicaSet has been, with one more; the first ones go when the text gets too long."""
    revisions = [one for one in past.split(",") if one]
    while revisions and len(",".join([*revisions, left])) > HISTORY_LENGTH:
        revisions.pop(0)
    return ",".join([*revisions, left])


def revision(obj: Object) -> int | None:
    """The revision annotation as a number: 0 when absent, None when it is none."""
    text = annotations_of(obj).get(REVISION, "0")
    try:
        return int(text or "0")
    except ValueError:
        return None


def size_annotations(deployment: Object) -> dict[str, str]:
    """What a ReplicaSet remembers of the size of its Deployment, to tell scaling from rolling."""
    replicas = wanted_replicas(deployment)
    return {DESIRED: str(replicas), MAXIMUM: str(replicas + max_surge(deployment))}


def remembered(replica_set: Object, name: str) -> int | None:
    """A size annotation as a number, None when absent or no such number."""
    text = annotations_of(replica_set).get(name, "")
    return int(text) if text.isascii() and text.isdigit() and int(text) < 2**31 else None
