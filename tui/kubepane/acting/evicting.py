"""Carrying out a drain: a few evictions at a time, those that a budget holds back tried again, until nothing that should go is left.

kubectl: pkg/drain/drain.go (evictPods: 404 is done, 429 is tried again after 5 s, then wait until the pod is gone or has another uid).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, replace

import msgspec

from kubepane.acting.plan import Means, Progress, Read
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.errors import ClusterError, Forbidden, Refused, TooManyRequests
from kubepane.cluster.requests import JSON, METADATA_LIST
from kubepane.cluster.writing import End, Outcome, Raw, Ref, Request, Step
from kubepane.insight import evictions

AT_ONCE = 4  # evictions that wait for their answer
AGAIN = 5.0  # seconds until an eviction that a budget refused is tried again
LOOK_AGAIN = 0.25
POLL = 2.0  # seconds between lists where no watch shows the node's pods
NAMED = 3  # pods named in a line
ENDING = "NamespaceTerminating"  # the cause of a refusal in a namespace that is going


class _Pods(msgspec.Struct):
    items: tuple[r.Pod, ...] = ()


class _Heads(msgspec.Struct):
    items: tuple[r.Object, ...] = ()


def on_node(name: str) -> dict[str, str]:
    """The query for the pods of a node."""
    return {"fieldSelector": f"spec.nodeName={name}"}


async def pods_on(read: Read, name: str) -> tuple[r.Pod, ...]:
    """The pods of a node, of all namespaces, as they are now.

    Raises:
        ClusterError: they cannot be read.
    """
    return msgspec.json.decode(await read(k.PODS.path(), on_node(name), accept=JSON), type=_Pods).items


def step(pod: r.Pod, grace: int | None, rehearsable: bool = True) -> Step:
    """The eviction of this very pod."""
    meta = pod.metadata
    about = Ref(k.PODS, meta.namespace, meta.name, meta.uid)
    options = {"preconditions": {"uid": meta.uid}, **({} if grace is None else {"gracePeriodSeconds": grace})}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": meta.name, "namespace": meta.namespace}, "deleteOptions": options}
    raw: Raw = {"metadata": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid, "resourceVersion": meta.resource_version}}

    def going(now: Raw | None) -> bool:
        head = (now or {}).get("metadata") or {}
        return head.get("uid") != meta.uid or bool(head.get("deletionTimestamp"))

    return Step(about, "evicted", raw, lambda _: Request("POST", f"{about.path}/eviction", body), holds=going, rehearsable=rehearsable)


# ---- one pod -------------------------------------------------------------------------------------------------------------------


@dataclass
class Going:
    """A pod that is to go.

    Attributes:
        step: its eviction; None for one that was going before.
        due: when it may be asked for (again), in the loop's time.
        evicted: whether the server has taken it.
        waits: what holds it back now, as the server says it.
        refused: why it will not go, "" as long as it may.
    """

    uid: str
    name: str
    step: Step | None
    due: float = 0.0
    evicted: bool = False
    waits: str = ""
    refused: str = ""
    last: Outcome | None = None

    @property
    def open(self) -> bool:
        """Whether its eviction is still to be taken by the server."""
        return self.step is not None and not self.evicted and not self.refused

    def take(self, outcome: Outcome, now: float) -> None:
        """What came of an attempt."""
        self.last = outcome
        if outcome.good or outcome.end is End.CHANGED:  # changed: another one has its name, this one is gone
            self.evicted, self.waits = True, ""
        elif (held := _held_by(outcome)) is not None:
            self.due, self.waits = now + AGAIN, held
        else:
            self.refused, self.waits = outcome.text, ""


def _held_by(outcome: Outcome) -> str | None:
    """What a refusal waits for; None where waiting does not help."""
    error = outcome.error
    if isinstance(error, TooManyRequests):
        said = next((cause.message for cause in error.causes if cause.reason == "DisruptionBudget"), "")
        name, _, why = said.removeprefix("The disruption budget ").partition(" ")
        return f"PDB {name}, which {why}" if said else "the server, which is busy"
    if isinstance(error, Forbidden) and any(cause.reason == ENDING for cause in error.causes):
        return "its namespace to go"
    return None


# ---- one node ------------------------------------------------------------------------------------------------------------------


class Drainage:
    """The pods of one node on their way out.

    Args:
        going: the pods that were shown, and confirmed.
        stays: uids of those that were shown to stay.
    """

    def __init__(self, means: Means, node: str, going: Sequence[Going], stays: Collection[str]) -> None:
        self._means, self._node, self._going, self._stays = means, node, list(going), set(stays)
        self._here = {one.uid for one in going}
        self._polled = float("-inf")
        self._blind = ""
        self._lost = False
        self._sending: dict[asyncio.Task[Outcome], Going] = {}

    async def run(self) -> AsyncGenerator[Outcome | Progress]:
        """Every outcome, and how far it is each time that it reads differently; the last word is a `Progress` that is done."""
        said: Progress | None = None
        try:
            while True:
                self._start()
                await self._look()
                now = await self._ended() or Progress(False, self._text())
                if now != said:
                    said = now
                    yield now
                if now.done:
                    return
                for outcome in await self._answers():
                    yield outcome
        finally:
            for task in self._sending:
                task.cancel()

    def _start(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._halted:
            return
        busy = {one.uid for one in self._sending.values()}
        for one in self._going:
            if len(self._sending) >= AT_ONCE:
                return
            if one.open and one.due <= now and one.uid not in busy:
                assert one.step is not None
                self._sending[asyncio.create_task(self._means.make(one.step, one.last))] = one

    @property
    def _halted(self) -> bool:
        return self._lost or self._means.stopping.is_set()

    async def _answers(self) -> list[Outcome]:
        """Waits a little for answers, and gives those that are worth telling."""
        if not self._sending:
            await asyncio.sleep(LOOK_AGAIN)
            return []
        done, _ = await asyncio.wait(self._sending, timeout=LOOK_AGAIN, return_when=asyncio.FIRST_COMPLETED)
        outcomes = []
        for task in done:
            outcome = task.result()
            one = self._sending.pop(task)
            one.take(outcome, asyncio.get_running_loop().time())
            self._lost = self._lost or outcome.end in (End.LOST, End.UNKNOWN)
            if not one.open:
                outcomes.append(outcome if one.refused else replace(outcome, end=End.SAME if outcome.end is End.CHANGED else outcome.end))
        return outcomes

    # ---- seeing

    async def _look(self) -> None:
        """Which of the pods are there: from the watch, or from a list now and then where none shows them all."""
        fresh = self._means.stores.pods.freshness
        if fresh.whole and not fresh.stale:
            self._here = {uid for uid in self._here if self._means.stores.pods.get(uid) is not None}
            self._blind = ""
            return
        now = asyncio.get_running_loop().time()
        if now - self._polled < POLL:
            return
        self._polled = now
        try:
            answer = await self._means.read(k.PODS.path(), on_node(self._node), accept=METADATA_LIST)
        except ClusterError as error:
            self._blind = str(error)
            return
        self._blind = ""
        self._here = {one.metadata.uid for one in msgspec.json.decode(answer, type=_Heads).items}

    def _left(self) -> list[Going]:
        return [one for one in self._going if one.uid in self._here]

    # ---- telling

    def _text(self) -> str:
        left = self._left()
        parts = [f"{len(self._going) - len(left)} of {len(self._going)} gone"]
        waits = Counter(one.waits for one in left if one.waits)
        if waits:
            what, count = waits.most_common(1)[0]
            parts.append(f"{count} wait{'s' if count == 1 else ''} for {what}" + (f" and {len(waits) - 1} more" if len(waits) > 1 else ""))
        if refused := sum(1 for one in left if one.refused):
            parts.append(f"{refused} refused")
        if self._blind:
            parts.append(f"its pods cannot be seen: {self._blind}")
        return ", ".join(parts)

    async def _ended(self) -> Progress | None:
        """The end, once it is there: nothing is on its way any more, and the node holds no pod that should go."""
        left = self._left()
        if self._sending or (not self._halted and any(not one.refused for one in left)):
            return None
        if left:
            return Progress(True, self._unfinished(left), failed=True)
        try:
            there = await pods_on(self._means.read, self._node)
        except Refused as error:
            return Progress(True, f"{self._all_gone()}, but whether others came cannot be read: {error}", failed=True)
        except ClusterError as error:
            self._blind = str(error)
            return None
        return self._confirmed(there)

    def _confirmed(self, there: Sequence[r.Pod]) -> Progress | None:
        """The end as a fresh list has it; None when that shows one that no watch has brought yet."""
        shown = {one.uid for one in self._going}
        if any(pod.metadata.uid in shown for pod in there):
            return None
        came = [f"{pod.metadata.namespace}/{pod.metadata.name}" for pod in there if pod.metadata.uid not in self._stays and not _belongs(pod)]
        if came:
            return Progress(True, f"{self._all_gone()}, but meanwhile came {named(came)}: drain it again", failed=True)
        return Progress(True, self._all_gone())

    def _all_gone(self) -> str:
        return f"all {len(self._going)} gone" if self._going else "nothing had to go"

    def _unfinished(self, left: Sequence[Going]) -> str:
        """What was done and what was not, in numbers, with the first that are left."""
        there = [one.name for one in left if not one.open and not one.refused]
        kept = [one for one in left if one.open or one.refused]
        parts = [f"{sum(1 for one in self._going if one.evicted)} evicted"]
        if there:
            parts.append(f"{len(there)} still terminating")
        if kept:
            why = next((one.refused for one in kept if one.refused), "")
            parts.append(f"{len(kept)} not evicted: {named([one.name for one in kept])}" + (f" ({why})" if why else ""))
        return f"{'stopped' if self._means.stopping.is_set() else 'not finished'}: {', '.join(parts)}"


def _belongs(pod: r.Pod) -> bool:
    """Whether a pod that came meanwhile would not be drained: a DaemonSet made it, or the kubelet."""
    notes = pod.metadata.annotations
    return evictions.daemonset_of(pod) is not None or bool(notes is not None and notes.mirror)


def named(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
