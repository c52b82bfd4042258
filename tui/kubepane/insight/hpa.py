"""HorizontalPodAutoscalers: TARGETS as kubectl prints it, what their conditions mean, and who is to blame for `<unknown>`.

Sources: formatHPAMetrics of pkg/printers/internalversion/printers.go, horizontal.go of Kubernetes 1.35. A healthy HPA is never
accused: ScalingLimited=False is fine, TooFewReplicas is an idle one; only one that stands at its maximum and wants more is flagged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.kinds import BY_KIND
from kubepane.cluster.stores import Stores
from kubepane.insight.events import SHORT
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.rollout_status import condition
from kubepane.insight.scaling import Arithmetic, Reading, arithmetic, readings

SHOWN = 2  # metrics that kubectl prints; the others are counted
Scaled = r.Deployment | r.StatefulSet | r.ReplicaSet


def targets(a: r.Autoscaler) -> str:
    """TARGETS: `cpu: 41%/80%, memory: 1Gi/2Gi + 1 more...`; `<none>` without metrics."""
    found = readings(a)
    more = len(found) - SHOWN
    return (", ".join(_text(reading) for reading in found[:SHOWN]) or "<none>") + (f" + {more} more..." if more > 0 else "")


def _text(reading: Reading) -> str:
    if reading.kind == "unknown":
        return "<unknown type>"
    lead, tail = f"{reading.name}: " if reading.resource else "", " (avg)" if reading.kind == "share" else ""
    return f"{lead}{reading.current}/{reading.target}{tail}"


def reference(a: r.Autoscaler) -> str:
    """REFERENCE as kubectl prints it: `Deployment/web`."""
    return f"{a.spec.scale_target_ref.kind}/{a.spec.scale_target_ref.name}"


def short_reference(a: r.Autoscaler) -> str:
    """The target by its short name: `deploy/web`."""
    ref = a.spec.scale_target_ref
    return f"{SHORT.get(ref.kind, ref.kind.lower())}/{ref.name}"


def target(a: r.Autoscaler, stores: Stores) -> Scaled | None:
    """The object that an HPA scales, where it is of a kind that is watched and is there."""
    ref = a.spec.scale_target_ref
    kind = BY_KIND.get(ref.kind)
    found = stores.of(kind).named(a.metadata.namespace, ref.name) if kind else None
    return found if isinstance(found, r.Deployment | r.StatefulSet | r.ReplicaSet) else None


def ready(a: r.Autoscaler, stores: Stores) -> int | None:
    """Ready pods of the target, None where the target is not held."""
    found = target(a, stores)
    return None if found is None else found.status.ready_replicas


class Assessment(msgspec.Struct, frozen=True, gc=False):
    """How an HPA is doing. Nothing in it depends on the time.

    Attributes:
        level: how well.
        text: its state in a few words: `wants 11`, `steady`, `no cpu request on container app`.
        finding: the cause with its evidence; None for one that does its work.
        sums: its arithmetic.
        limit: what cut the wanted number: `max 4`, `min 1`, `4 at once`, `held at 3`; "" for nothing.
        reason: the reason of ScalingLimited or AbleToScale that says so.
    """

    level: Level
    text: str
    finding: Finding | None
    sums: Arithmetic
    limit: str = ""
    reason: str = ""

    @property
    def at_max(self) -> bool:
        """It stands at its maximum and wants more."""
        return self.reason == "TooManyReplicas"


def assess(a: r.Autoscaler, stores: Stores) -> Assessment:
    """How an HPA is doing, from what the stores hold now."""
    sums = arithmetic(a, ready(a, stores))
    conditions = a.status.conditions
    if (found := _blocked(a, stores)) is not None:
        return Assessment(found.level, found.clause, found, sums)
    if not conditions:
        return Assessment(Level.BUSY, "not looked at yet", None, sums)
    limit, reason = _limit(conditions, sums)
    if reason == "TooManyReplicas":
        text = f"at max {sums.highest}" if sums.wanted is None else f"wants {sums.wanted}"
        fact = Evidence(f"hpa/{a.metadata.name}", "status.conditions[ScalingLimited]", reason)
        clause = f"at its maximum of {sums.highest}" + (" and wants more" if sums.wanted is None else f", wants {sums.wanted}")
        return Assessment(Level.WARN, text, Finding(Level.WARN, clause, (fact,), "raise maxReplicas, or give each pod more"), sums, limit, reason)
    if sums.desired != sums.current:
        return Assessment(Level.BUSY, f"scaling {sums.current} → {sums.desired}", None, sums, limit, reason)
    if sums.unknown and sums.best is not None:
        found = Finding(
            Level.WARN, f"metric {', '.join(sums.unknown)} unknown", (Evidence(f"hpa/{a.metadata.name}", "status.currentMetrics", "no value"),)
        )
        return Assessment(Level.WARN, found.clause, found, sums, limit, reason)
    return Assessment(Level.OK, "steady", None, sums, limit, reason)


def explain_autoscaler(a: r.Autoscaler, stores: Stores) -> list[Finding]:
    """What is known to be wrong with an HPA; nothing for one that does its work, idle or busy."""
    found = assess(a, stores).finding
    return [found] if found else []


def _limit(conditions: Iterable[r.Condition], sums: Arithmetic) -> tuple[str, str]:
    """What cut the wanted number, and the reason that says so.

    ScalingLimited is about the number that the stabilisation window still holds: TooManyReplicas stays for a window after the
    metrics have asked for less. Whoever wants no more than its maximum now is not stuck there.
    """
    limited, able = condition(conditions, "ScalingLimited"), condition(conditions, "AbleToScale")
    more = sums.wanted is None or sums.wanted > sums.highest
    if limited is not None and limited.status == "True" and (limited.reason != "TooManyReplicas" or more):
        words = {"TooManyReplicas": f"max {sums.highest}", "TooFewReplicas": f"min {sums.lowest}"}
        return words.get(limited.reason, f"{sums.desired} for now"), limited.reason
    if able is not None and able.reason in ("ScaleDownStabilized", "ScaleUpStabilized"):
        return f"held at {sums.desired}", able.reason
    if able is not None and able.reason == "SucceededRescale" and sums.wanted not in (None, sums.desired):
        return f"{sums.desired} for now", "the window held a higher number" if (sums.wanted or 0) < sums.desired else able.reason
    return "", ""


# ---- what stops it -------------------------------------------------------------------------------------------------------


def _blocked(a: r.Autoscaler, stores: Stores) -> Finding | None:
    me = f"hpa/{a.metadata.name}"
    ref = a.spec.scale_target_ref
    kind = BY_KIND.get(ref.kind)
    able = condition(a.status.conditions, "AbleToScale")
    if kind is not None and stores.of(kind).freshness.known and stores.of(kind).named(a.metadata.namespace, ref.name) is None:
        return Finding(
            Level.BAD, f"no {short_reference(a)}", (Evidence(me, "spec.scaleTargetRef", reference(a)),), "create it, or correct scaleTargetRef"
        )
    if able is not None and able.status == "False":
        fact = Evidence(me, "status.conditions[AbleToScale]", f"False {able.reason}")
        return Finding(Level.BAD, _able(a, able), (fact,))
    active = condition(a.status.conditions, "ScalingActive")
    if active is None or active.status != "False":
        return None
    level, clause, cure = blame(active.reason, active.message)
    if level is Level.WAIT and (waiting := _pods(a, stores)):
        clause = f"{clause}: {waiting}"
    return Finding(level, clause, (Evidence(me, "status.conditions[ScalingActive]", f"False {active.reason}"),), cure)


def _able(a: r.Autoscaler, able: r.Condition) -> str:
    if able.reason == "FailedGetScale" and "not found" in able.message:
        return f"no {short_reference(a)}"
    text = able.message.removeprefix("the HPA controller was unable to ")
    return text.replace("get the target's current scale: ", "target: ").replace("update the target scale: ", "cannot set replicas: ") or able.reason


_REQUEST = re.compile(r"missing request for (\S+) in container (\S+) of Pod (\S+)")
_SERVED = re.compile(r"\(get (\S+)\)")
_FETCH = re.compile(r"unable to fetch metrics from (resource|custom|external) metrics API: (.*)")
_LEAD = re.compile(
    r"^(the HPA was unable to compute the replica count|failed to get [^:]+|unable to get metrics for resource [^:]+|unable to get [^:]+): "
)


def blame(reason: str, message: str) -> tuple[Level, str, str]:
    """What ScalingActive=False means: level, cause in one clause, cure. The reason alone does not say, the message does."""
    if reason == "ScalingDisabled":
        return Level.OFF, "target scaled to zero", "scale the target to 1 or more"
    if (match := _REQUEST.search(message)) is not None:
        resource, container, _ = match.groups()
        return Level.BAD, f"no {resource} request on container {container}", f"set resources.requests.{resource} on container {container}"
    if (match := _FETCH.search(message)) is not None:
        return _unserved(*match.groups())
    if "no metrics returned from resource metrics API" in message:
        return Level.WAIT, "no metrics yet", ""
    if "did not receive metrics for targeted pods" in message:
        return Level.BUSY, "its pods are not ready yet", ""
    if "no pods returned by selector" in message:
        return Level.WAIT, "no pods yet", ""
    if reason == "AmbiguousSelector":
        return Level.BAD, "its pods belong to several HPAs", "leave one HPA for each workload"
    if reason == "InvalidSelector":
        return Level.BAD, "the target's scale has no valid selector", ""
    return Level.BAD, _trimmed(message) or reason, ""


def _unserved(api: str, error: str) -> tuple[Level, str, str]:
    served = _SERVED.search(error)
    group = {"resource": "metrics.k8s.io", "custom": "custom.metrics.k8s.io", "external": "external.metrics.k8s.io"}[api]
    name = "metrics-server" if api == "resource" else f"an adapter for {group}"
    if "could not find the requested resource" in error or "no matches for kind" in error:
        what = "no metrics-server" if api == "resource" else f"no {api} metrics API"
        return Level.BAD, f"{what}: {served[1] if served else group} is not served", f"install {name}"
    if "currently unable to handle the request" in error:
        what = "metrics-server" if api == "resource" else f"the {api} metrics API"
        return Level.BAD, f"{what} does not answer", f"look at the pods behind the APIService of {group}"
    return Level.BAD, f"{api} metrics API: {error}", ""


def _trimmed(message: str) -> str:
    """The message without what every such message begins with."""
    while (match := _LEAD.match(message)) is not None:
        message = message[match.end() :]
    return message


def _pods(a: r.Autoscaler, stores: Stores) -> str:
    """Why pods of the target cannot have metrics: the HPA says of pods that run nowhere only that it got none."""
    found = target(a, stores)
    if found is None or not stores.pods.freshness.complete:
        return ""
    uids = [found.metadata.uid]
    if isinstance(found, r.Deployment):
        uids = [rs.metadata.uid for rs in stores.replicasets.by("owner", found.metadata.uid)]
    seen = 0
    for uid in uids:
        for pod in stores.pods.by("owner", uid):
            if pod.spec.node_name:
                return ""
            seen += 1
    return f"{seen} pods pending" if seen > 1 else "its pod is pending" if seen else ""
