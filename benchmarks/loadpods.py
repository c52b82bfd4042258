#!/usr/bin/env python3
"""Fills the cluster of KUBECONFIG with pods of about 6 KB in 20 namespaces, and one that sorts first.

    loadpods.py N          makes it N pods, more or fewer, and waits until they are ready
    loadpods.py --remove   takes the namespaces away again

The pods never run where KWOK plays the kubelets. Never use it on a cluster that is not for tests.
"""

from __future__ import annotations

import argparse
import sys
import time

from apiserver import ApiServer, Refused
from fakepods import labels, pod_spec

SPACES = [f"load-{i:02d}" for i in range(20)]
FIRST_SPACE, FIRST_POD = "aaa-bench", "aaa-first"


def make_first(server: ApiServer) -> None:
    """The pod that stands in the first row of every list, for the scripts that watch one cell."""
    server.apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": FIRST_SPACE}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": FIRST_POD, "labels": {"first": "yes"}}, "spec": pod_spec()}
    for _ in range(50):  # until the namespace has its service account
        try:
            return server.apply(f"/api/v1/namespaces/{FIRST_SPACE}/pods", pod)
        except Refused as refused:
            if refused.status != 403:
                raise
            time.sleep(0.2)
    raise SystemExit("the namespace got no service account: does the controller manager run?")


def make_load(server: ApiServer, count: int) -> None:
    """A Deployment in every namespace, together so many pods."""
    for number, space in enumerate(SPACES):
        replicas = count // len(SPACES) + (number < count % len(SPACES))
        template = {"metadata": {"labels": labels(number), "annotations": {"note": "x" * 600}}, "spec": pod_spec()}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "load"}}, "template": template}
        server.apply("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "load-app"}, "spec": spec}
        server.apply(f"/apis/apps/v1/namespaces/{space}/deployments", deployment)


def wait_ready(server: ApiServer, count: int, limit: float) -> bool:
    """Waits until the Deployments have so many ready pods and no others."""
    start = time.monotonic()
    while time.monotonic() - start < limit:
        items = server.request("GET", "/apis/apps/v1/deployments")["items"]
        states = [d.get("status", {}) for d in items if d["metadata"]["name"] == "load-app"]
        ready, there = sum(s.get("readyReplicas", 0) for s in states), sum(s.get("replicas", 0) for s in states)
        print(f"\r{ready:,} of {count:,} ready, {time.monotonic() - start:.0f} s ", end="", file=sys.stderr, flush=True)
        if ready == there == count:
            print(file=sys.stderr)
            return True
        time.sleep(2)
    return False


def remove(server: ApiServer) -> None:
    """Deletes what these scripts made."""
    for space in (FIRST_SPACE, *SPACES):
        try:
            server.request("DELETE", f"/api/v1/namespaces/{space}")
        except Refused as refused:
            if refused.status != 404:
                raise


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int)
    parser.add_argument("--remove", action="store_true")
    parser.add_argument("--limit", type=float, default=1800, help="seconds to wait")
    given = parser.parse_args()
    server = ApiServer()
    if given.remove:
        remove(server)
        return 0
    if given.count is None:
        parser.error("how many pods?")
    make_first(server)
    make_load(server, given.count)
    return 0 if wait_ready(server, given.count, given.limit) else 1


if __name__ == "__main__":
    sys.exit(main())
