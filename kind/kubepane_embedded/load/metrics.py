"""metrics-server: usage of nodes and pods, averaged between the last two scrapes.

Follows metrics-server pkg/storage (a pod shows up with its second sample, or with its first when it is 10 s old by then) and pkg/api.
A scrape only notes what cannot be computed later; figures are made when they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from kubepane_embedded.clock import parse_stamp, stamp
from kubepane_embedded.core import Core
from kubepane_embedded.load.chance import deviation
from kubepane_embedded.load.demand import Worker, idle
from kubepane_embedded.load.usage import Usage, container_of
from kubepane_embedded.meta import Object, key_of, labels_of, uid_of
from kubepane_embedded.podfacts import condition, node_of, phase
from kubepane_embedded.runtime import MetricsUnavailable
from kubepane_embedded.selectors import LabelSelector

NAMESPACE = "kube-system"
LABELS = {"k8s-app": "metrics-server"}
SELECTOR = LabelSelector.of_map(LABELS)
RESOLUTION = 15.0
FRESH = 10.0
"""A container that is at least so many seconds old needs no earlier sample (freshContainerMinMetricsResolution)."""
DRIFT = 0.02
"""Seconds by which scrapes are early or late."""
SYSTEM_CPU = 55.0
SYSTEM_MEMORY = 420 * 1024 * 1024
"""What kubelet, container runtime and system use on every node: millicores, bytes."""


class Window(NamedTuple):
    """Two scrapes: cluster seconds, and the same as timestamps."""

    before: float
    after: float
    before_stamp: str
    after_stamp: str

    @property
    def seconds(self) -> float:
        """How much time is between them."""
        return self.after - self.before


@dataclass(slots=True)
class Scrape:
    """What was noted at one moment: work done so far, and nodes whose kubelet answered."""

    time: float
    work: dict[Worker, float]
    nodes: set[str]


class Figures(NamedTuple):
    """Usage of one container: nanocores, bytes, seconds covered."""

    container: str
    cpu: int
    memory: int
    window: float


@dataclass(slots=True)
class Measured:
    """What was computed since the last scrape, by pod uid; None for pods that are not shown."""

    figures: dict[str, list[Figures] | None] = field(default_factory=dict)
    pods: dict[str, Object | None] = field(default_factory=dict)
    nodes: list[Object] | None = None


class Metrics:
    """The resource metrics API (`runtime.MetricsSource`).

    Args:
        core: The cluster.
        usage: What containers use.
        required: Whether there is none without a metrics-server Deployment; with False a cluster that never had one has metrics too.
    """

    def __init__(self, core: Core, usage: Usage, required: bool = True) -> None:
        self._storage = core.storage
        self._clock = core.clock
        self._seed = core.seed.fork()
        self._usage = usage
        self._required = required
        self._server = ""
        self._scrapes: tuple[Scrape | None, Scrape | None] = (None, None)
        self._measured = Measured()

    def start(self) -> None:
        """Scrape now and every 15 s."""
        self._tick()

    def nodes(self) -> list[Object]:
        """NodeMetrics: the system's own usage and that of all pods."""
        window = self._window()
        if window is None:
            return []
        if self._measured.nodes is None:
            self._measured.nodes = self._nodes(window)
        return self._measured.nodes

    def pods(self, namespace: str | None) -> list[Object]:
        """PodMetrics of one namespace, or of all."""
        window = self._window()
        if window is None:
            return []
        known = self._measured.pods
        found = []
        for pod in self._storage.objects("pods", namespace):
            uid = pod["metadata"]["uid"]
            shown = known[uid] if uid in known else self._measure(pod, uid, window)
            if shown is not None:
                found.append(shown)
        return found

    # the server itself

    def _window(self) -> Window | None:
        """The time between the last two scrapes, None before there were two; raises MetricsUnavailable."""
        if not self._works():
            raise MetricsUnavailable
        before, after = self._scrapes
        if before is None or after is None:
            return None
        return Window(before.time, after.time, self._stamp(before.time), self._stamp(after.time))

    def _stamp(self, seconds: float) -> str:
        return stamp(self._clock.start + timedelta(seconds=seconds))

    def _deployments(self) -> list[Object]:
        return [one for one in self._storage.objects("deployments.apps", NAMESPACE) if SELECTOR.matches_object(one)]

    def _works(self) -> bool:
        """Whether requests reach a metrics-server."""
        found = self._deployments()
        if not found:
            return not self._required
        return any(((one.get("status") or {}).get("availableReplicas") or 0) > 0 for one in found)

    def _running(self) -> str:
        """Which process scrapes, "" when none does; another one begins with an empty memory."""
        if not self._deployments():
            return "" if self._required else "built in"
        pods = (pod for pod in self._storage.objects("pods", NAMESPACE) if SELECTOR.matches_object(pod) and phase(pod) == "Running")
        states = ((uid_of(pod), one) for pod in pods for one in (pod.get("status") or {}).get("containerStatuses") or [])
        running = sorted(f"{uid}/{one.get('restartCount') or 0}" for uid, one in states if (one.get("state") or {}).get("running"))
        return self._server if self._server in running else next(iter(running), "")

    # scraping

    def _tick(self) -> None:
        self._clock.call_later(RESOLUTION + self._seed.uniform(-DRIFT, DRIFT), self._tick)
        self._usage.demand.prune()
        server = self._running()
        last = self._scrapes[1] if server == self._server else None
        self._server = server
        self._scrapes = (last, self._scrape() if server else None)
        self._measured = Measured()

    def _scrape(self) -> Scrape:
        demand = self._usage.demand
        work = {worker: demand.work(worker) for worker in demand.workers()}
        nodes = {key_of(node)[1] for node in self._storage.objects("nodes") if _answers(node)}
        return Scrape(self._clock.seconds(), work, nodes)

    # computing

    def _measure(self, pod: Object, uid: str, window: Window) -> Object | None:
        figures = self._figures_of(pod, uid, window)
        shown = self._measured.pods[uid] = _pod_metrics(pod, figures, window) if figures else None
        return shown

    def _figures_of(self, pod: Object, uid: str, window: Window) -> list[Figures] | None:
        """`_figures`, computed once between two scrapes."""
        known = self._measured.figures
        if uid not in known:
            known[uid] = self._figures(pod, uid, window)
        return known[uid]

    def _figures(self, pod: Object, uid: str, window: Window) -> list[Figures] | None:
        """Usage of a pod's containers; None when one that runs has no sample before the last."""
        status, node = pod.get("status") or {}, node_of(pod)
        earlier, last = self._scrapes
        if last is None or earlier is None or node not in last.nodes:
            return None
        found = []
        for part in ("containerStatuses", "initContainerStatuses"):
            for one in status.get(part) or []:
                start = _run(one, window.after_stamp)
                if not start:
                    continue
                since = self._covered(start, window)
                if since is None or (since == window.before and node not in earlier.nodes):
                    return None
                found.append(self._container(pod, (uid, one["name"]), since, window))
        return found

    def _covered(self, start: str, window: Window) -> float | None:
        """From when on the last sample counts: the scrape before, or the start of a young container; None when neither does."""
        if start < window.before_stamp:
            return window.before
        begun = (parse_stamp(start) - self._clock.start).total_seconds()
        if FRESH <= window.after - begun < RESOLUTION:
            return begun
        return window.before if begun < window.before else None

    def _container(self, pod: Object, worker: Worker, since: float, window: Window) -> Figures:
        earlier, last = self._scrapes
        uid, name = worker
        calm = self._usage.idle_cpu(uid, idle(container_of(pod, name)).idle_cpu, int(window.after))
        done = (last.work.get(worker, 0.0) if last else 0.0) - (earlier.work.get(worker, 0.0) if earlier else 0.0)
        seconds = window.after - since
        return Figures(name, int((calm + done / seconds) * 1_000_000), self._usage.memory(pod, name), seconds)

    def _nodes(self, window: Window) -> list[Object]:
        used: dict[str, tuple[int, int]] = {}
        for pod in self._storage.objects("pods"):
            node = node_of(pod)
            for figures in self._figures_of(pod, uid_of(pod), window) or ():
                cpu, memory = used.get(node, (0, 0))
                used[node] = (cpu + figures.cpu, memory + figures.memory)
        earlier, last = self._scrapes
        sampled = (earlier.nodes & last.nodes) if earlier and last else set()
        nodes = [node for node in self._storage.objects("nodes") if key_of(node)[1] in sampled]
        return [_node_metrics(node, used.get(key_of(node)[1], (0, 0)), window) for node in nodes]


