from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import NOW, make, put
from clusters import live
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.insight import workload_cells
from kubepane.insight.finding import Level
from kubepane.insight.workloads import assess, denial, explain_workload, words
from recordings import age_fits, objects, recorded
from rolling import daemonset, deployment, pods, statefulset

IMAGE = "image shop/app:2: not found"


def said(obj: Any, stores: Stores, now: datetime = NOW) -> tuple[Level, str]:
    found = assess(obj, stores)
    return found.level, words(found, now)[0]


# ---- Deployments, StatefulSets, DaemonSets -------------------------------------------------------------------------------------

QUOTA = 'pods "web-1" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2'
REFUSED = [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA}]
DEPLOYMENTS: list[tuple[str, dict[str, Any], Level, str]] = [
    ("moves", {"old": "rr", "new": "rsp"}, Level.BUSY, "9m left"),
    ("moves beside a broken pod", {"old": "rr", "new": "rsb"}, Level.BUSY, "9m left"),
    ("stuck, enough available", {"old": "rrr", "new": "b"}, Level.WARN, IMAGE),
    ("stuck, too few available", {"old": "rr", "new": "b"}, Level.BAD, IMAGE),
    ("stuck for the first time", {"old": None, "new": "bbbb"}, Level.BAD, IMAGE),
    ("past its deadline", {"old": "rrr", "new": "b", "reason": "ProgressDeadlineExceeded"}, Level.BAD, f"past deadline: {IMAGE}"),
    ("past its deadline, no cause", {"old": "rrr", "new": "s", "reason": "ProgressDeadlineExceeded"}, Level.BAD, "past deadline"),
    ("quota, enough available", {"old": "rrrr", "new": "", "conditions": REFUSED}, Level.WARN, "quota few: pods 2 of 2 used"),
    ("quota, too few", {"old": None, "new": "rr", "conditions": REFUSED}, Level.BAD, "quota few: pods 2 of 2 used"),
    ("paused in the middle", {"old": "rrr", "new": "r", "spec": {"paused": True}}, Level.OFF, "paused"),
    ("paused, too few available", {"old": "r", "new": "b", "spec": {"paused": True}}, Level.WARN, f"paused: {IMAGE}"),
    ("scaling up", {"old": None, "new": "rr", "reason": "NewReplicaSetAvailable"}, Level.BUSY, "2 of 4 pods"),
    ("one pod starts again", {"old": None, "new": "rrrs", "reason": "NewReplicaSetAvailable"}, Level.BUSY, "3 of 4 available"),
    ("one pod broke, enough left", {"old": None, "new": "rrrb", "reason": "NewReplicaSetAvailable"}, Level.WARN, IMAGE),
    ("old ones to go", {"old": "r", "new": "rrrr", "spec": {"progressDeadlineSeconds": None}}, Level.BUSY, "1 old to go"),
    ("no deadline", {"old": "rr", "new": "rs", "spec": {"progressDeadlineSeconds": None}}, Level.BUSY, "2 of 4 updated"),
    ("not seen yet", {"old": None, "new": "rrrr", "status": {"observedGeneration": 6}, "reason": "NewReplicaSetAvailable"}, Level.BUSY,
     "change not seen yet by its controller"),
    ("just done", {"old": "", "new": "rrrr", "reason": "NewReplicaSetAvailable"}, Level.OK, "done in 38s"),
    ("at rest", {"old": "", "new": "rrrr", "reason": "NewReplicaSetAvailable", "at": "2026-06-01T11:58:23Z"}, Level.OK, "done in 1s"),
    ("paused at rest", {"old": "", "new": "rrrr", "reason": "NewReplicaSetAvailable", "spec": {"paused": True}}, Level.OFF, "paused"),
    ("at zero", {"old": None, "new": "", "desired": 0, "reason": "NewReplicaSetAvailable"}, Level.OFF, "scaled to zero"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "level", "text"), [d[1:] for d in DEPLOYMENTS], ids=[d[0] for d in DEPLOYMENTS])
