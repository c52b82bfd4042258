"""What the user may do: SelfSubjectAccessReviews, asked when needed and kept for a minute, and the rules of a namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from kubepane.cluster.clock import Clock, SystemClock
from kubepane.cluster.errors import ClusterError
from kubepane.cluster.kinds import Kind
from kubepane.cluster.redaction import one_line
from kubepane.cluster.requests import Requests

KEPT = 60.0  # seconds an answer is believed
KEPT_UNKNOWN = 10.0  # seconds until what could not be found out is asked again
MAX_KEPT = 2_000  # answers; more are not needed at once by any screen
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"


class Verdict(msgspec.Struct, frozen=True):
    """Whether something is allowed.

    Attributes:
        allowed: None when it could not be found out: try, and see.
        reason: why not, or why it could not be found out, on one line; what is missing is named in RBAC's words.
    """

    allowed: bool | None
    reason: str = ""


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """One rule of a SelfSubjectRulesReview."""

    verbs: tuple[str, ...] | None = None
    api_groups: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    resource_names: tuple[str, ...] | None = None


class Rules(msgspec.Struct, frozen=True):
    """What the user may do in one namespace.

    Attributes:
        rules: the rules of all roles together.
        incomplete: the server does not know all of them (a webhook decides): what is not in them may be allowed all the same.
    """

    rules: tuple[Rule, ...] = ()
    incomplete: bool = False

    def allow(self, verb: str, resource: Kind | str, *, name: str = "", subresource: str = "") -> bool | None:
        """Whether they allow it; None when they do not, but are incomplete."""
        plural, group = _resource(resource)
        wanted = f"{plural}/{subresource}" if subresource else plural
        for rule in self.rules:
            if (
                _has(rule.verbs, verb)
                and _has(rule.api_groups, group)
                and (_has(rule.resources, wanted) or (subresource and _has(rule.resources, f"*/{subresource}")))
                and (not rule.resource_names or name in rule.resource_names)
            ):
                return True
        return None if self.incomplete else False


class Access:
    """Asks the server what the user may do. Answers are kept; the same question is asked once at a time."""

    def __init__(self, requests: Requests, clock: Clock | None = None) -> None:
        self._requests = requests
        self._verdicts: _Kept[Verdict] = _Kept(clock or SystemClock())
        self._rules: _Kept[Rules | None] = _Kept(clock or SystemClock())

    async def allowed(self, verb: str, resource: Kind | str, namespace: str = "", name: str = "", subresource: str = "") -> Verdict:
        """Whether the user may do it. Never raises a `ClusterError`: what went wrong is the verdict's reason.

        Args:
            resource: a kind, or a name as in RBAC messages: `pods`, `deployments.apps`.
            namespace: "" means in the whole cluster, for namespaced kinds all namespaces together.
            name: "" means any object.
        """
        key = (verb, *_resource(resource), namespace, name, subresource)
        return await self._verdicts.ask(key, lambda: self._review(*key), lambda verdict: KEPT_UNKNOWN if verdict.allowed is None else KEPT)

    def known(self, verb: str, resource: Kind | str, namespace: str = "", name: str = "", subresource: str = "") -> Verdict | None:
        """The same without asking anybody: None when it was not asked in the last minute. For what is being painted."""
        return self._verdicts.held((verb, *_resource(resource), namespace, name, subresource))

    async def rules(self, namespace: str) -> Rules | None:
        """The user's rules in a namespace, None when they could not be found out.

        A namespace that does not exist gives the cluster-wide rules, without an error.
        """
        return await self._rules.ask((namespace,), lambda: self._rules_review(namespace), lambda rules: KEPT if rules else KEPT_UNKNOWN)

    def forget(self) -> None:
        """Asks everything anew: rights have changed, or the server said no where a verdict said yes."""
        self._verdicts.forget()
        self._rules.forget()

    async def _review(self, verb: str, plural: str, group: str, namespace: str, name: str, subresource: str) -> Verdict:
        wanted = {"verb": verb, "group": group, "resource": plural, "subresource": subresource, "namespace": namespace, "name": name}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {key: value for key, value in wanted.items() if value}},
        }
        try:
            answer = msgspec.json.decode(await self._requests.post(REVIEW, body), type=_AccessReview).status
        except ClusterError as error:
            return Verdict(None, str(error))
        except msgspec.DecodeError:
            return Verdict(None, "the review's answer cannot be read")
        if answer.allowed:
            return Verdict(True)
        missing = needs(verb, f"{plural}.{group}" if group else plural, namespace, name, subresource)
        return Verdict(False, missing + (f" ({one_line(answer.reason, 120)})" if answer.reason else ""))

    async def _rules_review(self, namespace: str) -> Rules | None:
        spec = {"namespace": namespace}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": spec}
        try:
            answer = msgspec.json.decode(await self._requests.post(RULES, body), type=_RulesReview).status
        except (ClusterError, msgspec.DecodeError):
            return None
        return Rules(answer.resource_rules or (), bool(answer.incomplete))


def needs(verb: str, resource: str, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """A missing right in words: `needs patch on deployments.apps/scale in namespace shop`."""
    what = f"{resource}/{subresource}" if subresource else resource
    return f"needs {verb} on {what}" + (f" named {name}" if name else "") + (f" in namespace {namespace}" if namespace else " in the whole cluster")


class _Answer(msgspec.Struct, frozen=True):
    allowed: bool | None = None
    reason: str | None = None


class _AccessReview(msgspec.Struct, frozen=True):
    status: _Answer


class _RulesAnswer(msgspec.Struct, frozen=True, rename="camel"):
    resource_rules: tuple[Rule, ...] | None = None
    incomplete: bool | None = None


class _RulesReview(msgspec.Struct, frozen=True):
    status: _RulesAnswer


def _resource(resource: Kind | str) -> tuple[str, str]:
    """Plural and group."""
    if isinstance(resource, Kind):
        return resource.plural, resource.group
    plural, _, group = resource.partition(".")
    return plural, group


def _has(values: tuple[str, ...] | None, wanted: str) -> bool:
    return values is not None and ("*" in values or wanted in values)


T = TypeVar("T")


class _Kept(Generic[T]):
    """Answers by question, each for its time; who asks what is being asked already waits for the same answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[tuple[str, ...], tuple[float, T]] = {}
        self._asked: dict[tuple[str, ...], asyncio.Task[T]] = {}
        self._age = 0  # raised by `forget`, so that answers to older questions are not kept

    def held(self, key: tuple[str, ...]) -> T | None:
        found = self._held.get(key)
        return found[1] if found is not None and self._clock.monotonic() < found[0] else None

    def forget(self) -> None:
        self._age += 1
        self._held.clear()
        self._asked.clear()

    async def ask(self, key: tuple[str, ...], question: Callable[[], Awaitable[T]], lifetime: Callable[[T], float]) -> T:
        found = self._held.get(key)
        if found is not None and self._clock.monotonic() < found[0]:
            return found[1]
        task = self._asked.get(key)
        if task is None:
            answer = self._answer(key, question, lifetime, self._age)
            task = self._asked[key] = asyncio.get_running_loop().create_task(answer, name="access review")
        return await asyncio.shield(task)  # one caller's cancellation is not the others'

    async def _answer(self, key: tuple[str, ...], question: Callable[[], Awaitable[T]], lifetime: Callable[[T], float], age: int) -> T:
        try:
            answer = await question()
            if age == self._age:
                self._keep(key, answer, lifetime(answer))
            return answer
        finally:
            if age == self._age:
                del self._asked[key]

    def _keep(self, key: tuple[str, ...], answer: T, seconds: float) -> None:
        self._held.pop(key, None)
        while len(self._held) >= MAX_KEPT:
            del self._held[next(iter(self._held))]
        self._held[key] = (self._clock.monotonic() + seconds, answer)
