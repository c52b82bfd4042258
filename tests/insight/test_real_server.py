"""Status cells and scheduling verdicts against a real API server and its scheduler: run with KUBEPANE_TEST_KUBECONFIG set."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from kubepane.cluster import kinds as k
from kubepane.cluster.api import Api
from kubepane.cluster.connection import Connection
from kubepane.cluster.errors import NotFound
from kubepane.cluster.freshness import Freshness, State
from kubepane.cluster.kinds import Kind
from kubepane.cluster.kubeconfig import load
from kubepane.cluster.requests import TABLE
from kubepane.cluster.stores import Stores
from kubepane.insight import pods, scheduler_message, scheduling
from kubepane.insight.why import explain_pod

KUBECONFIG = os.environ.get("KUBEPANE_TEST_KUBECONFIG", "")
PODS = int(os.environ.get("KUBEPANE_TEST_PODS", "40"))  # of random status
pytestmark = [
    pytest.mark.controlplane,
    pytest.mark.skipif(not KUBECONFIG, reason="KUBEPANE_TEST_KUBECONFIG is not set"),
    pytest.mark.timeout(120 + 2 * PODS),
]
HELD = "kubepane.test/held"
REASONS = ("", "Completed", "Error", "CrashLoopBackOff", "PodInitializing", "ContainerCreating", "OOMKilled", "ErrImagePull")


@asynccontextmanager
async def namespace(name: str) -> AsyncIterator[Api]:
    """A namespace of our own that is gone afterwards."""
    api = Api(Connection(load(KUBECONFIG, {}).context(), env={}))
    try:
        await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
        try:
            yield api
        finally:
            for pod in (await listed(api, k.PODS, name))["items"]:
                if pod["metadata"].get("finalizers"):
                    await api.patch(f"{k.PODS.path(name)}/{pod['metadata']['name']}", {"metadata": {"finalizers": None}})
            await api.delete(f"/api/v1/namespaces/{name}")
            await gone(api, name)
    finally:
        await api.close()


async def gone(api: Api, name: str) -> None:
    for _ in range(120):
        try:
            await api.get(f"/api/v1/namespaces/{name}")
        except NotFound:
            return
        await asyncio.sleep(0.5)


async def listed(api: Api, kind: Kind, where: str = "") -> Any:
    return json.loads(await api.get(kind.path(where)))


# ---- READY, STATUS, RESTARTS -------------------------------------------------------------------------------------------------


def state(dice: random.Random, past: bool = False) -> dict[str, Any]:
    ago = (datetime.now(UTC) - timedelta(seconds=dice.choice((40, 400, 4_000, 40_000)))).strftime("%Y-%m-%dT%H:%M:%SZ")
    ended = {
        "exitCode": dice.choice((0, 0, 1, 137)),
        "signal": dice.choice((0, 9)),
        "reason": dice.choice(REASONS),
        "finishedAt": ago,
        "startedAt": ago,
    }
    if past:
        return dice.choice(({}, {"terminated": ended}))
    return dice.choice(({}, {"running": {"startedAt": ago}}, {"waiting": {"reason": dice.choice(REASONS)}}, {"terminated": ended}))


def status_of(dice: random.Random, name: str) -> dict[str, Any]:
    body = {"name": name, "image": "x", "imageID": "", "ready": dice.random() < 0.5, "restartCount": dice.choice((0, 0, 1, 7))}
    return {**body, "started": dice.choice((None, True, False)), "state": state(dice), "lastState": state(dice, past=True)}


def any_pod(dice: random.Random, i: int) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """A pod that no scheduler takes, the status it is given, and whether it is deleted (and held)."""
    names, init = [f"c{j}" for j in range(dice.randint(1, 3))], [f"i{j}" for j in range(dice.randint(0, 3))]
    spec = {
        "schedulerName": "none", "containers": [{"name": n, "image": "x"} for n in names],
        "initContainers": [{"name": n, "image": "x", **({"restartPolicy": "Always"} if dice.random() < 0.5 else {})} for n in init],
        "readinessGates": [{"conditionType": "Initialized"}] if dice.random() < 0.2 else [],
    }  # fmt: skip
    conditions = [{"type": t, "status": dice.choice(("True", "False"))} for t in ("Initialized", "Ready") if dice.random() < 0.6]
    if dice.random() < 0.1:
        conditions.append({"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"})
    status = {
        "phase": dice.choice(("Pending", "Running", "Running", "Succeeded", "Failed", "Unknown")),
        "reason": dice.choice(("", "", "", "Evicted", "NodeLost")), "conditions": conditions,
        "containerStatuses": [status_of(dice, n) for n in names if dice.random() < 0.9],
        "initContainerStatuses": [status_of(dice, n) for n in init if dice.random() < 0.9],
    }  # fmt: skip
    return {"metadata": {"name": f"p{i}", "finalizers": [HELD]}, "spec": spec}, {"status": status}, dice.random() < 0.2


async def test_any_status_reads_as_the_server_prints_it() -> None:
    where, dice = "kubepane-status-test", random.Random(20261123)
    async with namespace(where) as api:
        path = k.PODS.path(where)
        for i in range(PODS):
            made, status, deleted = any_pod(dice, i)
            await api.post(path, made)
            await api.patch(f"{path}/p{i}/status", status)
            if deleted:
                await api.delete(f"{path}/p{i}")
        found = {p["metadata"]["name"]: k.decode(k.PODS, msgspec.json.encode(p)) for p in (await listed(api, k.PODS, where))["items"]}
        table = json.loads(await api.get(path, {"includeObject": "None"}, accept=TABLE))
        now = datetime.now(UTC)
    assert len(table["rows"]) == len(found) == PODS
    for name, ready, status_text, restarts, *_, gates in (row["cells"] for row in table["rows"]):
        pod = found[name]
        text = pods.status(pod)  # type: ignore[arg-type]
        assert (text.ready_text, text.status, pods.readiness_gates(pod)) == (ready, status_text, gates), name  # type: ignore[arg-type]
        assert restarts in {text.restarts_text(now - timedelta(seconds=s)) for s in (0, 1, 2)}, name
    assert len({row["cells"][2] for row in table["rows"]}) > 8


# ---- why a pod fits on no node -----------------------------------------------------------------------------------------------


def asks(cpu: str = "100m", **more: Any) -> dict[str, Any]:
    return {
        "containers": [{"name": "c", "image": "x", "resources": {"requests": {"cpu": cpu, **more.pop("requests", {})}}, **more.pop("container", {})}],
        **more,
    }


def needs(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def beside(kind: str, key: str, app: str) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


HOST = "kubernetes.io/hostname"
CASES: dict[str, dict[str, Any]] = {
    "cpu": asks("900"),
    "memory": asks(requests={"memory": "9Ti"}),
    "both": asks("900", requests={"memory": "9Ti"}),
    "gpu": asks(requests={"nvidia.com/gpu": "1"}, container={}),
    "disk": asks(requests={"ephemeral-storage": "900Ti"}),
    "selector": asks(nodeSelector={"kubepane.test/disk": "ssd"}),
    "affinity": asks(affinity=needs({"matchExpressions": [{"key": "kubepane.test/zone", "operator": "In", "values": ["a", "b"]}]})),
    "two-terms": asks("900", affinity=needs({"matchExpressions": [{"key": HOST, "operator": "Exists"}]}, {"matchExpressions": [{"key": "nope", "operator": "Exists"}]})),
    "everywhere": asks("900", tolerations=[{"operator": "Exists"}]),
    "by-value": asks("900", tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Equal", "effect": "NoSchedule"}]),
    "init": {**asks("10m"), "initContainers": [{"name": "i", "image": "x", "resources": {"requests": {"cpu": "900"}}}]},
    "port": asks(container={"ports": [{"containerPort": 80, "hostPort": 18080}]}, nodeSelector={HOST: "{node}"}),
    "apart": asks(affinity=beside("podAntiAffinity", "kubernetes.io/os", "anchor")),
    "near": asks(affinity=beside("podAffinity", HOST, "nobody")),
    "guarded": asks(nodeSelector={HOST: "{node}"}),
}  # fmt: skip
"""Specs that fit nowhere; `{node}` is the node of the anchor, a pod that has a host port and wants no pod `guarded` beside it."""

_ORDER = (
    scheduling.CORDON, scheduling.TAINT, scheduling.AFFINITY, scheduling.PORT, scheduling.PODS, scheduling.RESOURCE, scheduling.TOO_BIG,
    scheduling.VOLUME, scheduling.APART, scheduling.NEAR,
)  # fmt: skip


def deciding(verdict: scheduling.Verdict) -> Counter[str]:
    """How many nodes each of the scheduler's plugins would have turned down: it stops at the first."""
    counted: Counter[str] = Counter()
    for reasons in verdict.reasons.values():
        first = min(reasons, key=lambda r: _ORDER.index(r.kind)).kind
        kinds = (scheduling.RESOURCE, scheduling.TOO_BIG) if first in (scheduling.RESOURCE, scheduling.TOO_BIG) else (first,)
        for reason in reasons:
            if reason.kind in kinds:
                counted[scheduling.RESOURCE if reason.kind in (scheduling.RESOURCE, scheduling.TOO_BIG) else reason.kind] += 1
    return counted


