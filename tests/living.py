"""A whole embedded cluster for tests that change it: assembled, served on a thread, with every request written down, faults on demand."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kubepane import cli
from kubepane_embedded.cluster import ServedCluster
from kubepane_embedded.errors import ApiError
from kubepane_embedded.seeds.clusters import Wanted, seeded

APPS = "/apis/apps/v1/namespaces/shop"
CORE = "/api/v1/namespaces/shop"
NODES = "/api/v1/nodes"
WORKER = "kubepane-worker"
SPEED = 60.0  # cluster seconds a second


class Cut(Exception):
    """Raised by `Living.before` and `Living.after`: the connection ends here, without an answer."""


@dataclass
class Asked:
    """One request that the server got."""

    method: str
    path: str
    query: dict[str, str]
    body: Any = None
    outdated: bool = False  # refused because the object had another revision by then: the same change may come again

    @property
    def changes(self) -> bool:
        """Whether it was meant to change something."""
        return not self.outdated and self.method != "GET" and "dryRun" not in self.query and "/authorization.k8s.io/" not in self.path


@dataclass
class Living:
    """A cluster to act on.

    Attributes:
        asked: every request, in order.
        before: called with each request before it is handled; may raise `Cut`.
        after: the same, once it was handled and before the answer is sent.
    """

    served: ServedCluster
    kubeconfig: Path
    url: str
    asked: list[Asked] = field(default_factory=list)
    before: Callable[[Asked], None] = lambda asked: None
    after: Callable[[Asked], None] = lambda asked: None

    def changes(self) -> list[str]:
        """The requests that changed something, as `PATCH /api/v1/nodes/x`, without those of tests."""
        return [f"{one.method} {one.path}" for one in self.asked if one.changes]

    def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """A request of the test itself: it is not written down."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": kind, "X-Test": "1"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()}") from error

    def patch(self, path: str, change: Any) -> Any:
        """A merge patch by somebody else."""
        return self.call("PATCH", path, change, "application/merge-patch+json")

    def get(self, path: str) -> Any:
        """What is there now."""
        return self.call("GET", path)

    def deploy(self, name: str, replicas: int = 1, **pod: Any) -> Any:
        """A Deployment in the namespace shop, with one container that simply runs."""
        labels = {"app": name}
        spec = {"terminationGracePeriodSeconds": 0, "containers": [{"name": "app", "image": "registry.k8s.io/pause:3.10"}], **pod}
        template = {"metadata": {"labels": labels}, "spec": spec}
        body = {"metadata": {"name": name}, "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}}
        return self.call("POST", f"{APPS}/deployments", body)


@contextmanager
def living(folder: Path, **wanted: Any) -> Iterator[Living]:
    """A seed cluster with the namespace shop."""
    cluster = seeded(Wanted(**{"speed": SPEED, "kubeconfig": folder / "kubeconfig", **wanted}))
    served = ServedCluster(cluster)
    kubeconfig = served.start()
    made = Living(served, kubeconfig, cluster.server.url)
    _write_down(made)
    made.call("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    try:
        yield made
    finally:
        served.stop()


def _write_down(made: Living) -> None:
    server = made.served.cluster.server
    handle = server._dispatch

    async def dispatch(request: Any, path: str) -> Any:
        if "X-Test" in request.headers:
            return await handle(request, path)
        body = await request.json() if request.can_read_body else None
        asked = Asked(request.method, path, dict(request.query), body)
        made.asked.append(asked)
        try:
            made.before(asked)
            answer = await handle(request, path)
            made.after(asked)
        except Cut:
            request.transport.abort()
            return web.Response()
        except ApiError as error:
            asked.outdated = error.code == 409
            raise
        return answer

    server._dispatch = dispatch  # type: ignore[method-assign]


class Terminal:
    """A keyboard with somebody at it.

    Args:
        answers: what is typed, one a question.
        meanwhile: what happens in the cluster while the question stands.
    """

    def __init__(self, *answers: str, meanwhile: Callable[[], Any] = lambda: None) -> None:
        self._answers, self._meanwhile = list(answers), meanwhile

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        self._meanwhile()
        return self._answers.pop(0) + "\n"


@dataclass
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@dataclass
class Command:
    """Runs the command line in process."""

    living: Living
    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __call__(self, *words: str, at: Terminal | None = None, kubeconfig: Path | None = None) -> Said:
        if at is not None:
            self.monkeypatch.setattr(sys, "stdin", at)
        self.living.asked.clear()
        self.capture.readouterr()
        code = cli.main([*words, "--kubeconfig", str(kubeconfig or self.living.kubeconfig), "-n", "shop"])
        out, err = self.capture.readouterr()
        return Said(code, out, err)
