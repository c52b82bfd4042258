"""The verbs on the command line: preview, question, then the outcome, with the exit codes of `cli`."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any

from kubepane import config
from kubepane.acting import doing
from kubepane.acting.naming import named, namespace_of
from kubepane.acting.plan import Intent, Malformed, Plan, Progress, Unfit
from kubepane.acting.verbs import VERBS
from kubepane.cluster.errors import ClusterError, ReadOnly, Refused
from kubepane.cluster.kinds import Kind
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.cluster.writing import End, Outcome
from kubepane.exits import DONE, INTERRUPTED, NO, REFUSED, UNREACHABLE, USAGE, sorry
from kubepane.settle import settle
from kubepane_widgets.lines import Line
from kubepane_widgets.text import clean

LISTS = 15.0  # seconds that the lists may take that the preview reads


@dataclass(frozen=True, slots=True)
class Manner:
    """How a change is made.

    Attributes:
        dry_run: preview only.
        yes: ask nothing.
        timeout: seconds that it may take all in all; 0 waits for no effect, and for a drain without end.
        instead: take the way round what is refused, where there is one.
    """

    dry_run: bool = False
    yes: bool = False
    timeout: float = 300.0
    instead: bool = False


def change(options: Options, verb: str, targets: Sequence[str], args: Mapping[str, Any], manner: Manner) -> int:
    """Makes one change.

    Args:
        verb: of `acting.verbs`.
        targets: objects as `KIND/NAME`.
        args: what the verb needs beside them.

    Returns:
        The exit code.
    """
    kinds = VERBS[verb].kinds

    def intend(session: Session) -> Intent:
        space = namespace_of(session.namespaces)
        if not any(kind.namespaced for kind in kinds):
            session.set_namespaces(())  # what a node does to pods, it does to those of all namespaces
        return Intent(verb, tuple(named(each, space, kinds) for each in targets), args)

    return make(options, verb, intend, manner)


def make(options: Options, verb: str, intend: Callable[[Session], Intent], manner: Manner, more: Sequence[Kind] = ()) -> int:
    """Makes the change that `intend` says, once the context is known; it may choose the namespaces that are looked at.

    Args:
        verb: of `acting.verbs`.
        more: kinds to look at beside those that the verb wants.

    Returns:
        The exit code.
    """
    try:
        session = Session(config.apply(config.load(options), options))
        return asyncio.run(_change(session, verb, intend, manner, more))
    except Unfit as error:
        return sorry(f"{verb}: {error}", USAGE if isinstance(error, Malformed) else NO)
    except (ReadOnly, Refused) as error:
        return sorry(f"{verb}: {error}", REFUSED)
    except (ClusterError, TimeoutError) as error:
        return sorry(f"{verb}: {error}; kubepane doctor says more", UNREACHABLE)


def _say(line: Line | str) -> None:
    text = line if isinstance(line, str) else "".join(part for part, _ in line)
    sys.stdout.write(f"{clean(text.rstrip())}\n")
    sys.stdout.flush()


async def _change(session: Session, verb: str, intend: Callable[[Session], Intent], manner: Manner, more: Sequence[Kind]) -> int:
    wants = list(dict.fromkeys((*VERBS[verb].kinds, *VERBS[verb].wants, *more)))
    session.start()
    try:
        intent = await _intended(session, intend)
        session.want(wants)
        await settle(session, wants, LISTS)
        plan = await _rehearsed(session, intent, manner)
        _preview(session, plan)
        if plan.refusals:
            ref, refusal = plan.refusals[0]
            hint = f"; {plan.instead[0].lower()} with --force-conflicts" if plan.instead is not None else ""
            return sorry(f"{verb}: the server would refuse it: {ref}: {refusal}{hint}", REFUSED)
        if not plan.steps and plan.carry is None:
            return DONE
        if session.options.read_only:
            return sorry(f"{verb}: read-only: nothing was sent", REFUSED)
        if manner.dry_run:
            return DONE
        if not manner.yes and not _agreed(session, plan):
            return REFUSED
        return await _perform(session, plan, manner)
    finally:
        await session.close()


async def _intended(session: Session, intend: Callable[[Session], Intent]) -> Intent:
    """What is asked for, as soon as the context has been read."""
    while session.target is None:
        if session.problem is not None:
            raise session.problem
        await asyncio.sleep(0)
    return intend(session)


async def _rehearsed(session: Session, intent: Intent, manner: Manner) -> Plan:
    plan = await doing.rehearse(session, await doing.prepare(session, intent))
    if plan.refusals and plan.instead is not None and manner.instead:
        return await _rehearsed(session, plan.instead[1], Manner())
    return plan


def _preview(session: Session, plan: Plan) -> None:
    _say(f"{plan.title}   context {session.context or '?'}, as {session.who or '?'}")
    for line in plan.lines:
        _say([("  ", "fg"), *line])
    for text in plan.warnings:
        _say(f"  ! {text}")


def _agreed(session: Session, plan: Plan) -> bool:
    """Asks the user, who must be there to be asked."""
    if not sys.stdin.isatty():
        sorry(f"{plan.intent.verb}: not done: there is no terminal to ask at; --yes asks nothing, --dry-run shows only", REFUSED)
        return False
    protected = session.target is not None and session.target.protected
    wanted = session.context
    answer = _asked(f"{plan.button}? " + (f"This context is protected: type {clean(wanted)} to go on: " if protected else "[y/N] "))
    if answer == wanted if protected else answer.lower() in ("y", "yes"):
        return True
    sorry(f"{plan.intent.verb}: not done", REFUSED)
    return False


async def _perform(session: Session, plan: Plan, manner: Manner) -> int:
    """Makes the change, tells each outcome, and follows the effect to its end; an interrupt ends it with a word on what was done."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    started, outcomes, last = loop.time(), list[Outcome](), Progress(True)
    timer = loop.call_later(manner.timeout, stopping.set) if manner.timeout else None
    with _interrupts(stopping) as interrupted:
        async with aclosing(doing.carry_out(session, plan, stopping)) as words:
            async for each in words:
                if isinstance(each, Outcome):
                    outcomes.append(each)
                    _tell(plan, each)
                    continue
                last = each
                if not last.done and not manner.timeout and plan.carry is None:
                    last = Progress(True, "sent; its effect was not waited for")
                    break
                if not last.done:
                    _say(last.text)
    if timer is not None:
        timer.cancel()
    code = _ended(plan, outcomes, last, loop.time() - started)
    return INTERRUPTED if interrupted and last.failed else code


