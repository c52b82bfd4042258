"""What a cluster holds before anybody asked for anything: system namespaces, roles, the API's own Service, priority classes."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.api import Api
from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Resource
from kubepane_embedded.requests import WriteOptions, component

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
BOOTSTRAP = component("system:apiserver")
RBAC = "rbac.authorization.k8s.io"
CA_NAME = "kube-root-ca.crt"
CA_NOTE = "There is no certificate authority in a simulated cluster.\n"
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
VIEWED: list[tuple[list[str], list[str]]] = [
    (
        [""],
        [
            "configmaps",
            "endpoints",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "pods/log",
            "pods/status",
            "resourcequotas",
            "limitranges",
            "serviceaccounts",
            "services",
            "services/status",
            "events",
            "namespaces",
        ],
    ),
    (["apps"], ["controllerrevisions", "daemonsets", "deployments", "deployments/scale", "replicasets", "statefulsets"]),
    (["autoscaling"], ["horizontalpodautoscalers"]),
    (["batch"], ["cronjobs", "jobs"]),
    (["networking.k8s.io"], ["ingresses", "networkpolicies"]),
    (["policy"], ["poddisruptionbudgets"]),
    (["discovery.k8s.io"], ["endpointslices"]),
]
HEALTH = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
ISSUER = ["/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"]
PATHS = ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/"]


def furnish_cluster(api: Api) -> None:
    """Create all of it, as the API server does on its first start."""
    for name in NAMESPACES:
        _create(api, "namespaces", {"metadata": {"name": name}})
    for name, rules in _roles().items():
        labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
        _create(api, f"clusterroles.{RBAC}", {"metadata": {"name": name, "labels": labels}, "rules": rules})
    for name, role, subjects in _bindings():
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}
        listed = [{"apiGroup": RBAC, "kind": "Group", "name": subject} for subject in subjects]
        _create(api, f"clusterrolebindings.{RBAC}", {"metadata": {"name": name}, "roleRef": reference, "subjects": listed})
    for name, value in (("system-cluster-critical", 2000000000), ("system-node-critical", 2000001000)):
        text = "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
        _create(api, "priorityclasses.scheduling.k8s.io", {"metadata": {"name": name}, "value": value, "description": text})
    _create(api, "services", api_service())


def api_service() -> Object:
    """The Service by which pods reach the API server."""
    labels = {"component": "apiserver", "provider": "kubernetes"}
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    service = {"metadata": {"name": "kubernetes", "namespace": "default", "labels": labels}}
    return {**service, "spec": {"clusterIP": "10.96.0.1", "ports": ports}}


def furnish_new(api: Api, resource: Resource, obj: Object) -> None:
    """What comes with a new namespace: its `default` ServiceAccount and the CA bundle.

    The real server has controllers for this; here it is done at once, so that a pod can follow its namespace without waiting.
    """
    if resource.storage != "namespaces":
        return
    for storage, wanted in namespace_furniture(obj["metadata"]["name"]):
        _create(api, storage, wanted)


def namespace_furniture(namespace: str) -> list[tuple[str, Object]]:
    """(resource, object) of all that a namespace must hold."""
    note = {"kubernetes.io/description": "Contains a CA bundle that can be used to verify the kube-apiserver."}
    meta = {"name": CA_NAME, "namespace": namespace, "annotations": note}
    account = {"metadata": {"name": "default", "namespace": namespace}}
    return [("serviceaccounts", account), ("configmaps", {"metadata": meta, "data": {"ca.crt": CA_NOTE}})]


def _create(api: Api, storage: str, obj: Object) -> None:
    namespace = obj["metadata"].get("namespace", "")
    api.create(BOOTSTRAP, api.registry.stored(storage), namespace, obj, WriteOptions(manager="kube-apiserver"))


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def _roles() -> dict[str, list[dict[str, Any]]]:
    every = [_rule(["*"], ["*"], ["*"]), {"nonResourceURLs": ["*"], "verbs": ["*"]}]
    view = [_rule(groups, resources, READ) for groups, resources in VIEWED]
    written = [
        (groups, [name for name in resources if "/status" not in name and name not in ("events", "namespaces", "pods/log")])
        for groups, resources in VIEWED
    ]
    edit = [*view, _rule([""], ["secrets"], READ), *[_rule(groups, resources, WRITE) for groups, resources in written]]
    edit += [_rule([""], ["secrets"], WRITE), _rule([""], ["pods/attach", "pods/exec", "pods/portforward", "pods/eviction"], ["create", "get"])]
    reviews = ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]
    return {
        "cluster-admin": every,
        "admin": [*edit, _rule([RBAC], ["rolebindings", "roles"], [*READ, *WRITE])],
        "edit": edit,
        "view": view,
        "system:basic-user": [
            _rule(["authorization.k8s.io"], reviews, ["create"]),
            _rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
        ],
        "system:discovery": [{"nonResourceURLs": PATHS, "verbs": ["get"]}],
        "system:service-account-issuer-discovery": [{"nonResourceURLs": ISSUER, "verbs": ["get"]}],
        "system:public-info-viewer": [{"nonResourceURLs": HEALTH, "verbs": ["get"]}],
    }


def _bindings() -> list[tuple[str, str, list[str]]]:
    return [
        ("cluster-admin", "cluster-admin", ["system:masters"]),
        ("system:basic-user", "system:basic-user", ["system:authenticated"]),
        ("system:discovery", "system:discovery", ["system:authenticated"]),
        ("system:service-account-issuer-discovery", "system:service-account-issuer-discovery", ["system:serviceaccounts"]),
        ("system:public-info-viewer", "system:public-info-viewer", ["system:authenticated", "system:unauthenticated"]),
    ]
