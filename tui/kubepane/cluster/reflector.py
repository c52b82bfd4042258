"""Follows one kind in one scope: what to ask next, what each answer means, and how far the rows can be trusted.

A pure state machine: it neither waits nor asks a clock. A shell (`watcher`) does what the last step says and reports what
came of it; every report gives the next step, or None to read on. The rules R1-R28 are those of client-go's
tools/cache/reflector.go where that has them, with what a real API server 1.35 was seen to do beyond them.
"""

from __future__ import annotations

from random import Random

from kubepane.cluster import errors, steps
from kubepane.cluster.clock import Instant
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import Kind
from kubepane.cluster.ledger import Ledger, Rows
from kubepane.cluster.pace import HEALTHY, Backoff, Pace, asked
from kubepane.cluster.plans import Phase, Plan, Server
from kubepane.cluster.resources import Object
from kubepane.cluster.steps import Step
from kubepane.cluster.stream import Stream
from kubepane.cluster.trust import Trust
from kubepane.cluster.versions import before, older
from kubepane.cluster.wire import Bookmark, Change, Head, Item, Skipped, Trouble

SHORT = 1.0  # rule R13: a watch that ends sooner and empty is a failure
LIVED = 5.0  # a stream that lived so long may be resumed without a pause
SETTLE = 0.25  # an expired version is refused within 0.1 s of opening
GRACE = 2.0  # how long a watch that ended in order may take to be open again before the rows count as stale
UNSEEN = 1.0  # a pause in which etcd can have been put back to an older state without our noticing
SPREAD = 0.5  # rule R21: what was cut together does not come back in one instant
INTERNAL, RETRY_AFTERS = 60.0, 10  # rules R16, R14
DENIED, DENIED_CAP, UNABLE = 60.0, 300.0, 600.0  # rule R18: at most one try a minute
POLL = (15.0, 30.0)
PAGE_TRIES = 3
INITIAL_TRIES = 3
GATEWAY = (502, 503, 504)  # what stands before an API server that is gone says so with these


