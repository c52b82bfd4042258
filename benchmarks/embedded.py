#!/usr/bin/env python3
"""Measures the embedded cluster: start, ten thousand pods, watches, idling, and a story on the virtual clock; says what is over its bound.

Machines differ, so a figure also stands as a multiple of a plain piece of work in the same run: importing aiohttp.web in a new
interpreter for the start, `json.loads` of the ten thousand pods for the others.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.cluster import EmbeddedCluster, ServedCluster
from kubepane_embedded.seeds.clusters import Wanted, seeded

WATCHERS = 10
RATE = 1000
TICK = 0.02
VISITORS = "500m"


class Line(NamedTuple):
    """One line of the report: what, how much, of what unit, at most how much, and as a multiple of the plain work."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class Served:
    """A cluster served by a process of its own."""

    kubeconfig: Path
    url: str
    took: float
    process: psutil.Process

    @property
    def mib(self) -> float:
        """Resident memory."""
        return float(self.process.memory_info().rss) / 2**20

    @property
    def cpu(self) -> float:
        """Seconds of a core used so far."""
        return float(sum(self.process.cpu_times()[:2]))

    def get(self, path: str) -> tuple[float, bytes]:
        """Seconds and body of a GET."""
        parts = urlsplit(self.url)
        start = time.perf_counter()
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port or 80)
        connection.request("GET", parts.path + path)
        body = connection.getresponse().read()
        connection.close()
        return time.perf_counter() - start, body


@contextmanager
def served(*command: str) -> Iterator[Served]:
    """Run a command that prints the path of a kubeconfig once it answers; the time runs from its start."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kubeconfig")
        with subprocess.Popen([sys.executable, *command, "--kubeconfig", str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise SystemExit(f"{' '.join(command)} did not start")
            url = json.loads(path.read_text(encoding="utf-8"))["clusters"][0]["cluster"]["server"]
            found = Served(path, url, 0.0, psutil.Process(process.pid))
            found.get("/version")
            try:
                yield Served(path, url, time.perf_counter() - start, found.process)
            finally:
                process.terminate()


def measure_start(rounds: int) -> list[Line]:
    """From exec to the first answer, for an empty cluster and one with the story; and the plain work beside it."""
    serve = ("-m", "kubepane", "cluster", "serve")
    took: dict[str, list[float]] = {"plain": [], "empty": [], "story": []}
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import aiohttp.web"], check=True)
        took["plain"].append(time.perf_counter() - start)
        for name, options in (("empty", ()), ("story", ("--story",))):
            with served(*serve, *options) as cluster:
                took[name].append(cluster.took)
    plain, empty, story = (min(took[name]) for name in ("plain", "empty", "story"))
    return [
        Line("import aiohttp.web", plain, "s"),
        Line("first answer", empty, "s", 1.0, empty / plain),
        Line("first answer, story", story, "s", None, story / plain),
    ]


def measure_pods(count: int) -> tuple[list[Line], float]:
    """Lists and memory with so many pods; also seconds of `json.loads` of them all."""
    with served("-m", "kubepane", "cluster", "serve", "--pods", str(count)) as cluster:
        start = cluster.took
        took, body = min((cluster.get("/api/v1/pods") for _ in range(3)), key=lambda answer: answer[0])
        begun = time.perf_counter()
        json.loads(body)
        plain = time.perf_counter() - begun
        page, _ = cluster.get("/api/v1/pods?limit=500")
        lines = [
            Line(f"json.loads, {count} pods", plain, "s"),
            Line(f"first answer, {count} pods", start, "s", None, start / plain),
            Line("list as JSON", took, "s", 0.5, took / plain),
            Line("page of 500", page, "s", None, page / plain),
            Line("memory after it", cluster.mib, "MiB", 200.0),
        ]
    return lines, plain


async def count_lines(url: str, seconds: float) -> int:
    """Lines of a watch of pods from now on."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {parts.path}/api/v1/pods?watch=1&resourceVersion=0 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    count, end = 0, time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        try:
            count += (await asyncio.wait_for(reader.read(1 << 20), left)).count(b'{"type":"MODIFIED"')
        except TimeoutError:
            break
    writer.close()
    return count


