"""Stands in for kind, kubectl, docker and podman: one small world in a JSON file, and a record of all that was asked.

Started as `python kind_world.py WORLD NAME ARG …`. It says what the real programs say: kind 0.33, Docker 28, Podman 5, kubectl 1.32.
"""

from __future__ import annotations

import json
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # it is started some hundred times: it loads what it needs and no more
    from collections.abc import Iterator, Sequence
    from typing import Any, NoReturn

    World = dict[str, Any]

WORLD = sys.argv[1]
NAME, ARGS = sys.argv[2], sys.argv[3:]
LABEL = "io.x-k8s.kind.cluster"
RUNS = {
    "calico": [("DaemonSet", "kube-system", "calico-node"), ("Deployment", "kube-system", "calico-kube-controllers")],
    "metrics-server": [("Deployment", "kube-system", "metrics-server")],
    "ingress-nginx": [("Deployment", "ingress-nginx", "ingress-nginx-controller")],
    "traefik": [("Deployment", "traefik", "traefik")],
}


def load() -> World:
    with open(f"{WORLD}/world.json") as file:
        found: World = json.load(file)
    return found


def save(world: World) -> None:
    new = f"{WORLD}/world.{os.getpid()}"
    with open(new, "w") as file:
        file.write(json.dumps(world))
    os.replace(new, f"{WORLD}/world.json")


def option(name: str, default: str = "") -> str:
    return ARGS[ARGS.index(name) + 1] if name in ARGS else default


def answer(text: str = "", err: str = "", code: int = 0) -> NoReturn:
    sys.stdout.write(text)
    sys.stderr.write(err)
    sys.exit(code)


def record() -> str:
    given = sys.stdin.read() if "-" in ARGS else ""
    line = {
        "program": NAME,
        "args": ARGS,
        "stdin": given,
        "provider": os.environ.get("KIND_EXPERIMENTAL_PROVIDER", ""),
        "terminal": sys.stdin.isatty(),
    }
    with open(f"{WORLD}/calls.jsonl", "a") as file:
        file.write(json.dumps(line) + "\n")
    return given


def fail(world: World) -> None:
    """A failure that the test has ordered for calls with all these words; `times` of them, then it goes well."""
    for words, how in world["fail"].items():
        if set(words.split()) <= {NAME, *ARGS} and how.get("times", 1) > 0:
            how["times"] = how.get("times", 1) - 1
            if "leave" in how:
                containers(world, option("--name"), how["leave"])
            save(world)
            if how.get("hang"):
                sys.stderr.write(how.get("err", ""))
                sys.stderr.flush()
                with open(f"{WORLD}/hangs", "w") as fifo:  # the test waits for this line
                    fifo.write(f"{os.getpid()}\n")
                if how.get("deaf"):
                    signal.signal(signal.SIGINT, signal.SIG_IGN)
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    signal.pause()
            answer(how.get("out", ""), how.get("err", ""), how.get("code", 1))


# ---- kind


def containers(world: World, name: str, how_many: int, ports: Sequence[tuple[int, int]] = ()) -> None:
    for at in range(how_many):
        node = f"{name}-control-plane" if at == 0 else f"{name}-worker{at if at > 1 else ''}"
        world["made"] += 1
        published = [*ports, (36011, 6443)] if at == 0 else []
        world["containers"].append({"id": f"{world['made']:064x}", "name": node, "cluster": name, "state": "running", "ports": published})


def kubeconfig(world: World, name: str) -> World:
    key = f"kind-{name}"
    ca = next(one["id"] for one in world["containers"] if one["cluster"] == name)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": key, "cluster": {"server": "https://127.0.0.1:36011", "certificate-authority-data": ca}}],
        "users": [{"name": key, "user": {"client-key-data": "c2VjcmV0"}}],
        "contexts": [{"name": key, "context": {"cluster": key, "user": key}}],
        "current-context": key,
    }


def export(world: World, name: str) -> None:
    path = option("--kubeconfig") or os.environ.get("KUBECONFIG") or f"{os.environ['HOME']}/.kube/config"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(json.dumps(kubeconfig(world, name)))


def kind(world: World, given: str) -> NoReturn:
    name = option("--name")
    if ARGS[:1] == ["version"]:
        answer(f"kind {world['kind']} go1.26.8 linux/amd64\n")
    if ARGS[:2] == ["create", "cluster"]:
        sys.path.append(os.environ["FAKE_PACKAGES"])
        import yaml  # slow to load: only here

        config = yaml.safe_load(given)
        mapped = [(one["hostPort"], one["containerPort"]) for one in config["nodes"][0]["extraPortMappings"]]
        containers(world, name, len(config["nodes"]), mapped)
        world["labels"] = [node["labels"] for node in config["nodes"]]
        save(world)
        export(world, name)
        answer(
            err=f'Creating cluster "{name}" ...\n • Preparing nodes 📦 📦   ...\n ✓ Preparing nodes 📦 📦 \nSet kubectl context to "kind-{name}"\n'
        )
    if ARGS[:2] == ["get", "kubeconfig"]:
        if not any(one["cluster"] == name for one in world["containers"]):
            answer(
                err=f"ERROR: could not locate any control plane nodes for cluster named '{name}'. Use the --name option to select a different cluster\n",
                code=1,
            )
        answer(json.dumps(kubeconfig(world, name)))
    if ARGS[:2] == ["export", "kubeconfig"]:
        export(world, name)
        answer(err=f'Set kubectl context to "kind-{name}"\n')
    if ARGS[:2] == ["delete", "cluster"]:
        world["containers"] = [one for one in world["containers"] if one["cluster"] != name]
        world["addons"] = {}
        save(world)
        answer(err=f'Deleting cluster "{name}" ...\nDeleted nodes: []\n')
    answer(err=f"ERROR: unknown command {ARGS}\n", code=1)