def test_deployments(made: dict[str, Any], level: Level, text: str) -> None:
    stores = live()
    assert said(deployment(stores, **made), stores) == (level, text)


SETS: list[tuple[str, Any, Level, str]] = [
    ("sts moves", lambda s: statefulset(s, "rr", "s"), Level.BUSY, "1 of 3 updated"),
    ("sts stuck", lambda s: statefulset(s, "rr", "b"), Level.WARN, IMAGE),
    ("sts starts", lambda s: statefulset(s, "", "rs"), Level.BUSY, "2 of 3 pods"),
    ("sts last pod starts", lambda s: statefulset(s, "", "rrs"), Level.BUSY, "2 of 3 ready"),
    ("sts alone and broken", lambda s: statefulset(s, "", "b", desired=1), Level.BAD, IMAGE),
    ("sts kept by its partition", lambda s: statefulset(s, "rr", "r", rolling={"partition": 2}), Level.OK, "partition keeps 2 of 3"),
    ("sts moves up to its partition", lambda s: statefulset(s, "rrr", "s", desired=4, rolling={"partition": 2}), Level.BUSY, "1 of 2 updated"),
    ("sts, the last pod before its partition", lambda s: statefulset(s, "rr", "rs", desired=4, rolling={"partition": 2}), Level.BUSY, "3 of 4 ready"),
    ("sts by hand", lambda s: statefulset(s, "rr", "r", strategy="OnDelete"), Level.WAIT, "2 to delete by hand (OnDelete)"),
    ("sts at rest", lambda s: statefulset(s, "", "rrr"), Level.OK, ""),
    ("ds moves", lambda s: daemonset(s, "rr", "s"), Level.BUSY, "1 of 3 updated"),
    ("ds stuck", lambda s: daemonset(s, "rr", "b"), Level.WARN, IMAGE),
    ("ds stuck and more is missing", lambda s: daemonset(s, "rb", "b"), Level.BAD, IMAGE),
    ("ds on no node", lambda s: daemonset(s, "", "", desired=0), Level.OFF, "scaled to zero"),
    ("ds at rest", lambda s: daemonset(s, "", "rrr"), Level.OK, ""),
]  # fmt: skip


@pytest.mark.parametrize(("made", "level", "text"), [s[1:] for s in SETS], ids=[s[0] for s in SETS])
def test_sets(made: Any, level: Level, text: str) -> None:
    stores = live()
    assert said(made(stores), stores) == (level, text)


def event(stores: Stores, uid: str, reason: str, message: str, at: str) -> None:
    put(stores, k.EVENTS, f"e-{reason}-{at}", involvedObject={"uid": uid}, reason=reason, message=message, lastTimestamp=f"2026-06-01T{at}Z")


def test_pods_of_a_set_that_are_refused_are_known_from_its_events_until_one_is_made() -> None:
    stores = live()
    db = statefulset(stores, "", "rr")
    event(stores, "s", "FailedCreate", f"create Pod db-2 in StatefulSet db failed error: {QUOTA}", "11:58:00")
    assert said(db, stores) == (Level.WARN, "quota few: pods 2 of 2 used")
    event(stores, "s", "SuccessfulCreate", "create Pod db-2", "11:59:00")
    assert said(db, stores) == (Level.BUSY, "2 of 3 pods")


def test_an_old_refusal_is_no_cause_where_no_pod_is_missing() -> None:
    stores = live()
    db = statefulset(stores, "", "rrs")
    event(stores, "s", "FailedCreate", QUOTA, "11:58:00")
    assert said(db, stores) == (Level.BUSY, "2 of 3 ready")


