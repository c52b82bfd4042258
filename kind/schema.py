"""Makes the tables of the embedded cluster: `schema.json` and `words.txt` from a real API server, `wire.json` from the Go modules it is built of.

    KUBECONFIG=… python kind/schema.py            # writes them
    KUBECONFIG=… python kind/schema.py --check    # exit 1 when one differs from the committed one

Kubernetes' OpenAPI documents are licensed under Apache-2.0. `words.txt` holds the first sentence of each description, for
`kubectl explain`: JSON, compressed, as base64 text.
A type is `{field: [type, marks…]}`; types are short words: `s` string, `i`/`l` int32/int64, `f` number, `b` boolean, `q` quantity,
`o` int-or-string, `t`/`u` Time/MicroTime, `y` bytes, `d` duration, `*` anything, `#Type` an object, `[]T` a list, `{}T` a map.
Marks: `r` required, `k:a,b` list-map keys, `S` list-type set, `A` atomic, `m:key` patch merge key, `P` patch strategy merge, `K` retainKeys,
`z` a struct by value: an empty object has it too, `e` a scalar by value that JSON leaves out when it is zero (`omitempty`).
In `wire.json` a type is its protobuf fields, `1 metadata 2 spec`; `*Type` is a message whose fields JSON shows in place.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import textwrap
import zlib
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "kubepane_embedded"
MODULES = ("k8s.io/api", "k8s.io/apimachinery", "k8s.io/apiextensions-apiserver")
VERSION = "v0.35.4"
MESSAGE = re.compile(r"^message (\w+) \{(.*?)^\}", re.MULTILINE | re.DOTALL)
STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
BY_VALUE = re.compile(r"^\t\w+ +([\w.]+) +`json:\"(\w+),omit(?:empty|zero)", re.MULTILINE)
FIELD = re.compile(r"^\s+(?:optional|repeated|required)?\s*(map<[^>]+>|[\w.]+)\s+(\w+)\s*=\s*(\d+);", re.MULTILINE)
DOCUMENTS = (
    "api/v1",
    "apis/apps/v1",
    "apis/events.k8s.io/v1",
    "apis/authentication.k8s.io/v1",
    "apis/authorization.k8s.io/v1",
    "apis/autoscaling/v2",
    "apis/autoscaling/v1",
    "apis/batch/v1",
    "apis/networking.k8s.io/v1",
    "apis/policy/v1",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/storage.k8s.io/v1",
    "apis/apiextensions.k8s.io/v1",
    "apis/scheduling.k8s.io/v1",
    "apis/coordination.k8s.io/v1",
    "apis/discovery.k8s.io/v1",
    "apis/metrics.k8s.io/v1beta1",
)
KINDS = frozenset(
    [
        "ConfigMap",
        "Endpoints",
        "Event",
        "LimitRange",
        "Namespace",
        "Node",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "Pod",
        "ResourceQuota",
        "Secret",
        "ServiceAccount",
        "Service",
        "Binding",
        "ControllerRevision",
        "DaemonSet",
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "TokenRequest",
        "SelfSubjectReview",
        "LocalSubjectAccessReview",
        "SelfSubjectAccessReview",
        "SelfSubjectRulesReview",
        "SubjectAccessReview",
        "HorizontalPodAutoscaler",
        "Scale",
        "CronJob",
        "Job",
        "IngressClass",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Eviction",
        "ClusterRoleBinding",
        "ClusterRole",
        "RoleBinding",
        "Role",
        "StorageClass",
        "CustomResourceDefinition",
        "PriorityClass",
        "Lease",
        "EndpointSlice",
        "NodeMetrics",
        "PodMetrics",
    ]
)
SCALARS = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "o",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "u",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Duration": "d",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "*",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "*",
}
SHORT = (
    ("io.k8s.api.", ""),
    ("io.k8s.apimachinery.pkg.apis.", ""),
    ("io.k8s.apiextensions-apiserver.pkg.apis.", ""),
    ("io.k8s.metrics.pkg.apis.", ""),
)


def short_name(name: str) -> str:
    """`core.v1.Pod` for `io.k8s.api.core.v1.Pod`."""
    for prefix, replacement in SHORT:
        if name.startswith(prefix):
            return replacement + name[len(prefix) :]
    return name


class Table:
    """Collects the types that the served kinds reach."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self.left_out = left_out()
        self.types: dict[str, dict[str, list[str]]] = {}
        self.kinds: dict[str, str] = {}

    def add_kinds(self) -> None:
        """Walk from every served kind."""
        for name, schema in sorted(self.schemas.items()):
            for gvk in schema.get("x-kubernetes-group-version-kind", []):
                group, version, kind = gvk["group"], gvk["version"], gvk["kind"]
                if (kind in KINDS or (kind, group, version) == ("DeleteOptions", "", "v1")) and name.endswith(f".{kind}"):
                    self.kinds[f"{group}/{version}/{kind}" if group else f"{version}/{kind}"] = self.reference(name)

    def reference(self, name: str) -> str:
        """The word for a named schema; walks into it the first time."""
        if name in SCALARS:
            return SCALARS[name]
        schema = self.schemas[name]
        if "properties" not in schema:
            return self.word(schema) if "type" in schema and schema["type"] != "object" else "*"
        short = short_name(name)
        if short not in self.types:
            self.types[short] = {}
            required = set(schema.get("required", []))
            for field, part in sorted(schema["properties"].items()):
                word, zero = self.word(part), ["e"] if (short, field) in self.left_out else []
                self.types[short][field] = [word, *self.marks(part, field in required), *(zero if word in set("silfbt") else [])]
        return "#" + short

    def word(self, schema: dict[str, Any]) -> str:
        """The word for an inline schema."""
        if "$ref" in schema:
            return self.reference(schema["$ref"].rpartition("/")[2])
        if "allOf" in schema:
            return self.word(schema["allOf"][0])
        kind, form = schema.get("type"), schema.get("format")
        if kind == "array":
            return "[]" + self.word(schema["items"])
        if kind == "object" and "additionalProperties" in schema:
            return "{}" + self.word(schema["additionalProperties"])
        if kind == "string":
            return "y" if form == "byte" else "s"
        if kind == "integer":
            return "l" if form == "int64" else "i"
        return {"boolean": "b", "number": "f"}.get(str(kind), "*")

    @staticmethod
    def marks(schema: dict[str, Any], required: bool) -> list[str]:
        """Everything about a field but its type."""
        found = ["r"] if required else []
        kind = schema.get("x-kubernetes-list-type")
        if kind == "map":
            found.append("k:" + ",".join(schema["x-kubernetes-list-map-keys"]))
        elif kind == "set":
            found.append("S")
        elif kind == "atomic" or schema.get("x-kubernetes-map-type") == "atomic":
            found.append("A")
        strategy = schema.get("x-kubernetes-patch-strategy", "")
        if schema.get("x-kubernetes-patch-merge-key"):
            found.append("m:" + schema["x-kubernetes-patch-merge-key"])
        if "merge" in strategy:
            found.append("P")
        if "retainKeys" in strategy:
            found.append("K")
        if schema.get("default") == {}:
            found.append("z")
        return found


