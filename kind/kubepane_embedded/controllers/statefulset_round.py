"""One look at a StatefulSet and its pods: which to make, wait for, take away or replace (statefulset/stateful_set_control.go).

Within a round the pods are as they were at its beginning; what a write changed is seen by the next round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from kubepane_embedded.controllers.replicasets import slow_start, wanted_replicas
from kubepane_embedded.controllers.revisions import at_revision, name_of
from kubepane_embedded.controllers.statefulset_pods import (
    first_ordinal,
    is_created,
    is_unavailable,
    is_wanted,
    minimum_ready,
    ordinal_of,
    pod_of,
    revision_of,
)
from kubepane_embedded.controllers.statefulset_writes import StatefulWrites
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, is_deleting
from kubepane_embedded.podfacts import is_available, is_finished, is_ready, phase

PARALLEL = "Parallel"
Step: TypeAlias = Callable[[Object], None]


class Wait(Exception):
    """Ends a round: nothing is wrong, the next change of a pod is what it waits for."""


@dataclass(slots=True)
class Round:
    """The pods of a set by what is to become of them.

    Args:
        stateful_set: As stored.
        pods: Its pods.
        current: Revision that pods below the partition have.
        update: Revision that the others are to have.
        writes: What acts.
        now: One moment for the whole round.
    """

    stateful_set: Object
    pods: list[Object]
    current: Object
    update: Object
    writes: StatefulWrites
    now: datetime
    replicas: list[Object] = field(init=False)
    condemned: list[Object] = field(init=False)
    first_unavailable: Object | None = field(init=False)
    replaced: int = 0
    """Pods that this round deleted to replace them."""

    def __post_init__(self) -> None:
        first = first_ordinal(self.stateful_set)
        present = {ordinal_of(pod): pod for pod in self.pods}
        wanted = range(first, first + wanted_replicas(self.stateful_set))
        self.replicas = [present.get(ordinal) or self._planned(ordinal) for ordinal in wanted]
        unwanted = [pod for pod in self.pods if ordinal_of(pod) >= 0 and not is_wanted(self.stateful_set, pod)]
        self.condemned = sorted(unwanted, key=ordinal_of, reverse=True)
        lowest_first = [*self.replicas, *reversed(self.condemned)]
        self.first_unavailable = next((pod for pod in lowest_first if is_unavailable(self.stateful_set, pod, self.now)), None)

    @property
    def ordered(self) -> bool:
        """One after the other (OrderedReady), not all at once."""
        return bool(self.stateful_set["spec"].get("podManagementPolicy") != PARALLEL)

    def run(self) -> None:
        """Act as far as this round may; raises the first refusal."""
        try:
            self._each(self.replicas, self._keep)
            self._each(self.condemned, self._fix_claims)
            self._each(self.condemned, self._take_away)
        except Wait:
            return
        if (self.stateful_set["spec"].get("updateStrategy") or {}).get("type") != "OnDelete":
            self._replace_one()

    def _planned(self, ordinal: int) -> Object:
        """A pod that there is none of yet, at the revision that its number calls for (newVersionedStatefulSetPod)."""
        strategy = self.stateful_set["spec"].get("updateStrategy") or {}
        status = self.stateful_set.get("status") or {}
        rolling = strategy.get("rollingUpdate")
        kept = (rolling.get("partition") or 0) if rolling is not None else (status.get("currentReplicas") or 0)
        is_old = ordinal < first_ordinal(self.stateful_set) + kept and (rolling is not None or strategy.get("type") == "RollingUpdate")
        revision = self.current if is_old else self.update
        return pod_of(at_revision(self.stateful_set, revision), name_of(revision), ordinal)

    def _each(self, pods: list[Object], act: Step) -> None:
        if self.ordered:
            for pod in pods:
                act(pod)
            return
        waiting = iter(pods)

        def attempt() -> ApiError | None:
            try:
                act(next(waiting))
            except Wait:
                return None
            except ApiError as refusal:
                return refusal
            return None

        refusal = slow_start(len(pods), attempt)
        if refusal is not None:
            raise refusal

    def _keep(self, pod: Object) -> None:
        """See to one wanted pod (processReplica)."""
        if is_finished(pod):
            if not is_deleting(pod):
                self.writes.delete(self.stateful_set, pod)
            raise Wait
        if not is_created(pod):
            if not self.writes.is_blocked(self.stateful_set, pod):
                self.writes.create(self.stateful_set, pod)
            raise Wait
        if phase(pod) == "Pending":
            self.writes.complete_claims(self.stateful_set, pod)
        if self.ordered and (is_deleting(pod) or not self._serves(pod)):
            raise Wait
        self.writes.mend(self.stateful_set, pod)

    def _serves(self, pod: Object) -> bool:
        running = phase(pod) == "Running" and is_ready(pod)
        return running and is_available(pod, minimum_ready(self.stateful_set), self.now)

    def _fix_claims(self, pod: Object) -> None:
        if not self.writes.claims_fit(self.stateful_set, pod):
            self.writes.fix_claims(self.stateful_set, pod)

    def _take_away(self, pod: Object) -> None:
        """Delete a pod that is too many; in order the highest only, and not while another is unavailable (processCondemned)."""
        if is_deleting(pod):
            if self.ordered:
                raise Wait
            return
        if self.ordered and not self._serves(pod) and pod is not self.first_unavailable:
            raise Wait
        self.writes.delete(self.stateful_set, pod)
        raise Wait

    def _replace_one(self) -> None:
        """Rolling update: delete the highest pod of another revision, unless one above it is unavailable."""
        rolling = (self.stateful_set["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
        lowest = rolling.get("partition") or 0
        for place in range(len(self.replicas) - 1, lowest - 1, -1):
            pod = self.replicas[place]
            if revision_of(pod) != name_of(self.update) and not is_deleting(pod):
                self.writes.delete(self.stateful_set, pod)
                self.replaced += 1
                return
            if is_unavailable(self.stateful_set, pod, self.now):
                return