async def anchor(api: Api, path: str) -> str:
    """A pod that runs somewhere; the name of its node."""
    spec = asks(container={"ports": [{"containerPort": 80, "hostPort": 18080}]}, affinity=beside("podAntiAffinity", HOST, "guarded"))
    await api.post(path, {"metadata": {"name": "anchor", "labels": {"app": "anchor"}}, "spec": spec})
    return str((await until(api, f"{path}/anchor", lambda pod: pod["spec"].get("nodeName")))["spec"]["nodeName"])


async def until(api: Api, path: str, done: Any) -> Any:
    end = time.monotonic() + 60
    while True:
        found = json.loads(await api.get(path))
        if done(found):
            return found
        assert time.monotonic() < end, path
        await asyncio.sleep(0.2)


def told(pod: Any) -> str:
    return next((c.get("message", "") for c in pod.get("status", {}).get("conditions", ()) if c["type"] == "PodScheduled"), "")


async def filled(api: Api) -> Stores:
    stores = Stores()
    for kind in (k.PODS, k.NODES, k.CLAIMS, k.VOLUMES, k.STORAGECLASSES, k.NAMESPACES):
        stores.of(kind).replace([k.decode(kind, msgspec.json.encode(item)) for item in (await listed(api, kind))["items"]])
        stores.of(kind).set_freshness(Freshness(State.LIVE))
    return stores


async def test_verdicts_are_those_of_the_scheduler() -> None:
    where = "kubepane-scheduling-test"
    async with namespace(where) as api:
        path = k.PODS.path(where)
        node = await anchor(api, path)
        for name, spec in CASES.items():
            body = json.loads(json.dumps(spec).replace("{node}", node))
            for container in body["containers"]:  # an extended resource is its limit too
                container["resources"]["limits"] = {n: q for n, q in container["resources"]["requests"].items() if "/" in n}
            await api.post(path, {"metadata": {"name": name, "labels": {"app": name}}, "spec": body})
        messages = {name: told(await until(api, f"{path}/{name}", told)) for name in CASES}
        stores = await filled(api)
    for name, said in messages.items():
        pod = stores.pods.named(where, name)
        assert pod is not None
        message, verdict = scheduler_message.parse(said), scheduling.verdict(pod, stores)
        theirs: Counter[str] = Counter()
        for part in message.parts:
            theirs[part.kind] += part.count
        assert (deciding(verdict), verdict.nodes) == (theirs, message.nodes), f"{name}: {said}\n{verdict}"
        assert "scheduler:" not in explain_pod(pod, stores)[0].clause, name  # we know all of it ourselves
