#!/usr/bin/env python3
"""Measures the core without a terminal and without a cluster: decoding, a first list, events, and how long they hold the loop.

Machines differ, so every figure also stands as a multiple of what `json.loads` needs for the same bytes in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from fakepods import fake_pods
from kubepane.cluster import kinds
from kubepane.cluster.options import Options
from kubepane.cluster.session import Session
from kubepane.cluster.stores import Stores

Figures = dict[str, float | int | str]


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of a few runs."""
    took = []
    for _ in range(times):
        gc.collect()
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return min(took)


def measure_decoding(pods: list[bytes]) -> Figures:
    """All pods from JSON, with the standard library and with ours."""
    plain = best(lambda: [json.loads(pod) for pod in pods])
    ours = best(lambda: [kinds.decode(kinds.PODS, pod) for pod in pods])
    return {"json_loads_s": plain, "decode_s": ours, "decode_us_per_pod": ours / len(pods) * 1e6, "decode_ratio": ours / plain}


def measure_events(pods: list[bytes], changed: list[bytes], plain: float) -> Figures:
    """A change of every pod, decoded and stored, with one reader that drains; and all of them taken anew."""
    stores = Stores()
    store = stores.of(kinds.PODS)
    store.replace([kinds.decode(kinds.PODS, pod) for pod in pods])
    reader = store.subscribe(lambda: None)
    start = time.perf_counter()
    for raw in changed:
        store.put(kinds.decode(kinds.PODS, raw))
        reader.drain()
    took = time.perf_counter() - start
    objects = list(store)
    again = best(lambda: store.replace(objects))
    return {"event_us": took / len(changed) * 1e6, "event_ratio": took / plain, "replace_unchanged_ms": again * 1e3}


@contextmanager
def pod_server(count: int, rate: float) -> Iterator[str]:
    """podserver.py in a process of its own; the path of its kubeconfig."""
    command = [sys.executable, str(Path(__file__).with_name("podserver.py")), str(count), str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process, tempfile.NamedTemporaryFile("w", suffix=".kubeconfig") as file:
        assert process.stdout is not None
        entry = {"name": "pods", "cluster": {"server": f"http://127.0.0.1:{int(process.stdout.readline())}"}}
        context = {"name": "pods", "context": {"cluster": "pods", "user": "nobody"}}
        config = {"current-context": "pods", "clusters": [entry], "contexts": [context], "users": [{"name": "nobody", "user": {}}]}
        json.dump({"apiVersion": "v1", "kind": "Config", **config}, file)
        file.flush()
        try:
            yield file.name
        finally:
            process.kill()


class Stall:
    """The longest time that the event loop was held: a task that wants to run every millisecond says when it could not."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task = asyncio.get_running_loop().create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - start - 0.001)

    def take(self) -> float:
        """The longest so far, and begin anew."""
        longest, self.longest = self.longest, 0.0
        return longest


async def synced(session: Session, limit: float = 60.0) -> None:
    """Waits until the pods are complete."""
    store = session.stores.of(kinds.PODS)
    end = time.perf_counter() + limit
    while not store.freshness.complete:
        if time.perf_counter() > end:
            raise SystemExit(f"not complete after {limit:.0f} s: {store.freshness}")
        await asyncio.sleep(0.002)


async def measure_session(kubeconfig: str, plain: float, churn: float) -> Figures:
    """A whole session against the local server: connect, take the list, then live with changes for a while."""
    process = psutil.Process()
    before = process.memory_info().rss
    stall = Stall()
    start = time.perf_counter()
    session = Session(Options(kubeconfig=kubeconfig, all_namespaces=True))
    session.want((kinds.PODS,))
    session.start()
    await synced(session)
    took, held = time.perf_counter() - start, stall.take()
    grown = process.memory_info().rss - before
    cpu, start = sum(process.cpu_times()[:2]), time.perf_counter()
    await asyncio.sleep(churn)
    share = (sum(process.cpu_times()[:2]) - cpu) / (time.perf_counter() - start)
    figures: Figures = {"pods": len(session.stores.of(kinds.PODS)), "sync_s": took, "sync_ratio": took / plain, "sync_stall_ms": held * 1e3}
    figures |= {"sync_mib": grown / 2**20, "churn_cpu_pct": share * 100, "churn_stall_ms": stall.take() * 1e3}
    await session.close()
    return figures


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=100.0, help="changes a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long the changes are looked at")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    figures: Figures = {"python": sys.version.split()[0]}
    with pod_server(given.pods, given.rate) as kubeconfig:
        pods = fake_pods(given.pods)
        plain = best(lambda: [json.loads(pod) for pod in pods], 1)
        size = sum(map(len, pods)) / len(pods)
        del pods  # not to be counted as the session's memory
        gc.collect()
        figures |= {"bytes_per_pod": round(size)} | asyncio.run(measure_session(kubeconfig, plain, given.seconds))
    pods = fake_pods(given.pods)
    figures |= measure_decoding(pods)
    figures |= measure_events(pods, fake_pods(given.pods, 1), float(figures["json_loads_s"]))
    for name, value in figures.items():
        print(f"{name:22}{value:>12,.2f}" if isinstance(value, float) else f"{name:22}{value:>12}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
