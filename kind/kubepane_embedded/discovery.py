"""Discovery: the aggregated document (apidiscovery.k8s.io v2, v2beta1) and the plain ones."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.meta import Object
from kubepane_embedded.registry import Registry, Resource, Subresource

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"


def aggregated(registry: Registry, core: bool, version: str) -> Object:
    """APIGroupDiscoveryList of /api (core) or /apis; `version` is v2 or v2beta1."""
    items = []
    for group, versions in registry.groups().items():
        if bool(group) is core:
            continue
        served = [
            {"version": one, "resources": [_aggregated(item) for item in registry.served(group, one)], "freshness": "Current"} for one in versions
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": served})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": f"apidiscovery.k8s.io/{version}", "metadata": {}, "items": items}


def _aggregated(item: Resource) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "resource": item.plural,
        "responseKind": {"group": "", "version": "", "kind": item.kind},
        "scope": "Namespaced" if item.namespaced else "Cluster",
        "singularResource": item.singular,
        "verbs": list(item.verbs),
    }
    if item.short_names:
        shown["shortNames"] = list(item.short_names)
    if item.categories:
        shown["categories"] = list(item.categories)
    if item.subresources:
        shown["subresources"] = [_aggregated_part(sub) for sub in item.subresources]
    return shown


def _aggregated_part(sub: Subresource) -> dict[str, Any]:
    kind = {"group": sub.group or "", "version": sub.version or "", "kind": sub.kind}
    return {"subresource": sub.name, "responseKind": kind, "verbs": list(sub.verbs)}


def api_versions() -> Object:
    """/api."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(registry: Registry) -> Object:
    """/apis."""
    groups = [_group(group, versions) for group, versions in registry.groups().items() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> Object | None:
    """/apis/<group>, or None."""
    versions = registry.groups().get(name) if name else None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resource_list(registry: Registry, group_name: str, version: str) -> Object | None:
    """/api/v1 and /apis/<group>/<version>, or None."""
    served = registry.served(group_name, version)
    if not served:
        return None
    rows: list[dict[str, Any]] = []
    for item in served:
        row: dict[str, Any] = {"name": item.plural, "singularName": item.singular, "namespaced": item.namespaced, "kind": item.kind}
        row["verbs"] = list(item.verbs)
        if item.short_names:
            row["shortNames"] = list(item.short_names)
        if item.categories:
            row["categories"] = list(item.categories)
        rows.append(row)
        rows += [_part_row(item, sub) for sub in item.subresources]
    body: Object = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": served[0].api_version, "resources": rows}
    if not group_name:
        del body["apiVersion"]
    return body


def _part_row(item: Resource, sub: Subresource) -> dict[str, Any]:
    row: dict[str, Any] = {"name": f"{item.plural}/{sub.name}", "singularName": "", "namespaced": item.namespaced}
    if sub.group is not None:
        row |= {"group": sub.group, "version": sub.version}
    return {**row, "kind": sub.kind, "verbs": list(sub.verbs)}
