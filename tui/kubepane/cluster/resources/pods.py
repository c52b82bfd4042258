"""Pods, their containers, probes and statuses."""

from __future__ import annotations

import msgspec

from kubepane.cluster.resources.meta import Condition, IntOrString, Labels, Metadata, Object, Ref, Requirement, Resources, Selector, Struct, Time


class EnvSource(Struct, frozen=True):
    config_map_key_ref: Ref | None = None
    secret_key_ref: Ref | None = None


class EnvVar(Struct, frozen=True):
    """An environment variable; its literal value is never kept, it may be a secret."""

    name: str = ""
    value_from: EnvSource | None = None


class EnvFrom(Struct, frozen=True):
    config_map_ref: Ref | None = None
    secret_ref: Ref | None = None


class HTTPGet(Struct, frozen=True):
    path: str = ""
    port: IntOrString = None
    scheme: str = ""


class TCPSocket(Struct, frozen=True):
    port: IntOrString = None


class Exec(Struct, frozen=True):
    command: tuple[str, ...] | None = None


class GRPC(Struct, frozen=True):
    port: int = 0


class Probe(Struct, frozen=True):
    http_get: HTTPGet | None = None
    tcp_socket: TCPSocket | None = None
    exec: Exec | None = None
    grpc: GRPC | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    failure_threshold: int = 3
    success_threshold: int = 1


class VolumeMount(Struct, frozen=True):
    name: str = ""
    mount_path: str = ""


class ContainerPort(Struct, frozen=True):
    name: str = ""
    container_port: int = 0
    host_port: int = 0
    host_ip: str = msgspec.field(name="hostIP", default="")
    protocol: str = "TCP"


class Container(Struct, frozen=True):
    name: str = ""
    image: str = ""
    restart_policy: str = ""
    env: tuple[EnvVar, ...] | None = None
    env_from: tuple[EnvFrom, ...] | None = None
    resources: Resources = Resources()
    ports: tuple[ContainerPort, ...] | None = None
    startup_probe: Probe | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    volume_mounts: tuple[VolumeMount, ...] | None = None


class VolumeSource(Ref, frozen=True):
    """A ConfigMap or Secret as files: all its keys, or those in `items`."""

    items: tuple[Ref, ...] | None = None


class Projection(Struct, frozen=True):
    config_map: VolumeSource | None = None
    secret: VolumeSource | None = None


class Projected(Struct, frozen=True):
    sources: tuple[Projection, ...] | None = None


class EmptyDir(Struct, frozen=True):
    """Its data goes with the pod; nothing else is read of it."""


class Volume(Struct, frozen=True):
    name: str = ""
    empty_dir: EmptyDir | None = None
    persistent_volume_claim: Ref | None = None
    ephemeral: Ref | None = None  # a claim of its own, named pod-volume
    config_map: VolumeSource | None = None
    secret: VolumeSource | None = None
    projected: Projected | None = None


class Toleration(Struct, frozen=True):
    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class NodeSelectorTerm(Struct, frozen=True):
    match_expressions: tuple[Requirement, ...] | None = None
    match_fields: tuple[Requirement, ...] | None = None


class NodeSelector(Struct, frozen=True):
    node_selector_terms: tuple[NodeSelectorTerm, ...] | None = None


class NodeAffinity(Struct, frozen=True):
    required: NodeSelector | None = msgspec.field(name="requiredDuringSchedulingIgnoredDuringExecution", default=None)


class PodAffinityTerm(Struct, frozen=True):
    label_selector: Selector | None = None
    topology_key: str = ""
    namespaces: tuple[str, ...] | None = None
    namespace_selector: Selector | None = None


class PodAffinity(Struct, frozen=True):
    required: tuple[PodAffinityTerm, ...] | None = msgspec.field(name="requiredDuringSchedulingIgnoredDuringExecution", default=None)


class Affinity(Struct, frozen=True):
    node_affinity: NodeAffinity | None = None
    pod_affinity: PodAffinity | None = None
    pod_anti_affinity: PodAffinity | None = None


class ReadinessGate(Struct, frozen=True):
    condition_type: str = ""


class PodSpec(Struct, frozen=True):
    node_name: str = ""
    containers: tuple[Container, ...] | None = None
    init_containers: tuple[Container, ...] | None = None
    volumes: tuple[Volume, ...] | None = None
    tolerations: tuple[Toleration, ...] | None = None
    node_selector: Labels | None = None
    affinity: Affinity | None = None
    service_account_name: str = ""
    restart_policy: str = ""
    scheduler_name: str = ""
    priority_class_name: str = ""
    scheduling_gates: tuple[Ref, ...] | None = None
    readiness_gates: tuple[ReadinessGate, ...] | None = None
    host_network: bool | None = None
    resources: Resources | None = None
    overhead: Labels | None = None


class Waiting(Struct, frozen=True):
    reason: str = ""
    message: str = ""


class Running(Struct, frozen=True):
    started_at: Time = None


class Terminated(Struct, frozen=True):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: Time = None
    finished_at: Time = None


class ContainerState(Struct, frozen=True):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Struct, frozen=True):
    name: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodIP(Struct, frozen=True):
    ip: str = ""


class PodStatus(Struct, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    pod_ips: tuple[PodIP, ...] | None = msgspec.field(name="podIPs", default=None)
    nominated_node_name: str = ""
    qos_class: str = ""
    start_time: Time = None
    conditions: tuple[Condition, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(Object, frozen=True):
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplate(Struct, frozen=True):
    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()
