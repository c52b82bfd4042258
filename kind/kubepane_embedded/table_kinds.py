"""Cells of the kinds other than pods (kubernetes/pkg/printers/internalversion/printers.go of 1.35)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubepane_embedded.ages import UNKNOWN, human, moment_of, since
from kubepane_embedded.meta import Object, annotations_of, controller_of, labels_of
from kubepane_embedded.quantity import parse, write, write_like
from kubepane_embedded.selectors import LabelSelector

Part = dict[str, Any]
Cells = list[Any]
NONE = "<none>"
UNSET = "<unset>"
MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def name_of(obj: Object) -> str:
    """metadata.name."""
    return obj["metadata"].get("name") or ""


def age_of(obj: Object, now: datetime) -> str:
    """Time since creation."""
    return since(obj["metadata"].get("creationTimestamp"), now)


def parts(obj: Object) -> tuple[Part, Part]:
    """(spec, status), never None."""
    return obj.get("spec") or {}, obj.get("status") or {}


def images(spec: Part) -> tuple[str, str]:
    """Names and images of a pod spec's containers."""
    containers = spec.get("containers") or []
    return ",".join(one.get("name") or "" for one in containers), ",".join(one.get("image") or "" for one in containers)


def template_of(spec: Part) -> tuple[str, str]:
    """Names and images of a template."""
    return images((spec.get("template") or {}).get("spec") or {})


def selector_text(selector: Part | None) -> str:
    """A LabelSelector as printed; `<none>` for an empty one."""
    return str(LabelSelector.of(selector)) or NONE if selector is not None else NONE


