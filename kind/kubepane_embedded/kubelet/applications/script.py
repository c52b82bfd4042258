"""A container that runs a command of the pod: `sh -c …`, or one of the small commands."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.kubelet.processes import TERMINATED, Process, Surroundings
from kubepane_embedded.kubelet.shell.driving import run_at_once, steps_of
from kubepane_embedded.kubelet.shell.effects import FOREVER, Input, Output, Sleep, Steps

SHELLS = ("sh", "bash", "ash", "dash")
AT_ONCE = 2000
"""Steps made without letting time pass; more than that waits a second."""


class Script(Process):
    """Runs its command line step by step and ends with its exit code.

    As process 1 without a handler it ignores SIGTERM, like every such process: it is killed when the grace is over.
    """

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self._steps: Steps | None = None
        self._held = {1: "", 2: ""}

    def start(self) -> None:
        """Begin to run."""
        self.up = True
        name = self.around.argv[0].rpartition("/")[2]
        if name in SHELLS and len(self.around.argv) == 1:
            if self.around.stdin:
                return
            self.around.later(0.05, lambda: self.around.exit(0))
            return
        self._steps = steps_of(self.around, self.around.argv)
        self.around.later(0.05, self._go_on)

    def adopt(self) -> None:
        """Begin anew: how far it had come nobody knows."""
        self.start()

    def _go_on(self, answer: Any = None) -> None:
        steps = self._steps
        if steps is None:
            return
        for _ in range(AT_ONCE):
            try:
                effect = steps.send(answer)
            except StopIteration as end:
                self._end(int(end.value or 0))
                return
            answer = None
            if isinstance(effect, Output):
                self._write(effect)
            elif isinstance(effect, Sleep):
                if effect.seconds < FOREVER:
                    self.around.later(effect.seconds, self._go_on)
                return
            elif isinstance(effect, Input) and self.around.stdin:
                return
        self.around.later(1.0, self._go_on)

    def _write(self, output: Output) -> None:
        """Whole lines go to the log."""
        text = self._held[output.descriptor] + output.text
        whole, newline, rest = text.rpartition("\n")
        self._held[output.descriptor] = rest
        if newline:
            self.around.say(whole)

    def _end(self, code: int) -> None:
        for rest in self._held.values():
            if rest:
                self.around.say(rest)
        self._steps = None
        self.around.exit(code)

    def terminate(self) -> None:
        """Run the trap of the command line's shell when it sets one; ignore SIGTERM otherwise."""
        program = self._trap()
        if program is None:
            return
        outcome = run_at_once(self.around, ["sh", "-c", program], 30.0)
        if outcome.output.strip("\n"):
            self.around.say(outcome.output.rstrip("\n"))
        ended = TERMINATED if outcome.status is None else outcome.status
        self.around.later(outcome.seconds + 0.05, lambda: self.around.exit(ended))

    def _trap(self) -> str | None:
        """The program of `trap '…' TERM`, found in the command line."""
        text = " ".join(self.around.argv[1:])
        for quote in ("'", '"'):
            _, found, rest = text.partition(f"trap {quote}")
            program, closing, signals = rest.partition(quote)
            words = signals.replace(";", " ").split()[:4]
            if found and closing and any(word.removeprefix("SIG") == "TERM" for word in words):
                return program
        return None

    def listens(self, port: int) -> bool:
        """`nc -l`, `httpd` and the like listen on the port that the command line names."""
        text = " ".join(self.around.argv)
        servers = ("httpd", "nc -l", "http.server", "http-server", "socat")
        return any(one in text for one in servers) and str(port) in text

    def http(self, port: int, path: str, agent: str) -> int | None:
        """A small server answers everything."""
        return 200
