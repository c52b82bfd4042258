"""The kinds that are served: group, versions, names, scope, verbs, subresources.

Order is that of a real 1.35 server's discovery document, which decides what a short name means.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubepane_embedded.errors import group_resource

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
STATUS = ("get", "patch", "update")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A part of a resource with a path of its own; `group`/`version` only where they differ from the resource's."""

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource in one version.

    `storage` is its place in the store, shared by all versions of the kind: `pods`, `deployments.apps`;
    both groups of Event share `events`.
    """

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = ()
    storage: str = ""
    generation: bool = False
    """Whether metadata.generation counts changes of the spec."""
    cached: bool = True
    """Whether the real server serves it from its watch cache (events are not: no bookmarks, other words for 410 and 504)."""

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        """`/api/v1`, `/apis/apps/v1`."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def id(self) -> str:
        """`deployments.apps`, `pods`."""
        return group_resource(self.group, self.plural)

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, or None."""
        return next((sub for sub in self.subresources if sub.name == name), None)


def _status(kind: str) -> Subresource:
    return Subresource("status", kind, STATUS)


SCALE = Subresource("scale", "Scale", STATUS, "autoscaling", "v1")
POD_SUBRESOURCES = (
    Subresource("attach", "PodAttachOptions", ("create", "get")),
    Subresource("binding", "Binding", ("create",)),
    Subresource("ephemeralcontainers", "Pod", STATUS),
    Subresource("eviction", "Eviction", ("create",), "policy", "v1"),
    Subresource("exec", "PodExecOptions", ("create", "get")),
    Subresource("log", "Pod", ("get",)),
    Subresource("portforward", "PodPortForwardOptions", ("create", "get")),
    _status("Pod"),
)


def _core() -> list[Resource]:
    def core(plural: str, kind: str, namespaced: bool = True, **more: object) -> Resource:
        singular = kind.lower()
        return Resource("", "v1", plural, singular, kind, namespaced, storage=plural, **more)  # type: ignore[arg-type]

    return [
        core("configmaps", "ConfigMap", short_names=("cm",)),
        core("endpoints", "Endpoints", short_names=("ep",)),
        core("events", "Event", short_names=("ev",), cached=False),
        core("limitranges", "LimitRange", short_names=("limits",)),
        core(
            "namespaces",
            "Namespace",
            False,
            short_names=("ns",),
            verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
            subresources=(Subresource("finalize", "Namespace", ("update",)), _status("Namespace")),
        ),
        core("nodes", "Node", False, short_names=("no",), subresources=(_status("Node"),)),
        core("persistentvolumeclaims", "PersistentVolumeClaim", short_names=("pvc",), subresources=(_status("PersistentVolumeClaim"),)),
        core("persistentvolumes", "PersistentVolume", False, short_names=("pv",), subresources=(_status("PersistentVolume"),)),
        core("pods", "Pod", short_names=("po",), categories=("all",), subresources=POD_SUBRESOURCES, generation=True),
        core("resourcequotas", "ResourceQuota", short_names=("quota",), subresources=(_status("ResourceQuota"),)),
        core("secrets", "Secret"),
        core(
            "serviceaccounts",
            "ServiceAccount",
            short_names=("sa",),
            subresources=(Subresource("token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),),
        ),
        core("services", "Service", short_names=("svc",), categories=("all",), subresources=(_status("Service"),)),
    ]


def _apps() -> list[Resource]:
    def apps(plural: str, kind: str, short: tuple[str, ...], subresources: tuple[Subresource, ...]) -> Resource:
        categories = ("all",) if short else ()
        generation = bool(short)
        return Resource("apps", "v1", plural, kind.lower(), kind, True, short, categories, ALL_VERBS, subresources, f"{plural}.apps", generation)

    return [
        apps("controllerrevisions", "ControllerRevision", (), ()),
        apps("daemonsets", "DaemonSet", ("ds",), (_status("DaemonSet"),)),
        apps("deployments", "Deployment", ("deploy",), (SCALE, _status("Deployment"))),
        apps("replicasets", "ReplicaSet", ("rs",), (SCALE, _status("ReplicaSet"))),
        apps("statefulsets", "StatefulSet", ("sts",), (SCALE, _status("StatefulSet"))),
    ]


def _reviews() -> list[Resource]:
    def review(group: str, kind: str, namespaced: bool = False) -> Resource:
        plural = kind.lower() + "s"
        return Resource(group, "v1", plural, kind.lower(), kind, namespaced, verbs=("create",))

    access = "authorization.k8s.io"
    return [
        review("authentication.k8s.io", "SelfSubjectReview"),
        review(access, "LocalSubjectAccessReview", True),
        review(access, "SelfSubjectAccessReview"),
        review(access, "SelfSubjectRulesReview"),
        review(access, "SubjectAccessReview"),
    ]


def _kind(group: str, version: str, plural: str, name: str, **more: object) -> Resource:
    more.setdefault("storage", group_resource(group, plural))
    return Resource(group, version, plural, name.lower(), name, **more)  # type: ignore[arg-type]


def _grouped() -> list[Resource]:
    kind, hpa, rbac = _kind, "HorizontalPodAutoscaler", "rbac.authorization.k8s.io"
    scaler: dict[str, object] = {"short_names": ("hpa",), "categories": ("all",), "subresources": (_status(hpa),)}
    return [
        kind("autoscaling", "v2", "horizontalpodautoscalers", hpa, **scaler),
        kind("autoscaling", "v1", "horizontalpodautoscalers", hpa, **scaler),
        kind(
            "batch",
            "v1",
            "cronjobs",
            "CronJob",
            short_names=("cj",),
            categories=("all",),
            subresources=(_status("CronJob"),),
            generation=True,
        ),
        kind("batch", "v1", "jobs", "Job", categories=("all",), subresources=(_status("Job"),), generation=True),
        kind("networking.k8s.io", "v1", "ingressclasses", "IngressClass", namespaced=False, generation=True),
        kind("networking.k8s.io", "v1", "ingresses", "Ingress", short_names=("ing",), subresources=(_status("Ingress"),), generation=True),
        kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", short_names=("netpol",), generation=True),
        kind(
            "policy",
            "v1",
            "poddisruptionbudgets",
            "PodDisruptionBudget",
            short_names=("pdb",),
            subresources=(_status("PodDisruptionBudget"),),
            generation=True,
        ),
        kind(rbac, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
        kind(rbac, "v1", "clusterroles", "ClusterRole", namespaced=False),
        kind(rbac, "v1", "rolebindings", "RoleBinding"),
        kind(rbac, "v1", "roles", "Role"),
        kind("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False, short_names=("sc",)),
        kind(
            "apiextensions.k8s.io",
            "v1",
            "customresourcedefinitions",
            "CustomResourceDefinition",
            namespaced=False,
            short_names=("crd", "crds"),
            categories=("api-extensions",),
            subresources=(_status("CustomResourceDefinition"),),
            generation=True,
        ),
        kind("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False, short_names=("pc",), generation=True),
        kind("coordination.k8s.io", "v1", "leases", "Lease"),
        kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", generation=True),
    ]


def _metrics() -> list[Resource]:
    return [
        Resource("metrics.k8s.io", "v1beta1", "nodes", "", "NodeMetrics", False, verbs=("get", "list")),
        Resource("metrics.k8s.io", "v1beta1", "pods", "", "PodMetrics", True, verbs=("get", "list")),
    ]


class Registry:
    """All served resources, looked up by path, by store or by kind."""

    def __init__(self, resources: list[Resource]) -> None:
        self.resources = resources
        self._by_path = {(item.group, item.version, item.plural): item for item in resources}
        self._by_kind = {(item.api_version, item.kind): item for item in resources if item.storage}
        self._by_storage: dict[str, Resource] = {}
        for item in resources:
            if item.storage:
                self._by_storage.setdefault(item.storage, item)

    def at(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource behind a path, or None."""
        return self._by_path.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """The stored resource of an object's apiVersion and kind, or None."""
        return self._by_kind.get((api_version, kind))

    def stored(self, storage: str) -> Resource:
        """The resource in the version that is stored (the first listed); KeyError when unknown."""
        return self._by_storage[storage]

    def groups(self) -> dict[str, list[str]]:
        """Group → versions, preferred first, in the order of discovery."""
        found: dict[str, list[str]] = {}
        for item in self.resources:
            versions = found.setdefault(item.group, [])
            if item.version not in versions:
                versions.append(item.version)
        return found

    def served(self, group: str, version: str) -> list[Resource]:
        """All resources of one group version."""
        return [item for item in self.resources if (item.group, item.version) == (group, version)]


def default_registry() -> Registry:
    """Everything the embedded cluster serves."""
    events = Resource("events.k8s.io", "v1", "events", "event", "Event", short_names=("ev",), storage="events", cached=False)
    return Registry([*_core(), *_apps(), events, *_reviews(), *_grouped(), *_metrics()])
