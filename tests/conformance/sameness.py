"""Two servers given the same calls: what each says, without what must differ, side by side."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from conformance.door import TABLE, Answer, Door
from conformance.randomcalls import FIRST, PRESENT, Call

UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NO_UID = "00000000-0000-0000-0000-000000000000"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"\b10\.96\.\d+\.\d+")
MOUNT = re.compile(r"kube-api-access-\w{5}")
AGE = re.compile(r"^(\d+[smh])+$")
LONG_VALUE = re.compile(r'Invalid value: ("\{.*\}"|\{.*\}|map\[.*\]|\[.*\])(?=: )')
"""A whole object in a message: Go prints its keys in an order of its own."""


PRECONDITION = re.compile(r"\(\d+\)(?= does not match the ResourceVersion|\.)")


WRONG_TYPE = re.compile(r"json: cannot unmarshal .*|cannot convert \w+ to \w+.*|unrecognized type: \w+")
"""Each decoder of Go's names a wrong type in its own way, with the names of Go types."""


@dataclass
class Side:
    """One server, and what it has said so far of each object."""

    door: Door
    versions: dict[str, list[str]] = field(default_factory=dict)
    uids: dict[str, str] = field(default_factory=dict)

    def say(self, call: Call) -> tuple[int, Any]:
        """Make the call; returns its code and the body as it can be compared."""
        key = f"{call.sample.plural}/{call.touches}"
        known = self.versions.get(key) or ["1"]
        body = call.body
        if body is not None:
            body = json.loads(json.dumps(body).replace(PRESENT, known[-1]).replace(FIRST, known[0]))
        answer = self.door(call.method, call.path, body, call.content, call.accept)
        self._learn(call, answer)
        return answer.code, self._settled(answer, call)

    def _learn(self, call: Call, answer: Answer) -> None:
        if not isinstance(answer.body, dict):
            return
        for obj in answer.body.get("items") or [answer.body]:
            metadata = obj.get("metadata") or {} if isinstance(obj, dict) else {}
            if metadata.get("resourceVersion") and metadata.get("name") and "dryRun" not in call.path:
                seen = self.versions.setdefault(f"{call.sample.plural}/{metadata['name']}", [])
                if metadata["resourceVersion"] not in seen:
                    seen.append(metadata["resourceVersion"])

    def _ordinal(self, call: Call, metadata: dict[str, Any]) -> str:
        seen = self.versions.get(f"{call.sample.plural}/{metadata.get('name')}", [])
        version = metadata.get("resourceVersion")
        return f"#{seen.index(version)}" if version in seen else "#new"

    def _settled(self, answer: Answer, call: Call) -> Any:
        body = answer.body
        if isinstance(body, dict) and str(body.get("kind", "")).endswith(("List", "Table")):
            body["metadata"] = {key: True for key in body.get("metadata") or {} if key in ("continue", "remainingItemCount")}
        text = json.dumps(self._walked(body, call))
        text = UID.sub(lambda found: found[0] if found[0] == NO_UID else "uid", text)
        text = MOUNT.sub("kube-api-access", ADDRESS.sub("address", TIME.sub("time", text)))
        return {"body": json.loads(text), "warnings": answer.warnings}

    def _walked(self, value: Any, call: Call, key: str = "") -> Any:
        if isinstance(value, dict):
            plain = call.accept != TABLE
            return {name: self._entry(value, name, call) if plain or name != "description" else "" for name in sorted(value)}
        if isinstance(value, list):
            found = [self._walked(entry, call) for entry in value]
            if key == "cells":
                return ["age" if isinstance(cell, str) and AGE.match(cell) else cell for cell in found]
            return found
        if isinstance(value, str):
            return PRECONDITION.sub("(version)", WRONG_TYPE.sub("wrong type", LONG_VALUE.sub("Invalid value: …", value)))
        return value

    def _entry(self, holder: dict[str, Any], name: str, call: Call) -> Any:
        if name == "resourceVersion" and "name" in holder:
            return self._ordinal(call, holder)
        if name in ("nodePort", "healthCheckNodePort") and isinstance(holder[name], int):
            return 30000 if 30000 <= holder[name] <= 32767 else holder[name]
        return self._walked(holder[name], call, name)


@dataclass(frozen=True)
class Difference:
    """One call that two servers answered differently."""

    call: Call
    first: tuple[int, Any]
    second: tuple[int, Any]

    def __str__(self) -> str:
        lines = [f"{self.call}", f"  sent {json.dumps(self.call.body)[:1500]}", f"  codes {self.first[0]} and {self.second[0]}"]
        return "\n".join([*lines, *(f"  {line}" for line in unlike(self.first[1], self.second[1])[:12])])


def unlike(first: Any, second: Any, path: str = "") -> list[str]:
    """Where two bodies differ, one line each."""
    if isinstance(first, dict) and isinstance(second, dict):
        return [
            line for key in sorted({*first, *second}) for line in unlike(first.get(key, "(absent)"), second.get(key, "(absent)"), f"{path}.{key}")
        ]
    if isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        return [line for place, pair in enumerate(zip(first, second, strict=True)) for line in unlike(*pair, f"{path}[{place}]")]
    return [] if first == second else [f"{path}:\n    1: {json.dumps(first)[:1200]}\n    2: {json.dumps(second)[:1200]}"]


def compared(first: Side, second: Side, calls: list[Call]) -> list[Difference]:
    """The calls that were answered differently. An object that was is left alone from then on: what follows would only repeat it."""
    found: list[Difference] = []
    spoilt: set[str] = set()
    for call in calls:
        if {call.touches, "*"} & {name.partition("/")[2] for name in spoilt if name.partition("/")[0] == call.sample.plural}:
            continue
        if call.touches in ("", "*") and any(name.startswith(f"{call.sample.plural}/") for name in spoilt):
            continue
        answers = first.say(call), second.say(call)
        if answers[0] != answers[1]:
            found.append(Difference(call, *answers))
            spoilt.add(f"{call.sample.plural}/{call.touches or '*'}")
    return found
