"""The one way to change the cluster: one step at a time, to the object that was shown, never twice, and told truly.

Rules: research on what kubectl sends (PATCH and PUT with uid and resourceVersion may be repeated, a lost answer never is), R21.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from random import Random
from typing import TypeGuard

import msgspec

from kubepane.cluster.api import Api
from kubepane.cluster.audit import Warned
from kubepane.cluster.errors import ClusterError, Conflict, NotFound, Refused, ServerFault, TooManyRequests, Unreachable
from kubepane.cluster.pin import Pin
from kubepane.cluster.writing import End, Outcome, Raw, Rehearsal, Request, Step, revision_of, uid_of

TRIES = 8  # of a change whose premise still holds: others write to the object all the time
PAUSE = 0.1  # seconds before the first repeat, doubled with jitter
LOOKS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds before each look for what became of a change whose answer was lost
SURE = 3  # looks at an untouched object until it counts as not changed: what was cut off may still be at work in the server
LONGEST = 15.0  # seconds that a busy server may ask to wait

_heard: ContextVar[list[str] | None] = ContextVar("warnings of the change that this task makes", default=None)


@contextmanager
def _hearing() -> Iterator[list[str]]:
    """Gathers the warnings of one change."""
    warnings: list[str] = []
    mark = _heard.set(warnings)
    try:
        yield warnings
    finally:
        _heard.reset(mark)


class Writer:
    """Sends the steps of one session.

    Args:
        api: the door.
        told: gets every outcome once: the audit.
        random: jitter.
        pin: whether this is still the cluster that was connected to; None where nobody wants to know.
    """

    def __init__(self, api: Api, told: Callable[[Outcome], None], random: Random, pin: Pin | None = None) -> None:
        self._api, self._told, self._random, self._pin = api, told, random, pin
        self._turn = asyncio.Lock()

    def hear(self, warned: Warned) -> None:
        """Warning headers of the server; those of a change belong to the step that this task makes."""
        if warned.method != "GET" and (heard := _heard.get()) is not None:
            heard.append(warned.text)

    async def read(self, step: Step) -> Raw | None:
        """The present state, None when there is no such object.

        Raises:
            ClusterError: it could not be read.
        """
        try:
            return msgspec.json.decode(await self._api.get(step.reads), type=dict)
        except NotFound:
            return None

    async def rehearse(self, step: Step) -> Rehearsal:
        """A dry run on the server: what admission, quota and validation say, without changing anything."""
        async with self._turn:
            with _hearing() as warnings:
                try:
                    await self._same_cluster()
                    result = await self._rehearsed(step)
                except ClusterError as error:
                    return Rehearsal(step, error=error, warnings=tuple(dict.fromkeys(warnings)))
                return Rehearsal(step, result, warnings=tuple(dict.fromkeys(warnings)))

    async def _rehearsed(self, step: Step) -> Raw | None:
        """The dry run; anew when only something was changed meanwhile that the change does not rest on: statuses change all the time."""
        raw = step.raw
        for attempt in range(TRIES):
            try:
                return _object(await self._send(_as_dry_run(step.request(raw or {}))))
            except Conflict:
                now = await self.read(step) if raw is not None else None
                same = now is not None and raw is not None and uid_of(now) == uid_of(raw) and step.premise(now) == step.premise(raw)
                if not same or revision_of(now) == revision_of(raw) or attempt == TRIES - 1:
                    raise
                raw = now
        raise AssertionError("the last try returns or raises")

    async def perform(self, step: Step) -> Outcome:
        """Makes the change, after those before it. Never raises a `ClusterError`."""
        async with self._turn:
            return await self.perform_beside(step)

    async def perform_beside(self, step: Step, before: Outcome | None = None) -> Outcome:
        """Makes the change whatever else is being made. Never raises a `ClusterError`.

        Args:
            before: what came of the same step the last time: the same again is not told again.
        """
        outcome = Outcome(step, End.UNKNOWN, "given up before the answer came")
        try:
            with _hearing() as warnings:
                outcome = await self._performed(step)
            outcome = replace(outcome, warnings=tuple(warnings))
        finally:
            if before is None or (before.end, before.text) != (outcome.end, outcome.text):
                self._told(outcome)
        return outcome

    async def _performed(self, step: Step) -> Outcome:
        try:
            await self._same_cluster()
        except ClusterError as error:
            return Outcome(step, End.LOST if isinstance(error, Unreachable | ServerFault) else End.REFUSED, f"nothing was sent: {error}", error=error)
        raw = step.raw
        for attempt in range(TRIES):
            pause = PAUSE * 2**attempt * (0.5 + self._random.random())
            try:
                answer = _object(await self._send(step.request(raw or {})))
                return Outcome(step, End.DONE, step.says, revision_of(answer), uid=uid_of(answer))
            except Conflict as error:
                if raw is None:
                    return Outcome(step, End.CHANGED, "somebody created it meanwhile", error=error)
                settled, raw = await self._again(step, raw, error)
                if settled is not None:
                    return settled
            except NotFound as error:
                return _missing(step, error)
            except (Unreachable, ServerFault) as error:
                return await self._cleared_up(step, raw, error)
            except ClusterError as error:
                if not _busy(error) or attempt == TRIES - 1:
                    return Outcome(step, End.REFUSED, str(error), error=error)
                pause += min(error.retry_after or 0.0, LONGEST)
            await asyncio.sleep(pause)
        return Outcome(step, End.CHANGED, "others change it faster than this can be written", error=None)

    async def _same_cluster(self) -> None:
        if self._pin is not None:
            await self._pin.check()

    async def _again(self, step: Step, raw: Raw, refusal: Conflict) -> tuple[Outcome | None, Raw]:
        """After a conflict: the newer state when the change still means what was shown, else the outcome."""
        try:
            now = await self.read(step)
        except ClusterError as error:
            return Outcome(step, End.REFUSED, f"{refusal}; reading it again: {error}", error=error), raw
        if now is None:
            return _missing(step, refusal), raw
        if uid_of(raw) and uid_of(now) != uid_of(raw):
            return Outcome(step, End.CHANGED, "it was deleted and another one created under its name", error=refusal), raw
        if step.holds(now):
            return Outcome(step, End.SAME, "it is so already", revision_of(now), uid=uid_of(now)), raw
        if step.premise(now) != step.premise(raw):
            return Outcome(step, End.CHANGED, "somebody changed it meanwhile", error=refusal), raw
        if revision_of(now) == revision_of(raw):
            return Outcome(step, End.REFUSED, str(refusal), error=refusal), raw
        return None, now

    async def _cleared_up(self, step: Step, raw: Raw | None, error: ClusterError) -> Outcome:
        """The answer was lost, or the server broke while it worked: what is there now tells whether it happened."""
        if self._pin is not None:
            self._pin.doubt()
        handled = isinstance(error, ServerFault) and (error.status == 500 or error.reason == "ServiceUnavailable")
        found = Outcome(step, End.UNKNOWN, f"no answer, and it cannot be found out whether it happened: {error}", error=error)
        untouched = 0
        for pause in LOOKS:
            await asyncio.sleep(0 if handled and not untouched else pause)
            try:
                await self._same_cluster()
                now = await self.read(step)
            except (Unreachable, ServerFault):
                continue
            except ClusterError as problem:
                return Outcome(step, End.UNKNOWN, f"{error}; looking for it: {problem}", error=error)
            found = _judged(step, raw, now, error)
            untouched += 1
            if found.end is not End.LOST or untouched == SURE:
                break
        return replace(found, end=End.REFUSED, text=str(error)) if handled and found.end is End.LOST else found

    async def _send(self, request: Request) -> bytes:
        api, query = self._api, dict(request.query)
        if request.method == "PATCH":
            return await api.patch(request.path, request.body, query, content_type=request.content_type)
        send = {"POST": api.post, "PUT": api.put, "DELETE": api.delete}[request.method]
        return await send(request.path, request.body, query)


def _as_dry_run(request: Request) -> Request:
    """The same without effect. DeleteOptions in a body make the server pass over the query (apiserver pkg/endpoints/handlers/delete.go)."""
    body = {**(request.body or {}), "dryRun": ["All"]} if request.method == "DELETE" else request.body
    return replace(request, body=body, query={**request.query, "dryRun": "All"})


def _missing(step: Step, error: Refused) -> Outcome:
    if step.holds(None):
        return Outcome(step, End.SAME, "it is gone already")
    return Outcome(step, End.CHANGED, "it is gone", error=error)


def _busy(error: ClusterError) -> TypeGuard[TooManyRequests]:
    """Whether the server was too busy to look at the request: it may be sent again. A disruption budget's refusal is none of these."""
    return isinstance(error, TooManyRequests) and error.retry_after is not None and not error.causes


def _judged(step: Step, raw: Raw | None, now: Raw | None, error: ClusterError) -> Outcome:
    """What became of a change without an answer, from the state before it and the state that is there now."""
    replaced = raw is not None and now is not None and uid_of(raw) and uid_of(now) != uid_of(raw)
    if step.holds(None if replaced else now):
        return Outcome(step, End.DONE, f"{step.says}; the answer was lost, the cluster shows it", revision_of(now), uid=uid_of(now))
    if replaced:
        return Outcome(step, End.UNKNOWN, f"no answer, and by now another one has its name: {error}", error=error)
    untouched = now is None if raw is None else now is not None and step.premise(now) == step.premise(raw)
    if untouched:
        return Outcome(step, End.LOST, f"it did not happen: {error}", error=error)
    return Outcome(step, End.UNKNOWN, f"no answer, and it was changed meanwhile: {error}", error=error)


def _object(answer: bytes) -> Raw | None:
    """The object of an answer; None for a Status or nothing."""
    try:
        raw = msgspec.json.decode(answer, type=dict) if answer else None
    except msgspec.DecodeError:
        return None
    return None if raw is None or raw.get("kind") == "Status" else raw
