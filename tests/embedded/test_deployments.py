"""Deployments from creation to rollback: every step of a rollout, its conditions, revisions, pauses and failures."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from embedded.timedkubelet import TimedKubelet
from kubepane_embedded.clock import VirtualClock
from kubepane_embedded.controllers.deployments import DeploymentController
from kubepane_embedded.controllers.replicasets import ReplicaSetController
from kubepane_embedded.core import Core
from kubepane_embedded.meta import Object, annotations_of, clone, controller_of, is_deleting
from kubepane_embedded.podfacts import condition

LABELS = {"app": "web"}
REVISION = "deployment.kubernetes.io/revision"


def template(version: int, **spec: Any) -> Object:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": f"nginx:{version}"}], **spec}}


class Bench:
    """A core with both controllers; pods are ready a second after they came, unless their image is a bad one."""

    def __init__(self, core: Core) -> None:
        self.core = core
        assert isinstance(core.clock, VirtualClock)
        self.clock = core.clock
        self.client = core.client("kubectl")
        self.bad: set[str] = set()
        ReplicaSetController(core).start()
        DeploymentController(core).start()
        self.kubelet = TimedKubelet(core, ready=lambda pod: None if pod["spec"]["containers"][0]["image"] in self.bad else 1.0)
        self.kubelet.start()

    def create(self, replicas: int = 3, **spec: Any) -> None:
        wanted = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template(1), **spec}
        self.client.create("deployments.apps", {"metadata": {"name": "web", "namespace": "default"}, "spec": wanted})

    def change(self, **spec: Any) -> None:
        self.client.patch("deployments.apps", "default", "web", {"spec": spec})

    def pause(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @property
    def web(self) -> Object:
        return self.client.get("deployments.apps", "default", "web")

    @property
    def status(self) -> Object:
        """The numbers, without conditions."""
        return {key: value for key, value in self.web["status"].items() if key != "conditions"}

    def says(self, kind: str) -> tuple[str, str, str]:
        found = condition(self.web, kind) or {}
        return found.get("status", ""), found.get("reason", ""), found.get("message", "")

    def set_of(self, version: int) -> Object:
        sets = self.core.storage.objects("replicasets.apps", "default")
        return next(one for one in sets if one["spec"]["template"]["spec"]["containers"][0]["image"] == f"nginx:{version}")

    def name(self, version: int) -> str:
        name: str = self.set_of(version)["metadata"]["name"]
        return name

    def sizes(self) -> dict[str, int]:
        sets = self.core.storage.objects("replicasets.apps", "default")
        return {one["spec"]["template"]["spec"]["containers"][0]["image"]: one["spec"]["replicas"] for one in sets}

    def scalings(self) -> list[str]:
        events = [one for one in self.core.storage.objects("events", "default") if one["reason"] == "ScalingReplicaSet"]
        return [one["message"] for one in sorted(events, key=lambda one: int(one["metadata"]["name"].rpartition(".")[2], 16) // 1_000_000_000)]


@pytest.fixture
def bench(core: Core) -> Bench:
    return Bench(core)


def test_a_first_rollout(bench: Bench) -> None:
    bench.create()
    bench.pause(0)
    name = bench.name(1)
    assert bench.status == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "unavailableReplicas": 3,
        "terminatingReplicas": 0,
    }
    assert bench.says("Available") == ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    assert bench.says("Progressing") == ("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    bench.pause(5)
    assert bench.status == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "terminatingReplicas": 0,
    }
    assert bench.says("Available") == ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    assert bench.says("Progressing") == ("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    assert bench.scalings() == [f"Scaled up replica set {name} from 0 to 3"]
    event = next(one for one in bench.core.storage.objects("events") if one["reason"] == "ScalingReplicaSet")
    assert (event["involvedObject"]["name"], event["source"]) == ("web", {"component": "deployment-controller"})


def test_the_new_replica_set(bench: Bench) -> None:
    bench.create(minReadySeconds=2)
    bench.client.patch("deployments.apps", "default", "web", {"metadata": {"annotations": {"note": "x"}}})
    bench.pause(0)
    made = bench.set_of(1)
    digest = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"web-{digest}"
    assert made["metadata"]["labels"] == made["spec"]["selector"]["matchLabels"] == made["spec"]["template"]["metadata"]["labels"]
    assert made["metadata"]["labels"] == {**LABELS, "pod-template-hash": digest}
    assert made["spec"]["minReadySeconds"] == 2
    assert annotations_of(made) == {
        "note": "x",
        REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    assert (controller_of(made) or {})["uid"] == bench.web["metadata"]["uid"]
    assert annotations_of(bench.web)[REVISION] == "1"
    pod = bench.core.storage.objects("pods", "default")[0]
    assert pod["metadata"]["labels"] == {**LABELS, "pod-template-hash": digest}


def test_an_image_rolls_one_by_one(bench: Bench) -> None:
    bench.create()
    bench.pause(5)
    bench.change(template=template(2))
    bench.pause(0)
    one, two = bench.name(1), bench.name(2)
    assert bench.sizes() == {"nginx:1": 3, "nginx:2": 1}
    assert bench.status["replicas"] == 4
    assert bench.status["updatedReplicas"] == bench.status["unavailableReplicas"] == 1
    assert bench.says("Available")[0] == "True"
    assert bench.says("Progressing") == ("True", "ReplicaSetUpdated", f'ReplicaSet "{two}" is progressing.')
    begun = (condition(bench.web, "Progressing") or {})["lastTransitionTime"]
    bench.pause(1)
    assert bench.sizes() == {"nginx:1": 2, "nginx:2": 2}
    bench.pause(1)
    assert bench.sizes() == {"nginx:1": 1, "nginx:2": 3}
    bench.pause(5)
    assert bench.sizes() == {"nginx:1": 0, "nginx:2": 3}
    assert bench.says("Progressing") == ("True", "NewReplicaSetAvailable", f'ReplicaSet "{two}" has successfully progressed.')
    assert (condition(bench.web, "Progressing") or {})["lastTransitionTime"] == begun, "it never was anything but True"
    assert annotations_of(bench.web)[REVISION] == annotations_of(bench.set_of(2))[REVISION] == "2"
    assert sorted(bench.scalings()[1:]) == sorted(
        [
            f"Scaled up replica set {two} from 0 to 1",
            f"Scaled down replica set {one} from 3 to 2",
            f"Scaled up replica set {two} from 1 to 2",
            f"Scaled down replica set {one} from 2 to 1",
            f"Scaled up replica set {two} from 2 to 3",
            f"Scaled down replica set {one} from 1 to 0",
        ]
    )


def test_going_back_takes_the_old_set_with_a_new_revision(bench: Bench) -> None:
    bench.create()
    for version in (1, 2, 1, 2):
        bench.change(template=template(version))
        bench.pause(20)
    assert bench.sizes() == {"nginx:1": 0, "nginx:2": 3}
    assert annotations_of(bench.set_of(1))[REVISION] == "3"
    assert annotations_of(bench.set_of(1))["deployment.kubernetes.io/revision-history"] == "1"
    assert annotations_of(bench.set_of(2))[REVISION] == annotations_of(bench.web)[REVISION] == "4"
    assert annotations_of(bench.set_of(2))["deployment.kubernetes.io/revision-history"] == "2"


def test_a_stuck_rollout_is_told_and_undone(bench: Bench) -> None:
    bench.bad.add("nginx:2")
    bench.create(4, progressDeadlineSeconds=30)
    bench.pause(5)
    bench.change(template=template(2))
    bench.pause(29)
    assert bench.says("Progressing")[:2] == ("True", "ReplicaSetUpdated")
    bench.pause(3)
    assert bench.says("Progressing") == ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{bench.name(2)}" has timed out progressing.')
    assert bench.says("Available")[0] == "True"
    assert bench.sizes() == {"nginx:1": 3, "nginx:2": 2}
    assert bench.status["unavailableReplicas"] == 2
    before = bench.core.storage.revision
    bench.pause(3600)
    assert bench.core.storage.revision == before, "a stuck rollout writes no more"
    bench.change(template=template(1))
    bench.pause(10)
    assert bench.sizes() == {"nginx:1": 4, "nginx:2": 0}
    assert bench.says("Progressing") == ("True", "NewReplicaSetAvailable", f'ReplicaSet "{bench.name(1)}" has successfully progressed.')


def test_the_deadline_counts_from_the_last_progress(bench: Bench) -> None:
    bench.bad.add("nginx:2")
    bench.create(2, progressDeadlineSeconds=30, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    bench.pause(5)
    bench.change(template=template(2))
    bench.pause(25)
    pod = next(one for one in bench.core.storage.objects("pods") if one["spec"]["containers"][0]["image"] == "nginx:2")
    bench.kubelet.set_ready(("default", pod["metadata"]["name"]), pod["metadata"]["uid"], True)
    bench.pause(25)
    assert bench.says("Progressing")[:2] == ("True", "ReplicaSetUpdated")
    bench.pause(8)
    assert bench.says("Progressing")[:2] == ("False", "ProgressDeadlineExceeded")


def test_losing_pods_after_a_rollout_is_not_a_failed_rollout(bench: Bench) -> None:
    bench.create(2, progressDeadlineSeconds=10)
    bench.pause(5)
    for pod in bench.core.storage.objects("pods", "default"):
        bench.kubelet.set_ready(("default", pod["metadata"]["name"]), pod["metadata"]["uid"], False)
    bench.pause(60)
    assert bench.says("Progressing")[:2] == ("True", "NewReplicaSetAvailable")
    assert bench.says("Available")[:2] == ("False", "MinimumReplicasUnavailable")
    assert bench.status["unavailableReplicas"] == 2
    assert "readyReplicas" not in bench.status


def test_without_a_deadline_there_is_no_progressing(bench: Bench) -> None:
    bench.create(progressDeadlineSeconds=2**31 - 1)
    bench.pause(5)
    assert condition(bench.web, "Progressing") is None
    bench.change(progressDeadlineSeconds=600)
    bench.pause(0)
    assert bench.says("Progressing")[1] == "NewReplicaSetAvailable"


def test_paused_changes_wait_and_scaling_does_not(bench: Bench) -> None:
    bench.create()
    bench.pause(5)
    bench.change(paused=True)
    bench.pause(0)
    assert bench.says("Progressing") == ("Unknown", "DeploymentPaused", "Deployment is paused")
    bench.change(template=template(2))
    bench.pause(5)
    assert bench.sizes() == {"nginx:1": 3}
    assert "updatedReplicas" not in bench.status
    assert bench.status["observedGeneration"] == 3
    bench.change(replicas=5)
    bench.pause(5)
    assert bench.sizes() == {"nginx:1": 5}
    assert annotations_of(bench.set_of(1))["deployment.kubernetes.io/desired-replicas"] == "5"
    bench.change(paused=None)
    bench.pause(0)
    assert bench.says("Progressing")[:2] == ("True", "ReplicaSetUpdated")
    bench.pause(30)
    assert bench.sizes() == {"nginx:1": 0, "nginx:2": 5}
    assert bench.says("Progressing")[1] == "NewReplicaSetAvailable"


def test_a_pause_in_the_middle_does_not_count_as_standstill(bench: Bench) -> None:
    bench.bad.add("nginx:2")
    bench.create(progressDeadlineSeconds=30)
    bench.pause(5)
    bench.change(template=template(2))
    bench.pause(20)
    bench.change(paused=True)
    bench.pause(3600)
    assert bench.says("Progressing")[:2] == ("Unknown", "DeploymentPaused")
    bench.change(paused=False)
    bench.pause(0)
    assert bench.says("Progressing") == ("Unknown", "DeploymentResumed", "Deployment is resumed")
    bench.pause(29)
    assert bench.says("Progressing")[1] == "DeploymentResumed"
    bench.pause(3)
    assert bench.says("Progressing")[:2] == ("False", "ProgressDeadlineExceeded")


def test_a_failed_rollout_stays_failed_when_paused(bench: Bench) -> None:
    bench.bad.add("nginx:2")
    bench.create(progressDeadlineSeconds=10)
    bench.pause(5)
    bench.change(template=template(2))
    bench.pause(20)
    bench.change(paused=True)
    bench.pause(5)
    assert bench.says("Progressing")[1] == "ProgressDeadlineExceeded"


def test_a_pause_without_a_deadline_or_on_the_way_out_is_not_told(bench: Bench) -> None:
    bench.create(progressDeadlineSeconds=2**31 - 1)
    bench.pause(5)
    bench.change(paused=True)
    bench.pause(5)
    assert condition(bench.web, "Progressing") is None
    bench.change(paused=False, progressDeadlineSeconds=600)
    bench.pause(5)
    bench.client.delete("deployments.apps", "default", "web", propagation="Foreground")
    bench.change(paused=True)
    bench.pause(5)
    assert bench.says("Progressing")[1] == "NewReplicaSetAvailable"


def test_scaling_in_the_middle_of_a_rollout_is_shared(bench: Bench) -> None:
    bench.bad.add("nginx:2")
    bench.create(10, strategy={"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}})
    bench.pause(5)
    bench.change(template=template(2))
    bench.pause(5)
    assert bench.sizes() == {"nginx:1": 8, "nginx:2": 5}
    bench.change(replicas=15)
    bench.pause(5)
    assert bench.sizes() == {"nginx:1": 11, "nginx:2": 7}, "the example of the documentation"


def test_recreate_stops_all_old_pods_first(bench: Bench) -> None:
    bench.kubelet.gone = lambda _: 10.0
    bench.create(2, strategy={"type": "Recreate"})
    bench.pause(5)
    bench.change(template=template(2))
    bench.pause(9)
    assert bench.sizes() == {"nginx:1": 0}
    assert bench.status == {"observedGeneration": 2, "terminatingReplicas": 2}
    assert bench.says("Available")[0] == "False"
    bench.pause(2)
    assert bench.sizes() == {"nginx:1": 0, "nginx:2": 2}
    bench.pause(5)
    assert bench.status["availableReplicas"] == 2
    assert bench.says("Progressing")[1] == "NewReplicaSetAvailable"


def test_old_revisions_are_kept_up_to_the_limit(bench: Bench) -> None:
    bench.create(1, revisionHistoryLimit=2)
    for version in range(1, 6):
        bench.change(template=template(version))
        bench.pause(20)
    assert bench.sizes() == {"nginx:3": 0, "nginx:4": 0, "nginx:5": 1}
    bench.change(revisionHistoryLimit=0)
    bench.pause(5)
    assert bench.sizes() == {"nginx:5": 1}
    assert annotations_of(bench.set_of(5))[REVISION] == "5"


def test_the_lowest_revision_goes_first_not_the_oldest_set(bench: Bench) -> None:
    bench.create(1, revisionHistoryLimit=1)
    bench.pause(20)
    for version in (2, 1, 3):
        bench.change(template=template(version))
        bench.pause(20)
        bench.change(revisionHistoryLimit=1 if version == 3 else 10)
    bench.pause(20)
    assert bench.sizes() == {"nginx:1": 0, "nginx:3": 1}


def test_a_pause_cleans_up_what_is_empty_and_nothing_else(bench: Bench) -> None:
    bench.bad.add("nginx:3")
    bench.create(3)
    for version in (2, 3):
        bench.pause(20)
        bench.change(template=template(version))
    bench.pause(20)
    assert bench.sizes() == {"nginx:1": 0, "nginx:2": 3, "nginx:3": 1}
    bench.change(paused=True, revisionHistoryLimit=0)
    bench.pause(5)
    assert bench.sizes() == {"nginx:2": 3, "nginx:3": 1}


def test_refused_pods_are_a_replica_failure(bench: Bench) -> None:
    quota = {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": {"pods": "1"}}}
    bench.client.create("resourcequotas", quota)
    bench.create(3)
    bench.pause(5)
    value, reason, message = bench.says("ReplicaFailure")
    assert (value, reason) == ("True", "FailedCreate")
    assert message.startswith(f'pods "{bench.name(1)}-')
    assert "exceeded quota: q" in message
    bench.client.delete("resourcequotas", "default", "q")
    bench.pause(60)
    assert bench.status["availableReplicas"] == 3
    assert condition(bench.web, "ReplicaFailure") is None


def test_a_refused_replica_set_is_told(bench: Bench) -> None:
    quota = {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": {"count/replicasets.apps": "0"}}}
    bench.client.create("resourcequotas", quota)
    bench.create()
    bench.pause(1)
    value, reason, message = bench.says("Progressing")
    assert (value, reason) == ("False", "ReplicaSetCreateError")
    assert message.startswith('Failed to create new replica set "web-')
    event = next(one for one in bench.core.storage.objects("events") if one["reason"] == "ReplicaSetCreateError")
    assert (event["type"], event["message"]) == ("Warning", message)
    bench.client.delete("resourcequotas", "default", "q")
    bench.pause(120)
    assert bench.status["availableReplicas"] == 3


def test_a_name_that_is_taken_changes_the_hash(bench: Bench) -> None:
    bench.create()
    bench.pause(5)
    first = bench.name(1)
    bench.client.delete("deployments.apps", "default", "web", propagation="Orphan")
    bench.client.patch("deployments.apps", "default", "web", {"metadata": {"finalizers": None}})
    stray = clone(bench.set_of(1))
    stray["metadata"] = {"name": first, "namespace": "default", "labels": {"other": "x"}}
    stray["spec"] |= {"selector": {"matchLabels": {"other": "x"}}, "replicas": 0}
    stray["spec"]["template"]["metadata"]["labels"] = {"other": "x"}
    bench.client.delete("replicasets.apps", "default", first)
    bench.client.create("replicasets.apps", stray)
    bench.create()
    bench.pause(5)
    assert bench.web["status"]["collisionCount"] == 1
    owned = [one for one in bench.core.storage.objects("replicasets.apps") if controller_of(one)]
    assert len(owned) == 1
    assert owned[0]["metadata"]["name"] != first
    assert bench.status["availableReplicas"] == 3


def test_replica_sets_left_behind_are_adopted(bench: Bench) -> None:
    bench.create()
    bench.pause(5)
    bench.client.patch("replicasets.apps", "default", bench.name(1), {"metadata": {"ownerReferences": None}})
    bench.pause(1)
    assert (controller_of(bench.set_of(1)) or {})["name"] == "web"
    lone = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template(7)}
    bench.client.create("replicasets.apps", {"metadata": {"name": "lone", "namespace": "default", "labels": LABELS}, "spec": lone})
    bench.pause(5)
    assert (controller_of(bench.set_of(7)) or {})["name"] == "web"
    assert bench.sizes() == {"nginx:1": 3, "nginx:7": 0}, "adopted as an old one, and rolled away"
    bench.client.delete("replicasets.apps", "default", "lone")
    bench.client.patch("replicasets.apps", "default", bench.name(1), {"metadata": {"labels": {"app": "other"}}})
    bench.pause(5)
    sets = bench.core.storage.objects("replicasets.apps", "default")
    assert sorted(controller_of(one) is None for one in sets) == [False, True], "one let go, one made in its place"
    assert bench.web["status"]["collisionCount"] == 1


def test_minimum_ready_seconds_reach_pods_of_now(bench: Bench) -> None:
    bench.create(2)
    bench.pause(5)
    bench.change(minReadySeconds=30)
    bench.pause(0)
    assert bench.set_of(1)["spec"]["minReadySeconds"] == 30
    assert bench.status["readyReplicas"] == 2
    assert "availableReplicas" not in bench.status
    bench.pause(30)
    assert bench.status["availableReplicas"] == 2


def test_an_empty_selector_is_refused(bench: Bench) -> None:
    bench.create(0)
    bench.pause(1)
    web = clone(bench.web)
    web["spec"]["selector"] = {}
    stored = bench.core.storage.stored("deployments.apps", "default", "web")
    assert stored is not None
    web["metadata"]["generation"] = 2
    bench.core.storage.put("deployments.apps", web, stored.managed)
    bench.pause(1)
    assert bench.status["observedGeneration"] == 2
    event = next(one for one in bench.core.storage.objects("events") if one["reason"] == "SelectingAll")
    assert event["message"] == "This deployment is selecting all pods. A non-empty selector is required."


def test_a_deployment_on_its_way_out_is_only_looked_at(bench: Bench) -> None:
    bench.create(2)
    bench.pause(5)
    bench.client.delete("deployments.apps", "default", "web", propagation="Foreground")
    bench.change(replicas=5)
    bench.pause(5)
    assert is_deleting(bench.web)
    assert bench.sizes() == {"nginx:1": 2}
    assert bench.status["observedGeneration"] == bench.web["metadata"]["generation"]


def test_nothing_is_said_when_the_namespace_goes(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "kubepane_embedded.workqueue")
    bench.client.create("namespaces", {"metadata": {"name": "going"}})
    wanted = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": template(1)}
    bench.client.create("deployments.apps", {"metadata": {"name": "web", "namespace": "going"}, "spec": wanted})
    bench.client.delete("namespaces", "", "going")
    bench.pause(5)
    assert not bench.core.storage.objects("events", "going")
    assert not bench.core.storage.objects("replicasets.apps", "going")
    assert not caplog.records, "not tried again"


def test_an_idle_cluster_writes_nothing(bench: Bench) -> None:
    bench.create(5)
    bench.pause(60)
    before = bench.core.storage.revision
    bench.pause(7200)
    assert bench.core.storage.revision == before
