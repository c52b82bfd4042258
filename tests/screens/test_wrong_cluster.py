"""Another cluster than the one that was looked at gets nothing: not after a swap behind the address, nor after the kubeconfig was changed (T6, S5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kubepane.acting import doing
from kubepane.acting.plan import Intent
from kubepane.app import KubepaneApp
from kubepane.cluster import audit_file, kinds as k, pin, session as session_room
from kubepane.cluster.errors import OtherCluster
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.cluster.writing import End, Outcome, Ref
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster
from screens.acted import until

WEB = Ref(k.DEPLOYMENTS, "default", "web")
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}


class House:
    """An address at which one cluster may take the place of another; what each was sent is written down.

    Attributes:
        sent: (seed of the cluster, method, as whom) of each change.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.sent: list[tuple[int, str, str]] = []
        self.cluster: EmbeddedCluster | None = None

    async def move_in(self, seed: int) -> None:
        """A cluster begins to answer; the one before, if any, is gone."""
        before, port = self.cluster, 0
        if before is not None:
            port = before.server.port
            await before.stop()
        self.cluster = cluster = EmbeddedCluster(VirtualClock(), seed, port=port, kubeconfig=self.kubeconfig)
        cluster.core.client("t").create(
            "deployments.apps",
            {
                "metadata": {"name": "web", "namespace": "default"},
                "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
            },
        )
        if before is not None:
            cluster.server.prefix = before.server.prefix
        self._write_down(cluster, seed)
        await cluster.start()

    def _write_down(self, cluster: EmbeddedCluster, seed: int) -> None:
        handle = cluster.server._dispatch

        async def dispatch(request: Any, path: str) -> Any:
            if request.method != "GET" and "/authorization.k8s.io/" not in path:
                self.sent.append((seed, request.method, request.headers.get("Impersonate-User", "")))
            return await handle(request, path)

        cluster.server._dispatch = dispatch  # type: ignore[method-assign]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    found = House(tmp_path / "kubeconfig")
    await found.move_in(1)
    yield found
    assert found.cluster is not None
    await found.cluster.stop()


@asynccontextmanager
async def at(house: House, **options: Any) -> AsyncIterator[Session]:
    """A session that has seen which cluster it is at."""
    session = Session(Options(kubeconfig=str(house.kubeconfig), **options))
    session.audit = audit_file.to(house.kubeconfig.with_name("audit.jsonl"))
    session.start()
    try:
        await until(lambda: session.pin is not None and bool(session.pin.uid))
        yield session
    finally:
        await session.close()


async def made(session: Session, replicas: int, meanwhile: Any = None) -> list[Outcome]:
    """A change as a user makes it: shown, confirmed while something happens, and sent."""
    plan = await doing.rehearse(session, await doing.prepare(session, Intent("scale", (WEB,), {"replicas": replicas})))
    assert not plan.refusals
    if meanwhile is not None:
        await meanwhile
    return [outcome async for outcome in doing.perform(session, plan, asyncio.Event())]


async def test_a_swap_between_the_card_and_the_confirmation_is_noticed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pin, "HOLDS", 0.0)
    async with at(house) as session:
        outcomes = await made(session, 3, house.move_in(2))
        assert [(outcome.end, type(outcome.error)) for outcome in outcomes] == [(End.REFUSED, OtherCluster)]
        assert [seed for seed, _, _ in house.sent] == [1]  # the dry run
        with pytest.raises(AssertionError):  # nor is anything else until the context is chosen again
            await made(session, 4)
        assert len([line for line in session.journal if line.subject == "cluster"]) == 1
    assert [seed for seed, _, _ in house.sent] == [1]
    async with at(house) as session:  # chosen again
        assert [outcome.end for outcome in await made(session, 3)] == [End.DONE]


async def test_within_the_seconds_that_a_look_holds_the_preconditions_keep_it_out(house: House) -> None:
    async with at(house) as session:
        outcomes = await made(session, 3, house.move_in(2))
        assert not outcomes[0].good
    assert house.cluster is not None
    assert house.cluster.core.client("t").get("deployments.apps", "default", "web")["spec"]["replicas"] == 1


async def test_a_kubeconfig_that_is_changed_meanwhile_changes_nothing(house: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other")
    await other.move_in(7)
    assert other.cluster is not None

    async def changed() -> None:
        config = json.loads(json.dumps(_read(house.kubeconfig)))
        config["clusters"][0]["cluster"] = _read(other.kubeconfig)["clusters"][0]["cluster"]
        config["contexts"].append({"name": "another", "context": config["contexts"][0]["context"]})
        config["current-context"] = "another"
        config["users"][0]["user"]["as"] = "somebody-else"
        house.kubeconfig.write_text(json.dumps(config))

    try:
        async with at(house) as session:
            context = session.context
            assert [outcome.end for outcome in await made(session, 3, changed())] == [End.DONE]
            assert session.context == context
    finally:
        await other.cluster.stop()
    assert house.sent == [(1, "PUT", ""), (1, "PUT", "")]
    assert other.sent == []


async def test_the_header_says_so_and_choosing_the_context_again_goes_on(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(pin, "HOLDS", 0.0)
    monkeypatch.setattr(session_room, "IDENTITY_AGAIN", 0.1)
    monkeypatch.setattr(session_room, "VERSION_AGAIN", 0.1)
    app = KubepaneApp(Session(Options(kubeconfig=str(house.kubeconfig), all_namespaces=True)))
    async with app.run_test(size=(160, 40)) as pilot:
        await until(lambda: app.session.pin is not None and bool(app.session.pin.uid) and len(app.session.stores.deployments) > 0)
        await house.move_in(2)
        await until(lambda: app.session.pin is not None and bool(app.session.pin.other), 30.0)
        await until(lambda: "ANOTHER CLUSTER" in _text(app))
        first = app.session
        await pilot.press("1", "C")
        await until(lambda: "Contexts" in _text(app))
        await pilot.press("enter")
        await until(lambda: app.session is not first and app.session.pin is not None and bool(app.session.pin.uid), 30.0)
        await until(lambda: "ANOTHER CLUSTER" not in _text(app))


def _text(app: KubepaneApp) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found
