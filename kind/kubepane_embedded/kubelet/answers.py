"""What a probe gets for an answer, in the words of upstream's probers (pkg/probe/*, pkg/kubelet/prober/prober.go)."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from kubepane_embedded.faults import asked
from kubepane_embedded.kubelet.backoff import go_duration
from kubepane_embedded.kubelet.network import Listener
from kubepane_embedded.kubelet.processes import Surroundings
from kubepane_embedded.kubelet.settings import fault_of
from kubepane_embedded.kubelet.shell.driving import run_at_once
from kubepane_embedded.meta import Object

Part = dict[str, Any]
AGENT = "kube-probe/1.35"
UNIMPLEMENTED = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health"


class ProbeError(Exception):
    """A probe that could not be made: its result does not count."""


class Answer(NamedTuple):
    """Whether a probe succeeded, and what it says when not."""

    success: bool
    text: str = ""


class Target(Protocol):
    """A container as a probe sees it."""

    pod: Object
    address: str

    def listener(self) -> Listener:
        """Who answers at the pod's address."""


def ask(target: Target, around: Surroundings, container: Part, spec: Part, kind: str, age: float) -> Answer:
    """Make one probe; `age` is how long the container has run, for faults that begin later."""
    fault = fault_of(asked(target.pod, f"probe-{kind}"))
    forced = fault.value if fault is not None and age >= fault.after else ""
    patience = float(spec.get("timeoutSeconds") or 1)
    if spec.get("httpGet"):
        return _http(target, container, spec["httpGet"], forced, patience)
    if spec.get("tcpSocket"):
        return _tcp(target, container, spec["tcpSocket"], forced, patience)
    if spec.get("grpc"):
        return _grpc(target, spec["grpc"], forced, patience)
    return _exec(around, (spec.get("exec") or {}).get("command") or [], forced, patience)


def port_of(value: Any, container: Part) -> int:
    """A port by number or by the name of one of the container's ports; raises ProbeError."""
    if isinstance(value, str):
        named = next((one.get("containerPort") for one in container.get("ports") or [] if one.get("name") == value), None)
        if named is None and not value.isdigit():
            raise ProbeError(f'strconv.Atoi: parsing "{value}": invalid syntax')
        value = named if named is not None else int(value)
    if not isinstance(value, int) or not 0 < value < 65536:
        raise ProbeError(f"invalid port number: {value}")
    return value


def _http(target: Target, container: Part, action: Part, forced: str, patience: float) -> Answer:
    port = port_of(action.get("port"), container)
    host, path = action.get("host") or target.address, action.get("path") or "/"
    path = path if path.startswith("/") else f"/{path}"
    url = f"{(action.get('scheme') or 'HTTP').lower()}://{host}:{port}{path}"
    if forced == "timeout":
        return Answer(False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)')
    if forced == "refused" or not target.listener().listens(port):
        return Answer(False, f'Get "{url}": dial tcp {host}:{port}: connect: connection refused')
    status = int(forced) if forced.isdigit() else target.listener().http(port, path, AGENT)
    if status is None:
        return Answer(False, f'Get "{url}": net/http: HTTP/1.x transport connection broken: malformed HTTP response')
    return Answer(200 <= status < 400, f"HTTP probe failed with statuscode: {status}")


def _tcp(target: Target, container: Part, action: Part, forced: str, patience: float) -> Answer:
    port = port_of(action.get("port"), container)
    host = action.get("host") or target.address
    if forced == "timeout":
        return Answer(False, f"dial tcp {host}:{port}: i/o timeout")
    if forced or not target.listener().listens(port):
        return Answer(False, f"dial tcp {host}:{port}: connect: connection refused")
    return Answer(True)


def _grpc(target: Target, action: Part, forced: str, patience: float) -> Answer:
    port = int(action.get("port") or 0)
    address, limit = f"{target.address}:{port}", go_duration(patience)
    if forced.isdigit():
        return Answer(False, 'service unhealthy (responded with "NOT_SERVING")')
    if forced == "timeout":
        return Answer(False, f"timeout: health rpc did not complete within {limit}")
    if forced or not target.listener().listens(port):
        return Answer(False, f'timeout: failed to connect service "{address}" within {limit}: context deadline exceeded')
    return Answer(False, UNIMPLEMENTED)


def _exec(around: Surroundings, command: list[str], forced: str, patience: float) -> Answer:
    shown = " ".join(command)
    if forced == "timeout":
        return Answer(False, f'command timed out: "{shown}" timed out after {go_duration(patience)}')
    if forced:
        return Answer(False, "")
    outcome = run_at_once(around, command, patience)
    if outcome.status is None:
        return Answer(False, f'command timed out: "{shown}" timed out after {go_duration(patience)}')
    return Answer(outcome.status == 0, outcome.output)
