"""A seeded script of API calls, good ones and spoilt ones, over a few names of many kinds: the same for every server."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import urlencode

from conformance.door import APPLY, JSON, JSON_PATCH, MERGE, STRATEGIC, TABLE
from conformance.samples import SAMPLES, Object, Sample

NAMES = ("one", "two")
PRESENT, FIRST = "<present version>", "<first version>"
"""Stand for resourceVersions that each server has given the object."""
ODD: tuple[Any, ...] = (None, "", "x y", "UPPER_", -1, 0, 3, 70000, True, [], {}, {"a": "b"}, ["a"], "1Gi", "10%", "a.example", "Always", 1.5)
MANAGERS = ("alice", "bob")


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `touches` names the object that it may change."""

    sample: Sample
    method: str
    path: str
    body: Any = None
    content: str = JSON
    accept: str = JSON
    touches: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.content if self.body is not None else ''}"


class Chance(Random):
    """Random, with a liking for spoilt bodies: 0 for none, 1 for as many as each call likes."""

    wild = 1.0

    def spoils(self, share: float) -> bool:
        """Whether this one is to be spoilt."""
        return self.random() < share * self.wild


def script(seed: int, length: int, namespace: str, wild: float = 1.0) -> list[Call]:
    """So many calls in a namespace; three kinds of object, so that calls meet one another."""
    random = Chance(seed)
    random.wild = wild
    kinds = random.sample(SAMPLES, 3)
    return [_call(random, random.choice(kinds), namespace) for _ in range(length)]


def _call(random: Chance, sample: Sample, namespace: str) -> Call:
    make = random.choices([make for make, _ in WEIGHTS], [weight for _, weight in WEIGHTS])[0]
    return make(random, sample, namespace)


def _name(random: Chance, sample: Sample, namespace: str) -> str:
    """One of two; what is in no namespace is named after ours, so that scripts do not meet."""
    name = random.choice(NAMES)
    return name if sample.namespaced else f"{namespace}-{name}"


def _query(random: Chance, **given: str) -> str:
    asked = dict(given)
    if random.random() < 0.3:
        asked["fieldValidation"] = random.choice(("Strict", "Warn", "Ignore"))
    if random.random() < 0.15:
        asked["dryRun"] = "All"
    return f"?{urlencode(asked)}" if asked else ""


# ---- bodies


