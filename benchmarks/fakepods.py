"""Made-up pods of about 6 KB, as a Deployment of a usual web application makes them."""

from __future__ import annotations

import json
from typing import Any

TEAMS = 5
CREATED = "2026-01-01T00:00:00Z"


def pod_spec() -> dict[str, Any]:
    """The pod template's spec: one container with environment, probes, resources and a volume."""
    probe = {"httpGet": {"path": "/login", "port": 8080}, "periodSeconds": 10}
    container = {
        "name": "c",
        "image": "example/app:1.2.3",
        "env": [{"name": f"SETTING_{i:02d}", "value": f"value-number-{i:02d}-of-this-container"} for i in range(30)],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
    }
    return {"containers": [container], "volumes": [{"name": "cfg", "configMap": {"name": "kube-root-ca.crt"}}], "terminationGracePeriodSeconds": 1}


def labels(team: int) -> dict[str, str]:
    """The labels by which the scripts find these pods again."""
    return {"app": "load", "load": "yes", "team": f"t{team % TEAMS}"}


def fake_pod(number: int, version: int = 0) -> dict[str, Any]:
    """A whole running pod with status and managed fields, as a server sends it; `version` changes what a watch event changes."""
    return {"metadata": _metadata(number, version), "spec": _placed_spec(number), "status": _status(number, version)}


def _metadata(number: int, version: int) -> dict[str, Any]:
    space, owner = f"load-{number % 20:02d}", "load-app-7c9f8d6b54"
    return {
        "name": f"{owner}-{number:05d}",
        "generateName": f"{owner}-",
        "namespace": space,
        "uid": f"00000000-0000-4000-8000-{number:012d}",
        "resourceVersion": str(1000 + number + version * 100_000),
        "creationTimestamp": CREATED,
        "labels": {**labels(number), "pod-template-hash": "7c9f8d6b54"},
        "annotations": {"note": "x" * 600},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": f"rs-{space}", "controller": True}],
        "managedFields": [_managed("kube-controller-manager", "f:spec"), _managed("kubelet", "f:status")],
    }


def _managed(manager: str, part: str) -> dict[str, Any]:
    keys = ("livenessProbe", "readinessProbe", "env", "resources", "ports")
    paths: dict[str, Any] = {f"f:{key}": {".": {}, "f:periodSeconds": {}, "f:failureThreshold": {}} for key in keys}
    return {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": CREATED, "fieldsType": "FieldsV1", "fieldsV1": {part: paths}}


def _placed_spec(number: int) -> dict[str, Any]:
    tolerated = ("not-ready", "unreachable")
    tolerations = [{"key": f"node.kubernetes.io/{t}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for t in tolerated]
    return {
        **pod_spec(),
        "nodeName": f"worker-{number % 19 + 1}",
        "restartPolicy": "Always",
        "serviceAccountName": "default",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "tolerations": tolerations,
    }


def _status(number: int, version: int) -> dict[str, Any]:
    states = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    container = {
        "name": "c",
        "image": "example/app:1.2.3",
        "imageID": "",
        "containerID": f"containerd://{number:064x}",
        "ready": True,
        "started": True,
        "restartCount": version,
        "state": {"running": {"startedAt": CREATED}},
        "lastState": {},
    }
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {
        "phase": "Running",
        "conditions": [{"type": t, "status": "True", "lastProbeTime": None, "lastTransitionTime": CREATED} for t in states],
        "hostIP": "10.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": CREATED,
        "containerStatuses": [container],
        "qosClass": "Burstable",
    }


def fake_pods(count: int, version: int = 0) -> list[bytes]:
    """The JSON of so many pods."""
    return [json.dumps(fake_pod(number, version), separators=(",", ":")).encode() for number in range(count)]
