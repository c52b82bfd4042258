"""Defaults of pods and pod templates (kubernetes/pkg/apis/core/v1/defaults.go)."""

from __future__ import annotations

import re
from typing import Any

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
DIGEST = re.compile(r"@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,}$")
Part = dict[str, Any]


def default_pod_spec(spec: Part) -> None:
    """Fill in what the server stores for a pod spec, in a template or in a pod."""
    for name, value in (
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", 30),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
    ):
        if spec.get(name) in (None, ""):
            spec[name] = value
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    _default_service_account(spec)
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or []:
            default_container(container)
    for container in spec.get("ephemeralContainers") or []:
        default_container(container)
    for volume in spec.get("volumes") or []:
        _default_volume(volume)


def _default_service_account(spec: Part) -> None:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def default_container(container: Part) -> None:
    """One container: pull policy, termination message, ports, probes, env."""
    container.setdefault("resources", {})
    if container["resources"] is None:
        container["resources"] = {}
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if not container.get("imagePullPolicy"):
        container["imagePullPolicy"] = "Always" if is_latest(container.get("image") or "") else "IfNotPresent"
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    for probe in PROBES:
        if container.get(probe):
            _default_probe(container[probe])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict) and hook.get("httpGet"):
            _default_http(hook["httpGet"])
    for entry in container.get("env") or []:
        reference = (entry.get("valueFrom") or {}).get("fieldRef")
        if reference:
            reference.setdefault("apiVersion", "v1")
        resource = (entry.get("valueFrom") or {}).get("resourceFieldRef")
        if resource:
            resource.setdefault("divisor", "0")
    _default_context(container.get("securityContext"))


def _default_context(context: Part | None) -> None:
    if context and context.get("procMount") == "":
        context["procMount"] = "Default"


def is_latest(image: str) -> bool:
    """Whether an image has the tag `latest`, given or implied."""
    if DIGEST.search(image):
        return False
    last = image.rpartition("/")[2]
    _, colon, tag = last.partition(":")
    return not colon or tag == "latest"


def _default_probe(probe: Part) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(name):
            probe[name] = value
    if probe.get("httpGet"):
        _default_http(probe["httpGet"])
    if probe.get("grpc"):
        probe["grpc"].setdefault("service", "")


def _default_http(action: Part) -> None:
    action["path"] = action.get("path") or "/"
    action["scheme"] = action.get("scheme") or "HTTP"


def _default_volume(volume: Part) -> None:
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if volume.get(kind) is not None:
            volume[kind].setdefault("defaultMode", 420)
    for source in (volume.get("projected") or {}).get("sources") or []:
        if source.get("serviceAccountToken") is not None:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        _default_items(source.get("downwardAPI"))
    _default_items(volume.get("downwardAPI"))
    if volume.get("hostPath") is not None:
        volume["hostPath"].setdefault("type", "")
    claim = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if claim and claim.get("spec"):
        claim["spec"].setdefault("volumeMode", "Filesystem")
    if not any(key != "name" for key in volume):
        volume["emptyDir"] = {}


def _default_items(source: Part | None) -> None:
    for item in (source or {}).get("items") or []:
        if item.get("fieldRef"):
            item["fieldRef"].setdefault("apiVersion", "v1")


def default_requests(spec: Part) -> None:
    """Of a pod, not of a template: requests follow limits, ports of the host network are host ports."""
    for group in ("initContainers", "containers"):
        for container in spec.get(group) or []:
            for port in (container.get("ports") or []) if spec.get("hostNetwork") else []:
                port.setdefault("hostPort", port.get("containerPort"))
            limits = (container.get("resources") or {}).get("limits")
            if limits:
                requests = container["resources"].setdefault("requests", {})
                for name, amount in limits.items():
                    requests.setdefault(name, amount)