async def watch_all(cluster: Served, seconds: float) -> tuple[int, float]:
    """Events that the watchers saw in a while, and the share of a core that the server used meanwhile."""
    cpu, start = cluster.cpu, time.perf_counter()
    counts = await asyncio.gather(*(count_lines(cluster.url, seconds) for _ in range(WATCHERS)))
    return sum(counts), (cluster.cpu - cpu) / (time.perf_counter() - start)


def measure_watches(seconds: float, plain: float) -> list[Line]:
    """A server that changes pods by itself, with watchers; and one with nothing to do."""
    with served(__file__, "--change", str(RATE)) as cluster:
        seen, share = asyncio.run(watch_all(cluster, seconds))
    with served("-m", "kubepane", "cluster", "serve", "--story") as cluster:
        before = cluster.cpu
        time.sleep(seconds)
        idle = (cluster.cpu - before) / seconds
    return [
        Line(f"events to each of {WATCHERS} watchers", seen / WATCHERS / seconds, "/s"),
        Line("a core's share for them", share * 100, "%", 35.0, share / plain),
        Line("a core's share of the idle story", idle * 100, "%"),
    ]


def measure_story(plain: float) -> list[Line]:
    """Fifteen minutes of load and no load with everything that moves, on the virtual clock."""
    clock = VirtualClock()
    cluster = seeded(Wanted(story=True), clock)
    client, kind = cluster.core.client("visitors"), "horizontalpodautoscalers.autoscaling"
    start = time.process_time()
    replicas = set()
    for amount, minutes in ((VISITORS, 5), (None, 10)):
        client.patch("services", "chatapp", "chatapp", {"metadata": {"annotations": {"sim.kubepane.io/demand": amount}}})
        for _ in range(minutes * 6):
            clock.advance(10.0)
            replicas.add(client.get(kind, "chatapp", "chatapp")["status"]["desiredReplicas"])
    took = time.process_time() - start
    if not {1, 4} <= replicas:
        raise SystemExit(f"the HPA did not play its story: {sorted(replicas)}")
    return [Line("15 minutes on the virtual clock", took, "s", 3.0, took / plain)]


def change(rate: float, path: Path) -> None:
    """Serve a thousand pods and change that many a second, until killed."""
    cluster: EmbeddedCluster = seeded(Wanted(pods=1000, kubeconfig=path))
    client = cluster.core.client("kubelet")
    names = [f"load-{number:05d}" for number in range(1000)]
    state = {"done": 0, "start": cluster.core.clock.seconds()}

    def more() -> None:
        due = int((cluster.core.clock.seconds() - state["start"]) * rate)
        for number in range(int(state["done"]), due):
            name = names[number % len(names)]
            client.patch_status("pods", "load", name, {"status": {"message": f"change {number}"}})
        state["done"] = due
        cluster.core.clock.call_later(TICK, more)

    more()
    with ServedCluster(cluster):
        print(path, flush=True)
        while True:
            time.sleep(3600)


def report(lines: list[Line]) -> None:
    """Print them, and mark what is over its bound."""
    print(f"{'':38}{'':>10}{'':6}{'bound':>8}{'ratio':>9}")
    for line in lines:
        over = line.bound is not None and line.value > line.bound
        bound = "" if line.bound is None else f"{line.bound:g}"
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}x"
        print(f"{line.name:38}{line.value:>10.3f} {line.unit:5}{bound:>8}{ratio:>9}{'  OVER' if over else ''}")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long watches and idling are looked at")
    parser.add_argument("--change", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--kubeconfig", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.change:
        change(given.change, given.kubeconfig)
    lines = measure_start(given.rounds)
    pods, plain = measure_pods(given.pods)
    lines += pods + measure_watches(given.seconds, plain) + measure_story(plain)
    report(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