DENIALS = [
    (QUOTA, "quota few: pods 2 of 2 used"),
    (
        'pods "x" is forbidden: exceeded quota: q, requested: cpu=1,memory=1Gi, used: cpu=3,memory=7Gi, limited: cpu=3,memory=8Gi',
        "quota q: cpu 3 of 3 used, memory 7Gi of 8Gi used",
    ),
    ('pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged', 'violates PodSecurity "restricted:latest": privileged'),
    ("admission webhook denied", "admission webhook denied"),
]


@pytest.mark.parametrize(("message", "clause"), DENIALS, ids=range(len(DENIALS)))
def test_why_a_pod_was_refused_in_one_clause(message: str, clause: str) -> None:
    assert denial(message) == clause


# ---- time ----------------------------------------------------------------------------------------------------------------------


def test_a_deadline_is_counted_down_and_says_when_it_reads_differently() -> None:
    stores = live()
    found = assess(deployment(stores, "rr", "rsp"), stores)
    assert words(found, NOW + timedelta(seconds=19)) == ("8m41s left", 1.0)
    assert words(found, NOW + timedelta(seconds=19.25)) == ("8m40s left", 0.75)
    assert words(found, NOW + timedelta(seconds=540)) == ("deadline due", float("inf"))


def test_long_deadlines_tick_by_the_minute() -> None:
    stores = live()
    found = assess(deployment(stores, "rr", "rsp", spec={"progressDeadlineSeconds": 3600}), stores)
    assert words(found, NOW + timedelta(seconds=10)) == ("58m left", 50.0)


def test_what_a_rollout_took_is_news_for_ten_minutes() -> None:
    stores = live()
    found = assess(deployment(stores, "", "rrrr", reason="NewReplicaSetAvailable"), stores)
    assert words(found, NOW) == ("done in 38s", 540.0)
    assert words(found, NOW + timedelta(seconds=540)) == ("", float("inf"))


# ---- Jobs and CronJobs -----------------------------------------------------------------------------------------------------------


