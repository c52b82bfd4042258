"""Patches of an overlay: strategic merge patches and JSON patches, applied to plain objects.

Follows sigs.k8s.io/kustomize kyaml/yaml/merge2 and walk: null deletes a field; of lists that have a merge key the patch's items come
first, then the others; all other lists are replaced.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from kubepane_manifests.documents import Object, Unbuildable

DIRECTIVE = "$patch"
# field, or field below its parent → merge key, as in the types of k8s.io/api (patchMergeKey); those of pods and Services
KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "imagePullSecrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "containers/ports": "containerPort",
    "initContainers/ports": "containerPort",
    "spec/ports": "port",
}


def merged(obj: Any, patch: Any, field: str = "", parent: str = "") -> Any:
    """A value after a strategic merge patch; nothing that was given is changed."""
    if isinstance(patch, dict):
        if patch.get(DIRECTIVE) == "replace":
            return {name: deepcopy(value) for name, value in patch.items() if name != DIRECTIVE}
        result = dict(obj) if isinstance(obj, dict) else {}
        for name, value in patch.items():
            if value is None or (isinstance(value, dict) and value.get(DIRECTIVE) == "delete"):
                result.pop(name, None)
            else:
                result[name] = merged(result.get(name), value, name, field)
        return result
    key = KEYS.get(f"{parent}/{field}") or KEYS.get(field)
    if isinstance(patch, list) and key and isinstance(obj, list):
        return _merged_list(obj, patch, key, field)
    return deepcopy(patch)


def _merged_list(old: list[Any], patch: list[Any], key: str, field: str) -> list[Any]:
    held = {one[key]: one for one in old}
    changed = {one[key] for one in patch}
    kept = [one for one in patch if one.get(DIRECTIVE) != "delete"]
    return [merged(held.get(one[key]), one, field) for one in kept] + [one for one in old if one[key] not in changed]


def patched(obj: Object, operations: list[Any]) -> Object:
    """An object after a JSON patch (RFC 6902)."""
    import jsonpatch  # late: most starts of the program never need it

    try:
        result: Object = jsonpatch.apply_patch(obj, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        raise Unbuildable(f"{obj['kind']} {obj['metadata']['name']}: {error}") from None
    return result
