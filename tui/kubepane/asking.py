"""Questions on the command line: why something does not work, and whether something has come to its end. Nothing is changed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from kubepane import config
from kubepane.acting import progress
from kubepane.acting.naming import named, namespace_of
from kubepane.acting.plan import Malformed, Progress, Unfit
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.errors import ClusterError, Forbidden, Refused
from kubepane.cluster.freshness import State
from kubepane.cluster.kinds import KINDS, Kind
from kubepane.cluster.options import Options
from kubepane.cluster.resources import Object
from kubepane.cluster.session import Session
from kubepane.cluster.writing import Ref
from kubepane.exits import DONE, NO, REFUSED, UNREACHABLE, USAGE, sorry
from kubepane.insight import hpa
from kubepane.insight.explain import explain
from kubepane.insight.finding import Finding, Level
from kubepane.settle import settle
from kubepane.views import summary, trust
from kubepane_widgets.text import clean

LISTS = 15.0  # seconds that the lists may take which the rules read
CELLS = 120
LOOK_AGAIN = 0.25
ROLLED = (k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS)


def _run(options: Options, command: str, ask: Callable[[Session], Awaitable[int]]) -> int:
    """Answers one question in a session of its own."""

    async def whole() -> int:
        session = Session(config.apply(config.load(options), options))
        try:
            return await ask(session)
        finally:
            await session.close()

    try:
        return asyncio.run(whole())
    except Unfit as error:
        return sorry(f"{command}: {error}", USAGE if isinstance(error, Malformed) else NO)
    except Refused as error:
        return sorry(f"{command}: {error}", REFUSED)
    except (ClusterError, TimeoutError) as error:
        return sorry(f"{command}: {error}; kubepane doctor says more", UNREACHABLE)


async def _begin(session: Session, kinds: Sequence[Kind]) -> None:
    session.want(kinds)
    session.start()
    await settle(session, kinds, LISTS)


def _held(session: Session, ref: Ref) -> Object | None:
    """The object, None when it is known that there is none.

    Raises:
        Forbidden: it may not be seen.
        Unfit: it cannot be seen for another reason.
    """
    store = session.stores.of(ref.kind)
    found = store.named(ref.namespace, ref.name)
    if found is None and not store.freshness.complete:
        text = f"{ref} cannot be seen: {''.join(text for text, _ in trust.title(store.freshness, session.clock.now()))}"
        raise Forbidden(403, "Forbidden", text) if store.freshness.state is State.FORBIDDEN else Unfit(text)
    return found


# ---- why -----------------------------------------------------------------------------------------------------------------------


def why(options: Options, text: str, form: str) -> int:
    """Explains one object.

    Args:
        text: `KIND/NAME`.
        form: "text" or "json".

    Returns:
        0 when nothing is known to be wrong with it, 1 when something is or it is not there.
    """

    async def ask(session: Session) -> int:
        await _begin(session, KINDS)
        ref = named(text, namespace_of(session.namespaces))
        obj = _held(session, ref)
        if obj is None:
            raise Unfit(f"there is no {ref}")
        findings = explain(obj, session.stores, session.clock.now())
        blind = [
            kind.resource
            for kind in KINDS
            if session.stores.of(kind).freshness.state in (State.FORBIDDEN, State.FAILED, State.RECONNECTING, State.SYNCING)
        ]
        sys.stdout.write(_json(ref, findings, blind) if form == "json" else _text(ref, findings, blind))
        return DONE if _healthy(findings) else NO

    return _run(options, "why", ask)


def _healthy(findings: Sequence[Finding]) -> bool:
    return all(finding.level >= Level.WARN for finding in findings)


def _json(ref: Ref, findings: Sequence[Finding], blind: Sequence[str]) -> str:
    told = [_told(finding) for finding in findings]
    first = told[0] if told else {"verdict": "nothing is known to be wrong", "evidence": [], "next": ""}
    whole: dict[str, Any] = {"object": str(ref).replace(" ", "/", 1), "healthy": _healthy(findings), **first}
    if told[1:]:
        whole["more"] = told[1:]
    if blind:
        whole["could_not_look_at"] = list(blind)
    return msgspec.json.format(msgspec.json.encode(whole), indent=2).decode() + "\n"


def _told(finding: Finding) -> dict[str, Any]:
    return {"verdict": finding.clause, "evidence": msgspec.to_builtins(finding.evidence), "next": finding.next}


def _text(ref: Ref, findings: Sequence[Finding], blind: Sequence[str]) -> str:
    lines = [f"{ref}", *("".join(text for text, _ in line).rstrip() for line in summary.explanation(findings, CELLS))]
    if blind:
        lines.append(f"could not look at: {', '.join(blind)}")
    return "".join(f"{clean(line)}\n" for line in lines)


# ---- wait ----------------------------------------------------------------------------------------------------------------------


def wait(options: Options, text: str, timeout: float) -> int:
    """Waits for a rollout, an HPA or a claim to come to its end.

    Args:
        text: `rollout/NAME`, `hpa/NAME` or `pvc/NAME`.
        timeout: seconds.

    Returns:
        0 when it did, 1 when it did not or has failed; the reason stands on stderr.
    """

    async def ask(session: Session) -> int:
        what, slash, name = text.partition("/")
        if what not in _WAITED or not slash or not name:
            raise Malformed(f"{text!r} cannot be waited for; rollout/NAME, hpa/NAME and pvc/NAME can")
        kinds, look = _WAITED[what]
        await _begin(session, kinds)
        return await _until(session, lambda: look(session, namespace_of(session.namespaces), name), timeout)

    return _run(options, "wait", ask)


async def _until(session: Session, look: Callable[[], Progress], timeout: float) -> int:
    said = ""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            while not (now := look()).done:
                if now.text != said:
                    said = now.text
                    sys.stdout.write(f"{clean(said)}\n")
                    sys.stdout.flush()
                await asyncio.sleep(LOOK_AGAIN)
            if now.failed:
                return sorry(f"wait: {now.text}", NO)
            sys.stdout.write(f"{clean(now.text)}\n")
            return DONE
    return sorry(f"wait: not done after {timeout:.0f} s: {look().text}", NO)


def _rollout(session: Session, namespace: str, name: str) -> Progress:
    refs = [Ref(kind, namespace, name) for kind in ROLLED if _held(session, Ref(kind, namespace, name)) is not None]
    if not refs:
        raise Unfit(f"there is no Deployment, StatefulSet or DaemonSet {namespace}/{name}")
    return progress.rolled_out(refs, session.stores)


def _autoscaler(session: Session, namespace: str, name: str) -> Progress:
    obj = _held(session, Ref(k.AUTOSCALERS, namespace, name))
    if not isinstance(obj, r.Autoscaler):
        raise Unfit(f"there is no HPA {namespace}/{name}")
    fault = next((finding for finding in hpa.explain_autoscaler(obj, session.stores) if finding.level <= Level.WAIT), None)
    now, wanted = obj.status.current_replicas or 0, obj.status.desired_replicas or 0
    if fault is not None:
        return Progress(False, fault.clause)
    if now != wanted or not wanted:
        return Progress(False, f"{now} replicas, {wanted} wanted")
    return Progress(True, f"{now} replicas, as wanted")


def _claim(session: Session, namespace: str, name: str) -> Progress:
    obj = _held(session, Ref(k.CLAIMS, namespace, name))
    if not isinstance(obj, r.Claim):
        raise Unfit(f"there is no PersistentVolumeClaim {namespace}/{name}")
    if obj.status.phase == "Bound":
        return Progress(True, f"bound to {obj.spec.volume_name}")
    findings = explain(obj, session.stores, session.clock.now())
    return Progress(obj.status.phase == "Lost", findings[0].clause if findings else str(obj.status.phase), failed=True)


_STORAGE = (k.CLAIMS, k.VOLUMES, k.STORAGECLASSES, k.PODS, k.EVENTS, k.NODES)
_WAITED: dict[str, tuple[tuple[Kind, ...], Callable[[Session, str, str], Progress]]] = {
    "rollout": ((*ROLLED, k.REPLICASETS, k.PODS), _rollout),
    "hpa": ((k.AUTOSCALERS, *ROLLED, k.REPLICASETS, k.PODS), _autoscaler),
    "pvc": (_STORAGE, _claim),
}
