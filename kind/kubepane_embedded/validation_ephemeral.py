"""Ephemeral containers: what `kubectl debug` adds to a running pod (kubernetes/pkg/apis/core/validation/validation.go)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.checks import Causes, duplicate, forbidden_field
from kubepane_embedded.errors import Cause
from kubepane_embedded.meta import Object
from kubepane_embedded.requests import WriteOptions
from kubepane_embedded.validation_pods import check_container_list, check_pod_spec

PATH = "spec.ephemeralContainers"
NOT_SET = "cannot be set for an Ephemeral Container"
NOT_ALLOWED = ("ports", "resources", "resizePolicy", "restartPolicy", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


def check_none_yet(obj: Object) -> Causes:
    """A new pod has none."""
    return [forbidden_field(PATH, "cannot be set on create")] if (obj.get("spec") or {}).get("ephemeralContainers") else []


def check_more(obj: Object, old: Object) -> Causes:
    """Ones may be added; those that are there stay as they are."""
    causes = check_pod_spec(obj["spec"], "spec", WriteOptions())
    found = _containers(obj)
    causes += check_container_list(found, PATH, {volume.get("name") for volume in obj["spec"].get("volumes") or []})
    others = {one.get("name") for group in ("containers", "initContainers") for one in obj["spec"].get(group) or []}
    for index, container in enumerate(found):
        causes += _check_one(container, f"{PATH}[{index}]", others)
    by_name = {container.get("name"): container for container in found}
    for before in _containers(old):
        name = before.get("name")
        if name not in by_name:
            causes.append(forbidden_field(PATH, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif by_name[name] != before:
            causes.append(forbidden_field(PATH, f'existing ephemeral containers "{name}" may not be changed\n'))
    return causes


def _containers(pod: Object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (pod.get("spec") or {}).get("ephemeralContainers") or []
    return found


def _check_one(container: dict[str, Any], here: str, others: set[Any]) -> Causes:
    causes: Causes = []
    if container.get("name") in others:
        causes.append(duplicate(f"{here}.name", container["name"]))
    target = container.get("targetContainerName")
    if target and target not in others:
        causes.append(Cause("FieldValueNotFound", f'Not found: "{target}"', f"{here}.targetContainerName"))
    causes += [forbidden_field(f"{here}.{name}", NOT_SET) for name in NOT_ALLOWED if container.get(name)]
    for index, mount in enumerate(container.get("volumeMounts") or []):
        causes += [forbidden_field(f"{here}.volumeMounts[{index}].{name}", NOT_SET) for name in ("subPath", "subPathExpr") if mount.get(name)]
    return causes
