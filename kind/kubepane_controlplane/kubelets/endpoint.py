"""The kubelets' own server: logs, exec, attach and port forwarding for the API server, figures for metrics-server; one port for all nodes.

Whoever asks shows a certificate of the control plane's authority. Streams are WebSockets; the SPDY of older API servers is not spoken.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from kubepane_controlplane.kubelets.backend import RemoteBackend
from kubepane_controlplane.kubelets.figures import Figures
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object
from kubepane_embedded.podforward import run_forward
from kubepane_embedded.podstreams import run_attach, run_exec, send_log
from kubepane_embedded.runtime import PodRuntime

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
FIGURES_PATH = "/metrics/nodes/{node}/metrics/resource"
CLOSING_SECONDS = 1.0


class Endpoint:
    """What is served.

    Args:
        backend: The cluster.
        runtime: The kubelets.
        figures: Of the nodes.
    """

    def __init__(self, backend: RemoteBackend, runtime: PodRuntime, figures: Figures) -> None:
        self._backend = backend
        self._runtime = runtime
        self._figures = figures

    def application(self) -> web.Application:
        """The routes, as pkg/kubelet/server/server.go names them."""
        routes = web.Application(middlewares=[_refusals])
        routes.router.add_get(FIGURES_PATH, self._node)
        routes.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._log)
        for verb, handler in (("exec", self._exec), ("attach", self._attach)):
            routes.router.add_get(f"/{verb}/{{namespace}}/{{pod}}/{{container}}", handler)
        routes.router.add_get("/portForward/{namespace}/{pod}", self._forward)
        return routes

    def _pod(self, request: web.Request) -> Object:
        place = request.match_info
        pod = self._backend.storage.read("pods", place["namespace"], place["pod"])
        if pod is None:
            raise ApiError(404, "NotFound", "pod does not exist")
        return pod

    async def _node(self, request: web.Request) -> web.Response:
        node = request.match_info["node"]
        if self._backend.storage.read("nodes", "", node) is None:
            raise ApiError(404, "NotFound", f"there is no node {node}")
        return web.Response(text=self._figures.text(node))

    async def _log(self, request: web.Request) -> web.StreamResponse:
        return await send_log(request, self._pod(request), request.match_info["container"], self._runtime, self._backend.clock)

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        return await run_exec(request, self._pod(request), request.match_info["container"], self._runtime)

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        return await run_attach(request, self._pod(request), request.match_info["container"], self._runtime)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        return await run_forward(request, self._pod(request), "port", self._runtime)


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Kubelets refuse in plain text, which the API server passes on."""
    try:
        return await handler(request)
    except ApiError as refusal:
        return web.Response(status=refusal.code, text=refusal.message)


def server_tls(folder: Path) -> ssl.SSLContext:
    """TLS with the certificates of `certificates.write`, for those who show one of the same authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "leaf.crt", folder / "leaf.key")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


async def serve(application: web.Application, port: int, tls: ssl.SSLContext) -> web.AppRunner:
    """Listen on 127.0.0.1; `cleanup()` of what is returned ends it."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    return runner
