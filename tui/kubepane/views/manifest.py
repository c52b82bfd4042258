"""An object as YAML, fresh from the server, without what nobody reads and with every secret masked."""

from __future__ import annotations

from typing import Any

import msgspec

MASK = "•••••• (masked)"
_NOISE = ("kubectl.kubernetes.io/last-applied-configuration",)


def readable(raw: bytes) -> dict[str, Any]:
    """The object of an API answer: managedFields taken out, the values of a Secret masked.

    Raises:
        ValueError: the answer is not a JSON object.
    """
    obj = msgspec.json.decode(raw)
    if not isinstance(obj, dict):
        raise ValueError("the server's answer is not an object")
    meta = obj.get("metadata")
    if isinstance(meta, dict):
        meta.pop("managedFields", None)
        notes = meta.get("annotations")
        if isinstance(notes, dict):
            for name in _NOISE:
                if name in notes:
                    notes[name] = "(left out: repeats the object)"
    if obj.get("kind") == "Secret":
        for part in ("data", "stringData"):
            values = obj.get(part)
            if isinstance(values, dict):
                obj[part] = {name: f"{MASK[:6]} ({_size(value)} bytes)" for name, value in values.items()}
    return obj


def to_yaml(obj: dict[str, Any]) -> str:
    """YAML in the order the server gave, long texts as blocks."""
    import yaml  # late: 15 ms that only this screen needs

    return str(yaml.dump(obj, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False))


def _dumper() -> type[Any]:
    import yaml  # late: see to_yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks."""

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    Dumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]
    return Dumper


def _size(value: object) -> int:
    text = value if isinstance(value, str) else ""
    return len(text.rstrip("=")) * 3 // 4
