"""`kubepane kind status`: what there is, whose it is, and whether it is ready. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from kubepane.kindcluster import checks, contexts
from kubepane.kindcluster.facts import READY, Facts
from kubepane.kindcluster.ownership import Owner
from kubepane.kindcluster.reach import Reach, reach
from kubepane.kindcluster.site import Found, Site, find
from kubepane.kindcluster.trouble import DONE, NO, REFUSED, Trouble

_API = 6443
_LABEL = 15  # columns of the first word


class Status(msgspec.Struct):
    """The answer, which is also its JSON."""

    cluster: dict[str, Any]
    ready: bool = False
    nodes: list[dict[str, Any]] = []
    addons: list[dict[str, str]] = []
    ports: list[dict[str, int]] = []
    context: dict[str, Any] = {}
    trouble: str = ""


def status(site: Site, name: str, kubeconfig: str, form: str) -> int:
    """Prints it.

    Returns:
        The exit code: 0 running and ready, 1 not, 4 a cluster of this name is somebody else's.
    """
    checks.tools(site.programs)
    found = find(site, name)
    answer = _answer(site, name, kubeconfig, found)
    if form == "json":
        site.progress.raw(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())
    else:
        for line in _lines(answer):
            site.progress.say(line)
    if found.owner is Owner.OTHER:
        return REFUSED
    return DONE if answer.ready else NO


def _answer(site: Site, name: str, kubeconfig: str, found: Found) -> Status:
    states = {one.state for one in found.containers}
    state = "absent" if not found.containers else "running" if states == {"running"} else "stopped"
    if found.owner is Owner.UNFINISHED:
        state = "unfinished"
    created = found.record.created if found.record and found.containers else ""
    owner = {Owner.NOBODY: "", Owner.OTHER: "other"}.get(found.owner, "kubepane")
    answer = Status({"name": name, "state": state, "engine": found.engine.name, "owner": owner, "created": created})
    answer.nodes = [{"name": one.name, "container": one.state, "ready": None, "why": ""} for one in found.containers]
    mapped = {host: inside for one in found.containers for host, inside in one.ports.items() if inside != _API}
    answer.ports = [{"host": host, "container": inside} for host, inside in sorted(mapped.items())]
    answer.trouble = found.verdict.why
    if found.owner in (Owner.OURS, Owner.UNFINISHED) and "running" in states:
        try:
            with reach(site.programs, name) as cluster:
                _look(site, kubeconfig, cluster, answer)
        except Trouble as trouble:
            answer.trouble = str(trouble)
    return answer


def _look(site: Site, kubeconfig: str, cluster: Reach, answer: Status) -> None:
    """Adds what the cluster says of itself."""
    name = answer.cluster["name"]
    file = contexts.written(kubeconfig, site.programs.environ)
    there = contexts.holds(kubeconfig, site.programs.environ, cluster.text)
    answer.context = {"name": f"kind-{name}", "file": str(file), "there": there}
    now = cluster.look()
    states = {node["name"]: node["container"] for node in answer.nodes}
    answer.nodes = [
        {"name": node.name, "container": states.get(node.name, ""), "ready": node.ready, "why": "" if node.ready else node.why} for node in now.nodes
    ]
    shown = [one for one in now.addons.values() if one.name in ("calico", "metrics-server", now.ingress)]
    answer.addons = [{"name": one.name, "state": one.state, "text": one.text} for one in shown]
    answer.ready = _ready(answer, now)


def _ready(answer: Status, now: Facts) -> bool:
    whole = answer.cluster["state"] == "running" and len(now.nodes) == len(answer.nodes)
    return whole and now.nodes_ready and all(one["state"] == READY for one in answer.addons)


def _lines(answer: Status) -> Iterator[str]:
    cluster = answer.cluster
    if cluster["state"] == "absent":
        yield f"There is no Kind cluster {cluster['name']} ({cluster['engine']}). `kubepane kind up` makes it."
        return
    whose = f"made by kubepane {cluster['created']}" if cluster["owner"] == "kubepane" else f"not kubepane's: {answer.trouble}"
    yield f"{'cluster':<{_LABEL}}{cluster['name']}, {cluster['state']}, {cluster['engine']}, {whose}"
    if any(node["ready"] is not None for node in answer.nodes):
        yield f"{'nodes':<{_LABEL}}{sum(bool(node['ready']) for node in answer.nodes)} of {len(answer.nodes)} ready"
    else:
        yield f"{'nodes':<{_LABEL}}{len(answer.nodes)}"
    for node in answer.nodes:
        if node["ready"] is False or node["container"] != "running":
            yield f"{'':<{_LABEL}}{node['name']}: {node['why'] or 'its container is ' + (node['container'] or 'gone')}"
    for addon in answer.addons:
        yield f"{addon['name']:<{_LABEL}}{addon['text']}"
    if answer.ports:
        yield _ports(answer)
    if answer.context:
        where = answer.context["file"]
        yield f"{'context':<{_LABEL}}{answer.context['name']} {'in' if answer.context['there'] else 'missing in'} {where}"
    if answer.trouble and cluster["owner"] == "kubepane":
        yield f"{'trouble':<{_LABEL}}{answer.trouble}"


def _ports(answer: Status) -> str:
    return f"{'ports':<{_LABEL}}" + ", ".join(f"127.0.0.1:{one['host']} → {one['container']}" for one in answer.ports)
