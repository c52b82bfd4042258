"""Claims: the chain Pod → PVC → StorageClass → PV → node, the state of its links, and the first broken one with its cause.

Source: pkg/controller/volume/persistentvolume (syncUnboundClaim, syncBoundClaim), pkg/printers/internalversion
(printPersistentVolumeClaim), and what a 1.35 server did when each link was broken on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import provisioning, volumes
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.unseen import ailing, unseen

WAIT_FOR_CONSUMER = "WaitForFirstConsumer"
_DONE = ("Succeeded", "Failed")


class Chain(msgspec.Struct, frozen=True, gc=False):
    """One claim and all that hangs on it.

    Attributes:
        namespace, name: the claim's.
        claim: the claim; None where pods name one that is not there.
        pods: those that mount it and have not finished, by name.
        storageclass: the object of its class, None where it has none or it is not held.
        binding: `static`, `Immediate`, `WaitForFirstConsumer`, `missing`, or "" where that is not known.
        volume: the volume it names, None where there is none or it is not held.
        node: where the chain ends: the pods' nodes, else where the volume can be used; "" while that is open.
        broken: the first link that does not hold: `claim`, `class`, `volume`, `node`, or "" for none.
        finding: how the chain is and why.
    """

    namespace: str
    name: str
    claim: r.Claim | None
    pods: tuple[r.Pod, ...]
    storageclass: r.StorageClass | None
    binding: str
    volume: r.PersistentVolume | None
    node: str
    broken: str
    finding: Finding


def phase(claim: r.Claim) -> str:
    """STATUS as kubectl prints it."""
    return "Terminating" if claim.metadata.deletion_timestamp else claim.status.phase


def capacity(claim: r.Claim) -> str:
    """CAPACITY as kubectl prints it: from the status, once a volume is named."""
    return (claim.status.capacity or {}).get("storage", "0") if claim.spec.volume_name else ""


def modes(claim: r.Claim) -> str:
    """ACCESS MODES as kubectl prints them: from the status, once a volume is named."""
    return volumes.modes(claim.status.access_modes) if claim.spec.volume_name else ""


def asked(claim: r.Claim) -> str:
    """The size asked for."""
    return (claim.spec.resources.requests or {}).get("storage", "")


def class_of(claim: r.Claim) -> str | None:
    """The class's name: "" asks for a volume without class, None for the default class."""
    notes = claim.metadata.annotations or r.NO_ANNOTATIONS
    return notes.beta_class or claim.spec.storage_class_name


def truly_bound(claim: r.Claim, volume: r.PersistentVolume | None) -> bool:
    """Whether each names the other, the volume by the claim's uid."""
    ref = volume.spec.claim_ref if volume else None
    if volume is None or ref is None or claim.spec.volume_name != volume.metadata.name:
        return False
    return (ref.namespace, ref.name, ref.uid) == (claim.metadata.namespace, claim.metadata.name, claim.metadata.uid)


def mounting(stores: Stores, namespace: str, name: str) -> tuple[r.Pod, ...]:
    """The pods that mount a claim and have not finished, by name."""
    pods = [p for p in stores.pods.by("claim", f"{namespace}/{name}") if p.status.phase not in _DONE]
    return tuple(sorted(pods, key=lambda p: p.metadata.name)) if len(pods) > 1 else tuple(pods)


def chain(stores: Stores, namespace: str, name: str) -> Chain:
    """The chain of the claim with this name, whether or not the claim is there."""
    claim = stores.claims.named(namespace, name)
    pods = mounting(stores, namespace, name)
    if claim is None:
        broken, finding = _absent(stores, namespace, name, pods)
        return Chain(namespace, name, None, pods, None, "", None, _nodes(pods, None), broken, finding)
    wanted = class_of(claim)
    storageclass = stores.storageclasses.named("", wanted) if wanted else None
    volume = stores.volumes.named("", claim.spec.volume_name) if claim.spec.volume_name else None
    broken, finding = _verdict(stores, claim, pods, volume)
    binding = _binding(stores, claim, wanted, storageclass)
    return Chain(namespace, name, claim, pods, storageclass, binding, volume, _nodes(pods, volume), broken, finding)


def explain_claim(stores: Stores, claim: r.Claim) -> list[Finding]:
    """What there is to say about a claim, the most important first; nothing for one that is well."""
    found = chain(stores, claim.metadata.namespace, claim.metadata.name)
    findings = [found.finding]
    findings += [f for f in _besides(stores, found) if f.clause != found.finding.clause]
    return ailing(findings)


def ref(claim: r.Claim) -> str:
    """The claim as evidence names it."""
    return f"persistentvolumeclaim/{claim.metadata.name}"


# ---- the first broken link


def _absent(stores: Stores, namespace: str, name: str, pods: tuple[r.Pod, ...]) -> tuple[str, Finding]:
    if doubt := unseen(stores.claims):
        return "", Finding(Level.OFF, f"could not look: {doubt}")
    evidence = tuple(Evidence(f"pod/{p.metadata.name}", "spec.volumes[].persistentVolumeClaim.claimName", name) for p in pods[:1])
    return "claim", Finding(Level.BAD, f"claim {name} does not exist", evidence, f"create claim {name} in namespace {namespace}")


