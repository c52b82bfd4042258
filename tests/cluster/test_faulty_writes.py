"""Two thousand changes through everything that can happen on the way: what was confirmed is what happened, once, and all of it is told (R21).

Judged by what the server has done, not by what it answered.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kubepane.cluster import audit_file, kinds as k, writer as writing_room
from kubepane.cluster.api import MERGE_PATCH
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.cluster.writing import End, Outcome, Raw, Ref, Request, Step, preconditions, uid_of
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster
from kubepane_embedded.errors import ApiError
from unlimited import unlimited

PARTS, EACH, OBJECTS = 8, 250, 12
KIND = k.CONFIGMAPS
GOOD = (End.DONE, End.SAME)


def name_of(number: int) -> str:
    return f"thing-{number}"


def value_of(raw: Raw | None) -> str:
    return str((((raw or {}).get("data") or {}).get("value")) or "")


# ---- the way that things go wrong ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trouble:
    """What happens to the next change.

    Attributes:
        before: happens before the server handles a PATCH: an answer instead, None for a cut, or nothing (`...`).
        after: the same once it was handled.
        late: seconds after a cut in which the server goes on and makes the change after all.
        down: seconds that nothing at all is answered afterwards.
    """

    name: str
    before: Callable[[], web.Response | None] | None = None
    after: Callable[[], web.Response | None] | None = None
    late: float = 0.0
    down: float = 0.0
    times: int = 1


def answer(status: int, text: str, reason: str = "", **headers: str) -> Callable[[], web.Response]:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": text, **({"reason": reason} if reason else {})}
    return lambda: web.json_response(body, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


def cut() -> None:
    return None


BUSY = answer(429, "too many requests, please try again later", "TooManyRequests", Retry_After="0")
TROUBLES = (
    Trouble("nothing", times=0),
    Trouble("cut before", before=cut),
    Trouble("cut after", after=cut),
    Trouble("cut, and made late", before=cut, late=0.006),
    Trouble("busy", before=BUSY, times=2),
    Trouble("busy for long", before=BUSY, times=50),
    Trouble("500 before", before=answer(500, "failed calling webhook", "InternalError")),
    Trouble("500 after", after=answer(500, "etcdserver: request timed out")),
    Trouble("503 before", before=answer(503, "not ready", "ServiceUnavailable")),
    Trouble("503 of a proxy after", after=answer(503, "no healthy upstream")),
    Trouble("504 before", before=answer(504, "timed out", "Timeout")),
    Trouble("504 after", after=answer(504, "timed out", "Timeout")),
    Trouble("link down before", before=cut, down=0.05),
    Trouble("link down after", after=cut, down=0.05),
)


# ---- the server ----------------------------------------------------------------------------------------------------------------


@dataclass
class Faulty:
    """An embedded API server whose answers may be lost, and what it has done.

    Attributes:
        made: the values that were written, each time that one was.
        over: the uid of the object that each was written to, and the value that it had.
        rival: somebody else, who writes right before the next changes are handled.
    """

    cluster: EmbeddedCluster
    trouble: Trouble = TROUBLES[0]
    left: int = 0
    made: Counter[str] = field(default_factory=Counter)
    over: dict[str, tuple[str, str]] = field(default_factory=dict)
    rival: list[Callable[[], None]] = field(default_factory=list)
    down_until: float = 0.0
    later: list[asyncio.Task[None]] = field(default_factory=list)

    def expect(self, trouble: Trouble) -> None:
        """Lets this happen to the next change."""
        self.trouble, self.left = trouble, trouble.times

    def install(self) -> None:
        """Stands between the server and its clients."""
        handle = self.cluster.server._dispatch

        async def dispatch(request: Any, path: str) -> Any:
            if asyncio.get_running_loop().time() < self.down_until:
                return self._drop(request)
            if request.method != "PATCH":
                return await handle(request, path)
            if self.rival:
                self.rival.pop(0)()
            return await self._change(request, path, handle)

        self.cluster.server._dispatch = dispatch  # type: ignore[method-assign]

    async def _change(self, request: Any, path: str, handle: Any) -> Any:
        body = await request.json()
        trouble = self.trouble if self.left else TROUBLES[0]
        self.left = max(0, self.left - 1)
        if trouble.before is not None:
            if trouble.late:
                self.later.append(asyncio.create_task(self._made_late(trouble.late, request, path, handle, body)))
            return self._spoiled(request, trouble, trouble.before())
        done = await self._made(request, path, handle, body)
        return done if trouble.after is None else self._spoiled(request, trouble, trouble.after())

    async def _made(self, request: Any, path: str, handle: Any, body: Any) -> Any:
        before = self.cluster.core.client("judge").get("configmaps", "default", path.rpartition("/")[2])
        done = await handle(request, path)
        if done.status < 300:
            self.made[body["data"]["value"]] += 1
            self.over[body["data"]["value"]] = (uid_of(before), value_of(before))
        return done

    async def _made_late(self, seconds: float, *change: Any) -> None:
        await asyncio.sleep(seconds)
        with suppress(ApiError):
            await self._made(*change)

    def _spoiled(self, request: Any, trouble: Trouble, instead: web.Response | None) -> web.Response:
        self.down_until = asyncio.get_running_loop().time() + trouble.down
        return instead if instead is not None else self._drop(request)

    def _drop(self, request: Any) -> web.Response:
        request.transport.abort()
        return web.Response()

    # somebody else

    def touched(self, name: str) -> None:
        """The object gets another version, and says the same."""
        self.cluster.core.client("rival").patch(
            "configmaps", "default", name, {"metadata": {"annotations": {"at": str(self.cluster.core.storage.revision)}}}
        )

    def changed(self, name: str) -> None:
        """The object says something else."""
        self.cluster.core.client("rival").patch("configmaps", "default", name, {"data": {"value": f"rival-{self.cluster.core.storage.revision}"}})

    def replaced(self, name: str) -> None:
        """Another object has its name, and says what the old one did."""
        held = self.cluster.core.client("rival").get("configmaps", "default", name)
        self.gone(name)
        self.create(name, value_of(held))

    def gone(self, name: str) -> None:
        """The object is deleted."""
        self.cluster.core.client("rival").delete("configmaps", "default", name)

    def create(self, name: str, value: str = "first") -> None:
        """There is an object of this name."""
        meta = {"name": name, "namespace": "default"}
        self.cluster.core.client("rival").create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"value": value}})


def step(raw: Raw, value: str) -> Step:
    """The change of one object's value, as a verb would make it."""
    meta = raw["metadata"]
    ref = Ref(KIND, "default", meta["name"], uid_of(raw))
    return Step(
        ref,
        f"value {value_of(raw)} → {value}",
        raw,
        lambda now: Request("PATCH", ref.path, {"metadata": preconditions(now), "data": {"value": value}}, {}, MERGE_PATCH),
        premise=value_of,
        holds=lambda now: now is not None and value_of(now) == value,
    )


