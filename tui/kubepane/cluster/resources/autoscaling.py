"""HorizontalPodAutoscalers of autoscaling/v2."""

from __future__ import annotations

from kubepane.cluster.resources.meta import Condition, Object, Ref, Struct, Time


class MetricValue(Struct, frozen=True):
    """MetricTarget in a spec, MetricValueStatus in a status."""

    type: str = ""
    value: str | None = None
    average_value: str | None = None
    average_utilization: int | None = None


class MetricIdentifier(Struct, frozen=True):
    name: str = ""


class MetricSource(Struct, frozen=True):
    """Resource, ContainerResource, Pods, Object or External, as target (spec) or current (status)."""

    name: str = ""
    container: str = ""
    metric: MetricIdentifier = MetricIdentifier()
    described_object: Ref | None = None
    target: MetricValue = MetricValue()
    current: MetricValue = MetricValue()


class Metric(Struct, frozen=True):
    type: str = ""
    resource: MetricSource | None = None
    container_resource: MetricSource | None = None
    pods: MetricSource | None = None
    object: MetricSource | None = None
    external: MetricSource | None = None


class ScalingPolicy(Struct, frozen=True):
    type: str = ""
    value: int = 0
    period_seconds: int = 0


class ScalingRules(Struct, frozen=True):
    stabilization_window_seconds: int | None = None
    select_policy: str | None = None
    policies: tuple[ScalingPolicy, ...] | None = None
    tolerance: str | None = None


class Behavior(Struct, frozen=True):
    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None


class AutoscalerSpec(Struct, frozen=True):
    scale_target_ref: Ref = Ref()
    min_replicas: int | None = None
    max_replicas: int = 0
    metrics: tuple[Metric, ...] | None = None
    behavior: Behavior | None = None


class AutoscalerStatus(Struct, frozen=True):
    observed_generation: int | None = None
    last_scale_time: Time = None
    current_replicas: int = 0
    desired_replicas: int = 0
    current_metrics: tuple[Metric, ...] | None = None
    conditions: tuple[Condition, ...] | None = None


class Autoscaler(Object, frozen=True):
    """autoscaling/v2 HorizontalPodAutoscaler."""

    spec: AutoscalerSpec = AutoscalerSpec()
    status: AutoscalerStatus = AutoscalerStatus()
