"""Taints and cordons: the whole list with the node's resourceVersion, so that nobody's taint is lost, and what it would do to pods.

kubectl: a strategic merge of `spec.taints` without resourceVersion (pkg/cmd/taint, pkg/drain); the list is atomic, so that loses updates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kubepane.acting.plan import Danger, Intent, Malformed, Need, Plan, Scene, Unfit, Verb
from kubepane.cluster import kinds as k, resources as r
from kubepane.cluster.api import STRATEGIC_PATCH
from kubepane.cluster.writing import Raw, Ref, Request, Step, preconditions, uid_of
from kubepane.insight import whatif
from kubepane.views.command import words
from kubepane_widgets.lines import Line

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
OWN = "node.kubernetes.io/"  # taints that Kubernetes sets and takes away by itself
LISTED = 6  # pods named in a preview
_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(rf"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_NAME}")
_VALUE = re.compile(rf"({_NAME})?")

Taints = list[dict[str, Any]]


def taints_of(node: Raw | None) -> Taints:
    """spec.taints, never None."""
    return list(((node or {}).get("spec") or {}).get("taints") or [])


def parse(text: str) -> r.Taint:
    """`KEY[=VALUE]:EFFECT`.

    Raises:
        Malformed: it is not of that form, with the rule that it breaks.
    """
    head, colon, effect = text.rpartition(":")
    key, _, value = head.partition("=")
    if not colon:
        raise Malformed(f"{text!r} is no taint: KEY[=VALUE]:EFFECT, as dedicated=chatapp:NoSchedule")
    return checked(key, value, effect)


def checked(key: str, value: str, effect: str) -> r.Taint:
    """A taint of these parts.

    Raises:
        Malformed: a part is not what Kubernetes allows.
    """
    if effect not in EFFECTS:
        raise Malformed(f"{effect!r} is no effect: {', '.join(EFFECTS)}")
    if not _KEY.fullmatch(key):
        raise Malformed(f"{key!r} is no taint key: letters, digits, - _ and ., at most 63, with an optional DNS prefix and /")
    if not _VALUE.fullmatch(value):
        raise Malformed(f"{value!r} is no taint value: letters, digits, - _ and ., at most 63")
    return r.Taint(key, value, effect)


def text_of(taint: dict[str, Any]) -> str:
    """`key=value:effect`, as kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


# ---- steps ---------------------------------------------------------------------------------------------------------------------


def _taint_step(ref: Ref, node: Raw, change: Callable[[Taints], Taints]) -> Step:
    before, after = taints_of(node), change(taints_of(node))

    def request(now: Raw) -> Request:
        wanted = change(taints_of(now))
        return Request("PATCH", ref.path, {"metadata": preconditions(now), "spec": {"taints": wanted or None}}, {}, STRATEGIC_PATCH)

    gone = [text_of(one) for one in before if one not in after]
    new = [text_of(one) for one in after if one not in before]
    says = ", ".join([*(f"− {text}" for text in gone), *(f"+ {text}" for text in new)]) or "nothing changes"
    # whoever else changes other taints meanwhile does not matter: the change is worked out anew from what is there then
    return Step(ref, says, node, request, holds=lambda now: now is not None and change(taints_of(now)) == taints_of(now))


def _lines(steps: Iterable[Step]) -> tuple[Line, ...]:
    return tuple([(f"{step.about.name:<28}", "fg"), (step.says, "accent")] for step in steps)


def _needs(steps: Sequence[Step]) -> tuple[Need, ...]:
    return (Need("patch", k.NODES.resource),) if steps else ()


def _what(steps: Sequence[Step]) -> str:
    return f"node {steps[0].about.name}" if len(steps) == 1 else f"{len(steps)} nodes"