def _verdict(stores: Stores, claim: r.Claim, pods: tuple[r.Pod, ...], volume: r.PersistentVolume | None) -> tuple[str, Finding]:
    if claim.metadata.deletion_timestamp:
        return "claim", _terminating(claim, pods)
    match claim.status.phase:
        case "Bound":
            return _bound(stores, claim, pods, volume)
        case "Lost":
            return "volume", _lost(claim, volume)
    if claim.spec.volume_name:
        return "volume", _reserved(stores, claim, volume)
    return provisioning.why_pending(stores, claim, class_of(claim), [p for p in pods if not p.metadata.deletion_timestamp])


def _terminating(claim: r.Claim, pods: tuple[r.Pod, ...]) -> Finding:
    holding = ", ".join(claim.metadata.finalizers or ())
    evidence = (Evidence(ref(claim), "metadata.deletionTimestamp", str(claim.metadata.deletion_timestamp)),)
    if pods:
        return Finding(
            Level.WARN, f"deleted, but pod {pods[0].metadata.name} still mounts it", evidence, f"delete pod {pods[0].metadata.name} to let it go"
        )
    return Finding(Level.BUSY, f"being deleted{f', held by {holding}' if holding else ''}", evidence)


def _lost(claim: r.Claim, volume: r.PersistentVolume | None) -> Finding:
    name = claim.spec.volume_name
    evidence = (Evidence(ref(claim), "status.phase", "Lost"), Evidence(ref(claim), "spec.volumeName", name))
    if volume is None:
        return Finding(Level.BAD, f"volume {name} no longer exists", evidence, "delete the claim; its data can only come from a backup")
    return Finding(Level.BAD, f"volume {name} belongs to {volumes.owner(volume) or 'nobody'}", (*evidence, _claim_ref(volume)), "delete the claim")


def _reserved(stores: Stores, claim: r.Claim, volume: r.PersistentVolume | None) -> Finding:
    """Pending although it names its volume: bound by hand, and something does not suit."""
    name = claim.spec.volume_name
    evidence = Evidence(ref(claim), "spec.volumeName", name)
    if volume is None:
        if doubt := unseen(stores.volumes):
            return Finding(Level.WAIT, f"waits for volume {name} (could not look: {doubt})", (evidence,))
        return Finding(Level.BAD, f"volume {name} does not exist", (evidence,), f"create volume {name}, or delete the claim and name no volume")
    if wrong := volumes.misfits(claim, volume, class_of(claim)):
        facts = tuple(Evidence(f"persistentvolume/{name}", m.field, m.has) for m in wrong)
        return Finding(Level.BAD, f"volume {name}: {'; '.join(m.words for m in wrong)}", (evidence, *facts), _make_fit(name, wrong))
    return Finding(Level.BUSY, f"binding to volume {name}", (evidence,))


def _make_fit(name: str, wrong: list[volumes.Misfit]) -> str:
    if wrong[0].field.startswith("spec.claimRef"):
        return f"free volume {name} (remove its spec.claimRef), or name another"
    return f"make volume {name} and the claim agree, or name another"


def _bound(stores: Stores, claim: r.Claim, pods: tuple[r.Pod, ...], volume: r.PersistentVolume | None) -> tuple[str, Finding]:
    name = claim.spec.volume_name
    if volume is None:
        if doubt := unseen(stores.volumes):
            return "", Finding(
                Level.OK, f"bound to {name}; the volume could not be looked at: {doubt}", (Evidence(ref(claim), "spec.volumeName", name),)
            )
        evidence = (Evidence(ref(claim), "spec.volumeName", name),)
        return "volume", Finding(Level.BAD, f"volume {name} does not exist", evidence, "delete the claim; its data can only come from a backup")
    if not truly_bound(claim, volume):
        return "volume", _one_sided(claim, volume)
    if volume.status.phase == "Failed":
        facts = (
            Evidence(f"persistentvolume/{name}", "status.phase", "Failed"),
            Evidence(f"persistentvolume/{name}", "status.message", volume.status.message),
        )
        return "volume", Finding(Level.WARN, f"volume {name} failed: {volume.status.message or volume.status.reason}", facts)
    if broken := _node(stores, pods, volume):
        return "node", broken
    growing = _growing(claim)
    return ("volume", growing) if growing else ("", _whole(claim, pods, volume))


def _one_sided(claim: r.Claim, volume: r.PersistentVolume) -> Finding:
    name, other = volume.metadata.name, volumes.owner(volume)
    evidence = (Evidence(ref(claim), "metadata.uid", claim.metadata.uid), _claim_ref(volume))
    if not other:
        return Finding(Level.BAD, f"volume {name} does not name this claim", evidence)
    if other == f"{claim.metadata.namespace}/{claim.metadata.name}":
        return Finding(Level.BAD, f"volume {name} names a deleted claim of this name (other uid)", evidence)
    return Finding(Level.BAD, f"volume {name} belongs to {other}", evidence)


