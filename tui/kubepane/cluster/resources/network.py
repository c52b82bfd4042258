"""Services, EndpointSlices, Ingresses and NetworkPolicies."""

from __future__ import annotations

import msgspec

from kubepane.cluster.resources.meta import Address, IntOrString, Labels, Object, Ref, Selector, Struct


class ServicePort(Struct, frozen=True):
    name: str = ""
    port: int = 0
    target_port: IntOrString = None
    protocol: str = "TCP"
    node_port: int = 0


class ClientIP(Struct, frozen=True):
    timeout_seconds: int | None = None


class SessionAffinityConfig(Struct, frozen=True):
    client_ip: ClientIP | None = msgspec.field(name="clientIP", default=None)


class ServiceSpec(Struct, frozen=True):
    type: str = ""
    cluster_ip: str = msgspec.field(name="clusterIP", default="")
    external_name: str = ""
    selector: Labels | None = None
    ports: tuple[ServicePort, ...] | None = None
    session_affinity: str = ""
    session_affinity_config: SessionAffinityConfig | None = None
    external_ips: tuple[str, ...] | None = msgspec.field(name="externalIPs", default=None)


class LoadBalancer(Struct, frozen=True):
    ingress: tuple[Address, ...] | None = None


class BalancerStatus(Struct, frozen=True):
    load_balancer: LoadBalancer = LoadBalancer()


class Service(Object, frozen=True):
    spec: ServiceSpec = ServiceSpec()
    status: BalancerStatus = BalancerStatus()


class EndpointConditions(Struct, frozen=True):
    """`None` counts as the default of discovery/v1: ready true, serving = ready, terminating false."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Struct, frozen=True):
    addresses: tuple[str, ...] | None = None
    conditions: EndpointConditions = EndpointConditions()
    target_ref: Ref | None = None
    node_name: str | None = None


class EndpointPort(Struct, frozen=True):
    name: str | None = None
    port: int | None = None
    protocol: str | None = None


class EndpointSlice(Object, frozen=True):
    address_type: str = ""
    endpoints: tuple[Endpoint, ...] | None = None
    ports: tuple[EndpointPort, ...] | None = None


class BackendPort(Struct, frozen=True):
    name: str = ""
    number: int = 0


class BackendService(Struct, frozen=True):
    name: str = ""
    port: BackendPort = BackendPort()


class Backend(Struct, frozen=True):
    service: BackendService | None = None
    resource: Ref | None = None


class HTTPPath(Struct, frozen=True):
    path: str = ""
    path_type: str | None = None
    backend: Backend = Backend()


class HTTPRule(Struct, frozen=True):
    paths: tuple[HTTPPath, ...] | None = None


class IngressRule(Struct, frozen=True):
    host: str = ""
    http: HTTPRule | None = None


class IngressTLS(Struct, frozen=True):
    hosts: tuple[str, ...] | None = None
    secret_name: str = ""


class IngressSpec(Struct, frozen=True):
    ingress_class_name: str | None = None
    default_backend: Backend | None = None
    rules: tuple[IngressRule, ...] | None = None
    tls: tuple[IngressTLS, ...] | None = None


class Ingress(Object, frozen=True):
    spec: IngressSpec = IngressSpec()
    status: BalancerStatus = BalancerStatus()


class IngressClassSpec(Struct, frozen=True):
    controller: str = ""


class IngressClass(Object, frozen=True):
    spec: IngressClassSpec = IngressClassSpec()


class IPBlock(Struct, frozen=True):
    cidr: str = ""
    except_: tuple[str, ...] | None = msgspec.field(name="except", default=None)


class PolicyPeer(Struct, frozen=True):
    pod_selector: Selector | None = None
    namespace_selector: Selector | None = None
    ip_block: IPBlock | None = None


class PolicyPort(Struct, frozen=True):
    protocol: str | None = None
    port: IntOrString = None
    end_port: int | None = None


class PolicyRule(Struct, frozen=True):
    """NetworkPolicyIngressRule (`from`) or NetworkPolicyEgressRule (`to`)."""

    from_: tuple[PolicyPeer, ...] | None = msgspec.field(name="from", default=None)
    to: tuple[PolicyPeer, ...] | None = None
    ports: tuple[PolicyPort, ...] | None = None


class NetworkPolicySpec(Struct, frozen=True):
    pod_selector: Selector = Selector()
    policy_types: tuple[str, ...] | None = None
    ingress: tuple[PolicyRule, ...] | None = None
    egress: tuple[PolicyRule, ...] | None = None


class NetworkPolicy(Object, frozen=True):
    spec: NetworkPolicySpec = NetworkPolicySpec()
