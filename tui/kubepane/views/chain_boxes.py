"""The chain of one claim as five boxes, from pod to node, and what there is to say about it in lines below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import claims, pods, volumes
from kubepane.insight.ages import age
from kubepane.insight.claims import Chain
from kubepane.insight.finding import Finding, Level
from kubepane.insight.nodes import level as node_level, status as node_status
from kubepane.insight.provisioning import NO_PROVISIONER
from kubepane.insight.unseen import unseen
from kubepane.views.levels import TONE, dot
from kubepane_widgets.lines import Line, Span, beside, box, fit

LINES = 8  # a blank line, the boxes, a blank line
_JOIN: Span = ("───►", "muted")
_ORDER = ("claim", "class", "volume", "node")
_CLAIM_LEVEL = {"Bound": Level.OK, "Pending": Level.WAIT, "Lost": Level.BAD, "Terminating": Level.WARN}
_VOLUME_LEVEL = {"Bound": Level.OK, "Available": Level.OK, "Pending": Level.BUSY}


def pairs(*texts: str) -> Line:
    """label value label value …: labels muted, values plain."""
    return [(t + (" " if i + 1 < len(texts) else ""), "fg" if i % 2 else "muted") for i, t in enumerate(texts)]


def state(level: Level, text: str) -> Line:
    """A glyph and a word."""
    return [*dot(level), (f" {text}", "fg")]


def say(finding: Finding, about: str, width: int) -> list[Line]:
    """A finding as a line, and what to do about it as another."""
    out: list[Line] = [[*dot(finding.level), (f" {about}: ", "fg"), (finding.clause, "soft")]]
    if finding.next and finding.level < Level.OK:
        out.append([("  cure ", "muted"), (finding.next, "soft")])
    return [fit(line, width) for line in out]


def storage(stores: Stores, chain: Chain, others: Sequence[Chain], now: datetime, width: int, room: int) -> list[Line]:
    """The lines below the rows of the Storage pane.

    Args:
        stores: what is known of the cluster.
        chain: of the claim under the cursor.
        others: broken ones worth a line where there is room.
        now: the time.
        width: cells.
        room: the most lines.

    Returns:
        At most `room` lines; none where not even the boxes fit.
    """
    if room < LINES:
        return []
    n = (width - 4 * len(_JOIN[0])) // 5
    blocks = [
        box("Pod", _four(_pod(chain)), n),
        box("Claim", _four(_claim(chain, now)), n),
        box("Class", _four(_class(stores, chain)), n),
        box("Volume", _four(_volume(stores, chain)), n),
        box("Node", _four(_node(stores, chain)), n),
    ]
    whole = chain.finding.level is Level.OK and not chain.broken
    told = say(chain.finding, "whole" if whole else chain.name, width)
    for other in others:
        told += say(other.finding, other.name, width)
    return [[], *beside(blocks, _joins(chain)), [], *told][:room]


def _joins(chain: Chain) -> list[Span]:
    """The arrows between the boxes; the one into the broken link is broken, those behind it are not there yet."""
    at = _ORDER.index(chain.broken) if chain.broken in _ORDER else len(_ORDER)
    tone = TONE[chain.finding.level]
    broken: Span = ("╌╌╌✕", tone) if chain.finding.level in (Level.BAD, Level.WARN) else ("╌╌╌►", tone)
    return [_JOIN if i < at else broken if i == at else ("╌╌╌╌", "faint") for i in range(len(_ORDER))]


def _four(lines: list[Line]) -> list[Line]:
    return [*lines, [], [], [], []][:4]


def _pod(chain: Chain) -> list[Line]:
    if not chain.pods:
        return [[("none yet" if chain.claim is not None and chain.claim.status.phase == "Pending" else "none", "muted")]]
    pod = chain.pods[0]
    text = pods.status(pod)
    mounts = [v.name for v in pod.spec.volumes or () if v.persistent_volume_claim and v.persistent_volume_claim.claim_name == chain.name]
    paths = [m.mount_path for c in pod.spec.containers or () for m in c.volume_mounts or () if m.name in mounts]
    return [
        [(pod.metadata.name, "bold"), (f" +{len(chain.pods) - 1}" if len(chain.pods) > 1 else "", "muted")],
        state(pods.level(pod), f"{text.status} {text.ready_text}"),
        *([pairs("at", paths[0])] if paths else []),
        *([pairs("as volume", mounts[0])] if mounts else []),
    ]


def _claim(chain: Chain, now: datetime) -> list[Line]:
    claim = chain.claim
    if claim is None:
        return [[(chain.name, "bold")], state(chain.finding.level, "does not exist" if chain.broken else "not seen")]
    phase = claims.phase(claim)
    asks = f"{claims.asked(claim)} {volumes.modes(claim.spec.access_modes)}".strip()
    return [
        [(chain.name, "bold")],
        state(_CLAIM_LEVEL.get(phase, Level.WAIT), phase or "no phase yet"),
        pairs("asks", asks),
        pairs("age", age(claim.metadata.creation_timestamp, now)),
    ]


def _class(stores: Stores, chain: Chain) -> list[Line]:
    wanted = claims.class_of(chain.claim) if chain.claim is not None else None
    if chain.claim is None:
        return [[("–", "muted")]]
    if not wanted and (wanted == "" or chain.claim.spec.volume_name):
        return [[('"" (none)', "bold")], state(_class_level(chain), "static"), pairs("no", "provisioner"), pairs("binds", "Immediate")]
    if not wanted:
        return [[("the default", "bold")], state(_class_level(chain), "there is none" if chain.finding.level is Level.BAD else "not given yet")]
    found = chain.storageclass
    if found is None:
        missing = not unseen(stores.storageclasses)
        sick = missing and chain.broken == "class"
        return [[(wanted, "bold")], state(Level.BAD if sick else Level.OFF, "no such class" if missing else "not seen")]
    return [
        [(wanted, "bold")],
        state(_class_level(chain), "static" if found.provisioner == NO_PROVISIONER else "dynamic"),
        pairs("by", found.provisioner),
        pairs("binds", found.volume_binding_mode or "Immediate"),
    ]


def _class_level(chain: Chain) -> Level:
    return chain.finding.level if chain.broken == "class" else Level.OK


def _volume(stores: Stores, chain: Chain) -> list[Line]:
    volume, named = chain.volume, chain.claim.spec.volume_name if chain.claim is not None else ""
    if volume is None:
        if not named:
            return [[("none yet", "muted")]]
        doubt = unseen(stores.volumes)
        return [[(named, "bold")], state(Level.OFF if doubt else Level.BAD, "not seen" if doubt else "does not exist")]
    phase = volumes.phase(volume)
    has = f"{volumes.capacity(volume)} {volumes.modes(volume.spec.access_modes)}"
    return [
        [(named, "bold")],
        state(_VOLUME_LEVEL.get(phase, Level.WARN), phase),
        pairs("has", has),
        pairs("on delete", volume.spec.persistent_volume_reclaim_policy or "?"),
    ]


def _node(stores: Stores, chain: Chain) -> list[Line]:
    if not chain.node:
        return [[("anywhere" if chain.volume is not None else "–", "muted")]]
    name = _node_name(chain)
    node = stores.nodes.named("", name)
    lines: list[Line] = [[(chain.node, "bold")]]
    if node is not None:
        lines.append(state(node_level(node), node_status(node)))
    elif chain.volume is None or name in (*volumes.pinned(chain.volume), *(p.spec.node_name for p in chain.pods)):
        doubt = unseen(stores.nodes)
        lines.append(state(Level.OFF if doubt else Level.BAD, "not seen" if doubt else "does not exist"))
    return lines + _place(chain.volume)


def _node_name(chain: Chain) -> str:
    return next((p.spec.node_name for p in chain.pods if p.spec.node_name), chain.node.partition(",")[0])


def _place(volume: r.PersistentVolume | None) -> list[Line]:
    kind, path = volumes.place(volume) if volume is not None else ("", "")
    if not kind:
        return []
    return [*([pairs("by" if kind == "csi" else "path", path)] if path else []), pairs("type", kind)]