def pod_lines(pods: Sequence[r.Pod], says: str, tone: str) -> list[Line]:
    """How many pods, and the first of them by name."""
    if not pods:
        return []
    count = f"{len(pods)} pod{'' if len(pods) == 1 else 's'} "
    lines: list[Line] = [[], [(count, "bold"), (says, tone)]]
    lines += [[("  ", "fg"), (f"{pod.metadata.namespace}/{pod.metadata.name}", "soft")] for pod in pods[:LISTED]]
    return [*lines, *([[(f"  and {len(pods) - LISTED} more", "muted")]] if len(pods) > LISTED else [])]


def _incomplete(scene: Scene) -> tuple[str, ...]:
    fresh = scene.stores.pods.freshness
    if fresh.whole and not fresh.stale:
        return ()
    if fresh.only:
        return (f"only pods in {', '.join(fresh.only[:LISTED])} are looked at: what it would do to others is not known in full",)
    return ("pods could not all be read: what it would do to them is not known in full",)


# ---- verbs ---------------------------------------------------------------------------------------------------------------------


def taint(intent: Intent, nodes: Sequence[Raw], scene: Scene) -> Plan:
    """Puts `args["taint"]`, as `KEY[=VALUE]:EFFECT`, on the nodes; one of the same key and effect is replaced."""
    wanted = parse(str(intent.args["taint"]))
    new = {"key": wanted.key, "effect": wanted.effect, **({"value": wanted.value} if wanted.value else {})}

    def change(before: Taints) -> Taints:
        if any({**one, "timeAdded": None} == {**new, "timeAdded": None} for one in before):
            return before
        return [*(one for one in before if (one.get("key"), one.get("effect")) != (wanted.key, wanted.effect)), new]

    steps = tuple(_taint_step(ref, node, change) for ref, node in zip(intent.targets, nodes, strict=True))
    names = [ref.name for ref in intent.targets]
    effect = whatif.tainting(names, wanted, scene.stores)
    lines = [*_lines(steps), *_evictions(effect.evicted), *pod_lines(effect.strangers, "would stay, but not be put there again", "warn")]
    text = text_of(new)
    return Plan(
        intent,
        title=f"Taint {_what(steps)} {text}",
        button=f"Taint {_what(steps)}" + (f", evict {len(effect.evicted)}" if effect.evicted else ""),
        steps=steps,
        lines=tuple(lines),
        danger=Danger.EVICTS if effect.evicted else Danger.CHANGES,
        warnings=_incomplete(scene),
        needs=_needs(steps),
        undo=Intent("untaint", intent.targets, {"key": wanted.key, "effect": wanted.effect}),
        kubectl=words(scene.context, "", "taint", "nodes", *names, text, "--overwrite"),
        pane="nodes",
        touched=tuple(uid_of(node) for node in nodes),
        apart=True,
    )


def _evictions(evicted: Sequence[whatif.Eviction]) -> list[Line]:
    now = [each.pod for each in evicted if each.after == 0]
    later = [each for each in evicted if each.after > 0]
    lines = pod_lines(now, "would be deleted at once", "bad")
    if later:
        lines += pod_lines([each.pod for each in later], f"would be deleted after {min(each.after for each in later)} s or more", "bad")
    return lines