def atomic_types(schemas: dict[str, Any]) -> list[str]:
    """Structs that apply treats as one value."""
    return sorted(short_name(name) for name, schema in schemas.items() if schema.get("x-kubernetes-map-type") == "atomic")


def fetch(path: str) -> dict[str, Any]:
    """One OpenAPI document of the server that kubectl talks to."""
    answer = subprocess.run(["kubectl", "get", "--raw", f"/openapi/v3/{path}"], check=True, capture_output=True)  # noqa: S603, S607
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def build() -> tuple[Table, list[str]]:
    """The types of all served kinds, and which of them are atomic."""
    schemas: dict[str, Any] = {}
    for path in DOCUMENTS:
        for name, schema in fetch(path)["components"]["schemas"].items():
            schemas.setdefault(name, schema)
    table = Table(schemas)
    table.add_kinds()
    return table, [name for name in atomic_types(schemas) if name in table.types]


def schema_text(table: Table, atomic: list[str]) -> str:
    """schema.json, one type a line."""
    lines = [f"{json.dumps(name)}:{json.dumps(table.types[name], separators=(',', ':'))}" for name in sorted(table.types)]
    heads = {"kinds": table.kinds, "atomic": atomic}
    head = ",\n".join(f"{json.dumps(key)}:{json.dumps(value, separators=(',', ':'), sort_keys=True)}" for key, value in heads.items())
    return "{" + head + ',\n"types":{\n' + ",\n".join(lines) + "\n}}\n"


