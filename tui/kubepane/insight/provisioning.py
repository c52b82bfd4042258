"""Why a claim that names no volume is Pending: its class, a provisioner, or no volume that fits.

Source: pkg/controller/volume/persistentvolume (syncUnboundClaim, provisionClaim) and the scheduler's volume binding. The
event is shown only where a provisioner wrote it about its own failure: for a class without provisioner the controller's
event says `no volume plugin matched name`, which is not the cause.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import events, volumes
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.unseen import names, unseen

NO_PROVISIONER = "kubernetes.io/no-provisioner"
_LOOKED_AT = 300  # free volumes compared with one claim; more are not read by anyone
_RETRY = timedelta(minutes=10)  # a provisioner says that it begins before each try: a failure this young still stands
_NEVER = datetime.min.replace(tzinfo=UTC)


def why_pending(stores: Stores, claim: r.Claim, wanted: str | None, pods: list[r.Pod]) -> tuple[str, Finding]:
    """The broken link and its cause, of a claim that is Pending and names no volume.

    Args:
        stores: what is known of the cluster.
        claim: the claim.
        wanted: its class, "" for a volume without class, None for the default class.
        pods: those that mount it.
    """
    if wanted is None:
        return _without_class(stores, claim)
    if wanted == "":
        return "volume", _static(stores, claim, "")
    storageclass = stores.storageclasses.named("", wanted)
    if storageclass is None:
        return _unknown_class(stores, claim, wanted)
    node = (claim.metadata.annotations or r.NO_ANNOTATIONS).selected_node
    if storageclass.volume_binding_mode == "WaitForFirstConsumer" and not node:
        return _first_consumer(stores, claim, storageclass, pods)
    if storageclass.provisioner == NO_PROVISIONER:
        return "volume", _static(stores, claim, wanted)
    return "volume", _provisioning(stores, claim, storageclass, node)


def _newest(stores: Stores, claim: r.Claim, reasons: Iterable[str]) -> r.Event | None:
    return events.newest(e for e in stores.events.by("object", claim.metadata.uid) if e.reason in reasons)


def _default_classes(stores: Stores) -> list[str]:
    """The default classes, the one that is taken first: the newest."""
    found = [c for c in stores.storageclasses if (c.metadata.annotations or r.NO_ANNOTATIONS).default_class == "true"]
    return [c.metadata.name for c in sorted(found, key=lambda c: c.metadata.creation_timestamp or _NEVER, reverse=True)]


def _have(stores: Stores) -> str:
    defaults = _default_classes(stores)
    found = sorted(c.metadata.name for c in stores.storageclasses)
    return names([f"{name} (default)" if name in defaults else name for name in found])


def _ref(claim: r.Claim) -> str:
    return f"persistentvolumeclaim/{claim.metadata.name}"


def _without_class(stores: Stores, claim: r.Claim) -> tuple[str, Finding]:
    evidence = Evidence(_ref(claim), "spec.storageClassName", "unset")
    if doubt := unseen(stores.storageclasses):
        return "class", _told(stores, claim, f"asks for the default class (could not look: {doubt})", evidence)
    if defaults := _default_classes(stores):
        return "class", Finding(Level.BUSY, f"is about to get the default class {defaults[0]}", (evidence,))
    if any(not volumes.misfits(claim, v, "") for v in _free(stores)):
        return "volume", Finding(Level.BUSY, "a volume without class fits: binding", (evidence,))
    have = Evidence("storageclasses", "metadata.name", _have(stores))
    clause = f"no class and no default StorageClass (have: {_have(stores)})"
    return "class", Finding(Level.BAD, clause, (evidence, have), "mark a StorageClass as default, or delete the claim and create it with a class")


def _unknown_class(stores: Stores, claim: r.Claim, wanted: str) -> tuple[str, Finding]:
    evidence = Evidence(_ref(claim), "spec.storageClassName", wanted)
    if doubt := unseen(stores.storageclasses):
        return "class", _told(stores, claim, f"waits for a volume of class {wanted} (could not look: {doubt})", evidence)
    if any(volumes.class_of(v) == wanted for v in _free(stores)):
        return "volume", _static(stores, claim, wanted)  # a class may be a mere word that volumes and claims agree on
    have = Evidence("storageclasses", "metadata.name", _have(stores))
    if (almost := _but_for_its_class(stores, claim)) is not None:
        name, other = almost.metadata.name, volumes.class_of(almost)
        own = Evidence(f"persistentvolume/{name}", "spec.storageClassName", other)
        return "class", Finding(
            Level.BAD,
            f"no StorageClass {wanted}; volume {name} would fit, but has class {other}",
            (evidence, own, have),
            f"set its class to {wanted}",
        )
    clause = f"no StorageClass {wanted} (have: {_have(stores)})"
    return "class", Finding(
        Level.BAD, clause, (evidence, have), f"create StorageClass {wanted}, or delete the claim (its class is fixed) and name another"
    )


def _but_for_its_class(stores: Stores, claim: r.Claim) -> r.PersistentVolume | None:
    """A free volume that would fit, if its class were the claim's; one of a class that exists is meant for others."""
    for volume in _free(stores):
        own = volumes.class_of(volume)
        if own and stores.storageclasses.named("", own) is None and not volumes.misfits(claim, volume, own):
            return volume
    return None


