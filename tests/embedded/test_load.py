"""Load: how demand falls on pods, what containers use, what users leave in the logs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from embedded.autoscaling import NAMESPACE, advance, deployment, ingress, new_core, running, service, workloads
from kubepane_embedded.core import Core
from kubepane_embedded.load.chance import deviation
from kubepane_embedded.load.demand import Demand, millicores
from kubepane_embedded.load.sessions import Sessions
from kubepane_embedded.load.spread import RAMP, STAY, Member, Offer, Spread
from kubepane_embedded.load.usage import Usage, growth
from kubepane_embedded.meta import Object, key_of, uid_of

KEY = (NAMESPACE, "chatapp")
COOKIE = {"nginx.ingress.kubernetes.io/affinity": "cookie"}
MIB = 1024 * 1024


def members(*names: str, capacity: float = 392.0) -> dict[str, Member]:
    return {name: Member(name, name, "app", capacity) for name in names}


# the pure spread


def test_demand_rises_within_seconds() -> None:
    spread = Spread()
    spread.place(members("a"), 0.0)
    spread.offer(Offer(400.0, 40.0), 100.0)
    assert [spread.share("a", 100.0 + seconds) for seconds in (0, RAMP / 2, RAMP, 500)] == [0.0, 200.0, 400.0, 400.0]
    spread.offer(Offer(), 101.0)
    assert [round(spread.share("a", 101.0 + seconds)) for seconds in (0, RAMP / 2, RAMP)] == [100, 50, 0]


def test_without_affinity_all_ready_pods_share_at_once() -> None:
    spread = Spread()
    spread.offer(Offer(400.0), -RAMP)
    spread.place(members("a"), 0.0)
    spread.place(members("a", "b"), 10.0)
    assert (spread.share("a", 10.0), spread.share("b", 10.0)) == (200.0, 200.0)


def test_with_affinity_users_stay_until_they_leave() -> None:
    spread = Spread(sticky=True)
    spread.offer(Offer(400.0, 40.0), -RAMP)
    spread.place(members("a"), 0.0)
    spread.place(members("a", "b"), 10.0)
    assert (spread.sessions("a", 10.0), spread.sessions("b", 10.0)) == (40.0, 0.0)
    assert spread.sessions("a", 10.0 + STAY) == pytest.approx(20 + 20 / 2.718281828)
    assert spread.sessions("b", 10.0 + 20 * STAY) == pytest.approx(20.0)
    assert spread.moved == {"a": 0.0, "b": 0.0}


def test_users_of_a_pod_that_goes_have_to_move() -> None:
    spread = Spread(sticky=True)
    spread.offer(Offer(400.0, 40.0), -RAMP)
    spread.place(members("a", "b"), 0.0)
    spread.place(members("b", "c"), 10.0)
    assert (spread.sessions("b", 10.0), spread.sessions("c", 10.0)) == (40.0, 0.0)
    assert spread.moved == {"b": 20.0, "c": 0.0}
    spread.place({}, 20.0)
    assert (spread.sessions("b", 20.0), spread.lost(20.0)) == (0.0, 400.0)
    spread.place(members("d"), 30.0)
    assert spread.sessions("d", 30.0) == 40.0


def test_work_that_does_not_fit_is_lost() -> None:
    spread = Spread()
    spread.offer(Offer(500.0), -RAMP)
    spread.place(members("a"), 0.0)
    assert spread.lost(0.0) == pytest.approx(108.0)
    spread.place(members("a", "b"), 1.0)
    assert spread.lost(1.0) == 0.0


steps = st.lists(st.tuples(st.sets(st.sampled_from("abcdef")), st.booleans(), st.floats(0, 300), st.integers(0, 900)), min_size=1, max_size=12)


@given(steps)
def test_all_demand_is_somewhere(walk: list[tuple[set[str], bool, float, int]]) -> None:
    spread, now = Spread(), 0.0
    for names, sticky, wait, amount in walk:
        now += wait
        spread.stick(sticky, now)
        spread.place(members(*sorted(names)), now)
        spread.offer(Offer(float(amount), amount / 12), now)
        for later in (now, now + 1.5, now + 200):
            shares = [spread.share(name, later) for name in names]
            assert all(share >= -1e-9 for share in shares)
            assert sum(shares) == pytest.approx(spread.offered(later).demand if names else 0.0, abs=1e-6)
            if names:
                assert sum(spread.sessions(name, later) for name in names) == pytest.approx(spread.offered(later).users, abs=1e-6)


def test_chance_is_even_and_repeatable() -> None:
    found = [deviation(f"pod-{number % 7}", number) for number in range(5000)]
    assert all(0.0 <= one < 1.0 for one in found)
    assert 0.48 < sum(found) / len(found) < 0.52
    assert sum(one < 0.1 for one in found) in range(400, 600)
    assert deviation("a", 5) == deviation("a", 5) != deviation("a", 6)


# in a cluster


class World:
    """A core with load, and what is asked of it."""

    def __init__(self, sticky: bool = False, replicas: int = 2, limit: str | None = "400m", **annotations: str) -> None:
        self.core = new_core()
        self.demand = Demand(self.core)
        self.usage = Usage(self.core, self.demand)
        self.lines: list[tuple[str, str, str]] = []
        self.sessions = Sessions(self.core, self.demand, lambda *line: self.lines.append(line))
        workloads(self.core)
        for part in (self.demand, self.usage, self.sessions):
            part.start()
        self.client = self.core.client("test")
        self.client.create("deployments.apps", deployment("chatapp", replicas, limit=limit))
        self.client.create("services", service("chatapp", **annotations))
        self.client.create("ingresses.networking.k8s.io", ingress("chatapp", **(COOKIE if sticky else {})))
        advance(self.core, 20)

    def pods(self) -> list[Object]:
        return [pod for pod in self.core.storage.objects("pods", NAMESPACE) if pod["metadata"].get("labels", {}).get("app") == "chatapp"]

    def cpu(self) -> list[int]:
        return [self.usage.cpu(pod, "app") for pod in self.pods()]

    def annotate(self, resource: str, name: str, **annotations: str | None) -> None:
        notes = {f"sim.kubepane.io/{key}": value for key, value in annotations.items()}
        self.client.patch(resource, NAMESPACE, name, {"metadata": {"annotations": notes}})

    def scale(self, replicas: int) -> None:
        self.client.patch("deployments.apps", NAMESPACE, "chatapp", {"spec": {"replicas": replicas}})


def generator(name: str, target: str, amount: str, namespace: str = NAMESPACE) -> Object:
    notes = {"sim.kubepane.io/load-service": target, "sim.kubepane.io/load-demand": amount}
    container = {"name": "load", "image": "busybox:1.36"}
    return {"metadata": {"name": name, "namespace": namespace, "annotations": notes}, "spec": {"containers": [container]}}


def test_demand_of_a_service_is_split_over_ready_pods() -> None:
    world = World(demand="500m")
    assert all(abs(amount - 258) <= 8 for amount in world.cpu())
    world.annotate("services", "chatapp", demand="1")
    advance(world.core, 5)
    assert world.cpu() == [400, 400]
    assert world.demand.lost(KEY) == pytest.approx(216.0)
    world.annotate("services", "chatapp", demand=None)
    advance(world.core, 5)
    assert world.cpu() == [8, 8]
    assert world.demand.lost(KEY) == 0.0


def test_pods_that_are_not_ready_get_nothing() -> None:
    world = World(demand="300m")
    first = world.pods()[0]
    running(world.core, first, ready=False)
    advance(world.core, 1)
    calm, busy = world.cpu()
    assert calm == 8
    assert abs(busy - 308) <= 9


def test_load_generators_add_up_while_they_are_ready() -> None:
    world = World()
    world.client.create("namespaces", {"metadata": {"name": "other"}})
    world.client.create("pods", generator("one", "chatapp", "100m"))
    world.client.create("pods", generator("two", f"{NAMESPACE}/chatapp", "100m", "other"))
    world.client.create("pods", generator("three", "chatapp", "100m", "other"))  # its own namespace has no such Service
    world.client.create("pods", generator("four", "chatapp", "nonsense"))
    advance(world.core, 3)
    assert world.cpu() == [8, 8]
    advance(world.core, 15)
    assert all(abs(amount - 108) <= 4 for amount in world.cpu())
    world.client.delete("pods", NAMESPACE, "one")
    advance(world.core, 10)
    assert all(abs(amount - 58) <= 3 for amount in world.cpu())
    world.core.client("kubelet").patch_status("pods", "other", "two", {"phase": "Succeeded"})
    advance(world.core, 10)
    assert world.cpu() == [8, 8]


def test_work_adds_up_to_what_was_asked_whenever_it_is_looked_at() -> None:
    world = World(demand="300m")
    workers = world.demand.workers()
    assert len(workers) == 2
    advance(world.core, 10)
    before = [world.demand.work(worker) for worker in workers]
    for wait in (0.3, 7, 0.7, 22):
        advance(world.core, wait)
        assert all(later > earlier for later, earlier in zip((world.demand.work(worker) for worker in workers), before, strict=True))
    done = [world.demand.work(worker) - earlier for worker, earlier in zip(workers, before, strict=True)]
    assert all(abs(one / 30 - 150) < 2.5 for one in done)


def test_a_service_that_goes_takes_its_load_away() -> None:
    world = World(demand="300m")
    world.client.delete("services", NAMESPACE, "chatapp")
    advance(world.core, 1)
    assert world.cpu() == [8, 8]
    assert world.demand.spreads == {}
    world.scale(0)
    advance(world.core, 10)
    world.demand.prune()
    assert world.demand.workers() == []


def test_the_container_behind_the_port_works() -> None:
    world = World(replicas=0)
    template = deployment("chatapp")["spec"]["template"]
    sidecar = {"name": "proxy", "image": "nginx:1.27", "resources": {}}
    template["spec"]["containers"].insert(0, sidecar)
    world.client.patch("deployments.apps", NAMESPACE, "chatapp", {"spec": {"template": template, "replicas": 1}})
    world.annotate("services", "chatapp", demand="100m")
    advance(world.core, 20)
    pod = world.pods()[0]
    assert world.usage.cpu(pod, "proxy") == 1
    assert abs(world.usage.cpu(pod, "app") - 108) <= 4


def test_without_a_limit_the_node_is_the_limit() -> None:
    world = World(replicas=1, limit=None, demand="9")
    assert world.cpu() == [4000]
    assert world.demand.lost(KEY) == pytest.approx(9000 - 4000 + 8)


def test_memory_follows_users_and_the_fault() -> None:
    world = World(sessions="40")
    pod = world.pods()[0]
    calm = 180 * MIB
    assert calm + 20 * MIB // 4 <= world.usage.memory(pod, "app") <= calm * 1.03 + 20 * MIB // 4
    assert world.usage.memory(pod, "app") % 4096 == 0
    world.annotate("services", "chatapp", sessions=None)
    advance(world.core, 10)
    before = world.usage.memory(pod, "app")
    world.annotate("pods", key_of(pod)[1], memory="600Mi@over=60s")
    found = []
    for _ in range(4):
        found.append(world.usage.memory(world.pods()[0], "app"))
        advance(world.core, 30)
    assert found[0] == before
    assert found[1] == pytest.approx((before + 600 * MIB) / 2, rel=0.01)
    assert found[2:] == [600 * MIB] * 2
    world.annotate("pods", key_of(pod)[1], memory="1Gi")
    assert world.usage.memory(world.pods()[0], "app") == 1024 * MIB
    world.annotate("pods", key_of(pod)[1], memory="lots")
    assert world.usage.memory(world.pods()[0], "app") == before


def test_memory_grows_anew_in_a_restarted_container() -> None:
    world = World(replicas=1)
    pod = world.pods()[0]
    world.annotate("pods", key_of(pod)[1], memory="600Mi@over=60s")
    advance(world.core, 61)
    again = dict(world.pods()[0]["status"]["containerStatuses"][0], restartCount=1, state={"running": {"startedAt": world.core.clock.stamp()}})
    world.core.client("kubelet").patch_status("pods", *key_of(pod), {"containerStatuses": [again]})
    assert world.usage.memory(world.pods()[0], "app") < 200 * MIB
    advance(world.core, 60)
    assert world.usage.memory(world.pods()[0], "app") == 600 * MIB


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("600Mi@over=60s", (600 * MIB, 60.0)),
        ("1Gi", (1024 * MIB, 0.0)),
        ("1Gi@over=5", (1024 * MIB, 5.0)),
        ("x", None),
        ("1Gi@over=y", None),
        ("", None),
    ],
)
def test_growth(text: str, expected: tuple[float, float] | None) -> None:
    assert growth(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("500m", 500.0), ("2", 2000.0), (None, 0.0), ("x", 0.0), ("-1", 0.0)])
def test_millicores(text: str | None, expected: float) -> None:
    assert millicores(text) == expected


# sessions


def test_without_affinity_users_are_sent_to_the_login_page() -> None:
    world = World(demand="480m")
    advance(world.core, 60)
    assert world.sessions.per_pod(KEY) == dict.fromkeys((key_of(pod)[1] for pod in world.pods()), 20)
    assert world.sessions.relogins(KEY) == pytest.approx(120, abs=10)  # 40 users, a request in 10 s each, every second one to the other pod
    texts = [text for _, _, text in world.lines]
    assert sum(text.startswith("Session ") and text.endswith(" not found, redirecting to /login") for text in texts) > 20
    assert sum(" 200 " in text for text in texts) > 20
    assert {uid for uid, _, _ in world.lines} == {uid_of(pod) for pod in world.pods()}


def test_with_affinity_nobody_is() -> None:
    world = World(sticky=True, demand="480m")
    advance(world.core, 60)
    assert world.sessions.relogins(KEY) == 0
    assert not any("not found" in text for _, _, text in world.lines)
    assert any(" 200 " in text for _, _, text in world.lines)


def test_with_affinity_users_of_a_pod_that_goes_are() -> None:
    world = World(sticky=True, demand="480m")
    advance(world.core, 60)
    world.scale(1)
    advance(world.core, 10)
    assert world.sessions.relogins(KEY) == pytest.approx(20, abs=1)
    assert any("more sessions not found" in text for _, _, text in world.lines)
    advance(world.core, 70)
    assert world.sessions.relogins(KEY) == 0


@pytest.mark.parametrize("replicas", [1, 4])
def test_lines_are_few_whatever_the_load(replicas: int) -> None:
    world = World(replicas=replicas, demand="50", sessions="100000")
    advance(world.core, 10)
    before = len(world.lines)
    advance(world.core, 60)
    assert 0 < len(world.lines) - before <= 12 * 5 * replicas


def test_client_ip_affinity_is_affinity() -> None:
    world = World(demand="480m")
    world.client.patch("services", NAMESPACE, "chatapp", {"spec": {"sessionAffinity": "ClientIP"}})
    advance(world.core, 70)
    assert world.sessions.relogins(KEY) == 0


def test_a_service_that_no_ingress_leads_to_has_no_users() -> None:
    world = World(demand="480m")
    world.client.delete("ingresses.networking.k8s.io", NAMESPACE, "chatapp")
    advance(world.core, 10)
    before = len(world.lines)
    advance(world.core, 60)
    assert len(world.lines) == before
    assert set(world.sessions.per_pod(KEY).values()) == {0}


def test_without_users_nothing_is_scheduled_and_nothing_written() -> None:
    world = World(demand="480m")
    world.annotate("services", "chatapp", demand=None)
    advance(world.core, 30)
    lines, pending = len(world.lines), timers(world.core)
    assert world.sessions.relogins(KEY) > 0
    advance(world.core, 600)
    assert world.sessions.relogins(KEY) == 0
    assert (len(world.lines), timers(world.core)) == (lines, pending)


def timers(core: Core) -> int:
    heap: list[tuple[float, int, Any]] = core.clock._heap
    return sum(timer.pending for _, _, timer in heap)
