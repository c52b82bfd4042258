"""Making a container: its environment, files, command line and process (kuberuntime_container.go, startContainer)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Protocol

from kubepane_embedded.faults import asked
from kubepane_embedded.kubelet.applications import KINDS
from kubepane_embedded.kubelet.applications.script import Script
from kubepane_embedded.kubelet.environment import ConfigError, Environment, expanded
from kubepane_embedded.kubelet.files import Disk, Files
from kubepane_embedded.kubelet.images import Application, application, parsed
from kubepane_embedded.kubelet.kubelet import Kubelet
from kubepane_embedded.kubelet.nodetime import Later
from kubepane_embedded.kubelet.processes import Process, Surroundings
from kubepane_embedded.kubelet.records import Run, Slot
from kubepane_embedded.kubelet.settings import seconds_of
from kubepane_embedded.kubelet.shell.driving import steps_of
from kubepane_embedded.meta import Object, key_of, uid_of

Part = dict[str, Any]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NO_PROGRAM = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container "
    'process: error during container init: exec: "{}": executable file not found in $PATH'
)


class Absent(Process):
    """A program that is not in the image."""

    def __init__(self, around: Surroundings) -> None:
        super().__init__(around)
        self.missing = NO_PROGRAM.format(around.argv[0] if around.argv else "")


class Pod(Protocol):
    """A pod worker as the making of containers sees it."""

    kubelet: Kubelet
    pod: Object
    address: str

    def ended(self, slot: Slot, run: Run, code: int, reason: str = "") -> None:
        """A run is over."""


def command_of(spec: Part, image: Application, env: dict[str, str]) -> list[str]:
    """The command line of a container: the pod's command and arguments over the image's."""
    command = [expanded(str(part), env) for part in spec.get("command") or []]
    arguments = [expanded(str(part), env) for part in spec.get("args") or []]
    if command:
        return command + arguments
    if arguments:
        return arguments if image.kind == "shell" and image.command != ("curl",) else [*image.command[:1], *arguments]
    return list(image.command)


def check_user(pod: Object, spec: Part, image: Application) -> None:
    """runAsNonRoot (security_context_others.go); raises ConfigError."""
    context = {**((pod.get("spec") or {}).get("securityContext") or {}), **(spec.get("securityContext") or {})}
    namespace, name = key_of(pod)
    where = f'(pod: "{name}_{namespace}({uid_of(pod)})", container: {spec.get("name")})'
    user = context.get("runAsUser")
    if context.get("runAsNonRoot") and user == 0:
        raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
    if context.get("runAsNonRoot") and user is None and image.user == 0:
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")


def make(pod: Pod, slot: Slot) -> Run:
    """A run of a container, not begun yet; raises ConfigError."""
    image = application(slot.spec.get("image") or "") or Application()
    environment = Environment(pod.kubelet.shared.client.storage, pod.pod, slot.spec, pod.address, pod.kubelet.address())
    env = {"PATH": PATH, "HOSTNAME": _hostname(pod.pod), **environment.build(), "HOME": "/root" if image.user == 0 else "/"}
    check_user(pod.pod, slot.spec, image)
    return _made(pod, slot, image, env)


def found_running(pod: Pod, slot: Slot) -> Run:
    """A run that goes on already when its kubelet starts; its environment as far as it can be read."""
    image = application(slot.spec.get("image") or "") or Application()
    try:
        env = Environment(pod.kubelet.shared.client.storage, pod.pod, slot.spec, pod.address, pod.kubelet.address()).build()
    except ConfigError:
        env = {}
    return _made(pod, slot, image, env)


def _hostname(pod: Object) -> str:
    spec = pod.get("spec") or {}
    return str(spec.get("hostname") or pod["metadata"]["name"])[:63]


def _made(pod: Pod, slot: Slot, image: Application, env: dict[str, str]) -> Run:
    shared = pod.kubelet.shared
    clock = shared.client.clock
    reference = parsed(slot.spec.get("image") or "")
    full = reference.full if reference is not None else slot.spec.get("image") or ""
    digest = reference.digest if reference is not None and reference.digest else "sha256:" + hashlib.sha256(full.encode()).hexdigest()
    name = full.partition("@")[0].rpartition(":")[0] if reference is not None and not reference.digest else full.partition("@")[0]
    around = _around(pod, slot, image, env)
    identity = f"simulated://{shared.seed.uid().replace('-', '')}{shared.seed.uid().replace('-', '')}"
    run = Run(identity, slot.spec.get("image") or "", full, f"{name}@{digest}", clock.seconds(), clock.stamp(), _process(around, slot.spec), around)

    def later(seconds: float, callback: Callable[[], None]) -> Later:
        return pod.kubelet.time.later(seconds, lambda: callback() if run.alive else None)

    around.later = later
    around.exit = lambda code: pod.ended(slot, run, code)
    return run


def _around(pod: Pod, slot: Slot, image: Application, env: dict[str, str]) -> Surroundings:
    shared, uid = pod.kubelet.shared, uid_of(pod.pod)
    clock = shared.client.clock
    hostname = _hostname(pod.pod)
    files = Files(_system_files(pod, hostname), shared.volumes.mounts(lambda: pod.pod, slot.spec))
    return Surroundings(
        argv=command_of(slot.spec, image, env),
        env=env,
        hostname=hostname,
        namespace=key_of(pod.pod)[0],
        address=pod.address,
        image=image,
        files=files,
        network=shared.network,
        say=lambda text: shared.logbook.write(uid, slot.name, text),
        exit=lambda code: None,
        later=lambda seconds, callback: Later(callback),
        now=clock.now,
        start_seconds=seconds_of(asked(pod.pod, "start"), image.start_seconds),
        stdin=bool(slot.spec.get("stdin")),
    )


def _system_files(pod: Pod, hostname: str) -> Disk:
    namespace = key_of(pod.pod)[0]
    search = f"search {namespace}.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
    hosts = f"# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n{pod.address}\t{hostname}\n"
    return {"/etc/hostname": hostname + "\n", "/etc/hosts": hosts, "/etc/resolv.conf": search, "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"}


def _process(around: Surroundings, spec: Part) -> Process:
    """The image's application, or a script when the pod asks for a command of its own."""
    kind = KINDS[around.image.kind]
    program = around.argv[0].rpartition("/")[2] if around.argv else ""
    own = {part.rpartition("/")[2] for part in around.image.command if not part.startswith("-")}
    if kind is not Script and (program in own or not spec.get("command")):
        return kind(around)
    return Script(around) if steps_of(around, around.argv) is not None else Absent(around)
