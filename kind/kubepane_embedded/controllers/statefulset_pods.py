"""Pods of a StatefulSet: ordinals, identity, claims as volumes (pkg/controller/statefulset/stateful_set_utils.go)."""

from __future__ import annotations

import re
from datetime import datetime

from kubepane_embedded.controllers.podcontrol import pod_from
from kubepane_embedded.controllers.replicasets import wanted_replicas
from kubepane_embedded.controllers.revisions import POD_HASH
from kubepane_embedded.meta import Object, clone, is_deleting, key_of, labels_of
from kubepane_embedded.podfacts import is_available

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"
_NAME = re.compile(r"(.*)-([0-9]+)$", re.DOTALL)
_HIGHEST = 2**31 - 1


def parent_and_ordinal(pod: Object) -> tuple[str, int]:
    """The StatefulSet's name and the number that a pod's name says; ("", -1) for any other name."""
    found = _NAME.fullmatch(key_of(pod)[1])
    if found is None or int(found[2]) > _HIGHEST:
        return (found[1] if found else "", -1)
    return found[1], int(found[2])


def ordinal_of(pod: Object) -> int:
    """The number of a pod, -1 when its name has none."""
    return parent_and_ordinal(pod)[1]


def is_member(stateful_set: Object, pod: Object) -> bool:
    """Whether a pod's name says that it belongs to the set."""
    return parent_and_ordinal(pod)[0] == key_of(stateful_set)[1]


def first_ordinal(stateful_set: Object) -> int:
    """spec.ordinals.start, else 0."""
    return int((stateful_set["spec"].get("ordinals") or {}).get("start") or 0)


def is_wanted(stateful_set: Object, pod: Object) -> bool:
    """Whether a pod's number is among those that the set asks for."""
    return 0 <= ordinal_of(pod) - first_ordinal(stateful_set) < wanted_replicas(stateful_set)


def templates_of(stateful_set: Object) -> list[Object]:
    """spec.volumeClaimTemplates, never None."""
    found: list[Object] = stateful_set["spec"].get("volumeClaimTemplates") or []
    return found


def claim_name(stateful_set: Object, template: Object, ordinal: int) -> str:
    """`data-mysql-0`."""
    return f"{key_of(template)[1]}-{key_of(stateful_set)[1]}-{ordinal}"


def claim_from(stateful_set: Object, template: Object, ordinal: int) -> Object:
    """The claim of one pod as its template asks for it, with the labels that the set selects by."""
    meta = clone(template.get("metadata") or {})
    selected = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
    meta |= {"name": claim_name(stateful_set, template, ordinal), "namespace": key_of(stateful_set)[0]}
    meta["labels"] = {**(meta.get("labels") or {}), **selected}
    meta.pop("creationTimestamp", None)
    return {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": meta, "spec": clone(template.get("spec") or {})}


def has_identity(stateful_set: Object, pod: Object) -> bool:
    """Whether name and label say which pod of the set it is."""
    return ordinal_of(pod) >= 0 and is_member(stateful_set, pod) and labels_of(pod).get(POD_NAME) == key_of(pod)[1]


def has_storage(stateful_set: Object, pod: Object) -> bool:
    """Whether the pod's volumes are the claims that the set has for it."""
    volumes = {volume.get("name"): volume for volume in (pod.get("spec") or {}).get("volumes") or []}
    for template in templates_of(stateful_set):
        source = volumes.get(key_of(template)[1], {}).get("persistentVolumeClaim") or {}
        if source.get("claimName") != claim_name(stateful_set, template, ordinal_of(pod)):
            return False
    return True


def give_identity(pod: Object) -> None:
    """Set the labels with name and number."""
    meta = pod["metadata"]
    meta["labels"] = {**(meta.get("labels") or {}), POD_NAME: meta["name"], POD_INDEX: str(ordinal_of(pod))}


def give_storage(stateful_set: Object, pod: Object) -> None:
    """Make the claims volumes of the pod, instead of volumes of the same name."""
    spec, ordinal = pod["spec"], ordinal_of(pod)
    claims = {key_of(template)[1]: claim_name(stateful_set, template, ordinal) for template in templates_of(stateful_set)}
    mounted = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, claim in claims.items()]
    spec["volumes"] = mounted + [volume for volume in spec.get("volumes") or [] if volume.get("name") not in claims]
    if not spec["volumes"]:
        del spec["volumes"]


def pod_of(stateful_set: Object, revision: str, ordinal: int) -> Object:
    """A pod of the set with a number, from the template that the set has at a revision."""
    pod = pod_from(stateful_set["spec"]["template"], stateful_set, f"{key_of(stateful_set)[1]}-{ordinal}")
    give_identity(pod)
    pod["metadata"]["labels"][POD_HASH] = revision
    pod["spec"]["hostname"] = pod["metadata"]["name"]
    service = stateful_set["spec"].get("serviceName")
    if service:
        pod["spec"]["subdomain"] = service
    give_storage(stateful_set, pod)
    return pod


def revision_of(pod: Object) -> str:
    """The revision that a pod was made from, "" when not said."""
    return labels_of(pod).get(POD_HASH) or ""


def is_created(pod: Object) -> bool:
    """Whether the server has the pod; one that is only planned has no phase yet."""
    return bool((pod.get("status") or {}).get("phase"))


def minimum_ready(stateful_set: Object) -> int:
    """spec.minReadySeconds, 0 when absent."""
    return int(stateful_set["spec"].get("minReadySeconds") or 0)


def is_unavailable(stateful_set: Object, pod: Object, now: datetime) -> bool:
    """Whether a pod is going, or not yet ready for long enough."""
    return is_deleting(pod) or not is_available(pod, minimum_ready(stateful_set), now)
