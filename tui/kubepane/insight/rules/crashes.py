"""Why a container ended: exit code, signal, memory, what it said last, or that it could not even begin.

Source: the kubelet's reasons (pkg/kubelet/kuberuntime), exit codes as shells and runtimes give them: 128 + signal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from kubepane.cluster import resources as r
from kubepane.insight.ages import duration
from kubepane.insight.finding import Evidence, Finding, Level
from kubepane.insight.rules import probes
from kubepane.insight.rules.case import Case, last_line, short

RECENT = timedelta(minutes=10)  # since a restart that is still worth a word
NOT_STARTED = frozenset(("RunContainerError", "CreateContainerError", "ContainerCannotRun", "StartError", "PostStartHookError", "PreCreateHookError"))
SIGNALS = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL, illegal instruction", 6: "SIGABRT, aborted", 7: "SIGBUS", 8: "SIGFPE",
    9: "SIGKILL, killed", 11: "SIGSEGV, segmentation fault", 13: "SIGPIPE", 14: "SIGALRM", 15: "SIGTERM, told to stop",
}  # fmt: skip
_CODES = {126: "the command cannot be executed", 127: "command not found"}
_BACK_OFF = re.compile(r"back-off (\S+) restarting", re.IGNORECASE)
_SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)(?:\.\d+)?s)?")
_NO_FILE = re.compile(r'exec: "([^"]+)": (executable file not found in \$PATH|permission denied|no such file or directory|is a directory)')
_PASSED_ON = re.compile(r"^(?:.*?: )?(?:failed to create \w+ task|OCI runtime create failed|runc create failed|rpc error)[^:]*: ", re.IGNORECASE)


def exit_words(ended: r.Terminated) -> str:
    """What an exit code means, in a few words; "" where it is the program's own."""
    number = ended.signal or (ended.exit_code - 128 if 128 < ended.exit_code < 160 else 0)
    return SIGNALS.get(number, f"signal {number}") if number else _CODES.get(ended.exit_code, "")


def crash(case: Case, s: r.ContainerStatus, ended: r.Terminated | None, where: str) -> Iterator[Finding]:
    """A container that ended badly, now or before it was started again.

    Args:
        case: the pod.
        s: the container.
        ended: how it ended; None where the kubelet does not say.
        where: the field that says so: `state` or `lastState`.
    """
    if ended is None:
        reason = Evidence(case.ref, case.path(s, "state.waiting.reason"), s.state.waiting.reason if s.state.waiting else "none")
        clause = f"{case.lead(s)}crashes; how it ended is not known"
        yield Finding(Level.BAD, clause, (reason, *_waiting(case, s)), f"read the previous logs of {s.name}")
        return
    facts = (*_ending(case, s, ended, where), *_waiting(case, s))
    clause, cure = _why(case, s, ended)
    yield Finding(Level.BAD, f"{case.lead(s)}{clause}", facts, cure)


def _why(case: Case, s: r.ContainerStatus, ended: r.Terminated) -> tuple[str, str]:
    code, said = ended.exit_code, last_line(ended.message)
    if ended.reason == "OOMKilled":
        return _memory(case, s, ended)
    if ended.reason in NOT_STARTED:
        return not_started(ended.message or ended.reason), f"mend the command or image of {s.name} in {case.workload}"
    if code == 0:
        return "exit 0 and started again: its command comes to an end", f"give {s.name} a command that goes on, or run it as a Job"
    if code in (137, 143) and (failed := probes.killed_by(case, s, ended)) is not None:
        return f"{failed}, killed: exit {code}", f"see why the probe fails, or give it more time in {case.workload}"
    words = exit_words(ended)
    logs = f"read the previous logs of {s.name}"
    if said and not (code in (126, 127) and not ended.message):
        return f"exit {code}: {said}", logs
    if words:
        return f"exit {code} ({words})", logs
    return f"exit {code}" if ended.reason in ("", "Error") else f"exit {code} ({ended.reason})", logs


