"""Chapter 4: sessions live in one pod's memory, and the cookie that leads back there."""

from __future__ import annotations

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import ingresses
from kubepane.insight.ingresses import Route
from kubepane.scenarios import facts
from kubepane.scenarios.chapter import Chapter, Fact, Look, Situation, Step
from kubepane.scenarios.deeds import apply, delete


def _ingress(stores: Stores) -> r.Ingress | None:
    return stores.ingresses.named(facts.SPACE, "chatapp")


def _route(stores: Stores) -> Route | None:
    ingress = _ingress(stores)
    return ingresses.route(stores, ingress, ingresses.rules(ingress)[0]) if ingress is not None else None


def _sticks(here: Situation) -> Fact:
    route = _route(here.stores)
    if route is None:
        return Fact(False, "ingress chatapp is not there")
    name = dict(route.affinity.facts).get("name", "")
    kind = f"{route.affinity.kind or 'no affinity'}{f' {name}' if name else ''}"
    return Fact(route.affinity.kind == "cookie" and route.endpoints.ready > 1, f"{kind}, {route.served}")


def _used(here: Situation) -> Fact:
    job = here.stores.jobs.named(facts.SPACE, "chatapp-load")
    ready = (job.status.ready or 0) if job is not None else 0
    return Fact(ready > 0, f"{ready} load pods run")


def _lost(here: Situation) -> Fact:
    route = _route(here.stores)
    if route is None:
        return Fact(False, "ingress chatapp is not there")
    return Fact(not route.affinity.kind, route.finding.clause)


_ROW = Look("ingress", lambda stores: facts.uid(_ingress(stores)), "network")
_LOGS = Look("pods", lambda stores: facts.uid(next(iter(reversed(facts.pods(stores))), None)))

CHAPTER = Chapter(
    name="sticky",
    title="Sessions, and the cookie that keeps them",
    steps=(
        Step(
            "ChatApp keeps a session in one pod's memory. The Ingress hands out a cookie, so that a browser comes back to that pod.",
            _ROW,
            _sticks,
        ),
        Step(
            "Visitors come. l on a pod shows its log: requests are served, and no session is missing.", _LOGS, _used, (delete("load"), apply("load"))
        ),
        Step(
            "Somebody drops the annotations (faults/no-affinity). Every request may reach any pod: the row warns that sessions can get lost.",
            _ROW,
            _lost,
            (apply("faults/no-affinity"),),
        ),
        Step(
            "The pods' logs show it within ten seconds (l): Session … not found, redirecting to /login. Users are logged out at random.",
            _LOGS,
            _lost,
        ),
        Step("The set chatapp is applied again, and the cookie is back.", _ROW, _sticks, (apply("chatapp"),)),
    ),
    cure=(delete("load"), apply("chatapp")),
    closing="Nothing was down, no pod restarted, no event told of it: only the AFFINITY column did.",
    touches="makes load on service chatapp, takes the annotations of ingress chatapp away and puts them back",
)
