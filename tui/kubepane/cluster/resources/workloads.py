"""Deployments, ReplicaSets, StatefulSets, DaemonSets, Jobs and CronJobs."""

from __future__ import annotations

from kubepane.cluster.resources.meta import Condition, IntOrString, Object, Ref, Selector, Struct, Time
from kubepane.cluster.resources.pods import PodTemplate


class RollingUpdate(Struct, frozen=True):
    max_surge: IntOrString = None
    max_unavailable: IntOrString = None
    partition: int | None = None


class Strategy(Struct, frozen=True):
    type: str = ""
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(Struct, frozen=True):
    replicas: int | None = 1
    selector: Selector | None = None
    template: PodTemplate = PodTemplate()
    strategy: Strategy = Strategy()
    min_ready_seconds: int = 0
    progress_deadline_seconds: int | None = None
    paused: bool | None = None


class DeploymentCondition(Condition, frozen=True):
    """A Deployment's condition; `last_update_time` of Progressing is what its deadline counts from."""

    last_update_time: Time = None


class DeploymentStatus(Struct, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    unavailable_replicas: int = 0
    terminating_replicas: int | None = None
    conditions: tuple[DeploymentCondition, ...] | None = None


class Deployment(Object, frozen=True):
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class ReplicaSetSpec(Struct, frozen=True):
    replicas: int | None = 1
    selector: Selector | None = None
    template: PodTemplate = PodTemplate()


class ReplicaSetStatus(Struct, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] | None = None


class ReplicaSet(Object, frozen=True):
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


class StatefulSetSpec(Struct, frozen=True):
    replicas: int | None = 1
    selector: Selector | None = None
    template: PodTemplate = PodTemplate()
    update_strategy: Strategy = Strategy()
    service_name: str = ""
    min_ready_seconds: int = 0


class StatefulSetStatus(Struct, frozen=True):
    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    current_replicas: int = 0
    updated_replicas: int = 0
    available_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    conditions: tuple[Condition, ...] | None = None


class StatefulSet(Object, frozen=True):
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class DaemonSetSpec(Struct, frozen=True):
    selector: Selector | None = None
    template: PodTemplate = PodTemplate()
    update_strategy: Strategy = Strategy()


class DaemonSetStatus(Struct, frozen=True):
    observed_generation: int = 0
    desired_number_scheduled: int = 0
    current_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_ready: int = 0
    number_available: int = 0
    number_unavailable: int = 0
    number_misscheduled: int = 0
    conditions: tuple[Condition, ...] | None = None


class DaemonSet(Object, frozen=True):
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class JobSpec(Struct, frozen=True):
    completions: int | None = None
    parallelism: int | None = None
    backoff_limit: int | None = None
    active_deadline_seconds: int | None = None
    suspend: bool | None = None
    completion_mode: str = ""
    selector: Selector | None = None
    template: PodTemplate = PodTemplate()


class JobStatus(Struct, frozen=True):
    active: int = 0
    ready: int | None = None
    succeeded: int = 0
    failed: int = 0
    start_time: Time = None
    completion_time: Time = None
    conditions: tuple[Condition, ...] | None = None


class Job(Object, frozen=True):
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobTemplate(Struct, frozen=True):
    spec: JobSpec = JobSpec()


class CronJobSpec(Struct, frozen=True):
    schedule: str = ""
    time_zone: str | None = None
    suspend: bool | None = None
    concurrency_policy: str = ""
    job_template: JobTemplate = JobTemplate()


class CronJobStatus(Struct, frozen=True):
    active: tuple[Ref, ...] | None = None
    last_schedule_time: Time = None
    last_successful_time: Time = None


class CronJob(Object, frozen=True):
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()