def map_text(labels: Part | None) -> str:
    """A map of labels as printed."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def deployment(obj: Object, now: datetime) -> Cells:
    """NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR."""
    spec, status = parts(obj)
    ready = f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}"
    updated, available = status.get("updatedReplicas") or 0, status.get("availableReplicas") or 0
    return [name_of(obj), ready, updated, available, age_of(obj, now), *template_of(spec), selector_text(spec.get("selector"))]


def replica_set(obj: Object, now: datetime) -> Cells:
    """NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR."""
    spec, status = parts(obj)
    counts = [spec.get("replicas") or 0, status.get("replicas") or 0, status.get("readyReplicas") or 0]
    return [name_of(obj), *counts, age_of(obj, now), *template_of(spec), selector_text(spec.get("selector"))]


def stateful_set(obj: Object, now: datetime) -> Cells:
    """NAME READY AGE CONTAINERS IMAGES."""
    spec, status = parts(obj)
    ready = f"{status.get('readyReplicas') or 0}/{spec.get('replicas') or 0}"
    return [name_of(obj), ready, age_of(obj, now), *template_of(spec)]


def daemon_set(obj: Object, now: datetime) -> Cells:
    """NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE …."""
    spec, status = parts(obj)
    names = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable")
    nodes = map_text(((spec.get("template") or {}).get("spec") or {}).get("nodeSelector"))
    counts = [status.get(name) or 0 for name in names]
    return [name_of(obj), *counts, nodes, age_of(obj, now), *template_of(spec), selector_text(spec.get("selector"))]


def controller_revision(obj: Object, now: datetime) -> Cells:
    """NAME CONTROLLER REVISION AGE."""
    owner = controller_of(obj)
    text = NONE
    if owner:
        group = owner.get("apiVersion", "").rpartition("/")[0]
        text = f"{owner.get('kind', '').lower()}{'.' + group if group else ''}/{owner.get('name', '')}"
    return [name_of(obj), text, obj.get("revision") or 0, age_of(obj, now)]


def job(obj: Object, now: datetime) -> Cells:
    """NAME STATUS COMPLETIONS DURATION AGE CONTAINERS IMAGES SELECTOR."""
    spec, status = parts(obj)
    done, parallel = status.get("succeeded") or 0, spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        completions = f"{done}/{spec['completions']}"
    else:
        completions = f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"
    duration = ""
    begun = moment_of(status.get("startTime"))
    if begun is not None:
        ended = moment_of(status.get("completionTime"))
        duration = human(((ended or now) - begun).total_seconds())
    tail = [*template_of(spec), selector_text(spec.get("selector"))]
    return [name_of(obj), _job_status(obj), completions, duration, age_of(obj, now), *tail]


def _job_status(obj: Object) -> str:
    status = obj.get("status") or {}
    true = {one.get("type") for one in status.get("conditions") or [] if one.get("status") == "True"}
    if "Complete" in true:
        return "Complete"
    if "Failed" in true:
        return "Failed"
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for kind in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if kind in true:
            return kind
    return "Running"


def cron_job(obj: Object, now: datetime) -> Cells:
    """NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE CONTAINERS IMAGES SELECTOR."""
    spec, status = parts(obj)
    last = since(status.get("lastScheduleTime"), now) if status.get("lastScheduleTime") else NONE
    template = ((spec.get("jobTemplate") or {}).get("spec")) or {}
    suspended = "True" if spec.get("suspend") else "False" if spec.get("suspend") is not None else UNSET
    head = [name_of(obj), spec.get("schedule") or "", spec.get("timeZone") or NONE, suspended]
    tail = [len(status.get("active") or []), last, age_of(obj, now), *template_of(template)]
    return [*head, *tail, selector_text(template.get("selector"))]


def config_map(obj: Object, now: datetime) -> Cells:
    """NAME DATA AGE."""
    return [name_of(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age_of(obj, now)]


def secret(obj: Object, now: datetime) -> Cells:
    """NAME TYPE DATA AGE."""
    return [name_of(obj), obj.get("type") or "", len(obj.get("data") or {}), age_of(obj, now)]


def plain(obj: Object, now: datetime) -> Cells:
    """NAME AGE."""
    return [name_of(obj), age_of(obj, now)]


def created(obj: Object, now: datetime) -> Cells:
    """NAME CREATED AT: kinds without a printer of their own."""
    return [name_of(obj), obj["metadata"].get("creationTimestamp") or ""]


def namespace(obj: Object, now: datetime) -> Cells:
    """NAME STATUS AGE."""
    return [name_of(obj), (obj.get("status") or {}).get("phase") or "", age_of(obj, now)]


def node(obj: Object, now: datetime) -> Cells:
    """NAME STATUS ROLES AGE VERSION and the wide ones."""
    spec, status = parts(obj)
    ready = next((one for one in status.get("conditions") or [] if one.get("type") == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"]
    if spec.get("unschedulable"):
        words.append("SchedulingDisabled")
    info, addresses = status.get("nodeInfo") or {}, status.get("addresses") or []

    def address(kind: str) -> str:
        return next((one.get("address") or NONE for one in addresses if one.get("type") == kind), NONE)

    wide = [info.get(name) or UNKNOWN for name in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    head = [name_of(obj), ",".join(words), _roles(obj), age_of(obj, now), info.get("kubeletVersion") or ""]
    return [*head, address("InternalIP"), address("ExternalIP"), *wide]


def _roles(obj: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = {key[len(prefix) :] for key in labels_of(obj) if key.startswith(prefix) and len(key) > len(prefix)}
    legacy = labels_of(obj).get("kubernetes.io/role")
    return ",".join(sorted(roles | ({legacy} if legacy else set()))) or NONE


def service(obj: Object, now: datetime) -> Cells:
    """NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR."""
    spec, _ = parts(obj)
    address = spec.get("clusterIP") or NONE
    ports = ",".join(_port(port) for port in spec.get("ports") or []) or NONE
    return [name_of(obj), spec.get("type") or "", address, _external(obj), ports, age_of(obj, now), map_text(spec.get("selector"))]


def _port(port: Part) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node_port}/{port.get('protocol') or 'TCP'}"


def _external(obj: Object) -> str:
    spec, status = parts(obj)
    kind, given = spec.get("type"), spec.get("externalIPs") or []
    if kind == "ExternalName":
        return spec.get("externalName") or NONE
    if kind == "LoadBalancer":
        points = (status.get("loadBalancer") or {}).get("ingress") or []
        found = [point.get("ip") or point.get("hostname") for point in points if point.get("ip") or point.get("hostname")]
        return ",".join([*found, *given]) or "<pending>"
    return ",".join(given) or NONE


def endpoints(obj: Object, now: datetime) -> Cells:
    """NAME ENDPOINTS AGE."""
    found = []
    for subset in obj.get("subsets") or []:
        for port in subset.get("ports") or []:
            found += [f"{one.get('ip')}:{port.get('port')}" for one in subset.get("addresses") or []]
        if not subset.get("ports"):
            found += [str(one.get("ip")) for one in subset.get("addresses") or []]
    return [name_of(obj), listed(found), age_of(obj, now)]


def listed(values: list[str]) -> str:
    """The first three, then how many more."""
    if len(values) > 3:
        return f"{','.join(values[:3])} + {len(values) - 3} more..."
    return ",".join(values) or NONE


def endpoint_slice(obj: Object, now: datetime) -> Cells:
    """NAME ADDRESSTYPE PORTS ENDPOINTS AGE."""
    ports = obj.get("ports") or []
    shown = UNSET
    if ports:
        names = [str(port.get("port")) if port.get("port") is not None else port.get("name") or "*" for port in ports]
        shown = listed(names)
    found = [address for one in obj.get("endpoints") or [] for address in one.get("addresses") or []]
    return [name_of(obj), obj.get("addressType") or "", shown, listed(found) if found else UNSET, age_of(obj, now)]


def claim(obj: Object, now: datetime) -> Cells:
    """NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE VOLUMEMODE."""
    spec, status = parts(obj)
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase") or ""
    volume = spec.get("volumeName") or ""
    size = modes = ""
    if volume:
        modes = modes_text(status.get("accessModes"))
        size = (status.get("capacity") or {}).get("storage") or "0"
    head = [name_of(obj), phase, volume, size, modes, class_of(obj)]
    return [*head, spec.get("volumeAttributesClassName") or UNSET, age_of(obj, now), spec.get("volumeMode") or UNSET]


def class_of(obj: Object) -> str:
    """The StorageClass of a claim or volume."""
    note = annotations_of(obj).get("volume.beta.kubernetes.io/storage-class")
    return note or (obj.get("spec") or {}).get("storageClassName") or ""


def modes_text(modes: list[str] | None) -> str:
    """RWO,ROX,RWX in that order."""
    return ",".join(short for mode, short in MODES.items() if mode in (modes or []))


def volume(obj: Object, now: datetime) -> Cells:
    """NAME CAPACITY ACCESS MODES RECLAIM POLICY STATUS CLAIM STORAGECLASS VOLUMEATTRIBUTESCLASS REASON AGE VOLUMEMODE."""
    spec, status = parts(obj)
    reference = spec.get("claimRef") or {}
    owner = f"{reference.get('namespace', '')}/{reference.get('name', '')}" if reference else ""
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase") or ""
    head = [name_of(obj), (spec.get("capacity") or {}).get("storage") or "0", modes_text(spec.get("accessModes"))]
    middle = [spec.get("persistentVolumeReclaimPolicy") or "", phase, owner, class_of(obj), spec.get("volumeAttributesClassName") or UNSET]
    return [*head, *middle, status.get("reason") or "", age_of(obj, now), spec.get("volumeMode") or UNSET]


def storage_class(obj: Object, now: datetime) -> Cells:
    """NAME PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE."""
    default = annotations_of(obj).get("storageclass.kubernetes.io/is-default-class") == "true"
    name = name_of(obj) + (" (default)" if default else "")
    policy, mode = obj.get("reclaimPolicy") or "Delete", obj.get("volumeBindingMode") or "Immediate"
    return [name, obj.get("provisioner") or "", policy, mode, bool(obj.get("allowVolumeExpansion")), age_of(obj, now)]


def ingress(obj: Object, now: datetime) -> Cells:
    """NAME CLASS HOSTS ADDRESS PORTS AGE."""
    spec, status = parts(obj)
    hosts = [rule["host"] for rule in spec.get("rules") or [] if rule.get("host")]
    text = "*" if not hosts else listed(hosts)
    points = (status.get("loadBalancer") or {}).get("ingress") or []
    address = ",".join(point.get("ip") or point.get("hostname") or "" for point in points)
    ports = "80, 443" if spec.get("tls") else "80"
    return [name_of(obj), spec.get("ingressClassName") or NONE, text, address, ports, age_of(obj, now)]


def ingress_class(obj: Object, now: datetime) -> Cells:
    """NAME CONTROLLER PARAMETERS AGE."""
    spec, _ = parts(obj)
    reference = spec.get("parameters")
    text = NONE
    if reference:
        group = f".{reference['apiGroup']}" if reference.get("apiGroup") else ""
        text = f"{reference.get('kind', '')}{group}/{reference.get('name', '')}"
    return [name_of(obj), spec.get("controller") or "", text, age_of(obj, now)]


def network_policy(obj: Object, now: datetime) -> Cells:
    """NAME POD-SELECTOR AGE."""
    return [name_of(obj), selector_text((obj.get("spec") or {}).get("podSelector") or {}), age_of(obj, now)]


def budget(obj: Object, now: datetime) -> Cells:
    """NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE."""
    spec, status = parts(obj)
    least, most = (str(spec[name]) if spec.get(name) is not None else "N/A" for name in ("minAvailable", "maxUnavailable"))
    return [name_of(obj), least, most, status.get("disruptionsAllowed") or 0, age_of(obj, now)]


def quota(obj: Object, now: datetime) -> Cells:
    """NAME REQUEST LIMIT AGE."""
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    requests = [f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard) if not name.startswith("limits.")]
    limits = [f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard) if name.startswith("limits.")]
    return [name_of(obj), ", ".join(requests), ", ".join(limits), age_of(obj, now)]


def binding(obj: Object, now: datetime) -> Cells:
    """NAME ROLE AGE USERS GROUPS SERVICEACCOUNTS."""
    reference = obj.get("roleRef") or {}
    by_kind: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or []:
        name = str(subject.get("name") or "")
        shown = f"{subject.get('namespace')}/{name}" if subject.get("kind") == "ServiceAccount" else name
        by_kind.setdefault(str(subject.get("kind")), []).append(shown)
    people = [", ".join(by_kind[kind]) for kind in ("User", "Group", "ServiceAccount")]
    return [name_of(obj), f"{reference.get('kind', '')}/{reference.get('name', '')}", age_of(obj, now), *people]


def priority_class(obj: Object, now: datetime) -> Cells:
    """NAME VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY."""
    return [name_of(obj), obj.get("value") or 0, bool(obj.get("globalDefault")), age_of(obj, now), obj.get("preemptionPolicy") or ""]


def lease(obj: Object, now: datetime) -> Cells:
    """NAME HOLDER AGE."""
    return [name_of(obj), (obj.get("spec") or {}).get("holderIdentity") or "", age_of(obj, now)]


def event(obj: Object, now: datetime) -> Cells:
    """LAST SEEN TYPE REASON OBJECT SUBOBJECT SOURCE MESSAGE FIRST SEEN COUNT NAME."""
    first = since(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    series = obj.get("series") or {}
    last = since(series.get("lastObservedTime") or obj.get("lastTimestamp"), now)
    if last == UNKNOWN:
        last = first
    about = obj.get("involvedObject") or {}
    kind = str(about.get("kind") or "").lower()
    target = f"{kind}/{about['name']}" if about.get("name") else kind
    count = series.get("count") or obj.get("count") or 1
    head = [last, obj.get("type") or "", obj.get("reason") or "", target, about.get("fieldPath") or "", _source(obj)]
    return [*head, str(obj.get("message") or "").strip(), first, count, name_of(obj)]


def _source(obj: Object) -> str:
    source = obj.get("source") or {}
    component = source.get("component") or obj.get("reportingComponent") or ""
    host = source.get("host") or obj.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def autoscaler(obj: Object, now: datetime) -> Cells:
    """NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE."""
    spec, status = parts(obj)
    target = spec.get("scaleTargetRef") or {}
    reference = f"{target.get('kind', '')}/{target.get('name', '')}"
    least = str(spec["minReplicas"]) if spec.get("minReplicas") is not None else UNSET
    counts = [least, spec.get("maxReplicas") or 0, status.get("currentReplicas") or 0]
    return [name_of(obj), reference, targets(spec.get("metrics") or [], status.get("currentMetrics") or []), *counts, age_of(obj, now)]


def targets(specs: list[Part], statuses: list[Part]) -> str:
    """The metrics as printed: the first two, then how many more (formatHPAMetrics)."""
    if not specs:
        return NONE
    shown = [_target(metric, statuses[index] if index < len(statuses) else {}) for index, metric in enumerate(specs)]
    if len(shown) > 2:
        return f"{', '.join(shown[:2])} + {len(shown) - 2} more..."
    return ", ".join(shown)


def _target(metric: Part, status: Part) -> str:
    kind = metric.get("type") or ""
    key = {"ContainerResource": "containerResource"}.get(kind, kind.lower())
    source, current = metric.get(key), (status.get(key) or {}).get("current")
    if source is None:
        return "<unknown type>"
    target = source.get("target") or {}
    if kind in ("External", "Object"):
        average = target.get("averageValue") is not None
        name = "averageValue" if average else "value"
        return f"{(current or {}).get(name) or UNKNOWN}/{target.get(name)}{' (avg)' if average else ''}"
    if kind == "Pods":
        return f"{(current or {}).get('averageValue') or UNKNOWN}/{target.get('averageValue')}"
    if target.get("averageValue") is not None:
        return f"{source.get('name')}: {(current or {}).get('averageValue') or UNKNOWN}/{target['averageValue']}"
    now = (current or {}).get("averageUtilization")
    goal = f"{target['averageUtilization']}%" if target.get("averageUtilization") is not None else "<auto>"
    return f"{source.get('name')}: {f'{now}%' if now is not None else UNKNOWN}/{goal}"


def metrics(obj: Object, now: datetime) -> Cells:
    """NAME CPU MEMORY WINDOW of NodeMetrics and PodMetrics."""
    usage = obj.get("usage") or {}
    if "containers" in obj:
        return [name_of(obj), *_summed(obj["containers"]), obj.get("window") or ""]
    return [name_of(obj), usage.get("cpu") or "0", usage.get("memory") or "0", obj.get("window") or ""]


def _summed(containers: list[Part]) -> list[str]:
    cpu = sum((parse(str((one.get("usage") or {}).get("cpu") or "0")) for one in containers), parse("0"))
    first = str(((containers[0].get("usage") if containers else None) or {}).get("memory") or "0")
    memory = sum((parse(str((one.get("usage") or {}).get("memory") or "0")) for one in containers), parse("0"))
    return [write(cpu), write_like(memory, first)]
