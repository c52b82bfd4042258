"""All stores of one cluster, typed, with the indexes that the rules join over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.store import Store


def owners(obj: r.Object) -> Iterable[str]:
    """Uids of the owners of an object."""
    return [o.uid for o in obj.metadata.owner_references or ()]


def namespace(obj: r.Object) -> Iterable[str]:
    """The namespace of an object."""
    return (obj.metadata.namespace,)


def pod_node(pod: r.Pod) -> Iterable[str]:
    """The node a pod is bound to; "" for none yet."""
    return (pod.spec.node_name,)


def pod_claims(pod: r.Pod) -> Iterable[str]:
    """`namespace/name` of the claims that a pod mounts; that of an ephemeral volume is named after pod and volume."""
    ns, volumes = pod.metadata.namespace, pod.spec.volumes or ()
    named = [f"{ns}/{v.persistent_volume_claim.claim_name}" for v in volumes if v.persistent_volume_claim]
    return named + [f"{ns}/{pod.metadata.name}-{v.name}" for v in volumes if v.ephemeral]


def event_object(event: r.Event) -> Iterable[str]:
    """The uid of the object an event is about."""
    return (event.involved_object.uid,)


def slice_service(s: r.EndpointSlice) -> Iterable[str]:
    """`namespace/name` of the Service a slice belongs to."""
    name = (s.metadata.labels or {}).get("kubernetes.io/service-name", "")
    return (f"{s.metadata.namespace}/{name}",) if name else ()


def ingress_services(ingress: r.Ingress) -> Iterable[str]:
    """`namespace/name` of the Services an Ingress sends to."""
    spec, ns = ingress.spec, ingress.metadata.namespace
    backends = [p.backend for rule in spec.rules or () if rule.http for p in rule.http.paths or ()]
    names = {b.service.name for b in [*backends, *([spec.default_backend] if spec.default_backend else [])] if b.service}
    return [f"{ns}/{name}" for name in sorted(names)]


def ingress_secrets(ingress: r.Ingress) -> Iterable[str]:
    """`namespace/name` of the TLS Secrets of an Ingress."""
    return {f"{ingress.metadata.namespace}/{t.secret_name}" for t in ingress.spec.tls or () if t.secret_name}


def claim_volume(claim: r.Claim) -> Iterable[str]:
    """The PersistentVolume that a claim names; "" for none yet."""
    return (claim.spec.volume_name,)


def volume_phase(volume: r.PersistentVolume) -> Iterable[str]:
    """The phase of a volume: the free ones are few among many."""
    return (volume.status.phase,)


def binding_role(binding: r.RoleBinding) -> Iterable[str]:
    """`namespace/name` of the Role that a RoleBinding gives; nothing for a ClusterRole."""
    return (f"{binding.metadata.namespace}/{binding.role_ref.name}",) if binding.role_ref.kind == "Role" else ()


def binding_accounts(binding: r.RoleBinding) -> Iterable[str]:
    """`namespace/name` of the ServiceAccounts that a RoleBinding gives its role to."""
    ns = binding.metadata.namespace
    return {f"{s.namespace or ns}/{s.name}" for s in binding.subjects or () if s.kind == "ServiceAccount"}


def autoscaler_target(a: r.Autoscaler) -> Iterable[str]:
    """`namespace/Kind/name` of what an HPA scales."""
    t = a.spec.scale_target_ref
    return (f"{a.metadata.namespace}/{t.kind}/{t.name}",)


class Stores:
    """One store a kind. `of(kind)` gives it by kind, the attributes give it by type."""

    def __init__(self) -> None:
        self.pods: Store[r.Pod] = Store(k.PODS, {"owner": owners, "node": pod_node, "claim": pod_claims, "namespace": namespace})
        self.nodes: Store[r.Node] = Store(k.NODES)
        self.events: Store[r.Event] = Store(k.EVENTS, {"object": event_object})
        self.deployments: Store[r.Deployment] = Store(k.DEPLOYMENTS)
        self.replicasets: Store[r.ReplicaSet] = Store(k.REPLICASETS, {"owner": owners})
        self.statefulsets: Store[r.StatefulSet] = Store(k.STATEFULSETS)
        self.daemonsets: Store[r.DaemonSet] = Store(k.DAEMONSETS)
        self.jobs: Store[r.Job] = Store(k.JOBS, {"owner": owners})
        self.cronjobs: Store[r.CronJob] = Store(k.CRONJOBS)
        self.autoscalers: Store[r.Autoscaler] = Store(k.AUTOSCALERS, {"target": autoscaler_target})
        self.claims: Store[r.Claim] = Store(k.CLAIMS, {"volume": claim_volume})
        self.volumes: Store[r.PersistentVolume] = Store(k.VOLUMES, {"phase": volume_phase})
        self.storageclasses: Store[r.StorageClass] = Store(k.STORAGECLASSES)
        self.services: Store[r.Service] = Store(k.SERVICES, {"namespace": namespace})
        self.endpointslices: Store[r.EndpointSlice] = Store(k.ENDPOINTSLICES, {"service": slice_service})
        self.ingresses: Store[r.Ingress] = Store(k.INGRESSES, {"service": ingress_services, "secret": ingress_secrets})
        self.ingressclasses: Store[r.IngressClass] = Store(k.INGRESSCLASSES)
        self.networkpolicies: Store[r.NetworkPolicy] = Store(k.NETWORKPOLICIES, {"namespace": namespace})
        self.serviceaccounts: Store[r.ServiceAccount] = Store(k.SERVICEACCOUNTS)
        self.roles: Store[r.Role] = Store(k.ROLES)
        self.rolebindings: Store[r.RoleBinding] = Store(k.ROLEBINDINGS, {"role": binding_role, "account": binding_accounts})
        self.configmaps: Store[r.ConfigMap] = Store(k.CONFIGMAPS)
        self.secrets: Store[r.Secret] = Store(k.SECRETS)
        self.namespaces: Store[r.Namespace] = Store(k.NAMESPACES)
        self._all: dict[str, Store[Any]] = {s.kind.plural: s for s in vars(self).values() if isinstance(s, Store)}

    def of(self, kind: k.Kind) -> Store[Any]:
        """The store of a kind."""
        return self._all[kind.plural]

    def __iter__(self) -> Any:
        return iter(self._all.values())