def _tell(plan: Plan, outcome: Outcome) -> None:
    """One outcome; that of a single change which was not made is told at the end."""
    if outcome.good:
        _say(f"{outcome.step.about}: {outcome.text}")
    elif len(plan.steps) > 1:
        sorry(f"{plan.intent.verb}: {outcome.step.about}: {outcome.text}", REFUSED)
    for warning in outcome.warnings:
        _say(f"  ! {warning}")


def _ended(plan: Plan, outcomes: Sequence[Outcome], last: Progress, took: float) -> int:
    """The last word and the exit code."""
    if not last.failed:
        _say(f"{last.text or 'done'} after {took:.0f} s")
        return DONE
    bad = [outcome.end for outcome in outcomes if not outcome.good]
    code = NO if not bad else UNREACHABLE if End.LOST in bad or End.UNKNOWN in bad else REFUSED
    about = f"{plan.steps[0].about}: " if len(plan.steps) == 1 and bad else ""
    return sorry(f"{plan.intent.verb}: {about}{last.text}{'' if bad else f' after {took:.0f} s'}{_way_back(plan, outcomes)}", code)


def _way_back(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    """The command that takes back what was done of a plan that stopped half way."""
    undo = plan.taken_back_by(outcomes) if plan.carry is not None else None
    return f"; kubepane {undo.verb} {' '.join(f'{ref.kind.kind.lower()}/{ref.name}' for ref in undo.targets)} takes it back" if undo else ""


@contextmanager
def _interrupts(stopping: asyncio.Event) -> Iterator[list[int]]:
    """The first interrupt asks to stop, the next one ends everything at once; yields those that came."""
    loop, came = asyncio.get_running_loop(), list[int]()
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, _: object) -> None:
        came.append(number)
        signal.signal(signal.SIGINT, before)
        loop.call_soon_threadsafe(stopping.set)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def _asked(question: str) -> str:
    """The answer to a question; an interrupt ends the program at once, also while it waits for the answer."""
    sys.stdout.write(question)
    sys.stdout.flush()
    if threading.current_thread() is not threading.main_thread():
        return sys.stdin.readline().strip()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.readline().strip()
    finally:
        signal.signal(signal.SIGINT, before)
