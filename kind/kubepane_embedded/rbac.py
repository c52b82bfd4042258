"""Rights: which rules a user has, whether they allow a request, and the reviews that ask about it.

Follows kubernetes/pkg/registry/rbac/validation and plugin/pkg/auth/authorizer/rbac.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kubepane_embedded import errors
from kubepane_embedded.meta import Object
from kubepane_embedded.requests import User
from kubepane_embedded.storage import Storage

GROUP = "rbac.authorization.k8s.io"
Rule = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is asked for: a resource, or a path when `path` is set."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full(self) -> str:
        """`pods`, `pods/eviction`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Authorizer:
    """Answers from the stored Roles and bindings; members of system:masters pass."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def check(self, user: User, asked: Attributes) -> None:
        """Forbidden, in the server's words, unless allowed."""
        if self.decide(user, asked) is not None:
            return
        if asked.path:
            text = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"'
            raise errors.ApiError(403, "Forbidden", text, {})
        where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        why = f'User "{user.name}" cannot {asked.verb} resource "{asked.full}" in API group "{asked.group}" {where}'
        raise errors.forbidden(asked.group, asked.resource, asked.name, why)

    def decide(self, user: User, asked: Attributes) -> str | None:
        """The reason why it is allowed ("" for masters), or None."""
        if user.is_master:
            return ""
        for rule, reason in self.rules(user, asked.namespace):
            if _allows(rule, asked):
                return reason
        return None

    def rules(self, user: User, namespace: str) -> Iterator[tuple[Rule, str]]:
        """Every rule that applies to the user there, with the reason it would give."""
        for binding in self._storage.objects(f"clusterrolebindings.{GROUP}"):
            yield from self._bound(binding, user, "")
        if namespace:
            for binding in self._storage.objects(f"rolebindings.{GROUP}", namespace):
                yield from self._bound(binding, user, namespace)

    def _bound(self, binding: Object, user: User, namespace: str) -> Iterator[tuple[Rule, str]]:
        subject = next((one for one in binding.get("subjects") or [] if _is_subject(one, user, namespace)), None)
        if subject is None:
            return
        reference = binding.get("roleRef") or {}
        kind, name = reference.get("kind", ""), reference.get("name", "")
        stored = f"roles.{GROUP}" if kind == "Role" else f"clusterroles.{GROUP}"
        role = self._storage.read(stored, namespace if kind == "Role" else "", name)
        if role is None:
            return
        own = binding["metadata"]["name"]
        shown = f"{own}/{namespace}" if namespace else own
        whom = f'{subject.get("kind")} "{subject.get("name")}{"/" + subject["namespace"] if subject.get("namespace") else ""}"'
        reason = f'RBAC: allowed by {binding["kind"]} "{shown}" of {kind} "{name}" to {whom}'
        for rule in role.get("rules") or []:
            yield rule, reason


def _is_subject(subject: dict[str, Any], user: User, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "User":
        return user.name == name
    if kind == "Group":
        return name in user.groups
    return kind == "ServiceAccount" and user.name == f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"


def _allows(rule: Rule, asked: Attributes) -> bool:
    verbs = rule.get("verbs") or []
    if "*" not in verbs and asked.verb not in verbs:
        return False
    if asked.path:
        paths = rule.get("nonResourceURLs") or []
        return any(_matches_path(path, asked.path) for path in paths)
    groups, resources, names = rule.get("apiGroups") or [], rule.get("resources") or [], rule.get("resourceNames") or []
    if "*" not in groups and asked.group not in groups:
        return False
    every = "*" in resources or asked.full in resources or (bool(asked.subresource) and f"*/{asked.subresource}" in resources)
    return every and (not names or asked.name in names)


def _matches_path(pattern: str, path: str) -> bool:
    return pattern in ("*", path) or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def access_review(authorizer: Authorizer, user: User, body: Object) -> Object:
    """A SelfSubjectAccessReview or SubjectAccessReview with its status."""
    spec = body.get("spec") or {}
    resource, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (resource is None) == (path is None):
        why = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = errors.Cause("FieldValueInvalid", why, "spec.resourceAttributes")
        text = f'.authorization.k8s.io "" is invalid: {cause.field}: {why}'
        raise errors.ApiError(422, "Invalid", text, {"group": "authorization.k8s.io", "causes": [cause.as_dict()]})
    if path is not None:
        asked = Attributes(verb=path.get("verb", ""), path=path.get("path", "") or "/")
    else:
        about = resource or {}
        wanted = {name: str(about.get(name) or "") for name in ("verb", "group", "resource", "subresource", "namespace", "name")}
        asked = Attributes(**wanted)
    reason = authorizer.decide(user, asked)
    status: dict[str, Any] = {"allowed": reason is not None}
    if reason:
        status["reason"] = reason
    return {**body, "metadata": body.get("metadata") or {}, "status": status}


def rules_review(authorizer: Authorizer, user: User, body: Object) -> Object:
    """A SelfSubjectRulesReview with its status."""
    namespace = (body.get("spec") or {}).get("namespace") or ""
    if not namespace:
        raise errors.bad_request("no namespace on request")
    resources: list[Rule] = []
    paths: list[Rule] = []
    for rule, _ in [*_master_rules(user), *authorizer.rules(user, namespace)]:
        if rule.get("nonResourceURLs"):
            paths.append({"verbs": rule.get("verbs"), "nonResourceURLs": rule["nonResourceURLs"]})
        else:
            kept = ("verbs", "apiGroups", "resources", "resourceNames")
            resources.append({name: rule[name] for name in kept if rule.get(name)})
    status = {"resourceRules": resources, "nonResourceRules": paths, "incomplete": False}
    return {**body, "metadata": body.get("metadata") or {}, "spec": {}, "status": status}


def _master_rules(user: User) -> list[tuple[Rule, str]]:
    return (
        [({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, ""), ({"verbs": ["*"], "nonResourceURLs": ["*"]}, "")] if (user.is_master) else []
    )
