"""Who may do what in a namespace: ServiceAccount → RoleBinding → Role → verbs, in words.

Source: k8s.io/api rbac/v1. ClusterRoles are not read (a namespaced user may not, and they are many), so what a binding to one
allows is not said.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.unseen import ailing, names, unseen

_SYSTEM = "kube-"


class Grant(msgspec.Struct, frozen=True, gc=False):
    """One ServiceAccount of one RoleBinding.

    Attributes:
        namespace: where the rights hold: the binding's.
        account: the ServiceAccount's name, `namespace/name` where it lives elsewhere.
        role: `role/name` or `clusterrole/name`.
        rights: in words: `get,list configmaps`; "" where they are not known.
        finding: how it is and why.
    """

    namespace: str
    account: str
    role: str
    rights: str
    finding: Finding


def accounts(binding: r.RoleBinding) -> list[r.Ref]:
    """The ServiceAccounts among a binding's subjects, each once."""
    found = {(s.namespace or binding.metadata.namespace, s.name): s for s in binding.subjects or () if s.kind == "ServiceAccount"}
    return list(found.values())


def grant(stores: Stores, binding: r.RoleBinding, account: r.Ref) -> Grant:
    """What a binding gives to one ServiceAccount."""
    ns = binding.metadata.namespace
    home = account.namespace or ns
    who = account.name if home == ns else f"{home}/{account.name}"
    named = f"{binding.role_ref.kind.lower()}/{binding.role_ref.name}"
    role = stores.roles.named(ns, binding.role_ref.name) if binding.role_ref.kind == "Role" else None
    rights = in_words(role.rules) if role else ""
    return Grant(ns, who, named, rights, _verdict(stores, binding, role, home, account.name, rights))


def grants(stores: Stores, namespace: str, account: str) -> list[Grant]:
    """All that RoleBindings give to a ServiceAccount, in whatever namespace, by namespace and role."""
    found = [
        grant(stores, binding, subject)
        for binding in stores.rolebindings.by("account", f"{namespace}/{account}")
        for subject in accounts(binding)
        if (subject.namespace or binding.metadata.namespace, subject.name) == (namespace, account)
    ]
    return sorted(found, key=lambda g: (g.namespace, g.role))


def in_words(rules: Iterable[r.AccessRule] | None) -> str:
    """Rules of a Role: `get,list configmaps; create jobs.batch`; rules with the same verbs are joined."""
    by_verbs: dict[str, list[str]] = {}
    for rule in rules or ():
        verbs = ",".join(rule.verbs or ())
        if verbs:
            by_verbs.setdefault("all verbs on" if "*" in (rule.verbs or ()) else verbs, []).extend(_resources(rule))
    return "; ".join(f"{verbs} {', '.join(dict.fromkeys(what))}" for verbs, what in by_verbs.items() if what) or "nothing"


def _resources(rule: r.AccessRule) -> list[str]:
    """`deployments.apps`, `secrets/mysql-secret`, `everything`."""
    groups = rule.api_groups or ("",)
    found = []
    for name in rule.resources or ():
        for group in groups:
            if name == "*":
                text = "everything" if group == "*" else f"everything in {group or 'core'}"
            else:
                text = name if group in ("", "*") else f"{name}.{group}"
            found += [f"{text}/{one}" for one in rule.resource_names] if rule.resource_names else [text]
    return found


def _everything(role: r.Role) -> bool:
    return any("*" in (x.verbs or ()) and "*" in (x.resources or ()) and "*" in (x.api_groups or ()) for x in role.rules or ())


def _verdict(stores: Stores, binding: r.RoleBinding, role: r.Role | None, home: str, account: str, rights: str) -> Finding:
    here, wanted = f"rolebinding/{binding.metadata.name}", binding.role_ref
    asks = Evidence(here, "roleRef", f"{wanted.kind}/{wanted.name}")
    if stores.serviceaccounts.named(home, account) is None and not unseen(stores.serviceaccounts):
        who = Evidence(here, "subjects", f"ServiceAccount {home}/{account}")
        level = Level.OFF if home.startswith(_SYSTEM) else Level.WARN  # Kubernetes binds accounts of controllers that may not run
        return Finding(level, f"no ServiceAccount {account} in namespace {home}", (who,), f"create ServiceAccount {account}, or correct the binding")
    if wanted.kind != "Role":
        return Finding(Level.OK, f"as ClusterRole {wanted.name} allows: its rules are not read here", (asks,))
    if role is None:
        if doubt := unseen(stores.roles):
            return Finding(Level.OFF, f"could not look: {doubt}", (asks,))
        have = names(sorted(x.metadata.name for x in stores.roles if x.metadata.namespace == binding.metadata.namespace))
        evidence = (asks, Evidence("roles", "metadata.name", have))
        return Finding(
            Level.BAD, f"no Role {wanted.name} (have: {have})", evidence, f"create Role {wanted.name}: until then the binding gives nothing"
        )
    if _everything(role):
        rules = Evidence(f"role/{wanted.name}", "rules", "verbs * on resources * of groups *")
        return Finding(Level.WARN, "may do everything in the namespace", (rules, asks), "name the verbs and resources it needs")
    return Finding(Level.OK, f"may {rights}", (Evidence(f"role/{wanted.name}", "rules", rights), asks))


def explain_account(stores: Stores, account: r.ServiceAccount) -> list[Finding]:
    """What there is to say about a ServiceAccount, the most important first; nothing for one that is well."""
    found = [g.finding for g in grants(stores, account.metadata.namespace, account.metadata.name)]
    if not found:
        doubt = unseen(stores.rolebindings)
        return [Finding(Level.OFF, f"could not look: {doubt}" if doubt else "no RoleBinding names it: it may do what every ServiceAccount may")]
    return ailing(found)
