"""What every object has: metadata, owners, conditions, selectors and references by name."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Struct(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """Base of all shapes: camelCase on the wire, immutable, left alone by the garbage collector (they hold no cycles)."""


Time = datetime | None
Labels = dict[str, str]
IntOrString = int | str | None


class OwnerReference(Struct, frozen=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None


class Annotations(Struct, frozen=True, rename=None):
    """The annotations that a rule reads; all others (often large) are dropped while decoding."""

    revision: str = msgspec.field(name="deployment.kubernetes.io/revision", default="")
    default_container: str = msgspec.field(name="kubectl.kubernetes.io/default-container", default="")
    change_cause: str = msgspec.field(name="kubernetes.io/change-cause", default="")
    desired_replicas: str = msgspec.field(name="deployment.kubernetes.io/desired-replicas", default="")
    template_generation: str = msgspec.field(name="deprecated.daemonset.template.generation", default="")
    mirror: str = msgspec.field(name="kubernetes.io/config.mirror", default="")
    ingress_class: str = msgspec.field(name="kubernetes.io/ingress.class", default="")
    default_class: str = msgspec.field(name="storageclass.kubernetes.io/is-default-class", default="")
    default_ingress_class: str = msgspec.field(name="ingressclass.kubernetes.io/is-default-class", default="")
    beta_class: str = msgspec.field(name="volume.beta.kubernetes.io/storage-class", default="")
    selected_node: str = msgspec.field(name="volume.kubernetes.io/selected-node", default="")
    provisioner: str = msgspec.field(name="volume.kubernetes.io/storage-provisioner", default="")
    nginx_affinity: str = msgspec.field(name="nginx.ingress.kubernetes.io/affinity", default="")
    nginx_affinity_mode: str = msgspec.field(name="nginx.ingress.kubernetes.io/affinity-mode", default="")
    nginx_cookie: str = msgspec.field(name="nginx.ingress.kubernetes.io/session-cookie-name", default="")
    traefik_sticky: str = msgspec.field(name="traefik.ingress.kubernetes.io/service.sticky.cookie", default="")
    traefik_cookie: str = msgspec.field(name="traefik.ingress.kubernetes.io/service.sticky.cookie.name", default="")
    haproxy_cookie: str = msgspec.field(name="haproxy.org/cookie-persistence", default="")
    haproxy_ingress_affinity: str = msgspec.field(name="haproxy-ingress.github.io/affinity", default="")
    nginx_hash: str = msgspec.field(name="nginx.ingress.kubernetes.io/upstream-hash-by", default="")
    nginx_sticky_services: str = msgspec.field(name="nginx.com/sticky-cookie-services", default="")
    alb_attributes: str = msgspec.field(name="alb.ingress.kubernetes.io/target-group-attributes", default="")


NO_ANNOTATIONS = Annotations()


class Metadata(Struct, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time = None
    deletion_timestamp: Time = None
    deletion_grace_period_seconds: int | None = None
    labels: Labels | None = None
    annotations: Annotations | None = None
    owner_references: tuple[OwnerReference, ...] | None = None
    finalizers: tuple[str, ...] | None = None


class Object(Struct, frozen=True):
    """What every stored object has. `kind` and `apiVersion` are not kept: the store knows them."""

    metadata: Metadata = Metadata()


class Condition(Struct, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: Time = None


class Requirement(Struct, frozen=True):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class Selector(Struct, frozen=True):
    """LabelSelector."""

    match_labels: Labels | None = None
    match_expressions: tuple[Requirement, ...] | None = None


class Ref(Struct, frozen=True):
    """A reference by name: LocalObjectReference, key selectors, claim and role references."""

    name: str = ""
    key: str = ""
    optional: bool | None = None
    kind: str = ""
    namespace: str = ""
    uid: str = ""
    api_group: str = ""
    claim_name: str = ""
    secret_name: str = ""
    api_version: str = ""
    field_path: str = ""


class Resources(Struct, frozen=True):
    requests: Labels | None = None
    limits: Labels | None = None


class Address(Struct, frozen=True):
    type: str = ""
    address: str = ""
    ip: str = ""
    hostname: str = ""
