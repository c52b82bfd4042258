"""Which keys of ConfigMaps and Secrets are injected where, and which of them are missing. Names only, never a value.

Source: k8s.io/api core/v1 (EnvFromSource, EnvVarSource, KeyToPath), the kubelet's messages (pkg/kubelet/kubelet_pods.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.unseen import names, unseen

CONFIG_MAP, SECRET = "ConfigMap", "Secret"
_EVERY_POD = "kube-root-ca.crt"  # the cluster's own, in every pod: says nothing
_NO_KEY = re.compile(r"couldn't find key (\S+) in (ConfigMap|Secret) ([^/\s]+)/(\S+)")
_NO_OBJECT = re.compile(r'(configmap|secret)s? "([^"]+)" not found')


class Source(msgspec.Struct, frozen=True, gc=False):
    """A ConfigMap or Secret by name."""

    kind: str
    namespace: str
    name: str


class Use(msgspec.Struct, frozen=True, gc=False):
    """One injection.

    Attributes:
        source: what is injected.
        keys: which keys; none means all of them.
        how: `env`, `envFrom` or `volume`.
        where: the container's name, or the volume's.
        optional: the pod starts without it.
    """

    source: Source
    keys: tuple[str, ...]
    how: str
    where: str
    optional: bool


class Complaint(msgspec.Struct, frozen=True, gc=False):
    """What a kubelet says is missing: a key, or with key "" the whole object."""

    source: Source
    key: str


class Injection(msgspec.Struct, frozen=True, gc=False):
    """One ConfigMap or Secret with all that is taken from it.

    Attributes:
        source: its name.
        held: the object; None where it is not there or not held.
        keys: the keys that are injected, as far as they are known by name.
        whole: all keys are injected somewhere.
        users: the workloads that take them, by name.
        missing: keys that are asked for and not there.
        finding: how it is and why.
    """

    source: Source
    held: r.Object | None
    keys: tuple[str, ...]
    whole: bool
    users: tuple[str, ...]
    missing: tuple[str, ...]
    finding: Finding


def uses(namespace: str, spec: r.PodSpec) -> list[Use]:
    """All ConfigMaps and Secrets that a pod of this spec takes keys from."""
    found = [use for c in (*(spec.init_containers or ()), *(spec.containers or ())) for use in _container(namespace, c)]
    return found + [use for volume in spec.volumes or () for use in _volume(namespace, volume)]


def _container(namespace: str, container: r.Container) -> Iterator[Use]:
    for env in container.env or ():
        if env.value_from is None:
            continue
        for kind, ref in ((CONFIG_MAP, env.value_from.config_map_key_ref), (SECRET, env.value_from.secret_key_ref)):
            if ref:
                yield Use(Source(kind, namespace, ref.name), (ref.key,), "env", container.name, bool(ref.optional))
    for part in container.env_from or ():
        for kind, ref in ((CONFIG_MAP, part.config_map_ref), (SECRET, part.secret_ref)):
            if ref:
                yield Use(Source(kind, namespace, ref.name), (), "envFrom", container.name, bool(ref.optional))


def _volume(namespace: str, volume: r.Volume) -> Iterator[Use]:
    given = [(CONFIG_MAP, volume.config_map), (SECRET, volume.secret)]
    if volume.projected:
        given += [pair for p in volume.projected.sources or () for pair in ((CONFIG_MAP, p.config_map), (SECRET, p.secret))]
    for kind, ref in given:
        name = (ref.secret_name or ref.name) if ref else ""
        if ref and name != _EVERY_POD:
            keys = tuple(item.key for item in ref.items or ())
            yield Use(Source(kind, namespace, name), keys, "volume", volume.name, bool(ref.optional))


def complaints(pod: r.Pod) -> list[Complaint]:
    """What the kubelet misses, as the pod's container statuses say; the only way to know a Secret's missing key."""
    status, found = pod.status, []
    for container in (*(status.init_container_statuses or ()), *(status.container_statuses or ())):
        waiting = container.state.waiting
        if waiting is not None and waiting.reason == "CreateContainerConfigError":
            found += parse(pod.metadata.namespace, waiting.message)
    return found


def parse(namespace: str, message: str) -> list[Complaint]:
    """The complaint in a kubelet's message; nothing when it is about something else."""
    if match := _NO_KEY.search(message):
        key, kind, _, name = match.groups()
        return [Complaint(Source(kind, namespace, name), key)]
    if match := _NO_OBJECT.search(message):
        return [Complaint(Source(CONFIG_MAP if match[1] == "configmap" else SECRET, namespace, match[2]), "")]
    return []


