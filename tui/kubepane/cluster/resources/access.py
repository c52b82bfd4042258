"""Roles, bindings, ServiceAccounts, and the names of configuration (never its values)."""

from __future__ import annotations

from kubepane.cluster.resources.meta import Object, Ref, Struct
from kubepane.cluster.resources.storage import PersistentVolumeStatus


class AccessRule(Struct, frozen=True):
    verbs: tuple[str, ...] | None = None
    api_groups: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    resource_names: tuple[str, ...] | None = None


class Role(Object, frozen=True):
    rules: tuple[AccessRule, ...] | None = None


class RoleBinding(Object, frozen=True):
    role_ref: Ref = Ref()
    subjects: tuple[Ref, ...] | None = None


class ServiceAccount(Object, frozen=True):
    automount_service_account_token: bool | None = None


class ConfigMap(Object, frozen=True):
    """A ConfigMap; its values are decoded as raw slices and only the keys are kept (see `kinds.decode`)."""

    keys: tuple[str, ...] = ()


class Secret(Object, frozen=True):
    """Only the metadata of a Secret: asked for as PartialObjectMetadata, so no value ever leaves the server for this list."""


class Namespace(Object, frozen=True):
    status: PersistentVolumeStatus = PersistentVolumeStatus()
