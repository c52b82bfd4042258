"""What a pod asks of its node: every resource, and the host's ports.

Source: PodRequests of k8s.io/component-helpers/resource/helpers.go, and what the scheduler's NodeResourcesFit and NodePorts
plugins compare it with (pkg/scheduler/framework). A resize that is under way is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubepane.cluster import resources as r
from kubepane.insight import quantities

Amounts = Mapping[str, int]
"""By resource name: `cpu` in thousandths of a core, all others in their own unit; none that is 0."""

Port = tuple[str, str, int]
"""Host address ("" for all), protocol, number."""

_NONE: Amounts = {}
_asked: dict[tuple[int, int], tuple[object, object, Amounts]] = {}
_ASKED_MAX = 5_000


def number(resource: str, quantity: str) -> int:
    """A quantity of a resource in the unit of `Amounts`."""
    return quantities.millicores(quantity) if resource == "cpu" else quantities.size(quantity)


def amounts(quantities_: Mapping[str, str] | None) -> dict[str, int]:
    """A ResourceList in numbers."""
    return {name: n for name, text in (quantities_ or {}).items() if (n := number(name, text))}


def asked(pod: r.Pod) -> Amounts:
    """What the scheduler reserves for a pod.

    Containers and sidecars together, or the largest step of the init containers where that is more; what the pod as a whole
    requests stands instead of that; its overhead is added. Pods of one template share their containers: mostly a look-up.
    """
    spec = pod.spec
    key = (id(spec.containers), id(spec.init_containers))
    held = _asked.get(key)
    if held is None:
        if len(_asked) >= _ASKED_MAX:
            _asked.clear()
        held = _asked[key] = (spec.containers, spec.init_containers, _of_containers(spec))  # holds on to what the ids stand for
    if spec.resources is None and not spec.overhead:
        return held[2]
    return _plus({**held[2], **amounts(spec.resources.requests if spec.resources else None)}, amounts(spec.overhead))


def _of_containers(spec: r.PodSpec) -> Amounts:
    total: dict[str, int] = {}
    for container in spec.containers or ():
        total = _plus(total, amounts(container.resources.requests))
    sidecars: dict[str, int] = {}
    most: dict[str, int] = {}
    for container in spec.init_containers or ():
        own = _plus(sidecars, amounts(container.resources.requests))
        most = _most(most, own)
        if container.restart_policy == "Always":
            sidecars = own
    return _most(_plus(total, sidecars), most) or _NONE


def _plus(a: Amounts, b: Amounts) -> dict[str, int]:
    return {name: a.get(name, 0) + b.get(name, 0) for name in (*a, *(n for n in b if n not in a))}


def _most(a: Amounts, b: Amounts) -> dict[str, int]:
    return {name: max(a.get(name, 0), b.get(name, 0)) for name in (*a, *(n for n in b if n not in a))}


def text(resource: str, amount: int) -> str:
    """An amount as people write it: `500m`, `4`, `256Mi`, `2`."""
    if resource == "cpu":
        return f"{amount}m" if amount % 1000 else str(amount // 1000)
    if resource == "memory" or resource == "ephemeral-storage" or resource.startswith("hugepages-"):
        for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
            if amount >= factor and amount % factor == 0:
                return f"{amount // factor}{unit}"
        return f"{amount >> 20}Mi" if amount >= 1 << 20 else str(amount)
    return str(amount)


def host_ports(spec: r.PodSpec) -> tuple[Port, ...]:
    """The ports that a pod takes on its node; those of its sidecars too."""
    containers = (*(spec.containers or ()), *(c for c in spec.init_containers or () if c.restart_policy == "Always"))
    return tuple((_any(p.host_ip), p.protocol, p.host_port) for c in containers for p in c.ports or () if p.host_port)


def _any(address: str) -> str:
    return "" if address in ("0.0.0.0", "::") else address  # noqa: S104  # compared, never bound


def clash(wanted: Port, taken: Port) -> bool:
    """Whether two pods cannot have these ports on one node; an address of its own clashes with all addresses."""
    return wanted[1:] == taken[1:] and (wanted[0] == taken[0] or not wanted[0] or not taken[0])
