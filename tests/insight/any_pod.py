"""Pods in every state that the API allows, likely or not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from builders import make
from kubepane.cluster import kinds as k

AGO = "2026-06-01T11:55:00Z"

reasons = st.sampled_from(["", "Completed", "Error", "CrashLoopBackOff", "PodInitializing", "ContainerCreating", "OOMKilled", "ErrImagePull"])
terminated = st.fixed_dictionaries(
    {"exitCode": st.sampled_from([0, 1, 137]), "signal": st.sampled_from([0, 9]), "reason": reasons, "finishedAt": st.just(AGO)}
)
states = st.one_of(
    st.just({}), st.just({"running": {"startedAt": AGO}}), st.builds(lambda r: {"waiting": {"reason": r}}, reasons),
    st.builds(lambda t: {"terminated": t}, terminated),
)  # fmt: skip
statuses = st.fixed_dictionaries(
    {"state": states, "lastState": st.one_of(st.just({}), st.builds(lambda t: {"terminated": t}, terminated)), "ready": st.booleans(),
     "restartCount": st.integers(0, 9), "started": st.sampled_from([None, True, False])}
)  # fmt: skip


@st.composite
def any_pod(draw: st.DrawFn) -> Any:
    n, init = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    given_statuses = [{"name": f"c{i}", **draw(statuses)} for i in range(n)]
    init_statuses = [{"name": f"i{i}", **draw(statuses)} for i in range(init)]
    conditions = [{"type": t, "status": draw(st.sampled_from(["True", "False"]))} for t in ("Initialized", "Ready") if draw(st.booleans())]
    if draw(st.booleans()):
        conditions.append({"type": "PodScheduled", "status": "False", "reason": draw(st.sampled_from(["SchedulingGated", "Unschedulable"]))})
    spec = {
        "nodeName": draw(st.sampled_from(["", "worker-1"])), "containers": [{"name": f"c{i}"} for i in range(n)],
        "initContainers": [{"name": f"i{i}", **({"restartPolicy": "Always"} if draw(st.booleans()) else {})} for i in range(init)],
    }  # fmt: skip
    status = {
        "phase": draw(st.sampled_from(["", "Pending", "Running", "Succeeded", "Failed", "Unknown"])),
        "reason": draw(st.sampled_from(["", "Evicted", "NodeLost"])),
        "conditions": conditions, "containerStatuses": given_statuses, "initContainerStatuses": init_statuses,
    }  # fmt: skip
    deleted = {"deletionTimestamp": AGO} if draw(st.booleans()) else {}
    return make(k.PODS, "p", spec=spec, status=status, **deleted)
