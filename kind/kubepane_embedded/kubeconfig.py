"""The kubeconfig of an embedded cluster: readable by its owner alone, for whoever holds it is the admin."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

CONTEXT = "kubepane-embedded"


def write_kubeconfig(path: Path, url: str) -> None:
    """Write it with mode 0600, replacing what is there in one step; OSError when it cannot be written."""
    cluster = {"name": CONTEXT, "cluster": {"server": url}}
    user = {"name": CONTEXT, "user": {}}
    context = {"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT, "namespace": "default"}}
    config = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [context]}
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump({**config, "current-context": CONTEXT}, file)
        file.write("\n")
    fresh.replace(path)
