#!/usr/bin/env python3
"""Pins every package that the project runs or is tested with, with the hashes of all its files: `make lock`.

What is wanted stands in pyproject.toml alone; run.txt holds the dependencies and the build back end, dev.txt also the dev group.
No index, no host and no path of the machine gets into the files. Hashes of all wheels of a version are listed, so one file serves
every platform; `tests/test_requirements.py` checks that it holds for every supported Python.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FILES = {"run.txt": ["build"], "dev.txt": ["build", "dev"]}
OPTIONS = [
    "--generate-hashes", "--allow-unsafe", "--strip-extras", "--resolver=backtracking", "--no-annotate",
    "--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links", "--no-emit-options", "--quiet",
]  # fmt: skip


def wanted(pyproject: dict[str, Any], groups: list[str]) -> list[str]:
    """The requirements of the program and of these dependency groups (PEP 735)."""
    found = list(pyproject["project"]["dependencies"])
    for group in groups:
        found += [entry for entry in pyproject["dependency-groups"][group] if isinstance(entry, str)]
    return found


def compile_file(name: str, requirements: list[str], arguments: list[str]) -> None:
    """Writes one file; what it already pins stays as it is unless `--upgrade` asks otherwise."""
    environment = {k: v for k, v in os.environ.items() if k != "PIP_FIND_LINKS"} | {"CUSTOM_COMPILE_COMMAND": "make lock"}
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *arguments, "--output-file", name, "-"]
    subprocess.run(command, input="\n".join(requirements), text=True, cwd=HERE, env=environment, check=True)


def faults(text: str) -> list[str]:
    """What must not stand in a file that other machines install from."""
    found = [f"names an address: {line}" for line in text.splitlines() if "//" in line or line.startswith("-")]
    pins = re.findall(r"^([A-Za-z0-9._-]+)==\S+ ?(\\?)$", text, re.MULTILINE)
    found += [f"{name} has no hash" for name, more in pins if not more]
    return found or ([] if pins else ["holds no pin"])


def main(arguments: list[str]) -> int:
    """Compiles both files, dev.txt within what run.txt pins."""
    pyproject = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    problems = 0
    for name, groups in FILES.items():
        within = [] if name == "run.txt" else ["--constraint", "run.txt"]
        compile_file(name, wanted(pyproject, groups), [*within, *arguments])
        for fault in faults((HERE / name).read_text(encoding="utf-8")):
            problems += 1
            print(f"requirements/{name} {fault}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
