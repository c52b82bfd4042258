"""Where the YAML is: beside the program in a checkout, inside this package in a wheel."""

from __future__ import annotations

from pathlib import Path

_BUNDLED = Path(__file__).with_name("bundled")
_ROOT = _BUNDLED if _BUNDLED.is_dir() else Path(__file__).parents[2]

MANIFESTS = _ROOT / "manifests"
"""The sets, a folder each."""
KIND = _ROOT / "kind"
"""`cluster.yaml` and `addons/` of the Kind cluster."""
