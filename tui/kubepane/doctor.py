"""What works, what does not, and what to do: terminal, kubeconfig, reachability, rights, metrics, clock."""

from __future__ import annotations

import asyncio
import locale
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import msgspec

from kubepane.cluster import connection, kubeconfig
from kubepane.cluster.access import Access
from kubepane.cluster.api import Api
from kubepane.cluster.clock import SystemClock
from kubepane.cluster.connection import Connection
from kubepane.cluster.errors import BadConfig, ClusterError, Forbidden, Unauthorized
from kubepane.cluster.kinds import KINDS, Kind
from kubepane.cluster.options import Options
from kubepane_widgets.text import clean

SKEW = 5.0  # seconds that clocks may differ before ages look wrong
MARKS = {"ok": "●", "look": "▲", "bad": "✕"}
ASCII_MARKS = {"ok": "*", "look": "!", "bad": "x"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        what: `terminal`, `rights`, …
        state: "ok", "look" (works, but) or "bad".
        found: what is so.
        do: what to do, "" when there is nothing.
    """

    what: str
    state: str
    found: str
    do: str = ""


def doctor(options: Options, form: str) -> int:
    """Prints the checks.

    Returns:
        The exit code: 0 all is well or works, 1 something does not work, 3 the cluster cannot be reached, 4 it refuses who we are.
    """
    checks, code = asyncio.run(_examine(options))
    if form == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode({"checks": [asdict(c) for c in checks]}), indent=2).decode() + "\n")
    else:
        sys.stdout.write("".join(_lines(checks, options.ascii)))
    return code or (1 if any(c.state == "bad" for c in checks) else 0)


def _lines(checks: Iterable[Check], ascii_only: bool) -> Iterable[str]:
    marks = ASCII_MARKS if ascii_only else MARKS
    for check in checks:
        yield f"{marks[check.state]} {check.what:<11}{clean(check.found)}\n"
        if check.do:
            yield f"{'':13}{clean(check.do)}\n"


async def _examine(options: Options) -> tuple[list[Check], int]:
    checks = [_terminal(), _locale(options)]
    try:
        context = kubeconfig.load(options.kubeconfig).context(options.context, act_as=options.as_user, act_groups=options.as_groups)
    except BadConfig as error:
        return [*checks, Check("kubeconfig", "bad", str(error))], 3
    target = context.target
    acting = f", acting as {target.acting_as}" if target.acting_as else ""
    checks.append(Check("kubeconfig", "ok", f"{target.source}: context {target.context or 'in-cluster'}, user {target.user or 'none'}{acting}"))
    if target.insecure:
        checks.append(
            Check("kubeconfig", "look", "insecure-skip-tls-verify: anybody may pose as this server", "give the cluster a certificate-authority")
        )
    link = Connection(context)
    api = Api(link, read_only=True)
    try:
        return await _cluster(checks, api, options, target.namespace)
    finally:
        await link.close()


async def _cluster(checks: list[Check], api: Api, options: Options, namespace: str) -> tuple[list[Check], int]:
    connection.preload()
    server = api.target.server
    try:
        probe = await api.probe()
        if not probe.up:
            return [*checks, Check("reach", "bad", f"{server}: {probe.why}", "check the network, a VPN or proxy, and whether the server runs")], 3
        version = await api.server_version()
    except Unauthorized as error:
        return [*checks, Check("login", "bad", str(error), "renew the credentials, for example by logging in again")], 4
    except ClusterError as error:
        return [*checks, Check("reach", "bad", f"{server}: {error}")], 3
    checks.append(Check("reach", "ok", f"{server} answers in {probe.seconds * 1000:.0f} ms, {version.git_version}"))
    checks.append(_clock(probe.server_ahead))
    checks += await _rights(api, options.namespaces or ((namespace,) if namespace and not options.all_namespaces else ()), namespace)
    checks.append(await _metrics(api))
    return checks, 0


def _terminal() -> Check:
    if not sys.stdout.isatty():
        return Check("terminal", "look", "standard output is no terminal", "run `kubepane` in one; `kubepane snapshot` needs none")
    columns, rows = shutil.get_terminal_size()
    name = os.environ.get("TERM", "")
    if name in ("", "dumb"):
        return Check("terminal", "bad", f"TERM={name or '(not set)'} can place no text", "set TERM, for example to xterm-256color")
    if columns < 60 or rows < 20:
        return Check("terminal", "look", f"{name}, {columns}x{rows}", "60x20 is the least that shows everything; 120x40 shows all panes at once")
    return Check("terminal", "ok", f"{name}, {columns}x{rows}")


def _locale(options: Options) -> Check:
    encoding = (sys.stdout.encoding or locale.getpreferredencoding(False)).lower()
    if options.ascii:
        return Check("characters", "ok", "ASCII only, as asked for")
    if encoding.replace("-", "") != "utf8":
        return Check("characters", "look", f"{encoding} cannot show the signs of the panes", "use a UTF-8 locale, or --ascii")
    return Check("characters", "ok", "UTF-8; if signs such as ● take two cells (CJK settings), use --ascii")


def _clock(ahead: float | None) -> Check:
    if ahead is None:
        return Check("clock", "look", "the server did not say its time, so ages cannot be checked")
    if abs(ahead) > SKEW:
        which = "ahead of" if ahead > 0 else "behind"
        return Check("clock", "look", f"the server's clock is {abs(ahead):.0f} s {which} this one: ages are off by that", "synchronise the clocks")
    return Check("clock", "ok", "the server's clock agrees with this one")


async def _rights(api: Api, namespaces: tuple[str, ...], fallback: str) -> list[Check]:
    """Which kinds may be watched: in the whole cluster, else in the namespaces asked for, else in the context's."""
    access = Access(api, SystemClock())
    scopes = namespaces or ("",)
    checks: list[Check] = []
    for scope in scopes:
        refused, unknown = await _refused(access, scope)
        where = f"in namespace {scope}" if scope else "in the whole cluster"
        if len(refused) == len(KINDS) and not scope:
            checks.append(
                Check(
                    "rights", "look", "nothing may be listed in the whole cluster", f"panes look into namespace {fallback or 'default'}; or pass -n"
                )
            )
            refused, unknown = await _refused(access, fallback or "default")
            where = f"in namespace {fallback or 'default'}"
        if unknown:
            checks.append(Check("rights", "look", f"could not be found out for {', '.join(unknown)}"))
        if refused:
            checks.append(Check("rights", "look", f"list, watch refused {where}: {', '.join(refused)}", "the panes that need them will say so"))
        elif not unknown:
            checks.append(Check("rights", "ok", f"all {len(KINDS)} kinds may be listed and watched {where}"))
    return checks


async def _refused(access: Access, namespace: str) -> tuple[list[str], list[str]]:
    """Kinds that may not be listed and watched, and those where that could not be found out."""

    async def ask(kind: Kind) -> tuple[Kind, bool | None]:
        answers = [(await access.allowed(verb, kind, namespace if kind.namespaced else "")).allowed for verb in ("list", "watch")]
        return kind, False if False in answers else None if None in answers else True

    found = await asyncio.gather(*(ask(kind) for kind in KINDS))
    return [kind.resource for kind, may in found if may is False], [kind.resource for kind, may in found if may is None]


async def _metrics(api: Api) -> Check:
    try:
        await api.get("/apis/metrics.k8s.io/v1beta1/nodes", {"limit": "1"})
    except Forbidden as error:
        return Check("metrics", "look", f"no usage figures: {error}", "ask for list on nodes and pods of metrics.k8s.io")
    except ClusterError as error:
        return Check("metrics", "look", f"no usage figures: {error}", "install metrics-server; without it CPU, MEM and HPA targets stay empty")
    return Check("metrics", "ok", "metrics.k8s.io answers")
