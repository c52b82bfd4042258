"""What the user may do: asked once, kept for a minute, and never guessed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from cluster.clocks import ManualClock
from kubepane.cluster.access import MAX_KEPT, REVIEW, RULES, Access, Rule, Rules, Verdict, needs
from kubepane.cluster.errors import ClusterError, Forbidden, TooManyRequests, Unreachable
from kubepane.cluster.kinds import DEPLOYMENTS, PODS
from kubepane.cluster.requests import JSON


class Reviews:
    """A server that allows what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.status: dict[str, Any] = {"allowed": True}
        self.error: ClusterError | None = None
        self.body: bytes | None = None
        self.gate: asyncio.Event | None = None

    async def post(self, path: str, body: Any, query: Any = None, *, timeout: float = 30.0) -> bytes:
        self.asked.append((path, body["spec"]))
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return self.body if self.body is not None else json.dumps({"metadata": {"managedFields": []}, "status": self.status}).encode()

    async def get(self, path: str, query: Any = None, *, accept: str = JSON, timeout: float = 30.0) -> bytes:
        raise AssertionError("reviews are posted")

    def stream(self, path: str, query: Any = None, *, accept: str = JSON, idle: float | None = None) -> Any:
        raise AssertionError("reviews are posted")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server() -> Reviews:
    return Reviews()


@pytest.fixture
def access(server: Reviews, clock: ManualClock) -> Access:
    return Access(server, clock)


async def test_a_review_names_what_it_is_about(access: Access, server: Reviews) -> None:
    assert await access.allowed("patch", DEPLOYMENTS, "shop", "web", "scale") == Verdict(True)
    wanted = {"verb": "patch", "group": "apps", "resource": "deployments", "subresource": "scale", "namespace": "shop", "name": "web"}
    assert server.asked == [(REVIEW, {"resourceAttributes": wanted})]
    await access.allowed("list", "pods")
    await access.allowed("list", "pods.metrics.k8s.io")
    assert [asked["resourceAttributes"] for _, asked in server.asked[1:]] == [
        {"verb": "list", "resource": "pods"},
        {"verb": "list", "group": "metrics.k8s.io", "resource": "pods"},
    ]


async def test_a_refusal_names_what_is_missing(access: Access, server: Reviews) -> None:
    server.status = {"allowed": False}
    verdict = await access.allowed("patch", DEPLOYMENTS, "shop", subresource="scale")
    assert verdict == Verdict(False, "needs patch on deployments.apps/scale in namespace shop")
    server.status = {"allowed": False, "denied": True, "reason": "policy\nsays \x1b no"}
    assert (await access.allowed("list", PODS)).reason == "needs list on pods in the whole cluster (policy says no)"
    assert needs("delete", "pods", "a", "x") == "needs delete on pods named x in namespace a"


async def test_answers_are_kept_for_a_minute(access: Access, server: Reviews, clock: ManualClock) -> None:
    for _ in range(3):
        await access.allowed("list", PODS, "shop")
    await access.allowed("list", "pods", "shop")  # the same in other words
    assert len(server.asked) == 1
    clock.seconds += 59.9
    assert access.known("list", PODS, "shop") == Verdict(True)
    assert access.known("list", PODS, "other") is None
    clock.seconds += 0.2
    assert access.known("list", PODS, "shop") is None
    await access.allowed("list", PODS, "shop")
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "other",
    [
        ("get", "pods", "a", "", ""),
        ("list", "services", "a", "", ""),
        ("list", "pods", "b", "", ""),
        ("list", "pods", "a", "x", ""),
        ("list", "pods", "a", "", "log"),
    ],
)
async def test_each_question_is_its_own(access: Access, server: Reviews, other: tuple[str, str, str, str, str]) -> None:
    await access.allowed("list", "pods", "a")
    await access.allowed(*other)
    assert len(server.asked) == 2


@pytest.mark.parametrize("error", [Unreachable("connection refused"), Forbidden(403, "Forbidden", "no"), TooManyRequests(429)])
async def test_what_cannot_be_found_out_is_neither_yes_nor_no(access: Access, server: Reviews, clock: ManualClock, error: ClusterError) -> None:
    server.error = error
    assert await access.allowed("list", PODS) == Verdict(None, str(error))
    await access.allowed("list", PODS)
    assert len(server.asked) == 1
    server.error = None
    clock.seconds += 10.1
    assert await access.allowed("list", PODS) == Verdict(True)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"status":null}', b'{"status":{"allowed":"yes"}}'])
