#!/usr/bin/env python3
"""Measures how keys are answered while two nodes with 500 pods are drained, beside how they are answered before, under a pseudo terminal.

    draining.py [--pods N]

The cluster is an embedded one in a process of its own; its server, the deletions and the new pods share the machine with the dashboard.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from apiserver import MERGE, ApiServer
from embedded import served
from ptyscreen import Terminal
from terminal import Program, Result, measure_keys, shows, unsettled

BOUND = 40.0  # ms, of the 95th percentile
PATIENCE = 180.0
RIGHT = "\x1b[C"
FULL = ("kubepane-worker", "kubepane-worker2")
EMPTY = ("kubepane-worker3", "kubepane-worker4")  # a node has addresses for 254 pods
END = re.compile(r"Drain 2 nodes .*(all [\d,]+ gone|failed|stopped|refused)")


def until(true: Callable[[], Any]) -> None:
    """Waits until something is so.

    Raises:
        TimeoutError: it does not come.
    """
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("the cluster does not come to it")
        time.sleep(0.2)


def fill(server: ApiServer, pods: int) -> None:
    """Puts so many pods on the first two workers, and opens the other two."""
    for node in (*FULL, *EMPTY):
        patch = {"spec": {"unschedulable": node in EMPTY}, "status": {"allocatable": {"pods": "1000"}, "capacity": {"pods": "1000"}}}
        for path in ("", "/status"):
            server.request("PATCH", f"/api/v1/nodes/{node}{path}", patch, MERGE)
    labels = {"app": "many"}
    container = {"name": "c", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}}}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    template = {"metadata": {"labels": labels}, "spec": spec}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "many", "namespace": "default"}}
    path = "/apis/apps/v1/namespaces/default/deployments"
    server.apply(path, made | {"spec": {"replicas": pods, "selector": {"matchLabels": labels}, "template": template}})
    until(lambda: server.request("GET", f"{path}/many")["status"].get("readyReplicas") == pods)
    for node in EMPTY:
        server.request("PATCH", f"/api/v1/nodes/{node}", {"spec": {"unschedulable": False}}, MERGE)


def drained(terminal: Terminal) -> bool:
    """Whether the end of it stands on the screen."""
    return bool(terminal.look(lambda p: END.search("\n".join(p.lines))))


def drain(terminal: Terminal, program: Program) -> tuple[Result, Result, float]:
    """The keys before, the keys meanwhile, and the seconds that the drain took.

    Raises:
        RuntimeError: the dashboard did not come so far; the message holds its screen.
    """
    expect(terminal, shows("many-", "Running"))
    time.sleep(5)
    before = measure_keys(terminal, program, lambda press: press < 60)
    for key in ("3", "g", "j", " ", "j", " ", "D", RIGHT, "\r", "\r", "\r"):  # with their emptyDirs, the rest as proposed
        terminal.send(key)
        time.sleep(0.3)
    expect(terminal, shows("Cancel", "evict"))
    time.sleep(0.5)
    terminal.send("\t")
    expect(terminal, shows("[ Drain 2 nodes", "evict"))
    time.sleep(0.1)
    began = terminal.send("\r")
    expect(terminal, shows("Drain 2 nodes", " gone"))  # its first word takes the focus to the nodes
    time.sleep(0.5)
    terminal.send("1")
    meanwhile = measure_keys(terminal, program, lambda press: not drained(terminal) and time.perf_counter() - began < PATIENCE)
    took = time.perf_counter() - began
    expect(terminal, shows("Drain 2 nodes", "all ", " gone"))
    return before, meanwhile, took


def expect(terminal: Terminal, test: Callable[[Any], bool]) -> None:
    """Waits for something on the screen."""
    if terminal.wait(test, 30.0) is None:
        raise RuntimeError("\n".join(("the dashboard did not come so far:", terminal.text())))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=500)
    pods = parser.parse_args().pods
    with tempfile.TemporaryDirectory() as home, served("-m", "kubepane", "cluster", "serve", "--nodes", "4") as cluster:
        fill(ApiServer(str(cluster.kubeconfig)), pods)
        program = Program("kubepane", [sys.executable, "-m", "kubepane", "--kubeconfig", str(cluster.kubeconfig), "-A"])
        terminal = Terminal(program.argv, 160, 50, unsettled(home))
        try:
            before, meanwhile, took = drain(terminal, program)
        finally:
            terminal.close()
    print(f"{pods} pods of 2 nodes drained in {took:.1f} s; keys answered, ms:")
    print(f"{'':<12}{'count':>7}{'median':>9}{'p95':>9}{'max':>9}{'lost':>7}")
    for name, found in (("before", before), ("meanwhile", meanwhile)):
        print(f"{name:<12}{found['count']:>7}{found['p50_ms']:>9.1f}{found['p95_ms']:>9.1f}{found['max_ms']:>9.1f}{found['lost']:>7}")
    over = meanwhile["p95_ms"] > BOUND or meanwhile["lost"] > 0
    print(f"bound of the p95: {BOUND:.0f}; ×{meanwhile['p50_ms'] / before['p50_ms']:.2f} the median before{'   OVER' if over else ''}")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
