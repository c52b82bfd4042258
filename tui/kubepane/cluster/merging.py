"""The freshness of one pane whose rows come from several namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from kubepane.cluster.freshness import Freshness, State, worst


def merged(parts: Mapping[str, Freshness], *, hidden: tuple[str, ...] = (), others: bool = False) -> Freshness:
    """One freshness for several scopes: the worst of those that may be looked at; the refused ones are named as hidden.

    Only when all are refused the pane is.

    Args:
        parts: by namespace, "" for the whole cluster.
        hidden: namespaces that were asked for and are not even tried.
        others: there may be more namespaces whose names are not known.
    """
    if not parts:
        return Freshness(hidden=hidden, others=others)
    refused = sorted(name for name, f in parts.items() if f.state is State.FORBIDDEN)
    rest = [parts[name] for name in sorted(parts) if parts[name].state is not State.FORBIDDEN]
    if not rest:
        return _all_refused([parts[name] for name in refused], hidden, others)
    shown = worst(rest)
    alike = [f for f in rest if f.state is shown.state]
    return replace(
        shown,
        since=_earliest([f.since for f in alike]),
        retry_at=_earliest([f.retry_at for f in alike]),
        received=sum(f.received for f in rest),
        expected=sum(f.expected for f in alike) if all(f.expected for f in alike) else 0,
        period=max(f.period for f in rest),
        skipped=sum(f.skipped for f in rest),
        hidden=tuple(sorted({*hidden, *refused})),
        others=others,
        only=() if "" in parts else tuple(name for name in sorted(parts) if name not in refused),
    )


def _all_refused(parts: list[Freshness], hidden: tuple[str, ...], others: bool) -> Freshness:
    more = f" (and in {len(parts) - 1} more namespaces)" if len(parts) > 1 else ""
    retry_at = _earliest([f.retry_at for f in parts])
    return replace(parts[0], why=parts[0].why + more, retry_at=retry_at, hidden=hidden, others=others)


def _earliest(moments: list[datetime | None]) -> datetime | None:
    known = [m for m in moments if m is not None]
    return min(known) if len(known) == len(moments) and known else None
