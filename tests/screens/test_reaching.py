"""The keys s, x, f and F: what they ask, what they refuse, and what the footer says of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kubepane.acting.visiting import Visit
from kubepane.app import KubepaneApp
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.screens import visits
from kubepane_widgets.card import Card
from kubepane_widgets.form import FormCard
from kubepane_widgets.listcard import ListCard
from kubepane_widgets.pane import Pane
from living import CORE, Living, living

WEB = {"name": "web", "image": "traefik/whoami:v1.10", "ports": [{"containerPort": 80}, {"containerPort": 9090}]}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster")) as made:
        containers = [WEB, {"name": "side", "image": "busybox:1.36", "command": ["sleep", "100000"]}]
        body = {"metadata": {"name": "web"}, "spec": {"terminationGracePeriodSeconds": 0, "containers": containers}}
        made.call("POST", f"{CORE}/pods", body)
        yield made


class Seat:
    """Somebody in front of the dashboard."""

    def __init__(self, app: KubepaneApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def told(self) -> list[str]:
        return [note.message for note in self.app._notifications]

    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(15):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def shows(self, text: str) -> None:
        await self.until(lambda: text in self.text())

    async def says(self, text: str) -> None:
        await self.until(lambda: any(text in note for note in self.told))


@asynccontextmanager
async def seat(cluster: Living, state: Path, monkeypatch: pytest.MonkeyPatch, *, protected: bool = False, **options: Any) -> AsyncIterator[Seat]:
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    file = state / "kubeconfig"
    text = Path(cluster.kubeconfig).read_text()  # noqa: ASYNC240
    file.write_text(text.replace("kubepane-embedded", "prod") if protected else text)
    file.chmod(0o600)
    app = KubepaneApp(Session(Options(kubeconfig=str(file), namespaces=("shop",), **options)))
    async with app.run_test(size=(120, 40)) as pilot:
        made = Seat(app, pilot)
        store = app.session.stores.pods
        await made.until(lambda: (pod := store.named("shop", "web")) is not None and pod.status.phase == "Running")
        await made.until(lambda: isinstance(app.focused, Pane) and app.focused.cursor is not None)
        yield made


async def test_a_forward_is_opened_listed_and_stopped(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with seat(cluster, tmp_path, monkeypatch) as at:
        await at.shows("f forward")
        await at.press("f")
        await at.until(lambda: isinstance(at.app.screen, FormCard))
        await at.shows("declared: 80, 9090")
        await at.press("tab", "x")
        await at.shows("a port from 1 to 65535")
        await at.press("ctrl+u", *"8091", "enter")
        await at.shows("1 forwarded")
        reader, writer = await asyncio.open_connection("127.0.0.1", 8091)
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in await reader.read()
        writer.close()
        await at.press("F")
        await at.until(lambda: isinstance(at.app.screen, ListCard))
        await at.shows("127.0.0.1:8091 → web:80")
        await at.shows("0 open of 1")
        await at.press("ctrl+d")
        await at.says("stopped")
        await at.until(lambda: "forwarded" not in at.text())
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", 8091)


async def test_a_port_that_is_taken_is_said_while_it_is_typed(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    async with seat(cluster, tmp_path, monkeypatch) as at:
        await at.press("f")
        await at.until(lambda: isinstance(at.app.screen, FormCard))
        await at.press("tab", "ctrl+u", *str(port))
        await at.shows(f"port {port} is taken on this machine")
        await at.press("enter")
        assert isinstance(at.app.screen, FormCard)
    other.close()


async def test_read_only_opens_neither(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with seat(cluster, tmp_path, monkeypatch, read_only=True) as at:
        cluster.asked.clear()
        await at.press("f")
        await at.says("read-only: what goes through a port-forward could change anything")
        await at.press("s", "s", "s", "x")
        await at.says("read-only: a shell could change anything")
        assert len(at.told) == 2  # a key that is held makes no pile
        assert [one.path for one in cluster.asked if one.path.endswith(("exec", "portforward"))] == []


async def test_the_card_of_the_forwards_needs_some(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with seat(cluster, tmp_path, monkeypatch) as at:
        await at.press("F")
        await at.says("no port is forwarded")


async def test_who_may_not_sees_the_keys_dimmed_and_the_right_that_is_missing(
    cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["list", "watch"]},
        {"apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["get"]},
    ]
    cluster.call("POST", f"{rbac}/clusterroles", {"metadata": {"name": "watcher"}, "rules": rules})
    binding = {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "watcher"},
        "subjects": [{"kind": "User", "name": "eve"}],
    }
    cluster.call("POST", f"{rbac}/clusterrolebindings", {"metadata": {"name": "watcher"}, **binding})
    async with seat(cluster, tmp_path, monkeypatch, as_user="eve") as at:
        session = at.app.session
        await at.until(
            lambda: session.may("create", "pods", "shop", "exec") is False and session.may("create", "pods", "shop", "portforward") is False
        )
        cluster.asked.clear()
        await at.press("s")
        await at.says("needs create on pods/exec in namespace shop")
        await at.press("f")
        await at.says("needs create on pods/portforward in namespace shop")
        assert [one.path for one in cluster.asked if one.path.endswith(("/exec", "/portforward"))] == []


async def test_a_protected_context_wants_its_name_before_a_shell(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[str] = []

    async def lend(_: Any, talk: Visit, banner: Any) -> None:
        entered.append(banner[0])
        await talk.type(b"exit 4\r")
        while await talk.output():
            pass

    monkeypatch.setattr(visits, "lend", lend)
    monkeypatch.setattr(visits, "can_lend", lambda _: True)
    async with seat(cluster, tmp_path, monkeypatch, protected=True) as at:
        await at.press("s")
        await at.until(lambda: isinstance(at.app.screen, ListCard))
        await at.press(*"side", "enter")
        await at.until(lambda: isinstance(at.app.screen, Card))
        await at.shows("type prod to go on")
        await asyncio.sleep(0.35)  # a card must have been seen
        for key in ("right", "enter", *"prod"):  # before the name is there the button does nothing
            await at.press(key)
            await asyncio.sleep(0.04)
            assert entered == []
        await at.press("enter")
        await at.says("exit code 4")
        assert entered == ["prod: pod shop/web, container side"]


async def test_without_a_terminal_nothing_is_opened(cluster: Living, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with seat(cluster, tmp_path, monkeypatch) as at:
        cluster.asked.clear()
        await at.press("x")
        await at.until(lambda: isinstance(at.app.screen, ListCard))
        await at.press("enter")
        await at.says("there is no terminal to hand over")
        assert [one.path for one in cluster.asked if one.path.endswith("/exec")] == []
