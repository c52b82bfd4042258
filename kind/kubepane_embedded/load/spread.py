"""How the load of one Service falls on the pods behind it, as a function of time.

Pure: demand rises and falls within seconds, requests go evenly to all ready pods. With affinity users stay on the pod they came to; only
as they leave and others come does a new pod get its share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

RAMP = 4.0
"""Seconds in which users come or go."""
STAY = 90.0
"""Seconds that a user's session lasts on average: how fast sticky load evens out."""


class Member(NamedTuple):
    """A pod behind the Service.

    Args:
        uid: The pod's.
        name: The pod's, in the Service's namespace.
        container: Which of its containers serves.
        capacity: Millicores that the container can spend on serving.
    """

    uid: str
    name: str
    container: str
    capacity: float


class Offer(NamedTuple):
    """What users ask of a Service: millicores altogether, and how many users there are."""

    demand: float = 0.0
    users: float = 0.0


@dataclass(slots=True)
class Spread:
    """Load of one Service; times are cluster seconds."""

    sticky: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    moved: dict[str, float] = field(default_factory=dict)
    """Sessions that came to a pod because theirs went away, since somebody last asked."""
    _before: Offer = field(default_factory=Offer)
    _after: Offer = field(default_factory=Offer)
    _changed: float = -RAMP
    _weights: dict[str, float] = field(default_factory=dict)
    _since: float = 0.0

    def offered(self, now: float) -> Offer:
        """What users ask for at a time."""
        way = min(1.0, max(0.0, (now - self._changed) / RAMP))
        before, after = self._before, self._after
        return Offer(before.demand + (after.demand - before.demand) * way, before.users + (after.users - before.users) * way)

    @property
    def wanted(self) -> Offer:
        """What they ask for once the ramp is over."""
        return self._after

    def offer(self, wanted: Offer, now: float) -> None:
        """Let users come or go."""
        if wanted != self._after:
            self._before, self._after, self._changed = self.offered(now), wanted, now

    def weight(self, uid: str, now: float) -> float:
        """The part of all load that falls on a pod, 0 to 1."""
        if uid not in self.members:
            return 0.0
        even = 1.0 / len(self.members)
        if not self.sticky:
            return even
        return even + (self._weights.get(uid, 0.0) - even) * math.exp(-(now - self._since) / STAY)

    def share(self, uid: str, now: float) -> float:
        """Millicores that the requests to one pod need."""
        return self.offered(now).demand * self.weight(uid, now)

    def lost(self, now: float) -> float:
        """Millicores of work that is not done: nobody is ready, or who is has no more to give."""
        if not self.members:
            return self.offered(now).demand
        return sum(max(0.0, self.share(uid, now) - member.capacity) for uid, member in self.members.items())

    def sessions(self, uid: str, now: float) -> float:
        """Users on one pod."""
        return self.offered(now).users * self.weight(uid, now)

    def place(self, members: Mapping[str, Member], now: float) -> None:
        """Other pods are ready now: users of those that left go to those that stayed, and have to log in again."""
        if members.keys() == self.members.keys():
            self.members = dict(members)
            return
        weights = {uid: self.weight(uid, now) for uid in self.members}
        users = {uid: self.sessions(uid, now) for uid in self.members}
        homeless = sum(weight for uid, weight in weights.items() if uid not in members)
        stayed = [uid for uid in members if uid in weights] or list(members)
        alone = not weights  # the first pods share all that comes
        self._weights = {uid: weights.get(uid, 0.0) + (1.0 if alone else homeless) * (uid in stayed) / len(stayed) for uid in members}
        lost = sum(count for uid, count in users.items() if uid not in members)
        self.moved = {uid: self.moved.get(uid, 0.0) + lost * (uid in stayed) / len(stayed) for uid in members}
        self.members, self._since = dict(members), now

    def stick(self, sticky: bool, now: float) -> None:
        """Affinity was switched on or off: from now on sessions stay where they are, or go anywhere."""
        if sticky != self.sticky:
            self._weights = {uid: self.weight(uid, now) for uid in self.members}
            self.sticky, self._since = sticky, now
