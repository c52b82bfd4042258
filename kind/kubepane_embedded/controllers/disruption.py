"""The condition DisruptionTarget: why somebody is about to end a pod (pkg/api/v1/pod/util.go)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.client import Client
from kubepane_embedded.meta import Object, key_of
from kubepane_embedded.podfacts import condition

KIND = "DisruptionTarget"


def with_disruption(client: Client, pod: Object, reason: str, message: str) -> list[dict[str, Any]]:
    """The pod's conditions with that one set; its time stays when it was True before."""
    present = condition(pod, KIND) or {}
    since = present.get("lastTransitionTime") if present.get("status") == "True" else client.clock.stamp()
    wanted = {"type": KIND, "status": "True", "lastProbeTime": None, "lastTransitionTime": since, "reason": reason, "message": message}
    if pod["metadata"].get("generation"):
        wanted["observedGeneration"] = pod["metadata"]["generation"]
    others = [one for one in (pod.get("status") or {}).get("conditions") or [] if one.get("type") != KIND]
    return [*others, wanted]


def announce(client: Client, pod: Object, reason: str, message: str) -> Object:
    """Write the condition when it says something new; returns the pod as it is now."""
    present = condition(pod, KIND) or {}
    if (present.get("status"), present.get("reason"), present.get("message")) == ("True", reason, message):
        return pod
    return client.patch_status("pods", *key_of(pod), {"conditions": with_disruption(client, pod, reason, message)})
