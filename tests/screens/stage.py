"""The whole dashboard on a model of an API server, in process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from textual.pilot import Pilot

from apimodel import Model
from cluster.modelrequests import ModelRequests
from kubepane.app import KubepaneApp
from kubepane.cluster import kinds as k
from kubepane.cluster.context import Context, User
from kubepane.cluster.kinds import BY_KIND, KINDS
from kubepane.cluster.kubeconfig import Choice
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.screens.dashboard import DashboardScreen
from kubepane_widgets.pane import Pane


class ModelSession(Session):
    """A session whose cluster is a model; everything behind the door for requests is the real thing."""

    def __init__(self, model: Model, options: Options | None = None) -> None:
        super().__init__(options or Options(all_namespaces=True))
        self.requests = ModelRequests(model)

    def _read(self) -> Context:
        context = Context("test", "https://127.0.0.1:1", cluster="test", user=User(name="ann"))
        self.target = context.target
        return context

    def _door(self, context: Context) -> Any:
        return self.requests

    async def _ask_version(self) -> None:
        self.server_version = "v1.35.4"

    watches = property(lambda self: self.requests.open)
    requests_per_second = property(lambda self: 0.0)
    bytes_per_second = property(lambda self: 0.0)

    def contexts(self) -> tuple[Choice, ...]:
        return (Choice("test", "test", "https://127.0.0.1:1", "ann", "", True), Choice("other", "o", "https://127.0.0.1:2", "bob", "", False))


@asynccontextmanager
async def dashboard(model: Model, *, size: tuple[int, int] = (120, 40), options: Options | None = None) -> AsyncIterator[Stage]:
    """The dashboard, once its first lists are in."""
    session = ModelSession(model, options)
    app = KubepaneApp(session)
    async with app.run_test(size=size) as pilot:
        stage = Stage(app, session, pilot)
        await stage.until(lambda: all(s.freshness.state.value not in ("connecting", "syncing") for s in (session.stores.pods, session.stores.events)))
        await stage.until(lambda: isinstance(app.focused, Pane))
        yield stage


class Stage:
    """What a test does with it."""

    def __init__(self, app: KubepaneApp, session: ModelSession, pilot: Pilot[int]) -> None:
        self.app, self.session, self.pilot = app, session, pilot

    @property
    def screen(self) -> DashboardScreen:
        return cast(DashboardScreen, self.app.screen)

    def text(self) -> str:
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def until(self, true: Any, seconds: float = 8.0) -> None:
        """Waits for a condition.

        Raises:
            AssertionError: it does not become true.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not true():
            assert loop.time() < end, self.text()
            await asyncio.sleep(0.01)

    async def shows(self, *needles: str) -> None:
        await self.until(lambda: all(needle in self.text() for needle in needles))

    async def keys(self, *keys: str) -> None:
        await self.pilot.press(*keys)


def model(pods: int = 3) -> Model:
    """A small shop: a deployment with its pods, one of them sick, and what belongs to it."""
    m = Model(KINDS)
    m.make(k.NAMESPACES, "shop", "")
    m.make(k.NAMESPACES, "test", "")
    m.make(k.NODES, "worker-1", "", status={"conditions": [{"type": "Ready", "status": "True"}]})
    web = m.make(
        k.DEPLOYMENTS,
        "web",
        spec={"replicas": pods, "selector": {"matchLabels": {"app": "web"}}},
        status={"replicas": pods, "readyReplicas": pods, "updatedReplicas": pods, "availableReplicas": pods},
    )
    rs = m.make(k.REPLICASETS, "web-1", spec={"replicas": pods}, status={"replicas": pods})
    owned(m, rs, "Deployment", web)
    for i in range(pods):
        pod = m.make(
            k.PODS, f"web-1-{i:05}",
            spec={"nodeName": "worker-1", "containers": [{"name": "app", "image": "shop/web:1"}]},
            status={"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}}]},
        )  # fmt: skip
        owned(m, pod, "ReplicaSet", rs)
    m.make(k.PODS, "broken", spec={"containers": [{"name": "app", "image": "shop/none:1"}]}, status={
        "phase": "Pending", "containerStatuses": [{"name": "app", "ready": False, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}]})  # fmt: skip
    m.make(k.PODS, "elsewhere", "test", spec={"nodeName": "worker-1", "containers": [{"name": "a"}]}, status={"phase": "Succeeded"})
    return m


def owned(m: Model, obj: dict[str, Any], kind: str, owner: dict[str, Any]) -> None:
    """Stores the object again with an owner."""
    meta = owner["metadata"]
    obj["metadata"]["ownerReferences"] = [{"kind": kind, "name": meta["name"], "uid": meta["uid"], "controller": True}]
    m.put(BY_KIND["ReplicaSet" if kind == "Deployment" else "Pod"], obj)
