"""PersistentVolumes: what they offer, where they are, and which field keeps one from serving a claim.

Source: component-helpers storage/volume/pv_helpers.go (FindMatchingVolume) and pkg/printers/internalversion (printPersistentVolume).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubepane.cluster import resources as r
from kubepane.insight import labels, quantities

HOSTNAME = "kubernetes.io/hostname"
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


class Misfit(msgspec.Struct, frozen=True, gc=False):
    """One field of a volume that does not suit a claim.

    Attributes:
        field: the volume's field, as `spec.capacity.storage`.
        words: what is wrong in a few words: `1Gi < 5Gi`.
        has: the field's value, as text.
    """

    field: str
    words: str
    has: str


def modes(access: Iterable[str] | None) -> str:
    """Access modes in kubectl's short form and order: `RWO,ROX`."""
    given = set(access or ())
    return ",".join(short for mode, short in _SHORT.items() if mode in given)


def phase(volume: r.PersistentVolume) -> str:
    """STATUS as kubectl prints it."""
    return "Terminating" if volume.metadata.deletion_timestamp else volume.status.phase


def capacity(volume: r.PersistentVolume) -> str:
    """CAPACITY as kubectl prints it."""
    return (volume.spec.capacity or {}).get("storage", "0")


def class_of(volume: r.PersistentVolume) -> str:
    """The class's name, "" for none; the old annotation wins as it does in the controller."""
    notes = volume.metadata.annotations or r.NO_ANNOTATIONS
    return notes.beta_class or volume.spec.storage_class_name


def owner(volume: r.PersistentVolume) -> str:
    """CLAIM as kubectl prints it: `namespace/name`, "" for none."""
    ref = volume.spec.claim_ref
    return f"{ref.namespace}/{ref.name}" if ref else ""


def place(volume: r.PersistentVolume) -> tuple[str, str]:
    """The kind of source and where the data is: `hostPath`, `/data/mysql`; two empty texts for sources that are not kept."""
    spec = volume.spec
    if spec.host_path:
        return "hostPath", spec.host_path.path
    if spec.local:
        return "local", spec.local.path
    if spec.nfs:
        return "nfs", f"{spec.nfs.server}:{spec.nfs.path}"
    return ("csi", spec.csi.driver) if spec.csi else ("", "")


def pinned(volume: r.PersistentVolume) -> tuple[str, ...]:
    """The hosts that the volume's nodeAffinity names, sorted; none when it has no such limit."""
    return tuple(sorted({v for term in _terms(volume) for e in term for v in e.values or () if _host(e)}))


def reach(volume: r.PersistentVolume) -> str:
    """Where the volume can be used, in words: a host's name, `zone=eu-1a`, "" for everywhere."""
    if hosts := pinned(volume):
        return ",".join(hosts)
    parts = [f"{e.key.rpartition('/')[2]}={','.join(e.values or ())}" for term in _terms(volume) for e in term if e.operator == "In"]
    return " or ".join(dict.fromkeys(parts))


def misfits(claim: r.Claim, volume: r.PersistentVolume, wanted_class: str | None) -> list[Misfit]:
    """All that keeps the binder from giving this volume to this claim; nothing when it would.

    Args:
        claim: the claim, not yet bound.
        volume: any volume.
        wanted_class: the claim's class, None for no class at all.
    """
    found = [m for m in (_taken(claim, volume), _class(volume, wanted_class or "")) if m]
    asks, has = (claim.spec.resources.requests or {}).get("storage", "0"), capacity(volume)
    if quantities.size(has) < quantities.size(asks):
        found.append(Misfit("spec.capacity.storage", f"{has} < {asks}", has))
    if not set(claim.spec.access_modes or ()) <= set(volume.spec.access_modes or ()):
        offers = modes(volume.spec.access_modes)
        found.append(Misfit("spec.accessModes", f"{offers or 'no mode'}, asks {modes(claim.spec.access_modes)}", offers))
    mode, wanted = volume.spec.volume_mode or "Filesystem", claim.spec.volume_mode or "Filesystem"
    if mode != wanted:
        found.append(Misfit("spec.volumeMode", f"{mode}, asks {wanted}", mode))
    attributes, asked = volume.spec.volume_attributes_class_name or "", claim.spec.volume_attributes_class_name or ""
    if attributes != asked:
        found.append(Misfit("spec.volumeAttributesClassName", f"attributes class {attributes or 'none'}, asks {asked or 'none'}", attributes))
    if claim.spec.selector is not None and not labels.matches(claim.spec.selector, volume.metadata.labels):
        has = ",".join(f"{k}={v}" for k, v in sorted((volume.metadata.labels or {}).items()))
        found.append(Misfit("metadata.labels", f"not {labels.text(claim.spec.selector)}", has))
    return found


def holds(claim: r.Claim, volume: r.PersistentVolume) -> bool:
    """Whether the volume names this very claim: name, namespace and, where it has one, uid."""
    ref = volume.spec.claim_ref
    named = ref is not None and (ref.namespace, ref.name) == (claim.metadata.namespace, claim.metadata.name)
    return named and ref is not None and ref.uid in ("", claim.metadata.uid)


def _taken(claim: r.Claim, volume: r.PersistentVolume) -> Misfit | None:
    ref = volume.spec.claim_ref
    if volume.metadata.deletion_timestamp:
        return Misfit("metadata.deletionTimestamp", "being deleted", volume.metadata.deletion_timestamp.isoformat())
    if ref is not None and not holds(claim, volume):
        if (ref.namespace, ref.name) == (claim.metadata.namespace, claim.metadata.name):
            return Misfit("spec.claimRef.uid", f"{volume.status.phase}, still names the deleted claim of this name", ref.uid)
        word = "Released from" if volume.status.phase == "Released" else "belongs to" if ref.uid else "reserved for"
        return Misfit("spec.claimRef", f"{word} {owner(volume)}", owner(volume))
    if ref is None and volume.status.phase not in ("Available", "Pending", ""):
        return Misfit("status.phase", volume.status.phase, volume.status.phase)
    return None


def _class(volume: r.PersistentVolume, wanted: str) -> Misfit | None:
    has = class_of(volume)
    if has == wanted:
        return None
    return Misfit("spec.storageClassName", f"class {has or 'none'}, asks {wanted or 'none'}", has)


def _terms(volume: r.PersistentVolume) -> list[tuple[r.Requirement, ...]]:
    affinity = volume.spec.node_affinity
    terms = affinity.required.node_selector_terms if affinity and affinity.required else None
    return [(*(t.match_expressions or ()), *(t.match_fields or ())) for t in terms or ()]


def _host(e: r.Requirement) -> bool:
    return e.operator == "In" and e.key in (HOSTNAME, "metadata.name")
