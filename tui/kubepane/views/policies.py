"""Pane 8: who may reach whom, who may do what, and which keys are injected where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.kinds import Kind
from kubepane.insight import configuration, network, rights
from kubepane.insight.configuration import Injection, Source
from kubepane.insight.coverage import Coverage
from kubepane.insight.finding import Finding, Level
from kubepane.insight.injections import Injections
from kubepane.insight.network import Openness, openness
from kubepane.insight.rights import Grant
from kubepane.insight.unseen import unseen
from kubepane.views import policy_lines, policy_records
from kubepane.views.certainty import Certainty
from kubepane.views.levels import dot
from kubepane.views.tally import Tally
from kubepane.views.trail import Trail
from kubepane.views.view import Record, View, World
from kubepane_widgets.columns import FLEX, Cell, Column, Row
from kubepane_widgets.lines import Line
from kubepane_widgets.order import Rank

OPEN, CONFIG = "open/", "config/"
_WORKLOADS = (k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS, k.REPLICASETS, k.JOBS, k.CRONJOBS)


Fact = r.NetworkPolicy | Openness | Grant | Injection


class PoliciesView(View):
    """Four sorts of rows, in this order; broken ones come first.

    NetworkPolicies by uid; namespaces with open pods as `open/namespace`; ServiceAccounts of RoleBindings as
    `uid/namespace/account`; ConfigMaps and Secrets that somebody takes from as `config/kind/namespace/name`, there or not.
    Only policies are counted as rows: the title gives the numbers of the others.
    """

    name: ClassVar[str] = "policies"
    title: ClassVar[str] = "Policies"
    number: ClassVar[int] = 8
    kinds: ClassVar[tuple[Kind, ...]] = (
        k.NETWORKPOLICIES, k.PODS, k.SERVICEACCOUNTS, k.ROLES, k.ROLEBINDINGS, k.CONFIGMAPS, k.SECRETS, *_WORKLOADS,
    )  # fmt: skip

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.coverage = Coverage(self.stores)
        self.injections = Injections(self.stores)
        self._tallies = tuple(Tally(self._judge) for _ in range(4))  # by section
        self._keys: dict[str, int] = {}  # injected keys by row
        self._counted: dict[str, tuple[str, str]] = {}  # version and namespace of each policy, as it was last counted
        self._granted = Trail(self._grants_of)
        self._held = Trail(self._source_of)
        self._certainty = Certainty(self.stores, self.kinds)

    def own_kinds(self) -> tuple[Kind, ...]:
        return (k.NETWORKPOLICIES, k.ROLEBINDINGS, k.ROLES, k.SERVICEACCOUNTS, k.CONFIGMAPS, k.SECRETS)

    # ---- which rows --------------------------------------------------------------------------------------------------------

    def affected(self, kind: Kind, uids: set[str]) -> Iterable[str]:
        keys = self._touched(kind, uids)
        if self._certainty.turned() or (kind is k.NETWORKPOLICIES and len(uids) >= len(self.stores.networkpolicies)):
            # what could not be concluded then may be concluded now; and a list asked for anew wants all rows
            keys |= self._all()
        for key in keys:
            self._tallies[_section(key)].due((key,))
        return keys

    def _touched(self, kind: Kind, uids: set[str]) -> set[str]:
        if kind is k.PODS:
            return self._pods(uids)
        if kind in _WORKLOADS:
            return {_config_key(source) for uid in uids for source in self.injections.workload(kind, uid)}
        if kind is k.NETWORKPOLICIES:
            return uids | self._policies(uids)
        if kind is k.ROLEBINDINGS:
            return self._granted.follow(uids)
        if kind is k.ROLES or kind is k.SERVICEACCOUNTS:
            return self._of_rights(kind, uids)
        return self._held.follow(uids)

    def _pods(self, uids: set[str]) -> set[str]:
        keys: set[str] = set()
        for uid in uids:
            self.coverage.pod(uid)
            keys.update(_config_key(source) for source in self.injections.pod(uid))
        return keys | self._drained()

    def _policies(self, uids: set[str]) -> set[str]:
        """Counts the pods of the namespaces whose policies changed; their verdicts hang together, for policies add up."""
        keys: set[str] = set()
        for uid in uids:
            policy = self.stores.networkpolicies.get(uid)
            old = self._counted.pop(uid, ("", ""))
            new = (policy.metadata.resource_version, policy.metadata.namespace) if policy else ("", "")
            if policy is not None:
                self._counted[uid] = new
            if new == old:
                continue
            for namespace in {old[1], new[1]} - {""}:
                self.coverage.look(namespace)
                keys.add(OPEN + namespace)
                keys.update(p.metadata.uid for p in self.stores.networkpolicies.by("namespace", namespace))
        return keys | self._drained()

    def _drained(self) -> set[str]:
        namespaces, policies = self.coverage.drain()
        return {*(OPEN + name for name in namespaces), *policies}

    def _of_rights(self, kind: Kind, uids: set[str]) -> set[str]:
        index = "role" if kind is k.ROLES else "account"
        found: set[str] = set()
        for uid in uids:
            obj: r.Object | None = self.stores.of(kind).get(uid)
            if obj is None:  # gone: it no longer says whose it was
                return set(self._tallies[2].rows())
            found.update(b.metadata.uid for b in self.stores.rolebindings.by(index, f"{obj.metadata.namespace}/{obj.metadata.name}"))
        return self._granted.follow(found)

    def _grants_of(self, uid: str) -> Iterable[str]:
        binding = self.stores.rolebindings.get(uid)
        return [_grant_key(binding, account) for account in rights.accounts(binding)] if binding else ()

    def _source_of(self, uid: str) -> Iterable[str]:
        for kind, store in ((configuration.CONFIG_MAP, self.stores.configmaps), (configuration.SECRET, self.stores.secrets)):
            obj: r.Object | None = store.get(uid)
            if obj is not None:
                return (_config_key(Source(kind, obj.metadata.namespace, obj.metadata.name)),)
        return ()

    def _all(self) -> set[str]:
        keys = {key for tally in self._tallies for key in tally.rows()} | set(self.stores.networkpolicies.uids())
        keys.update(OPEN + name for name in self.coverage.namespaces())
        keys.update(_config_key(source) for source in self.injections.sources())
        return keys | self._granted.follow(self.stores.rolebindings.uids())

    def _judge(self, key: str) -> Level | None:
        fact = self._fact(key)
        self._keys.pop(key, None)
        if isinstance(fact, Injection):
            self._keys[key] = len(fact.keys)
        return self._finding(fact).level if fact is not None else None

    def _fact(self, key: str) -> Fact | None:
        """What a row stands for; None where there is no such row now."""
        match _section(key):
            case 0:
                return self.stores.networkpolicies.get(key)
            case 1:
                return self._openness(key.removeprefix(OPEN))
            case 2:
                return self._grant(key)
            case _:
                return self._injection(key)

    def _openness(self, namespace: str) -> Openness | None:
        if not self.coverage.open(namespace) or unseen(self.stores.networkpolicies):
            return None
        return openness(self.stores, namespace, self.coverage)

    def _grant(self, key: str) -> Grant | None:
        uid, _, rest = key.partition("/")
        binding = self.stores.rolebindings.get(uid)
        account = next((a for a in rights.accounts(binding) if _grant_key(binding, a) == f"{uid}/{rest}"), None) if binding else None
        return rights.grant(self.stores, binding, account) if binding and account else None

    def _injection(self, key: str) -> Injection | None:
        source = _source(key)
        users, told = self.injections.users(source), self.injections.told(source)
        return configuration.injection(self.stores, source, users, told) if users or told else None

    def _finding(self, fact: Fact) -> Finding:
        if isinstance(fact, r.NetworkPolicy):
            return network.verdict(self.stores, fact, self.coverage)
        return fact.finding

    def exists(self, key: str) -> bool:
        return key in self._tallies[_section(key)]

    def beside(self, key: str) -> bool:
        return _section(key) != 0

    def rank(self, key: str) -> Rank:
        section = _section(key)
        level = self._tallies[section].level(key)
        sick = level in (Level.BAD, Level.WAIT)
        return (0 if sick else 1, section, level, self.namespace(key), self._name(key))

    def _name(self, key: str) -> str:
        policy = self.stores.networkpolicies.get(key)
        return policy.metadata.name if policy else key.partition("/")[2]

    def namespace(self, key: str) -> str:
        match _section(key):
            case 1:
                return key.removeprefix(OPEN)
            case 3:
                return _source(key).namespace
        found = self.object(key)
        return found[1].metadata.namespace if found else ""

    def object(self, key: str) -> tuple[Kind, r.Object] | None:
        section = _section(key)
        if section == 1:
            return None
        if section < 3:
            return super().object(key)
        source = _source(key)
        kind = k.BY_KIND[source.kind]
        held: r.Object | None = self.stores.of(kind).named(source.namespace, source.name)
        return (kind, held) if held is not None else None

    def labels(self, key: str) -> dict[str, str]:
        found = self.object(key)
        return (found[1].metadata.labels if found else None) or {}

    def facts(self, now: datetime) -> list[str]:
        roles, keys = len(self._tallies[2]), sum(self._keys.values())
        broken = sum(tally.count(Level.BAD) for tally in self._tallies)
        return [*([f"{broken} broken"] if broken else []), *([f"roles {roles}"] if roles else []), *([f"keys {keys}"] if keys else [])]

    def none(self) -> list[Line]:
        return [[("No NetworkPolicy, no RoleBinding and no injected key", "fg")]]

    # ---- what they say -----------------------------------------------------------------------------------------------------

    def fields(self) -> tuple[str, ...]:
        return ("namespace", "name", "kind", "level", "rule", "why")

    def record(self, key: str, now: datetime) -> Record:
        fact = self._fact(key)
        if fact is None:
            return {"uid": "", "namespace": "", "name": ""}
        finding = self._finding(fact)
        held = self.object(key)
        return {
            "uid": held[1].metadata.uid if held else "",
            "namespace": self.namespace(key),
            **policy_records.record(self.stores, fact, self.coverage, now),
            "level": finding.level.glyph,
            "rule": policy_lines.text(policy_lines.rule(fact, finding, self.coverage)),
            "why": finding.clause if finding.level is not Level.OK else "",
        }

    def columns(self, width: int, height: int) -> Sequence[Column]:
        return [
            Column("level", "", 1, 1, fixed=True),
            *([Column("namespace", "NAMESPACE", 9, 14)] if width > 90 else []),
            Column("rule", "", 20, FLEX),
        ]

    def row(self, key: str, now: datetime, width: int, height: int) -> Row:
        fact, columns = self._fact(key), self.columns(width, height)
        if fact is None:
            return Row([""] * len(columns), selectable=False)
        finding = self._finding(fact)
        cells: dict[str, Cell] = {
            "level": dot(finding.level),
            "namespace": (self.namespace(key), "muted"),
            "rule": policy_lines.rule(fact, finding, self.coverage),
        }
        return Row([cells[column.key] for column in columns], f"{self.namespace(key)}: {policy_lines.note(fact, finding)}")

    def tail(self, now: datetime, width: int, height: int, cursor: str | None) -> list[Line]:
        fact = self._fact(cursor) if cursor is not None and self.exists(cursor) else None
        if fact is None or height < 14 or width < 70:
            return []
        rows = sum(len(tally) for tally in self._tallies)
        lines = policy_lines.details(self.stores, fact, self._finding(fact), self.coverage, width)
        return lines[: height - 1 - min(rows, max(4, height - 1 - len(lines)))]


def _section(key: str) -> int:
    return 1 if key.startswith(OPEN) else 3 if key.startswith(CONFIG) else 2 if "/" in key else 0


def _grant_key(binding: r.RoleBinding, account: r.Ref) -> str:
    return f"{binding.metadata.uid}/{account.namespace or binding.metadata.namespace}/{account.name}"


def _config_key(source: Source) -> str:
    return f"{CONFIG}{source.kind}/{source.namespace}/{source.name}"


def _source(key: str) -> Source:
    kind, namespace, name = key.removeprefix(CONFIG).split("/", 2)
    return Source(kind, namespace, name)
