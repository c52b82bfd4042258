"""Two states of an object side by side: as lines for people, and as the merge patch that leads from one to the other."""

from __future__ import annotations

import difflib
from typing import Any

from kubepane.views.manifest import to_yaml
from kubepane_widgets.lines import Line

CONTEXT = 2  # unchanged lines around a change
_TONES = {"+": "ok", "-": "bad", "@": "muted"}


def lines(before: Any, after: Any) -> list[Line]:
    """A unified diff of their YAML without the file names; empty when they are the same."""
    old = to_yaml(before).splitlines() if before else []
    new = to_yaml(after).splitlines() if after else []
    told = list(difflib.unified_diff(old, new, lineterm="", n=CONTEXT))[2:]
    return [[(text if text[:1] != "@" else "…", _TONES.get(text[:1], "soft"))] for text in told]


def merge_patch(before: Any, after: Any) -> Any:
    """The JSON merge patch (RFC 7386) from one value to the other: null for what goes, lists as a whole."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return after
    patch = {key: None for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            patch[key] = value
        elif before[key] != value:
            patch[key] = merge_patch(before[key], value)
    return patch
