"""Raw requests to any API server that a kubeconfig leads to, one connection kept open: what HTTP says, without a client library between."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

AGENT = "conformance"
JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body; the body decoded when it is JSON."""

    code: int
    headers: Any
    body: Any

    @property
    def warnings(self) -> list[str]:
        """The texts of the Warning headers."""
        return [text.split(" ", 2)[2] for text in self.headers.get_all("Warning", [])]

    @property
    def version(self) -> str:
        """The body's resourceVersion."""
        return str(self.body["metadata"]["resourceVersion"])


class Door:
    """Requests as whoever the kubeconfig's current context says.

    Args:
        kubeconfig: With certificates as files or data, a token, or nothing.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        self._address = urlsplit(cluster["server"])
        self._headers = {"User-Agent": AGENT, "Accept": JSON}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
        self._tls = _tls(cluster, user, kubeconfig.parent) if self._address.scheme == "https" else None
        self._connection = self._connect(30.0)

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        host, port = str(self._address.hostname), self._address.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=seconds)
        return http.client.HTTPSConnection(host, port, timeout=seconds, context=self._tls)

    def __call__(self, method: str, path: str, body: Any = None, content: str = JSON, accept: str = JSON, **more: str) -> Answer:
        """One request; a body that is not bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**self._headers, "Accept": accept, **more, **({} if data is None else {"Content-Type": content})}
        for attempt in (1, 2):
            try:
                self._connection.request(method, self._address.path + path, data, headers)
                answer = self._connection.getresponse()
                raw = answer.read()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self._connection.close()  # the server had closed what was kept open
                if attempt == 2:
                    return Answer(0, http.client.HTTPMessage(), "closed without an answer")
        return Answer(answer.status, answer.headers, _decoded(raw))

    def get(self, path: str, **more: str) -> Any:
        """The body of a GET that must succeed."""
        answer = self("GET", path, **more)
        assert answer.code == 200, (path, answer.body)
        return answer.body

    def create(self, path: str, body: Any, **more: str) -> Any:
        """The body of a POST that must succeed."""
        answer = self("POST", path, body, **more)
        assert answer.code in (200, 201, 202), (path, answer.body)
        return answer.body

    def patch(self, path: str, body: Any, content: str = MERGE) -> Any:
        """The body of a PATCH that must succeed."""
        answer = self("PATCH", path, body, content)
        assert answer.code in (200, 201), (path, answer.body)
        return answer.body

    def delete(self, path: str, body: Any = None) -> Answer:
        """A DELETE, whatever comes of it."""
        return self("DELETE", path, body)

    @contextmanager
    def watch(self, path: str, seconds: float = 30.0) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a watch, as they come, until the server ends it."""
        connection = self._connect(seconds)
        try:
            connection.request("GET", self._address.path + path, headers=self._headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            yield (json.loads(line) for line in answer)
        finally:
            connection.close()

    def until(self, path: str, so: Callable[[Any], object], seconds: float = 60.0) -> Any:
        """Read an object or list again and again until it is so; AssertionError with the last one when it never was."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self("GET", path)
            if answer.code == 200 and so(answer.body):
                return answer.body
            assert time.monotonic() < deadline, json.dumps(answer.body)[:3000]
            time.sleep(0.05)

    def gone(self, path: str, seconds: float = 60.0) -> None:
        """Wait until there is no such object."""
        deadline = time.monotonic() + seconds
        while (answer := self("GET", path)).code != 404:
            assert time.monotonic() < deadline, json.dumps(answer.body)[:3000]
            time.sleep(0.05)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _tls(cluster: dict[str, Any], user: dict[str, Any], folder: Path) -> ssl.SSLContext:
    if data := cluster.get("certificate-authority-data"):
        context = ssl.create_default_context(cadata=base64.b64decode(data).decode())
    else:
        context = ssl.create_default_context(cafile=str(folder / cluster["certificate-authority"]))
    if "client-certificate" in user:
        context.load_cert_chain(folder / user["client-certificate"], folder / user["client-key"])
    elif "client-certificate-data" in user:
        pair = folder / "conformance.pem"
        pair.touch(0o600)
        pair.write_bytes(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
        context.load_cert_chain(pair)
        pair.unlink()
    return context


def _decoded(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