# ---- docker, podman


def engine(world: World) -> NoReturn:
    if ARGS == ["-v"]:
        answer("Docker version 28.2.2, build e6534b4\n" if world["docker is docker"] or NAME == "podman" else "podman version 5.6.0\n")
    if not world["up"][NAME]:
        address = "unix:///var/run/docker.sock"
        text = {
            "docker": f"Cannot connect to the Docker daemon at {address}. Is the docker daemon running?\n",
            "podman": "Cannot connect to Podman. Please verify your connection to the Linux system using `podman system connection list`\n",
        }
        answer('{"ServerErrors": null}\n' if ARGS[0] == "info" else "", text[NAME], 1)
    if ARGS[0] == "info":
        answer(json.dumps(world["info"][NAME]) + "\n")
    if ARGS[0] == "ps":
        if world["engine"] != NAME:
            answer()
        cluster = option("--filter").removeprefix(f"label={LABEL}=") if "--filter" in ARGS else None
        for one in world["containers"]:
            if cluster in (None, one["cluster"]) and ("-a" in ARGS or one["state"] == "running"):
                running = one["state"] == "running"
                ports = ", ".join(f"127.0.0.1:{host}->{inside}/tcp" for host, inside in one["ports"]) if running else ""
                sys.stdout.write(f"{one['id']}\t{one['name']}\t{one['state']}\t{ports}\n")
        answer()
    if ARGS[0] == "start":
        for one in world["containers"]:
            if one["id"] in ARGS[1:]:
                one["state"] = "running"
        save(world)
        answer("".join(f"{each}\n" for each in ARGS[1:]))
    answer(err=f"unknown command {ARGS}\n", code=1)


# ---- kubectl


def workload(kind: str, namespace: str, name: str, ready: bool) -> World:
    have = 1 if ready else 0
    status: World = {"observedGeneration": 1, "desiredNumberScheduled": 1, "numberAvailable": have, "updatedNumberScheduled": 1}
    if kind == "Deployment":
        status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, **({"availableReplicas": 1} if ready else {})}
    return {"kind": kind, "metadata": {"namespace": namespace, "name": name, "generation": 1}, "spec": {}, "status": status}


def items(world: World) -> Iterator[World]:
    network = world["addons"].get("calico", 1) <= -world["nodes late"]
    for at, one in enumerate(world["containers"]):
        ready = {"type": "Ready", "status": "True" if network else "False", "message": "cni plugin not initialized"}
        labels = world["labels"][at] if at < len(world["labels"]) else {}
        yield {"kind": "Node", "metadata": {"name": one["name"], "labels": labels}, "status": {"conditions": [ready]}}
    for addon, looks in world["addons"].items():
        yield from (workload(*part, looks <= 0) for part in RUNS[addon])
        if addon == "metrics-server" and looks <= 0:
            yield {
                "kind": "APIService",
                "metadata": {"name": "v1beta1.metrics.k8s.io"},
                "status": {"conditions": [{"type": "Available", "status": "True"}]},
            }
        if looks > 0 and addon in world["stuck"]:
            _, namespace, name = RUNS[addon][0]
            waiting = {"reason": "ImagePullBackOff", "message": world["stuck"][addon]}
            status = {"containerStatuses": [{"state": {"waiting": waiting}}]}
            yield {"kind": "Pod", "metadata": {"namespace": namespace, "name": f"{name}-x1"}, "status": status}


def kubectl(world: World) -> NoReturn:
    words = [word for word in ARGS if not word.startswith("-")]
    if "apply" in words:
        world["addons"][os.path.basename(option("-k"))] = world["looks"]
        save(world)
        answer("daemonset.apps/calico-node serverside-applied\n")
    if "get" in words:
        answered = json.dumps({"kind": "List", "items": list(items(world))})
        world["addons"] = {name: looks - 1 for name, looks in world["addons"].items()}
        save(world)
        answer(answered)
    answer(err=f"error: unknown command {ARGS}\n", code=1)


def main() -> None:
    world = load()
    given = record()
    fail(world)
    if NAME == "kind":
        kind(world, given)
    if NAME == "kubectl":
        kubectl(world)
    engine(world)


main()
