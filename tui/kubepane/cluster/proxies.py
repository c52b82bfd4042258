"""Which proxy leads to an API server, by the rules of kubectl: Go's net/http and golang.org/x/net/http/httpproxy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from kubepane.cluster.errors import BadConfig
from kubepane.cluster.redaction import one_line

_DEFAULT_PORTS = {"http": 80, "https": 443}


def proxy_for(server: str, configured: str, env: Mapping[str, str]) -> str:
    """The proxy's URL, its user info included; "" to connect directly.

    Args:
        server: the API server's URL.
        configured: the cluster's `proxy-url`; it is used whatever NO_PROXY says.
        env: HTTPS_PROXY for an https server, HTTP_PROXY for an http one, else ALL_PROXY (which kubectl does not know, but most
            tools do), unless NO_PROXY excludes the server. Upper case goes first. Loopback servers are never proxied.

    Raises:
        BadConfig: the proxy is a SOCKS one or its URL makes no sense.
    """
    if configured:
        return _usable(configured, "proxy-url of the cluster")
    where = urlsplit(server)
    name, value = _first(env, f"{where.scheme.upper()}_PROXY", "ALL_PROXY")
    if not value or _direct(where, _first(env, "NO_PROXY")[1]):
        return ""
    return _usable(value, name)


def _first(env: Mapping[str, str], *names: str) -> tuple[str, str]:
    for name in (spelled for upper in names for spelled in (upper, upper.lower())):
        if value := env.get(name, "").strip():
            return name, value
    return "", ""


def _usable(url: str, origin: str) -> str:
    spelled = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(spelled)
        ok, scheme = bool(parts.hostname) and parts.port != 0, parts.scheme
    except ValueError:
        ok, scheme = False, ""
    if scheme.startswith("socks"):
        raise BadConfig(f"{origin} is a SOCKS proxy, which kubepane cannot use: give an http proxy, or forward a port with ssh -L")
    if not ok or scheme not in _DEFAULT_PORTS:
        raise BadConfig(f"{origin} {one_line(url, 120)!r} is no address like http://HOST:3128")
    return spelled


def _direct(where: SplitResult, no_proxy: str) -> bool:
    host, port = (where.hostname or "").rstrip("."), where.port or _DEFAULT_PORTS.get(where.scheme, 0)
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    return any(_excludes(entry, host, port, address) for entry in re.split(r"[,\s]+", no_proxy.lower()) if entry)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _excludes(entry: str, host: str, port: int, address: _Address | None) -> bool:
    """Whether one entry of NO_PROXY means this host: `*`, a CIDR, an address or a domain, the last two with or without a port."""
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    wanted, only_port = _with_port(entry)
    if only_port not in (0, port):
        return False
    if (wanted_address := _address(wanted)) is not None:
        return address == wanted_address
    if address is not None or not wanted:
        return False
    domain = wanted.removeprefix("*")
    if domain.startswith("."):
        return host.endswith(domain)
    return host == domain or host.endswith("." + domain)


def _with_port(entry: str) -> tuple[str, int]:
    """`host:443` as ("host", 443); 0 where there is no port."""
    if match := re.fullmatch(r"\[(.+)\](?::(\d+))?", entry):
        return match[1], int(match[2] or 0)
    if match := re.fullmatch(r"([^:]+):(\d+)", entry):
        return match[1], int(match[2])
    return entry, 0
