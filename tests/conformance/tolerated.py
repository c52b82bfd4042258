"""The differences between the embedded cluster and a real API server that are known and kept: each has its place in DIFFERENCES.md."""

from __future__ import annotations

import re
from dataclasses import dataclass

from conformance.sameness import Difference, unlike


@dataclass(frozen=True)
class Kept:
    """A kind of difference.

    Attributes:
        title: Its heading in DIFFERENCES.md.
        plural: The kind it concerns, "" for any.
        where: What the paths of all unlike places must match.
        codes: The two status codes, None for any that are equal.
    """

    title: str
    plural: str
    where: str
    codes: tuple[int, int] | None = None

    def explains(self, difference: Difference) -> bool:
        """Whether a difference is of this kind."""
        codes = (difference.first[0], difference.second[0])
        if (codes[0] != codes[1] if self.codes is None else codes != self.codes) or self.plural not in ("", difference.call.sample.plural):
            return False
        paths = [line.partition(":\n")[0] for line in unlike(difference.first[1], difference.second[1])]
        return self.codes is not None or all(re.fullmatch(self.where, path) for path in paths)


WORDS = r"\.body\.(message|details\.causes.*)|\.warnings.*"
KEPT = (
    Kept("Words of a refused change to a pod or Job", "jobs", WORDS),
    Kept("Words of a refused change to a pod or Job", "pods", WORDS),
    Kept("Tolerations that a replaced pod leaves out", "pods", "", (422, 200)),
    Kept("The number of a DaemonSet's template", "daemonsets", r".*(annotations|managedFields|resourceVersion).*"),
    Kept("The answer to a deletion", "pods", r"\.body\.metadata\.(deletion\w+|generation)|\.warnings.*"),
    Kept("The answer to a deletion", "storageclasses", r"\.body\..*"),
    Kept("A patch that takes the resourceVersion away", "poddisruptionbudgets", "", (200, 422)),
    Kept("A patch that takes the resourceVersion away", "leases", "", (200, 422)),
    Kept("Zeros in a status that was written by hand", "", r"\.body\.(status\..*|metadata\.(managedFields.*|resourceVersion))"),
    Kept("What a replace leaves out of the metadata", "", r"\.body\.metadata\.(finalizers|labels|resourceVersion|managedFields).*"),
    Kept("A write that changes nothing", "", r"\.body\.metadata\.(resourceVersion|managedFields.*)"),
    Kept("A field that is only written", "secrets", "", (422, 200)),
)


def unexplained(differences: list[Difference]) -> list[Difference]:
    """Those that nobody has decided to keep."""
    return [difference for difference in differences if not any(kept.explains(difference) for kept in KEPT)]
