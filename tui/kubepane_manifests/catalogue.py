"""The list of bundled sets; what it says about each stands in the set's own kustomization.yaml, as annotations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubepane_manifests import kustomization, places
from kubepane_manifests.documents import Object

DESCRIPTION = "kubepane.io/description"
NEEDS = "kubepane.io/needs"
CURE = "kubepane.io/cure"


@dataclass(frozen=True, slots=True)
class ManifestSet:
    """A bundled set.

    Attributes:
        name: its folder below `manifests`: `chatapp`, `faults/bad-image`.
        folder: where it is; `kubectl apply -k FOLDER` works.
        description: one line.
        needs: sets that must have been applied before, in order; what it holds itself is not among them.
        cure: of a fault: (`apply` or `delete`, a set); None for other sets.
    """

    name: str
    folder: Path
    description: str
    needs: tuple[str, ...] = ()
    cure: tuple[str, str] | None = None

    def objects(self) -> list[Object]:
        """Its objects, in the order that they are applied in; to be deleted in the reverse one."""
        return kustomization.build(self.folder)

    def files(self) -> list[Path]:
        """The files that it is made of, its own first, for a reader: they hold the comments."""
        return kustomization.files(self.folder)


def sets() -> list[ManifestSet]:
    """All bundled sets: the story's own first, then its parts, then the faults."""
    found = [_read(path.parent) for path in places.MANIFESTS.rglob(kustomization.FILE)]
    return sorted(found, key=lambda one: (one.name != "story", "/" in one.name, one.name))


def find(name: str) -> ManifestSet:
    """The set of this name; KeyError, whose text names those that there are, for another."""
    folder = places.MANIFESTS / name
    if not name or not folder.resolve().is_relative_to(places.MANIFESTS.resolve()) or not (folder / kustomization.FILE).is_file():
        text = f"no bundled set is called {name}; there are {', '.join(one.name for one in sets())}"
        raise KeyError(text)
    return _read(folder)


def _read(folder: Path) -> ManifestSet:
    about: dict[str, Any] = kustomization.read(folder).get("metadata", {}).get("annotations", {})
    verb, _, other = about.get(CURE, "").partition(" ")
    name = folder.relative_to(places.MANIFESTS).as_posix()
    return ManifestSet(name, folder, about.get(DESCRIPTION, ""), tuple(about.get(NEEDS, "").split()), (verb, other) if verb else None)
