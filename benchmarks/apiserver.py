"""A few requests to the API server of the kubeconfig, for the scripts here. Independent of the code that is measured."""

from __future__ import annotations

import base64
import http.client
import json
import os
import ssl
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Refused(Exception):
    """The server answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class ApiServer:
    """One kept-alive connection, for one thread. Understands client certificates and tokens; no exec plugins, no proxies."""

    def __init__(self, kubeconfig: str = "") -> None:
        self.path = kubeconfig or first_kubeconfig()
        config = yaml.safe_load(Path(self.path).read_text(encoding="utf-8"))
        context = _named(config, "contexts", config["current-context"])["context"]
        cluster = _named(config, "clusters", context["cluster"])["cluster"]
        user = _named(config, "users", context["user"])["user"]
        self.name = str(config["current-context"])
        self._url = urlsplit(cluster["server"])
        self._headers = {"Accept": "application/json", "User-Agent": "kubepane-benchmarks"}
        if token := user.get("token"):
            self._headers["Authorization"] = f"Bearer {token}"
        self._tls = _tls(cluster, user) if self._url.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """Sends one request and gives the decoded answer.

        Raises:
            Refused: a status of 400 or more.
            OSError, http.client.HTTPException: the connection failed, twice.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        headers = {**self._headers, **({} if data is None else {"Content-Type": content_type})}
        for last in (False, True):
            try:
                connection = self._connection or self._connect()
                connection.request(method, self._url.path.rstrip("/") + path, data, headers)
                response = connection.getresponse()
                raw = response.read()
                break
            except (OSError, http.client.HTTPException):
                self._connection = None
                if last:
                    raise
        answer = json.loads(raw) if raw[:1] == b"{" else {}
        if response.status >= 400:
            raise Refused(response.status, answer.get("message", raw[:200].decode(errors="replace")))
        return answer

    def apply(self, path: str, obj: dict[str, Any]) -> None:
        """Creates the object or makes it so."""
        self.request("PATCH", f"{path}/{obj['metadata']['name']}?fieldManager=benchmarks&force=true", obj, APPLY)

    def count(self, path: str) -> int:
        """How many objects a collection holds."""
        answer = self.request("GET", f"{path}?limit=1")
        return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount", 0))

    def restarts(self, namespace: str, pod: str, count: int) -> None:
        """Writes another number of restarts into a pod's status, as a kubelet would."""
        status = {
            "name": "c",
            "restartCount": count,
            "ready": True,
            "image": "x",
            "imageID": "",
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }
        self.request("PATCH", f"/api/v1/namespaces/{namespace}/pods/{pod}/status", {"status": {"containerStatuses": [status]}}, MERGE)

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        self._connection = (
            http.client.HTTPSConnection(host, port, timeout=30, context=self._tls)
            if self._tls
            else http.client.HTTPConnection(host, port, timeout=30)
        )
        return self._connection


def first_kubeconfig() -> str:
    """The first file that KUBECONFIG names, or the default one; ends the program when there is none."""
    for name in [*os.environ.get("KUBECONFIG", "").split(os.pathsep), str(Path.home() / ".kube/config")]:
        if name and Path(name).is_file():
            return name
    raise SystemExit("no kubeconfig: set KUBECONFIG to a test cluster's (never a production one: pods will be made and changed)")


def _named(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    return next(entry for entry in config[kind] if entry["name"] == name)


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    data = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(cafile=cluster.get("certificate-authority"), cadata=base64.b64decode(data).decode() if data else None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate := user.get("client-certificate"):
        context.load_cert_chain(certificate, user["client-key"])
    elif user.get("client-certificate-data"):
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as pair:  # ssl reads certificates from files only
            pair.write(base64.b64decode(user["client-certificate-data"]) + b"\n" + base64.b64decode(user["client-key-data"]))
            pair.flush()
            context.load_cert_chain(pair.name)
    return context
