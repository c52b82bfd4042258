"""What went wrong, from what kind, kubectl or the engine said about it: a sentence and the next step.

The patterns are words of Docker, Podman, kind, kubeadm and kubectl as they stand on stderr; the advice follows kind's "Known Issues" page.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kubepane.cluster.redaction import one_line
from kubepane.kindcluster.programs import Ran, TookTooLong
from kubepane.kindcluster.trouble import CANNOT, NO, REFUSED, Trouble

INOTIFY = "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512"
_ROOTLESS = "see “Rootless” in kind's documentation"
_PROXY = "check this network; behind a proxy set HTTPS_PROXY in this shell and for the engine's daemon"


class Known(NamedTuple):
    """A failure that is known.

    Attributes:
        pattern: how programs say it.
        what: what it is; names of groups are filled in.
        do: the next step.
        code: the exit code.
    """

    pattern: re.Pattern[str]
    what: str
    do: str
    code: int = NO


def _known(pattern: str, what: str, do: str, code: int = NO) -> Known:
    return Known(re.compile(pattern, re.IGNORECASE | re.DOTALL), what, do, code)


_PORT = r"(?:bind for|listen tcp4?|exposing port tcp)\s+[\d.:\[\]]*?:(?P<port>\d+)\b"
KNOWN = (
    _known(
        rf"{_PORT}.{{0,200}}?(?:port is already allocated|address already in use|an attempt was made to access)",
        "port {port} of this machine is taken",
        "stop what listens there, or choose others with --http-port and --https-port",
    ),
    _known(
        r"port is already allocated|address already in use|ports are not available",
        "a port of this machine is taken",
        "stop what listens on it, or choose others with --http-port and --https-port",
    ),
    _known(
        r"too many open files|inotify_(?:init|add_watch)|max_user_(?:watches|instances)",
        "the inotify limits of this machine are used up",
        f"raise them: {INOTIFY}",
    ),
    _known(r"no space left on device|disk quota exceeded", "the disk is full", "make room: `docker system df` shows what the engine keeps"),
    _known(
        r"cannot allocate memory|out of memory|oom-?kill", "memory ran out", "close programs or give the engine's machine more; 4 nodes take 3 GB"
    ),
    _known(r"requires cgroup v2|cgroup v1.{0,60}(?:unsupported|not supported)", "the machine has cgroup v1", "switch it to cgroup v2", CANNOT),
    _known(r"delegate=yes", "the rootless engine may not limit resources", f"delegate cgroups to user services: {_ROOTLESS}", CANNOT),
    _known(
        r"does not support cgroup namespaces|adding pid \d+ to cgroups|could not find a log line that matches",
        "a node did not boot: cgroups or inotify limits of this machine",
        f"check that it has cgroup v2, and raise the limits: {INOTIFY}",
    ),
    _known(
        r"permission denied while trying to connect|(?:dial unix|connect).{0,80}permission denied",
        "you may not use the engine",
        "join its group (docker), log in anew, or use a rootless engine",
        CANNOT,
    ),
    _known(
        r"cannot connect to (?:the docker daemon|podman)|is the docker daemon running|unable to connect to podman",
        "the container engine does not run",
        "start it (systemctl start docker, podman machine start, or Docker Desktop)",
        CANNOT,
    ),
    _known(r"toomanyrequests|rate limit", "the registry wants no more requests for now", "log in to it (docker login), or wait an hour"),
    _known(r"proxyconnect|proxy authentication required", "the proxy does not let it through", _PROXY),
    _known(r"x509: |certificate signed by unknown authority", "a certificate is not trusted", "let the engine and this machine trust the proxy's CA"),
    _known(r"no such host|could not resolve host|server misbehaving|temporary failure in name resolution", "a name is not found (DNS)", _PROXY),
    _known(r"manifest unknown|manifest for .{1,200} not found", "the registry has no such image", "report it: the pinned version is wrong"),
    _known(
        r"i/o timeout|tls handshake timeout|context deadline exceeded|client\.timeout|network is unreachable|no route to host|connection reset",
        "the network gave no answer",
        _PROXY,
    ),
    _known(
        r"already exist for a cluster with the name", "a cluster of this name exists", "take another --name; kubepane touches only its own", REFUSED
    ),
    _known(
        r"failed to lock config file.{0,200}?(?P<file>[^\s:]+\.lock)",
        "another program changes the kubeconfig, or one that was killed left {file}",
        "try again; when it is still there, remove that file",
    ),
    _known(r"unable to decode config|unknown field", "this kind does not understand the configuration", "install the current kind"),
    _known(
        r"kubelet is not (?:running|healthy)|timed out waiting for the condition|failed to init node with kubeadm",
        "Kubernetes did not start in the nodes",
        f"check free memory (4 nodes take 3 GB), then the limits: {INOTIFY}",
    ),
    _known(r"apply failed with \d+ conflict", "somebody else has changed these objects", "kubepane kind down and up makes them anew", REFUSED),
    _known(r"connection to the server .{1,100} was refused|connection refused", "the API server does not answer", "look at `kubepane kind status`"),
)
WHERE = (
    (re.compile(r"failed to pull image", re.IGNORECASE), "the node image cannot be pulled: "),
    (re.compile(r"accumulating resources", re.IGNORECASE), "the release cannot be fetched: "),
)
_SHOWN, _LONGEST = 240, 20_000  # characters of a line
_OUTPUT = "Command Output:"
_NOISE = re.compile(r"^(?:\{|run 'docker|see 'docker|usage:|[•✓✗]|warning:|creating cluster|deleted nodes|: exit status)", re.IGNORECASE)


def explain(ran: Ran, about: str) -> Trouble:
    """What a program's failure means.

    Args:
        ran: the program.
        about: what was being done: "creating the cluster".
    """
    said = f"{ran.argv[0]}: {telling(ran.err)}"
    where = next((text for pattern, text in WHERE if pattern.search(ran.err)), "")
    # kind repeats the whole command in front of the reason: what stands after it counts first
    texts = (ran.err.rpartition(_OUTPUT)[2], ran.err)
    for known in KNOWN:
        for text in texts:
            if match := known.pattern.search(text):
                said = f"{ran.argv[0]}: {telling(ran.err, match[0])}"
                groups = {name: one_line(value or "", 80) for name, value in match.groupdict().items()}
                return Trouble(f"{about}: {where}{known.what.format(**groups)}", known.do, known.code, said)
    if ran.code < 0:
        return Trouble(f"{about}: {ran.argv[0]} was ended by signal {-ran.code}", "run it again to continue", NO, said)
    return Trouble(f"{about}: {where or f'{ran.argv[0]} failed (exit code {ran.code})'}".rstrip(": "), "run it again; it continues", NO, said)


def overdue(late: TookTooLong, about: str) -> Trouble:
    """What it means that a program gave no answer in time."""
    said = f"{late.ran.argv[0]}: {telling(late.ran.err)}"
    return Trouble(f"{about}: no end after {late.seconds:.0f} s", "run it again, it continues; --timeout gives it longer", NO, said)


def telling(err: str, reason: str = "") -> str:
    """The one line of stderr that tells most, cleaned and without secrets.

    Args:
        err: what the program said.
        reason: words of it that must not be cut off.
    """
    after = err.rpartition(_OUTPUT)[2]
    lines = [line for part in (after, err) for line in part.splitlines() if line.strip() and not _NOISE.match(line.strip())]
    worst = [line for line in lines if re.search(r"error|fatal|denied|failed|cannot", line, re.IGNORECASE)]
    found = one_line(next((line for line in lines if reason and reason in line), (worst or lines or ["it said nothing"])[0]), _LONGEST)
    reason = one_line(reason, _SHOWN // 2)
    if len(found) <= _SHOWN or not reason or reason in found[: _SHOWN - 1]:
        return one_line(found, _SHOWN)
    start = max(0, found.find(reason) + len(reason) - _SHOWN + 40)
    return one_line(f"…{found[start:]}", _SHOWN)
