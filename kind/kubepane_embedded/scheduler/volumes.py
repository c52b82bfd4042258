"""Filters about volumes: claims must be bound or bindable on the node (plugins volumerestrictions, volumebinding, volumezone).

Volumes that are written into the pod itself (cloud disks, RBD, iSCSI) and limits of CSI drivers are not looked at.
"""

from __future__ import annotations

from kubepane_embedded.controllers.volumebinding import BIND_COMPLETED, CLAIMS, VOLUMES, phase_of
from kubepane_embedded.controllers.volumematch import find_volume_on, matches_node, requested
from kubepane_embedded.meta import Object, annotations_of, controller_of, is_deleting, key_of, labels_of, uid_of
from kubepane_embedded.scheduler.framework import NOTHING, Cycle, PodVolumes, Prepared, Rejection
from kubepane_embedded.scheduler.nodeinfo import NodeInfo
from kubepane_embedded.scheduler.podinfo import Claim, PodInfo
from kubepane_embedded.selectors import LabelSelector, Requirement
from kubepane_embedded.storage import Storage
from kubepane_embedded.storageclasses import CLASSES, class_name, waits_for_consumer

SELECTED_NODE = "volume.kubernetes.io/selected-node"
NO_PROVISIONER = "kubernetes.io/no-provisioner"
ZONES = (
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
)
IN_USE = Rejection(("node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",), True)
UNBOUND = Rejection(("pod has unbound immediate PersistentVolumeClaims",))
OTHER_ZONE = Rejection(("node(s) had no available volume zone",))
OTHER_NODE = "node(s) didn't match PersistentVolume's node affinity"
NOTHING_TO_BIND = "node(s) didn't find available persistent volumes to bind"
NO_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"


def missing(kind: str, name: str) -> Rejection:
    """No node will do while an object is not there."""
    return Rejection((f'{kind} "{name}" not found',))


