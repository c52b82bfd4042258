"""The API server's face: aiohttp on loopback, an unguessable path, no foreign Host or Origin; documents, lists, watches, writes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterator
from typing import Any

from aiohttp import web
from multidict import CIMultiDict

from kubepane_embedded import discovery, errors, openapi_v2, tables
from kubepane_embedded.access import Authenticator
from kubepane_embedded.clock import Clock, PacedClock, Timer
from kubepane_embedded.core import Core
from kubepane_embedded.handlers import Answer, Call, ResourceHandlers, deprecated, json_answer, write_options
from kubepane_embedded.listing import read_options
from kubepane_embedded.meta import Object
from kubepane_embedded.openapi import OpenApi
from kubepane_embedded.podforward import run_forward
from kubepane_embedded.podstreams import run_attach, run_exec, send_log
from kubepane_embedded.rbac import Attributes, Authorizer
from kubepane_embedded.registry import Registry, Resource
from kubepane_embedded.requestinfo import RequestInfo, read_path
from kubepane_embedded.requests import User
from kubepane_embedded.runtime import MetricsSource, MetricsUnavailable, PodRuntime
from kubepane_embedded.views import ENCODER, View, choose
from kubepane_embedded.watching import BOOKMARK_BEFORE_END, BOOKMARK_EVERY, Watcher

log = logging.getLogger(__name__)
VERSION = {
    "major": "1",
    "minor": "35",
    "emulationMajor": "1",
    "emulationMinor": "35",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "34",
    "gitVersion": "v1.35.4+embedded",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "simulated",
}
BODY_LIMIT = 3 * 1024 * 1024
HOSTS = ("127.0.0.1", "localhost")
NOT_FOUND = "404 page not found\n"
UNAVAILABLE = "service unavailable\n"
BATCH = 0.005
"""Seconds that a busy watch gathers events before it writes again; a lone event goes out at once."""
BATCH_BYTES = 256 * 1024
OPTIONS = {"POST": "CreateOptions", "PUT": "UpdateOptions", "PATCH": "PatchOptions", "DELETE": "DeleteOptions", "GET": "GetOptions"}


class Server:
    """Serves one core. Everything runs on one loop.

    Args:
        core: Store, API and clock.
        runtime: The simulated kubelet (logs, exec), or None.
        metrics: What metrics.k8s.io serves; None leaves the group out.
        wire: The clock of the protocol itself (timeouts, bookmarks); real time whatever the cluster's clock does.
    """

    def __init__(self, core: Core, runtime: PodRuntime | None = None, metrics: MetricsSource | None = None, wire: Clock | None = None) -> None:
        self.core = core
        self.runtime = runtime
        self.metrics = metrics
        self.wire = wire or PacedClock()
        self.prefix = f"/c/{secrets.token_urlsafe(24)}"
        self.port = 0
        self.watchers: set[Watcher] = set()
        self._authorizer = Authorizer(core.storage)
        self._authenticator = Authenticator(core.storage, self._authorizer, core.clock)
        self._handlers = ResourceHandlers(core, self._authorizer)
        self._runner: web.AppRunner | None = None
        served = [item for item in core.registry.resources if metrics is not None or item.group != "metrics.k8s.io"]
        self._registry = Registry(served)
        self._openapi = OpenApi(self._registry, self.prefix)

    @property
    def url(self) -> str:
        """The server's address, path and all; whoever knows it is the admin."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; OSError when the port is taken."""
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=1.0, keepalive_timeout=90.0, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=256)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.wire.attach(asyncio.get_running_loop())

    async def stop(self) -> None:
        """End all watches cleanly and stop listening."""
        for watcher in tuple(self.watchers):
            watcher.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self.wire.detach()

    # one request

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        path = request.path[len(self.prefix) :] or "/"
        try:
            return await self._dispatch(request, path)
        except errors.ApiError as error:
            return self._failed(error)
        except web.HTTPRequestEntityTooLarge:
            text = f"Request entity too large: limit is {BODY_LIMIT}"
            return self._failed(errors.ApiError(413, "RequestEntityTooLarge", text))
        except (asyncio.CancelledError, ConnectionError, web.HTTPException):
            raise
        except Exception:
            log.exception("%s %s failed", request.method, path)
            text = f"This request caused apiserver to panic. Look in the logs for details: {request.method} {path}"
            return self._failed(errors.ApiError(500, "InternalError", text))

    def _refuse(self, request: web.Request) -> web.Response | None:
        """What does not come from a client that was given the address: browsers and strangers."""
        host = request.host.rpartition(":")[0] if ":" in request.host else request.host
        if host not in HOSTS or request.headers.get("Origin", own := f"http://{request.host}") != own:  # some WebSocket clients name our own
            return web.Response(status=403, text="Forbidden\n")
        given = request.path.encode("utf-8", "surrogateescape")[: len(self.prefix)]
        rest = request.path[len(self.prefix) : len(self.prefix) + 1]
        if not secrets.compare_digest(given, self.prefix.encode()) or rest not in ("", "/"):
            return web.Response(status=404, text=NOT_FOUND)
        return None

    @staticmethod
    def _failed(error: errors.ApiError) -> web.Response:
        headers = _warnings(error.warnings)
        if error.retry_after is not None:
            headers["Retry-After"] = str(error.retry_after)
        body = ENCODER.encode(error.status()) + b"\n"
        return web.Response(status=error.code, body=body, content_type="application/json", headers=headers)

    @staticmethod
    def _headers(answer: Answer) -> CIMultiDict[str]:
        headers = _warnings(answer.warnings)
        headers.update({"Content-Type": answer.content_type, "Cache-Control": "no-cache, private"})
        return headers

    def _sent(self, answer: Answer) -> web.Response:
        return web.Response(status=answer.code, body=b"".join(answer.chunks), headers=self._headers(answer))

    async def _stream_answer(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Send a list: at once when it is short, else piece by piece, so that neither memory nor other requests feel it."""
        pieces = iter(answer.chunks)
        first = _batch(pieces)
        if len(first) < BATCH_BYTES:
            return web.Response(status=answer.code, body=first, headers=self._headers(answer))
        response = web.StreamResponse(status=answer.code, headers=self._headers(answer))
        response.enable_chunked_encoding()
        await response.prepare(request)
        while first:
            await response.write(first)
            await asyncio.sleep(0)
            first = _batch(pieces)
        await response.write_eof()
        return response

    async def _dispatch(self, request: web.Request, path: str) -> web.StreamResponse:
        user = self._authenticator.user(request.headers)
        info = read_path(request.method, path, request.query)
        if info is None:
            verb = {"GET": "get", "HEAD": "get", "POST": "post", "PUT": "put", "PATCH": "patch", "DELETE": "delete"}.get(request.method, "")
            self._authorizer.check(user, Attributes(verb or request.method.lower(), path=path))
            return self._document(request, path)
        if not (info.verb == "watch" and info.name):
            self._authorize(user, info, request)
        resource = self._registry.at(info.group, info.version, info.plural)
        if resource is None:
            if info.version in self._registry.groups().get(info.group, []):
                raise errors.no_such_resource()
            return web.Response(status=404, text=NOT_FOUND)
        return await self._resource(request, info, resource, user)

    def _authorize(self, user: User, info: RequestInfo, request: web.Request) -> None:
        name = info.name
        if info.verb in ("list", "watch", "deletecollection") and request.query.get("fieldSelector", "").startswith("metadata.name="):
            name = request.query["fieldSelector"].partition("=")[2]
        namespace = info.name if (info.group, info.plural) == ("", "namespaces") and info.name else info.namespace
        self._authorizer.check(user, Attributes(info.verb, info.group, info.plural, info.subresource, namespace, name))
        connects = info.plural == "pods" and info.subresource in ("exec", "attach", "portforward")
        if connects and info.verb == "get" and request.headers.get("Upgrade", "").lower() == "websocket":
            # since 1.35 a GET that becomes a WebSocket needs `create` as well (AuthorizePodWebsocketUpgradeCreatePermission)
            asked = Attributes("create", info.group, info.plural, info.subresource, namespace, name)
            if self._authorizer.decide(user, asked) is None:
                raise errors.forbidden(info.group, info.plural, name, "")

    # documents

    def _document(self, request: web.Request, path: str) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            known = path.rstrip("/") in ("/version", "/api", "/apis", "/livez", "/readyz", "/healthz")
            if known:
                raise errors.method_not_allowed()
            return web.Response(status=404, text=NOT_FOUND)
        parts = [part for part in path.split("/") if part]
        if parts[:1] in (["livez"], ["readyz"], ["healthz"]):
            return self._health(parts, request)
        if parts == ["version"]:
            return self._sent(json_answer(VERSION))
        if parts == ["openapi", "v2"]:
            media = openapi_v2.media(request.headers.get("Accept", ""))
            return web.Response(status=406) if media is None else web.Response(body=openapi_v2.document(media), content_type=media)
        if parts[:2] == ["openapi", "v3"]:
            body = self._openapi.index() if len(parts) == 2 else self._openapi.document("/".join(parts[2:]))
            if body is not None:
                return web.Response(body=body, content_type="application/json")
        found = self._discovery(request, parts)
        return found if found is not None else web.Response(status=404, text=NOT_FOUND)

    def _health(self, parts: list[str], request: web.Request) -> web.Response:
        if "verbose" in request.query:
            text = f"[+]ping ok\n[+]log ok\n[+]simulated ok\n{parts[0]} check passed\n"
            return web.Response(text=text)
        return web.Response(text="ok")

    def _discovery(self, request: web.Request, parts: list[str]) -> web.Response | None:
        registry = self._registry
        if parts in (["api"], ["apis"]):
            core = parts == ["api"]
            for version in ("v2", "v2beta1"):
                media = discovery.AGGREGATED.format(version=version)
                if media.replace(" ", "") in request.headers.get("Accept", "").replace(" ", ""):
                    answer = json_answer(discovery.aggregated(registry, core, version))
                    answer.content_type = media
                    response = self._sent(answer)
                    response.headers["Vary"] = "Accept"
                    return response
            return self._sent(json_answer(discovery.api_versions() if core else discovery.group_list(registry)))
        body: Object | None = None
        if len(parts) == 2 and parts[0] == "apis":
            body = discovery.group(registry, parts[1])
        elif len(parts) == 2 and parts[0] == "api":
            body = discovery.resource_list(registry, "", parts[1])
        elif len(parts) == 3 and parts[0] == "apis":
            body = discovery.resource_list(registry, parts[1], parts[2])
        elif not parts:
            groups = [f"/apis/{group}/{version}" for group, versions in registry.groups().items() if group for version in versions]
            body = {"paths": ["/api", "/api/v1", "/apis", *groups, "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]}
        return self._sent(json_answer(body)) if body is not None else None

    # resources

    async def _resource(self, request: web.Request, info: RequestInfo, resource: Resource, user: User) -> web.StreamResponse:
        if not self._allowed(request.method, info, resource):
            raise errors.method_not_allowed()
        if resource.namespaced and not info.namespace and (info.name or info.verb == "create"):
            raise errors.method_not_allowed() if not info.name else errors.no_such_resource()
        if not resource.namespaced and info.namespace:
            raise errors.no_such_resource()
        if resource.group == "metrics.k8s.io":
            return self._metrics(request, info, resource)
        if info.subresource in ("log", "exec", "attach", "portforward"):
            return await self._stream(request, info)
        view = choose(resource, request.headers.get("Accept", ""), request.query)
        if info.verb == "watch":
            return await self._watch(request, view, info)
        call = await self._call(request, info, resource, user)
        try:
            answer = await self._verb(call, view)
        except errors.ApiError as refusal:
            refusal.warnings = [*call.options.warnings, *deprecated(call)]
            raise
        return await self._stream_answer(request, answer)

    @staticmethod
    def _allowed(method: str, info: RequestInfo, resource: Resource) -> bool:
        if info.subresource:
            sub = resource.subresource(info.subresource)
            if sub is None:
                raise errors.no_such_resource()
            return info.verb in sub.verbs or (method == "HEAD" and "get" in sub.verbs)
        if info.name and method == "POST":
            return False
        if not info.name and method in ("PUT", "PATCH"):
            return False
        if info.verb == "watch" and resource.group == "metrics.k8s.io":
            return True
        return info.verb in resource.verbs

    async def _call(self, request: web.Request, info: RequestInfo, resource: Resource, user: User) -> Call:
        agent = request.headers.get("User-Agent", "")
        body = await request.read() if request.method not in ("GET", "HEAD") else b""
        options = write_options(request.query, agent, OPTIONS.get(request.method, "CreateOptions"))
        media = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if request.method in ("POST", "PUT") and media not in ("", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"):
            listed = "application/json, application/yaml, application/vnd.kubernetes.protobuf, application/cbor"
            text = f"the body of the request was in an unknown format - accepted media types include: {listed}"
            raise errors.unsupported_media(text)
        return Call(info, resource, user, request.query, request.headers.get("Accept", ""), media, body, agent, options)

    async def _verb(self, call: Call, view: View) -> Answer:
        handlers, info = self._handlers, call.info
        if info.verb == "list":
            return await handlers.collection(call, view)
        if info.verb == "get":
            return handlers.get(call, view)
        if info.verb == "create":
            return self._created(call, view)
        if info.verb == "update":
            return handlers.update(call, view)
        if info.verb == "patch":
            return handlers.patch(call, view)
        return handlers.delete(call, view) if info.verb == "delete" else handlers.delete_collection(call, view)

    def _created(self, call: Call, view: View) -> Answer:
        handlers = self._handlers
        if not call.resource.storage:
            return handlers.review(call)
        subresource = call.info.subresource
        if subresource == "eviction":
            return handlers.evict(call)
        if subresource == "binding":
            return handlers.bind(call)
        if subresource == "token":
            return json_answer(self._token(call), 201)
        return handlers.create(call, view)

    def _token(self, call: Call) -> Object:
        account = self.core.api.get(call.resource, call.info.namespace, call.info.name).obj
        return self._authenticator.token(account, self._handlers.body_of(call, "authentication.k8s.io/v1", "TokenRequest"))

    async def _stream(self, request: web.Request, info: RequestInfo) -> web.StreamResponse:
        pod = self.core.api.get(self.core.registry.stored("pods"), info.namespace, info.name).obj
        container = request.query.get("container", "")
        if info.subresource == "log":
            return await send_log(request, pod, container, self.runtime, self.core.clock)
        if info.subresource == "exec":
            return await run_exec(request, pod, container, self.runtime)
        if info.subresource == "attach":
            return await run_attach(request, pod, container, self.runtime)
        if info.subresource == "portforward":
            return await run_forward(request, pod, "ports", self.runtime)
        text = f"a simulated cluster has no {info.subresource}"
        raise errors.ApiError(501, "NotImplemented", text)

    def _metrics(self, request: web.Request, info: RequestInfo, resource: Resource) -> web.Response:
        """metrics.k8s.io: computed lists without resourceVersion, no watch."""
        if self.metrics is None:
            return web.Response(status=404, text=NOT_FOUND)
        if info.verb == "watch":
            text = f'watch is not supported on resources of kind "{resource.id}"'
            raise errors.ApiError(405, "MethodNotAllowed", text, {"group": resource.group, "kind": resource.plural})
        view = choose(resource, request.headers.get("Accept", ""), request.query)
        options = read_options({key: value for key, value in request.query.items() if key.endswith("Selector")}, resource, False)
        try:
            found = self.metrics.nodes() if resource.plural == "nodes" else self.metrics.pods(info.namespace or None)
        except MetricsUnavailable:
            return web.Response(status=503, text=UNAVAILABLE)  # as the aggregator answers: no Status, no Retry-After
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
        if info.name:
            found = [obj for obj in found if obj["metadata"]["name"] == info.name]
            if not found:
                raise errors.not_found("", resource.plural, info.name)
            return self._sent(json_answer(self._sampled(view, {**head, **self._asked_now(found)[0]})))
        chosen = [obj for obj in found if options.labels is None or options.labels.matches_object(obj)]
        chosen = [obj for obj in chosen if all(test(obj) for test in options.fields or ())]
        return self._sent(json_answer(self._sampled_list(view, self._asked_now(chosen), head)))

    def _asked_now(self, found: list[Object]) -> list[Object]:
        """Metrics with the time of the request as creationTimestamp, which is what metrics-server writes there."""
        now = self.core.clock.stamp()
        return [{**obj, "metadata": {**obj["metadata"], "creationTimestamp": now}} for obj in found]

    def _sampled(self, view: View, obj: Object) -> Object:
        if view.kind == "object":
            return obj
        row = tables.row(view.printer, obj, self.core.clock.now(), view.include, obj)
        return tables.table(view.printer, [row], {}) if view.kind == "table" else tables.partial(obj)

    def _sampled_list(self, view: View, found: list[Object], head: dict[str, Any]) -> Object:
        if view.kind == "table":
            rows = [tables.row(view.printer, obj, self.core.clock.now(), view.include, {**head, **obj}) for obj in found]
            return tables.table(view.printer, rows, {})
        return {"kind": f"{head['kind']}List", "apiVersion": head["apiVersion"], "metadata": {}, "items": found}

    # watches

    async def _watch(self, request: web.Request, view: View, info: RequestInfo) -> web.StreamResponse:
        options = read_options(request.query, view.resource, True)
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"})
        response.enable_chunked_encoding()
        watcher = Watcher(self.core.storage, view, info.namespace, options, self.core.clock.now)
        if options.initial and options.revision and options.revision > self.core.storage.revision:
            wait = 3 if view.resource.cached else 0
            await asyncio.sleep(wait)
            if options.revision > self.core.storage.revision:
                error = errors.too_large_version(options.revision, self.core.storage.revision, 1 if wait else 3)
                watcher.fail(error)
        if not watcher.closed:
            watcher.start()
        timers = self._timers(watcher, options.timeout)
        self.watchers.add(watcher)
        try:
            await response.prepare(request)
            with contextlib.suppress(ConnectionError):
                await self._pump(response, watcher)
        finally:
            watcher.close()
            self.watchers.discard(watcher)
            for timer in timers:
                timer.cancel()
        return response

    def _timers(self, watcher: Watcher, timeout: float | None) -> list[Timer]:
        """Bookmarks and the end of a watch; the list grows as bookmarks repeat."""
        length = timeout if timeout is not None else 1800.0 * (1 + secrets.randbelow(1000) / 1000)
        timers = [self.wire.call_later(length, watcher.close)]
        timers.append(self.wire.call_later(max(0.0, length - BOOKMARK_BEFORE_END), watcher.bookmark))

        def again() -> None:
            if not watcher.closed:
                watcher.bookmark()
                timers.append(self.wire.call_later(BOOKMARK_EVERY, again))

        timers.append(self.wire.call_later(BOOKMARK_EVERY, again))
        return timers

    async def _pump(self, response: web.StreamResponse, watcher: Watcher) -> None:
        """Write what is queued: a lone event at once, a busy stream in batches."""
        loop = asyncio.get_running_loop()
        last = 0.0
        while True:
            await watcher.wake.wait()
            pause = last + BATCH - loop.time()
            if pause > 0 and not watcher.closed:
                await asyncio.sleep(pause)
            data = watcher.take()
            if data:
                await response.write(data)
            last = loop.time() if not watcher.more else 0.0
            if watcher.done:
                break
        await response.write_eof()


def _warnings(texts: list[str]) -> CIMultiDict[str]:
    """Warning headers, one for each text."""
    headers: CIMultiDict[str] = CIMultiDict()
    for text in texts:
        clean = "".join(char if char.isprintable() else " " for char in text)
        quoted = clean.replace("\\", "\\\\").replace('"', '\\"')
        headers.add("Warning", f'299 - "{quoted}"')
    return headers


def _batch(pieces: Iterator[bytes]) -> bytes:
    """The next pieces, about BATCH_BYTES of them; b"" at the end."""
    taken: list[bytes] = []
    size = 0
    for piece in pieces:
        taken.append(piece)
        size += len(piece)
        if size >= BATCH_BYTES:
            break
    return b"".join(taken)