class Reflector:
    """Keeps the rows of one kind in one scope true.

    Args:
        elsewhere: there are other places to look: a refused watch is reported at once, and the list is tried later.

    Attributes:
        alarm: monotonic time at which `tick` must be called; it only changes `freshness`.
        notes: what happened, for the journal; the shell takes them out.
    """

    def __init__(self, kind: Kind, namespace: str, rows: Rows, server: Server, random: Random, now: Instant, *, elsewhere: bool = False) -> None:
        self.kind, self.namespace = kind, namespace
        self.alarm: float | None = None
        self.notes: list[str] = []
        self._server = server
        self._elsewhere = elsewhere
        self._random = random
        self._ledger = Ledger(rows, namespace)
        self._trust = Trust(now)
        self._stream = Stream(random, now, bookmarks=kind.bookmarks)
        self._backoff = Backoff(random)
        self._pace = Pace()
        self._phase = Phase.WAITING
        self._plan = Plan.RESUME
        self._lost: Instant | None = None  # when it ended, if what was asked for last did not bring everything
        # the version where a watch may start
        self._version = ""
        self._consistent = False  # ours is no good: the next list must not come from a cache
        self._unproved = False  # it may have begun its history anew since ours
        self._relists = 0  # versions refused since the last healthy watch
        self._cut_off = False  # the last request found no answer
        # the list that is being read
        self._token = ""
        self._page_tries = 0
        self._expected = 0
        self._listed_at = now.mono - LIVED
        # what does not work here
        self._plain = False  # WatchList
        self._initials_failed = 0
        self._no_watch = ""  # why there is no watch: then the kind is polled
        self._watch_after = DENIED  # seconds until a watch is tried again
        self._watch_tried = now.mono
        self._no_list = False
        self._refusals = 0
        self._watched = False  # a watch was open since the last list
        self._vanished = False  # one 404 was seen where there had been objects
        self._internal_since: float | None = None
        self._retry_afters = 0

    @property
    def freshness(self) -> Freshness:
        """How far the rows can be trusted."""
        return self._trust.freshness

    @property
    def deadline(self) -> float | None:
        """Monotonic time at which the stream being opened or read counts as dead; then `expired` must be called."""
        return self._stream.deadline

    # ---- reports from the shell

    def begin(self, now: Instant) -> Step:
        """The first step."""
        return self._go(Plan.RESUME, now)

    def woke(self, now: Instant, *, link_back: bool = False) -> Step:
        """The wait is over; `link_back`: because the server answers again."""
        if link_back:
            self._cut_off = self._unproved = True
            self._answered(now)
        return self._go(self._plan, now)

    def opened(self, now: Instant) -> None:
        """The server has accepted the watch."""
        self._answered(now)
        self._watched = True
        self._stream.accept(now)
        self.alarm = None
        if not self._stream.initial and self._stream.proof is None:
            if self._trust.live or (now.mono - self._listed_at < LIVED and not self._backoff.level):
                self._live(now)
            else:
                self.alarm = now.mono + SETTLE

    def items(self, now: Instant, items: list[Item]) -> Step | None:
        """Bytes came, and with them these items."""
        for item in items:
            if self._stream.proof is not None and type(item) is not Trouble:
                if not self._stream.proves(item):
                    self._end_stream(now)
                    return self._another_history(now)
                self._unproved = False
            if type(item) is Change:
                self._change(item)
            elif type(item) is Bookmark:
                self._bookmark(now, item)
            elif type(item) is Trouble:
                return self.failed(now, item.error, in_stream=True)
            elif type(item) is Skipped:
                self._skip(item)
        self._stream.heard(now)
        if items:
            self._progress(now)
        return None

    def page(self, now: Instant, head: Head) -> None:
        """The head of a list page; its objects follow in `listed`."""
        self._answered(now)
        self._expected = self._ledger.received + head.count + head.remaining

    def listed(self, now: Instant, objects: list[Object | Skipped]) -> None:
        """Some objects of a list page."""
        for obj in objects:
            if isinstance(obj, Skipped):
                self._skip(obj)
            else:
                self._ledger.stage_object(obj)
        self._progress(now)

    def listed_all(self, now: Instant, head: Head) -> Step:
        """All objects of a page have been reported."""
        self._page_tries = 0
        self._token = head.token
        if head.token:
            return self._start(Plan.PAGE, now)
        self._no_list = False
        self._complete(now, head.version)
        self._watched = False
        self.notes.append("listed")
        if not self._no_watch and not head.version:
            self._no_watch, self._watch_after, self._watch_tried = "the list has no version to watch from", UNABLE, now.mono
        return self._poll(now) if self._no_watch else self._go(Plan.RESUME, now)

    def ended(self, now: Instant) -> Step:
        """The server has closed the watch in order."""
        lived = self._end_stream(now)
        if self._stream.initial:
            return self._initial_failed(now, "the watch ended before its list was complete")
        if lived < SHORT and not self._stream.events:
            self._lose(now, "the server ends each watch at once")
            return self._go(Plan.SYNC, now, self._failure(now))
        if lived >= LIVED or not self._backoff.level:
            if lived < LIVED:
                self._backoff.at_least(1)
            self.alarm = now.mono + GRACE
            return self._go(Plan.RESUME, now)
        self._lose(now, "the server ends each watch early")
        return self._go(Plan.RESUME, now, self._failure(now))

    def expired(self, now: Instant) -> Step:
        """The deadline has passed."""
        opened, silent, mute = self._stream.opened, self._stream.silent(now), self._stream.mute(now)
        lived = self._end_stream(now)
        if self._stream.initial and opened:
            self._plain = True
            return self._initial_failed(now, "a list by watch that does not go on")
        if mute or (opened and self._stream.proof is not None):
            self._stream.dead += mute
            return self._another_history(now)
        self._unproved = True
        return self._unreachable(now, errors.Unreachable(f"no answer for {silent:.0f} s"), lived)

    def cut(self, now: Instant, why: str) -> Step:
        """The stream was closed from our side: what had become of the server meanwhile cannot be known."""
        self._unproved = True
        return self.failed(now, errors.Unreachable(why))

    def tick(self, now: Instant) -> None:
        """The alarm has come."""
        self.alarm = None
        if self._phase is Phase.WATCH and self._stream.opened:
            self._live(now)
        elif self._trust.live:
            self._lose(now, "the watch ended and is not open again")

    def crashed(self, now: Instant, why: str) -> Step:
        """Our own code failed; everything is fetched anew."""
        self._end_stream(now)
        self._ledger.begin()
        self._forget_version()
        self._token = ""
        pause = self._failure(now)
        self._trust.show(now, Freshness(State.FAILED, why=why))
        return self._go(Plan.SYNC, now, pause)

    def failed(self, now: Instant, error: errors.ClusterError, *, in_stream: bool = False) -> Step:
        """The request was refused or the stream broke; `in_stream`: by an ERROR event."""
        lived = self._end_stream(now)
        match error:
            case errors.Unauthorized():
                self._pace.failing(now.mono)
                self._trust.show(now, Freshness(State.UNAUTHORIZED, why=str(error)))
                return self._go(self._again(), now, DENIED * (0.75 + self._random.random() / 2))
            case errors.Forbidden():
                return self._forbidden(now, error)
            case errors.NotServed() | errors.NotFound():
                return self._not_served(now, error)
            case errors.Expired() | errors.FutureVersion():
                return self._version_refused(now, error)
            case errors.TooManyRequests():
                self._lose(now, str(error))
                return self._go(self._again(), now, max(asked(error.retry_after), self._failure(now)))
            case errors.ServerFault():
                return self._server_fault(now, error, in_stream)
            case errors.Refused():
                return self._refused(now, error, in_stream)
            case _:
                return self._unreachable(now, error, lived)

    # ---- what each error leads to

    def _forbidden(self, now: Instant, error: errors.Forbidden) -> Step:
        following = Plan.LIST
        if self._phase is Phase.WATCH:
            self._no_watch, self._watch_after, self._watch_tried = "watching is forbidden", DENIED, now.mono
            if not self._no_list and not self._elsewhere:
                fresh = not self._watched and now.mono - self._listed_at < LIVED
                return self._poll(now) if fresh else self._go(Plan.LIST, now)
        else:
            self._no_list = True
            if self._watch_lists:
                self._no_watch, following = "", Plan.SYNC
        self._pace.failing(now.mono)
        pause = min(DENIED_CAP, DENIED * 1.5 ** min(self._refusals, 8)) * (1 + self._random.random() / 2)
        self._refusals += 1
        resource, namespace = self.kind.resource, self.namespace
        self._trust.show(now, Freshness(State.FORBIDDEN, why=str(error), verb="list", resource=resource, namespace=namespace))
        return self._go(following, now, pause)

    def _not_served(self, now: Instant, error: errors.Refused) -> Step:
        if error.status == 405 and self._phase is Phase.WATCH:
            self._no_watch, self._watch_after, self._watch_tried = "the server cannot watch this", UNABLE, now.mono
            return self._go(Plan.LIST, now)
        self._pace.failing(now.mono)
        if self._ledger.synced and not self._vanished:  # a proxy's 404 must not empty the pane: look twice
            self._vanished = True
            self._lose(now, str(error))
            return self._go(Plan.SYNC, now, self._failure(now))
        self._forget_version()
        self._ledger.clear()
        self._trust.show(now, Freshness(State.ABSENT, why=str(error)))
        return self._go(Plan.SYNC, now, DENIED * (1 + self._random.random() / 10))

    def _another_history(self, now: Instant) -> Step:
        """etcd was put back to an older state and has passed our version since, or not reached it: nothing refuses a watch from there (rule R11)."""
        self._forget_version()
        self._lose(now, "the server may have begun its history anew")
        return self._go(Plan.SYNC, now)

    def _version_refused(self, now: Instant, error: errors.Refused) -> Step:
        """Our version is too old, or from a future that the server has not reached (rules R10, R11)."""
        in_pages = self._phase is Phase.LIST and bool(self._token)
        self._forget_version()
        self._token = ""
        self._lose(now, str(error))
        if in_pages:
            return self._go(Plan.FULL, now)
        self._relists += 1
        if self._relists > 1:  # whatever is wrong here will not pass in a second
            self._backoff.at_least(4)
            return self._go(Plan.SYNC, now, self._failure(now))
        self._failure(now)
        return self._go(Plan.SYNC, now)

    def _server_fault(self, now: Instant, error: errors.ServerFault, in_stream: bool) -> Step:
        self._lose(now, str(error))
        again = self._again()
        if error.retry_after is not None and self._retry_afters < RETRY_AFTERS:
            self._retry_afters += 1
            return self._go(again, now, max(asked(error.retry_after), self._failure(now)))
        if in_stream and error.reason != "InternalError":  # rule R16: "corrupt object has been deleted", or nobody knows what
            again = Plan.SYNC
        elif self._internal_since is None:
            self._internal_since = now.mono
        elif now.mono - self._internal_since > INTERNAL:
            self._internal_since, again = None, Plan.SYNC
        return self._go(again, now, self._failure(now), link=error.status in GATEWAY)

    def _refused(self, now: Instant, error: errors.Refused, in_stream: bool) -> Step:
        if self._phase is Phase.WATCH and self._stream.initial:
            self._plain = True
            if isinstance(error, errors.Invalid):
                self._server.watch_list = False
            self.notes.append(f"no list by watch here: {error}")
            return self._go(Plan.LIST, now, self._failure(now) if in_stream else 0.0)
        self._forget_version()
        self._token = ""
        self._lose(now, str(error))
        return self._go(Plan.SYNC, now, self._failure(now))

    def _unreachable(self, now: Instant, error: errors.ClusterError, lived: float) -> Step:
        if lived < 0 or not self.kind.bookmarks:
            self._unproved = True
        self._cut_off = self._cut_off or lived < 0
        self._lose(now, str(error))
        if self._phase is Phase.WATCH and self._stream.initial and not isinstance(error, errors.Unreachable):
            return self._initial_failed(now, str(error))
        pause = self._failure(now)
        if lived >= LIVED:
            pause = self._random.random() * SPREAD
        return self._go(self._again(), now, pause, link=True)

    def _initial_failed(self, now: Instant, why: str) -> Step:
        self._initials_failed += 1
        if self._initials_failed >= INITIAL_TRIES:
            self._plain = True
        self._lose(now, why)
        return self._go(Plan.SYNC, now, self._failure(now))

    def _again(self) -> Plan:
        """What was being done when it failed."""
        if self._phase is Phase.LIST and self._token and self._page_tries < PAGE_TRIES:
            self._page_tries += 1
            return Plan.PAGE
        self._token = ""
        return Plan.LIST if self._phase is Phase.LIST and self._no_watch else Plan.RESUME

    def _answered(self, now: Instant) -> None:
        """The server answers, where it did not before: whatever goes wrong from here on is another fault."""
        if self._cut_off:
            self._cut_off = False
            self._backoff.reset()
            self._relists = 0
            self._pace.changed(now.mono)

    def _failure(self, now: Instant) -> float:
        self._pace.failing(now.mono)
        return self._backoff.next()

    def _forget_version(self) -> None:
        self._version, self._consistent, self._unproved = "", True, False

    # ---- starting

    @property
    def _watch_lists(self) -> bool:
        return self._server.watch_list and not self._plain

    def _go(self, plan: Plan, now: Instant, pause: float = 0.0, *, link: bool = False) -> Step:
        """Starts what is planned, now or as soon as the pause and the pace allow it."""
        self._phase = Phase.WAITING
        pause = max(pause, self._pace.pause(now.mono))
        if pause > 0:
            self._plan = plan
            self._trust.trying_in(now, pause)
            return steps.Wait(pause, link)
        self._pace.spend(now.mono)
        self._trust.trying()
        return self._start(plan, now)

    def _start(self, plan: Plan, now: Instant) -> Step:
        self._unproved = self._unproved or (self._lost is not None and self._lost.until(now) > UNSEEN)
        if plan is Plan.RESUME:
            return self._resume(now)
        if plan is Plan.SYNC and self._watch_lists and not self._no_watch:
            self._phase = Phase.WATCH
            self._begin_set()
            self._stream.begin(now, initial=True)
            return steps.watch_list(self._version, self._stream.timeout)
        self._phase = Phase.LIST
        if plan is Plan.PAGE:
            return steps.next_page(self._token)
        self._begin_set()
        if self.kind.large or self._consistent:
            return steps.first_page("", paged=plan is not Plan.FULL)
        return steps.first_page(self._version or "0", paged=False)

    def _resume(self, now: Instant) -> Step:
        """The watch from our version; unproved, from the newest change that we know: it comes again first, or this is another history."""
        proof = self._ledger.newest if self._unproved and self.kind.large else None  # the server may have forgotten what is small and rests
        if not self._version or not self._ledger.synced or self._no_watch or (self._unproved and proof is None):
            return self._start(Plan.SYNC, now)
        self._version = proof.resource_version if proof is not None else self._version
        self._phase = Phase.WATCH
        self._stream.begin(now, initial=False, proof=proof)
        return steps.watch(self._version if proof is None else before(self._version), self._stream.timeout)

    def _begin_set(self) -> None:
        self._ledger.begin()
        self._token = ""
        self._expected = self._trust.skipped = 0

    def _end_stream(self, now: Instant) -> float:
        if self._trust.live and self._stream.opened:
            self._trust.true_at(self._stream.last.wall)
        lived = self._stream.end(now)
        self._lost = now
        self._pace.lived(lived)
        if lived >= HEALTHY:
            self._backoff.reset()
            self._relists = 0
        self.alarm = None
        return lived

    # ---- what the server said

    def _change(self, change: Change) -> None:
        self._stream.events += 1
        if self._stream.initial:
            self._ledger.stage(change)
        else:
            self._ledger.apply(change)
            self._advance(change.object.metadata.resource_version)

    def _bookmark(self, now: Instant, mark: Bookmark) -> None:
        self._stream.events += 1
        if not self._stream.initial:
            self._stream.bookmark()
            self._advance(mark.version)
        elif mark.initial_end:
            self._stream.complete()
            self._initials_failed = 0
            self._complete(now, mark.version)

    def _advance(self, version: str) -> None:
        """The watch has come to this version; one from before ours moves nothing back."""
        if version and not older(version, self._version):
            self._version = version

    def _skip(self, skipped: Skipped) -> None:
        self._trust.skipped += 1
        if self._trust.skipped <= 3:
            self.notes.append(f"left out: {skipped.why}")

    def _progress(self, now: Instant) -> None:
        if self._phase is Phase.WATCH and not self._stream.initial:
            self._live(now)
        elif not self._ledger.synced:
            self._trust.arriving(now, self._ledger.received, self._expected)

    def _complete(self, now: Instant, version: str) -> None:
        vanished = self._ledger.complete()
        self._version, self._consistent, self._unproved = version, False, False
        self._listed_at, self._lost = now.mono, None
        self._internal_since, self._retry_afters, self._refusals, self._vanished = None, 0, 0, False
        self._trust.heard = True
        self._trust.true_at(now.wall)
        if vanished:
            self.notes.append(f"{vanished} had vanished meanwhile")

    def _poll(self, now: Instant) -> Step:
        self._elsewhere = False  # it may be listed here
        period = self._random.uniform(*POLL)
        self._trust.show(now, Freshness(State.POLLING, why=self._no_watch, period=period))
        plan = Plan.LIST
        if now.mono + period - self._watch_tried >= self._watch_after:
            self._no_watch, plan = "", Plan.SYNC
        return self._go(plan, now, period)

    # ---- trust

    def _live(self, now: Instant) -> None:
        self.alarm = None
        self._internal_since, self._retry_afters = None, 0
        if self._trust.alive(now):
            self.notes.append("live")

    def _lose(self, now: Instant, why: str) -> None:
        self.notes.append(why)
        self._trust.lose(now, why)