def _memory(case: Case, s: r.ContainerStatus, ended: r.Terminated) -> tuple[str, str]:
    limit = _limit(case, s)
    if limit:
        return f"limit {limit} reached, exit {ended.exit_code}", f"raise the memory limit of {s.name} in {case.workload}, or let it use less"
    return f"out of memory on the node, no limit of its own, exit {ended.exit_code}", f"give {s.name} a memory request and limit in {case.workload}"


def _limit(case: Case, s: r.ContainerStatus) -> str:
    own = (case.container(s.name).resources.limits or {}).get("memory", "")
    whole = case.pod.spec.resources
    return own or ((whole.limits or {}).get("memory", "") if whole else "")


def not_started(message: str) -> str:
    """Why a runtime could not start a container, without the chain of those who pass it on."""
    if found := _NO_FILE.search(message):
        return f"command {found[1]}: {found[2].replace('executable file not found in $PATH', 'not found in the image')}"
    while (shorter := _PASSED_ON.sub("", message)) != message:
        message = shorter
    return f"cannot start: {short(message.removesuffix(': unknown'), 120)}"


def _ending(case: Case, s: r.ContainerStatus, ended: r.Terminated, where: str) -> Iterator[Evidence]:
    field = case.path(s, f"{where}.terminated")
    words = exit_words(ended)
    yield Evidence(case.ref, f"{field}.exitCode", f"{ended.exit_code} ({words})" if words else str(ended.exit_code))
    if ended.reason:
        yield Evidence(case.ref, f"{field}.reason", ended.reason)
    if ended.reason == "OOMKilled":
        yield Evidence(case.ref, case.declared(s, "resources.limits.memory"), _limit(case, s) or "none")
    if ended.message.strip():
        yield Evidence(case.ref, f"{field}.message", short(ended.message, 400))


def _waiting(case: Case, s: r.ContainerStatus) -> Iterator[Evidence]:
    """The restarts, and when the next start is due."""
    if s.restart_count:
        yield Evidence(case.ref, case.path(s, "restartCount"), str(s.restart_count))
    waiting, ended = s.state.waiting, s.last_state.terminated
    if waiting is None or (pause := _BACK_OFF.search(waiting.message)) is None:
        return
    value = f"back-off {pause[1]}"
    if case.now is not None and ended is not None and ended.finished_at is not None:
        left = (ended.finished_at + _span(pause[1]) - case.now).total_seconds()
        value += f", next start in {duration(left)}" if left >= 1 else ", next start is due"
    yield Evidence(case.ref, case.path(s, "state.waiting.message"), value)


def _span(text: str) -> timedelta:
    found = _SPAN.fullmatch(text)
    hours, minutes, seconds = (int(g or 0) for g in found.groups()) if found else (0, 0, 0)
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def failed_start(case: Case, s: r.ContainerStatus, waiting: r.Waiting) -> Iterator[Finding]:
    """A container that waits for it cannot be created or started."""
    message = waiting.message
    if not message and (told := case.newest(("Failed", "FailedPostStartHook"), s.name)) is not None:
        message = told.message
    field = case.path(s, "state.waiting")
    facts = (Evidence(case.ref, f"{field}.reason", waiting.reason), Evidence(case.ref, f"{field}.message", short(message, 400)))
    yield Finding(Level.BAD, f"{case.lead(s)}{not_started(message or waiting.reason)}", facts, f"mend {s.name} in {case.workload}")


def restarted(case: Case) -> Iterator[Finding]:
    """A pod that is well now but ended badly a short time ago: worth a look, not an alarm."""
    if case.now is None or case.level.name != "OK":
        return
    for s in (*(case.pod.status.init_container_statuses or ()), *(case.pod.status.container_statuses or ())):
        ended = s.last_state.terminated
        if ended is None or ended.finished_at is None or (ended.exit_code == 0 and ended.reason != "OOMKilled"):
            continue
        since = case.now - ended.finished_at
        if since < RECENT:
            clause, cure = _why(case, s, ended)
            facts = (*_ending(case, s, ended, "lastState"), *_waiting(case, s))
            yield Finding(Level.WARN, f"{case.lead(s)}restarted {duration(since.total_seconds())} ago: {clause}", facts, cure)
