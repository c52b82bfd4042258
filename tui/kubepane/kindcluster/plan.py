"""What is to be made: the configuration for kind, rendered from `kind/cluster.yaml`, and the commands in their order."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from kubepane_manifests import documents, places

MARK = {"kubepane.io/created-by": "kubepane"}
INGRESSES = {"nginx": "ingress-nginx", "traefik": "traefik", "none": ""}
MANAGER = "kubepane"
DEFAULT_NAME, DEFAULT_PORTS = "kubepane", (80, 443)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for.

    Attributes:
        name: of the cluster.
        workers: worker nodes; None: as in `cluster.yaml`, or as there are.
        ingress: a key of `INGRESSES`; None: nginx, or the one that is there.
        http: port of this machine for HTTP; None: 80, or as it is.
        https: port of this machine for HTTPS; None: 443, or as it is.
        kubeconfig: file that kind writes the context to, "" for the usual one.
        timeout: seconds that one step may take.
    """

    name: str = DEFAULT_NAME
    workers: int | None = None
    ingress: str | None = None
    http: int | None = None
    https: int | None = None
    kubeconfig: str = ""
    timeout: float = 900.0

    @property
    def context(self) -> str:
        """The context that kind makes."""
        return f"kind-{self.name}"

    @property
    def http_port(self) -> int:
        """Port for HTTP of a new cluster."""
        return self.http or DEFAULT_PORTS[0]

    @property
    def https_port(self) -> int:
        """Port for HTTPS of a new cluster."""
        return self.https or DEFAULT_PORTS[1]

    @property
    def addons(self) -> tuple[str, ...]:
        """Folders of `kind/addons`, in the order that they are installed in."""
        ingress = INGRESSES[self.ingress or "nginx"]
        return ("calico", "metrics-server", *((ingress,) if ingress else ()))


def configuration(wanted: Wanted) -> dict[str, Any]:
    """`cluster.yaml` with this name, so many workers, these ports, and our mark on every node."""
    (found,) = documents.load(places.KIND / "cluster.yaml")
    config: dict[str, Any] = copy.deepcopy(found)  # YAML's anchors make parts shared
    control_planes = [node for node in config["nodes"] if node["role"] == "control-plane"]
    workers = [node for node in config["nodes"] if node["role"] == "worker"]
    if wanted.workers is not None:
        workers = [copy.deepcopy(workers[0]) for _ in range(wanted.workers)]
    host = {80: wanted.http_port, 443: wanted.https_port}
    for node in control_planes:
        for mapping in node.get("extraPortMappings", ()):
            mapping["hostPort"] = host.get(mapping["containerPort"], mapping["hostPort"])
    for node in (*control_planes, *workers):
        node["labels"] = {**node.get("labels", {}), **MARK}
    return {**config, "name": wanted.name, "nodes": [*control_planes, *workers]}


def text(config: dict[str, Any]) -> str:
    """A configuration as kind reads it."""
    return yaml.safe_dump(config, sort_keys=False, width=200)


def create(wanted: Wanted) -> list[str]:
    """Makes the cluster; the configuration comes from standard input: no file for an engine in a sandbox to miss."""
    return ["kind", "create", "cluster", "--name", wanted.name, "--config", "-", *_kubeconfig(wanted.kubeconfig)]


def delete(name: str, kubeconfig: str) -> list[str]:
    """Removes the cluster and its context."""
    return ["kind", "delete", "cluster", "--name", name, *_kubeconfig(kubeconfig)]


def export(wanted: Wanted) -> list[str]:
    """Writes the context again."""
    return ["kind", "export", "kubeconfig", "--name", wanted.name, *_kubeconfig(wanted.kubeconfig)]


def apply(addon: str, access: list[str]) -> list[str]:
    """Installs an add-on; server-side, for some of its objects are too large for kubectl's annotation."""
    return ["kubectl", *access, "apply", "--server-side", f"--field-manager={MANAGER}", "-k", str(places.KIND / "addons" / addon)]


def _kubeconfig(file: str) -> list[str]:
    return ["--kubeconfig", file] if file else []


def script(wanted: Wanted) -> Iterator[str]:
    """All of it as lines for a shell."""
    yield f"{shlex.join(create(wanted))} <<'EOF'"
    yield text(configuration(wanted)).rstrip()
    yield "EOF"
    access = [*_kubeconfig(wanted.kubeconfig), "--context", wanted.context]
    for addon in wanted.addons:
        yield shlex.join(apply(addon, access))
        for kind, namespace, name in WORKLOADS[addon]:
            yield shlex.join(["kubectl", *access, "-n", namespace, "rollout", "status", f"{kind.lower()}/{name}", f"--timeout={wanted.timeout:.0f}s"])


# What runs of each add-on, as its release names it: (kind, namespace, name).
WORKLOADS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "calico": (("DaemonSet", "kube-system", "calico-node"), ("Deployment", "kube-system", "calico-kube-controllers")),
    "metrics-server": (("Deployment", "kube-system", "metrics-server"),),
    "ingress-nginx": (("Deployment", "ingress-nginx", "ingress-nginx-controller"),),
    "traefik": (("Deployment", "traefik", "traefik"),),
}
