"""The locked requirements: complete for every supported Python and machine, with hashes, and without an address."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sources import ROOT

PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+) \\$", re.MULTILINE)
FILES = {"run.txt": ["build"], "dev.txt": ["build", "dev"]}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
MACHINES = ["x86_64", "aarch64"]


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    return {canonicalize_name(package): version for package, version in PIN.findall(text)}


def wanted(groups: list[str]) -> list[Requirement]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    texts = pyproject["project"]["dependencies"] + [t for g in groups for t in pyproject["dependency-groups"][g] if isinstance(t, str)]
    return [Requirement(t) for t in texts]


def environment(python: str, machine: str) -> dict[str, str]:
    fixed = {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"}
    kind = {"implementation_name": "cpython", "platform_python_implementation": "CPython", "implementation_version": f"{python}.1"}
    return {**fixed, **kind, "python_version": python, "python_full_version": f"{python}.1", "platform_machine": machine}


def needs(requirement: Requirement, python: str, machine: str) -> list[Requirement]:
    """What an installed package needs itself, there."""
    found = []
    for text in requires(requirement.name) or ():
        needed = Requirement(text)
        if needed.marker is None or any(needed.marker.evaluate({**environment(python, machine), "extra": e}) for e in {"", *requirement.extras}):
            found.append(needed)
    return found


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("machine", MACHINES)
def test_lock_holds_everything_that_is_needed_there(name: str, python: str, machine: str) -> None:
    locked, seen, unknown, queue = pins(name), set(), [], wanted(FILES[name])
    while queue:
        requirement = queue.pop()
        package = canonicalize_name(requirement.name)
        assert package in locked, f"{requirement} is not locked"
        assert requirement.specifier.contains(locked[package], prereleases=True), f"{requirement} is locked at {locked[package]}"
        if (key := f"{package}{sorted(requirement.extras)}") not in seen:
            seen.add(key)
            try:
                queue += needs(requirement, python, machine)
            except PackageNotFoundError:
                unknown.append(package)
    assert len(seen) > 20
    if unknown:
        pytest.skip(f"{', '.join(unknown)}: not installed here, so their own needs are not known")


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_hashes_and_no_line_has_an_address(name: str) -> None:
    lines = [x for x in (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines() if x and not x.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==\S+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", x) for x in lines)
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        assert "==" not in line or following.startswith("    --hash="), line


def test_both_files_agree() -> None:
    run, dev = pins("run.txt"), pins("dev.txt")
    assert len(run) > 20
    assert run.items() <= dev.items()
