"""A scheduler and kubelet for tests of controllers: pods are bound at once, ready after some seconds, gone some seconds after deletion."""

from __future__ import annotations

from collections.abc import Callable

from kubepane_embedded.core import Core
from kubepane_embedded.meta import Key, Object, is_deleting, key_of, uid_of
from kubepane_embedded.podfacts import is_ready, node_of


class TimedKubelet:
    """Runs every pod of the cluster.

    Args:
        core: The cluster.
        ready: Seconds from a pod's creation until it is ready, None for never.
        gone: Seconds from a pod's deletion until it is gone.
    """

    def __init__(self, core: Core, ready: Callable[[Object], float | None] = lambda _: 1.0, gone: Callable[[Object], float] = lambda _: 1.0) -> None:
        self.core = core
        self.client = core.client("kubelet")
        self.ready = ready
        self.gone = gone
        self.seen: set[str] = set()
        self.ending: set[str] = set()

    def start(self) -> None:
        self.core.storage.subscribe("pods", self.note)

    def note(self, key: Key) -> None:
        self.core.clock.call_soon(lambda: self.look(key))

    def look(self, key: Key) -> None:
        pod = self.core.storage.read("pods", *key)
        if pod is None:
            return
        uid = uid_of(pod)
        if is_deleting(pod):
            if uid not in self.ending:
                self.ending.add(uid)
                self.core.clock.call_later(self.gone(pod), lambda: self.finish(key, uid))
        elif uid not in self.seen:
            self.seen.add(uid)
            if not node_of(pod):
                self.client.bind(*key, f"node-{len(self.seen) % 3}")
            after = self.ready(pod)
            if after is not None:
                self.core.clock.call_later(after, lambda: self.set_ready(key, uid, True))

    def set_ready(self, key: Key, uid: str, ready: bool) -> None:
        """Write the status of a pod that runs, ready or not."""
        pod = self.core.storage.read("pods", *key)
        if pod is None or uid_of(pod) != uid or is_deleting(pod) or is_ready(pod) == ready:
            return
        now = self.core.clock.stamp()
        condition = {"type": "Ready", "status": "True" if ready else "False", "lastProbeTime": None, "lastTransitionTime": now}
        self.client.patch_status("pods", *key_of(pod), {"phase": "Running", "conditions": [condition]})

    def finish(self, key: Key, uid: str) -> None:
        pod = self.core.storage.read("pods", *key)
        if pod is not None and uid_of(pod) == uid:
            self.client.delete("pods", *key, grace=0)
