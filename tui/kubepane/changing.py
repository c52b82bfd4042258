"""The verbs on the command line: preview, question, then the outcome, with the exit codes of `cli`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kubepane import config
from kubepane.acting import doing
from kubepane.acting.naming import named, namespace_of
from kubepane.acting.plan import Intent, Malformed, Plan, Unfit
from kubepane.acting.verbs import VERBS
from kubepane.cluster.errors import ClusterError, ReadOnly, Refused
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.cluster.writing import End, Outcome
from kubepane.settle import settle
from kubepane_widgets.lines import Line
from kubepane_widgets.text import clean

DONE, NO, USAGE, UNREACHABLE, REFUSED = 0, 1, 2, 3, 4
LISTS = 15.0  # seconds that the lists may take that the preview reads


@dataclass(frozen=True, slots=True)
class Manner:
    """How a change is made.

    Attributes:
        dry_run: preview only.
        yes: ask nothing.
        timeout: seconds that its effect may take.
    """

    dry_run: bool = False
    yes: bool = False
    timeout: float = 300.0


def change(options: Options, verb: str, targets: Sequence[str], args: Mapping[str, Any], manner: Manner) -> int:
    """Makes one change.

    Args:
        verb: of `acting.verbs`.
        targets: objects as `KIND/NAME`.
        args: what the verb needs beside them.

    Returns:
        The exit code.
    """
    try:
        session = Session(config.apply(config.load(options), options))
        return asyncio.run(_change(session, verb, targets, args, manner))
    except Unfit as error:
        return _sorry(f"{verb}: {error}", USAGE if isinstance(error, Malformed) else NO)
    except (ReadOnly, Refused) as error:
        return _sorry(f"{verb}: {error}", REFUSED)
    except (ClusterError, TimeoutError) as error:
        return _sorry(f"{verb}: {error}; kubepane doctor says more", UNREACHABLE)


def _sorry(text: str, code: int) -> int:
    sys.stderr.write(f"kubepane {clean(text)}\n")
    return code


def _say(line: Line | str) -> None:
    text = line if isinstance(line, str) else "".join(part for part, _ in line)
    sys.stdout.write(f"{clean(text.rstrip())}\n")
    sys.stdout.flush()


async def _change(session: Session, verb: str, targets: Sequence[str], args: Mapping[str, Any], manner: Manner) -> int:
    kinds = VERBS[verb].kinds
    wants = list(dict.fromkeys((*kinds, *VERBS[verb].wants)))
    session.want(wants)
    session.start()
    try:
        await settle(session, wants, LISTS)
        space = namespace_of(session.namespaces)
        plan = await doing.prepare(session, Intent(verb, tuple(named(each, space, kinds) for each in targets), args))
        plan = await doing.rehearse(session, plan)
        _preview(session, plan)
        if plan.refusals:
            ref, refusal = plan.refusals[0]
            return _sorry(f"{verb}: the server would refuse it: {ref}: {refusal}", REFUSED)
        if session.options.read_only:
            return _sorry(f"{verb}: read-only: nothing was sent", REFUSED)
        if manner.dry_run:
            return DONE
        if not manner.yes and not _agreed(session, plan):
            return REFUSED
        return await _perform(session, plan, manner)
    finally:
        await session.close()


def _preview(session: Session, plan: Plan) -> None:
    _say(f"{plan.title}   context {session.context or '?'}, as {session.who or '?'}")
    for line in plan.lines:
        _say([("  ", "fg"), *line])
    for text in plan.warnings:
        _say(f"  ! {text}")


def _agreed(session: Session, plan: Plan) -> bool:
    """Asks the user, who must be there to be asked."""
    if not sys.stdin.isatty():
        _sorry(f"{plan.intent.verb}: not done: there is no terminal to ask at; --yes asks nothing, --dry-run shows only", REFUSED)
        return False
    protected = session.target is not None and session.target.protected
    wanted = session.context if protected else "y"
    sys.stdout.write(f"{plan.button}? " + (f"This context is protected: type {clean(wanted)} to go on: " if protected else "[y/N] "))
    sys.stdout.flush()
    answer = sys.stdin.readline().strip()
    if answer == wanted or (not protected and answer.lower() == "yes"):
        return True
    _sorry(f"{plan.intent.verb}: not done", REFUSED)
    return False


async def _perform(session: Session, plan: Plan, manner: Manner) -> int:
    outcomes: list[Outcome] = []
    async for outcome in doing.perform(session, plan):
        outcomes.append(outcome)
        if outcome.good:
            _say(f"{outcome.step.about}: {outcome.text}")
            for warning in outcome.warnings:
                _say(f"  ! {warning}")
        else:
            left = len(plan.steps) - len(outcomes)
            return _sorry(f"{plan.intent.verb}: {outcome.step.about}: {outcome.text}{f'; {left} more not tried' if left else ''}", _code(outcome))
    return await _follow(session, plan, outcomes, manner.timeout)


def _code(outcome: Outcome) -> int:
    return UNREACHABLE if outcome.end in (End.LOST, End.UNKNOWN) else REFUSED


async def _follow(session: Session, plan: Plan, outcomes: Sequence[Outcome], timeout: float) -> int:
    last = ""
    started = asyncio.get_running_loop().time()
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            async for progress in doing.follow(session, plan, outcomes):
                last = progress.text
                if progress.done:
                    took = asyncio.get_running_loop().time() - started
                    _say(f"{progress.text} after {took:.0f} s" if progress.text else f"done after {took:.0f} s")
                    return NO if progress.failed else DONE
                _say(progress.text)
    return _sorry(f"{plan.intent.verb}: not finished after {timeout:.0f} s: {last}", NO)
