"""Known failures of kind, kubectl and the engines, as they stand on stderr, and what is made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubepane.kindcluster import failures
from kubepane.kindcluster.programs import Programs, Ran, TookTooLong
from program.kindstage import Stage

RUN = (
    'ERROR: failed to create cluster: command "docker run --name kubepane-control-plane --privileged -e HTTPS_PROXY=http://joe:hunter2@proxy:3128 '
    '--publish=127.0.0.1:80:80/TCP --publish=127.0.0.1:443:443/TCP kindest/node:v1.35.8" failed with error: exit status 125\n\nCommand Output: '
)
PULL = (
    'ERROR: failed to create cluster: failed to pull image "kindest/node:v1.35.8@sha256:07b2": command "docker pull kindest/node:v1.35.8@sha256:07b2" '
    "failed with error: exit status 1\n\nCommand Output: "
)
KUSTOMIZE = (
    "error: accumulating resources: accumulation err='accumulating resources from 'https://raw.githubusercontent.com/projectcalico/calico/v3.32.1/"
    'manifests/calico.yaml\': Get "https://raw.githubusercontent.com/projectcalico/calico/v3.32.1/manifests/calico.yaml": '
)
INOTIFY = "raise them: sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512"
PORTS = "stop what listens there, or choose others with --http-port and --https-port"
NETWORK = "check this network; behind a proxy set HTTPS_PROXY in this shell and for the engine's daemon"
CASES = {
    "docker 28: port": (
        RUN
        + "docker: Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint "
        "kubepane-control-plane (3b1): Bind for 127.0.0.1:80 failed: port is already allocated\n\nRun 'docker run --help' for more information\n",
        ("port 80 of this machine is taken", PORTS, 1),
    ),
    "docker: port of another program": (
        RUN + "docker: Error response from daemon: failed to listen on TCP socket: listen tcp4 127.0.0.1:443: bind: address already in use.\n",
        ("port 443 of this machine is taken", PORTS, 1),
    ),
    "docker desktop: port": (
        RUN + "docker: Error response from daemon: Ports are not available: exposing port TCP 127.0.0.1:80 -> 0.0.0.0:0: listen tcp 127.0.0.1:80: "
        "bind: An attempt was made to access a socket in a way forbidden by its access permissions.\n",
        ("port 80 of this machine is taken", PORTS, 1),
    ),
    "podman: port": (
        RUN.replace("docker", "podman") + "Error: cannot listen on the TCP port: listen tcp4 127.0.0.1:80: bind: address already in use\n",
        ("port 80 of this machine is taken", PORTS, 1),
    ),
    "inotify": (
        RUN + "Failed to create control group inotify object: Too many open files\nFailed to allocate manager object: Too many open files\n",
        ("the inotify limits of this machine are used up", INOTIFY, 1),
    ),
    "inotify, said as a full disk": (
        RUN + "kubelet: inotify_add_watch /sys/fs/cgroup: no space left on device\n",
        ("the inotify limits of this machine are used up", INOTIFY, 1),
    ),
    "disk": (
        PULL + "failed to register layer: write /usr/local/bin/etcd: no space left on device\n",
        ("the node image cannot be pulled: the disk is full", "make room: `docker system df` shows what the engine keeps", 1),
    ),
    "a node that does not boot": (
        'ERROR: failed to create cluster: could not find a log line that matches "Reached target .*Multi-User System.*|detected cgroup v1"\n',
        (
            "a node did not boot: cgroups or inotify limits of this machine",
            "check that it has cgroup v2, and raise the limits: " + INOTIFY.partition(": ")[2],
            1,
        ),
    ),
    "WSL": (
        RUN
        + "docker: Error response from daemon: OCI runtime create failed: unable to start container process: error adding pid 655569 to cgroups\n",
        (
            "a node did not boot: cgroups or inotify limits of this machine",
            "check that it has cgroup v2, and raise the limits: " + INOTIFY.partition(": ")[2],
            1,
        ),
    ),
    "rootless without delegation": (
        'ERROR: failed to create cluster: running kind with rootless provider requires setting systemd property "Delegate=yes", see https://kind.sigs.k8s.io\n',
        ("the rootless engine may not limit resources", "delegate cgroups to user services: see “Rootless” in kind's documentation", 3),
    ),
    "DNS while pulling": (
        PULL
        + 'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: no such host\n',
        ("the node image cannot be pulled: a name is not found (DNS)", NETWORK, 1),
    ),
    "proxy while pulling": (
        PULL
        + 'Error response from daemon: Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: connection refused\n',
        ("the node image cannot be pulled: the proxy does not let it through", NETWORK, 1),
    ),
    "a proxy that opens TLS": (
        PULL
        + 'Error response from daemon: Get "https://registry-1.docker.io/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority\n',
        ("the node image cannot be pulled: a certificate is not trusted", "let the engine and this machine trust the proxy's CA", 1),
    ),
    "too many pulls": (
        PULL + "Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit.\n",
        ("the node image cannot be pulled: the registry wants no more requests for now", "log in to it (docker login), or wait an hour", 1),
    ),
    "no network while pulling": (
        PULL
        + 'Error response from daemon: Get "https://registry-1.docker.io/v2/": net/http: request canceled (Client.Timeout exceeded while awaiting headers)\n',
        ("the node image cannot be pulled: the network gave no answer", NETWORK, 1),
    ),
    "DNS while fetching a release": (
        KUSTOMIZE + "dial tcp: lookup raw.githubusercontent.com on 10.0.0.53:53: no such host': failed to run '/usr/bin/git fetch --depth=1 "
        "https://raw.githubusercontent.com/projectcalico/calico HEAD': fatal: unable to access 'https://raw.githubusercontent.com/projectcalico/calico/': "
        "Could not resolve host: raw.githubusercontent.com\n: exit status 128\n",
        ("the release cannot be fetched: a name is not found (DNS)", NETWORK, 1),
    ),
    "proxy while fetching a release": (
        KUSTOMIZE + "Proxy Authentication Required': URL is a git repository\n",
        ("the release cannot be fetched: the proxy does not let it through", NETWORK, 1),
    ),
    "a name that is there": (
        'ERROR: failed to create cluster: node(s) already exist for a cluster with the name "kubepane"\n',
        ("a cluster of this name exists", "take another --name; kubepane touches only its own", 4),
    ),
    "a lock that was left": (
        "ERROR: failed to create cluster: failed to lock config file: open /home/joe/.kube/config.lock: file exists\n",
        (
            "another program changes the kubeconfig, or one that was killed left /home/joe/.kube/config.lock",
            "try again; when it is still there, remove that file",
            1,
        ),
    ),
    "an old kind": (
        "ERROR: failed to create cluster: unable to decode config: yaml: unmarshal errors:\n  line 3: field runtimeConfig not found\n",
        ("this kind does not understand the configuration", "install the current kind", 1),
    ),
    "kubeadm": (
        'ERROR: failed to create cluster: failed to init node with kubeadm: command "docker exec kubepane-control-plane kubeadm init" failed with error: exit '
        "status 1\n\nCommand Output: [kubelet-check] The kubelet is not healthy after 4m0s\n",
        ("Kubernetes did not start in the nodes", "check free memory (4 nodes take 3 GB), then the limits: " + INOTIFY.partition(": ")[2], 1),
    ),
    "conflict": (
        'error: Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.template.spec.nodeSelector\n',
        ("somebody else has changed these objects", "kubepane kind down and up makes them anew", 4),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_known_failures(name: str) -> None:
    err, (what, do, code) = CASES[name]
    found = failures.explain(Ran(("kind", "create"), 1, "", err), "making the cluster")
    assert (found.what, found.do, found.code) == (f"making the cluster: {what}", do, code)
    assert "\n" not in str(found)
    assert "hunter2" not in str(found)
    assert len(str(found)) < 650


def test_the_reason_is_not_cut_off() -> None:
    found = failures.explain(Ran(("kubectl", "apply"), 1, "", CASES["DNS while fetching a release"][0]), "installing calico")
    assert "lookup raw.githubusercontent.com on 10.0.0.53:53: no such host" in found.said
    assert found.said.startswith("kubectl: …")
    assert len(found.said) <= 250


def test_an_unknown_failure_shows_the_line_that_tells_most() -> None:
    err = " • Preparing nodes 📦  ...\n ✗ Preparing nodes 📦 \nERROR: failed to create cluster: something \x1b[31mnew\x1b[0m\n\nCommand Output: {}\n"
    found = failures.explain(Ran(("kind", "create"), 1, "", err), "making the cluster")
    assert found.what == "making the cluster: kind failed (exit code 1)"
    assert found.said == "kind: ERROR: failed to create cluster: something [31mnew [0m"


def test_a_program_that_says_nothing() -> None:
    found = failures.explain(Ran(("kind", "create"), 1, "", ""), "making the cluster")
    assert found.said == "kind: it said nothing"
    killed = failures.explain(Ran(("kind", "create"), -9, "", ""), "making the cluster")
    assert "kind was ended by signal 9" in killed.what


def test_proxy_passwords_are_never_shown() -> None:
    found = failures.explain(Ran(("kind", "create"), 1, "", RUN + "\n"), "making the cluster")
    assert "hunter2" not in str(found)
    assert "http://***@proxy" in str(found)


def test_a_failure_that_leaves_nothing(stage: Stage) -> None:
    stage.fails("kind create", CASES["docker 28: port"][0])
    said = stage.run("up")
    assert said.code == 1
    assert said.err.startswith("kubepane kind up: making the cluster: port 80 of this machine is taken; stop what listens there")
    assert said.err.endswith("port is already allocated); nothing is left behind\n")
    assert said.err.count("\n") == 1
    assert "✕ cluster" in said.out
    assert not stage.record.exists()
    assert stage.run("up").code == 0


def test_a_failure_that_leaves_nodes_is_cleared_by_the_next_run(stage: Stage) -> None:
    stage.fails("kind create", CASES["kubeadm"][0], leave=2)
    said = stage.run("up")
    assert said.code == 1
    assert "2 unfinished nodes are left: `kubepane kind up` begins anew, `kubepane kind down` removes them" in said.err
    assert "kubepane, unfinished, docker" in stage.run("status").out
    stage.fails("kubectl get", "The connection to the server 127.0.0.1:36011 was refused\n")
    again = stage.run("up")
    assert again.code == 0
    assert "removed what an interrupted run left" in again.out
    assert len(stage.state["containers"]) == 4


def test_unfinished_nodes_are_removed_by_down(stage: Stage) -> None:
    stage.fails("kind create", CASES["kubeadm"][0], leave=2)
    stage.run("up")
    said = stage.run("down", "--yes")
    assert said.code == 0
    assert "removed, 2 nodes" in said.out
    assert not stage.record.exists()


def test_a_cluster_that_was_complete_when_kubepane_was_killed_is_kept(stage: Stage) -> None:
    stage.made()
    record = stage.record.read_text()
    stage.record.write_text(record.replace('"finished": true', '"finished": false'))
    said = stage.run("up")
    assert said.code == 0
    assert "was there already, 4 nodes" in said.out
    assert not stage.calls("kind delete")
    assert stage.record.read_text() == record


# ---- programs


def test_a_program_gets_no_shell_and_no_more_time_than_it_has(stage: Stage) -> None:
    programs = Programs()
    assert programs.run("kind", "version; echo", "$HOME").argv == ("kind", "version; echo", "$HOME")
    assert stage.calls("kind")[0].args == ("version; echo", "$HOME")
    stage.fails("kind create", "working\n", hang=True)
    heard: list[str] = []
    with pytest.raises(TookTooLong) as end, _reading(stage):
        programs.run("kind", "create", timeout=0.6, watch=heard.append)
    assert end.value.ran.err == "working\n"
    assert end.value.ran.code < 0
    assert heard == ["working\n"]


@contextmanager
def _reading(stage: Stage) -> Iterator[None]:
    """Holds the reader's end of the fake programs' FIFO open, so that a program that hangs does so at once."""
    handle = os.open(stage.world / "hangs", os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield
    finally:
        os.close(handle)


def test_a_step_that_takes_too_long_says_so(stage: Stage) -> None:
    stage.fails("kind create", " • Starting control-plane 🕹️  ...\n", hang=True)
    with _reading(stage):
        said = stage.run("up", "--timeout", "1")
    assert said.code == 1
    assert "making the cluster: no end after 1 s; run it again, it continues; --timeout gives it longer" in said.err
    assert "nothing is left behind" in said.err
