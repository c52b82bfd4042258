"""A cluster with nodes and kubelets, for the tests of the kubelet: pods are bound by hand, time is virtual.

Texts that these tests expect of a kubelet were read from the source of Kubernetes 1.35.4 (and containerd's for registries): no
kubelet was there to be recorded.
"""

from __future__ import annotations

from typing import Any

from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.core import Core
from kubepane_embedded.kubelet.kubelets import Kubelets
from kubepane_embedded.kubelet.logbook import Logbook
from kubepane_embedded.meta import Object
from kubepane_embedded.nodes import add_nodes
from kubepane_embedded.seed import Seed
from kubepane_embedded.storage import Change

NODE = "kubepane-worker"
WEB = "traefik/whoami:v1.10"
BOX = "busybox:1.36"
APP = "mrsinghdocker/chatapp:k8s"


class Stage:
    """A core with one control-plane node, two workers and their kubelets."""

    def __init__(self, workers: int = 2) -> None:
        self.clock = VirtualClock()
        self.core = Core(self.clock, Seed(1))
        add_nodes(self.core, workers)
        self.used: dict[str, int] = {}
        self.logbook = Logbook(self.clock)
        self.kubelets = Kubelets(self.core, self.logbook, lambda pod, container: self.used.get(pod["metadata"]["name"], 0))
        self.user = self.core.client("user")
        self.told: list[tuple[str, str, str, str]] = []
        self.core.storage.watch("events", self._note)
        self.kubelets.start()
        self.clock.settle()

    def _note(self, change: Change) -> None:
        if change.type == "ADDED":
            event = change.now.obj
            self.told.append((event["involvedObject"]["name"], event["type"], event["reason"], event["message"]))

    def pod(self, name: str = "p", annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None, **spec: Any) -> Object:
        """Create a pod that is bound to the first worker; the spec's fields as given."""
        meta = {"name": name, "namespace": "default", "annotations": annotations or {}, "labels": labels or {}}
        body = {"nodeName": NODE, "automountServiceAccountToken": False, **spec}
        return self.user.create("pods", {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": body})

    def box(self, program: str, name: str = "p", annotations: dict[str, str] | None = None, container: Any = None, **spec: Any) -> Object:
        """A busybox pod that runs `sh -c program`."""
        made = {"name": "c", "image": BOX, "command": ["sh", "-c", program], **(container or {})}
        return self.pod(name, annotations, containers=[made], **spec)

    def config(self, name: str, **data: str) -> None:
        """Create a ConfigMap."""
        self.user.create("configmaps", {"metadata": {"name": name, "namespace": "default"}, "data": data})

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def read(self, name: str = "p") -> Object:
        """A pod as it is now."""
        found = self.core.storage.read("pods", "default", name)
        assert found is not None, f"pod {name} is gone"
        return found

    def gone(self, name: str = "p") -> bool:
        """Whether a pod is not there."""
        return self.core.storage.read("pods", "default", name) is None

    def status(self, name: str = "p") -> dict[str, Any]:
        """A pod's status."""
        found: dict[str, Any] = self.read(name)["status"]
        return found

    def container(self, container: str = "c", name: str = "p") -> dict[str, Any]:
        """The status of one container."""
        status = self.status(name)
        groups = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
        return next(one for group in groups for one in status.get(group, []) if one["name"] == container)

    def waiting(self, container: str = "c", name: str = "p") -> tuple[str, str]:
        """Reason and message of a waiting container."""
        state = self.container(container, name)["state"]["waiting"]
        return state["reason"], state.get("message", "")

    def condition(self, kind: str, name: str = "p") -> dict[str, Any]:
        """One condition of a pod."""
        return next(one for one in self.status(name)["conditions"] if one["type"] == kind)

    def events(self, name: str = "p", reason: str = "") -> list[tuple[str, str, str]]:
        """(type, reason, message) of a pod's events as they came (each once, however often it is counted), optionally of one reason."""
        return [(type_, why, message) for about, type_, why, message in self.told if about == name and reason in ("", why)]

    def messages(self, reason: str, name: str = "p") -> list[str]:
        """Messages of a pod's events of one reason."""
        return [message for _, _, message in self.events(name, reason)]

    def reasons(self, name: str = "p", container: str = "c") -> list[tuple[float, str]]:
        """From now on: when a container's waiting reason was written anew, filled as time passes."""
        found: list[tuple[float, str]] = []

        def note(change: Change) -> None:
            if change.now.obj["metadata"]["name"] != name:
                return
            status: dict[str, Any] = next((one for one in change.now.obj["status"].get("containerStatuses", []) if one["name"] == container), {})
            reason = (status.get("state", {}).get("waiting") or {}).get("reason", "")
            if reason and (not found or found[-1][1] != reason):
                found.append((self.clock.seconds(), reason))
            elif not reason:
                found.append((self.clock.seconds(), next(iter(status.get("state", {"": 0})))))

        self.core.storage.watch("pods", note)
        return found

    def log(self, container: str = "c", name: str = "p", previous: bool = False) -> list[str]:
        """The lines of a container's log."""
        journal = self.kubelets.log(self.read(name), container, previous)
        assert journal is not None, "there is no log"
        return [line.text for line in journal.lines()]
