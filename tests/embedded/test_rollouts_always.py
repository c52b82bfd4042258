"""What holds in every rollout: enough pods available, not too many of them, and an end."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from embedded.timedkubelet import TimedKubelet
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.deployment_facts import is_complete, max_surge, max_unavailable
from kubepane_embedded.controllers.deployments import DeploymentController
from kubepane_embedded.controllers.replicasets import ReplicaSetController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object
from kubepane_embedded.parts import Part
from kubepane_embedded.podfacts import is_active, is_available
from kubepane_embedded.seed import Seed

LABELS = {"app": "web"}


class Watched:
    """A Deployment on a core with both controllers, started in either order; while `strict`, every change of a pod is checked against the promises."""

    def __init__(self, seed: int, slowest: float, spec: Object) -> None:
        self.core = Core(VirtualClock(), Seed(seed))
        chance = Seed(seed)
        controllers: list[Part] = [ReplicaSetController(self.core), DeploymentController(self.core)]
        for controller in controllers if seed % 2 else reversed(controllers):
            controller.start()
        TimedKubelet(self.core, ready=lambda _: chance.uniform(0.0, slowest), gone=lambda _: chance.uniform(0.0, slowest)).start()
        self.client = self.core.client("kubectl")
        self.strict = False
        self.checks = 0
        self.broken: list[str] = []
        self.core.storage.subscribe("pods", self.check)
        wanted = {"selector": {"matchLabels": LABELS}, "template": template(0), **spec}
        self.client.create("deployments.apps", {"metadata": {"name": "web", "namespace": "default"}, "spec": wanted})

    @property
    def web(self) -> Object:
        return self.client.get("deployments.apps", "default", "web")

    def change(self, **spec: Any) -> None:
        self.client.patch("deployments.apps", "default", "web", {"spec": spec})

    def advance(self, seconds: float) -> None:
        assert isinstance(self.core.clock, VirtualClock)
        self.core.clock.advance(seconds)

    def active(self) -> list[Object]:
        return [pod for pod in self.core.storage.objects("pods", "default") if is_active(pod)]

    def check(self, _: Key) -> None:
        if not self.strict:
            return
        self.checks += 1
        web, pods = self.web, self.active()
        replicas, minimum = web["spec"]["replicas"], web["spec"].get("minReadySeconds") or 0
        available = sum(is_available(pod, minimum, self.core.clock.now()) for pod in pods)
        if available < replicas - max_unavailable(web) or len(pods) > replicas + max_surge(web):
            self.broken.append(f"{self.core.clock.seconds()}: {available} available, {len(pods)} in all, {replicas} asked for")

    def is_done(self) -> bool:
        web, sets = self.web, self.core.storage.objects("replicasets.apps", "default")
        running = [one for one in sets if one["spec"]["replicas"]]
        image = web["spec"]["template"]["spec"]["containers"][0]["image"]
        images = {pod["spec"]["containers"][0]["image"] for pod in self.core.storage.objects("pods", "default")}
        return is_complete(web, web["status"]) and len(running) <= 1 and images <= {image}


def template(version: int) -> Object:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": f"nginx:{version}"}]}}


AMOUNTS = st.one_of(st.integers(0, 4), st.integers(0, 100).map(lambda number: f"{number}%"))
LIMITS = st.tuples(AMOUNTS, AMOUNTS).filter(lambda pair: not all(str(one).rstrip("%") == "0" for one in pair))


def rolling(limits: tuple[int | str, int | str]) -> Object:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": limits[0], "maxUnavailable": limits[1]}}


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.integers(1, 9),
    limits=LIMITS,
    slowest=st.floats(0.0, 6.0),
    steps=st.lists(st.tuples(st.integers(0, 3), st.floats(0.0, 10.0)), min_size=1, max_size=5),
    seed=st.integers(0, 1000),
)
def test_rolling_keeps_its_promises(
    replicas: int, limits: tuple[int | str, int | str], slowest: float, steps: list[tuple[int, float]], seed: int
) -> None:
    """Without minReadySeconds: a ReplicaSet that shrinks looks at readiness, not at availability, here as upstream."""
    watched = Watched(seed, slowest, {"replicas": replicas, "strategy": rolling(limits)})
    watched.advance(30)
    assert watched.is_done()
    watched.strict = True
    for version, seconds in steps:
        watched.change(template=template(version))
        watched.advance(seconds)
    watched.advance(300)
    assert not watched.broken
    assert watched.is_done()
    assert watched.checks or all(version == 0 for version, _ in steps)


ASKED = st.one_of(
    st.builds(lambda version: {"template": template(version)}, st.integers(0, 3)),
    st.builds(lambda replicas: {"replicas": replicas}, st.integers(0, 9)),
    st.builds(lambda paused: {"paused": paused}, st.booleans()),
    st.builds(lambda limits: {"strategy": rolling(limits)}, LIMITS),
    st.just({"strategy": {"type": "Recreate", "rollingUpdate": None}}),
    st.builds(lambda seconds: {"minReadySeconds": seconds}, st.integers(0, 3)),
    st.just({}),
)


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.integers(0, 9),
    slowest=st.floats(0.0, 6.0),
    steps=st.lists(st.tuples(ASKED, st.floats(0.0, 10.0)), max_size=8),
    seed=st.integers(0, 1000),
)
def test_whatever_is_asked_comes_to_an_end(replicas: int, slowest: float, steps: list[tuple[Object, float]], seed: int) -> None:
    """An empty step deletes a pod; at the end the pause is over."""
    watched = Watched(seed, slowest, {"replicas": replicas})
    for spec, seconds in steps:
        if spec:
            watched.change(**spec)
        elif pods := watched.active():
            watched.client.delete("pods", "default", pods[seed % len(pods)]["metadata"]["name"])
        watched.advance(seconds)
    watched.change(paused=False)
    watched.advance(400)
    assert watched.is_done()
    before = watched.core.storage.revision
    watched.advance(3600)
    assert watched.core.storage.revision == before
