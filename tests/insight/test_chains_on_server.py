"""Claims and Ingresses on a real API server with its controllers, beside what kubectl says of them: KUBEPANE_TEST_KUBECONFIG."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clusters import live
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import claims, ingresses, network
from kubepane.insight.backends import Condition
from kubepane.insight.finding import Level

KUBECONFIG = os.environ.get("KUBEPANE_TEST_KUBECONFIG", "")
pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.skipif(not KUBECONFIG, reason="KUBEPANE_TEST_KUBECONFIG is not set"),
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl to compare with"),
    pytest.mark.timeout(300),
]
STORAGE = (k.CLAIMS, k.PODS, k.EVENTS)
NETWORK = (k.INGRESSES, k.SERVICES, k.ENDPOINTSLICES, k.SECRETS, k.NETWORKPOLICIES, k.PODS)
SHARED = (k.VOLUMES, k.STORAGECLASSES, k.NODES, k.INGRESSCLASSES)


def kubectl(*args: str, given: str | None = None) -> str:
    done = subprocess.run(["kubectl", "--kubeconfig", KUBECONFIG, *args], input=given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read(place: str, *kinds: Any) -> Stores:
    stores = live()
    for kind in (*kinds, *SHARED):
        items = json.loads(kubectl("get", "--raw", kind.path(place)))["items"]
        stores.of(kind).replace([k.decode(kind, json.dumps(item).encode()) for item in items])
    return stores


@pytest.fixture
def place() -> Iterator[str]:
    """A namespace, and a word for cluster-wide names, that go afterwards."""
    name = f"chains-{secrets.token_hex(3)}"
    kubectl("create", "namespace", name)
    yield name
    for kind in ("persistentvolumes", "storageclasses"):
        kubectl("delete", kind, "-l", f"of={name}", "--wait=false", "--ignore-not-found")
    kubectl("delete", "namespace", name, "--wait=false")


def apply(place: str, *objects: dict[str, Any]) -> None:
    kubectl("-n", place, "apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def obj(kind: str, name: str, version: str = "v1", **body: Any) -> dict[str, Any]:
    labels = {"labels": body.pop("labels")} if "labels" in body else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **labels}, **body}


def claim(name: str, size: str = "1Gi", mode: str = "ReadWriteOnce", **spec: Any) -> dict[str, Any]:
    return obj("PersistentVolumeClaim", name, spec={"accessModes": [mode], "resources": {"requests": {"storage": size}}, **spec})


def volume(place: str, name: str, **spec: Any) -> dict[str, Any]:
    body = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/d"}}
    return obj("PersistentVolume", f"{place}-{name}", labels={"of": place}, spec=body | spec)


def storageclass(place: str, name: str, provisioner: str, mode: str) -> dict[str, Any]:
    return obj("StorageClass", f"{place}-{name}", "storage.k8s.io/v1", labels={"of": place}, provisioner=provisioner, volumeBindingMode=mode)


def verdicts(place: str, wanted: dict[str, tuple[str, Level, str]], limit: float = 60) -> dict[str, tuple[str, Level, str]]:
    """What we say of each claim, read again until it is what is wanted or time is up."""
    end = time.monotonic() + limit
    while True:
        stores = read(place, *STORAGE)
        found = {}
        for name in wanted:
            chain = claims.chain(stores, place, name)
            found[name] = (chain.broken, chain.finding.level, chain.finding.clause.replace(f"{place}-", ""))
        if found == wanted or time.monotonic() > end:
            return found
        time.sleep(0.5)


def test_claims_from_asking_to_bound_and_lost(place: str) -> None:
    silent = "example.com/silent"
    apply(
        place,
        storageclass(place, "later", silent, "WaitForFirstConsumer"),
        storageclass(place, "now", silent, "Immediate"),
        storageclass(place, "local", "kubernetes.io/no-provisioner", "Immediate"),
        volume(place, "fits", storageClassName=f"{place}-word"),
        volume(place, "small", storageClassName=f"{place}-local"),
        volume(place, "once", storageClassName=f"{place}-once"),
        claim("bound", storageClassName=f"{place}-word"),
        claim("big", "9Gi", storageClassName=f"{place}-local"),
        claim("many", mode="ReadWriteMany", storageClassName=f"{place}-local"),
        claim("waits", storageClassName=f"{place}-later"),
        claim("busy", storageClassName=f"{place}-now"),
        claim("nope", storageClassName=f"{place}-nope"),
        claim("reborn", storageClassName=f"{place}-once"),
        claim("pinned", storageClassName="", volumeName=f"{place}-none"),
        obj(
            "Pod",
            "user",
            spec={"containers": [{"name": "c", "image": "i"}], "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "missing"}}]},
        ),
    )
    classes = sorted(read(place, k.CLAIMS).storageclasses, key=lambda c: c.metadata.name)
    have = [c.metadata.name + " (default)" * (c.metadata.annotations is not None and c.metadata.annotations.default_class == "true") for c in classes]
    shown = ", ".join(have[:4]) + (f" and {len(have) - 4} more" if len(have) > 4 else "")
    local = "no volume of class local fits: small"
    wanted = {
        "bound": ("", Level.OK, "bound; no pod mounts it; hostPath /d is a folder of whatever node the pod runs on"),
        "big": ("volume", Level.BAD, f"{local} 1Gi < 9Gi"),
        "many": ("volume", Level.BAD, f"{local} RWO, asks RWX"),
        "waits": ("volume", Level.WAIT, "waits for its first pod: normal"),
        "busy": ("volume", Level.BUSY, f"waits for provisioner {silent}"),
        "nope": ("class", Level.BAD, f"no StorageClass nope (have: {shown})".replace(f"{place}-", "")),
        "reborn": ("", Level.OK, "bound; no pod mounts it; hostPath /d is a folder of whatever node the pod runs on"),
        "pinned": ("volume", Level.BAD, "volume none does not exist"),
        "missing": ("claim", Level.BAD, "claim missing does not exist"),
    }
    assert verdicts(place, wanted) == wanted
    kubectl("-n", place, "delete", "pvc", "reborn", "--wait=true")
    apply(place, claim("reborn", storageClassName=f"{place}-once"))
    again = {"reborn": ("volume", Level.BAD, "no volume of class once fits: once Released, still names the deleted claim of this name")}
    assert verdicts(place, again) == again
    kubectl("delete", "pv", f"{place}-fits", "--wait=false")
    kubectl("patch", "pv", f"{place}-fits", "--type=json", "-p", '[{"op":"remove","path":"/metadata/finalizers"}]')
    lost = {"bound": ("volume", Level.BAD, "volume fits no longer exists")}
    assert verdicts(place, lost) == lost


def ingress(*paths: tuple[str, str, str | int]) -> dict[str, Any]:
    found = []
    for path, name, port in paths:
        number = {"number": port} if isinstance(port, int) else {"name": port}
        found.append({"path": path, "pathType": "Prefix", "backend": {"service": {"name": name, "port": number}}})
    return obj("Ingress", "web", "networking.k8s.io/v1", spec={"rules": [{"host": "a.x", "http": {"paths": found}}]})


def described(place: str) -> dict[str, tuple[set[str], int]]:
    """Path → the addresses that kubectl describe prints behind it, three at most, and how many there are.

    Those without a port, which nobody answers at, are left out.
    """
    found = {}
    for line in kubectl("-n", place, "describe", "ingress", "web").splitlines():
        words = line.split(maxsplit=2)
        if len(words) == 3 and words[0].startswith("/"):
            listed, _, more = words[2].strip("()").partition(" + ")
            addresses = {a for a in listed.split(",") if ":" in a}
            found[words[0]] = (addresses, len(addresses) + (int(more.split()[0]) if more else 0))
    return found


def test_endpoints_are_those_of_kubectl_describe_through_a_rollout(place: str) -> None:
    labels = {"app": "web"}
    container = {"name": "c", "image": "registry.k8s.io/pause:3.10", "ports": [{"name": "http", "containerPort": 8080}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 5}}
    apply(
        place,
        obj("Deployment", "web", "apps/v1", spec={"replicas": 3, "selector": {"matchLabels": labels}, "template": template}),
        obj("Service", "web", spec={"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}, {"name": "odd", "port": 81, "targetPort": "odd"}]}),
        obj("Service", "bare", spec={"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}),
        obj("Service", "empty", spec={"selector": {"app": "nobody"}, "ports": [{"port": 80}]}),
        obj("NetworkPolicy", "deny", "networking.k8s.io/v1", spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
        ingress(("/name", "web", "http"), ("/number", "web", 80), ("/odd", "web", 81), ("/wrong", "web", "wrong"), ("/bare", "bare", 80), ("/empty", "empty", 80)),
    )  # fmt: skip
    compared = _follow(place, until=3)
    kubectl("-n", place, "scale", "deployment/web", "--replicas=5")
    compared += _follow(place, until=5)
    kubectl("-n", place, "rollout", "restart", "deployment/web")
    time.sleep(1)
    compared += _follow(place, until=5)
    assert compared >= 3
    stores = read(place, *NETWORK)
    web = stores.ingresses.named(place, "web")
    policy = stores.networkpolicies.named(place, "deny")
    assert web is not None
    assert policy is not None
    assert {r.rule.path: r.served for r in ingresses.routes(stores, web)} == {
        "/name": "5/5 ready", "/number": "5/5 ready", "/odd": "no such port", "/wrong": "no port wrong", "/bare": "5/5 ready", "/empty": "no endpoints",
    }  # fmt: skip
    assert network.explain_policy(stores, policy)[0].clause == "blocks DNS for 5 pods: names cannot be resolved"


def _follow(place: str, until: int) -> int:
    """Compares until so many endpoints are ready; how many times nothing moved while both were read."""
    compared, end = 0, time.monotonic() + 80
    while time.monotonic() < end:
        before = read(place, *NETWORK)
        theirs = described(place)
        after = read(place, *NETWORK)
        web = before.ingresses.named(place, "web")
        assert web is not None
        if _versions(before) == _versions(after):
            compared += 1
            for route in ingresses.routes(before, web):
                ours = {f"{e.address}:{e.port}" for e in route.endpoints.all if e.condition is Condition.READY}
                shown, count = theirs[route.rule.path]
                assert shown <= ours, route.rule.path
                assert count == len(ours), route.rule.path
            ready = ingresses.routes(before, web)[0].endpoints
            if ready.ready == until == len(ready.all):
                return compared
        time.sleep(0.3)
    pytest.fail(f"there never were {until} ready endpoints and no other")


def _versions(stores: Stores) -> set[str]:
    return {s.metadata.resource_version for s in stores.endpointslices}
