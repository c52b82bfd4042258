"""Lifecycle hooks of a container (pkg/kubelet/lifecycle/handlers.go): how long they take, and whether they fail."""

from __future__ import annotations

from typing import Any, NamedTuple

from kubepane_embedded.kubelet.answers import ProbeError, Target, port_of
from kubepane_embedded.kubelet.records import Run, Slot
from kubepane_embedded.kubelet.shell.driving import run_at_once

Part = dict[str, Any]


class Hooked(NamedTuple):
    """How a hook went: seconds, and the failure's text, "" when it was well."""

    seconds: float
    failure: str


def run_hook(pod: Target, slot: Slot, run: Run, handler: Part, patience: float) -> Hooked:
    """Run a hook's handler for at most `patience` seconds."""
    if handler.get("sleep"):
        return Hooked(min(float(handler["sleep"].get("seconds") or 0), patience), "")
    if handler.get("exec"):
        return _exec(pod, slot, run, handler["exec"].get("command") or [], patience)
    action = handler.get("httpGet")
    return _http(pod, slot, action) if action else Hooked(0.0, "")


def _named(pod: Target, slot: Slot) -> str:
    meta = pod.pod["metadata"]
    return f'for Container "{slot.name}" in Pod "{meta["name"]}_{meta.get("namespace")}({meta["uid"]})" failed'


def _exec(pod: Target, slot: Slot, run: Run, command: list[str], patience: float) -> Hooked:
    outcome = run_at_once(run.around, command, patience)
    if outcome.status == 0 or outcome.status is None:
        return Hooked(outcome.seconds, "")
    shown = " ".join(command)
    text = f"error: command '{shown}' exited with {outcome.status}: , message: \"{outcome.output.strip()}\""
    return Hooked(outcome.seconds, f"Exec lifecycle hook ([{shown}]) {_named(pod, slot)} - {text}")


def _http(pod: Target, slot: Slot, action: Part) -> Hooked:
    path = action.get("path") or "/"
    try:
        port = port_of(action.get("port"), slot.spec)
    except ProbeError as error:
        return Hooked(0.0, f"HTTP lifecycle hook ({path}) {_named(pod, slot)} - error: {error}")
    if pod.listener().listens(port):
        return Hooked(0.0, "")
    refused = f'Get "http://{pod.address}:{port}{path}": dial tcp {pod.address}:{port}: connect: connection refused'
    return Hooked(0.0, f"HTTP lifecycle hook ({path}) {_named(pod, slot)} - error: {refused}")
