"""Writing to the API server, one request after another, each answered before the kubelets go on: their code is that of the embedded cluster.

What the server answers is what it stored: it goes into the mirror at once, so that a kubelet reads what it has just written.
"""

from __future__ import annotations

import http.client
import json
import logging
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from kubepane_controlplane.kubelets.mirror import Mirror
from kubepane_controlplane.kubelets.server import Server
from kubepane_embedded.clock import Clock
from kubepane_embedded.errors import ApiError
from kubepane_embedded.meta import Object, finalizers_of, key_of
from kubepane_embedded.registry import Registry
from kubepane_embedded.seed import Seed

log = logging.getLogger(__name__)
PATIENCE = 5.0
"""Seconds that an answer may take."""
REST = 1.0
"""Seconds in which nothing is tried after a request without an answer: everything stands still while one waits."""
JSON, MERGE = "application/json", "application/merge-patch+json"
BROKEN = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class Requests:
    """One connection, kept open.

    Args:
        server: Whom to ask.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._address = urlsplit(server.url)
        self._connection = self._connect()
        self._rests_until = 0.0

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        host, port = str(self._address.hostname), self._address.port
        if self._server.tls is None:
            return http.client.HTTPConnection(host, port, timeout=PATIENCE)
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=self._server.tls)

    def __call__(self, method: str, path: str, body: Any = None, content: str = JSON) -> Object:
        """One request; returns the decoded answer.

        Raises:
            ApiError: The server refuses, in its own words; or it does not answer (503).
        """
        if time.monotonic() < self._rests_until:
            raise ApiError(503, "ServiceUnavailable", "the server did not answer just now")
        data = None if body is None else json.dumps(body).encode()
        headers = {**self._server.headers, "Accept": JSON, "Content-Type": content}
        try:
            status, raw = self._send(method, self._address.path + path, data, headers)
            answer: Object = json.loads(raw)
        except (OSError, http.client.HTTPException, ValueError) as trouble:
            self._connection.close()
            self._rests_until = time.monotonic() + REST
            raise ApiError(503, "ServiceUnavailable", f"no answer: {trouble}") from trouble
        if status >= 400:
            if status not in (404, 409):
                log.warning("refused: %s %s: %s", method, path, answer.get("message"))
            raise ApiError(status, answer.get("reason") or "", answer.get("message") or "", answer.get("details"))
        return answer

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send it, once more when the server had closed what was kept open."""
        try:
            return self._exchange(method, path, data, headers)
        except BROKEN:
            self._connection.close()
            return self._exchange(method, path, data, headers)

    def _exchange(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, data, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


class RemoteWriter:
    """The API as one component sees it (`kubepane_embedded.backend.Writer`).

    Args:
        requests: The way to the server.
        registry: Paths of resources.
        mirror: Gets what the server answers.
        clock: Of the kubelets.
        seed: Of the kubelets.
        manager: The component, as field manager.
    """

    def __init__(self, requests: Requests, registry: Registry, mirror: Mirror, clock: Clock, seed: Seed, manager: str) -> None:
        self._requests = requests
        self._registry = registry
        self._mirror = mirror
        self._query = "?" + urlencode({"fieldManager": manager})
        self.clock = clock
        self.seed = seed
        self.storage = mirror.storage

    def get(self, resource: str, namespace: str, name: str) -> Object:
        """The object as it is at the server now."""
        return self._taken(resource, self._requests("GET", self._path(resource, namespace, name)))

    def create(self, resource: str, obj: Object) -> Object:
        """Create; the namespace is the object's own."""
        return self._taken(resource, self._requests("POST", self._path(resource, key_of(obj)[0], "") + self._query, obj))

    def update_status(self, resource: str, obj: Object) -> Object:
        """Replace the status; on a conflict the newest version is read, so that another try knows it."""
        try:
            return self._taken(resource, self._requests("PUT", f"{self._path(resource, *key_of(obj))}/status{self._query}", obj))
        except ApiError as refusal:
            if refusal.code == 409:
                self.get(resource, *key_of(obj))
            raise

    def patch(self, resource: str, namespace: str, name: str, patch: Any) -> Object:
        """Merge-patch."""
        return self._taken(resource, self._requests("PATCH", self._path(resource, namespace, name) + self._query, patch, MERGE))

    def delete(self, resource: str, namespace: str, name: str, grace: int | None = None, *, uid: str | None = None) -> bool:
        """Delete; True when nothing keeps it."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        answer = self._requests("DELETE", self._path(resource, namespace, name), options)
        return answer.get("kind") == "Status" or not finalizers_of(answer)

    def _path(self, resource: str, namespace: str, name: str) -> str:
        kind = self._registry.stored(resource)
        place = f"/namespaces/{namespace}" if namespace else ""
        return f"{kind.path}{place}/{kind.plural}{f'/{name}' if name else ''}"

    def _taken(self, resource: str, answer: Object) -> Object:
        self._mirror.take(resource, answer)
        return answer
