"""Rollouts as a real controller manager does them: what is asked step by step, and what is compared.

Run as a program with a kubeconfig to record them anew from a cluster whose nodes make pods ready by themselves:
`python tests/embedded/rollouts.py KUBECONFIG > tests/embedded/recorded/rollouts.json` (a few minutes; namespaces `rollout-*` come and go).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]
NOWHERE = {"nodeSelector": {"kubernetes.io/hostname": "nowhere"}}
"""Pods with this never become ready."""
STILL = 12.0
"""Seconds without change after which a step is over."""


def container(version: int) -> Object:
    return {"name": "c", "image": f"nginx:{version}"}


def deployment(replicas: int, **spec: Any) -> Object:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [container(1)]}}
    wanted = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
    meta = {"name": "web", "labels": labels, "annotations": {"note": "first"}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": wanted}


def image(version: int) -> Object:
    return {"spec": {"template": {"spec": {"containers": [container(version)], "nodeSelector": None}}}}


def size(replicas: int) -> Object:
    return {"spec": {"replicas": replicas}}


def paused(on: bool) -> Object:
    return {"spec": {"paused": on}}


STUCK = {"spec": {"template": {"spec": NOWHERE}}}
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}}
SCENARIOS: dict[str, dict[str, Any]] = {
    "rollout": {
        "create": deployment(3),
        "steps": [image(2), size(5), {"metadata": {"annotations": {"note": "second"}}}, image(1), size(0), size(2)],
    },
    "pause": {
        "create": deployment(3),
        "steps": [paused(True), image(2), size(4), paused(False), image(1)],
    },
    "stuck": {
        "create": deployment(4, progressDeadlineSeconds=6, strategy=ROLLING),
        "steps": [STUCK, size(10), image(1)],
    },
    "shrink": {
        "create": deployment(8, progressDeadlineSeconds=6, strategy=ROLLING),
        "steps": [STUCK, size(4), image(3)],
    },
    "recreate": {"create": deployment(2, strategy={"type": "Recreate"}), "steps": [image(2), size(3), image(1)]},
    "history": {"create": deployment(1, revisionHistoryLimit=1), "steps": [image(2), image(3), image(4), image(3)]},
    "quota": {"quota": {"pods": "2"}, "create": deployment(4, progressDeadlineSeconds=6), "steps": [size(2), image(2)]},
}


def creation(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["creationTimestamp"], obj["metadata"].get("resourceVersion", "")


class Names:
    """Names of ReplicaSets by the order in which they came, for they depend on hashes."""

    def __init__(self) -> None:
        self.known: list[str] = []

    def learn(self, names: Iterable[str]) -> None:
        self.known += [name for name in names if name not in self.known]

    def plain(self, text: str) -> str:
        for number, name in enumerate(self.known, 1):
            text = re.sub(rf"{name}-\w{{5}}\b", f"web-{number}-pod", text).replace(name, f"web-{number}")
        return text


def seen(web: Object, replica_sets: list[Object], names: Names) -> Object:
    """What is compared after a step: everything but times, uids and hashes."""
    names.learn(one["metadata"]["name"] for one in sorted(replica_sets, key=creation))
    shown = {names.plain(one["metadata"]["name"]): {**_shown(one, names), "labels": sorted(one["metadata"]["labels"])} for one in replica_sets}
    return {"deployment": _shown(web, names), "replicaSets": dict(sorted(shown.items()))}


def _shown(obj: Object, names: Names) -> Object:
    status = dict(obj.get("status") or {})
    observed = status.pop("observedGeneration", None)
    conditions = [{key: names.plain(value) for key, value in one.items() if not key.startswith("last")} for one in status.pop("conditions", [])]
    return {
        "annotations": {key: value for key, value in (obj["metadata"].get("annotations") or {}).items() if "last-applied" not in key},
        "replicas": obj["spec"]["replicas"],
        "observed": observed == obj["metadata"]["generation"],
        "status": status,
        "conditions": conditions,
    }


def told(events: list[Object], names: Names) -> Object:
    """Events, given in their order: of Deployments in that order, of ReplicaSets by how often.

    Which messages count as one once there are ten is chance upstream, so only the first ones and the total are compared.
    """
    about = [event for event in events if event["involvedObject"]["kind"] == "Deployment"]
    pods = [event for event in events if event["involvedObject"]["kind"] == "ReplicaSet"]
    counts: Counter[str] = Counter()
    for event in pods:
        text = f"{names.plain(event['involvedObject']['name'])}: {event['type']} {event['reason']} {names.plain(event['message'])}"
        counts[text] += event["count"]
    steady = {text: "some" if "FailedCreate" in text else count for text, count in sorted(counts.items()) if "(combined" not in text}
    own = [[one["type"], one["reason"], names.plain(one["message"])] for one in about if "(combined" not in one["message"]]
    return {"deployment": own, "times": sum(one["count"] for one in about), "replicaSets": steady}


class Kubectl:
    """kubectl in one namespace of the cluster to be recorded."""

    def __init__(self, kubeconfig: str, namespace: str) -> None:
        self.command = ["kubectl", "--kubeconfig", kubeconfig, "--namespace", namespace]

    def __call__(self, *arguments: str, body: Object | None = None) -> Any:
        text = json.dumps(body) if body is not None else None
        done = subprocess.run([*self.command, *arguments], input=text, capture_output=True, text=True, check=True)
        return json.loads(done.stdout) if "json" in arguments else done.stdout

    def look(self, names: Names) -> Object:
        return seen(self("get", "deployment", "web", "-o", "json"), self("get", "replicasets", "-o", "json")["items"], names)

    def settled(self, names: Names) -> Object:
        last, since = self.look(names), time.monotonic()
        while time.monotonic() - since < STILL:
            time.sleep(0.5)
            now = self.look(names)
            if now != last:
                last, since = now, time.monotonic()
        return last


def moment(event: Object) -> str:
    """When an event was first told, to the nanosecond, as its name says."""
    return str(event["metadata"]["name"]).rpartition(".")[2]


def record(kubeconfig: str, name: str) -> Object:
    """One scenario on the real cluster."""
    scenario = SCENARIOS[name]
    kubectl, names = Kubectl(kubeconfig, f"rollout-{name}"), Names()
    kubectl("create", "namespace", f"rollout-{name}")
    try:
        if "quota" in scenario:
            kubectl("create", "quota", "q", "--hard", ",".join(f"{key}={value}" for key, value in scenario["quota"].items()))
        kubectl("create", "-f", "-", body=scenario["create"])
        results = [kubectl.settled(names)]
        for patch in scenario["steps"]:
            kubectl("patch", "deployment", "web", "--type=merge", "-p", json.dumps(patch))
            results.append(kubectl.settled(names))
        events = sorted(kubectl("get", "events", "-o", "json")["items"], key=moment)
        return {"results": results, "events": told(events, names)}
    finally:
        kubectl("delete", "namespace", f"rollout-{name}", "--wait=false")


if __name__ == "__main__":
    version = Kubectl(sys.argv[1], "default")("version", "-o", "json")["serverVersion"]["gitVersion"]
    recorded = {name: record(sys.argv[1], name) for name in sys.argv[2:] or SCENARIOS}
    print(json.dumps({"version": version, "scenarios": recorded}, indent=1))