def _node(stores: Stores, pods: tuple[r.Pod, ...], volume: r.PersistentVolume) -> Finding | None:
    """What is wrong with the node that the volume is tied to."""
    hosts = volumes.pinned(volume)
    if not hosts:
        return None
    name = volume.metadata.name
    evidence = Evidence(f"persistentvolume/{name}", "spec.nodeAffinity", ",".join(hosts))
    nodes = [node for host in hosts for node in hosted(stores, host)]
    if not nodes:
        gone = Finding(
            Level.BAD, f"node {hosts[0]} of volume {name} does not exist", (evidence,), f"bring node {hosts[0]} back, or restore the data elsewhere"
        )
        return None if unseen(stores.nodes) else gone
    ready = [n for n in nodes if _ready(n)]
    if not ready:
        node = nodes[0].metadata.name
        return Finding(
            Level.WARN, f"node {node} of volume {name} is not ready", (Evidence(f"node/{node}", "status.conditions[Ready]", "not True"), evidence)
        )
    names = {n.metadata.name for n in nodes}
    away = next((p for p in pods if p.spec.node_name and p.spec.node_name not in names), None)
    if away is not None:
        where = Evidence(f"pod/{away.metadata.name}", "spec.nodeName", away.spec.node_name)
        return Finding(Level.BAD, f"pod {away.metadata.name} runs on {away.spec.node_name}, the volume is on {','.join(hosts)}", (where, evidence))
    return None


def _growing(claim: r.Claim) -> Finding | None:
    """A resize under way, or stuck."""
    for condition in claim.status.conditions or ():
        if condition.status != "True":
            continue
        to = f"{capacity(claim)} → {asked(claim)}"
        evidence = (Evidence(ref(claim), f"status.conditions[{condition.type}]", condition.message or condition.reason),)
        match condition.type:
            case "Resizing":
                return Finding(Level.BUSY, f"growing {to}", evidence)
            case "FileSystemResizePending":
                return Finding(
                    Level.WAIT,
                    f"growing {to}: the file system follows when a pod mounts it",
                    evidence,
                    "restart the pod if it does not grow by itself",
                )
            case "ControllerResizeError" | "NodeResizeError":
                return Finding(Level.WARN, f"growing {to} failed: {condition.message or condition.reason}", evidence)
            case "ModifyVolumeError":
                return Finding(Level.WARN, f"changing the volume's attributes failed: {condition.message or condition.reason}", evidence)
    return None


def _whole(claim: r.Claim, pods: tuple[r.Pod, ...], volume: r.PersistentVolume) -> Finding:
    evidence = (Evidence(ref(claim), "spec.volumeName", volume.metadata.name), _claim_ref(volume))
    kind, path = volumes.place(volume)
    text = "every link holds" if pods else "bound; no pod mounts it"
    if kind == "hostPath":
        text += f"; hostPath {path} is a folder of whatever node the pod runs on"
    elif hosts := volumes.pinned(volume):
        text += f"; the data is on {','.join(hosts)}: pods can only run there"
    return Finding(Level.OK, text, evidence)


def _besides(stores: Stores, found: Chain) -> Iterable[Finding]:
    """What is worth saying although it is not the first broken link."""
    claim, volume = found.claim, found.volume
    if claim is None:
        return
    if volume is not None and volume.metadata.deletion_timestamp and claim.status.phase == "Bound":
        yield Finding(Level.WARN, f"volume {volume.metadata.name} is deleted and goes with the claim", (_claim_ref(volume),))
    if (growing := _growing(claim)) is not None:
        yield growing
    if found.broken != "node" and volume is not None and (node := _node(stores, found.pods, volume)) is not None:
        yield node


def hosted(stores: Stores, host: str) -> list[r.Node]:
    """The nodes with this host name: nearly always the one of that name, else by label."""
    node = stores.nodes.named("", host)
    if node is not None:
        return [node]
    return [n for n in stores.nodes if (n.metadata.labels or {}).get(volumes.HOSTNAME) == host]


def _ready(node: r.Node) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in node.status.conditions or ())


def _claim_ref(volume: r.PersistentVolume) -> Evidence:
    ref = volume.spec.claim_ref
    return Evidence(
        f"persistentvolume/{volume.metadata.name}", "spec.claimRef", f"{ref.namespace}/{ref.name} uid {ref.uid or 'none'}" if ref else "none"
    )


def _binding(stores: Stores, claim: r.Claim, wanted: str | None, storageclass: r.StorageClass | None) -> str:
    if not wanted:
        return "static" if wanted == "" or not unseen(stores.storageclasses) else ""
    if storageclass is not None:
        return storageclass.volume_binding_mode or "Immediate"
    if unseen(stores.storageclasses):
        return ""
    return "static" if claim.spec.volume_name else "missing"  # a class may be a mere word that volume and claim agree on


def _nodes(pods: tuple[r.Pod, ...], volume: r.PersistentVolume | None) -> str:
    nodes = list(dict.fromkeys(p.spec.node_name for p in pods if p.spec.node_name))
    if nodes:
        return nodes[0] if len(nodes) == 1 else f"{nodes[0]} +{len(nodes) - 1}"
    return volumes.reach(volume) if volume is not None else ""
