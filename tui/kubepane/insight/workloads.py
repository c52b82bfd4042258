"""Workloads of all kinds side by side: how they are doing, and why, in a few words and as findings."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import events, jobs, rollouts
from kubepane.insight.ages import age, duration, next_change
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.members import Group, State, members
from kubepane.insight.rollout_status import TIMED_OUT
from kubepane.insight.rollouts import Phase, Rollout, Side
from kubepane.insight.why import clause, explain_pod
from kubepane.insight.workload_cells import Workload, short_name

FRESH = timedelta(minutes=10)  # so long a finished rollout says how long it took
_FEW = 50  # pods of one level that are looked at
_QUOTA = re.compile(r"exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+)")


class Assessment(msgspec.Struct, frozen=True, gc=False):
    """How a workload is doing. Nothing in it depends on the time; `words` does.

    Attributes:
        level: how well.
        text: its state in a few words, "" for nothing to say.
        note: the whole reason, for where there is room.
        rollout: of a Deployment, StatefulSet or DaemonSet.
        pods: pods of a Job, as one side.
        until: a moment that is counted down to: `8m41s left`.
        since: a moment that is counted from: `running 4m`, `ran 41m ago`.
        form: how `since` is said, with `{}` for the age.
        fades: when `text` is no longer news.
    """

    level: Level
    text: str = ""
    note: str = ""
    rollout: Rollout | None = None
    pods: Side | None = None
    until: datetime | None = None
    since: datetime | None = None
    form: str = "{}"
    fades: datetime | None = None

    @property
    def rolling(self) -> bool:
        """A rollout is going on, or is stuck."""
        return self.rollout is not None and self.rollout.phase is Phase.ROLLING


def words(a: Assessment, now: datetime) -> tuple[str, float]:
    """The state as text, and the seconds until it may read differently by the mere passing of time."""
    if a.until is not None:
        left = (a.until - now).total_seconds()
        if left <= 0:
            return _joined(a.text, "deadline due"), float("inf")
        step = 1 if left <= 600 else 60  # as ages read
        return _joined(a.text, f"{duration(left)} left"), left % step or step
    if a.since is not None:
        return _joined(a.text, a.form.format(age(a.since, now))), next_change(a.since, now)
    if a.fades is not None:
        left = (a.fades - now).total_seconds()
        return (a.text, left) if left > 0 else ("", float("inf"))
    return a.text, float("inf")


def _joined(text: str, timed: str) -> str:
    return f"{text} · {timed}" if text else timed


def assess(obj: Workload, stores: Stores) -> Assessment:
    """How a workload is doing, from what the stores hold now."""
    if isinstance(obj, r.Job):
        return _job(obj, stores)
    if isinstance(obj, r.CronJob):
        return _cronjob(obj, stores)
    return _rolled(obj, rollouts.of(obj, stores), stores)


# ---- Deployments, StatefulSets, DaemonSets -------------------------------------------------------------------------------


def _rolled(obj: rollouts.Rolled, ro: Rollout, stores: Stores) -> Assessment:
    if ro.phase is Phase.STEADY:
        return _steady(ro)
    if ro.failure or (refused := _refused(obj, ro, stores)):
        why = denial(ro.failure or refused)
        return Assessment(Level.BAD if ro.available < ro.needed else Level.WARN, why, ro.failure or refused, ro)
    cause, level = _cause(ro, stores)
    if ro.timed_out:
        return Assessment(Level.BAD, "past deadline" + (f": {cause}" if cause else ""), cause or ro.verdict.text, ro)
    if ro.paused:
        text = "paused" + (f": {cause}" if cause else "")
        return Assessment(Level.OFF if ro.available >= ro.needed else Level.WARN, text, "paused: its rollout goes on when it is resumed", ro)
    if cause and level <= Level.WAIT and not _moving(ro, level):
        return Assessment(Level.WARN if ro.available >= ro.needed and ro.needed else level, cause, cause, ro)
    if ro.strategy == "OnDelete" and ro.old is not None:
        return Assessment(Level.WAIT, f"{ro.old.pods} to delete by hand (OnDelete)", "OnDelete: a pod is renewed when it is deleted", ro)
    text = progress(obj, ro) if ro.expires is None else ""
    return Assessment(Level.BUSY, text, cause or ro.verdict.text, ro, until=ro.expires)


def _steady(ro: Rollout) -> Assessment:
    if ro.desired == 0:
        return Assessment(Level.OFF, "scaled to zero", "", ro)
    if ro.paused:
        return Assessment(Level.OFF, "paused", "paused: changes of its template wait until it is resumed", ro)
    if ro.old is not None:  # a StatefulSet's partition keeps these where they are
        return Assessment(Level.OK, f"partition keeps {ro.old.pods} of {ro.desired}", "", ro)
    if ro.took is not None and ro.finished is not None:
        return Assessment(Level.OK, f"done in {duration(ro.took)}", "", ro, fades=ro.finished + FRESH)
    return Assessment(Level.OK, "", "", ro)


def _cause(ro: Rollout, stores: Stores) -> tuple[str, Level]:
    """The worst pod's cause, the new revision's first: old pods go anyway."""
    for side in (ro.new, ro.old):
        if side is not None and side.level < Level.OK and (pod := stores.pods.get(side.worst)) is not None:
            return clause(pod, stores), side.level
    return "", Level.OK


def _moving(ro: Rollout, level: Level) -> bool:
    """Something still goes forward beside the pod that does not: a new pod that starts without a fault."""
    return ro.new.level == level and ro.new.busy > 0


def _refused(obj: rollouts.Rolled, ro: Rollout, stores: Stores) -> str:
    """Why pods could not be created, from the events, for kinds that keep no condition of it. Only while some are missing."""
    if isinstance(obj, r.Deployment) or ro.new.pods + (ro.old.pods if ro.old else 0) >= ro.desired:
        return ""
    return last_refusal(obj.metadata.uid, stores)


def last_refusal(uid: str, stores: Stores) -> str:
    """The newest FailedCreate of an object, "" when pods were created after it."""
    newest = events.newest(e for e in stores.events.by("object", uid) if e.reason in ("FailedCreate", "SuccessfulCreate"))
    return newest.message if newest is not None and newest.reason == "FailedCreate" else ""


def denial(message: str) -> str:
    """Why a pod was refused, in one clause: `quota q: pods 2 of 2 used`."""
    text = message.partition(" is forbidden: ")[2] or message
    match = _QUOTA.search(text)
    if match is None:
        return text.removeprefix("error looking up ")
    name, asked, used, limited = match.groups()
    taken, bounds = (dict(p.partition("=")[::2] for p in part.split(",")) for part in (used, limited))
    parts = [f"{key} {taken.get(key, '?')} of {bounds.get(key, '?')} used" for key in (a.partition("=")[0] for a in asked.split(","))]
    return f"quota {name}: {', '.join(parts)}"


def progress(obj: r.Object, ro: Rollout) -> str:
    """kubectl's sentence in a few words: `3 of 4 updated`, `1 old to go`, `2 of 3 available`."""
    if ro.verdict.text.endswith("to be observed..."):
        return "change not seen yet by its controller"
    new, old = ro.new.pods, ro.old.pods if ro.old else 0
    if ro.phase is Phase.ROLLING and new < (wanted := ro.desired - ro.kept):
        return f"{new} of {wanted} updated"
    if new + old < ro.desired:
        return f"{new + old} of {ro.desired} pods"
    if old > ro.kept:
        return f"{old - ro.kept} old to go"
    if isinstance(obj, r.StatefulSet):
        return f"{ro.new.ready + (ro.old.ready if ro.old else 0)} of {ro.desired} ready"
    return f"{ro.available} of {ro.desired} available"


