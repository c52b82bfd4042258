"""The bundled story, applied."""

from __future__ import annotations

from kubepane_embedded.core import Core


def add_story(core: Core) -> None:
    """Apply it as `kubectl apply -k` does; it becomes healthy by itself."""
