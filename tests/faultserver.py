"""The model of an API server behind real HTTP on loopback, with its faults: for tests of everything that opens sockets.

    async with FaultServer() as server:
        server.model.make(PODS, "a")
        server.model.rules.append(when(status(410, "Expired"), verb="watch", times=1))
        … server.url …

It listens on 127.0.0.1 only, on a port of its own, and stops by itself at the end of the block or after `LIFETIME`. As a program it
serves for as long as it is let: `python tests/faultserver.py --pods 10000 --kubeconfig FILE`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from apimodel import Answer, Cursor, Hang, Lost, Model, Raw
from kubepane.cluster.kinds import KINDS, PODS, Kind

LIFETIME = 600.0
LARGEST_WRITE = 1 << 16  # bytes of a stream sent at once


class FaultServer:
    """Serves a `Model`.

    Attributes:
        model: the truth and the faults.
        url: where it listens.
        bookmark_every: seconds between the bookmarks of a watch.
        drip: seconds between the bytes of every stream, 0 for none: a link that is very slow.
    """

    def __init__(self, model: Model | None = None, *, bookmark_every: float = 60.0, lifetime: float = LIFETIME) -> None:
        self.model = model or Model()
        self.bookmark_every = bookmark_every
        self.drip = 0.0
        self.url = ""
        self._lifetime = lifetime
        self._port = 0
        self._server: web.Server | None = None
        self._listening: asyncio.Server | None = None
        self._ends: asyncio.TimerHandle | None = None

    # ---- life

    async def __aenter__(self) -> Self:
        await self.start()
        self._ends = asyncio.get_running_loop().call_later(self._lifetime, self.kill)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._ends is not None:
            self._ends.cancel()
        await self.stop()

    async def start(self) -> None:
        """Listens: the first time on any free port, later on the same one again."""
        self._server = web.Server(self._handle)
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._server, "127.0.0.1", self._port, reuse_address=True)
        self._port = self._listening.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Ends every connection and stops listening."""
        self.kill()
        if self._server is not None:
            await self._server.shutdown(0.1)
        await asyncio.sleep(0)

    def kill(self) -> None:
        """Dies as by SIGKILL: every connection is reset, new ones are refused."""
        self.deafen()
        for transport in self._transports():
            transport.abort()

    def deafen(self) -> None:
        """Stops listening, as a server that is terminating: new connections are refused, open watches stay."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    async def restart(self) -> None:
        """Comes back on the same port, and knows no history."""
        self.model.forget_history()
        await self.start()

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._transports())

    def _transports(self) -> list[asyncio.Transport]:
        handlers = self._server.connections if self._server is not None else []
        return [h.transport for h in handlers if isinstance(h.transport, asyncio.Transport)]

    def kubeconfig(self, path: Path, *, namespace: str = "") -> Path:
        """Writes a kubeconfig that names this server."""
        context = {"cluster": "faults", "user": "dev"} | ({"namespace": namespace} if namespace else {})
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "faults",
            "clusters": [{"name": "faults", "cluster": {"server": self.url}}],
            "users": [{"name": "dev", "user": {"token": "dev"}}],
            "contexts": [{"name": "faults", "context": context}],
        }
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def load(self, lists: Mapping[Kind, dict[str, Any]]) -> None:
        """Takes recorded lists as the state of the cluster."""
        for kind, body in lists.items():
            self.model.load(kind, body)

    # ---- requests

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        parsed = None
        with suppress(ValueError):
            parsed = json.loads(body) if body else None
        query = dict(request.query.items())
        ask = self.model.ask(request.method, request.path, query, accept=request.headers.get("Accept", ""), body=parsed)
        found = self.model.answer(ask)
        match found:
            case Answer():
                headers = {"Content-Type": found.kind} | ({"Retry-After": found.retry_after} if found.retry_after else {})
                return web.Response(status=found.status, body=found.body, headers=headers)
            case Lost():
                await asyncio.sleep(found.seconds)
                self._abort(request)
            case Hang():
                await asyncio.Event().wait()
            case Raw():
                return await self._raw(request, found)
            case Cursor():
                with suppress(ConnectionResetError):  # the reader is gone
                    try:
                        return await self._watch(request, found)
                    finally:
                        found.close()
        return web.Response(status=500)

    def _abort(self, request: web.BaseRequest) -> None:
        if request.transport is not None:
            request.transport.abort()

    async def _open(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        return response

    async def _raw(self, request: web.BaseRequest, raw: Raw) -> web.StreamResponse:
        response = await self._open(request)
        for chunk in raw.chunks:
            await response.write(chunk)
        await self._ending(request, raw.then)
        return response

    async def _watch(self, request: web.BaseRequest, cursor: Cursor) -> web.StreamResponse:
        response = await self._open(request)
        loop = asyncio.get_running_loop()
        began = loop.time()
        mark = began + self.bookmark_every
        while True:
            await self._send(response, cursor.lines())
            if cursor.then:
                await self._ending(request, cursor.then)
                return response
            end = began + cursor.seconds
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(mark, end)):
                    await cursor.wake.wait()
                continue
            if loop.time() >= end:
                return response
            mark += self.bookmark_every
            if bookmark := cursor.bookmark():
                await response.write(bookmark)

    async def _send(self, response: web.StreamResponse, lines: list[bytes]) -> None:
        if self.drip:
            for byte in b"".join(lines):
                await response.write(bytes((byte,)))
                await asyncio.sleep(self.drip)
            return
        batch: list[bytes] = []
        size = 0
        for line in lines:
            batch.append(line)
            size += len(line)
            if size > LARGEST_WRITE:
                await response.write(b"".join(batch))
                batch, size = [], 0
        if batch:
            await response.write(b"".join(batch))

    async def _ending(self, request: web.BaseRequest, then: str) -> None:
        if then == "cut":
            self._abort(request)
        elif then == "silence":
            await asyncio.Event().wait()


# ---- as a program ----------------------------------------------------------------------------------------------------------


def bulky_pod(i: int) -> dict[str, Any]:
    """A pod of about 6 KB, with the fields that a real one has."""
    name, node = f"app-{i % 200:03}-{i:05}", f"node-{i % 100:03}"
    container = {
        "name": "app",
        "image": f"registry.example/shop/app-{i % 200}:1.0",
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "env": [{"name": f"VARIABLE_{n}", "value": "x" * 60} for n in range(20)],
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}],
    }
    fields: dict[str, Any] = {f"f:field{n}": {"f:value": {}, "f:name": {}} for n in range(40)}
    return {
        "metadata": {
            "name": name,
            "namespace": f"team-{i % 20:02}",
            "creationTimestamp": "2026-06-01T10:00:00Z",
            "labels": {"app": f"app-{i % 200}", "pod-template-hash": "6d9c947bc9"},
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"app-{i % 200}", "uid": f"rs-{i % 200}", "controller": True}
            ],
            "managedFields": [{"manager": "kubelet", "operation": "Update", "fieldsV1": fields}],
        },
        "spec": {"nodeName": node, "containers": [container], "restartPolicy": "Always", "serviceAccountName": "default"},
        "status": {
            "phase": "Running",
            "podIP": f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}",
            "startTime": "2026-06-01T10:00:01Z",
            "conditions": [
                {"type": t, "status": "True"} for t in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [{"name": "app", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": "2026-06-01T10:00:05Z"}}}],
        },
    }


async def serve(pods: int, churn: float, kubeconfig: Path | None) -> None:
    """Serves until it is interrupted."""
    model = Model(KINDS)
    for i in range(pods):
        model.put(PODS, bulky_pod(i))
    async with FaultServer(model, lifetime=1e9) as server:
        if kubeconfig is not None:
            server.kubeconfig(kubeconfig)
        print(server.url, flush=True)
        i = 0
        while True:
            await asyncio.sleep(1 / churn if churn else 3600)
            if churn and pods:
                model.put(PODS, bulky_pod(i % pods))
                i += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=0)
    parser.add_argument("--churn", type=float, default=0.0, help="pod changes a second")
    parser.add_argument("--kubeconfig", type=Path)
    args = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(args.pods, args.churn, args.kubeconfig))


if __name__ == "__main__":
    main()
