"""A kustomization.yaml made into objects, as `kubectl kustomize` does, for the fields that the bundled sets use.

Follows sigs.k8s.io/kustomize api/internal/target (patches, then namespace, then labels) and builtins/SortOrderTransformer (the order
that kubectl applies in). Whatever is not known here is refused by name, never passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from kubepane_manifests.documents import Object, Unbuildable, load, load_objects, name_of, parse
from kubepane_manifests.merging import DIRECTIVE, merged, patched

FILE = "kustomization.yaml"
FIELDS = {"apiVersion", "kind", "metadata", "resources", "namespace", "labels", "patches"}
FIRST = (
    "Namespace", "ResourceQuota", "StorageClass", "CustomResourceDefinition", "ServiceAccount", "PodSecurityPolicy", "Role", "ClusterRole",
    "RoleBinding", "ClusterRoleBinding", "ConfigMap", "Secret", "Endpoints", "Service", "LimitRange", "PriorityClass", "PersistentVolume",
    "PersistentVolumeClaim", "Deployment", "StatefulSet", "CronJob", "PodDisruptionBudget",
)  # fmt: skip
LAST = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
RANK = {**{kind: i - len(FIRST) for i, kind in enumerate(FIRST)}, **{kind: i + 1 for i, kind in enumerate(LAST)}}
CLUSTER_WIDE = {
    "Namespace", "Node", "PersistentVolume", "StorageClass", "PriorityClass", "IngressClass", "ClusterRole", "ClusterRoleBinding",
    "CustomResourceDefinition", "APIService", *LAST,
}  # fmt: skip


def build(folder: Path) -> list[Object]:
    """The objects of a folder with a kustomization.yaml, in the order that kubectl applies them in.

    Raises:
        Unbuildable: a file is missing or broken, or asks for what only kustomize itself can do.
    """
    return in_order(_built(folder.resolve(), ()))


def in_order(objects: Iterable[Object]) -> list[Object]:
    """Objects in the order that kubectl applies them in: what others need goes first."""
    return sorted(objects, key=_place)


def read(folder: Path) -> dict[str, Any]:
    """The kustomization.yaml of a folder."""
    found = load(folder / FILE)
    if len(found) != 1 or not isinstance(found[0], dict):
        raise Unbuildable(f"{folder / FILE}: not one document with fields")
    unknown = sorted(found[0].keys() - FIELDS)
    if unknown:
        raise Unbuildable(f"{folder / FILE}: {', '.join(unknown)}: only kubectl kustomize can build this")
    return found[0]


def files(folder: Path) -> list[Path]:
    """All files that a set is read from, each once, the kustomization.yaml before what it names."""
    about = read(folder)
    found = [folder / FILE, *(_inside(folder, one["path"]) for one in about.get("patches") or () if "path" in one)]
    for path in _resources(folder, about):
        found += files(path) if path.is_dir() else [path]
    return list(dict.fromkeys(found))


def _built(folder: Path, below: tuple[Path, ...]) -> list[Object]:
    if folder in below:
        raise Unbuildable(f"{folder}: is a resource of itself")
    about = read(folder)
    objects: list[Object] = []
    for path in _resources(folder, about):
        objects += _built(path, (*below, folder)) if path.is_dir() else load_objects(path)
    for patch in about.get("patches") or ():
        objects = _patched(objects, patch, folder)
    objects = [_furnished(obj, about, folder) for obj in objects]
    _refuse_twins(objects, folder)
    return objects


def _resources(folder: Path, about: dict[str, Any]) -> Iterable[Path]:
    for name in about.get("resources") or ():
        if "://" in name:
            raise Unbuildable(f"{folder / FILE}: {name}: only kubectl kustomize fetches addresses")
        path = (folder / name).resolve()
        if not path.exists():
            raise Unbuildable(f"{folder / FILE}: {name} is not there")
        yield path if path.is_dir() else _inside(folder, name)


def _inside(folder: Path, name: str) -> Path:
    """A file of the folder; kustomize reads no files from elsewhere, and neither do we."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise Unbuildable(f"{folder / FILE}: {name} is outside of its folder")
    return path


def _patched(objects: list[Object], patch: dict[str, Any], folder: Path) -> list[Object]:
    where = _inside(folder, patch["path"]) if "path" in patch else folder / FILE
    documents = load(where) if "path" in patch else parse(patch.get("patch", ""), where)
    target = patch.get("target")
    if unknown := sorted({*patch} - {"path", "patch", "target"} | {*(target or ())} - {"kind", "name"}):
        raise Unbuildable(f"{folder / FILE}: {', '.join(unknown)} of a patch: only kubectl kustomize can do this")
    for document in documents:
        if isinstance(document, list):
            objects = _changed(objects, target or {}, partial(patched, operations=document), where)
        else:
            chosen = target or {"kind": document.get("kind"), "name": name_of(document)}
            objects = _changed(objects, chosen, partial(_merge, change=document), where)
    return objects


def _changed(objects: list[Object], target: dict[str, Any], change: Callable[[Object], Object | None], where: Path) -> list[Object]:
    """The objects with those that the target names changed, or gone where the change says None; it must name one at least."""
    chosen = [obj for obj in objects if target.get("kind") == obj["kind"] and target.get("name", name_of(obj)) == name_of(obj)]
    if not chosen:
        raise Unbuildable(f"{where}: there is no {target.get('kind')} {target.get('name', '')} to patch")
    result = [change(obj) if any(obj is one for one in chosen) else obj for obj in objects]
    return [obj for obj in result if obj is not None]


def _merge(obj: Object, change: Object) -> Object | None:
    if change.get(DIRECTIVE) == "delete":
        return None
    result: Object = merged(obj, change)
    result["metadata"]["name"] = name_of(obj)
    return result


def _furnished(obj: Object, about: dict[str, Any], folder: Path) -> Object:
    """An object with the namespace and labels that a kustomization gives to all of its own."""
    metadata = dict(obj["metadata"])
    if about.get("namespace") and (obj["kind"] == "Namespace" or obj["kind"] not in CLUSTER_WIDE):
        metadata["name" if obj["kind"] == "Namespace" else "namespace"] = about["namespace"]
    for entry in about.get("labels") or ():
        if unknown := sorted({*entry} - {"pairs"}):
            raise Unbuildable(f"{folder / FILE}: {', '.join(unknown)} of labels: only kubectl kustomize can do this")
        metadata["labels"] = {**(metadata.get("labels") or {}), **entry["pairs"]}
    return {**obj, "metadata": metadata}


def _refuse_twins(objects: list[Object], folder: Path) -> None:
    known: set[tuple[str, str, str, str]] = set()
    for obj in objects:
        group = obj["apiVersion"].rpartition("/")[0]
        key = (group, obj["kind"], obj["metadata"].get("namespace") or "", name_of(obj))
        if key in known:
            raise Unbuildable(f"{folder}: {obj['kind']} {name_of(obj)} is there twice")
        known.add(key)


def _place(obj: Object) -> tuple[int, str, str, str]:
    group, _, version = obj["apiVersion"].rpartition("/")
    return (RANK.get(obj["kind"], 0), f"{group or '~G'}_{version}_{obj['kind']}", obj["metadata"].get("namespace") or "~X", name_of(obj))