def is_fully_bound(claim: Object) -> bool:
    """Whether the volume controller has finished with a claim."""
    return bool(claim["spec"].get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def volume_restrictions(cycle: Cycle) -> Prepared:
    """A claim with mode ReadWriteOncePod serves one pod."""
    pod = cycle.pod
    taken = False
    for name in [claim.name for claim in pod.claims if not claim.ephemeral]:
        claim = cycle.storage.read(CLAIMS, pod.namespace, name)
        if claim is None:
            return Prepared(rejection=missing("persistentvolumeclaim", name))
        exclusive = "ReadWriteOncePod" in (claim["spec"].get("accessModes") or ())
        taken = taken or (exclusive and cycle.cache.users((pod.namespace, name)) > 0)
    return Prepared(lambda node: IN_USE) if taken else NOTHING


def volume_binding(cycle: Cycle) -> Prepared:
    """Bound claims need a node that their volume can be used on, waiting ones a node where they can be bound."""
    claims: list[Object] = []
    for used in cycle.pod.claims:
        claim = cycle.storage.read(CLAIMS, cycle.pod.namespace, used.name)
        why = _why_unusable(cycle.pod, used, claim)
        if why or claim is None:
            return Prepared(rejection=Rejection((why,)))
        claims.append(claim)
    if not claims:
        return NOTHING
    bound = [claim for claim in claims if is_fully_bound(claim)]
    waiting = [claim for claim in claims if not is_fully_bound(claim)]
    if any(claim["spec"].get("volumeName") or not waits_for_consumer(cycle.storage, claim) for claim in waiting):
        return Prepared(rejection=UNBOUND)

    def test(node: NodeInfo) -> Rejection | None:
        reasons = [*_bound_conflicts(cycle.storage, bound, node)]
        found = _find(cycle.storage, waiting, node)
        if found is None:
            reasons.append(NOTHING_TO_BIND)
        elif waiting:
            cycle.volumes[node.name] = found
        return Rejection(tuple(reasons)) if reasons else None

    return Prepared(test)


def _why_unusable(pod: PodInfo, used: Claim, claim: Object | None) -> str:
    if claim is None and used.ephemeral:
        return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{used.name}"'
    if claim is None:
        return f'persistentvolumeclaim "{used.name}" not found'
    if phase_of(claim) == "Lost":
        return f'persistentvolumeclaim "{used.name}" bound to non-existent persistentvolume "{claim["spec"].get("volumeName") or ""}"'
    if is_deleting(claim):
        return f'persistentvolumeclaim "{used.name}" is being deleted'
    if used.ephemeral and (controller_of(claim) or {}).get("uid") != pod.uid:
        return f"PVC {pod.namespace}/{used.name} was not created for pod {pod.namespace}/{pod.name} (pod is not owner)"
    return ""


def _bound_conflicts(storage: Storage, claims: list[Object], node: NodeInfo) -> list[str]:
    for claim in claims:
        volume = storage.read(VOLUMES, "", claim["spec"]["volumeName"])
        if volume is None:
            return [NO_VOLUME]
        if not matches_node(volume, node.labels):
            return [OTHER_NODE]
    return []


def _find(storage: Storage, waiting: list[Object], node: NodeInfo) -> PodVolumes | None:
    """What to bind and to provision for waiting claims on a node, smallest claims first; None when it cannot be done there."""
    found = PodVolumes()
    selected = {uid_of(claim): annotations_of(claim).get(SELECTED_NODE) for claim in waiting}
    if any(name is not None and name != node.name for name in selected.values()):
        return None
    taken: set[str] = set()
    for claim in sorted(waiting, key=requested):
        volume = None if selected[uid_of(claim)] is not None else _volume_on(storage, claim, node, taken)
        if volume is not None:
            taken.add(key_of(volume)[1])
            found.static.append((volume, claim))
        elif _can_provision(storage, claim, node):
            found.dynamic.append(claim)
        else:
            return None
    return found


def _volume_on(storage: Storage, claim: Object, node: NodeInfo, taken: set[str]) -> Object | None:
    wanted = class_name(claim)
    volumes = [one for one in storage.objects(VOLUMES) if class_name(one) == wanted and key_of(one)[1] not in taken]
    return find_volume_on(claim, volumes, node.object) if node.object is not None else None


def _can_provision(storage: Storage, claim: Object, node: NodeInfo) -> bool:
    """Whether the claim's class has a provisioner, and may be used on the node (allowedTopologies)."""
    found = storage.read(CLASSES, "", class_name(claim))
    if found is None or (found.get("provisioner") or NO_PROVISIONER) == NO_PROVISIONER:
        return False
    allowed = found.get("allowedTopologies") or []
    return not allowed or any(_topology(term).matches(node.labels) for term in allowed)


def _topology(term: Object) -> LabelSelector:
    """A TopologySelectorTerm; one without expressions matches nothing."""
    parts = [Requirement(one["key"], "In", tuple(one.get("values") or ())) for one in term.get("matchLabelExpressions") or []]
    return LabelSelector(tuple(parts), nothing=not parts)


def volume_zone(cycle: Cycle) -> Prepared:
    """Volumes that carry zone or region labels are used on nodes of that zone."""
    needed: list[tuple[str, frozenset[str]]] = []
    for used in cycle.pod.claims:
        claim = cycle.storage.read(CLAIMS, cycle.pod.namespace, used.name) or {"spec": {}}
        name = claim["spec"].get("volumeName")
        volume = cycle.storage.read(VOLUMES, "", name) if name else None
        if name and volume is None:
            return Prepared(rejection=missing("persistentvolume", name))
        labels = labels_of(volume or {})
        needed += [(label, frozenset(labels[label].split("__"))) for label in ZONES if label in labels]
    if not needed:
        return NOTHING

    def test(node: NodeInfo) -> Rejection | None:
        if not any(label in node.labels for label in ZONES):
            return None
        for label, values in needed:
            present = node.labels.get(label, node.labels.get(label.replace("failure-domain.beta.", "topology.")))
            if present not in values:
                return OTHER_ZONE
        return None

    return Prepared(test)