def _answers(node: Object) -> bool:
    """Whether the kubelet of a node can be asked: nobody has heard of it while Ready is Unknown."""
    ready = condition(node, "Ready")
    return ready is not None and ready.get("status") != "Unknown"


def _run(status: dict[str, Any], moment: str) -> str:
    """When the run of a container began that went on at a moment; "" when none did."""
    running = (status.get("state") or {}).get("running")
    if running:
        start = running.get("startedAt") or ""
        if start < moment:
            return start
    ended = [(status.get(part) or {}).get("terminated") or {} for part in ("state", "lastState")]
    return next((one["startedAt"] for one in ended if (one.get("startedAt") or "~") < moment <= (one.get("finishedAt") or "")), "")


def _pod_metrics(pod: Object, figures: list[Figures], window: Window) -> Object:
    own = pod["metadata"]
    meta: dict[str, Any] = {"name": own["name"], "namespace": own["namespace"]}
    if own.get("labels"):
        meta["labels"] = own["labels"]
    containers = [{"name": one.container, "usage": {"cpu": nano_text(one.cpu), "memory": byte_text(one.memory)}} for one in figures]
    return {"metadata": meta, "timestamp": window.after_stamp, "window": duration_text(figures[0].window), "containers": containers}


def _node_metrics(node: Object, used: tuple[int, int], window: Window) -> Object:
    name = key_of(node)[1]
    cpu = int(SYSTEM_CPU * (1.0 + 0.1 * deviation(name, int(window.after))) * 1_000_000) + used[0]
    memory = int(SYSTEM_MEMORY * (1.0 + 0.05 * deviation(name, 0))) // 4096 * 4096 + used[1]
    usage = {"cpu": nano_text(cpu), "memory": byte_text(memory)}
    meta = {"name": name, "labels": labels_of(node)}
    return {"metadata": meta, "timestamp": window.after_stamp, "window": duration_text(window.seconds), "usage": usage}


def nano_text(value: int) -> str:
    """Nanocores as a quantity in canonical form."""
    for suffix in ("n", "u", "m"):
        if value % 1000 or not value:
            return f"{value}{suffix}" if value else "0"
        value //= 1000
    return str(value)


def byte_text(value: int) -> str:
    """Bytes as a quantity in canonical form."""
    for suffix in ("", "Ki", "Mi"):
        if value % 1024 or not value:
            return f"{value}{suffix}"
        value //= 1024
    return f"{value}Gi"


@lru_cache(maxsize=256)
def duration_text(seconds: float) -> str:
    """A time as Go writes it, to the millisecond: `14.987s`, `15s`."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
