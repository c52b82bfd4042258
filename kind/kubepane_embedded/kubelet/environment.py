"""The environment of a container: literals, ConfigMaps, Secrets, the pod's own fields, Services (kubelet_pods.go, makeEnvironmentVariables)."""

from __future__ import annotations

import base64
import binascii
import math
import re
from typing import Any

from kubepane_embedded.meta import Object
from kubepane_embedded.podfacts import node_of
from kubepane_embedded.quantity import parse
from kubepane_embedded.storage import Storage

Part = dict[str, Any]
REFERENCE = re.compile(r"\$(?:\(([A-Za-z_.\-][A-Za-z0-9_.\-]*)\)|(\$))")
FIELD = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
NAMED = {"ConfigMap": "configmap", "Secret": "secret"}


class ConfigError(Exception):
    """Why a container cannot be made as it is described (CreateContainerConfigError)."""


def secret_text(value: Any) -> str:
    """The text of one value of a Secret's data."""
    try:
        return base64.b64decode(str(value), validate=False).decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return ""


def contents(kind: str, obj: Object) -> dict[str, str]:
    """Key → text of a ConfigMap or a Secret."""
    data = obj.get("data") or {}
    if kind == "Secret":
        return {key: secret_text(value) for key, value in data.items()}
    binary = {key: secret_text(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {**{key: str(value) for key, value in data.items()}, **binary}


def expanded(text: str, known: dict[str, str]) -> str:
    """`$(NAME)` replaced where the name is known, `$$` is `$` (third_party/forked/golang/expansion)."""
    return REFERENCE.sub(lambda found: "$" if found[2] else known.get(found[1], found[0]), text)


class Environment:
    """Builds the environment of one container.

    Args:
        storage: Where ConfigMaps, Secrets and Services are read.
        pod: The pod, with its node.
        container: The container.
        address: The pod's address.
        host: The node's address.
    """

    def __init__(self, storage: Storage, pod: Object, container: Part, address: str, host: str) -> None:
        self._storage = storage
        self._pod = pod
        self._container = container
        self._address = address
        self._host = host
        self._namespace: str = pod["metadata"].get("namespace") or ""

    def build(self) -> dict[str, str]:
        """Name → value; raises ConfigError in upstream's words."""
        found: dict[str, str] = {}
        services = self._services()
        for source in self._container.get("envFrom") or []:
            found.update(self._whole(source))
        for variable in self._container.get("env") or []:
            name, value = variable.get("name") or "", variable.get("value") or ""
            if value:
                found[name] = expanded(value, {**services, **found})
            elif variable.get("valueFrom"):
                single = self._single(variable["valueFrom"])
                if single is not None:
                    found[name] = single
            else:
                found[name] = ""
        return {**services, **found}

    def _whole(self, source: Part) -> dict[str, str]:
        kind = "ConfigMap" if source.get("configMapRef") else "Secret"
        reference = source.get("configMapRef") or source.get("secretRef")
        if not reference:
            return {}
        obj = self._read(kind, reference)
        prefix = source.get("prefix") or ""
        return {prefix + key: text for key, text in contents(kind, obj).items()} if obj is not None else {}

    def _read(self, kind: str, reference: Part) -> Object | None:
        name = reference.get("name") or ""
        obj = self._storage.read(f"{NAMED[kind]}s", self._namespace, name)
        if obj is None and not reference.get("optional"):
            raise ConfigError(f'{NAMED[kind]} "{name}" not found')
        return obj

    def _single(self, source: Part) -> str | None:
        for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            if source.get(field):
                return self._key(kind, source[field])
        if source.get("fieldRef"):
            return self.field(source["fieldRef"].get("fieldPath") or "")
        if source.get("resourceFieldRef"):
            return self.resource(source["resourceFieldRef"])
        return None

    def _key(self, kind: str, reference: Part) -> str | None:
        obj = self._read(kind, reference)
        key, name = reference.get("key") or "", reference.get("name") or ""
        if obj is None:
            return None
        known = contents(kind, obj)
        if key not in known and not reference.get("optional"):
            raise ConfigError(f"couldn't find key {key} in {kind} {self._namespace}/{name}")
        return known.get(key)

    def field(self, path: str) -> str:
        """A field of the pod (fieldRef)."""
        meta, spec = self._pod["metadata"], self._pod.get("spec") or {}
        keyed = FIELD.fullmatch(path)
        if keyed is not None:
            return str((meta.get(keyed[1]) or {}).get(keyed[2], ""))
        if path in ("metadata.labels", "metadata.annotations"):
            return "\n".join(f'{key}="{value}"' for key, value in sorted((meta.get(path[9:]) or {}).items()))
        known = {
            "metadata.name": meta.get("name"),
            "metadata.namespace": self._namespace,
            "metadata.uid": meta.get("uid"),
            "spec.nodeName": node_of(self._pod),
            "spec.serviceAccountName": spec.get("serviceAccountName"),
            "status.podIP": self._address,
            "status.podIPs": self._address,
            "status.hostIP": self._host,
            "status.hostIPs": self._host,
        }
        return str(known.get(path) or "")

    def resource(self, reference: Part) -> str:
        """A request or limit of a container (resourceFieldRef); the node's amount when there is no limit."""
        spec = self._pod.get("spec") or {}
        name = reference.get("containerName") or self._container.get("name")
        every = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
        container = next((one for one in every if one.get("name") == name), self._container)
        group, _, amount = str(reference.get("resource") or "").partition(".")
        text = ((container.get("resources") or {}).get(group) or {}).get(amount)
        if text is None and group == "limits":
            node = self._storage.read("nodes", "", node_of(self._pod)) or {}
            text = ((node.get("status") or {}).get("allocatable") or {}).get(amount)
        divisor = parse(str(reference.get("divisor") or "1")) or 1
        return str(math.ceil(parse(str(text or "0")) / divisor))

    def _services(self) -> dict[str, str]:
        """Addresses of Services as variables (pkg/kubelet/envvars)."""
        found: dict[str, str] = {}
        master = self._storage.read("services", "default", "kubernetes")
        links = (self._pod.get("spec") or {}).get("enableServiceLinks") is not False
        for service in [*([master] if master else []), *(self._storage.objects("services", self._namespace) if links else [])]:
            spec = service.get("spec") or {}
            address = spec.get("clusterIP") or ""
            ports = spec.get("ports") or []
            if address in ("", "None") or not ports:
                continue
            name = service["metadata"]["name"].upper().replace("-", "_")
            found[f"{name}_SERVICE_HOST"] = address
            found[f"{name}_SERVICE_PORT"] = str(ports[0].get("port"))
            for port in ports:
                if port.get("name"):
                    found[f"{name}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(port.get("port"))
        return found
