"""The list of bundled sets, and that it is complete in a wheel."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kubepane_manifests import catalogue, places
from manifests.whole import NAMES
from sources import ROOT

ASKED_FOR = {"namespace", "mysql", "chatapp", "policies", "tolerations", "load", "story", "rbac"}
README = places.MANIFESTS / "README.md"
BUILD = "import sys; from hatchling.builders.wheel import WheelBuilder; next(WheelBuilder(sys.argv[1]).build(directory=sys.argv[2], versions=['standard']))"


def test_what_is_bundled() -> None:
    assert NAMES[0] == "story"
    assert {name for name in NAMES if "/" not in name} == ASKED_FOR
    assert len([name for name in NAMES if name.startswith("faults/")]) >= 6
    assert catalogue.find("faults/bad-image").cure == ("apply", "chatapp")
    assert catalogue.find("load").needs == ("namespace", "mysql", "chatapp")
    with pytest.raises(KeyError, match=r"no bundled set is called stroy; there are story, chatapp, "):
        catalogue.find("stroy")
    for name in ("", "faults", "../kind/addons/calico", "/etc"):
        with pytest.raises(KeyError):
            catalogue.find(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_set_says_what_it_is(name: str) -> None:
    one = catalogue.find(name)
    assert re.fullmatch(r"[^\n]{10,100}", one.description)
    assert not one.description.endswith(".")
    for place, other in enumerate(one.needs):
        assert set(catalogue.find(other).needs) <= set(one.needs[:place]), "in an order that can be applied"
    fault = name.startswith("faults/")
    assert (one.cure is not None) == fault
    if one.cure:
        verb, other = one.cure
        assert verb in ("apply", "delete")
        here, there = ({(o["kind"], o["metadata"]["name"]) for o in s.objects()} for s in (one, catalogue.find(other)))
        assert here == there, "the cure is about the same objects"
        assert verb == "delete" or one.objects() != catalogue.find(other).objects()
    assert one.files()[0] == one.folder / "kustomization.yaml"
    assert all(path.is_file() for path in one.files())


def test_story_is_all_its_parts() -> None:
    parts = [obj for name in ("namespace", "mysql", "chatapp", "policies") for obj in catalogue.find(name).objects()]
    story = catalogue.find("story").objects()
    assert len(story) == len(parts)
    assert all(obj in story for obj in parts)
    assert story[0]["kind"] == "Namespace"


def test_every_file_below_manifests_belongs_to_a_set() -> None:
    used = {path.resolve() for one in catalogue.sets() for path in one.files()}
    there = {path for path in places.MANIFESTS.rglob("*") if path.is_file()}
    assert there == used | {README}


def test_the_readme_tells_of_every_set_and_its_cure() -> None:
    rows = re.findall(r"^\| `([\w/-]+)` \|.*\| (.+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(NAMES)
    for name, last in rows:
        cure = catalogue.find(name).cure
        assert cure is None or last.startswith("delete it" if cure[0] == "delete" else f"`{cure[1]}`")


def test_a_wheel_holds_all_of_it(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling is not installed: no wheel is built")
    for top in ("tui", "widgets", "kind", "manifests"):
        shutil.copytree(ROOT / top, tmp_path / "source" / top, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tmp_path / "source" / file)
    subprocess.run([sys.executable, "-c", BUILD, str(tmp_path / "source"), str(tmp_path)], check=True, timeout=50)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    say = "from kubepane_manifests import catalogue, places; print(places.MANIFESTS, (places.KIND / 'cluster.yaml').is_file())\nfor s in catalogue.sets(): print(s.name, len(s.objects()))"
    done = subprocess.run(
        [sys.executable, "-c", say], env={"PYTHONPATH": str(tmp_path / "installed")}, capture_output=True, text=True, timeout=50, check=True
    )
    first, *rest = done.stdout.splitlines()
    assert first == f"{tmp_path}/installed/kubepane_manifests/bundled/manifests True"
    assert rest == [f"{one.name} {len(one.objects())}" for one in catalogue.sets()]
