"""Which kubeconfig file kind writes to, and whether the context in it is still right.

The rules are kubectl's, as kind follows them: pkg/cluster/internal/kubeconfig/internal/kubeconfig/paths.go.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def files(explicit: str, environ: Mapping[str, str]) -> list[Path]:
    """The files that may hold the context."""
    if explicit:
        return [Path(explicit)]
    named = [part for part in dict.fromkeys(environ.get("KUBECONFIG", "").split(os.pathsep)) if part]
    return [Path(part) for part in named] or [Path(environ.get("HOME", "")) / ".kube" / "config"]


def written(explicit: str, environ: Mapping[str, str]) -> Path:
    """The file that a new context is written to: the first that exists, else the last."""
    found = files(explicit, environ)
    return next((path for path in found if path.is_file()), found[-1])


def holds(explicit: str, environ: Mapping[str, str], fresh: str) -> bool:
    """The files have the context of this cluster, and with the server and CA that it has now.

    Args:
        explicit: the file given, "" for the usual ones.
        environ: the environment.
        fresh: the kubeconfig that kind makes for the cluster.
    """
    wanted = _clusters(_parsed(fresh))
    for path in files(explicit, environ):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        found = _parsed(text)
        clusters, contexts = _clusters(found), {one.get("name") for one in _list(found, "contexts")}
        if wanted and wanted.items() <= clusters.items() and wanted.keys() <= contexts:
            return True
    return False


def mentions(path: Path, context: str) -> bool:
    """The file has a context of this name."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return any(one.get("name") == context for one in _list(_parsed(text), "contexts"))


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _list(config: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = config.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _clusters(config: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name → (server, CA)."""
    found = {}
    for one in _list(config, "clusters"):
        if isinstance(about := one.get("cluster"), dict):
            found[str(one.get("name"))] = (about.get("server"), about.get("certificate-authority-data"))
    return found
