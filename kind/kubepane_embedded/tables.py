"""Server-side Tables: column definitions per kind, and rows of objects (meta.k8s.io/v1 Table)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from kubepane_embedded import table_kinds as kinds
from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Resource
from kubepane_embedded.table_pods import pod_cells

Printer = Callable[[Object, datetime], list[Any]]
WORKLOAD_WIDE = "Containers* Images* Selector*"
RBAC = "rbac.authorization.k8s.io"
METRICS = "Name cpu:string:quantity memory:string:quantity Window:string:duration"
COLUMNS: dict[str, tuple[str, Printer]] = {
    "pods": ("Name Ready Status Restarts Age IP* Node* Nominated_Node* Readiness_Gates*", pod_cells),
    "deployments.apps": (f"Name Ready Up-to-date Available Age {WORKLOAD_WIDE}", kinds.deployment),
    "replicasets.apps": (f"Name Desired:integer Current:integer Ready:integer Age {WORKLOAD_WIDE}", kinds.replica_set),
    "statefulsets.apps": ("Name Ready Age Containers* Images*", kinds.stateful_set),
    "daemonsets.apps": (
        f"Name Desired:integer Current:integer Ready:integer Up-to-date:integer Available:integer Node_Selector Age {WORKLOAD_WIDE}",
        kinds.daemon_set,
    ),
    "controllerrevisions.apps": ("Name Controller Revision Age", kinds.controller_revision),
    "jobs.batch": (f"Name Status Completions Duration Age {WORKLOAD_WIDE}", kinds.job),
    "cronjobs.batch": (f"Name Schedule Timezone Suspend:boolean Active:integer Last_Schedule Age {WORKLOAD_WIDE}", kinds.cron_job),
    "configmaps": ("Name Data Age", kinds.config_map),
    "secrets": ("Name Type Data Age", kinds.secret),
    "serviceaccounts": ("Name Age", kinds.plain),
    "namespaces": ("Name Status Age", kinds.namespace),
    "nodes": ("Name Status Roles Age Version Internal-IP* External-IP* OS-Image* Kernel-Version* Container-Runtime*", kinds.node),
    "services": ("Name Type Cluster-IP External-IP Port(s) Age Selector*", kinds.service),
    "endpoints": ("Name Endpoints Age", kinds.endpoints),
    "endpointslices.discovery.k8s.io": ("Name AddressType Ports Endpoints Age", kinds.endpoint_slice),
    "persistentvolumeclaims": (
        "Name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass Age VolumeMode*",
        kinds.claim,
    ),
    "persistentvolumes": (
        "Name Capacity Access_Modes Reclaim_Policy Status Claim StorageClass VolumeAttributesClass Reason Age VolumeMode*",
        kinds.volume,
    ),
    "storageclasses.storage.k8s.io": ("Name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion Age", kinds.storage_class),
    "ingresses.networking.k8s.io": ("Name Class Hosts Address Ports Age", kinds.ingress),
    "ingressclasses.networking.k8s.io": ("Name Controller Parameters Age", kinds.ingress_class),
    "networkpolicies.networking.k8s.io": ("Name Pod-Selector Age", kinds.network_policy),
    "poddisruptionbudgets.policy": ("Name Min_Available Max_Unavailable Allowed_Disruptions:integer Age", kinds.budget),
    "resourcequotas": ("Name Request Limit Age", kinds.quota),
    f"rolebindings.{RBAC}": ("Name Role Age Users* Groups* ServiceAccounts*", kinds.binding),
    f"clusterrolebindings.{RBAC}": ("Name Role Age Users* Groups* ServiceAccounts*", kinds.binding),
    "priorityclasses.scheduling.k8s.io": ("Name Value:integer Global-Default:boolean Age PreemptionPolicy", kinds.priority_class),
    "leases.coordination.k8s.io": ("Name Holder Age", kinds.lease),
    "events": ("Last_Seen Type Reason Object Subobject* Source* Message First_Seen* Count* Name*", kinds.event),
    "horizontalpodautoscalers.autoscaling": ("Name Reference Targets MinPods MaxPods Replicas Age", kinds.autoscaler),
    "nodes.metrics.k8s.io": (METRICS, kinds.metrics),
    "pods.metrics.k8s.io": (METRICS, kinds.metrics),
}
FALLBACK: tuple[str, Printer] = ("Name Created_At:date", kinds.created)


def definitions(storage: str) -> list[dict[str, Any]]:
    """columnDefinitions of a kind; priority 1 is what `-o wide` adds."""
    columns = []
    for word in COLUMNS.get(storage, FALLBACK)[0].split():
        text, _, more = word.rstrip("*").partition(":")
        kind, _, form = more.partition(":")
        name = text.replace("_", " ")
        form = "name" if name == "Name" else form
        priority = 1 if word.endswith("*") else 0
        columns.append({"name": name, "type": kind or "string", "format": form, "description": "", "priority": priority})
    return columns


def row(storage: str, obj: Object, now: datetime, include: str, shown: Object) -> dict[str, Any]:
    """One row. `include` is Metadata (default), Object or None; `shown` is the object in the served version, managedFields and all."""
    cells = COLUMNS.get(storage, FALLBACK)[1](obj, now)
    if include == "None":
        return {"cells": cells, "object": None}
    return {"cells": cells, "object": shown if include == "Object" else partial(shown)}


def partial(obj: Object) -> Object:
    """PartialObjectMetadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def table(storage: str, rows: list[dict[str, Any]], meta: dict[str, Any], with_columns: bool = True) -> Object:
    """The Table around rows."""
    columns = definitions(storage) if with_columns else None
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": columns, "rows": rows}


def key_of_resource(resource: Resource) -> str:
    """The printer's name of a resource: where it is stored, or its own id for computed ones."""
    return resource.storage or resource.id
