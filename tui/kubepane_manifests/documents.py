"""YAML files as plain objects."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

Object = dict[str, Any]
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class Unbuildable(Exception):
    """A set that cannot be made into objects; the text names the file and what is wrong."""


def parse(text: str, where: Path) -> list[Any]:
    """The documents of a text that are not empty."""
    import yaml  # late: ten milliseconds that most starts of the program never need

    try:
        return [one for one in yaml.load_all(text, _loader()) if one is not None]
    except yaml.YAMLError as error:
        raise Unbuildable(f"{where}: {' '.join(str(error).split())}") from None


@cache
def _loader() -> Any:
    """YAML as Kubernetes reads it: it knows no dates, so that `2026-01-02` stays a text."""
    import yaml  # late: see parse

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster where libyaml is there
    resolvers = {first: [(tag, form) for tag, form in known if tag != _TIMESTAMP] for first, known in base.yaml_implicit_resolvers.items()}
    return type("_Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def load(path: Path) -> list[Any]:
    """The documents of a file that are not empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unbuildable(f"{path}: {error}") from None
    return parse(text, path)


def load_objects(path: Path) -> list[Object]:
    """The Kubernetes objects of a file."""
    found = load(path)
    for one in found:
        if not isinstance(one, dict) or not all(one.get(key) for key in ("apiVersion", "kind")) or not name_of(one):
            raise Unbuildable(f"{path}: a document is no Kubernetes object (apiVersion, kind and metadata.name are needed)")
    return found


def name_of(obj: Object) -> str:
    """metadata.name."""
    name: str = (obj.get("metadata") or {}).get("name") or ""
    return name
