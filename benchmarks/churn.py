#!/usr/bin/env python3
"""Changes the status of the load pods at a rate: churn.py RATE SECONDS. Prints the count so far every half second, one number a line.

Pods are taken at random, or with --first K from the first K in the order of namespace and name, which stand on the screen.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time

from apiserver import ApiServer, Refused

WORKERS = 4


class Churn:
    """Workers that share one pace; each has a connection of its own."""

    def __init__(self, rate: float, seconds: float, pods: list[tuple[str, str]]) -> None:
        self.rate, self.seconds, self.pods = rate, seconds, pods
        self.done = [0] * WORKERS
        self.start = time.perf_counter()

    def work(self, worker: int) -> None:
        """Changes pods until the time is over; never faster than its share of the rate."""
        server, chance, turn = ApiServer(), random.Random(worker), 0
        while time.perf_counter() - self.start < self.seconds:
            turn += 1
            try:
                server.restarts(*chance.choice(self.pods), chance.randint(1, 99))
                self.done[worker] += 1
            except Refused:
                pass  # the pod went away, or the server has enough: counted by what was done
            time.sleep(max(0.0, self.start + turn * WORKERS / self.rate - time.perf_counter()))

    def run(self) -> None:
        """Runs the workers and prints how far they are."""
        threads = [threading.Thread(target=self.work, args=(i,), daemon=True) for i in range(WORKERS)]
        for thread in threads:
            thread.start()
        while any(t.is_alive() for t in threads):
            time.sleep(0.5)
            print(sum(self.done), flush=True)


def load_pods(server: ApiServer) -> list[tuple[str, str]]:
    """Namespace and name of the load pods, in their order; only their names are fetched into memory."""
    found, token = [], ""
    while True:
        page = server.request("GET", f"/api/v1/pods?labelSelector=load%3Dyes&limit=500&continue={token}")
        found += [(p["metadata"]["namespace"], p["metadata"]["name"]) for p in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            return sorted(found)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rate", type=float, help="changes a second")
    parser.add_argument("seconds", type=float)
    parser.add_argument("--first", type=int, default=0, metavar="K")
    given = parser.parse_args()
    pods = load_pods(ApiServer())
    if not pods:
        print("no load pods: run loadpods.py first", file=sys.stderr)
        return 1
    Churn(given.rate, given.seconds, pods[: given.first] if given.first else pods).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
