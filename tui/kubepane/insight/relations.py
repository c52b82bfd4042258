"""Who belongs to whom: owners above an object, children below it, and what it uses. By indexes, never by a scan of all pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import BY_KIND, Kind
from kubepane.cluster.stores import Stores
from kubepane.insight import labels

DEPTH = 6
CHILDREN = 200  # of one object shown; a workload of thousands of pods is a list, not a tree


class Related(msgspec.Struct, frozen=True, gc=False):
    """One line of the tree.

    Attributes:
        depth: 0 for the topmost owner.
        kind: its kind.
        obj: the object; None where it is named but not held (not allowed, not there, a kind that is not watched).
        name: its name.
        how: the relation to the line it hangs from: `owns`, `uses`, `serves`, `scales`, `routes to`.
        here: it is the object that was asked about.
    """

    depth: int
    kind: str
    obj: r.Object | None
    name: str
    how: str = ""
    here: bool = False


def owner_chain(stores: Stores, obj: r.Object) -> list[tuple[str, str, r.Object | None]]:
    """(kind, name, object) of the controllers above an object, the nearest first."""
    chain: list[tuple[str, str, r.Object | None]] = []
    at: r.Object | None = obj
    while at is not None and len(chain) < DEPTH:
        refs = at.metadata.owner_references or ()
        ref = next((o for o in refs if o.controller), refs[0] if refs else None)
        if ref is None:
            break
        kind = BY_KIND.get(ref.kind)
        at = stores.of(kind).get(ref.uid) if kind else None
        chain.append((ref.kind, ref.name, at))
    return chain


def owned(stores: Stores, uid: str) -> Iterator[tuple[Kind, r.Object]]:
    """The objects that this one owns directly."""
    for kind, store in ((k.REPLICASETS, stores.replicasets), (k.JOBS, stores.jobs), (k.PODS, stores.pods)):
        for obj in store.by("owner", uid):
            yield kind, obj


def family(stores: Stores, uid: str) -> set[str]:
    """The uids of an object and of all it owns, directly or not."""
    found, fresh = {uid}, [uid]
    while fresh:
        fresh = [child.metadata.uid for at in fresh for _, child in owned(stores, at) if child.metadata.uid not in found]
        found.update(fresh)
    return found


def pods_of(stores: Stores, kind: Kind, obj: r.Object) -> list[r.Pod]:
    """The pods of an object: itself, those it owns, those its selector finds (Service), by name."""
    if isinstance(obj, r.Pod):
        return [obj]
    if isinstance(obj, r.Service):
        same = stores.pods.by("namespace", obj.metadata.namespace)
        pods = [p for p in same if labels.matches_map(obj.spec.selector, p.metadata.labels)]
    elif isinstance(obj, r.Node):
        pods = list(stores.pods.by("node", obj.metadata.name))
    elif isinstance(obj, r.Autoscaler):
        target = BY_KIND.get(obj.spec.scale_target_ref.kind)
        scaled = stores.of(target).named(obj.metadata.namespace, obj.spec.scale_target_ref.name) if target else None
        return pods_of(stores, target, scaled) if target and scaled is not None else []
    elif isinstance(obj, r.Claim):
        pods = list(stores.pods.by("claim", f"{obj.metadata.namespace}/{obj.metadata.name}"))
    else:
        pods = [p for uid in family(stores, obj.metadata.uid) if (p := stores.pods.get(uid)) is not None]
    return sorted(pods, key=lambda p: p.metadata.name)


def tree(stores: Stores, kind: Kind, obj: r.Object) -> list[Related]:
    """The object between its owners and its children, as lines in order."""
    above = list(reversed(owner_chain(stores, obj)))
    lines = [Related(i, name_of, held, name, "owns" if i else "") for i, (name_of, name, held) in enumerate(above)]
    depth = len(above)
    lines.append(Related(depth, kind.kind, obj, obj.metadata.name, "owns" if above else "", here=True))
    lines += _below(stores, obj, depth + 1)
    lines += [Related(depth + 1, kind_name, held, name, how) for how, kind_name, name, held in _beside(stores, kind, obj)]
    return lines


def _below(stores: Stores, obj: r.Object, depth: int) -> list[Related]:
    if depth > DEPTH:
        return []
    lines: list[Related] = []
    children = sorted(owned(stores, obj.metadata.uid), key=lambda c: c[1].metadata.name)
    for kind, child in children[:CHILDREN]:
        lines.append(Related(depth, kind.kind, child, child.metadata.name, "owns"))
        lines += _below(stores, child, depth + 1)
    if len(children) > CHILDREN:
        lines.append(Related(depth, "", None, f"and {len(children) - CHILDREN:,} more"))
    return lines


def _beside(stores: Stores, kind: Kind, obj: r.Object) -> Iterable[tuple[str, str, str, r.Object | None]]:
    ns = obj.metadata.namespace
    if isinstance(obj, r.Pod):
        yield from _used_by_pod(stores, obj)
    elif isinstance(obj, r.Ingress):
        for path in _ingress_services(obj):
            yield "routes to", "Service", path, stores.services.named(ns, path)
    elif isinstance(obj, r.Service):
        for ingress in stores.ingresses.by("service", f"{ns}/{obj.metadata.name}"):
            yield "served by", "Ingress", ingress.metadata.name, ingress
        for part in stores.endpointslices.by("service", f"{ns}/{obj.metadata.name}"):
            yield "has", "EndpointSlice", part.metadata.name, part
    elif isinstance(obj, r.Autoscaler):
        ref = obj.spec.scale_target_ref
        target = BY_KIND.get(ref.kind)
        yield "scales", ref.kind, ref.name, stores.of(target).named(ns, ref.name) if target else None
    elif isinstance(obj, r.Claim) and obj.spec.volume_name:
        yield "bound to", "PersistentVolume", obj.spec.volume_name, stores.volumes.named("", obj.spec.volume_name)
    elif isinstance(obj, r.PersistentVolume) and obj.spec.claim_ref:
        ref = obj.spec.claim_ref
        yield "bound to", "PersistentVolumeClaim", ref.name, stores.claims.named(ref.namespace, ref.name)
    for scaler in stores.autoscalers.by("target", f"{ns}/{kind.kind}/{obj.metadata.name}"):
        yield "scaled by", "HorizontalPodAutoscaler", scaler.metadata.name, scaler


def _used_by_pod(stores: Stores, pod: r.Pod) -> Iterator[tuple[str, str, str, r.Object | None]]:
    ns = pod.metadata.namespace
    if pod.spec.node_name:
        yield "runs on", "Node", pod.spec.node_name, stores.nodes.named("", pod.spec.node_name)
    if account := pod.spec.service_account_name:
        yield "runs as", "ServiceAccount", account, stores.serviceaccounts.named(ns, account)
    for volume in pod.spec.volumes or ():
        if volume.persistent_volume_claim:
            name = volume.persistent_volume_claim.claim_name
            yield "mounts", "PersistentVolumeClaim", name, stores.claims.named(ns, name)
        elif volume.config_map:
            yield "mounts", "ConfigMap", volume.config_map.name, stores.configmaps.named(ns, volume.config_map.name)
        elif volume.secret:
            yield "mounts", "Secret", volume.secret.secret_name, stores.secrets.named(ns, volume.secret.secret_name)
    for service in stores.services.by("namespace", ns):
        if labels.matches_map(service.spec.selector, pod.metadata.labels):
            yield "served by", "Service", service.metadata.name, service


def _ingress_services(ingress: r.Ingress) -> list[str]:
    spec = ingress.spec
    backends = [path.backend for rule in spec.rules or () if rule.http for path in rule.http.paths or ()]
    if spec.default_backend:
        backends.append(spec.default_backend)
    return sorted({b.service.name for b in backends if b.service})
