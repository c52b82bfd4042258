"""The way into the cluster: kubectl with a kubeconfig of its own, which kind makes from the containers.

The user's kubeconfig plays no part: whatever its current context is, only this cluster can be meant.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from kubepane.kindcluster import facts, failures, plan
from kubepane.kindcluster.programs import Programs, Ran, TookTooLong
from kubepane.kindcluster.trouble import Trouble

_QUESTION = 20.0  # seconds for one answer of the API server


class Reach:
    """One cluster's API, by way of kubectl.

    Attributes:
        text: the kubeconfig.
    """

    def __init__(self, programs: Programs, file: Path, text: str) -> None:
        self._programs, self._access, self.text = programs, ["--kubeconfig", str(file)], text

    def look(self) -> facts.Facts:
        """What there is now.

        Raises:
            Trouble: the API server does not answer.
        """
        seconds = f"--request-timeout={_QUESTION:.0f}s"
        argv = [*self._access, "get", facts.KINDS, "-A", "-o", "json", seconds]
        try:
            ran = self._programs.run("kubectl", *argv, timeout=2 * _QUESTION)
        except TookTooLong as late:
            raise failures.overdue(late, "asking the cluster") from late
        if not ran.good:
            raise failures.explain(ran, "asking the cluster")
        try:
            items = msgspec.json.decode(ran.out.encode(), type=dict[str, object]).get("items")
        except msgspec.DecodeError:
            raise Trouble("kubectl's answer is no JSON", "see whether kubectl works: kubectl version --client") from None
        return facts.read(items if isinstance(items, list) else [])

    def apply(self, addon: str, timeout: float, watch: Callable[[str], None]) -> Ran:
        """Applies an add-on once.

        Raises:
            TookTooLong: its time was up.
        """
        return self._programs.run(*plan.apply(addon, self._access), timeout=timeout, watch=watch)


@contextlib.contextmanager
def reach(programs: Programs, name: str) -> Iterator[Reach]:
    """The way into a cluster, for as long as it is needed.

    Raises:
        Trouble: kind cannot tell it.
    """
    about = "asking kind for the way in"
    try:
        ran = programs.run("kind", "get", "kubeconfig", "--name", name, timeout=60.0)
    except TookTooLong as late:
        raise failures.overdue(late, about) from late
    if not ran.good:
        raise failures.explain(ran, about)
    with tempfile.TemporaryDirectory(prefix="kubepane-") as folder:  # made with 0700
        file = Path(folder) / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(ran.out, encoding="utf-8")
        yield Reach(programs, file, ran.out)