@asynccontextmanager
async def connected(audit: Path) -> AsyncIterator[tuple[Faulty, Session]]:
    """A session at such a server."""
    cluster = EmbeddedCluster(VirtualClock())
    faulty = Faulty(cluster)
    for number in range(OBJECTS):
        faulty.create(name_of(number))
    kubeconfig = await cluster.start()
    faulty.install()
    session = Session(Options(kubeconfig=str(kubeconfig)))
    session.audit = audit_file.to(audit)
    session.start()
    try:
        for _ in range(2000):
            if session.pin is not None and session.pin.uid:
                break
            await asyncio.sleep(0.01)
        yield faulty, session
    finally:
        await session.close()
        await cluster.stop()


async def change(faulty: Faulty, session: Session, dice: random.Random, value: str) -> tuple[str, Outcome]:
    """One change that is shown, confirmed and made, in some trouble."""
    assert session.api is not None
    assert session.writer is not None
    name, trouble = name_of(dice.randrange(OBJECTS)), dice.choice(TROUBLES)
    shown = step(json.loads(await session.api.get(f"{KIND.path('default')}/{name}")), value)
    rivals = [dice.choice((faulty.touched, faulty.touched, faulty.changed, faulty.replaced)) for _ in range(dice.choice((0, 0, 0, 1, 1, 3)))]
    faulty.rival = [partial(rival, name) for rival in rivals]
    faulty.expect(trouble)
    outcome = await session.writer.perform(shown)
    await asyncio.gather(*faulty.later)
    return f"{trouble.name}, {[rival.__name__ for rival in rivals]}", outcome


def seen(outcome: Outcome) -> tuple[str, str]:
    """The object and the value that the user saw."""
    return uid_of(outcome.step.raw), value_of(outcome.step.raw)


@pytest.mark.parametrize("part", range(PARTS))
async def test_what_was_confirmed_happens_once_and_is_told(part: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited(monkeypatch)
    monkeypatch.setattr(writing_room, "PAUSE", 0.0001)
    monkeypatch.setattr(writing_room, "LOOKS", (0.005, 0.01, 0.015, 0.02, 0.03, 0.03, 0.03, 0.05, 0.1, 0.2))
    dice, ends = random.Random(part), Counter[End]()
    async with connected(tmp_path / "audit.jsonl") as (faulty, session):
        for number in range(EACH):
            about, outcome = await change(faulty, session, dice, f"ours-{number}")
            assert faulty.made[f"ours-{number}"] == (1 if outcome.good else 0), (number, about, outcome.end, outcome.text)
            assert faulty.over.get(f"ours-{number}", seen(outcome)) == seen(outcome), (number, about, "written over what nobody was shown")
            assert outcome.end is not End.UNKNOWN or "rival" in outcome.text or "changed" in about or "replaced" in about, (about, outcome.text)
            ends[outcome.end] += 1
        lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [line["says"].rpartition(" ")[2] for line in lines] == [f"ours-{number}" for number in range(EACH)]
    assert Counter(line["end"] for line in lines) == Counter({end.value: count for end, count in ends.items()})
    assert {End.DONE, End.CHANGED, End.LOST, End.REFUSED} <= ends.keys()
