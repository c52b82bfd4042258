"""Running shell steps at once, for probes and hooks: time that they would take is only counted."""

from __future__ import annotations

from typing import NamedTuple

from kubepane_embedded.kubelet.processes import Surroundings
from kubepane_embedded.kubelet.shell.effects import Input, Output, Sleep, Steps
from kubepane_embedded.kubelet.shell.running import Shell

MISSING = 'OCI runtime exec failed: exec failed: unable to start container process: exec: "{}": executable file not found in $PATH'


class Outcome(NamedTuple):
    """How a command ended: its status (None: it did not end in time), output, and the seconds it took."""

    status: int | None
    output: str
    seconds: float


def steps_of(around: Surroundings, argv: list[str]) -> Steps | None:
    """The steps of a command in a container; None when its image does not have it."""
    if not argv or not around.image.shell:
        return None
    shell = Shell(around, argv[0].rpartition("/")[2])
    command = shell.find(argv[0])
    if command is None:
        return shell.command(argv) if argv[0] in ("true", ":") else None
    shell.name = "sh"
    return shell.main(argv[1:]) if argv[0].rpartition("/")[2] in ("sh", "bash", "ash", "dash") else command(shell, argv[1:])


def run_at_once(around: Surroundings, argv: list[str], patience: float) -> Outcome:
    """Run a command to its end, or until it has slept for `patience` seconds; its standard input is empty."""
    steps = steps_of(around, argv)
    if steps is None:
        return Outcome(127, MISSING.format(argv[0] if argv else ""), 0.0)
    output: list[str] = []
    spent = 0.0
    while True:
        try:
            effect = next(steps)
        except StopIteration as end:
            return Outcome(int(end.value or 0), "".join(output), spent)
        if isinstance(effect, Output):
            output.append(effect.text)
        elif isinstance(effect, Sleep):
            spent += effect.seconds
            if spent > patience:
                steps.close()
                return Outcome(None, "".join(output), patience)
        elif isinstance(effect, Input):
            continue
