"""Chapter 2: load comes, ChatApp grows to four pods, and does not shrink at once."""

from __future__ import annotations

from kubepane.cluster import resources as r
from kubepane.cluster.stores import Stores
from kubepane.insight import hpa, scaling
from kubepane.insight.ages import duration
from kubepane.insight.scaling import figure
from kubepane.scenarios import facts
from kubepane.scenarios.chapter import Chapter, Fact, Look, Situation, Step
from kubepane.scenarios.deeds import apply, delete


def _autoscaler(stores: Stores) -> r.Autoscaler | None:
    return stores.autoscalers.named(facts.SPACE, "chatapp")


def _measured(here: Situation) -> Fact:
    a = _autoscaler(here.stores)
    if a is None:
        return Fact(False, "hpa chatapp is not there")
    best = hpa.assess(a, here.stores).sums.best
    if best is None or best.current is None:
        return Fact(False, "no metric yet: metrics-server needs two samples of a new pod")
    return Fact(True, f"cpu {figure(best.current)}% of the request, {a.status.current_replicas} pods")


def _grows(here: Situation) -> Fact:
    a = _autoscaler(here.stores)
    if a is None:
        return Fact(False, "hpa chatapp is not there")
    sums = hpa.assess(a, here.stores).sums
    text = sums.best.sum_text if sums.best else "no metric"
    return Fact(sums.desired >= sums.highest, f"{text}; wants {sums.desired}")


def _all_ready(here: Situation) -> Fact:
    a, obj = _autoscaler(here.stores), facts.chatapp(here.stores)
    if a is None or obj is None:
        return Fact(False, "hpa chatapp or its deployment is not there")
    most, ready = a.spec.max_replicas, obj.status.ready_replicas
    return Fact(ready >= most, f"{ready} of {most} ready")


def _held(here: Situation) -> Fact:
    a = _autoscaler(here.stores)
    if a is None:
        return Fact(False, "hpa chatapp is not there")
    held = scaling.hold(a, hpa.assess(a, here.stores).sums, here.metrics.scales(a.metadata.uid))
    if held.state != "window":
        return Fact(False, "the last samples are still high")
    left = f", down in at most {duration(max(0.0, (held.until - here.now).total_seconds()))}" if held.until else ""
    return Fact(True, f"wants {held.wanted}, held by the window of {duration(held.window)}{left}")


_HPA = Look("hpa", lambda stores: facts.uid(_autoscaler(stores)), "autoscale")

CHAPTER = Chapter(
    name="hpa",
    title="Load, and an autoscaler that answers it",
    steps=(
        Step(
            "The HPA keeps ChatApp's CPU at 50 % of what its pods request, with 1 to 4 pods. Now nobody asks for anything.",
            _HPA,
            _measured,
        ),
        Step(
            "Load begins: a Job asks for /login as fast as it is answered. Every 15 s the HPA takes the mean and computes pods × usage ÷ target.",
            _HPA,
            _grows,
            (delete("load"), apply("load")),
            otherwise="CPU does not rise far enough: is metrics-server running, and do the pods of the Job?",
        ),
        Step(
            "The replicas step up to the maximum. A new pod counts once it is ready: first the start-up probe, then readiness.",
            _HPA,
            _all_ready,
            within=120.0,
        ),
        Step(
            "Load ends. CPU falls at once, the pods stay: the HPA takes the highest wish of the last five minutes. The pane counts down.",
            _HPA,
            _held,
            (delete("load"),),
        ),
    ),
    cure=(delete("load"),),
    closing="Up within a minute, down after five: that is the stabilisation window, and no fault.",
    touches="makes load on service chatapp for a minute, which may scale it to 4 pods",
)
