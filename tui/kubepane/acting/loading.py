"""Load on a Service: the bundled load Job, turned to that Service. It ends by itself; stopping it is deleting it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kubepane.acting import deleting
from kubepane.acting.plan import Intent, Need, Plan, Progress, Scene, Unfit, Verb
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.resources import Object
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref, Request, Step, uid_of
from kubepane.insight import ingresses
from kubepane.insight.jobs import job_status
from kubepane.insight.labels import matches_map
from kubepane_manifests.catalogue import find
from kubepane_widgets.lines import Line

ENDED = ("Complete", "Failed")
MOST = 20  # pods that make load
SET = "load"
DEMAND = "sim.kubepane.io/load-demand"
SERVICE = "sim.kubepane.io/load-service"


def job_name(service: str) -> str:
    """The name of the Job that loads a Service."""
    return f"{service[:58]}-load"


def services_of(obj: Object, stores: Stores) -> list[Ref]:
    """The Services that an Ingress sends to, or that lead to the pods of a workload or of an HPA's target."""
    if isinstance(obj, r.Ingress):
        names = [ingresses.target(rule)[0] for rule in ingresses.rules(obj)]
        return [Ref(k.SERVICES, obj.metadata.namespace, name) for name in dict.fromkeys(names) if name]
    if isinstance(obj, r.Autoscaler):
        kind = k.BY_KIND.get(obj.spec.scale_target_ref.kind)
        target = stores.of(kind).named(obj.metadata.namespace, obj.spec.scale_target_ref.name) if kind is not None else None
        return services_of(target, stores) if target is not None else []
    if isinstance(obj, r.Deployment | r.StatefulSet | r.DaemonSet | r.ReplicaSet):
        labels = obj.spec.template.metadata.labels or {}
        return [
            Ref(k.SERVICES, one.metadata.namespace, one.metadata.name, one.metadata.uid)
            for one in stores.services.by("namespace", obj.metadata.namespace)
            if matches_map(one.spec.selector, labels)
        ]
    return []


def running(service: Ref, stores: Stores) -> Ref | None:
    """The Job that loads a Service now, None when none does."""
    job = stores.jobs.named(service.namespace, job_name(service.name))
    return None if job is None or job_status(job) in ENDED else Ref(k.JOBS, service.namespace, job.metadata.name, job.metadata.uid)


def _ended(service: Ref, stores: Stores) -> tuple[Step, ...]:
    """The deletion of a Job that has loaded a Service before: its name is needed."""
    job = stores.jobs.named(service.namespace, job_name(service.name))
    if job is None:
        return ()
    return (deleting.step_for(Ref(k.JOBS, service.namespace, job.metadata.name, job.metadata.uid), {"metadata": {"uid": job.metadata.uid}}),)


def load(intent: Intent, services: Sequence[Raw], scene: Scene) -> Plan:
    """Starts `args["pods"]` pods that ask for `args["path"]` of the one target again and again."""
    ref, service = intent.targets[0], services[0]
    pods, path = int(intent.args.get("pods") or 2), str(intent.args.get("path") or "/")
    if not 1 <= pods <= MOST:
        raise Unfit(f"{pods} is no number of load pods from 1 to {MOST}")
    if running(ref, scene.stores) is not None:
        raise Unfit(f"load on {ref.name} runs already: delete job {job_name(ref.name)} to stop it")
    url = f"http://{ref.name}:{_port(service, ref)}{path if path.startswith('/') else '/' + path}"
    job = _job(ref, pods, url)
    jobs = k.JOBS.path(ref.namespace)
    about = Ref(k.JOBS, ref.namespace, job_name(ref.name))
    before = _ended(ref, scene.stores)
    step = Step(
        about,
        f"{pods} pods ask for {url}",
        None,
        lambda _: Request("POST", jobs, job, {"fieldManager": "kubepane", "fieldValidation": "Strict"}),
        holds=lambda now: now is not None and not (now.get("metadata") or {}).get("deletionTimestamp"),
        rehearsable=not before,  # its name is free only after the deletion
    )
    again: list[Line] = [[(f"job {about.name}, which has ended, is deleted first", "soft")]] if before else []
    demand = job["spec"]["template"]["metadata"]["annotations"][DEMAND]
    limit = job["spec"].get("activeDeadlineSeconds") or 0
    return Plan(
        intent,
        title=f"Load on service {ref.namespace}/{ref.name}",
        button=f"Start {pods} load pods",
        steps=(*before, step),
        lines=(
            *again,
            [(f"job {about.name}", "fg"), ("   ", "fg"), (step.says, "accent")],
            [(f"as fast as they are answered; on a simulated cluster each asks for {demand} of CPU", "soft")],
            [(f"it ends by itself after {limit // 60} min; b again stops it", "soft")],
        ),
        needs=(Need("create", k.JOBS.resource, ref.namespace),),
        undo=Intent("delete", (about,)),
        pane="hpa",
        touched=(uid_of(service),),
        progress=lambda stores, now: _progress(about, pods, stores, now),
    )


def _port(service: Raw, ref: Ref) -> int:
    ports = [one for one in (service.get("spec") or {}).get("ports") or [] if (one.get("protocol") or "TCP") == "TCP"]
    if not ports:
        raise Unfit(f"service {ref.name} has no TCP port")
    chosen = next((one for one in ports if "http" in str(one.get("name") or one.get("appProtocol") or "")), ports[0])
    return int(chosen["port"])


def _job(ref: Ref, pods: int, url: str) -> dict[str, Any]:
    job: dict[str, Any] = next(one for one in find(SET).objects() if one["kind"] == "Job")
    job["metadata"] = {**job["metadata"], "name": job_name(ref.name), "namespace": ref.namespace}
    job["spec"]["parallelism"] = pods
    template = job["spec"]["template"]
    template["metadata"]["annotations"] = {**template["metadata"].get("annotations", {}), SERVICE: ref.name}
    for one in template["spec"]["containers"][0]["env"]:
        if one["name"] == "URL":
            one["value"] = url
    return job


def _progress(about: Ref, pods: int, stores: Stores, now: datetime) -> Progress:
    job = stores.jobs.named(about.namespace, about.name)
    if job is None:
        return Progress(True, "the load job is gone", failed=True)
    ready = job.status.ready or 0
    return Progress(ready >= pods, f"{ready} of {pods} load pods run")


VERB = Verb("load", (k.SERVICES,), ("get", ""), load, several=False, wants=(k.SERVICES, k.JOBS, k.PODS))