def first_sentence(text: str) -> str:
    """The first sentence of a description, 200 characters at most."""
    line = text.partition("\n")[0]
    return re.split(r"(?<=[a-z)])\. ", line)[0].rstrip(".")[:200]


def words_text(table: Table) -> str:
    """words.txt: per type its own sentence, then those of its fields in the order of schema.json."""
    words: dict[str, list[str]] = {}
    for full, schema in table.schemas.items():
        name = short_name(full)
        if name in table.types:
            parts = schema["properties"]
            fields = [first_sentence(parts[field].get("description", "")) for field in sorted(table.types[name])]
            words[name] = [first_sentence(schema.get("description", "")), *fields]
    packed = zlib.compress(json.dumps(words, separators=(",", ":"), sort_keys=True).encode(), 9)
    return textwrap.fill(base64.b64encode(packed).decode(), 150) + "\n"


@cache
def packages() -> list[tuple[str, Path, str]]:
    """(prefix of short names, folder, generated.proto without comments) of each API package of the Go modules."""
    modules = subprocess.run(["go", "env", "GOMODCACHE"], check=True, capture_output=True, text=True)  # noqa: S607
    found = []
    for module in MODULES:
        for file in sorted(Path(modules.stdout.strip(), f"{module}@{VERSION}").rglob("generated.proto")):
            text = re.sub(r"//[^\n]*", "", file.read_text(encoding="utf-8"))
            package = re.search(r"^package k8s\.io\.([\w.]+);", text, re.MULTILINE)
            if package is not None:
                found.append((short_name("io.k8s." + package[1] + "."), file.parent, text))
    return found


def messages() -> dict[str, list[tuple[str, str, str]]]:
    """Message → (type, name, number) of its fields, from the generated.proto files."""
    found: dict[str, list[tuple[str, str, str]]] = {}
    for prefix, _, text in packages():
        for name, body in MESSAGE.findall(text):
            found[prefix + name] = [(_message_name(kind, prefix), field, number) for kind, field, number in FIELD.findall(body)]
    return found


def left_out() -> set[tuple[str, str]]:
    """(type, field) of what JSON leaves out when it is zero, from the Go structs: by value (no pointer) and `omitempty`."""
    found = set()
    for prefix, folder, _ in packages():
        for file in sorted(folder.glob("types*.go")):
            for name, body in STRUCT.findall(file.read_text(encoding="utf-8")):
                found |= {(prefix + name, field) for _, field in BY_VALUE.findall(body)}
    return found


def _message_name(kind: str, prefix: str) -> str:
    """The short name of a field's message type."""
    if kind.startswith(".k8s.io."):
        return short_name("io.k8s." + kind[len(".k8s.io.") :])
    return prefix + kind


def wire_text(table: Table) -> str:
    """wire.json, one type a line."""
    known = messages()
    lines: dict[str, str] = {}

    def add(name: str, names: dict[str, list[str]]) -> None:
        parts = []
        for kind, field, number in known[name]:
            if field in names:
                parts.append(f"{number} {field}")
            elif kind in known and kind not in lines:
                parts.append(f"{number} *{kind}")
                add(kind, names)
            elif kind in known:
                parts.append(f"{number} *{kind}")
        lines[name] = " ".join(parts)

    for name in sorted(table.types):
        if name in known:
            add(name, table.types[name])
    return "{\n" + ",\n".join(f"{json.dumps(name)}:{json.dumps(lines[name])}" for name in sorted(lines)) + "\n}\n"


def main() -> int:
    """Write the tables, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    table, atomic = build()
    differs = False
    for name, text in (("schema.json", schema_text(table, atomic)), ("wire.json", wire_text(table)), ("words.txt", words_text(table))):
        target = HERE / name
        differs |= not target.exists() or target.read_text(encoding="utf-8") != text
        if not check:
            target.write_text(text, encoding="utf-8")
    return 1 if check and differs else 0


if __name__ == "__main__":
    sys.exit(main())
