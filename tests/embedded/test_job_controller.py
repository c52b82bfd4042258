"""Jobs: completions, failures and back-off, indexes, policies, deadlines, suspension, counting, clean-up."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from embedded.conftest import recording
from embedded.fakekubelet import FakeKubelet
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.garbage import GarbageCollector
from kubepane_embedded.controllers.job_backoff import BackoffRecord
from kubepane_embedded.controllers.job_facts import TRACKING
from kubepane_embedded.controllers.job_indexes import first_pending, format_indexes, last_failed, parse_indexes
from kubepane_embedded.controllers.job_policies import judge_failure, judge_success
from kubepane_embedded.controllers.job_ttl import TtlAfterFinishedController
from kubepane_embedded.controllers.jobs import JobController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, annotations_of, finalizers_of, is_deleting, key_of, labels_of, owners_of
from kubepane_embedded.podfacts import is_active, phase
from kubepane_embedded.seed import Seed
from kubepane_embedded.storage import Change

JOBS = "jobs.batch"


@pytest.fixture
def kubelet(core: Core) -> FakeKubelet:
    JobController(core).start()
    TtlAfterFinishedController(core).start()
    GarbageCollector(core).start()
    return FakeKubelet(core)


def make(kubelet: FakeKubelet, name: str = "job", pod: dict[str, Any] | None = None, **spec: Any) -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox:1"}], **(pod or {})}}
    created = kubelet.core.client("test").create(JOBS, {"metadata": {"name": name, "namespace": "default"}, "spec": {"template": template, **spec}})
    kubelet.settle()
    return created


def change(kubelet: FakeKubelet, name: str = "job", **spec: Any) -> None:
    kubelet.core.client("test").patch(JOBS, "default", name, {"spec": spec})
    kubelet.settle()


def job(kubelet: FakeKubelet, name: str = "job") -> Object:
    return kubelet.client.get(JOBS, "default", name)


def status(kubelet: FakeKubelet, name: str = "job") -> dict[str, Any]:
    found: dict[str, Any] = job(kubelet, name)["status"]
    return found


def conditions(kubelet: FakeKubelet, name: str = "job") -> list[tuple[str, str, str]]:
    return [(one["type"], one["status"], one["reason"]) for one in status(kubelet, name).get("conditions") or []]


def running(kubelet: FakeKubelet, name: str = "job") -> list[str]:
    return [key_of(pod)[1] for pod in kubelet.pods() if labels_of(pod).get("job-name") == name and is_active(pod)]


def end(kubelet: FakeKubelet, name: str, code: int = 0, seconds: float = 1.0, **more: Any) -> None:
    kubelet.exit(name, code, **more)
    kubelet.settle(seconds)


def test_as_many_at_once_as_asked_until_enough_have_succeeded(kubelet: FakeKubelet) -> None:
    make(kubelet, completions=3, parallelism=2)
    for left in (2, 2, 1):
        assert len(running(kubelet)) == left
        end(kubelet, running(kubelet)[0])
    assert conditions(kubelet) == [("SuccessCriteriaMet", "True", "CompletionsReached"), ("Complete", "True", "CompletionsReached")]
    found = status(kubelet)
    assert (found["succeeded"], found["ready"], found["terminating"], found["uncountedTerminatedPods"]) == (3, 0, 0, {})
    assert found["completionTime"] >= found["startTime"]
    assert kubelet.events("job")[-1] == "Completed: Job completed"
    assert not any(finalizers_of(pod) for pod in kubelet.pods()), "pods are still held"
    kubelet.settle(5)
    revision = kubelet.core.storage.revision
    kubelet.settle(3600)
    assert kubelet.core.storage.revision == revision, "an idle job is written to"


def test_a_work_queue_ends_with_its_first_success(kubelet: FakeKubelet) -> None:
    make(kubelet, parallelism=2)
    first, second = running(kubelet)
    end(kubelet, first)
    assert running(kubelet) == [second]
    assert conditions(kubelet) == []
    end(kubelet, second, 1)
    assert ("Complete", "True", "CompletionsReached") in conditions(kubelet)


def test_failures_are_retried_ever_more_slowly(kubelet: FakeKubelet) -> None:
    make(kubelet)
    for wait in (10, 20, 40, 80, 160, 320):
        end(kubelet, running(kubelet)[0], 1)
        assert running(kubelet) == []
        kubelet.settle(wait - 1.5)
        assert running(kubelet) == []
        kubelet.settle(0.5)
        assert len(running(kubelet)) == 1
    end(kubelet, running(kubelet)[0], 1)
    assert conditions(kubelet) == [("FailureTarget", "True", "BackoffLimitExceeded"), ("Failed", "True", "BackoffLimitExceeded")]
    assert status(kubelet)["failed"] == 7
    assert kubelet.events("job")[-1] == "BackoffLimitExceeded: Job has reached the specified backoff limit"


def test_a_success_ends_the_back_off(kubelet: FakeKubelet) -> None:
    make(kubelet, completions=5, parallelism=1)
    end(kubelet, running(kubelet)[0], 1)
    kubelet.settle(10)
    end(kubelet, running(kubelet)[0], 0)
    assert len(running(kubelet)) == 1
    end(kubelet, running(kubelet)[0], 1)
    kubelet.settle(8.5)
    assert running(kubelet) == []
    kubelet.settle(0.5)
    assert len(running(kubelet)) == 1


def test_only_failures_after_the_last_success_count_for_the_wait() -> None:
    def pod(second: int) -> Object:
        return {"metadata": {}, "status": {"containerStatuses": [{"state": {"terminated": {"finishedAt": f"2026-01-01T08:00:{second:02}Z"}}}]}}

    now = datetime(2026, 1, 1, 8, 0, 20, tzinfo=UTC)
    both = BackoffRecord(5, now).after([pod(10)], [pod(8), pod(12)])
    assert (both.failures, both.left(now)) == (1, 2.0)
    assert BackoffRecord(5, now).after([pod(10)], [pod(8)]) == BackoffRecord()
    assert BackoffRecord(1, now).after([], [pod(12), pod(11)]).left(now) == 32.0


def test_restarts_of_containers_count_with_on_failure(kubelet: FakeKubelet) -> None:
    make(kubelet, pod={"restartPolicy": "OnFailure"}, backoffLimit=2)
    name = running(kubelet)[0]
    for restarts in (1, 2):
        assert conditions(kubelet) == []
        kubelet.status(name, "Running", True, containerStatuses=[{"name": "c", "restartCount": restarts, "image": "x", "imageID": "", "ready": True}])
        kubelet.settle(1)
    kubelet.settle(1)
    assert conditions(kubelet)[-1] == ("Failed", "True", "BackoffLimitExceeded")


def test_the_deadline_ends_a_job_when_its_pods_are_gone(kubelet: FakeKubelet) -> None:
    make(kubelet, activeDeadlineSeconds=30)
    name = running(kubelet)[0]
    kubelet.bind(name, "node")
    kubelet.run(name)
    kubelet.settle(29)
    assert status(kubelet)["active"] == 1
    kubelet.settle(1)
    assert kubelet.names() == [f"-{name}"]
    assert conditions(kubelet) == [("FailureTarget", "True", "DeadlineExceeded")]
    assert (status(kubelet)["failed"], status(kubelet)["terminating"]) == (1, 1)
    kubelet.remove(name)
    kubelet.settle(2)
    assert kubelet.names() == []
    assert conditions(kubelet)[-1] == ("Failed", "True", "DeadlineExceeded")


def test_suspending_deletes_and_resuming_starts_anew(kubelet: FakeKubelet) -> None:
    make(kubelet, parallelism=2, completions=2)
    kubelet.settle(5)
    change(kubelet, suspend=True)
    assert kubelet.names() == []
    assert conditions(kubelet) == [("Suspended", "True", "JobSuspended")]
    kubelet.settle(5)
    change(kubelet, suspend=False)
    assert len(running(kubelet)) == 2
    assert conditions(kubelet) == [("Suspended", "False", "JobResumed")]
    assert status(kubelet)["startTime"] == kubelet.core.clock.stamp()
    events = [event.partition(":")[0] for event in kubelet.events("job")]
    assert events == [*["SuccessfulCreate"] * 2, *["SuccessfulDelete"] * 2, "Suspended", *["SuccessfulCreate"] * 2, "Resumed"]


def test_less_parallelism_deletes_what_is_too_much(kubelet: FakeKubelet) -> None:
    make(kubelet, parallelism=3, completions=6)
    kept = running(kubelet)[1]
    kubelet.bind(kept, "node")
    kubelet.run(kept)
    change(kubelet, parallelism=1)
    assert kubelet.names() == [kept]
    assert status(kubelet)["active"] == 1


def test_pods_carry_their_index(kubelet: FakeKubelet) -> None:
    make(kubelet, completionMode="Indexed", completions=3, parallelism=2)
    assert [re.sub("-[a-z0-9]*$", "", name) for name in running(kubelet)] == ["job-0", "job-1"]
    pod = kubelet.pods()[1]
    assert annotations_of(pod)["batch.kubernetes.io/job-completion-index"] == labels_of(pod)["batch.kubernetes.io/job-completion-index"] == "1"
    assert pod["spec"]["hostname"] == "job-1"
    reference = {"apiVersion": "v1", "fieldPath": "metadata.labels['batch.kubernetes.io/job-completion-index']"}
    assert pod["spec"]["containers"][0]["env"] == [{"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": reference}}]
    assert finalizers_of(pod) == [TRACKING]
    make(
        kubelet,
        "own",
        {"containers": [{"name": "c", "image": "x", "env": [{"name": "JOB_COMPLETION_INDEX", "value": "7"}]}]},
        completionMode="Indexed",
    )
    own = kubelet.client.get("pods", "default", running(kubelet, "own")[0])
    assert own["spec"]["containers"][0]["env"] == [{"name": "JOB_COMPLETION_INDEX", "value": "7"}]
    end(kubelet, key_of(pod)[1])
    assert status(kubelet)["completedIndexes"] == "1"
    assert [name[:5] for name in running(kubelet)] == ["job-0", "job-2"]
    end(kubelet, running(kubelet)[0])
    end(kubelet, running(kubelet)[0])
    assert status(kubelet)["completedIndexes"] == "0-2"
    assert conditions(kubelet)[-1][0] == "Complete"


def test_a_limit_per_index_fails_one_index_and_goes_on_with_the_others(kubelet: FakeKubelet) -> None:
    make(kubelet, completionMode="Indexed", completions=2, parallelism=2, backoffLimitPerIndex=1)
    end(kubelet, running(kubelet)[0], 1)
    assert len(running(kubelet)) == 1
    kubelet.settle(10)
    retried = next(pod for pod in kubelet.pods() if key_of(pod)[1].startswith("job-0") and is_active(pod))
    assert annotations_of(retried)["batch.kubernetes.io/job-index-failure-count"] == "1"
    end(kubelet, key_of(retried)[1], 1)
    kubelet.settle(60)
    assert status(kubelet)["failedIndexes"] == "0"
    end(kubelet, running(kubelet)[0])
    assert conditions(kubelet) == [("FailureTarget", "True", "FailedIndexes"), ("Failed", "True", "FailedIndexes")]
    assert (status(kubelet)["succeeded"], status(kubelet)["failed"], status(kubelet)["completedIndexes"]) == (1, 2, "1")


RULES = [
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42], "containerName": "c"}},
    {"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [1, 2]}},
]


@pytest.mark.parametrize(
    ("code", "container", "disrupted", "expected"),
    [
        (42, "c", False, (True, "FailJob", "Container c for pod ns/p failed with exit code 42 matching FailJob rule at index 1")),
        (42, "other", False, (True, "Count", "")),
        (1, "c", False, (True, "", "")),
        (3, "c", False, (True, "Count", "")),
        (42, "c", True, (False, "Ignore", "")),
        (0, "c", False, (True, "", "")),
    ],
)
def test_the_first_rule_that_fits_decides(code: int, container: str, disrupted: bool, expected: tuple[bool, str, str]) -> None:
    ended = {"name": container, "state": {"terminated": {"exitCode": code}}}
    disruption = [{"type": "DisruptionTarget", "status": "True"}] if disrupted else []
    pod = {"metadata": {"namespace": "ns", "name": "p"}, "status": {"containerStatuses": [ended], "conditions": disruption}}
    assert judge_failure({"spec": {"podFailurePolicy": {"rules": RULES}}}, pod) == expected


def test_a_condition_can_fail_a_job() -> None:
    rules = [{"action": "FailJob", "onPodConditions": [{"type": "ConfigIssue", "status": "True"}]}]
    pod = {"metadata": {"namespace": "ns", "name": "p"}, "status": {"conditions": [{"type": "ConfigIssue", "status": "True"}]}}
    expected = "Pod ns/p has condition ConfigIssue matching FailJob rule at index 0"
    assert judge_failure({"spec": {"podFailurePolicy": {"rules": rules}}}, pod).message == expected


def test_ignored_failures_are_not_counted(kubelet: FakeKubelet) -> None:
    make(kubelet, backoffLimit=0, podFailurePolicy={"rules": RULES})
    name = running(kubelet)[0]
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    kubelet.client.patch_status("pods", "default", name, {"phase": "Failed", "conditions": disrupted})
    kubelet.settle(1)
    assert (conditions(kubelet), status(kubelet).get("failed")) == ([], None)
    kubelet.settle(10)
    assert len(running(kubelet)) == 1
    end(kubelet, running(kubelet)[0], 42)
    assert conditions(kubelet)[-1] == ("Failed", "True", "PodFailurePolicy")


@pytest.mark.parametrize(
    ("rules", "succeeded", "expected"),
    [
        ([{"succeededIndexes": "0,2"}], {0}, ""),
        ([{"succeededIndexes": "0,2"}], {0, 2}, "Matched rules at index 0"),
        ([{"succeededIndexes": "0-3", "succeededCount": 2}], {1, 3}, "Matched rules at index 0"),
        ([{"succeededIndexes": "9"}, {"succeededCount": 2}], {1, 3}, "Matched rules at index 1"),
        ([{"succeededIndexes": "9"}], {1, 3}, ""),
        ([{"succeededCount": 3}], {1, 3}, ""),
    ],
)
def test_success_policies(rules: list[dict[str, Any]], succeeded: set[int], expected: str) -> None:
    assert judge_success({"spec": {"successPolicy": {"rules": rules}}}, succeeded, lambda text: parse_indexes(text, 5)) == expected


@pytest.mark.parametrize(
    ("indexes", "text"),
    [(set(), ""), ({0}, "0"), ({0, 1}, "0,1"), ({0, 1, 2}, "0-2"), ({0, 1, 3, 5, 6, 7}, "0,1,3,5-7")],
)
def test_indexes_are_written_as_runs(indexes: set[int], text: str) -> None:
    assert format_indexes(indexes) == text


@given(st.sets(st.integers(0, 40)), st.integers(0, 45), st.integers(0, 10))
def test_indexes_read_back_and_free_ones_are_the_lowest(indexes: set[int], completions: int, wanted: int) -> None:
    assert parse_indexes(format_indexes(indexes), completions) == {index for index in indexes if index < completions}
    assert first_pending(indexes, wanted, completions) == [index for index in range(completions) if index not in indexes][:wanted]


def test_a_deleted_pod_is_replaced_at_once_or_when_it_has_ended(kubelet: FakeKubelet) -> None:
    for name, policy, expected in (("soon", "TerminatingOrFailed", 1), ("late", "Failed", 0)):
        make(kubelet, name, podReplacementPolicy=policy)
        pod = running(kubelet, name)[0]
        kubelet.bind(pod, "node")
        kubelet.run(pod)
        kubelet.core.client("test").delete("pods", "default", pod)
        kubelet.settle(12)
        assert len(running(kubelet, name)) == expected, name
        assert status(kubelet, name)["terminating"] == 1
        end(kubelet, pod, 1, 12)
        assert len(running(kubelet, name)) == 1
        assert status(kubelet, name)["failed"] == 1
        kubelet.remove(pod)


def test_ended_jobs_are_deleted_after_their_time(kubelet: FakeKubelet) -> None:
    make(kubelet, ttlSecondsAfterFinished=60)
    end(kubelet, running(kubelet)[0])
    kubelet.settle(59.5)
    assert kubelet.core.storage.count(JOBS, "default") == 1
    kubelet.settle(0.5)
    assert kubelet.core.storage.count(JOBS, "default") == 0
    assert kubelet.names() == []


@pytest.mark.parametrize("propagation", ["Background", "Foreground", "Orphan"])
def test_a_deleted_job_lets_go_of_its_pods(kubelet: FakeKubelet, propagation: str) -> None:
    make(kubelet, parallelism=2)
    for name in running(kubelet):
        kubelet.bind(name, "node")
        kubelet.run(name)
    kubelet.core.client("test").delete(JOBS, "default", "job", propagation=propagation)
    kubelet.settle(5)
    assert not any(finalizers_of(pod) for pod in kubelet.pods())
    assert all(name.startswith("-") for name in kubelet.names()) is (propagation != "Orphan")
    for name in kubelet.names():
        if name.startswith("-"):
            kubelet.remove(name[1:])
    kubelet.settle(5)
    assert kubelet.core.storage.count(JOBS, "default") == 0
    assert len(kubelet.pods()) == (2 if propagation == "Orphan" else 0)
    assert not any(owners_of(pod) for pod in kubelet.pods())


def test_pods_noted_already_are_not_counted_again(kubelet: FakeKubelet) -> None:
    make(kubelet, completions=4, parallelism=2)
    good, bad = running(kubelet)
    kubelet.exit(good, 0)
    kubelet.exit(bad, 1)
    uids = {name: [kubelet.client.get("pods", "default", name)["metadata"]["uid"]] for name in (good, bad)}
    kubelet.client.patch_status(JOBS, "default", "job", {"uncountedTerminatedPods": {"succeeded": uids[good], "failed": uids[bad]}})
    kubelet.settle(2)
    assert (status(kubelet)["succeeded"], status(kubelet)["failed"], status(kubelet)["uncountedTerminatedPods"]) == (1, 1, {})


def test_a_job_that_has_succeeded_cannot_fail_any_more(kubelet: FakeKubelet) -> None:
    policy = {"rules": [{"succeededCount": 1}]}
    make(kubelet, completionMode="Indexed", completions=2, parallelism=2, activeDeadlineSeconds=9, successPolicy=policy)
    first, second = running(kubelet)
    for name in (first, second):
        kubelet.bind(name, "node")
        kubelet.run(name)
    end(kubelet, first, 0, 5)
    assert conditions(kubelet) == [("SuccessCriteriaMet", "True", "SuccessPolicy")]
    kubelet.settle(10)
    kubelet.exit(second, 1)
    kubelet.remove(second)
    kubelet.settle(5)
    assert conditions(kubelet)[1:] == [("Complete", "True", "SuccessPolicy")]


def test_pods_of_a_lost_job_are_let_go_without_a_collector(core: Core) -> None:
    JobController(core).start()
    kubelet = FakeKubelet(core)
    make(kubelet)
    kubelet.core.client("test").delete(JOBS, "default", "job", propagation="Background")
    kubelet.settle(1)
    assert [finalizers_of(pod) for pod in kubelet.pods()] == [[]]


def test_of_two_failed_pods_of_an_index_the_later_is_followed() -> None:
    def pod(name: str, failures: int, second: int) -> Object:
        annotations = {"batch.kubernetes.io/job-completion-index": "0", "batch.kubernetes.io/job-index-failure-count": str(failures)}
        meta = {"name": name, "finalizers": [TRACKING], "annotations": annotations}
        ended = {"terminated": {"finishedAt": f"2026-01-01T08:00:{second:02}Z"}}
        return {"metadata": meta, "status": {"phase": "Failed", "containerStatuses": [{"state": ended}]}}

    body: Object = {"spec": {"completions": 2}}
    for pods in ([pod("a", 0, 1), pod("b", 1, 2)], [pod("b", 1, 2), pod("a", 0, 1)]):
        assert key_of(last_failed(body, pods, ())[0])[1] == "b"
    assert last_failed(body, [pod("a", 0, 1)], {0}) == {}


def test_a_job_of_another_controller_is_left_alone(kubelet: FakeKubelet) -> None:
    make(kubelet, managedBy="example.com/other")
    kubelet.settle(10)
    assert (kubelet.names(), status(kubelet)) == ([], {})


def test_an_adopted_pod_is_tracked(kubelet: FakeKubelet) -> None:
    labels = {"mine": "yes"}
    pod = {"containers": [{"name": "c", "image": "x"}], "restartPolicy": "Never"}
    kubelet.core.client("test").create("pods", {"metadata": {"name": "orphan", "namespace": "default", "labels": labels}, "spec": pod})
    body = {"manualSelector": True, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    kubelet.core.client("test").create(JOBS, {"metadata": {"name": "job", "namespace": "default"}, "spec": body})
    kubelet.settle(2)
    assert kubelet.names() == ["orphan"]
    assert finalizers_of(kubelet.pods()[0]) == [TRACKING]
    end(kubelet, "orphan")
    assert conditions(kubelet)[-1][0] == "Complete"


# as a real cluster does it


class Steps:
    """The distinct statuses of every Job, as recorded."""

    def __init__(self, core: Core) -> None:
        self.seen: dict[str, list[dict[str, Any]]] = {}
        core.storage.watch(JOBS, self._note)

    def _note(self, change: Change) -> None:
        found = {**change.now.obj["status"]}
        if found.get("conditions"):
            found["conditions"] = [_plain(one) for one in found["conditions"]]
        found |= {name: "TIME" for name in ("startTime", "completionTime") if name in found}
        if "uncountedTerminatedPods" in found:
            found["uncountedTerminatedPods"] = {name: len(uids) for name, uids in found["uncountedTerminatedPods"].items()}
        steps = self.seen.setdefault(key_of(change.now.obj)[1], [])
        if not steps or steps[-1] != found:
            steps.append(found)


def _plain(condition: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in condition.items() if not name.endswith("Time")}
    return {**kept, "message": re.sub(r"for pod \S+", "for pod POD", kept["message"])}


def act_as_recorded(kubelet: FakeKubelet) -> None:
    def pending(name: str) -> list[str]:
        return [key_of(pod)[1] for pod in kubelet.pods() if labels_of(pod)["job-name"] == name and phase(pod) == "Pending"]

    def disrupt(name: str) -> None:
        disrupted = [{"type": "DisruptionTarget", "status": "True"}]
        kubelet.client.patch_status("pods", "default", name, {"phase": "Failed", "conditions": disrupted})

    make(kubelet, "f-back", backoffLimit=1)
    make(kubelet, "f-pol", podFailurePolicy={"rules": RULES[:2]}, completions=2, parallelism=2)
    make(kubelet, "f-idx", completionMode="Indexed", completions=3, parallelism=3, backoffLimitPerIndex=0, maxFailedIndexes=1)
    make(kubelet, "f-par", completions=3, parallelism=2)
    make(kubelet, "f-succ", completionMode="Indexed", completions=4, parallelism=4, successPolicy={"rules": [{"succeededIndexes": "0,2"}]})
    make(kubelet, "f-susp", suspend=True, completions=2, parallelism=2)
    kubelet.settle(2)
    kubelet.exit(pending("f-back")[0], 1)
    kubelet.exit(pending("f-par")[0], 1)
    disrupt(pending("f-pol")[0])
    for place in (0, 0):
        kubelet.exit(pending("f-idx")[place], 1)
    for place in (0, 1):
        kubelet.exit(pending("f-succ")[place], 0)
    change(kubelet, "f-susp", suspend=False)
    kubelet.settle(4)
    change(kubelet, "f-susp", suspend=True)
    kubelet.exit(pending("f-pol")[0], 42)
    kubelet.settle(9)
    kubelet.exit(pending("f-back")[0], 1)
    for _ in range(2):
        for name in pending("f-par"):
            kubelet.exit(name, 0)
        kubelet.settle(6)


@pytest.fixture
def as_recorded(kubelet: FakeKubelet) -> dict[str, list[dict[str, Any]]]:
    steps = Steps(kubelet.core)
    act_as_recorded(kubelet)
    return steps.seen


@pytest.mark.parametrize("name", ["f-back", "f-pol", "f-idx", "f-par", "f-succ", "f-susp"])
def test_every_status_is_written_as_a_real_cluster_writes_it(as_recorded: dict[str, list[dict[str, Any]]], name: str) -> None:
    assert as_recorded[name] == recording("job-steps")["steps"][name]


# whatever happens


def kill(kubelet: FakeKubelet, name: str) -> None:
    """A pod goes as kubelets let it go: its end is written first."""
    pod = kubelet.core.storage.read("pods", "default", name)
    if pod is not None and phase(pod) in ("Pending", "Running"):
        kubelet.exit(name, 137)
    kubelet.remove(name)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 6),
    st.sampled_from(["Indexed", "NonIndexed"]),
    st.sampled_from(["Failed", "TerminatingOrFailed"]),
    st.lists(
        st.tuples(st.sampled_from(["run", "fail", "succeed", "delete", "remove", "wait", "parallelism", "suspend"]), st.integers(0, 9)), max_size=25
    ),
)
def test_never_more_pods_than_allowed_and_every_one_counted_once(
    parallelism: int, completions: int, mode: str, policy: str, steps: list[tuple[str, int]]
) -> None:
    core = Core(VirtualClock(), Seed(1))
    JobController(core).start()
    kubelet = FakeKubelet(core)
    make(kubelet, parallelism=parallelism, completions=completions, completionMode=mode, podReplacementPolicy=policy, backoffLimit=100)
    ends: dict[str, int] = {}
    for action, number in steps:
        pods = [pod for pod in kubelet.pods() if phase(pod) in ("Pending", "Running")]
        pod = pods[number % len(pods)] if pods else None
        if action == "wait":
            kubelet.settle(number * 20)
        elif action == "parallelism":
            change(kubelet, parallelism=number % 5)
            parallelism = number % 5
        elif action == "suspend":
            change(kubelet, suspend=number % 2 == 0)
        elif pod is not None:
            name, uid = key_of(pod)[1], pod["metadata"]["uid"]
            if not pod["spec"].get("nodeName"):
                kubelet.bind(name, "node")
            if action == "run":
                kubelet.run(name)
            elif action in ("fail", "succeed") and not is_deleting(pod):
                ends[uid] = action == "succeed"
                kubelet.exit(name, action == "fail")
            elif action == "delete":
                core.client("test").delete("pods", "default", name)
            elif action == "remove":
                kill(kubelet, name)
        assert len(running(kubelet)) <= max(parallelism, 0)
        assert all(labels_of(pod)["job-name"] == "job" for pod in kubelet.pods())
    kubelet.settle(5)
    found = status(kubelet)
    succeeded = [pod for pod in kubelet.pods() if phase(pod) == "Succeeded"]
    if mode == "NonIndexed":
        assert found.get("succeeded", 0) == sum(ends.values()) == len(succeeded)
    else:
        assert found.get("succeeded", 0) == len({labels_of(pod)["batch.kubernetes.io/job-completion-index"] for pod in succeeded})
    if not found.get("conditions") or found["conditions"][-1]["type"] != "Complete":
        change(kubelet, suspend=False, parallelism=6)
    for _ in range(6):
        kubelet.settle(700)
        for name in running(kubelet):
            kubelet.exit(name, 0)
        for name in kubelet.names():
            if name.startswith("-"):
                kill(kubelet, name[1:])
    assert conditions(kubelet)[-1][0] == "Complete"
    assert status(kubelet)["succeeded"] >= completions
