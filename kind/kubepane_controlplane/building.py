"""Building the binaries from Go modules into a cache outside the tree; nothing is built twice, nothing is shipped."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "controlplane"
KUBERNETES = "v1.35.4"
KWOK = "v0.8.0"
METRICS_SERVER = "v0.9.0"
STAGES = (
    "stage/node/fast/node-initialize",
    "stage/node/heartbeat-with-lease/node-heartbeat-with-lease",
    "stage/pod/general/pod-create",
    "stage/pod/general/pod-init-container-running",
    "stage/pod/general/pod-init-container-completed",
    "stage/pod/general/pod-ready",
    "stage/pod/general/pod-complete",
    "stage/pod/general/pod-delete",
    "metrics/usage/usage-from-annotation",
    "metrics/resource/metrics-resource",
)
"""KWOK's own stages, read from its module: its binary comes without any."""
BINARIES = ("controlplane", "kwok", "metrics-server")
CONFIGURATION = "kwok.yaml"


class CannotBuild(Exception):
    """Why there are no binaries; the text says what to do."""


def cache() -> Path:
    """The folder of binaries made from exactly these sources and versions."""
    digest = hashlib.sha256(f"{KUBERNETES} {KWOK} {METRICS_SERVER} {' '.join(STAGES)}".encode())
    for name in ("go.mod", "go.sum", "main.go"):
        digest.update((SOURCES / name).read_bytes())
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kubepane" / "controlplane" / digest.hexdigest()[:16]


def is_built() -> bool:
    """Whether everything is there."""
    return all((cache() / name).exists() for name in (*BINARIES, CONFIGURATION))


def build(say: Callable[[str], None]) -> Path:
    """Build what is missing; returns the folder.

    Args:
        say: Gets a line for each step.

    Raises:
        CannotBuild: There is no Go, or a step failed.
    """
    folder = cache()
    if is_built():
        say(f"up to date: {folder}")
        return folder
    go = shutil.which("go")
    if go is None:
        raise CannotBuild("Go is not installed; the control plane is built from Go modules (Go 1.26 or newer)")
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(folder), "GOFLAGS": "-trimpath"}
    for name, arguments, place in _steps(folder):
        if not (folder / name).exists():
            say(f"building {name} …")
            _run([go, *arguments], environment, place)
    say("reading KWOK's stages …")
    _write_stages(go, environment, folder)
    say(f"built: {folder}")
    return folder


def _steps(folder: Path) -> list[tuple[str, list[str], Path]]:
    major, minor = KUBERNETES.lstrip("v").split(".")[:2]
    base, client = "k8s.io/component-base/version", "k8s.io/client-go/pkg/version"
    facts = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    stamped = [f"-X {package}.{name}={value}" for package in (base, client) for name, value in facts.items()]
    elsewhere = Path(tempfile.gettempdir())
    return [
        ("controlplane", ["build", "-ldflags", " ".join(["-s -w", *stamped]), "-o", str(folder / "controlplane"), "."], SOURCES),
        ("kwok", ["install", "-ldflags", "-s -w", f"sigs.k8s.io/kwok/cmd/kwok@{KWOK}"], elsewhere),
        ("metrics-server", ["install", "-ldflags", "-s -w", f"sigs.k8s.io/metrics-server/cmd/metrics-server@{METRICS_SERVER}"], elsewhere),
    ]


def _run(command: list[str], environment: dict[str, str], place: Path) -> str:
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - go itself
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no message")
        raise CannotBuild(f"{' '.join(command[:2])} failed: {last}")
    return done.stdout


def _write_stages(go: str, environment: dict[str, str], folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        _run([go, "mod", "init", "stages"], environment, Path(place))
        module = json.loads(_run([go, "mod", "download", "-json", f"sigs.k8s.io/kwok@{KWOK}"], environment, Path(place)))
    root = Path(module["Dir"]) / "kustomize"
    texts = [(root / f"{name}.yaml").read_text(encoding="utf-8") for name in STAGES]
    (folder / CONFIGURATION).write_text("\n---\n".join(texts), encoding="utf-8")