def _first_consumer(stores: Stores, claim: r.Claim, storageclass: r.StorageClass, pods: list[r.Pod]) -> tuple[str, Finding]:
    mode = Evidence(f"storageclass/{storageclass.metadata.name}", "volumeBindingMode", "WaitForFirstConsumer")
    if not pods:
        return "volume", Finding(Level.WAIT, "waits for its first pod: normal", (mode, Evidence(_ref(claim), "spec.volumeName", "none")))
    if storageclass.provisioner == NO_PROVISIONER and not unseen(stores.volumes):
        static = _static(stores, claim, storageclass.metadata.name)
        if static.level is Level.BAD:
            return "volume", static
    waiting = next((p for p in pods if not p.spec.node_name), None)
    if waiting is None:
        pod = pods[0]
        evidence = (mode, Evidence(f"pod/{pod.metadata.name}", "spec.nodeName", pod.spec.node_name))
        clause = f"pod {pod.metadata.name} came to {pod.spec.node_name} without the scheduler, so no node was chosen for the claim"
        return "volume", Finding(Level.WARN, clause, evidence, "let the scheduler place the pod: remove nodeName from its template")
    why = next((c.message for c in waiting.status.conditions or () if c.type == "PodScheduled" and c.status == "False"), "")
    evidence = (mode, Evidence(f"pod/{waiting.metadata.name}", "status.conditions[PodScheduled]", why or "not scheduled"))
    return "volume", Finding(
        Level.WAIT, f"waits until pod {waiting.metadata.name} is scheduled", evidence, f"see why pod {waiting.metadata.name} is not scheduled"
    )


def _provisioning(stores: Stores, claim: r.Claim, storageclass: r.StorageClass, node: str) -> Finding:
    by = Evidence(f"storageclass/{storageclass.metadata.name}", "provisioner", storageclass.provisioner)
    if node and stores.nodes.named("", node) is None and not unseen(stores.nodes):
        chosen = Evidence(_ref(claim), "metadata.annotations[volume.kubernetes.io/selected-node]", node)
        return Finding(Level.BAD, f"node {node}, chosen for it, does not exist", (chosen, by), "delete the pod, so that it is scheduled anew")
    failed = _newest(stores, claim, ("ProvisioningFailed",))
    working = _newest(stores, claim, ("ExternalProvisioning", "Provisioning", "ProvisioningSucceeded"))
    if failed is not None and (working is None or events.when(failed) + _RETRY >= events.when(working)):
        evidence = (Evidence(_ref(claim), "event ProvisioningFailed", failed.message), by)
        return Finding(Level.BAD, f"provisioning failed: {_short(failed.message)}", evidence, f"look into provisioner {storageclass.provisioner}")
    where = f" on node {node}" if node else ""
    told = (Evidence(_ref(claim), f"event {working.reason}", working.message),) if working else ()
    return Finding(Level.BUSY, f"waits for provisioner {storageclass.provisioner}{where}", (*told, by))


def _short(message: str) -> str:
    """A provisioner's message without what the row says anyway."""
    head, sep, rest = message.partition(": ")
    return rest if sep and head.startswith("failed to provision volume with StorageClass") else message


# ---- volumes made by hand


