"""One correct frame of the panes without a terminal: as JSON from the views, as text or SVG from the dashboard itself, headless."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from kubepane import config
from kubepane.cluster.errors import ClusterError
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.exits import DONE, REFUSED, UNREACHABLE, sorry
from kubepane.screens.layouts import PANES
from kubepane.settle import Unaccepted, settle
from kubepane.views.table import Table
from kubepane.views.view import World


def snapshot(options: Options, panes: Sequence[str], form: str, size: tuple[int, int], wait: float) -> int:
    """Prints the frame.

    Args:
        options: the common options.
        panes: names of panes.
        form: "json", "text" or "svg".
        size: columns and rows, for text and svg.
        wait: seconds that the lists may take to be complete; what is not by then is shown as it is, with its freshness.

    Returns:
        The exit code: 0, 3 when the cluster could not be reached, 4 when it does not accept who we are.
    """
    try:
        session = Session(config.apply(config.load(options), options))
        if form == "json":
            sys.stdout.write(asyncio.run(_json(session, panes, wait)) + "\n")
        else:
            from kubepane.frame import frame  # Textual

            sys.stdout.write(asyncio.run(frame(session, panes, form, size, wait)) + "\n")
    except (ClusterError, TimeoutError) as error:
        return sorry(f"snapshot: {error}; kubepane doctor says more", REFUSED if isinstance(error, Unaccepted) else UNREACHABLE)
    return DONE


async def _json(session: Session, panes: Sequence[str], wait: float) -> str:
    kinds = list(dict.fromkeys(kind for name in panes for kind in PANES[name].kinds))
    session.want(kinds)
    session.start()
    try:
        await settle(session, kinds, wait)
        now = session.clock.now()
        shown = {name: _pane(session, name, now) for name in panes}
        return msgspec.json.format(msgspec.json.encode({"cluster": _cluster(session), "panes": shown}), indent=2).decode()
    finally:
        await session.close()


def _pane(session: Session, name: str, now: datetime) -> dict[str, Any]:
    table = Table(PANES[name](World(session.stores, session.metrics)), lambda: None, lambda: now)
    table.set_namespaces(session.namespaces)
    table.update()
    view = table.view
    rows = [view.record(key, now) for key in table.order if view.object(key) is not None or view.exists(key)]
    out: dict[str, Any] = {"freshness": freshness(table.freshness)}
    if table.missing:
        out["missing"] = [freshness(f) for f in table.missing]
    return out | {"rows": [row for row in rows if row]}


def freshness(fresh: Freshness) -> dict[str, Any]:
    """Freshness as stable JSON: the state and what belongs to it, empty fields left out."""
    whole = {
        "state": fresh.state.value, "since": fresh.since, "why": fresh.why, "verb": fresh.verb, "resource": fresh.resource,
        "namespace": fresh.namespace,
        "partial": fresh.partial, "hidden": list(fresh.hidden), "others": fresh.others, "skipped": fresh.skipped, "period_seconds": fresh.period,
    }  # fmt: skip
    if fresh.state is State.SYNCING:
        whole |= {"received": fresh.received, "expected": fresh.expected or None}
    return {name: value for name, value in whole.items() if value or name == "state"}


def _cluster(session: Session) -> dict[str, Any]:
    target = session.target
    return {
        "context": target.context if target else "",
        "server": target.server if target else "",
        "version": session.server_version,
        "user": target.user if target else "",
        "acting_as": target.acting_as if target else "",
        "namespaces": list(session.namespaces),
        "taken": session.clock.now(),
        "read_only": session.options.read_only,
    }
