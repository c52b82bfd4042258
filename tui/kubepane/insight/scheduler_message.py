"""The scheduler's own words, from a pod's PodScheduled condition: `0/4 nodes are available: 3 Insufficient cpu, 1 node(s) …`.

Source: FitError.Error of pkg/scheduler/framework/types.go, and the messages of a real 1.35.4 server. Sums can exceed the nodes.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from kubepane.insight import scheduling

_HEAD = re.compile(r"(\d+)/(\d+) nodes are available: ")
_TAIL = re.compile(r"\.? *(?:no new claims to deallocate, )?preemption: .*$|\.? not found$|\.$", re.DOTALL)
_PART = re.compile(r"(\d+) (.+?)(?=, \d+ |$)", re.DOTALL)
_TAINT = re.compile(r"node\(s\) had untolerated taint \{([^:}]*): ?([^}]*)\}")
_WORDS = {
    "node(s) had untolerated taint(s)": (scheduling.TAINT, "untolerated taints"),
    "node(s) didn't match Pod's node affinity/selector": (scheduling.AFFINITY, "node selector or affinity not met"),
    "node(s) didn't satisfy plugin(s) [NodeAffinity]": (scheduling.AFFINITY, "node affinity not met"),
    "node(s) were unschedulable": (scheduling.CORDON, "cordoned"),
    "Too many pods": (scheduling.PODS, "pod limit reached"),
    "node(s) didn't have free ports for the requested pod ports": (scheduling.PORT, "host port taken"),
    "node(s) didn't match pod anti-affinity rules": (scheduling.APART, "pod anti-affinity"),
    "node(s) didn't satisfy existing pods anti-affinity rules": (scheduling.APART, "anti-affinity of other pods"),
    "node(s) didn't match pod affinity rules": (scheduling.NEAR, "pod affinity not met"),
    "node(s) had volume node affinity conflict": (scheduling.VOLUME, "volume elsewhere"),
    "node(s) didn't match PersistentVolume's node affinity": (scheduling.VOLUME, "volume elsewhere"),
    "node(s) didn't find available persistent volumes to bind": (scheduling.VOLUME, "no volume to bind"),
    "node(s) didn't match pod topology spread constraints": ("spread", "topology spread not met"),
    "node(s) didn't match pod topology spread constraints (missing required label)": ("spread", "topology spread: label missing"),
    "node(s) exceed max volume count": ("volume count", "volume limit reached"),
}


class Part(msgspec.Struct, frozen=True, gc=False):
    """One counted reason.

    Attributes:
        count: on how many nodes.
        kind: as in `scheduling`, or a word of its own.
        words: short, without the count.
    """

    count: int
    kind: str
    words: str


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message taken apart.

    Attributes:
        nodes: how many nodes the scheduler knows; 0 where it does not say.
        parts: the counted reasons.
        rest: what is said about the pod as a whole, or the whole message when it is of no known form.
    """

    nodes: int = 0
    parts: tuple[Part, ...] = ()
    rest: str = ""


@lru_cache(maxsize=512)
def parse(text: str) -> Message:
    """Takes a message apart; never fails. Pods of one template are told the same."""
    head = _HEAD.match(text)
    if head is None:
        return Message(rest=text.strip())
    body = _TAIL.sub("", text[head.end() :]).strip()
    found = tuple(_part(int(m[1]), m[2].strip()) for m in _PART.finditer(body)) if _PART.match(body) else ()
    return Message(int(head[2]), found, "" if found else body)


def _part(count: int, words: str) -> Part:
    if words in _WORDS:
        return Part(count, *_WORDS[words])
    if words.startswith("Insufficient "):
        return Part(count, scheduling.RESOURCE, f"{words[13:]} full")
    if taint := _TAINT.fullmatch(words):
        return Part(count, scheduling.TAINT, f"taint {taint[1]}={taint[2]}" if taint[2] else f"taint {taint[1]}")
    return Part(count, words, words.removeprefix("node(s) "))


def phrase(part: Part) -> str:
    """A counted reason as a clause: `cpu full on 3 nodes`."""
    return f"{part.words} on {part.count} node{'s' if part.count != 1 else ''}"
