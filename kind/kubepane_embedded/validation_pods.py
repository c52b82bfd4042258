"""Validation of pods and pod templates (kubernetes/pkg/apis/core/validation/validation.go)."""

from __future__ import annotations

from typing import Any

from kubepane_embedded.checks import (
    CONFIG_KEY,
    Causes,
    amount,
    check_labels,
    check_name,
    check_not_negative,
    check_port,
    check_port_name,
    check_qualified,
    duplicate,
    forbidden_field,
    invalid_value,
    required,
    unsupported,
)
from kubepane_embedded.errors import Cause
from kubepane_embedded.meta import Object, clone
from kubepane_embedded.requests import WriteOptions

Part = dict[str, Any]
POLICIES = ["Always", "IfNotPresent", "Never"]
PROTOCOLS = ["SCTP", "TCP", "UDP"]
RESTARTS = ["Always", "OnFailure", "Never"]
EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
UPDATE_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)"
)


def check_pod(obj: Object, options: WriteOptions) -> Causes:
    """A pod on creation."""
    return check_pod_spec(obj["spec"], "spec", options)


def check_template(template: Any, path: str, whole: bool = True, restarts: tuple[str, ...] = ("Always",)) -> Causes:
    """A pod template; `restarts` are the policies allowed there, any when empty; with `whole` the pod spec is looked at too."""
    if not isinstance(template, dict):
        return [required(path)]
    causes = check_labels((template.get("metadata") or {}).get("labels"), f"{path}.metadata.labels")
    spec = template.get("spec") or {}
    if whole:
        causes += check_pod_spec(spec, f"{path}.spec", WriteOptions())
    if restarts and spec.get("restartPolicy") not in (None, *restarts):
        causes.append(unsupported(f"{path}.spec.restartPolicy", spec["restartPolicy"], list(restarts)))
    return causes


