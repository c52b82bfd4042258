"""What users of a Service leave in the logs of its pods: requests that were served, and sessions that a pod did not know.

Sessions live in the memory of one pod. With affinity a user comes back to that pod; without it, to any, and is sent to the login page by
each that does not know the session. Log lines are few, whatever the load.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from kubepane_embedded.backend import Backend
from kubepane_embedded.load.demand import Demand
from kubepane_embedded.load.spread import Member, Spread
from kubepane_embedded.meta import Key

EVERY = 5.0
"""Seconds between two looks."""
THINK = 10.0
"""Seconds between two requests of one user."""
LINES = 2
"""At most so many lines of one kind per pod and look."""
MINUTE = 60.0
PAGES = ("GET /chat", "GET /chat/messages", "POST /chat/messages", "GET /users")
HEX = "0123456789ABCDEF"

Write = Callable[[str, str, str], None]
"""(pod uid, container, text): a line of a container's log."""


@dataclass(slots=True)
class Seen:
    """What happened to the users of one Service."""

    owed: dict[str, float] = field(default_factory=dict)
    """Parts of requests and logins that are not whole yet, by kind and pod."""
    logins: deque[tuple[float, int]] = field(default_factory=deque)

    def whole(self, kind: str, amount: float) -> int:
        """The whole part of an amount, with what was left over before."""
        total = self.owed.get(kind, 0.0) + amount
        self.owed[kind] = total - int(total)
        return int(total)


class Sessions:
    """Users' sessions of all Services.

    Args:
        core: The cluster.
        demand: How many there are and where.
        write: Takes a line of a container's log (`Logbook.write` of the kubelet).
    """

    def __init__(self, core: Backend, demand: Demand, write: Write) -> None:
        self._clock = core.clock
        self._seed = core.seed.fork()
        self._demand = demand
        self._write = write
        self._seen: dict[Key, Seen] = {}
        self._waiting = False

    def start(self) -> None:
        """Look whenever there are users; without any nothing is scheduled."""
        self._demand.follow(self._wake)
        self._wake()

    def per_pod(self, service: Key) -> dict[str, int]:
        """Pod name → users on it."""
        spread, now = self._demand.spreads.get(service), self._clock.seconds()
        return {one.name: round(spread.sessions(uid, now)) for uid, one in spread.members.items()} if spread is not None else {}

    def relogins(self, service: Key) -> int:
        """How many users had to log in again within the last minute."""
        seen, since = self._seen.get(service), self._clock.seconds() - MINUTE
        return sum(count for time, count in seen.logins if time > since) if seen is not None else 0

    def _wake(self) -> None:
        if not self._waiting and any(self._is_used(spread) for spread in self._demand.spreads.values()):
            self._waiting = True
            self._clock.call_later(EVERY, self._look)

    def _is_used(self, spread: Spread) -> bool:
        return spread.wanted.users > 0 or spread.offered(self._clock.seconds()).users > 0

    def _look(self) -> None:
        self._waiting = False
        for key in [key for key in self._seen if key not in self._demand.spreads]:
            del self._seen[key]
        for key, spread in self._demand.spreads.items():
            if self._is_used(spread):
                self._tell(self._seen.setdefault(key, Seen()), spread)
        self._wake()

    def _tell(self, seen: Seen, spread: Spread) -> None:
        """Write what happened on the pods of one Service since the last look."""
        now, logins = self._clock.seconds(), 0
        moved, spread.moved = spread.moved, {}
        for uid, member in spread.members.items():
            requests = seen.whole(f"request {uid}", spread.sessions(uid, now) * EVERY / THINK)
            strange = 0.0 if spread.sticky else requests * (1.0 - 1.0 / len(spread.members))
            lost = seen.whole(f"login {uid}", strange + (moved.get(uid, 0.0) if spread.sticky else 0.0))
            self._served(member, max(0, requests - lost), spread.share(uid, now) > member.capacity)
            self._lost(member, lost)
            logins += lost
        seen.logins.append((now, logins))
        while seen.logins[0][0] <= now - MINUTE:
            seen.logins.popleft()

    def _served(self, member: Member, requests: int, overloaded: bool) -> None:
        for number in range(min(requests, LINES)):
            page, size = self._seed.choice(PAGES), 400 + self._seed.below(9000)
            code = 503 if overloaded and number else 200
            took = self._seed.below(2500) + 2500 if overloaded else self._seed.below(90) + 8
            when = self._clock.now().strftime("%d/%b/%Y:%H:%M:%S +0000")
            self._write(member.uid, member.container, f'10.244.0.{2 + self._seed.below(3)} - - [{when}] "{page} HTTP/1.1" {code} {size} {took}ms')

    def _lost(self, member: Member, count: int) -> None:
        for _ in range(min(count, LINES)):
            session = "".join(self._seed.choice(HEX) for _ in range(32))
            self._write(member.uid, member.container, f"Session {session} not found, redirecting to /login")
        if count > LINES:
            self._write(member.uid, member.container, f"{count - LINES} more sessions not found, redirecting to /login")
