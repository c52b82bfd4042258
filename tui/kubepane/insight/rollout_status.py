"""What `kubectl rollout status` says, and the numbers that limit a rollout.

Sources: kubectl pkg/polymorphichelpers/rollout_status.go, pkg/controller/deployment/util (ResolveFenceposts). What the server
leaves out is 0: while paused or within minReadySeconds, updatedReplicas and availableReplicas are absent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from kubepane.cluster import resources as r

TIMED_OUT = "ProgressDeadlineExceeded"
C = TypeVar("C", bound=r.Condition)


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What `kubectl rollout status` says.

    Attributes:
        text: its sentence, without the line break.
        done: it would stop waiting.
        failed: it would stop with an error.
    """

    text: str
    done: bool = False
    failed: bool = False


# ---- kubectl rollout status ----------------------------------------------------------------------------------------------


def deployment_status(d: r.Deployment) -> Verdict:
    """`kubectl rollout status deployment/…`."""
    status, name = d.status, d.metadata.name
    if d.metadata.generation > status.observed_generation:
        return Verdict("Waiting for deployment spec update to be observed...")
    progressing = condition(status.conditions, "Progressing")
    if progressing is not None and progressing.reason == TIMED_OUT:
        return Verdict(f'deployment "{name}" exceeded its progress deadline', failed=True)
    waiting = f'Waiting for deployment "{name}" rollout to finish: '
    if d.spec.replicas is not None and status.updated_replicas < d.spec.replicas:
        return Verdict(f"{waiting}{status.updated_replicas} out of {d.spec.replicas} new replicas have been updated...")
    if status.replicas > status.updated_replicas:
        return Verdict(f"{waiting}{status.replicas - status.updated_replicas} old replicas are pending termination...")
    if status.available_replicas < status.updated_replicas:
        return Verdict(f"{waiting}{status.available_replicas} of {status.updated_replicas} updated replicas are available...")
    return Verdict(f'deployment "{name}" successfully rolled out', done=True)


def daemonset_status(d: r.DaemonSet) -> Verdict:
    """`kubectl rollout status daemonset/…`."""
    status, name = d.status, d.metadata.name
    if d.spec.update_strategy.type != "RollingUpdate":
        return _no_status()
    if d.metadata.generation > status.observed_generation:
        return Verdict("Waiting for daemon set spec update to be observed...")
    waiting, desired = f'Waiting for daemon set "{name}" rollout to finish: ', status.desired_number_scheduled
    if status.updated_number_scheduled < desired:
        return Verdict(f"{waiting}{status.updated_number_scheduled} out of {desired} new pods have been updated...")
    if status.number_available < desired:
        return Verdict(f"{waiting}{status.number_available} of {desired} updated pods are available...")
    return Verdict(f'daemon set "{name}" successfully rolled out', done=True)


def statefulset_status(s: r.StatefulSet) -> Verdict:
    """`kubectl rollout status statefulset/…`."""
    status, spec = s.status, s.spec
    if spec.update_strategy.type != "RollingUpdate":
        return _no_status()
    if status.observed_generation == 0 or s.metadata.generation > status.observed_generation:
        return Verdict("Waiting for statefulset spec update to be observed...")
    if spec.replicas is not None and status.ready_replicas < spec.replicas:
        return Verdict(f"Waiting for {spec.replicas - status.ready_replicas} pods to be ready...")
    if (rolling := spec.update_strategy.rolling_update) is not None:
        if spec.replicas is not None and rolling.partition is not None and status.updated_replicas < (wanted := spec.replicas - rolling.partition):
            return Verdict(f"Waiting for partitioned roll out to finish: {status.updated_replicas} out of {wanted} new pods have been updated...")
        return Verdict(f"partitioned roll out complete: {status.updated_replicas} new pods have been updated...", done=True)
    if status.update_revision != status.current_revision:
        return Verdict(f"waiting for statefulset rolling update to complete {status.updated_replicas} pods at revision {status.update_revision}...")
    return Verdict(f"statefulset rolling update complete {status.current_replicas} pods at revision {status.current_revision}...", done=True)


def _no_status() -> Verdict:
    return Verdict("rollout status is only available for RollingUpdate strategy type", done=True, failed=True)


# ---- numbers -------------------------------------------------------------------------------------------------------------


def scaled(value: int | str | None, total: int, up: bool) -> int:
    """An IntOrString resolved against a total: a percentage is rounded up or down; what is neither counts as 0."""
    if isinstance(value, int):
        return value
    if value is None or not value.endswith("%") or not value[:-1].isdecimal():
        return 0
    part = int(value[:-1]) * total
    return -(-part // 100) if up else part // 100


def fenceposts(surge: int | str | None, unavailable: int | str | None, desired: int) -> tuple[int, int]:
    """Pods allowed above and below `desired`: surge rounds up, unavailable down, and both are never 0 (ResolveFenceposts)."""
    above, below = scaled(surge, desired, up=True), scaled(unavailable, desired, up=False)
    return (above, below) if above or below else (0, 1)


def condition(conditions: Iterable[C] | None, kind: str) -> C | None:
    """The condition of one type."""
    for c in conditions or ():
        if c.type == kind:
            return c
    return None
