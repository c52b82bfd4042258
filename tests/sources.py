"""The project's own files, for tests that read the source instead of running it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# import package → its source root
ROOTS = {"kubepane": ROOT / "tui", "kubepane_manifests": ROOT / "tui", "kubepane_widgets": ROOT / "widgets", "kubepane_embedded": ROOT / "kind"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked() -> tuple[Path, ...]:
    """All files that git keeps here; outside a repository (an unpacked sdist) all files of the rooms."""
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0")[:-1]
    found = (
        [ROOT / name for name in names] if names else [p for top in (*ROOTS.values(), ROOT / "tests") for p in sorted(top.rglob("*")) if p.is_file()]
    )
    return tuple(p for p in found if p.is_file() and "__pycache__" not in p.parts)


def python_files() -> list[Path]:
    """The Python files that are not tests."""
    return [p for p in tracked() if p.suffix == ".py" and ROOT / "tests" not in p.parents]


@cache
def tree(path: Path) -> ast.Module:
    """The parsed source of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[Function]:
    """All functions of a file, nested ones too."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def modules(room: str) -> list[str]:
    """The dotted names of a package or module and of all below it, from the files: nothing is imported."""
    base = ROOTS[room.partition(".")[0]]
    place = base.joinpath(*room.split("."))
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    return [".".join(p.relative_to(base).with_suffix("").parts).removesuffix(".__init__") for p in files if p.name != "__main__.py"]
