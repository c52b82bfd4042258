"""Where the API server is and who we are there, from a kubeconfig as the launcher and the embedded cluster write it: certificates in files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Server:
    """An API server.

    Args:
        url: Without a slash at the end.
        tls: Trust and our certificate; None for plain HTTP.
        headers: What every request carries.
    """

    url: str
    tls: ssl.SSLContext | None
    headers: dict[str, str]


def server_of(kubeconfig: Path, agent: str) -> Server:
    """The server of a kubeconfig's current context, as the user named there.

    Raises:
        KeyError: It has no such context, cluster or user, or holds certificates as data.
        OSError: It or a file that it names cannot be read.
    """
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    context = _named(config, "context", config["current-context"])
    cluster, user = _named(config, "cluster", context["cluster"]), _named(config, "user", context["user"])
    url: str = cluster["server"].rstrip("/")
    return Server(url, _tls(cluster, user) if url.startswith("https:") else None, {"User-Agent": agent})


def _named(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = {entry["name"]: entry[kind] for entry in config[f"{kind}s"]}
    return found[name]


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    context.load_cert_chain(user["client-certificate"], user["client-key"])
    return context
