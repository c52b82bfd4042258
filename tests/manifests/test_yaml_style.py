"""Style of the YAML that people read: yamllint with the rules of .yamllint.yaml, and comments where there is something to learn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kubepane_manifests import places
from sources import ROOT

FILES = sorted(path for top in (places.MANIFESTS, places.KIND / "addons") for path in top.rglob("*") if path.is_file() and path.name != "README.md")
NEED_NO_COMMENT = {"service.yaml", "ingressclass.yaml", "controller.yaml", "job.yaml"}


def test_yamllint_has_nothing_to_say() -> None:
    pytest.importorskip("yamllint", reason="yamllint is not installed")
    command = [
        sys.executable,
        "-m",
        "yamllint",
        "--strict",
        "--config-file",
        str(ROOT / ".yamllint.yaml"),
        *map(str, FILES),
        str(places.KIND / "cluster.yaml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_all_files_are_yaml() -> None:
    assert len(FILES) > 40
    assert [path.name for path in FILES if path.suffix != ".yaml"] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(places.KIND.parent).as_posix())
def test_a_reader_learns_something(path: Path) -> None:
    assert "#" in path.read_text(encoding="utf-8") or path.name in NEED_NO_COMMENT
