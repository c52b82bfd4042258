"""The command lines of the parts. The flags follow kwokctl's binary runtime, with the names of our own certificates."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from kubepane_controlplane.certificates import ADMIN

WEBSOCKETS_TO_KUBELETS = "--feature-gates=TranslateStreamCloseWebsocketRequests=false,PortForwardWebsockets=false"
"""The API server passes WebSockets on as they are, instead of speaking SPDY to kubelets: ours do not."""
HEALTH = "--authorization-always-allow-paths=/healthz,/readyz,/livez,/metrics"
FAST_HPA = (
    "--horizontal-pod-autoscaler-sync-period=5s",
    "--horizontal-pod-autoscaler-cpu-initialization-period=5s",
    "--horizontal-pod-autoscaler-initial-readiness-delay=2s",
    "--horizontal-pod-autoscaler-downscale-stabilization=30s",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one control plane lives: its binaries, its state, its ports on 127.0.0.1."""

    binaries: Path
    folder: Path
    etcd: int
    etcd_peer: int
    api: int
    controllers: int
    scheduler: int
    kwok: int
    kubelets: int
    metrics: int

    @property
    def kubeconfig(self) -> Path:
        """The admin's."""
        return self.folder / "kubeconfig"

    def kubeconfig_of(self, part: str) -> Path:
        """A part's own."""
        return self.folder / f"{part}.kubeconfig"

    @property
    def _tls(self) -> list[str]:
        return [f"--tls-cert-file={self.folder}/leaf.crt", f"--tls-private-key-file={self.folder}/leaf.key"]

    def _part(self, verb: str) -> list[str]:
        return [str(self.binaries / "controlplane"), verb]

    def etcd_command(self) -> list[str]:
        """Without fsync: the state is thrown away."""
        client, peer = f"http://127.0.0.1:{self.etcd}", f"http://127.0.0.1:{self.etcd_peer}"
        return [
            *self._part("etcd"),
            "--name=node0",
            f"--data-dir={self.folder}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=node0={peer}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=4294967296",
        ]

    def api_command(self, audit: bool, simulated: bool) -> list[str]:
        """The API server, with RBAC enforced and the aggregation layer on; `simulated`: its kubelets are our own."""
        folder = self.folder
        logged = [f"--audit-policy-file={folder}/audit.yaml", f"--audit-log-path={folder}/audit.log", "--audit-log-mode=blocking"]
        return [
            *self._part("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self.etcd}",
            "--etcd-prefix=/registry",
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.api}",
            *self._tls,
            f"--client-ca-file={folder}/ca.crt",
            "--authorization-mode=Node,RBAC",
            f"--service-account-key-file={folder}/leaf.key",
            f"--service-account-signing-key-file={folder}/leaf.key",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--proxy-client-cert-file={folder}/leaf.crt",
            f"--proxy-client-key-file={folder}/leaf.key",
            f"--requestheader-client-ca-file={folder}/ca.crt",
            f"--requestheader-allowed-names={ADMIN}",
            f"--kubelet-client-certificate={folder}/leaf.crt",
            f"--kubelet-client-key={folder}/leaf.key",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--max-requests-inflight=2000",
            "--max-mutating-requests-inflight=1000",
            *(logged if audit else []),
            *([WEBSOCKETS_TO_KUBELETS] if simulated else []),
        ]

    def controllers_command(self, fast_hpa: bool) -> list[str]:
        """All controllers; with `fast_hpa` the HPA looks every 5 s and forgets after 30."""
        return [
            *self._part("kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig_of('kube-controller-manager')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.controllers}",
            HEALTH,
            f"--root-ca-file={self.folder}/ca.crt",
            f"--service-account-private-key-file={self.folder}/leaf.key",
            "--leader-elect=false",
            "--use-service-account-credentials=false",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--concurrent-deployment-syncs=20",
            "--concurrent-replicaset-syncs=20",
            *(FAST_HPA if fast_hpa else ()),
        ]

    def scheduler_command(self) -> list[str]:
        """The scheduler."""
        port = f"--secure-port={self.scheduler}"
        return [
            *self._part("kube-scheduler"),
            f"--kubeconfig={self.kubeconfig_of('kube-scheduler')}",
            "--bind-address=127.0.0.1",
            port,
            HEALTH,
            "--leader-elect=false",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        ]

    def kwok_command(self) -> list[str]:
        """Kubelets for thousands of nodes and pods, without probes."""
        return [
            str(self.binaries / "kwok"),
            f"--kubeconfig={self.kubeconfig_of('kwok')}",
            f"--config={self.binaries}/kwok.yaml",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--manage-all-nodes=false",
            f"--server-address=127.0.0.1:{self.kwok}",
            f"--node-port={self.kwok}",
            "--node-name=localhost",
            "--node-ip=",
            *self._tls,
            "--node-lease-duration-seconds=40",
        ]

    def kubelets_command(self, nodes: int) -> list[str]:
        """Simulated kubelets, with probes, images, crashes, logs and load, for so many nodes."""
        return [
            sys.executable,
            "-m",
            "kubepane_controlplane.kubelets",
            f"--kubeconfig={self.kubeconfig_of('kubelets')}",
            f"--nodes={nodes}",
            f"--port={self.kubelets}",
            f"--folder={self.folder}",
        ]

    def metrics_command(self) -> list[str]:
        """metrics-server, scraping the kubelets every 10 s (its least)."""
        return [
            str(self.binaries / "metrics-server"),
            f"--kubeconfig={self.kubeconfig_of('metrics-server')}",
            f"--authentication-kubeconfig={self.kubeconfig_of('metrics-server')}",
            f"--authorization-kubeconfig={self.kubeconfig_of('metrics-server')}",
            "--kubelet-insecure-tls",
            "--kubelet-use-node-status-port",
            "--kubelet-preferred-address-types=Hostname,InternalIP",
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.metrics}",
            *self._tls,
        ]