def untaint(intent: Intent, nodes: Sequence[Raw], scene: Scene) -> Plan:
    """Takes the taints of `args["key"]` off the nodes, those of `args["effect"]` only where it is given."""
    key, effect = str(intent.args["key"]), str(intent.args.get("effect") or "")

    def goes(one: dict[str, Any]) -> bool:
        return bool(one.get("key") == key and (not effect or one.get("effect") == effect))

    removed = [one for node in nodes for one in taints_of(node) if goes(one)]
    if not removed:
        raise Unfit(f"no taint {key}{f':{effect}' if effect else ''} on {', '.join(ref.name for ref in intent.targets[:LISTED])}")
    steps = tuple(
        _taint_step(ref, node, lambda before: [one for one in before if not goes(one)]) for ref, node in zip(intent.targets, nodes, strict=True)
    )
    steps = tuple(step for step in steps if not step.holds(step.raw))
    names = [step.about.name for step in steps]
    gone = [r.Taint(key, str(one.get("value") or ""), str(one.get("effect"))) for one in removed]
    fitting = whatif.untainting(names, gone, scene.stores)
    warnings = [f"Kubernetes itself set {text_of(one)} and may set it again" for one in removed if key.startswith(OWN)]
    return Plan(
        intent,
        title=f"Untaint {_what(steps)} {key}{f':{effect}' if effect else ''}",
        button=f"Untaint {_what(steps)}",
        steps=steps,
        lines=(*_lines(steps), *pod_lines(fitting, "now waiting would fit then", "ok")),
        warnings=(*dict.fromkeys(warnings), *_incomplete(scene)),
        needs=_needs(steps),
        undo=Intent("taint", tuple(step.about for step in steps), {"taint": text_of(removed[0])}) if len(set(gone)) == 1 else None,
        kubectl=words(scene.context, "", "taint", "nodes", *names, f"{key}{f':{effect}' if effect else ''}-"),
        pane="nodes",
        touched=tuple(uid_of(step.raw) for step in steps),
        apart=True,
    )


def cordoned(node: Raw | None) -> bool:
    """spec.unschedulable."""
    return bool(((node or {}).get("spec") or {}).get("unschedulable"))


def cordon_step(ref: Ref, node: Raw, wanted: bool) -> Step:
    """Keeps new pods off a node, or lets them on it again."""

    def request(now: Raw) -> Request:
        return Request("PATCH", ref.path, {"metadata": preconditions(now), "spec": {"unschedulable": wanted or None}}, {}, STRATEGIC_PATCH)

    says = "takes no new pods" if wanted else "takes pods again"
    return Step(ref, says, node, request, cordoned, lambda now: now is not None and cordoned(now) == wanted)


def _cordon(intent: Intent, nodes: Sequence[Raw], scene: Scene, wanted: bool) -> Plan:
    steps = tuple(cordon_step(ref, node, wanted) for ref, node in zip(intent.targets, nodes, strict=True) if cordoned(node) != wanted)
    if not steps:
        raise Unfit(f"{', '.join(ref.name for ref in intent.targets[:LISTED])}: {'cordoned' if wanted else 'not cordoned'} already")
    names = [one.about.name for one in steps]
    verb, opposite = ("cordon", "uncordon") if wanted else ("uncordon", "cordon")
    fitting = () if wanted else whatif.uncordoning(names, scene.stores)
    return Plan(
        intent,
        title=f"{verb.capitalize()} {_what(steps)}",
        button=f"{verb.capitalize()} {_what(steps)}",
        steps=steps,
        lines=(*_lines(steps), *pod_lines(fitting, "now waiting would fit then", "ok")),
        warnings=() if wanted else _incomplete(scene),
        needs=_needs(steps),
        undo=Intent(opposite, tuple(one.about for one in steps)),
        kubectl=words(scene.context, "", verb, *names),
        pane="nodes",
        touched=tuple(one.about.uid for one in steps),
        apart=True,
    )


def cordon(intent: Intent, nodes: Sequence[Raw], scene: Scene) -> Plan:
    """Keeps new pods off the nodes; those that run stay."""
    return _cordon(intent, nodes, scene, True)


def uncordon(intent: Intent, nodes: Sequence[Raw], scene: Scene) -> Plan:
    """Lets new pods on the nodes again."""
    return _cordon(intent, nodes, scene, False)


_WANTS = (k.NODES, k.PODS, k.CLAIMS, k.VOLUMES, k.STORAGECLASSES, k.NAMESPACES)
VERBS = tuple(Verb(name, (k.NODES,), ("patch", ""), plan, wants=_WANTS) for name, plan in (
    ("taint", taint), ("untaint", untaint), ("cordon", cordon), ("uncordon", uncordon),
))  # fmt: skip
