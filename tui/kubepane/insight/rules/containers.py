"""Why a container does not run: one cause for each container in trouble, and what holds up those that have not begun."""

from __future__ import annotations

from collections.abc import Iterator

from kubepane.cluster import resources as r
from kubepane.insight import configuration
from kubepane.insight.configuration import Complaint, Source
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.pods import QUIET, all_statuses, stuck_at
from kubepane.insight.rules import crashes, images
from kubepane.insight.rules.case import Case, Rule, in_trouble, sentence, short
from kubepane.insight.unseen import unseen

_HOLDS_UP = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox", "NetworkNotReady", "FailedCreatePodContainer")


def failing(case: Case) -> Iterator[Finding]:
    """Every container in trouble; of init containers the one in the way."""
    if case.pod.status.phase == "Failed" and case.pod.status.reason:
        return  # the pod's own reason says more
    for s in in_trouble(case.pod):
        yield from _cause(case, s)


def _cause(case: Case, s: r.ContainerStatus) -> Iterator[Finding]:
    waiting, ended = s.state.waiting, s.state.terminated
    if waiting is None or waiting.reason in QUIET:
        yield from crashes.crash(case, s, ended, "state")
    elif waiting.reason == "CrashLoopBackOff":
        yield from crashes.crash(case, s, s.last_state.terminated, "lastState")
    elif waiting.reason in images.REASONS:
        yield from images.image_cause(case, s, waiting)
    elif waiting.reason == "CreateContainerConfigError":
        yield from _configuration(case, s, waiting)
    elif waiting.reason in crashes.NOT_STARTED:
        yield from crashes.failed_start(case, s, waiting)
    else:
        facts = (Evidence(case.ref, case.path(s, "state.waiting"), short(f"{waiting.reason}: {waiting.message}", 400)),)
        yield Finding(Level.BAD, f"{case.lead(s)}{short(waiting.message) or waiting.reason}", facts)


# ---- configuration -----------------------------------------------------------------------------------------------------------


def _configuration(case: Case, s: r.ContainerStatus, waiting: r.Waiting) -> Iterator[Finding]:
    """What the kubelet misses; where it speaks of something else, its own words."""
    said = Evidence(case.ref, case.path(s, "state.waiting.message"), short(waiting.message, 400))
    missed = configuration.parse(case.pod.metadata.namespace, waiting.message)
    for complaint in missed:
        yield _missing(case, complaint, case.lead(s), (said,))
    if not missed:
        yield Finding(Level.BAD, f"{case.lead(s)}{short(waiting.message) or waiting.reason}", (said,), f"mend {s.name} in {case.workload}")


def _missing(case: Case, complaint: Complaint, lead: str, facts: tuple[Evidence, ...]) -> Finding:
    source, key = complaint.source, complaint.key
    named = f"{source.kind} {source.name}"
    if source.kind == configuration.CONFIG_MAP and (held := case.stores.configmaps.named(source.namespace, source.name)) is not None:
        have = ", ".join(sorted(held.keys)) or "none"
        facts = (*facts, Evidence(f"configmap/{source.name}", "data", f"keys: {have}"))
        if not key or key in held.keys:
            return Finding(Level.BAD, f"{lead}{named} is there now: the kubelet tries again", facts, "wait, or delete the pod")
    if key:
        return Finding(Level.BAD, f"{lead}{named} has no key {key}", facts, f"add key {key} to {named}, or mend the reference in {case.workload}")
    return Finding(Level.BAD, f"{lead}{named} not found", facts, f"create {named} in namespace {source.namespace}")


# ---- what has not begun --------------------------------------------------------------------------------------------------------


def starting(case: Case) -> Iterator[Finding]:
    """Bound, and its containers not yet created: a volume, the network, or an image on its way."""
    pod = case.pod
    if not pod.spec.node_name or pod.status.phase != "Pending" or pod.metadata.deletion_timestamp is not None or not _setting_up(pod):
        return
    event = case.newest(_HOLDS_UP)
    if event is not None:
        missed = configuration.parse(pod.metadata.namespace, event.message)
        if missed:
            yield _missing(case, missed[0], "", (case.told(event),))
            return
        yield Finding(Level.WARN, _held_up(event), (case.told(event),), "see the message")
        return
    if found := list(_absent(case)):
        yield from found
        return
    pulling = case.newest(("Pulling", "Pulled", "Failed"))
    if pulling is not None and pulling.reason == "Pulling":
        yield Finding(Level.BUSY, short(pulling.message[:1].lower() + pulling.message[1:].replace('"', "")), (case.told(pulling),))


def _setting_up(pod: r.Pod) -> bool:
    """No container has begun: all wait to be created, or the kubelet has said nothing yet."""
    states = [s.state for s in all_statuses(pod)]
    return all(at.running is None and at.terminated is None and (at.waiting is None or at.waiting.reason in QUIET) for at in states)


def _held_up(event: r.Event) -> str:
    """`volume data: …`, from a message that begins with the kubelet's own functions."""
    message = event.message.strip()
    head, _, rest = message.partition(" : ")
    if rest and head.startswith("MountVolume."):
        return f"volume {head.rpartition('for volume ')[2].strip(chr(34))}: {sentence(rest)}"
    if message.startswith("Multi-Attach error for volume "):
        name = message.removeprefix("Multi-Attach error for volume ").split(" ", 1)[0].strip('"')
        return f"volume {name} is still attached to another node"
    return sentence(message)


def _absent(case: Case) -> Iterator[Finding]:
    """Volumes of ConfigMaps and Secrets that are not there, where we may see all of them."""
    for use in configuration.uses(case.pod.metadata.namespace, case.pod.spec):
        store = case.stores.configmaps if use.source.kind == configuration.CONFIG_MAP else case.stores.secrets
        if use.how != "volume" or use.optional or unseen(store) or _there(case, use.source):
            continue
        yield _missing(case, Complaint(use.source, ""), "", (case.says(f"spec.volumes[{use.where}]", f"{use.source.kind} {use.source.name}"),))


def _there(case: Case, source: Source) -> bool:
    store = case.stores.configmaps if source.kind == configuration.CONFIG_MAP else case.stores.secrets
    return store.named(source.namespace, source.name) is not None


def initializing(case: Case) -> Iterator[Finding]:
    """An init container that runs: the others wait for it."""
    pod = case.pod
    stuck = stuck_at(pod)
    if stuck is None or stuck.state.running is None or pod.metadata.deletion_timestamp is not None or case.container(stuck.name).restart_policy:
        return
    names = [c.name for c in pod.spec.init_containers or ()]
    at = names.index(stuck.name) + 1 if stuck.name in names else 1
    facts = (Evidence(case.ref, case.path(stuck, "state.running"), f"since {stuck.state.running.started_at or 'unknown'}"),)
    ended = stuck.last_state.terminated
    before = f", after exit {ended.exit_code}" if ended is not None and ended.exit_code else ""
    yield Finding(Level.BUSY, f"init {stuck.name} runs, {at} of {len(names)}{before}", facts, f"read the logs of {stuck.name}, if this lasts")


RULES: tuple[Rule, ...] = (failing, starting, initializing, crashes.restarted)