async def test_an_answer_that_is_none(access: Access, server: Reviews, body: bytes) -> None:
    server.body = body
    assert (await access.allowed("list", PODS)).allowed is None
    server.body = body.replace(b"allowed", b"resourceRules")
    assert await access.rules("shop") is None


async def test_an_empty_status_is_a_no(access: Access, server: Reviews) -> None:
    server.status = {}
    assert (await access.allowed("list", PODS)).allowed is False


async def test_the_same_question_is_asked_once_at_a_time(access: Access, server: Reviews) -> None:
    server.gate = asyncio.Event()
    asking = [asyncio.ensure_future(access.allowed("list", PODS)) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    server.gate.set()
    assert await asyncio.gather(*asking[1:]) == [Verdict(True)] * 19
    assert len(server.asked) == 1


async def test_forgetting_asks_anew_and_drops_what_is_on_its_way(access: Access, server: Reviews) -> None:
    server.gate = asyncio.Event()
    late = asyncio.ensure_future(access.allowed("list", PODS))
    await asyncio.sleep(0)
    access.forget()
    server.gate.set()
    await late
    assert access.known("list", PODS) is None
    server.status = {"allowed": False}
    assert (await access.allowed("list", PODS)).allowed is False
    access.forget()
    server.status = {"allowed": True}
    assert (await access.allowed("list", PODS)).allowed is True


async def test_what_is_kept_is_bounded(access: Access) -> None:
    for number in range(MAX_KEPT + 10):
        await access.allowed("get", PODS, "a", f"p{number}")
    assert len(access._verdicts._held) == MAX_KEPT
    assert access.known("get", PODS, "a", "p0") is None
    assert access.known("get", PODS, "a", f"p{MAX_KEPT + 9}") == Verdict(True)


# ---- rules ---------------------------------------------------------------------------------------------------------------


async def test_the_rules_of_a_namespace(access: Access, server: Reviews) -> None:
    rule = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["x"]}
    server.status = {"resourceRules": [rule], "nonResourceRules": [], "incomplete": False}
    rules = await access.rules("shop")
    assert rules == Rules((Rule(("get", "list"), ("",), ("pods",), ("x",)),), False)
    assert server.asked == [(RULES, {"namespace": "shop"})]
    await access.rules("shop")
    assert len(server.asked) == 1


READ = Rule(("get", "list", "watch"), ("",), ("pods", "services"))


@pytest.mark.parametrize(
    ("rule", "allow", "allowed"),
    [
        (READ, lambda r: r.allow("list", PODS), True),
        (READ, lambda r: r.allow("delete", PODS), False),
        (READ, lambda r: r.allow("list", DEPLOYMENTS), False),
        (READ, lambda r: r.allow("get", PODS, subresource="log"), False),
        (Rule(("*",), ("*",), ("*",)), lambda r: r.allow("delete", DEPLOYMENTS, subresource="scale"), True),
        (Rule(("patch",), ("apps",), ("deployments/scale",)), lambda r: r.allow("patch", DEPLOYMENTS, subresource="scale"), True),
        (Rule(("patch",), ("apps",), ("deployments/scale",)), lambda r: r.allow("patch", DEPLOYMENTS), False),
        (Rule(("patch",), ("apps",), ("*/scale",)), lambda r: r.allow("patch", DEPLOYMENTS, subresource="scale"), True),
        (Rule(("patch",), ("apps",), ("*/scale",)), lambda r: r.allow("patch", DEPLOYMENTS), False),
        (Rule(("get",), ("",), ("pods",), ("x",)), lambda r: r.allow("get", PODS, name="x"), True),
        (Rule(("get",), ("",), ("pods",), ("x",)), lambda r: r.allow("get", PODS, name="y"), False),
        (Rule(("get",), ("",), ("pods",), ("x",)), lambda r: r.allow("get", PODS), False),
        (Rule(), lambda r: r.allow("get", PODS), False),
    ],
)
def test_what_rules_allow(rule: Rule, allow: Callable[[Rules], bool | None], allowed: bool) -> None:
    """Source: k8s.io/kubernetes plugin/pkg/auth/authorizer/rbac (RuleAllows)."""
    assert allow(Rules((rule,))) is allowed
    assert allow(Rules((rule,), incomplete=True)) is (True if allowed else None)
