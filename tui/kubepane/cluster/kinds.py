"""The kinds that are watched, where the API serves them, and the one door from their JSON to their shapes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any, get_args, get_origin

import msgspec
from msgspec.structs import fields, force_setattr

from kubepane.cluster import resources as r


class Kind(msgspec.Struct, frozen=True):
    """A kind of object and its place in the API.

    Attributes:
        plural: the resource name in URLs and in RBAC rules, as `pods`.
        kind: the Kubernetes kind, as `Pod`.
        group: the API group, "" for core.
        version: the version asked for.
        shape: the Struct its objects are decoded into.
        namespaced: whether its objects live in namespaces.
        large: listed in pages, for there may be thousands (rule R3).
        bookmarks: whether its watches get bookmarks; events have no watch cache (rule R28).
        metadata_only: asked for as PartialObjectMetadata, so that nothing but metadata is ever received.
    """

    plural: str
    kind: str
    group: str
    version: str
    shape: type[r.Object]
    namespaced: bool = True
    large: bool = False
    bookmarks: bool = True
    metadata_only: bool = False

    def path(self, namespace: str = "") -> str:
        """The collection's path below the server's address; cluster-wide without a namespace."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        return f"{base}/namespaces/{namespace}/{self.plural}" if namespace and self.namespaced else f"{base}/{self.plural}"

    @property
    def resource(self) -> str:
        """The name RBAC messages and kubectl use: `deployments.apps`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


PODS = Kind("pods", "Pod", "", "v1", r.Pod, large=True)
NODES = Kind("nodes", "Node", "", "v1", r.Node, namespaced=False)
EVENTS = Kind("events", "Event", "", "v1", r.Event, large=True, bookmarks=False)
DEPLOYMENTS = Kind("deployments", "Deployment", "apps", "v1", r.Deployment)
REPLICASETS = Kind("replicasets", "ReplicaSet", "apps", "v1", r.ReplicaSet, large=True)
STATEFULSETS = Kind("statefulsets", "StatefulSet", "apps", "v1", r.StatefulSet)
DAEMONSETS = Kind("daemonsets", "DaemonSet", "apps", "v1", r.DaemonSet)
JOBS = Kind("jobs", "Job", "batch", "v1", r.Job)
CRONJOBS = Kind("cronjobs", "CronJob", "batch", "v1", r.CronJob)
AUTOSCALERS = Kind("horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling", "v2", r.Autoscaler)
CLAIMS = Kind("persistentvolumeclaims", "PersistentVolumeClaim", "", "v1", r.Claim)
VOLUMES = Kind("persistentvolumes", "PersistentVolume", "", "v1", r.PersistentVolume, namespaced=False)
STORAGECLASSES = Kind("storageclasses", "StorageClass", "storage.k8s.io", "v1", r.StorageClass, namespaced=False)
SERVICES = Kind("services", "Service", "", "v1", r.Service)
ENDPOINTSLICES = Kind("endpointslices", "EndpointSlice", "discovery.k8s.io", "v1", r.EndpointSlice, large=True)
INGRESSES = Kind("ingresses", "Ingress", "networking.k8s.io", "v1", r.Ingress)
INGRESSCLASSES = Kind("ingressclasses", "IngressClass", "networking.k8s.io", "v1", r.IngressClass, namespaced=False)
NETWORKPOLICIES = Kind("networkpolicies", "NetworkPolicy", "networking.k8s.io", "v1", r.NetworkPolicy)
SERVICEACCOUNTS = Kind("serviceaccounts", "ServiceAccount", "", "v1", r.ServiceAccount)
ROLES = Kind("roles", "Role", "rbac.authorization.k8s.io", "v1", r.Role)
ROLEBINDINGS = Kind("rolebindings", "RoleBinding", "rbac.authorization.k8s.io", "v1", r.RoleBinding)
CONFIGMAPS = Kind("configmaps", "ConfigMap", "", "v1", r.ConfigMap)
SECRETS = Kind("secrets", "Secret", "", "v1", r.Secret, metadata_only=True)
NAMESPACES = Kind("namespaces", "Namespace", "", "v1", r.Namespace, namespaced=False)

KINDS: tuple[Kind, ...] = (
    PODS, NODES, EVENTS, DEPLOYMENTS, REPLICASETS, STATEFULSETS, DAEMONSETS, JOBS, CRONJOBS, AUTOSCALERS, CLAIMS, VOLUMES, STORAGECLASSES,
    SERVICES, ENDPOINTSLICES, INGRESSES, INGRESSCLASSES, NETWORKPOLICIES, SERVICEACCOUNTS, ROLES, ROLEBINDINGS, CONFIGMAPS, SECRETS, NAMESPACES,
)  # fmt: skip
BY_KIND: dict[str, Kind] = {k.kind: k for k in KINDS}


# ---- decoding ------------------------------------------------------------------------------------------------------------


class _WireConfigMap(r.Struct, frozen=True):
    metadata: r.Metadata = r.Metadata()
    data: dict[str, msgspec.Raw] | None = None
    binary_data: dict[str, msgspec.Raw] | None = None


def decode(kind: Kind, raw: bytes | msgspec.Raw) -> r.Object:
    """One object from its JSON.

    A field that is null or of another type than the API says is replaced by its default, so that one odd object neither
    stops a pane nor makes a rule stumble.

    Raises:
        msgspec.DecodeError: the text is not a JSON object, or the object has no metadata.uid to know it by.
    """
    try:
        try:
            obj = _decoder(kind.shape)(raw)
        except msgspec.ValidationError:
            obj = _mend(kind.shape, msgspec.json.decode(raw))
    except RecursionError:
        raise msgspec.DecodeError("an object nested too deeply") from None
    except UnicodeDecodeError:
        raise msgspec.DecodeError("a text that is not UTF-8") from None
    if not isinstance(obj, kind.shape):
        raise msgspec.DecodeError("not an object")
    if not obj.metadata.uid:
        raise msgspec.DecodeError("an object without metadata.uid")
    return _share(obj)


@cache
def _decoder(shape: type[r.Object]) -> Callable[[bytes | msgspec.Raw], r.Object]:
    if shape is r.ConfigMap:
        wire = msgspec.json.Decoder(_WireConfigMap).decode

        def keys_only(raw: bytes | msgspec.Raw) -> r.Object:
            cm = wire(raw)
            return r.ConfigMap(metadata=cm.metadata, keys=(*(cm.data or ()), *(cm.binary_data or ())))

        return keys_only
    return msgspec.json.Decoder(shape).decode


_shared: dict[bytes, Any] = {}
_SHARED_MAX = 5_000


def _share(obj: r.Object) -> r.Object:
    """Lets objects made from one template hold one copy of what they have in common: for 10,000 pods half the memory."""
    intern, m = sys.intern, obj.metadata
    force_setattr(m, "namespace", intern(m.namespace))
    if isinstance(obj, r.Pod):
        spec = obj.spec
        for container in spec.containers or ():
            _drop_token_mount(container)
        for container in spec.init_containers or ():
            _drop_token_mount(container)
        for volume in spec.volumes or ():
            if volume.projected is not None:
                force_setattr(volume, "projected", _one(volume.projected))
        for name in ("containers", "init_containers", "tolerations", "affinity", "node_selector"):
            if (value := getattr(spec, name)) is not None:
                force_setattr(spec, name, _one(value))
        if m.owner_references is not None:
            force_setattr(m, "owner_references", _one(m.owner_references))
        if m.labels is not None:
            force_setattr(m, "labels", _one(m.labels))
        for name in ("node_name", "service_account_name", "restart_policy", "scheduler_name"):
            force_setattr(spec, name, intern(getattr(spec, name)))
        force_setattr(obj.status, "phase", intern(obj.status.phase))
    return obj


_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  # a path, not a token


def _drop_token_mount(container: r.Container) -> None:
    """Every container mounts its API token from a volume with a random name: nobody reads that, and it would keep pods from sharing."""
    mounts = container.volume_mounts
    if mounts and any(m.mount_path == _TOKEN for m in mounts):
        force_setattr(container, "volume_mounts", tuple(m for m in mounts if m.mount_path != _TOKEN) or None)


_encode = msgspec.json.Encoder().encode


def _one(value: Any) -> Any:
    key = _encode(value)
    if len(_shared) > _SHARED_MAX:
        _shared.clear()
    return _shared.setdefault(key, value)


def _mend(shape: Any, value: Any) -> Any:
    """`value` as `shape` wherever it fits, else the default: a null list is empty, a number where a text belongs is dropped.

    What fits is converted whole; only the way down to what does not is walked, for a server may send the same oddity with each
    of 10,000 objects.
    """
    if shape is r.ConfigMap and isinstance(value, dict):
        parts = [value.get(part) for part in ("data", "binaryData")]
        value = {"metadata": value.get("metadata"), "keys": [k for part in parts if isinstance(part, dict) for k in part]}
    try:
        return _convert(value, shape)
    except (msgspec.ValidationError, RecursionError, OverflowError):
        pass
    if isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        if not isinstance(value, dict):
            return NOT_THAT
        found = {}
        for name, encoded, inner in _fields(shape):
            if encoded in value and (mended := _mend(inner, value[encoded])) is not NOT_THAT:
                found[name] = mended
        return shape(**found)
    origin = get_origin(shape)
    if origin is tuple and isinstance(value, list):
        return tuple(m for item in value if (m := _mend(get_args(shape)[0], item)) is not NOT_THAT)
    if origin is dict and isinstance(value, dict):
        return {k: v for k, v in value.items() if isinstance(v, str)}
    if origin in (tuple, dict) or not get_args(shape):
        return NOT_THAT
    options = [a for a in get_args(shape) if a is not type(None)]
    return next((m for o in options if (m := _mend(o, value)) is not NOT_THAT), NOT_THAT)


_convert = msgspec.convert


@cache
def _fields(shape: type[msgspec.Struct]) -> tuple[tuple[str, str, Any], ...]:
    return tuple((f.name, f.encode_name, f.type) for f in fields(shape))


NOT_THAT: Any = object()