# ---- Jobs ----------------------------------------------------------------------------------------------------------------


def _job(job: r.Job, stores: Stores) -> Assessment:
    status, group = jobs.job_status(job), _job_group(job, stores)
    side = _job_side(job, group)
    if status == "Complete":
        seconds = jobs.took(job, job.status.completion_time) if job.status.completion_time else None
        return Assessment(Level.DONE, "" if seconds is None else f"done in {duration(seconds)}", "", pods=side)
    worst = _worst_pod(group, stores) if group else None
    cause = clause(worst[1], stores) if worst else ""
    if why := jobs.failure(job):
        text = f"{why}: {cause}" if cause else why
        return Assessment(Level.BAD, text, text, pods=side)
    if status in ("Terminating", "SuccessCriteriaMet"):
        return Assessment(Level.BUSY, "being deleted" if status == "Terminating" else "success criteria met", "", pods=side)
    if status == "Suspended" or job.spec.suspend:
        return Assessment(Level.OFF, "suspended", "", pods=side)
    if worst and worst[0] <= Level.WAIT and cause and not _retries(worst[1]) and not (group and group.unwell.get(Level.BUSY)):
        return Assessment(worst[0], cause, cause, pods=side)
    if not job.status.active and (refused := last_refusal(job.metadata.uid, stores)):
        return Assessment(Level.BAD, denial(refused), refused, pods=side)
    return _job_at_work(job, side, cause)


def _retries(pod: r.Pod) -> bool:
    """A pod that ended: its Job starts another one."""
    return pod.status.phase == "Failed"


def _worst_pod(group: Group, stores: Stores) -> tuple[Level, r.Pod] | None:
    """A pod in the worst state there is; one that is still there goes before one that ended."""
    ended: tuple[Level, r.Pod] | None = None
    for level in sorted(group.unwell):
        for uid in islice(group.unwell[level], _FEW):
            if (pod := stores.pods.get(uid)) is not None:
                if not _retries(pod):
                    return level, pod
                ended = ended or (level, pod)
    return ended