def _free(stores: Stores) -> list[r.PersistentVolume]:
    """Volumes that are nobody's, or no longer somebody's."""
    by = stores.volumes.by
    return [*by("phase", "Available"), *by("phase", ""), *by("phase", "Pending"), *by("phase", "Released")][:_LOOKED_AT]


def _static(stores: Stores, claim: r.Claim, wanted: str) -> Finding:
    """The cause for a claim that only a volume made by hand can serve."""
    of = f"of class {wanted}" if wanted else "without class"
    asks = Evidence(_ref(claim), "spec.storageClassName", wanted or '""')
    if doubt := unseen(stores.volumes):
        return _told(stores, claim, f"waits for a volume {of} (could not look: {doubt})", asks)
    judged = sorted(((volumes.misfits(claim, v, wanted), v) for v in _free(stores)), key=lambda m: (_distance(m[0]), m[1].metadata.name))
    kin = [m for m in judged if volumes.class_of(m[1]) == wanted]
    if kin:
        return _nearest(of, asks, *kin[0], len(kin) - 1)
    if judged and [m.field for m in judged[0][0]] == ["spec.storageClassName"]:
        wrong, volume = judged[0]
        name, fact = volume.metadata.name, Evidence(f"persistentvolume/{volume.metadata.name}", wrong[0].field, wrong[0].has or "none")
        clause = f"no volume {of}; {name} would fit, but has {'class ' + wrong[0].has if wrong[0].has else 'no class'}"
        return Finding(Level.BAD, clause, (fact, asks), _cure(name, wrong))
    return Finding(Level.BAD, f"no free volume {of}", (asks,), f"create a PersistentVolume {of} that suits the claim")


def _nearest(of: str, asks: Evidence, wrong: list[volumes.Misfit], volume: r.PersistentVolume, others: int) -> Finding:
    name = volume.metadata.name
    if not wrong:
        return Finding(Level.BUSY, f"volume {name} fits: binding", (asks, Evidence(f"persistentvolume/{name}", "status.phase", volume.status.phase)))
    facts = tuple(Evidence(f"persistentvolume/{name}", m.field, m.has) for m in wrong)
    words = "; ".join(m.words for m in wrong)
    more = f" (nor {others} more)" if others else ""
    return Finding(Level.BAD, f"no volume {of} fits: {name} {words}{more}", (*facts, asks), _cure(name, wrong))


def _distance(wrong: list[volumes.Misfit]) -> tuple[bool, int]:
    """Which volume is the nearest: the one with the fewest faults, and rather one that is nobody else's."""
    return any(m.field == "spec.claimRef" for m in wrong), len(wrong)


def _cure(name: str, wrong: list[volumes.Misfit]) -> str:
    match wrong[0].field:
        case "spec.claimRef.uid":
            return f"to use its data again remove spec.claimRef from volume {name}; else delete the volume"
        case "spec.claimRef" | "status.phase" | "metadata.deletionTimestamp":
            return "create a PersistentVolume that suits the claim"
        case "spec.storageClassName":
            return f"give volume {name} and the claim the same storageClassName"
    return "create a PersistentVolume that suits the claim, or a claim that asks for less"


def _told(stores: Stores, claim: r.Claim, else_: str, evidence: Evidence) -> Finding:
    """Where we could not look, what the controller wrote about the claim; nothing is concluded from what is not seen."""
    event = _newest(
        stores,
        claim,
        ("ProvisioningFailed", "FailedBinding", "VolumeMismatch", "WaitForFirstConsumer", "WaitForPodScheduled", "ExternalProvisioning"),
    )
    if event is None:
        return Finding(Level.WAIT, else_, (evidence,))
    fact = Evidence(_ref(claim), f"event {event.reason}", event.message)
    if event.reason == "WaitForFirstConsumer":
        return Finding(Level.WAIT, "waits for its first pod: normal", (fact, evidence))
    if event.reason == "WaitForPodScheduled":
        return Finding(Level.WAIT, event.message.replace("waiting for pod", "waits for pod", 1), (fact, evidence))
    if event.reason == "ExternalProvisioning":
        return Finding(Level.BUSY, "waits for its provisioner", (fact, evidence))
    return Finding(Level.BAD, event.message, (fact, evidence))
