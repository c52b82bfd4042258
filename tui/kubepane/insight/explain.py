"""The explanation of any object: the rules of its kind, most important cause first."""

from __future__ import annotations

from datetime import datetime

from kubepane.cluster import resources as r
from kubepane.cluster.resources import Object
from kubepane.cluster.stores import Stores
from kubepane.insight import nodes
from kubepane.insight.claims import explain_claim
from kubepane.insight.finding import Finding
from kubepane.insight.hpa import explain_autoscaler
from kubepane.insight.ingresses import explain_ingress
from kubepane.insight.network import explain_policy
from kubepane.insight.rights import explain_account
from kubepane.insight.why import explain_pod
from kubepane.insight.workloads import explain_workload


def explain(obj: Object, stores: Stores, now: datetime) -> list[Finding]:
    """What is known to be wrong with an object, most important first; empty for a healthy one and for kinds without rules."""
    match obj:
        case r.Pod():
            return explain_pod(obj, stores, now)
        case r.Deployment() | r.StatefulSet() | r.DaemonSet() | r.Job() | r.CronJob():
            return explain_workload(obj, stores, now)
        case r.Autoscaler():
            return explain_autoscaler(obj, stores)
        case r.Claim():
            return explain_claim(stores, obj)
        case r.Ingress():
            return explain_ingress(stores, obj)
        case r.NetworkPolicy():
            return explain_policy(stores, obj)
        case r.Node():
            return nodes.findings(obj)
        case r.ServiceAccount():
            return explain_account(stores, obj)
    return []