def _job_at_work(job: r.Job, side: Side, cause: str) -> Assessment:
    limit = jobs.BACKOFF if job.spec.backoff_limit is None else job.spec.backoff_limit
    failed = f"{job.status.failed} failed, limit {limit}" if job.status.failed else ""
    note = f"{failed}: {cause}" if failed and cause else cause
    level = Level.WARN if failed else Level.BUSY
    if (ends := jobs.ends_at(job)) is not None:
        return Assessment(level, failed, note, pods=side, until=ends)
    if job.status.start_time is None:
        return Assessment(level, failed or "not started", note, pods=side)
    return Assessment(level, failed, note, pods=side, since=job.status.start_time, form="running {}")


def _job_group(job: r.Job, stores: Stores) -> Group | None:
    if not stores.pods.freshness.complete:
        return None
    return next(iter(members(stores).of(job.metadata.uid).values()), None)


def _job_side(job: r.Job, group: Group | None) -> Side:
    """The pods that work now; `wanted` is how many there should be."""
    status, spec = job.status, job.spec
    rest = max(0, (spec.completions if spec.completions is not None else 1) - status.succeeded)
    ended = jobs.job_status(job) in ("Complete", "Failed", "FailureTarget", "Suspended")
    wanted = 0 if ended else min(rest, 1 if spec.parallelism is None else spec.parallelism) if spec.completions is not None else spec.parallelism or 1
    if group is None:
        ready = status.ready or 0
        return Side(wanted=wanted, ready=ready, starting=max(0, status.active - ready))
    return Side(wanted=wanted, ready=group[State.READY], starting=group[State.STARTING], pending=group[State.PENDING])


def _cronjob(cron: r.CronJob, stores: Stores) -> Assessment:
    if cron.spec.suspend:
        return Assessment(Level.OFF, "suspended")
    last = jobs.latest(cron, stores)
    active = len(cron.status.active or ())
    if last is not None and (why := jobs.failure(last)):
        text = f"last run failed: {why}"
        return Assessment(Level.WARN, text, f"job/{last.metadata.name}: {why}", since=cron.status.last_schedule_time, form="ran {} ago")
    if active:
        return Assessment(Level.BUSY, f"{active} running" if active > 1 else "running", "", since=cron.status.last_schedule_time, form="since {}")
    if cron.status.last_schedule_time is None:
        return Assessment(Level.DONE, "no run yet")
    return Assessment(Level.DONE, since=cron.status.last_schedule_time, form="ran {} ago")


# ---- the explanation -------------------------------------------------------------------------------------------------------


def explain_workload(obj: Workload, stores: Stores, now: datetime | None = None) -> list[Finding]:
    """What is known to be wrong with a workload, most important first: its own causes, then those of its worst pod."""
    found, me = assess(obj, stores), short_name(obj)
    if found.level >= Level.OK and not (found.rollout and found.rollout.paused):
        return []
    if isinstance(obj, r.CronJob):
        return _of_cronjob(obj, found, stores)
    if isinstance(obj, r.Job):
        out = _of_job(obj, found, me)
        group = _job_group(obj, stores)
        worst = _worst_pod(group, stores) if group else None
        pod = worst[1] if worst else None
    else:
        assert found.rollout is not None
        out = _of_rollout(obj, found.rollout, found, stores)
        pod = next(
            (p for side in (found.rollout.new, found.rollout.old) if side and side.level < Level.OK and (p := stores.pods.get(side.worst))), None
        )
    if pod is not None:
        out += explain_pod(pod, stores, now)
    out.sort(key=lambda f: f.level)
    return out or [Finding(found.level, found.note or found.text, (Evidence(me, "status", found.text or found.note),))]


def _of_rollout(obj: rollouts.Rolled, ro: Rollout, found: Assessment, stores: Stores) -> list[Finding]:
    me, out = short_name(obj), []
    if refused := ro.failure or _refused(obj, ro, stores):
        where = "status.conditions[ReplicaFailure]" if ro.failure else "event FailedCreate"
        out.append(
            Finding(
                found.level, denial(refused), (Evidence(me, where, refused),), "raise the quota or ask for less, or satisfy what refuses its pods"
            )
        )
    if ro.timed_out:
        fact = Evidence(me, "status.conditions[Progressing]", TIMED_OUT)
        out.append(Finding(Level.BAD, f"past its progress deadline of {duration(ro.deadline)}", (fact,), "mend the cause below, or undo the rollout"))
    if ro.paused:
        out.append(Finding(found.level, "paused", (Evidence(me, "spec.paused", "true"),), "resume it"))
    return out


def _of_job(job: r.Job, found: Assessment, me: str) -> list[Finding]:
    if why := jobs.failure(job):
        return [Finding(Level.BAD, why, (Evidence(me, "status.conditions[Failed]", why), Evidence(me, "status.failed", str(job.status.failed))))]
    if job.status.failed:
        return [Finding(Level.WARN, found.text, (Evidence(me, "status.failed", str(job.status.failed)),))]
    return []


def _of_cronjob(cron: r.CronJob, found: Assessment, stores: Stores) -> list[Finding]:
    last = jobs.latest(cron, stores)
    if found.level is not Level.WARN or last is None:
        return []
    return [Finding(Level.WARN, found.text, (Evidence(short_name(last), "status.conditions[Failed]", jobs.failure(last)),))]
