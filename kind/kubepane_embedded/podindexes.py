"""Indexes of pods that several parts share: by node and by claim (pkg/controller/controller_utils.go, volume/common/common.go)."""

from __future__ import annotations

from kubepane_embedded.meta import Object, key_of, labels_of
from kubepane_embedded.podfacts import node_of
from kubepane_embedded.storage import Storage

SYNTHETIC = "kubepane.io/synthetic"


def pods_on(storage: Storage, node: str) -> list[Object]:
    """All pods bound to a node; call `index_pods_by_node` once before."""
    return storage.find("pods", "node", node)


def pods_using(storage: Storage, namespace: str, claim: str) -> list[Object]:
    """All pods that name a claim in a volume; call `index_pods_by_claim` once before."""
    return storage.find("pods", "claim", f"{namespace}/{claim}")


def claims_of(pod: Object) -> list[str]:
    """Names of the claims in a pod's volumes; an ephemeral volume's claim is named after pod and volume."""
    name = key_of(pod)[1]
    found = []
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        if volume.get("persistentVolumeClaim"):
            found.append(volume["persistentVolumeClaim"].get("claimName") or "")
        elif volume.get("ephemeral"):
            found.append(f"{name}-{volume.get('name')}")
    return found


def index_pods_by_node(storage: Storage) -> None:
    """Keep the index `node` of pods."""
    storage.add_index("pods", "node", lambda pod: (node_of(pod),) if node_of(pod) else ())


def index_pods_by_claim(storage: Storage) -> None:
    """Keep the index `claim` of pods: `namespace/name`."""
    storage.add_index("pods", "claim", lambda pod: [f"{key_of(pod)[0]}/{name}" for name in claims_of(pod)])


def is_synthetic(pod: Object) -> bool:
    """Whether it is a pod of a load test, which nobody looks after."""
    return labels_of(pod).get(SYNTHETIC) == "true"
