"""How much a pod asks of a node: containers, init containers, sidecars, pod-level requests and overhead.

Follows component-helpers/resource/helpers.go. Amounts are whole numbers: millicores of `cpu`, units of everything else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from kubepane_embedded.meta import Object
from kubepane_embedded.podfacts import condition
from kubepane_embedded.quantity import parse

Amounts = dict[str, int]
MISSING: Amounts = {"cpu": 100, "memory": 200 * 1024 * 1024}
"""What a container without requests counts for when nodes are scored (pkg/scheduler/util/pod_resources.go)."""
POD_LEVEL = ("cpu", "memory")


@lru_cache(maxsize=4096)
def amount(name: str, quantity: str) -> int:
    """A quantity as a whole number, rounded up; 0 when it is none."""
    try:
        value = parse(quantity)
    except ValueError:
        return 0
    return math.ceil(value * 1000 if name == "cpu" else value)


def amounts(quantities: dict[str, Any] | None) -> Amounts:
    """A resource list as whole numbers."""
    return {name: amount(name, str(quantity)) for name, quantity in (quantities or {}).items()}


def add(total: Amounts, more: Amounts) -> None:
    """Add in place."""
    for name, number in more.items():
        total[name] = total.get(name, 0) + number


def subtract(total: Amounts, less: Amounts) -> None:
    """Take away in place; what comes to nothing is dropped."""
    for name, number in less.items():
        rest = total.get(name, 0) - number
        if rest:
            total[name] = rest
        else:
            total.pop(name, None)


def largest(total: Amounts, other: Amounts) -> None:
    """Raise in place to the larger of both."""
    for name, number in other.items():
        total[name] = max(total.get(name, 0), number)


def requests_of(pod: Object, missing: Amounts | None = None) -> Amounts:
    """What a pod asks for.

    Args:
        pod: The pod; while a resize is under way the larger of wanted, allocated and actual requests counts.
        missing: What a container without a request counts for.
    """
    spec = pod.get("spec") or {}
    total = _of_containers(pod, spec, missing or {})
    level = amounts((spec.get("resources") or {}).get("requests"))
    total |= {name: number for name, number in level.items() if name in POD_LEVEL or name.startswith("hugepages-")}
    add(total, amounts(spec.get("overhead")))
    return total


def _of_containers(pod: Object, spec: dict[str, Any], missing: Amounts) -> Amounts:
    """Sum of the containers and sidecars, or the most that any init container needs together with the sidecars before it."""
    statuses = _statuses(pod)
    total: Amounts = {}
    for container in spec.get("containers") or []:
        add(total, _effective(pod, container, statuses, missing))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            own = _effective(pod, container, statuses, missing)
            add(total, own)
            add(sidecars, own)
            largest(peak, sidecars)
        else:
            own = missing | amounts((container.get("resources") or {}).get("requests"))
            add(own, sidecars)
            largest(peak, own)
    largest(total, peak)
    return total


def _statuses(pod: Object) -> dict[str, dict[str, Any]]:
    status = pod.get("status") or {}
    found: Iterable[dict[str, Any]] = [*(status.get("containerStatuses") or []), *(status.get("initContainerStatuses") or [])]
    return {one.get("name", ""): one for one in found if one.get("resources")}


def _effective(pod: Object, container: dict[str, Any], statuses: dict[str, dict[str, Any]], missing: Amounts) -> Amounts:
    wanted = amounts((container.get("resources") or {}).get("requests"))
    state = statuses.get(container.get("name", ""))
    if state is None:
        return missing | wanted
    resize = condition(pod, "PodResizePending")
    result: Amounts = {} if resize is not None and resize.get("reason") == "Infeasible" else dict(wanted)
    largest(result, amounts(state["resources"].get("requests")))
    largest(result, amounts(state.get("allocatedResources")))
    return missing | result