def check_pod_spec(spec: Part, path: str, options: WriteOptions) -> Causes:
    """Everything of a pod spec that the simulation looks at."""
    volumes = _check_volumes(spec, path)
    names = {volume.get("name") for volume in spec.get("volumes") or [] if isinstance(volume, dict)}
    causes: Causes = list(volumes)
    containers = spec.get("containers") or []
    if not containers:
        causes.append(required(f"{path}.containers"))
    causes += _check_containers(containers, f"{path}.containers", names, set(), False)
    taken = {one.get("name") for one in containers}
    causes += _check_containers(spec.get("initContainers") or [], f"{path}.initContainers", names, taken, True)
    if spec.get("restartPolicy") not in RESTARTS:
        causes.append(unsupported(f"{path}.restartPolicy", spec.get("restartPolicy"), RESTARTS))
    causes += check_not_negative(spec.get("terminationGracePeriodSeconds"), f"{path}.terminationGracePeriodSeconds")
    causes += check_labels(spec.get("nodeSelector"), f"{path}.nodeSelector")
    deadline = spec.get("activeDeadlineSeconds")
    if isinstance(deadline, int) and not 1 <= deadline <= 2147483647:
        causes.append(invalid_value(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive"))
    if spec.get("serviceAccountName"):
        causes += check_name(spec["serviceAccountName"], f"{path}.serviceAccountName")
    for index, toleration in enumerate(spec.get("tolerations") or []):
        causes += check_toleration(toleration, f"{path}.tolerations[{index}]")
    return causes


def check_toleration(toleration: Part, path: str) -> Causes:
    """One toleration."""
    causes: Causes = []
    key, operator, effect = toleration.get("key"), toleration.get("operator"), toleration.get("effect")
    if key:
        causes += check_qualified(key, f"{path}.key")
    elif operator != "Exists":
        causes.append(
            invalid_value(
                f"{path}.operator", operator or "", 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            )
        )
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        causes.append(invalid_value(f"{path}.effect", effect or "", "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    if operator == "Exists" and toleration.get("value"):
        causes.append(invalid_value(f"{path}.operator", toleration, "value must be empty when `operator` is 'Exists'"))
    elif operator not in (None, "", "Equal", "Exists"):
        causes.append(unsupported(f"{path}.operator", operator, ["Equal", "Exists"]))
    if effect and effect not in EFFECTS:
        causes.append(unsupported(f"{path}.effect", effect, EFFECTS))
    return causes


def _check_volumes(spec: Part, path: str) -> Causes:
    causes: Causes = []
    seen: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or []):
        here = f"{path}.volumes[{index}]"
        name = volume.get("name")
        if not name:
            causes.append(required(f"{here}.name"))
        else:
            causes += check_name(name, f"{here}.name", "label")
            if name in seen:
                causes.append(duplicate(f"{here}.name", name))
            seen.add(name)
        sources = [key for key, value in volume.items() if key != "name" and value is not None]
        causes += [forbidden_field(f"{here}.{extra}", "may not specify more than 1 volume type") for extra in sources[1:]]
        claim = volume.get("persistentVolumeClaim")
        if claim is not None and not claim.get("claimName"):
            causes.append(required(f"{here}.persistentVolumeClaim.claimName"))
        if volume.get("configMap") is not None and not volume["configMap"].get("name"):
            causes.append(required(f"{here}.configMap.name"))
        if volume.get("secret") is not None and not volume["secret"].get("secretName"):
            causes.append(required(f"{here}.secret.secretName"))
    return causes


def _check_containers(containers: list[Part], path: str, volumes: set[Any], taken: set[Any], init: bool) -> Causes:
    causes: Causes = []
    seen = set(taken)
    for index, container in enumerate(containers):
        here = f"{path}[{index}]"
        name = container.get("name")
        if not name:
            causes.append(required(f"{here}.name"))
        else:
            causes += check_name(name, f"{here}.name", "label")
            if name in seen:
                causes.append(duplicate(f"{here}.name", name))
            seen.add(name)
        causes += _check_container(container, here, volumes, init)
    return causes


def check_container_list(containers: list[Part], path: str, volumes: set[Any]) -> Causes:
    """Containers beside those of a pod's start."""
    return _check_containers(containers, path, volumes, set(), False)


def _check_container(container: Part, here: str, volumes: set[Any], init: bool) -> Causes:
    causes: Causes = []
    image = container.get("image")
    if not image:
        causes.append(required(f"{here}.image"))
    elif image != image.strip():
        causes.append(invalid_value(f"{here}.image", image, "must not have leading or trailing whitespace"))
    if container.get("imagePullPolicy") not in POLICIES:
        causes.append(unsupported(f"{here}.imagePullPolicy", container.get("imagePullPolicy"), POLICIES))
    causes += _check_ports(container.get("ports") or [], f"{here}.ports")
    causes += _check_env(container.get("env") or [], f"{here}.env")
    causes += _check_mounts(container.get("volumeMounts") or [], f"{here}.volumeMounts", volumes)
    causes += check_resources(container.get("resources") or {}, f"{here}.resources")
    sidecar = container.get("restartPolicy") == "Always"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(probe) is None:
            continue
        if init and not sidecar:
            causes.append(forbidden_field(f"{here}.{probe}", "may not be set for init containers without restartPolicy=Always"))
        else:
            causes += _check_probe(container[probe], f"{here}.{probe}", probe)
    return causes


def _check_ports(ports: list[Part], path: str) -> Causes:
    causes: Causes = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.get("name")
        if name:
            causes += check_port_name(name, here + ".name")
            if name in names:
                causes.append(duplicate(f"{here}.name", name))
            names.add(name)
        if not port.get("containerPort"):
            causes.append(required(f"{here}.containerPort"))
        else:
            causes += check_port(port["containerPort"], f"{here}.containerPort")
        if port.get("hostPort"):
            causes += check_port(port["hostPort"], f"{here}.hostPort")
        if port.get("protocol") not in PROTOCOLS:
            causes.append(unsupported(f"{here}.protocol", port.get("protocol"), PROTOCOLS))
    return causes


def _check_env(env: list[Part], path: str) -> Causes:
    causes: Causes = []
    for index, entry in enumerate(env):
        here = f"{path}[{index}]"
        if not entry.get("name"):
            causes.append(required(f"{here}.name"))
        source = entry.get("valueFrom")
        if source is None:
            continue
        kinds = [key for key, value in source.items() if value is not None]
        if entry.get("value"):
            causes.append(invalid_value(f"{here}.valueFrom", "", "may not be specified when `value` is not empty"))
        if not kinds:
            rule = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            causes.append(invalid_value(f"{here}.valueFrom", "", rule))
        for kind in ("configMapKeyRef", "secretKeyRef"):
            reference = source.get(kind)
            if reference is not None and not reference.get("key"):
                causes.append(required(f"{here}.valueFrom.{kind}.key"))
            elif reference is not None and not CONFIG_KEY.fullmatch(str(reference["key"])):
                causes.append(invalid_value(f"{here}.valueFrom.{kind}.key", reference["key"], "must be a valid key"))
        if len(kinds) > 1:
            causes.append(invalid_value(f"{here}.valueFrom", "", "may not have more than one field specified at a time"))
    return causes


def _check_mounts(mounts: list[Part], path: str, volumes: set[Any]) -> Causes:
    causes: Causes = []
    paths: set[str] = set()
    for index, mount in enumerate(mounts):
        here = f"{path}[{index}]"
        name, where = mount.get("name"), mount.get("mountPath")
        if not name:
            causes.append(required(f"{here}.name"))
        elif name not in volumes:
            causes.append(Cause("FieldValueNotFound", f'Not found: "{name}"', f"{here}.name"))
        if not where:
            causes.append(required(f"{here}.mountPath"))
        elif where in paths:
            causes.append(invalid_value(f"{here}.mountPath", where, "must be unique"))
        paths.add(where or "")
    return causes


def check_resources(resources: Part, path: str) -> Causes:
    """Requests and limits: never negative, requests within limits."""
    causes: Causes = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            where = f"{path}.{part}[{name}]"
            if amount(value) < 0:
                causes.append(invalid_value(where, str(value), "must be greater than or equal to 0"))
            if "/" not in name and name not in ("cpu", "memory", "ephemeral-storage") and not name.startswith("hugepages-"):
                causes.append(invalid_value(where, name, "must be a standard resource for containers"))
    for name, value in requests.items():
        if name in limits and amount(value) > amount(limits[name]):
            rule = f"must be less than or equal to {name} limit of {limits[name]}"
            causes.append(invalid_value(f"{path}.requests", str(value), rule))
    return causes


def _check_probe(probe: Part, path: str, kind: str) -> Causes:
    causes: Causes = []
    actions = [name for name in ("exec", "httpGet", "tcpSocket", "grpc") if probe.get(name) is not None]
    if not actions:
        causes.append(required(path, "must specify a handler type"))
    causes += [forbidden_field(f"{path}.{extra}", "may not specify more than 1 handler type") for extra in actions[1:]]
    for name in ("httpGet", "tcpSocket"):
        action = probe.get(name)
        if action is None:
            continue
        port = action.get("port")
        if isinstance(port, str):
            causes += check_port_name(port, f"{path}.{name}.port")
        else:
            causes += check_port(port, f"{path}.{name}.port")
    if probe.get("exec") is not None and not probe["exec"].get("command"):
        causes.append(required(f"{path}.exec.command"))
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        causes += check_not_negative(probe.get(name), f"{path}.{name}")
    if kind != "readinessProbe" and probe.get("successThreshold") not in (None, 1):
        causes.append(invalid_value(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    return causes


def check_pod_update(obj: Object, old: Object) -> Causes:
    """Only images, deadline and more tolerations may change in a pod."""
    causes = check_pod_spec(obj["spec"], "spec", WriteOptions())
    before, after = clone(old["spec"]), clone(obj["spec"])
    known = {_frozen(one) for one in before.get("tolerations") or []}
    now = [_frozen(one) for one in after.get("tolerations") or []]
    if not known <= set(now):
        rule = "existing toleration can not be modified except its tolerationSeconds"
        causes.append(forbidden_field("spec.tolerations", rule))
    gates_before = [gate.get("name") for gate in before.get("schedulingGates") or []]
    gates_after = [gate.get("name") for gate in after.get("schedulingGates") or []]
    if not set(gates_after) <= set(gates_before):
        added = sorted(set(gates_after) - set(gates_before))
        causes.append(forbidden_field("spec.schedulingGates", f"only deletion is allowed, but found new scheduling gates {added}"))
    for spec in (before, after):
        for name in ("tolerations", "activeDeadlineSeconds", "schedulingGates"):
            spec.pop(name, None)
        for group in ("containers", "initContainers"):
            for container in spec.get(group) or []:
                container.pop("image", None)
    if before != after and not causes:
        causes.append(forbidden_field("spec", UPDATE_RULE))
    return causes


def _frozen(toleration: Part) -> tuple[Any, ...]:
    return tuple(toleration.get(name) for name in ("key", "operator", "value", "effect"))
