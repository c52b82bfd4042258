"""A kubelet for tests of controllers: it does only what a test tells it to do with a pod."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, is_deleting, key_of


class FakeKubelet:
    """Writes the status of pods and takes deleted ones out.

    Args:
        core: The cluster, on a virtual clock.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.client = core.client("kubelet")

    def settle(self, seconds: float = 0.0) -> None:
        """Let time pass."""
        assert isinstance(self.core.clock, VirtualClock)
        self.core.clock.advance(seconds)

    def pods(self, namespace: str = "default") -> list[Object]:
        """All pods, by name."""
        return self.core.storage.objects("pods", namespace)

    def names(self, namespace: str = "default") -> list[str]:
        """Names of all pods; those being deleted with a minus before."""
        return [("-" if is_deleting(pod) else "") + key_of(pod)[1] for pod in self.pods(namespace)]

    def bind(self, name: str, node: str, namespace: str = "default") -> None:
        """Bind a pod to a node, as the scheduler does."""
        self.client.bind(namespace, name, node)

    def status(self, name: str, phase: str, ready: bool, namespace: str = "default", **more: Any) -> None:
        """Write phase and readiness."""
        conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": self.core.clock.stamp()}]
        self.client.patch_status("pods", namespace, name, {"phase": phase, "conditions": conditions, **more})
        self.settle()

    def run(self, name: str, namespace: str = "default") -> None:
        """Running and ready."""
        self.status(name, "Running", True, namespace)

    def exit(self, name: str, code: int = 0, namespace: str = "default", **more: Any) -> None:
        """All containers ended with this code."""
        pod = self.client.get("pods", namespace, name)
        stamp = self.core.clock.stamp()
        ended = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "startedAt": stamp, "finishedAt": stamp}}
        containers = [
            {"name": one["name"], "image": one["image"], "imageID": "", "ready": False, "restartCount": 0, "state": ended}
            for one in pod["spec"]["containers"]
        ]
        self.status(name, "Failed" if code else "Succeeded", False, namespace, containerStatuses=containers, **more)

    def remove(self, name: str, namespace: str = "default") -> None:
        """Take a pod out for good."""
        self.client.delete("pods", namespace, name, grace=0)
        self.settle()

    def run_all(self, namespace: str = "default", rounds: int = 200) -> None:
        """Until nothing changes: pods become ready, deleted ones go."""
        for _ in range(rounds):
            self.settle()
            pod = next((pod for pod in self.pods(namespace) if is_deleting(pod) or _is_waiting(pod)), None)
            if pod is None:
                return
            (self.remove if is_deleting(pod) else self.run)(key_of(pod)[1], namespace)
        raise AssertionError("pods never come to rest")

    def events(self, about: str, namespace: str = "default") -> list[str]:
        """`reason: message` of all events about an object of a name, in the order they were last written."""
        found = [event for event in self.core.storage.objects("events", namespace) if event["involvedObject"]["name"] == about]
        found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [f"{event['reason']}: {event['message']}" for event in found]


def _is_waiting(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in (None, "", "Pending")
