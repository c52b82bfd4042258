"""The rows of the Policies pane as lines: a sentence for each, and the details of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import network
from kubepane.insight.configuration import Injection
from kubepane.insight.coverage import Coverage
from kubepane.insight.finding import Finding, Level
from kubepane.insight.network import Openness, sentence
from kubepane.insight.reach import directions
from kubepane.insight.rights import Grant
from kubepane.insight.unseen import names
from kubepane.views.chain_boxes import say
from kubepane_widgets.glyphs import G
from kubepane_widgets.lines import Line, fit

_SICK = (Level.BAD, Level.WARN, Level.WAIT)


def rule(fact: r.NetworkPolicy | Openness | Grant | Injection, finding: Finding, coverage: Coverage) -> Line:
    """The row's sentence: `mysql:3306 ← app=chatapp  only, DNS out allowed`."""
    if isinstance(fact, r.NetworkPolicy):
        return _policy(fact, finding, coverage)
    if isinstance(fact, Openness):
        return [(f"{fact.namespace}/*", "fg"), ("  open: ", "soft"), (finding.clause, "fg")]
    if isinstance(fact, Grant):
        return [(f"sa/{fact.account}", "fg"), _to(), (fact.role, "soft"), _rest(finding, fact.rights or finding.clause)]
    return [(fact.source.name, "fg"), _to(), (_users(fact), "soft"), _rest(finding, keys(fact))]


def text(line: Line) -> str:
    """A line without its tones."""
    return "".join(part for part, _ in line)


def note(fact: r.NetworkPolicy | Openness | Grant | Injection, finding: Finding) -> str:
    """The whole reason, for the bottom border."""
    if isinstance(fact, r.NetworkPolicy):
        return f"{fact.metadata.name} {finding.clause}"
    if isinstance(fact, Openness):
        return finding.clause
    if isinstance(fact, Grant):
        return f"{fact.account}: {finding.clause}"
    return f"{fact.source.kind} {fact.source.name}: {finding.clause}" + (f"; asked for by {names(_bare(fact.users))}" if fact.users else "")


def keys(fact: Injection) -> str:
    """The injected keys: `password, root_pass`, `all 4 keys`."""
    if fact.whole:
        return f"all {len(fact.keys)} keys" if fact.keys else "all keys"
    return names(list(fact.keys), 6)


def details(stores: Stores, fact: r.NetworkPolicy | Openness | Grant | Injection, finding: Finding, coverage: Coverage, width: int) -> list[Line]:
    """What there is to say about the row under the cursor, below the rows."""
    if isinstance(fact, r.NetworkPolicy):
        name, findings = fact.metadata.name, [*network.explain_policy(stores, fact, coverage), *([finding] if finding.level is Level.OK else [])]
        lines = _rules(fact)
    else:
        name = fact.namespace if isinstance(fact, Openness) else fact.account if isinstance(fact, Grant) else fact.source.name
        findings, lines = [finding], [_fact(e.object, f"{e.field}  {e.value}") for e in finding.evidence]
    told = [line for f in findings for line in say(f, name, width)]
    return [[], *told, *(fit(line, width) for line in lines)]


def _policy(policy: r.NetworkPolicy, finding: Finding, coverage: Coverage) -> Line:
    uid = policy.metadata.uid
    said = sentence(policy, coverage.without_dns(uid) > 0 if coverage.selected(uid) else None)
    line: Line = [(said.subject, "fg"), (f" {G[said.arrow]} ", "muted"), (said.peers, "fg")]
    if said.rest:
        line.append((f"  {said.rest}", "fg" if "blocks DNS" in said.rest else "muted"))
    if finding.level in _SICK and not coverage.selected(uid):
        line.append((f"  {finding.clause}", "fg"))
    return line


def _rest(finding: Finding, good: str) -> tuple[str, str]:
    sick = finding.level in _SICK or (finding.level is Level.OFF and finding.clause.startswith("could not"))
    return (f"  {finding.clause}", "fg") if sick else (f"  {good}", "muted")


def _to() -> tuple[str, str]:
    return f" {G['to']} ", "muted"


def _users(fact: Injection) -> str:
    found = _bare(fact.users)
    return found[0] if len(found) == 1 else f"{found[0]} +{len(found) - 1}" if found else "nobody known"


def _bare(users: Sequence[str]) -> list[str]:
    """Names without their kinds, each once."""
    return list(dict.fromkeys(user.partition("/")[2] for user in users))


def _rules(policy: r.NetworkPolicy) -> list[Line]:
    """Every rule of a policy on a line of its own."""
    inward, outward = directions(policy)
    lines: list[Line] = []
    for word, arrow, closed, rules in (("in", "from", inward, policy.spec.ingress), ("out", "to", outward, policy.spec.egress)):
        if not closed:
            lines.append(_fact(word, "not limited by this policy"))
        elif not rules:
            lines.append(_fact(word, "nothing"))
        for each in rules or () if closed else ():
            peers = network.sources(each.from_ if word == "in" else each.to)
            lines.append(_fact(word, f"{network.ports(each) or 'all ports'} {G[arrow]} {peers}"))
    return lines


def _fact(label: str, value: str) -> Line:
    return [(f"  {label:<4} ", "muted"), (value, "soft")]
