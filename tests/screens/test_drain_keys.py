"""Keys that change several objects or take long, on a living cluster: marks, drain, stop, undo, and what the line says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kubepane.acting import evicting
from kubepane.app import KubepaneApp
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.screens.operating import OperatingScreen
from kubepane_widgets import card as cards
from living import APPS, CORE, NODES, WORKER, Asked, Cut, Living, living
from screens.stage import Stage


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    with living(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(autouse=True)
def as_it_was(cluster: Living, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(evicting, "AGAIN", 0.05)
    monkeypatch.setattr(cards, "SETTLE", 0.0)
    monkeypatch.setattr(cards, "BURST", 0.0)
    cluster.asked.clear()
    yield
    cluster.before = lambda asked: None
    for end in ("", "2", "3"):
        cluster.patch(f"{NODES}/{WORKER}{end}", {"spec": {"unschedulable": None, "taints": None}})


class Operator(Stage):
    """Somebody at the keyboard."""

    async def nodes(self, *names: str) -> None:
        """Goes to the nodes and marks these, or with one puts the cursor there."""
        await self.keys("3")
        pane = self.screen.pane()
        table = self.screen.table("nodes")
        by_name = {node.metadata.name: node.metadata.uid for node in self.session.stores.nodes}
        await self.until(lambda: all(by_name[name] in table.order for name in names))
        for name in names:
            pane.select(by_name[name])
            if len(names) > 1:
                await self.keys("space")
        pane.select(by_name[names[0]])

    async def said(self, text: str) -> None:
        """The line above the footer."""
        await self.until(lambda: text in "".join(part for part, _ in self.operating.changes.line))

    @property
    def operating(self) -> OperatingScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, OperatingScreen))


@asynccontextmanager
async def dashboard(cluster: Living, size: tuple[int, int] = (120, 40)) -> AsyncIterator[Operator]:
    session = Session(Options(kubeconfig=str(cluster.kubeconfig), all_namespaces=True))
    app = KubepaneApp(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        operator = Operator(app, session, pilot)  # type: ignore[arg-type]
        await operator.until(
            lambda: session.stores.nodes.freshness.complete and session.stores.pods.freshness.complete and len(session.stores.nodes) == 4
        )
        yield operator


def spread(cluster: Living, name: str, replicas: int) -> None:
    cluster.deploy(name, replicas)
    while cluster.get(f"{APPS}/deployments/{name}")["status"].get("readyReplicas") != replicas:
        pass


def worker(cluster: Living, app: str) -> str:
    """The node of the first pod of an app."""
    return next(str(one["spec"]["nodeName"]) for one in cluster.get(f"{CORE}/pods")["items"] if one["metadata"]["labels"].get("app") == app)


def blocked(cluster: Living, app: str) -> None:
    spec = {"selector": {"matchLabels": {"app": app}}, "maxUnavailable": 0}
    cluster.call("POST", "/apis/policy/v1/namespaces/shop/poddisruptionbudgets", {"metadata": {"name": app}, "spec": spec})


async def test_a_drain_waits_says_for_what_is_stopped_and_taken_back(cluster: Living) -> None:
    spread(cluster, "held", 1)
    blocked(cluster, "held")
    node = worker(cluster, "held")
    async with dashboard(cluster) as at:
        await at.nodes(node)
        await at.keys("D")
        await at.shows("emptyDir data", "[keep]")
        await at.keys("right", "enter", "enter", "enter")
        await at.shows("PDB held lets none go now: held-", "would be evicted")
        await at.keys("right", "enter")
        await at.said("waits for PDB held, which needs 1 healthy pods and has 1 currently")
        await at.shows("S stops it")
        await at.keys("S")
        await at.said("stopped: ")
        await at.said("1 not evicted: shop/held-")
        await at.shows("u takes back what was done")
        assert cluster.get(f"{NODES}/{node}")["spec"]["unschedulable"] is True
        await at.keys("u")
        await at.shows(f"Uncordon node {node}")
        await at.until(lambda: "[ Cancel ]" in at.text())
        await at.keys("right", "enter")
        await at.said("done")
        assert "unschedulable" not in cluster.get(f"{NODES}/{node}")["spec"]
        evictions = [one.path for one in cluster.asked if one.changes and one.path.endswith("/eviction")]
        assert {path.split("/")[-2] for path in evictions if "held" in path}


async def test_enter_alone_drains_nothing(cluster: Living) -> None:
    async with dashboard(cluster) as at:
        await at.nodes(f"{WORKER}3")
        await at.keys("D", *["enter"] * 3)
        await at.until(lambda: "[ Cancel ]" in at.text() or "nothing was sent" in at.text())
        await at.keys("enter")
        await at.until(lambda: isinstance(at.app.screen, OperatingScreen))
        assert cluster.changes() == []


async def test_marked_nodes_are_cordoned_in_one_go(cluster: Living) -> None:
    async with dashboard(cluster) as at:
        await at.nodes(WORKER, f"{WORKER}2", f"{WORKER}3")
        await at.keys("C")
        await at.shows("Cordon 3 nodes", WORKER, f"{WORKER}3")
        await at.until(lambda: "[ Cancel ]" in at.text())
        await at.keys("right", "enter")
        await at.said("done")
        assert sorted(cluster.changes()) == [f"PATCH {NODES}/{WORKER}{end}" for end in ("", "2", "3")]


async def test_of_marked_nodes_each_is_told_and_undo_means_those_that_were_done(cluster: Living) -> None:
    def conflict() -> None:
        cluster.patch(f"{NODES}/{WORKER}2", {"spec": {"unschedulable": True}})

    def cut(asked: Asked) -> None:
        if asked.changes and asked.path.endswith(f"{WORKER}3"):
            raise Cut

    async with dashboard(cluster) as at:
        await at.nodes(WORKER, f"{WORKER}2", f"{WORKER}3")
        await at.keys("C")
        await at.shows("Cordon 3 nodes")
        await at.until(lambda: "[ Cancel ]" in at.text())
        conflict()
        cluster.before = cut
        await at.keys("right", "enter")
        await at.said(f"2 of 3 done; {WORKER}3 not: ")
        undo = at.operating.changes._undo[-1]
        assert (undo.verb, [ref.name for ref in undo.targets]) == ("uncordon", [WORKER])  # the second one was cordoned by somebody else


async def test_marked_nodes_are_tainted_and_untainted(cluster: Living) -> None:
    async with dashboard(cluster) as at:
        await at.nodes(WORKER, f"{WORKER}2")
        await at.keys("t")
        await at.shows("Taint 2 objects", "effect")
        await at.keys(*"spare", "enter", "enter", "enter")
        await at.shows("Taint 2 nodes spare:NoSchedule")
        await at.until(lambda: "[ Cancel ]" in at.text())
        await at.keys("right", "enter")
        await at.said("done")
        assert [cluster.get(f"{NODES}/{WORKER}{end}")["spec"]["taints"][0]["key"] for end in ("", "2")] == ["spare", "spare"]
        await at.keys("u")
        await at.shows("Untaint 2 nodes spare")
        await at.until(lambda: "[ Cancel ]" in at.text())
        await at.keys("right", "enter")
        await at.until(lambda: all("taints" not in cluster.get(f"{NODES}/{WORKER}{end}")["spec"] for end in ("", "2")))


async def marked(at: Operator, *names: str) -> None:
    await at.keys("2")
    table = at.screen.table("workloads")

    def uids() -> list[str]:
        return [one.metadata.uid for one in at.session.stores.deployments if one.metadata.name in names]

    await at.until(lambda: len(uids()) == len(names) and all(uid in table.order for uid in uids()))
    for uid in uids():
        at.screen.pane().select(uid)
        await at.keys("space")


async def test_marked_workloads_are_restarted_scaled_and_deleted(cluster: Living) -> None:
    for name in ("one", "two"):
        spread(cluster, name, 1)
    paths = [f"{APPS}/deployments/{name}" for name in ("one", "two")]
    async with dashboard(cluster) as at:
        await marked(at, "one", "two")
        for key, title, more in (("r", "Restart 2 workloads", ()), ("s", "Scale 2 workloads", ("2", "enter")), ("ctrl+d", "Delete 2 objects", ())):
            cluster.asked.clear()
            await at.keys(key)
            if more:
                await at.shows("pods wanted")
                await at.keys(*more)
            await at.shows(title)
            await at.until(lambda: "[ Cancel ]" in at.text())
            await at.keys("right", "enter")
            await at.until(lambda: len(cluster.changes()) == 2)
            assert sorted(one.split(" ")[1].removesuffix("/scale") for one in cluster.changes()) == paths
            await at.until(lambda: all(each.ended is not None for each in at.operating.changes.effects), 20)
            assert at.operating.changes.effects[-1].tone == "ok", at.operating.changes.effects[-1].text
        assert not {"one", "two"} & {one["metadata"]["name"] for one in cluster.get(f"{APPS}/deployments")["items"]}


async def test_nothing_on_its_way_cannot_be_stopped(cluster: Living) -> None:
    async with dashboard(cluster) as at:
        await at.nodes(WORKER)
        await at.keys("S")
        await at.shows("nothing is on its way")
        assert not at.operating.changes.can_stop


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_form_and_the_card_fit(cluster: Living, size: tuple[int, int]) -> None:
    async with dashboard(cluster, size) as at:
        await at.nodes(f"{WORKER}2")
        await at.keys("D")
        await at.shows("Drain node", "emptyDir data", "lone pods", "grace", "[keep]")
        await at.keys("right", "tab", "right", "tab", *"30", "enter")
        await at.until(lambda: "[ Cancel ]" in at.text() or "evict" in at.text())
        await at.shows("Cancel")
        assert all(len(line) <= size[0] for line in at.text().splitlines())
        await at.keys("escape")
    await asyncio.sleep(0)
