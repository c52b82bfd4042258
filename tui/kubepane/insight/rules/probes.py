"""Which probe fails, and how: from the newest Unhealthy event of a container that runs and is not ready.

Source: the kubelet's prober (pkg/kubelet/prober, pkg/probe): its messages, and that it tells each failure as one event that counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from kubepane.cluster import resources as r
from kubepane.insight import events
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.rules.case import Case, Rule, last_line, short
from kubepane.insight.unseen import unseen

_MESSAGE = re.compile(r"(Readiness|Liveness|Startup) probe (?:failed|errored)(?: and resulted in \w+ state)?: ?(.*)", re.DOTALL)
_CODE = re.compile(r"statuscode: (\d{3})|HTTP (\d{3})")
_WORDS = (
    (re.compile(r"connection refused"), "connection refused"),
    (re.compile(r"context deadline exceeded|Client\.Timeout|i/o timeout|timed out|timeout"), "timeout"),
    (re.compile(r"connection reset by peer|: EOF"), "connection cut"),
    (re.compile(r"no such host"), "no such host"),
    (re.compile(r"no route to host|network is unreachable"), "no route to the pod"),
    (re.compile(r'responded with "?(\w+)"?'), "{0}"),
    (re.compile(r"executable file not found"), "command not found"),
)
_FIELDS = {"readiness": "readinessProbe", "liveness": "livenessProbe", "startup": "startupProbe"}


def not_ready(case: Case) -> Iterator[Finding]:
    """Containers that run and are not ready, sidecars that have not started."""
    pod = case.pod
    if pod.metadata.deletion_timestamp is not None or pod.status.phase in ("Succeeded", "Failed"):
        return
    for s in (*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())):
        if s.ready or s.state.running is None:
            continue
        container = case.container(s.name)
        if s.started is not True and container.startup_probe is not None:
            yield _failing(case, s, "startup", container.startup_probe)
        elif container.readiness_probe is not None and (not case.initial(s) or container.restart_policy == "Always"):
            yield _failing(case, s, "readiness", container.readiness_probe)


def _failing(case: Case, s: r.ContainerStatus, kind: str, probe: r.Probe) -> Finding:
    assert s.state.running is not None
    event = _newest(case, s, kind, s.state.running.started_at)
    facts = [Evidence(case.ref, case.declared(s, _FIELDS[kind]), _declared(case, s, probe)), Evidence(case.ref, case.path(s, "ready"), "false")]
    name = f"{case.lead(s)}{kind} {target(probe)}"
    if event is None:
        doubt = unseen(case.stores.events)
        clause = f"{name} has not succeeded yet{f' (could not look: {doubt})' if doubt else ''}"
        return Finding(Level.BUSY, clause, tuple(facts), "")
    facts.insert(0, case.told(event))
    how, count = detail(event.message, probe), events.count(event)
    times = f"{count} of {probe.failure_threshold}" if count < probe.failure_threshold else f"{count} times"
    facts.append(Evidence(case.ref, "event Unhealthy count", f"{count}, threshold {probe.failure_threshold}"))
    return Finding(Level.BUSY, f"{name} {how}, {times}", tuple(facts), f"see why {s.name} answers so: its logs, its dependencies")


def _newest(case: Case, s: r.ContainerStatus, kind: str, since: datetime | None) -> r.Event | None:
    """The newest event about this probe of this run of the container."""
    for event in case.events:
        if since is not None and events.when(event) < since - timedelta(seconds=1):
            return None
        if event.reason == "Unhealthy" and events.container(event) in ("", s.name):
            found = _MESSAGE.match(event.message.strip())
            if found is not None and found[1].lower() == kind:
                return event
    return None


def killed_by(case: Case, s: r.ContainerStatus, ended: r.Terminated) -> str | None:
    """The probe for which the kubelet killed a container, in a clause; None when it was not that."""
    container = case.container(s.name)
    for kind, probe in (("liveness", container.liveness_probe), ("startup", container.startup_probe)):
        if probe is None or (event := _newest(case, s, kind, ended.started_at)) is None:
            continue
        if ended.finished_at is None or events.when(event) <= ended.finished_at + timedelta(seconds=2):
            return f"{kind} {target(probe)} {detail(event.message, probe)}"
    return None


def target(probe: r.Probe) -> str:
    """What a probe asks, in a word: `/login`, `:3306`, `exec mysqladmin`."""
    if probe.http_get is not None:
        return probe.http_get.path or "/"
    if probe.tcp_socket is not None:
        return f":{probe.tcp_socket.port}"
    if probe.grpc is not None:
        return f"grpc :{probe.grpc.port}"
    if probe.exec is not None:
        return f"exec {(probe.exec.command or ('',))[0].rpartition('/')[2]}".strip()
    return "probe"


def _declared(case: Case, s: r.ContainerStatus, probe: r.Probe) -> str:
    """The probe as the pod declares it: `GET /login:http (8080), every 10s, 3 failures`."""
    port = probe.http_get.port if probe.http_get else probe.tcp_socket.port if probe.tcp_socket else None
    number = next((p.container_port for p in case.container(s.name).ports or () if p.name and p.name == port), 0)
    where = f"GET {target(probe)}:{port}" if probe.http_get else target(probe)
    if probe.exec is not None:
        where = f"exec {short(' '.join(probe.exec.command or ()), 120)}"
    return f"{where}{f' ({number})' if number else ''}, every {probe.period_seconds}s, {probe.failure_threshold} failures"


def detail(message: str, probe: r.Probe) -> str:
    """How it failed, in a word or two: `503`, `connection refused`, `timeout`, the last line of a command's output."""
    found = _MESSAGE.match(message.strip())
    text = found[2] if found else message
    if code := _CODE.search(text):
        return code[1] or code[2]
    if probe.exec is None or "timed out" in text or "executable file not found" in text:
        for pattern, words in _WORDS:
            if match := pattern.search(text):
                return f"timeout after {probe.timeout_seconds}s" if words == "timeout" else words.format(*match.groups())
    return short(last_line(text), 80) or "fails"


RULES: tuple[Rule, ...] = (not_ready,)
