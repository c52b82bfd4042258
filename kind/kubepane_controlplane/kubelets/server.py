"""Where the API server is and who we are there, from a kubeconfig."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import load_kube_config


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


async def server_of(kubeconfig: Path, agent: str) -> Server:
    """The server of a kubeconfig's current context, as the user named there (certificates or a token)."""
    found = Configuration()
    await load_kube_config(config_file=str(kubeconfig), client_configuration=found)
    headers = {"User-Agent": agent}
    token = await found.get_api_key_with_prefix("BearerToken")
    if token:
        headers["Authorization"] = token
    return Server(found.host.rstrip("/"), _tls(found) if found.host.startswith("https:") else None, headers)


def _tls(found: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=found.ssl_ca_cert)
    if found.cert_file:
        context.load_cert_chain(found.cert_file, found.key_file)
    return context