def job(stores: Stores, letters: str = "", *conditions: tuple[str, str], spec: Any = None, started: str = "11:56:00", **status: Any) -> Any:
    told = [{"type": kind, "status": "True", "reason": reason} for kind, reason in conditions]
    start = {"startTime": f"2026-06-01T{started}Z"} if started else {}
    active = sum(letter in "rspb" for letter in letters)
    obj = put(
        stores,
        k.JOBS,
        "load",
        uid="j",
        spec={"completions": 1, "parallelism": 1, **(spec or {})},
        status={"conditions": told, "active": active, **start, **status},
    )
    pods(stores, obj, letters.replace("f", ""))
    for i in range(letters.count("f")):
        ended = {"name": "app", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
        put(stores, k.PODS, f"load-f{i}", owner=obj, spec={"nodeName": "n1"}, status={"phase": "Failed", "containerStatuses": [ended]})
    return obj


JOBS: list[tuple[str, Any, Level, str]] = [
    ("running", lambda s: job(s, "r"), Level.BUSY, "running 4m"),
    ("not started", lambda s: job(s, started=""), Level.BUSY, "not started"),
    ("against its deadline", lambda s: job(s, "r", spec={"activeDeadlineSeconds": 300}), Level.BUSY, "60s left"),
    ("done", lambda s: job(s, "", ("Complete", ""), completionTime="2026-06-01T11:56:34Z"), Level.DONE, "done in 34s"),
    ("suspended", lambda s: job(s, "", ("Suspended", ""), spec={"suspend": True}, started=""), Level.OFF, "suspended"),
    ("one failed, goes on", lambda s: job(s, "rf", failed=1), Level.WARN, "1 failed, limit 6 · running 4m"),
    ("one failed, waits to go on", lambda s: job(s, "f", failed=1, spec={"backoffLimit": 2}), Level.WARN, "1 failed, limit 2 · running 4m"),
    ("pod broken", lambda s: job(s, "b"), Level.BAD, IMAGE),
    ("pod broken beside ended ones", lambda s: job(s, "ffb", failed=2), Level.BAD, IMAGE),
    ("pods broken, one starts", lambda s: job(s, "bs"), Level.BUSY, "running 4m"),
    ("success criteria", lambda s: job(s, "r", ("SuccessCriteriaMet", "")), Level.BUSY, "success criteria met"),
    ("failed", lambda s: job(s, "", ("Failed", "DeadlineExceeded"), spec={"activeDeadlineSeconds": 60}), Level.BAD, "past its deadline of 60s"),
]  # fmt: skip


@pytest.mark.parametrize(("made", "level", "text"), [j[1:] for j in JOBS], ids=[j[0] for j in JOBS])
def test_jobs(made: Any, level: Level, text: str) -> None:
    stores = live()
    assert said(made(stores), stores) == (level, text)


def test_a_failed_job_tells_its_pods_end() -> None:
    stores = live()
    level, text = said(job(stores, "f", ("Failed", "BackoffLimitExceeded"), spec={"backoffLimit": 0}, failed=1), stores)
    assert level is Level.BAD
    assert text.startswith("backoff limit 0 reached: exit 3")


def test_a_job_whose_pods_are_refused() -> None:
    stores = live()
    load = job(stores)
    event(stores, "j", "FailedCreate", f"Error creating: {QUOTA}", "11:58:00")
    assert said(load, stores) == (Level.BAD, "quota few: pods 2 of 2 used")


def test_cronjobs() -> None:
    stores = live()
    new = put(stores, k.CRONJOBS, "new")
    off = put(stores, k.CRONJOBS, "off", spec={"suspend": True}, status={"active": [{"name": "x"}]})
    ran = put(stores, k.CRONJOBS, "ran", status={"lastScheduleTime": "2026-06-01T11:19:00Z"})
    busy = put(stores, k.CRONJOBS, "busy", status={"lastScheduleTime": "2026-06-01T11:59:00Z", "active": [{"name": "x"}]})
    assert said(new, stores) == (Level.DONE, "no run yet")
    assert said(off, stores) == (Level.OFF, "suspended")
    assert said(ran, stores) == (Level.DONE, "ran 41m ago")
    assert said(busy, stores) == (Level.BUSY, "running · since 60s")
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    put(stores, k.JOBS, "ran-1", owner=ran, status=failed, creationTimestamp="2026-06-01T11:19:00Z")
    assert said(ran, stores) == (Level.WARN, "last run failed: backoff limit 6 reached · ran 41m ago")
    assert explain_workload(ran, stores)[0].evidence[0].object == "job/ran-1"


# ---- the explanation ---------------------------------------------------------------------------------------------------------------


def test_an_explanation_goes_from_the_workload_to_its_pod() -> None:
    stores = live()
    found = explain_workload(deployment(stores, "rrr", "b", reason="ProgressDeadlineExceeded"), stores, NOW)
    assert [(f.level, f.clause) for f in found[:2]] == [(Level.BAD, "past its progress deadline of 10m"), (Level.BAD, IMAGE)]
    assert found[0].evidence[0].field == "status.conditions[Progressing]"
    assert found[1].evidence[0].object == "pod/chatapp-new-0"


@pytest.mark.parametrize(("made", "level"), [d[1:3] for d in DEPLOYMENTS], ids=[d[0] for d in DEPLOYMENTS])
def test_what_is_not_well_is_explained_and_what_is_well_is_not(made: dict[str, Any], level: Level) -> None:
    stores = live()
    found = explain_workload(deployment(stores, **made), stores, NOW)
    assert bool(found) == (level < Level.OK or "paused" in made.get("spec", {}))
    assert all(f.clause and f.evidence for f in found)
    assert [f.level for f in found] == sorted(f.level for f in found)


@pytest.mark.parametrize("made", [j[1] for j in JOBS] + [s[1] for s in SETS])
def test_other_kinds_are_explained_alike(made: Any) -> None:
    stores = live()
    obj = made(stores)
    assert bool(explain_workload(obj, stores, NOW)) == (assess(obj, stores).level < Level.OK)


# ---- kubectl's columns ---------------------------------------------------------------------------------------------------------------

OWN_KEYS = {"deployments": k.DEPLOYMENTS, "statefulsets": k.STATEFULSETS}


@pytest.mark.parametrize("name", ["deployments", "deployments.after-scale-down", "statefulsets"])
def test_cells_are_those_of_the_server(name: str) -> None:
    seen, kind = recorded("workload-tables")[name], OWN_KEYS[name.partition(".")[0]]
    now = datetime(2026, 11, 23, 14, 44, 22, tzinfo=UTC)
    compared = 0
    for obj, row in zip(objects(kind, seen["items"]), seen["rows"], strict=True):
        mine = workload_cells.cells(obj, now)
        for column, cell in zip(seen["columns"][1:], row[1:], strict=True):
            key = column.lower().replace("-", "_").replace(" ", "_")
            if key == "age":
                assert age_fits(obj.metadata.creation_timestamp, cell, now, slack=180)
            else:
                assert mine[key] == cell, column
            compared += 1
    assert compared == len(seen["columns"]) - 1


def test_columns_of_every_kind() -> None:
    template = {"spec": {"nodeSelector": {"disk": "ssd", "arch": "arm"}, "containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y"}]}}
    chosen = {"matchLabels": {"app": "web"}}
    cases: list[tuple[Any, dict[str, Any]]] = [
        (make(k.DEPLOYMENTS, "d", spec={"replicas": 0, "template": template, "selector": chosen}, status={"readyReplicas": 2}),
         {"ready": "2/0", "up_to_date": 0, "available": 0, "selector": "app=web"}),
        (make(k.STATEFULSETS, "s", spec={"template": template}), {"ready": "0/1"}),
        (make(k.DAEMONSETS, "ds", spec={"template": template}, status={"desiredNumberScheduled": 3, "numberReady": 2}),
         {"desired": 3, "current": 0, "ready": 2, "up_to_date": 0, "available": 0, "node_selector": "arch=arm,disk=ssd", "selector": "<none>"}),
        (make(k.JOBS, "j", spec={"completions": 2, "template": template}), {"status": "Running", "completions": "0/2", "duration": ""}),
        (make(k.CRONJOBS, "c", spec={"schedule": "@daily", "timeZone": "UTC", "suspend": False, "jobTemplate": {"spec": {"template": template}}}),
         {"schedule": "@daily", "timezone": "UTC", "suspend": "False", "active": 0, "last_schedule": "<none>", "selector": "<none>"}),
        (make(k.CRONJOBS, "c", spec={"jobTemplate": {"spec": {"template": template}}}), {"timezone": "<none>", "suspend": "<unset>"}),
    ]  # fmt: skip
    for obj, wanted in cases:
        got = workload_cells.cells(obj, NOW)
        assert {key: got[key] for key in wanted} == wanted
        assert (got["containers"], got["images"], got["age"]) == ("a,b", "x:1,y", "60m")


@pytest.mark.parametrize("kind", [k.DEPLOYMENTS, k.STATEFULSETS, k.DAEMONSETS, k.JOBS, k.CRONJOBS], ids=lambda kind: kind.plural)
def test_an_object_without_any_field_makes_no_rule_stumble(kind: Any) -> None:
    stores = live()
    obj = k.decode(kind, b'{"metadata":{"uid":"x"}}')
    words(assess(obj, stores), NOW)  # type: ignore[arg-type]
    workload_cells.cells(obj, NOW)  # type: ignore[arg-type]
    workload_cells.ready_share(obj)  # type: ignore[arg-type]
    explain_workload(obj, stores, NOW)  # type: ignore[arg-type]
    assert workload_cells.short_name(obj).endswith("/")
