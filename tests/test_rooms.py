"""The rules that hold between rooms: who may load whom, how large things may grow, what no file may say."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

import kubepane
from sources import ROOT, ROOTS, functions, modules, python_files, tracked, tree

SCREEN = ("textual", "rich", "kubepane_widgets")
CLIENT = ("aiohttp", "kubernetes", "kubernetes_asyncio")
LOAD = "import importlib, sys; [importlib.import_module(m) for m in sys.argv[1:]]; print(*sys.modules)"

# room → modules left out, and the packages that loading all its other modules must not load
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "kubepane.cluster": (("kubepane.cluster.transport", "kubepane.cluster.client_library"), (*SCREEN, *CLIENT)),
    "kubepane.cluster.resources": ((), (*SCREEN, *CLIENT, "asyncio")),
    "kubepane.cluster.transport": ((), SCREEN),
    "kubepane.cluster.client_library": ((), SCREEN),
    "kubepane.insight": ((), (*SCREEN, *CLIENT, "asyncio")),
    "kubepane.views": ((), ("textual", *CLIENT)),
    "kubepane.cli": ((), ("textual", "rich", *CLIENT)),
    "kubepane_widgets.text": ((), ("textual", "rich", "kubepane")),
    "kubepane_widgets.lines": ((), ("textual", "kubepane")),
    "kubepane_widgets.columns": ((), ("textual", "kubepane")),
    "kubepane_widgets.order": ((), ("textual", "rich", "kubepane")),
    "kubepane_widgets.glyphs": ((), ("textual", "kubepane")),
    "kubepane_embedded": ((), ("textual", "rich", "kubepane", "kubepane_widgets")),
    "kubepane_manifests": ((), ("textual", "rich", "kubepane", "kubepane_widgets", "kubepane_embedded", *CLIENT)),
    # the client library takes a third of a second: it is loaded after the first paint
    "kubepane.screens": ((), CLIENT),
    "kubepane.app": ((), CLIENT),
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def loaded(names: list[str]) -> set[str]:
    """What is in memory after a fresh interpreter has imported these modules."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, ROOTS.values()))}
    done = subprocess.run([sys.executable, "-c", LOAD, *names], env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("room", ROOMS)
def test_room_loads_nothing_from_above(room: str) -> None:
    left_out, forbidden = ROOMS[room]
    names = [module for module in modules(room) if module not in left_out]
    assert names, f"{room} has no module"
    assert not sorted(loaded(names) & set(forbidden))


def test_import_contracts_hold() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, ROOTS.values()))}
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout)


def test_no_modules_import_each_other_in_a_ring() -> None:
    graph = grimp.build_graph(*ROOTS, cache_dir=None)
    running = grimp.build_graph(*ROOTS, cache_dir=None, exclude_type_checking_imports=True)
    assert len(graph.modules) > len(ROOTS)
    edges = {
        # The embedded cluster's admission names the type of the door that calls it; nothing there is a ring at run time.
        m: (running if m.startswith("kubepane_embedded") else graph).find_modules_directly_imported_by(m)
        for m in graph.modules
    }
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as ring:
        pytest.fail(" → ".join(ring.args[1]))


def test_files_are_one_room_and_functions_fit_a_screen() -> None:
    sizes = {p: p.read_text(encoding="utf-8").count("\n") for p in python_files()}
    assert len(sizes) > 50
    assert not {name(p): lines for p, lines in sizes.items() if lines > 500}
    lengths = {f"{name(p)}:{f.lineno} {f.name}": f.end_lineno - f.lineno + 1 for p in sizes for f in functions(p) if f.end_lineno}
    assert not {where: lines for where, lines in lengths.items() if lines > 50}


def test_files_say_what_they_are_for() -> None:
    assert not [name(p) for p in python_files() if p.stat().st_size and not ast.get_docstring(tree(p))]


def test_imports_inside_functions_give_their_reason() -> None:
    assert not {name(p): found for p in python_files() if (found := bare_imports(p))}


def bare_imports(path: Path) -> list[int]:
    """The lines of imports inside functions that have no comment, neither there nor above their block."""
    lines = path.read_text(encoding="utf-8").splitlines()
    imports = {n.lineno for f in functions(path) for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)}
    bare = []
    for number in sorted(imports):
        above = number - 1
        while above in imports:
            above -= 1
        if not any("#" in line for line in lines[above - 1 : number]):
            bare.append(number)
    return bare


IMPURE = re.compile(r"^(open|input|print|time\.\w+|datetime\.(now|utcnow|today)|date\.today|random\.\w+|os\.\w+|socket\.\w+|subprocess\.\w+)$")


def test_insight_asks_no_clock_and_does_no_io() -> None:
    rooms = [p for p in python_files() if p.parent == ROOT / "tui/kubepane/insight"]
    assert len(rooms) > 5
    calls = [(name(p), ast.unparse(n.func)) for p in rooms for n in ast.walk(tree(p)) if isinstance(n, ast.Call)]
    assert not [call for call in calls if IMPURE.match(call[1])]


# Written in parts, so that this file does not say them itself.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted",
    "crates" + ".io",
    "proxy." + "golang.org",
    "registry." + "npmjs",
    "deb." + "debian.org",
    "repo1?." + "maven",
]
UPSTREAM = r"(?!\.\+|hostpath)"  # places that Kubernetes' own hostPath provisioners name
PLACES = [rf"(?<![\w.~-])/{top}/{UPSTREAM}" for top in ("work", "tmp")]
UNWANTED = re.compile("|".join([*(h.replace(".", r"\.") for h in HOSTS), *PLACES]).encode())


def test_no_file_names_a_package_registry_or_a_place_on_one_machine() -> None:
    found = [f"{name(p)}: {m.group().decode()}" for p in tracked() if (m := UNWANTED.search(p.read_bytes()))]
    assert not found


def test_there_is_no_lock_file_that_records_addresses() -> None:
    assert not [p for p in tracked() if p.name in {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"}]


def test_changelog_tells_of_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = [s for s in re.split(r"^## ", text, flags=re.MULTILINE)[1:] if s.partition("\n")[2].strip()]
    assert sections[0].startswith("[")
    assert re.search(rf"\b{re.escape(kubepane.__version__)}\b", sections[0])


def test_readme_shows_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
