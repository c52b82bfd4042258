"""Who asks, and with which options: the arguments that every verb of the API shares."""

from __future__ import annotations

from dataclasses import dataclass, field

MASTERS = "system:masters"


@dataclass(frozen=True, slots=True)
class User:
    """An authenticated caller. Members of `system:masters` pass every check of rights."""

    name: str
    groups: tuple[str, ...] = ("system:authenticated",)
    uid: str = ""

    @property
    def is_master(self) -> bool:
        """Whether rights are not checked at all."""
        return MASTERS in self.groups


ADMIN = User("kubernetes-admin", (MASTERS, "system:authenticated"))
"""The owner of the kubeconfig."""
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


def component(name: str) -> User:
    """A part of the control plane (`system:kube-scheduler` …): full rights, its own name in messages."""
    return User(name, (MASTERS, "system:authenticated"))


def service_account(namespace: str, name: str, uid: str = "") -> User:
    """A ServiceAccount as a user."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    return User(f"system:serviceaccount:{namespace}:{name}", groups, uid)


@dataclass(slots=True)
class WriteOptions:
    """Options of create, update and patch; `warnings` is filled on the way and becomes Warning headers."""

    manager: str = "unknown"
    dry_run: bool = False
    validation: str = "Warn"
    force: bool = False
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class DeleteOptions:
    """Options of delete. `grace` in seconds; `propagation` Background, Foreground or Orphan, None for the kind's default."""

    grace: int | None = None
    propagation: str | None = None
    uid: str | None = None
    revision: str | None = None
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)
