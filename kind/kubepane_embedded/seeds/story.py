"""The bundled story, applied."""

from __future__ import annotations

from kubepane_embedded.core import Core
from kubepane_embedded.seeds.objects import apply
from kubepane_manifests.catalogue import find


def add_story(core: Core) -> None:
    """Apply it as `kubectl apply -k` does; it becomes healthy by itself."""
    apply(core.api, find("story").objects())