def injection(stores: Stores, source: Source, users: Iterable[tuple[str, Use]], told: Iterable[tuple[str, Complaint]] = ()) -> Injection:
    """Puts together what is taken from one ConfigMap or Secret.

    Args:
        stores: what is known of the cluster.
        source: the ConfigMap or Secret.
        users: (workload, use) of all that take from it.
        told: (pod, complaint) of the kubelets about it.
    """
    given, told = list(users), list(told)
    store = stores.configmaps if source.kind == CONFIG_MAP else stores.secrets
    held: r.Object | None = store.named(source.namespace, source.name)
    there = held.keys if isinstance(held, r.ConfigMap) else ()
    whole = any(not use.keys for _, use in given)
    asked = dict.fromkeys(key for _, use in given for key in use.keys)
    keys = tuple(dict.fromkeys((*asked, *(there if whole else ()))))
    missing = _missing(held, given, told)
    finding = _verdict(stores, source, held, given, told, missing)
    return Injection(source, held, keys, whole, tuple(sorted({who for who, _ in given})), missing, finding)


def _missing(held: r.Object | None, given: list[tuple[str, Use]], told: list[tuple[str, Complaint]]) -> tuple[str, ...]:
    """Keys that are needed and not there: by what the ConfigMap has, for a Secret only as far as a kubelet says."""
    if isinstance(held, r.ConfigMap):
        there = set(held.keys)
        return tuple(dict.fromkeys(k for _, use in given if not use.optional for k in use.keys if k not in there))
    return tuple(dict.fromkeys(c.key for _, c in told if c.key)) if held is not None else ()


def _verdict(
    stores: Stores, source: Source, held: r.Object | None, given: list[tuple[str, Use]], told: list[tuple[str, Complaint]], missing: tuple[str, ...]
) -> Finding:
    here = f"{source.kind.lower()}/{source.name}"
    by = tuple(_evidence(who, use) for who, use in given[:3])
    says = tuple(Evidence(f"pod/{pod}", "status.containerStatuses[].state.waiting", f"misses {c.key or c.source.name}") for pod, c in told[:1])
    store = stores.configmaps if source.kind == CONFIG_MAP else stores.secrets
    if held is None:
        doubt = unseen(store)
        if doubt and not any(not c.key for _, c in told):
            return Finding(Level.OFF, f"could not look: {doubt}", by)
        if given and all(use.optional for _, use in given):
            return Finding(Level.OK, "not there, and optional", by)
        return Finding(
            Level.BAD, f"no {source.kind} {source.name}", (*says, *by), f"create {source.kind} {source.name} in namespace {source.namespace}"
        )
    if missing:
        have = (Evidence(here, "data", names(sorted(held.keys))),) if isinstance(held, r.ConfigMap) else ()
        word = "key" if len(missing) == 1 else "keys"
        return Finding(
            Level.BAD, f"{word} {', '.join(missing)} missing", (*says, *have, *by), f"add {word} {', '.join(missing)} to {source.kind} {source.name}"
        )
    return Finding(Level.OK, "all keys are there" if source.kind == CONFIG_MAP else "it is there", by)


def _evidence(who: str, use: Use) -> Evidence:
    field = {"env": f"containers[{use.where}].env[].valueFrom", "envFrom": f"containers[{use.where}].envFrom"}.get(use.how, f"volumes[{use.where}]")
    return Evidence(who, f"spec.{field}", ", ".join(use.keys) or "all keys")
