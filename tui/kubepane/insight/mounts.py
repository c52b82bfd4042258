"""What the claims of a pod say about whether and where it can run.

Source: the scheduler's VolumeBinding and VolumeZone plugins (pkg/scheduler/framework/plugins/volumebinding): a bound claim ties
the pod to its volume's nodes, an unbound one of an Immediate class keeps it from all of them, one that waits for its first
consumer needs a volume that suits it on the node, or a provisioner.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores, pod_claims
from kubepane.insight import claims, provisioning, volumes
from kubepane.insight.finding import Finding, Level

_PHASES = ("Available", "Pending", "", "Released")
_LOOKED_AT = 300  # free volumes compared with one claim


class Mount(msgspec.Struct, frozen=True, gc=False):
    """One claim of a pod.

    Attributes:
        name: the claim's.
        blocked: why the pod cannot run anywhere before the claim changes; None when it does not keep it away.
        volumes: those that it is, or may be, bound to: the pod can only run where one of them can be used; none is no limit.
    """

    name: str
    blocked: Finding | None = None
    volumes: tuple[r.PersistentVolume, ...] = ()


def mounts(pod: r.Pod, stores: Stores) -> list[Mount]:
    """The claims of a pod, in the order of its volumes."""
    return [_mount(stores, pod.metadata.namespace, path.partition("/")[2]) for path in pod_claims(pod)]


def _mount(stores: Stores, namespace: str, name: str) -> Mount:
    chain = claims.chain(stores, namespace, name)
    claim = chain.claim
    if claim is None:
        return Mount(name, chain.finding if chain.finding.level is Level.BAD else None)
    if claim.metadata.deletion_timestamp is not None:
        return Mount(name, chain.finding)
    if claim.status.phase == "Bound":
        return Mount(name, None, (chain.volume,) if chain.volume is not None and chain.volume.spec.node_affinity else ())
    if chain.finding.level is not Level.BAD and chain.binding == "WaitForFirstConsumer" and not _chosen(claim):
        return Mount(name, None, _static(stores, claim, chain))
    return Mount(name, chain.finding if chain.finding.level is not Level.OFF else None)


def _chosen(claim: r.Claim) -> bool:
    return bool((claim.metadata.annotations or r.NO_ANNOTATIONS).selected_node)


def _static(stores: Stores, claim: r.Claim, chain: claims.Chain) -> tuple[r.PersistentVolume, ...]:
    """The volumes made by hand that suit the claim, where there is no provisioner to make another."""
    if chain.storageclass is None or chain.storageclass.provisioner != provisioning.NO_PROVISIONER:
        return ()
    suits = [v for v in _free(stores) if not volumes.misfits(claim, v, claims.class_of(claim))]
    return tuple(suits) if all(v.spec.node_affinity for v in suits) else ()


def _free(stores: Stores) -> Iterable[r.PersistentVolume]:
    found = [v for phase in _PHASES for v in stores.volumes.by("phase", phase)]
    return found[:_LOOKED_AT]