def _spots(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [spot for key, child in children for spot in ((*path, key), *_spots(child, (*path, key)))]


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def spoilt(random: Chance, body: Object) -> Object:
    """A copy with one thing in it taken away, replaced by something odd, or added."""
    body = copy.deepcopy(body)
    path = random.choice([spot for spot in _spots(body) if spot not in (("apiVersion",), ("kind",), ("metadata",), ("metadata", "name"))])
    holder: Any = _at(body, path[:-1])
    key: Any = path[-1]
    match random.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder["unheardOf"] = random.choice(ODD)
        case 2 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case _:
            holder[key] = copy.deepcopy(random.choice(ODD))
    return body


def _body(random: Chance, sample: Sample, name: str) -> Object:
    body = copy.deepcopy(sample.named(name))
    return spoilt(random, body) if random.spoils(0.5) else body


def _part(random: Chance, body: Object) -> Object:
    """The way to one place in a body and what stands there, spoilt or not: a merge patch."""
    source = spoilt(random, body) if random.spoils(0.6) else body
    path = random.choice([p for p in _spots(source) if p[0] not in ("apiVersion", "kind") and not any(isinstance(key, int) for key in p)])
    value = copy.deepcopy(_at(source, path))
    if random.spoils(0.2):
        value = None
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def _labelled(random: Chance) -> Object:
    return {"metadata": {"labels": {random.choice("abc"): random.choice(("x", "y", None))}}}


# ---- calls


def _create(random: Chance, sample: Sample, namespace: str) -> Call:
    name = _name(random, sample, namespace)
    return Call(sample, "POST", sample.collection(namespace) + _query(random), _body(random, sample, name), touches=name)


def _read(random: Chance, sample: Sample, namespace: str) -> Call:
    name = _name(random, sample, namespace)
    return Call(sample, "GET", f"{sample.collection(namespace)}/{name}", accept=random.choice((JSON, JSON, TABLE)))


def _list(random: Chance, sample: Sample, namespace: str) -> Call:
    asked: dict[str, str] = {"labelSelector": "app in (a)"}
    if not sample.namespaced:
        return _read(random, sample, namespace)
    if random.random() < 0.3:
        asked["labelSelector"] = random.choice(("app=a,!b", "a=x", "a in (x,y),app", "=", "a b", "a>1", "app!=a"))
    if random.random() < 0.4:
        asked["fieldSelector"] = random.choice(("metadata.name=one", "metadata.name!=one", "status.phase=Running", "spec.x=1", "metadata.name"))
    if random.random() < 0.3:
        asked["limit"] = random.choice(("1", "0", "-1", "x"))
    return Call(sample, "GET", f"{sample.collection(namespace)}?{urlencode(asked)}", accept=random.choice((JSON, JSON, TABLE)))


def _update(random: Chance, sample: Sample, namespace: str) -> Call:
    name = _name(random, sample, namespace)
    body = _body(random, sample, name)
    body["metadata"] = body["metadata"] if isinstance(body.get("metadata"), dict) else {"name": name}
    if (version := random.choice(("", PRESENT, PRESENT, FIRST))) != "":
        body["metadata"]["resourceVersion"] = version
    if random.random() < 0.05:
        body["metadata"]["name"] = "other"
    return Call(sample, "PUT", f"{sample.collection(namespace)}/{name}{_query(random)}", body, touches=name)


def _merge(random: Chance, sample: Sample, namespace: str) -> Call:
    name = _name(random, sample, namespace)
    body = _labelled(random) if random.random() < 0.3 else _part(random, sample.named(name))
    content = random.choice((MERGE, STRATEGIC))
    return Call(sample, "PATCH", f"{sample.collection(namespace)}/{name}{_query(random)}", body, content, touches=name)


def _strategic(random: Chance, sample: Sample, namespace: str) -> Call:
    """Whole lists with merge keys: what a strategic patch is for."""
    name = _name(random, sample, namespace)
    whole = _body(random, sample, name)
    whole.pop("apiVersion", None), whole.pop("kind", None)
    whole["metadata"] = {"labels": {"b": random.choice("xy")}}
    return Call(sample, "PATCH", f"{sample.collection(namespace)}/{name}{_query(random)}", whole, STRATEGIC, touches=name)


def _json_patch(random: Chance, sample: Sample, namespace: str) -> Call:
    name = _name(random, sample, namespace)
    body = sample.named(name)
    steps = []
    for _ in range(random.choice((1, 1, 2))):
        path = random.choice([p for p in _spots(body) if p[0] not in ("apiVersion", "kind")])
        pointer = "/" + "/".join(str(key).replace("~", "~0").replace("/", "~1") for key in path)
        verb = random.choice(("add", "replace", "remove", "test", "copy") if random.wild else ("replace", "test"))
        step: Object = {"op": verb, "path": pointer}
        if verb in ("add", "replace", "test"):
            step["value"] = random.choice(ODD) if random.spoils(0.5) else copy.deepcopy(_at(body, path))
        elif verb == "copy":
            step |= {"from": pointer, "path": "/metadata/annotations"}
        steps.append(step)
    return Call(sample, "PATCH", f"{sample.collection(namespace)}/{name}{_query(random)}", steps, JSON_PATCH, touches=name)


def _apply(random: Chance, sample: Sample, namespace: str) -> Call:
    name = _name(random, sample, namespace)
    asked = {} if random.random() < 0.05 else {"fieldManager": random.choice(MANAGERS)}
    if random.random() < 0.3:
        asked["force"] = "true"
    body = _body(random, sample, name)
    if random.spoils(0.3):  # only a part of it: what the manager had said besides is given up
        body = {key: body[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": name, "labels": {random.choice("ab"): "z"}}}
    return Call(sample, "PATCH", f"{sample.collection(namespace)}/{name}{_query(random, **asked)}", body, APPLY, touches=name)


def _delete(random: Chance, sample: Sample, namespace: str) -> Call:
    name = _name(random, sample, namespace)
    options: Object = {}
    if random.random() < 0.4:
        options["propagationPolicy"] = random.choice(("Background", "Foreground", "Orphan", "Never"))
    if random.random() < 0.3:
        options["gracePeriodSeconds"] = random.choice((0, 5, -1))
    if random.random() < 0.3:
        options["preconditions"] = {"resourceVersion": random.choice((PRESENT, FIRST))}
    if random.random() < 0.1:
        options["preconditions"] = {"uid": "00000000-0000-0000-0000-000000000000"}
    if random.random() < 0.1:
        options["dryRun"] = random.choice((["All"], ["Some"]))
    body = {"kind": "DeleteOptions", "apiVersion": "v1", **options} if options else None
    return Call(sample, "DELETE", f"{sample.collection(namespace)}/{name}", body, touches=name)


def _clear(random: Chance, sample: Sample, namespace: str) -> Call:
    if not sample.namespaced:
        return _delete(random, sample, namespace)
    selector = random.choice(("app=a,a=x", "app=a,b"))
    return Call(sample, "DELETE", f"{sample.collection(namespace)}?{urlencode({'labelSelector': selector})}", touches="*")


def _status(random: Chance, sample: Sample, namespace: str) -> Call:
    name = _name(random, sample, namespace)
    path = f"{sample.collection(namespace)}/{name}/status"
    if random.random() < 0.3:
        return Call(sample, "GET", path)
    status = sample.status or {"conditions": []}
    if random.spoils(0.4):
        status = spoilt(random, status)
    if random.random() < 0.5:
        return Call(sample, "PATCH", path + _query(random), {"status": status}, random.choice((MERGE, STRATEGIC)), touches=name)
    body = sample.named(name)
    metadata = {**body["metadata"], "resourceVersion": random.choice((PRESENT, FIRST))}
    return Call(sample, "PUT", path + _query(random), {**body, "metadata": metadata, "status": status}, touches=name)


def _scale(random: Chance, sample: Sample, namespace: str) -> Call:
    if not sample.scale:
        return _status(random, sample, namespace)
    name = _name(random, sample, namespace)
    path = f"{sample.collection(namespace)}/{name}/scale"
    replicas = random.choice((0, 1, 7, -1, "x", None) if random.wild else (0, 1, 7))
    match random.randrange(4):
        case 0:
            return Call(sample, "GET", path)
        case 1:
            metadata = {
                "name": name,
                "namespace": namespace,
                **({"resourceVersion": random.choice((PRESENT, FIRST))} if random.random() < 0.6 else {}),
            }
            body = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": {"replicas": replicas}}
            return Call(sample, "PUT", path + _query(random), body, touches=name)
        case 2:
            steps = [{"op": "replace", "path": "/spec/replicas", "value": replicas}]
            return Call(sample, "PATCH", path + _query(random), steps, JSON_PATCH, touches=name)
        case _:
            return Call(sample, "PATCH", path + _query(random), {"spec": {"replicas": replicas}}, MERGE, touches=name)


WEIGHTS: tuple[tuple[Callable[[Chance, Sample, str], Call], int], ...] = (
    (_create, 7),
    (_read, 2),
    (_list, 2),
    (_update, 4),
    (_merge, 4),
    (_strategic, 3),
    (_json_patch, 4),
    (_apply, 5),
    (_delete, 3),
    (_clear, 1),
    (_status, 2),
    (_scale, 1),
)
