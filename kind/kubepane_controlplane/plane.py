"""A control plane as a context manager: started on free ports, ready when it says so, gone without a trace."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import ssl
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from kubepane_controlplane import building, certificates
from kubepane_controlplane.commands import Place
from kubepane_controlplane.processes import Process

Object = dict[str, Any]
PATIENCE = 120.0
LOOK = 0.05
CONTEXT = "controlplane"
CLIENTS = ("kube-controller-manager", "kube-scheduler", "kwok")
AUDITED = {"level": "Metadata"}
NOT_AUDITED = {"level": "None", "users": ["system:apiserver", *(f"system:{name}" for name in certificates.CLIENTS)]}


class NotReady(Exception):
    """A part did not come up; the text names it and its log."""


class ControlPlane:
    """etcd, API server, controllers, scheduler, and on request nodes and metrics-server.

    Args:
        nodes: KWOK nodes, the first of them a control-plane node; 0 leaves KWOK out.
        simulated: Nodes with simulated kubelets, likewise: probes, images, logs and load are theirs alone, and they take real time.
        metrics: Whether metrics-server runs.
        audit: Whether every request of a client is written to `audit.log`.
        fast_hpa: Whether the HPA looks every 5 s instead of every 15.
        folder: Where the state lives; a temporary folder, removed at the end, by default.
    """

    def __init__(
        self, nodes: int = 4, simulated: int = 0, metrics: bool = True, audit: bool = False, fast_hpa: bool = True, folder: Path | None = None
    ) -> None:
        if not building.is_built():
            raise building.CannotBuild("the control plane is not built: make controlplane")
        self._own = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="kubepane-controlplane-"))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.place = Place(building.cache(), self.folder, *free_ports(8))
        self._nodes, self._audit = nodes, audit
        place = self.place
        commands = {
            "etcd": place.etcd_command(),
            "kube-apiserver": place.api_command(audit, simulated > 0),
            "kube-controller-manager": place.controllers_command(fast_hpa),
            "kube-scheduler": place.scheduler_command(),
            **({"kwok": place.kwok_command()} if nodes else {}),
            **({"kubelets": place.kubelets_command(simulated)} if simulated else {}),
            **({"metrics-server": place.metrics_command()} if metrics else {}),
        }
        ours = {"PYTHONPATH": str(building.SOURCES.parent)}  # for the kubelets, which are a program of ours
        self.parts = {name: Process(name, command, self.folder, ours) for name, command in commands.items()}

    @property
    def kubeconfig(self) -> Path:
        """The admin's kubeconfig (0600)."""
        return self.place.kubeconfig

    # life

    def start(self) -> Path:
        """Start everything; returns the kubeconfig once the API answers and the nodes are there.

        Raises:
            NotReady: A part did not come up.
        """
        certificates.write(self.folder)
        self._write_kubeconfig(self.kubeconfig, "leaf")
        for name in certificates.CLIENTS:
            self._write_kubeconfig(self.place.kubeconfig_of(name), name)
        if self._audit:
            policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [NOT_AUDITED, AUDITED]}
            (self.folder / "audit.yaml").write_text(json.dumps(policy), encoding="utf-8")
        self.parts["etcd"].start()
        self.parts["kube-apiserver"].start()
        self.until_ready()
        for name, part in self.parts.items():
            if name not in ("etcd", "kube-apiserver"):
                part.start()
        if "metrics-server" in self.parts:
            self._register_metrics()
        for number in range(self._nodes):
            self.create("/api/v1/nodes", _node(number))
        return self.kubeconfig

    def stop(self) -> None:
        """End all parts, the API server's clients first, and remove the state if it is ours."""
        for part in reversed(self.parts.values()):
            part.stop()
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> ControlPlane:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def until_ready(self) -> None:
        """Wait for /readyz of the API server; NotReady when it does not come."""
        self._until("kube-apiserver", lambda: self.get("/readyz")[0] == 200)

    def restart(self, name: str) -> None:
        """Start a part again that was killed or stopped; waits for the API server where it is that."""
        self.parts[name].start()
        if name in ("etcd", "kube-apiserver"):
            self.until_ready()

    def _until(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not ready():
            code = self.parts[name].code
            if code is not None:
                raise NotReady(f"{name} ended with {code}: see {self.folder}/{name}.log")
            if time.monotonic() > deadline:
                raise NotReady(f"{name} was not ready in {PATIENCE:.0f} s: see {self.folder}/{name}.log")
            time.sleep(LOOK)

    # etcd

    def compact(self) -> int:
        """Forget all history in etcd; returns the revision up to which it is gone."""
        revision = int(self._etcd("/v3/kv/range", {"key": base64.b64encode(b"\0").decode()})["header"]["revision"])
        self._etcd("/v3/kv/compaction", {"revision": str(revision)})
        return revision

    def save(self) -> Path:
        """Copy the state of etcd, which stands still meanwhile; give it to `restore`."""
        copy = Path(tempfile.mkdtemp(prefix="saved-", dir=self.folder)) / "etcd"
        self.parts["etcd"].stop()
        shutil.copytree(self.folder / "etcd", copy)
        self.restart("etcd")
        return copy

    def restore(self, copy: Path) -> None:
        """Put an older state of etcd back, as after a disaster: revisions go backwards.

        The API server is restarted, and so is what runs of upstream's clients: they wait for revisions that do not come again (etcd's manual).
        """
        running = [part for name, part in self.parts.items() if name in CLIENTS and part.pid]
        for part in running:
            part.kill()
        self.parts["kube-apiserver"].kill()
        self.parts["etcd"].kill()
        shutil.rmtree(self.folder / "etcd")
        shutil.copytree(copy, self.folder / "etcd")
        self.parts["etcd"].start()
        self.restart("kube-apiserver")
        for part in running:
            part.start()

    def _etcd(self, path: str, body: Object) -> Object:
        request = urllib.request.Request(f"http://127.0.0.1:{self.place.etcd}{path}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            decoded: Object = json.load(answer)
        return decoded

    # requests

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET as the admin; status 0 when no answer came."""
        return self._request("GET", path, None)

    def create(self, path: str, obj: Object) -> None:
        """Create an object; RuntimeError when the server refuses it, one that is there already is well."""
        status, body = self._request("POST", path, obj)
        if status not in (201, 409):
            raise RuntimeError(f"POST {path}: {status} {body[:300].decode(errors='replace')}")

    def annotate(self, path: str, annotations: dict[str, str | None]) -> tuple[int, bytes]:
        """Merge-patch annotations of an object; None takes one away."""
        return self._request("PATCH", path, {"metadata": {"annotations": annotations}})

    def delete(self, path: str) -> tuple[int, bytes]:
        """Status and body of a DELETE."""
        return self._request("DELETE", path, None)

    def _request(self, method: str, path: str, obj: Object | None) -> tuple[int, bytes]:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        context.load_cert_chain(self.folder / "leaf.crt", self.folder / "leaf.key")
        data = None if obj is None else json.dumps(obj).encode()
        url = f"https://127.0.0.1:{self.place.api}{path}"
        request = urllib.request.Request(
            url, data, {"Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read()
        except OSError as error:
            return 0, str(error).encode()

    def _write_kubeconfig(self, path: Path, certificate: str) -> None:
        folder = self.folder
        cluster = {"server": f"https://127.0.0.1:{self.place.api}", "certificate-authority": f"{folder}/ca.crt"}
        user = {"client-certificate": f"{folder}/{certificate}.crt", "client-key": f"{folder}/leaf.key"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": CONTEXT,
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": certificate, "user": user}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": certificate}}],
        }
        path.touch(0o600)
        path.write_text(json.dumps(config), encoding="utf-8")

    def _register_metrics(self) -> None:
        port = {"port": self.place.metrics, "name": "https"}
        meta = {"name": "metrics-server", "namespace": "kube-system"}
        service = {"metadata": meta, "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [port]}}
        spec = {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {**meta, "port": self.place.metrics},
        }
        self._until("kube-apiserver", lambda: self.get("/api/v1/namespaces/kube-system")[0] == 200)
        self.create("/api/v1/namespaces/kube-system/services", service)
        self.create("/apis/apiregistration.k8s.io/v1/apiservices", {"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": spec})


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _node(number: int) -> Object:
    """A node that KWOK takes care of; number 0 is the control plane's."""
    name = "cp-0" if number == 0 else f"worker-{number}"
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "type": "kwok"}
    spec: Object = {}
    if number == 0:
        labels |= {"node-role.kubernetes.io/control-plane": "", "ingress-ready": "true"}
        spec = {"taints": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]}
    notes = {"kwok.x-k8s.io/node": "fake", "metrics.k8s.io/resource-metrics-path": f"/metrics/nodes/{name}/metrics/resource"}
    size = {"cpu": "64", "memory": "256Gi", "pods": "5000"}
    status = {"allocatable": size, "capacity": size}
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": labels, "annotations": notes}, "spec": spec, "status": status}
