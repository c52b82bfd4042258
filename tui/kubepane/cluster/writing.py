"""Changes as they are shown, confirmed and sent: what was read, what would be sent, and how to tell that it happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from kubepane.cluster.errors import ClusterError
from kubepane.cluster.kinds import Kind

Raw = dict[str, Any]
"""An object as the API gave it: JSON, nothing left out."""


@dataclass(frozen=True, slots=True)
class Ref:
    """One object, fixed when a key was pressed.

    Attributes:
        uid: "" where the object is yet to be created, or was named on a command line and not looked up yet.
    """

    kind: Kind
    namespace: str
    name: str
    uid: str = ""

    @property
    def path(self) -> str:
        """Below the server's address."""
        return f"{self.kind.path(self.namespace)}/{self.name}"

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.kind.lower()} {place}{self.name}"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. `content_type` is of a PATCH."""

    method: str
    path: str
    body: Any = None
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One change of one object: sent once, and only to the object that was shown.

    Attributes:
        about: the object; with its uid, unless it is to be created.
        says: the change in words, as it was confirmed: `replicas 2 → 4`.
        raw: what `path` read when the change was shown; None where nothing was there.
        request: the request for the object in that state; it carries the resourceVersion and the uid as preconditions.
        premise: what the words rest on (the number of replicas, the list of taints). When the server refuses because the object was
            changed meanwhile and this still reads the same, the change is sent anew; otherwise it must be asked again.
        holds: whether an object in that state has the change already; how a lost answer is cleared up. None is an object that is gone.
        path: what is read instead of the object itself: a subresource.
        rehearsable: whether a dry run can say anything; not where the object's namespace is yet to be created.
    """

    about: Ref
    says: str
    raw: Raw | None
    request: Callable[[Raw], Request]
    premise: Callable[[Raw], Any] = lambda raw: None
    holds: Callable[[Raw | None], bool] = lambda raw: False
    path: str = ""
    rehearsable: bool = True

    @property
    def reads(self) -> str:
        """The path that shows the object's present state."""
        return self.path or self.about.path


class End(Enum):
    """What became of a step."""

    DONE = "done"  # the server has taken it
    SAME = "same"  # it was so already
    CHANGED = "changed"  # the object is not what was shown any more: nothing was sent, or the server refused it; ask again
    REFUSED = "refused"  # the server, or read-only mode, says no
    LOST = "lost"  # no answer, and it did not happen
    UNKNOWN = "unknown"  # no answer, and it cannot be found out


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a step, and why.

    Attributes:
        revision: the object's resourceVersion after it, "" when it is gone or not known.
        error: the refusal, None where there was none.
        warnings: what the server warned of.
        uid: the object's, also of one that was created by it; "" when it is not known.
    """

    step: Step
    end: End
    text: str = ""
    revision: str = ""
    error: ClusterError | None = None
    warnings: tuple[str, ...] = ()
    uid: str = ""

    @property
    def good(self) -> bool:
        """Whether the object is now as it was asked to be."""
        return self.end in (End.DONE, End.SAME)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A dry run of a step on the server.

    Attributes:
        result: the object as it would be, None when it was refused or the answer carries none.
        error: why the server would refuse it.
        warnings: what the server would warn of.
    """

    step: Step
    result: Raw | None = None
    error: ClusterError | None = None
    warnings: tuple[str, ...] = ()


def uid_of(raw: Raw | None) -> str:
    """metadata.uid, "" when there is none."""
    return str(((raw or {}).get("metadata") or {}).get("uid") or "")


def revision_of(raw: Raw | None) -> str:
    """metadata.resourceVersion, "" when there is none."""
    return str(((raw or {}).get("metadata") or {}).get("resourceVersion") or "")


def preconditions(raw: Raw) -> dict[str, str]:
    """metadata of a patch that the server takes only for this object in this state."""
    return {"uid": uid_of(raw), "resourceVersion": revision_of(raw)}
