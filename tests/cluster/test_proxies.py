"""Which proxy leads to a server: the rules of Go's httpproxy, which kubectl follows."""

from __future__ import annotations

import pytest

from kubepane.cluster.errors import BadConfig
from kubepane.cluster.proxies import proxy_for

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("server", "env", "proxy"),
    [
        ("https://api:6443", {}, ""),
        ("https://api:6443", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://api:6443", {"https_proxy": PROXY}, PROXY),
        ("https://api:6443", {"HTTPS_PROXY": "http://upper:1", "https_proxy": PROXY}, "http://upper:1"),
        ("https://api:6443", {"HTTP_PROXY": PROXY}, ""),
        ("http://api:8080", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://api:8080", {"HTTPS_PROXY": PROXY}, ""),
        ("https://api:6443", {"ALL_PROXY": PROXY}, PROXY),
        ("https://api:6443", {"all_proxy": PROXY, "HTTPS_PROXY": "http://own:1"}, "http://own:1"),
        ("https://api:6443", {"HTTPS_PROXY": "proxy:3128"}, PROXY),
        ("https://api:6443", {"HTTPS_PROXY": "https://proxy:3128"}, "https://proxy:3128"),
        ("https://api:6443", {"HTTPS_PROXY": "http://u:p@proxy"}, "http://u:p@proxy"),
        ("https://api:6443", {"HTTPS_PROXY": "  "}, ""),
        ("https://localhost:6443", {"HTTPS_PROXY": PROXY}, ""),
        ("https://127.3.2.1:6443", {"HTTPS_PROXY": PROXY}, ""),
        ("https://[::1]:6443", {"HTTPS_PROXY": PROXY}, ""),
    ],
)
def test_the_environment(server: str, env: dict[str, str], proxy: str) -> None:
    assert proxy_for(server, "", env) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "server", "direct"),
    [
        ("*", "https://api.example:6443", True),
        ("", "https://api.example:6443", False),
        ("api.example", "https://api.example:6443", True),
        ("API.EXAMPLE", "https://api.example:6443", True),
        ("api.example.", "https://api.example:6443", False),
        ("example", "https://api.example:6443", True),
        (".example", "https://api.example:6443", True),
        ("*.example", "https://api.example:6443", True),
        (".example", "https://example:6443", False),
        ("example", "https://badexample:6443", False),
        ("a, b ,api.example", "https://api.example:6443", True),
        ("a b api.example", "https://api.example:6443", True),
        ("api.example:6443", "https://api.example:6443", True),
        ("api.example:443", "https://api.example:6443", False),
        ("api.example:443", "https://api.example", True),
        ("api.example:80", "http://api.example", True),
        ("10.0.0.1", "https://10.0.0.1:6443", True),
        ("10.0.0.1:6443", "https://10.0.0.1:6443", True),
        ("10.0.0.1:443", "https://10.0.0.1:6443", False),
        ("10.0.0.2", "https://10.0.0.1:6443", False),
        ("10.0.0.0/8", "https://10.200.0.1:6443", True),
        ("10.0.0.7/8", "https://10.200.0.1:6443", True),
        ("192.168.0.0/16", "https://10.0.0.1:6443", False),
        ("10.0.0.0/8", "https://api.example:6443", False),
        ("10.0.0.0/99", "https://10.0.0.1:6443", False),
        ("fd00::/8", "https://[fd00::1]:6443", True),
        ("fd00::1", "https://[fd00::1]:6443", True),
        ("[fd00::1]:6443", "https://[fd00::1]:6443", True),
        ("[fd00::1]", "https://[fd00::1]:6443", True),
        ("0.0.1", "https://10.0.0.1:6443", False),
        (",,", "https://api.example:6443", False),
    ],
)
def test_no_proxy(no_proxy: str, server: str, direct: bool) -> None:
    env = {"HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY, "NO_PROXY": no_proxy}
    assert (proxy_for(server, "", env) == "") is direct


def test_the_clusters_own_proxy_is_used_whatever_the_environment_says() -> None:
    assert proxy_for("https://127.0.0.1:6443", PROXY, {"NO_PROXY": "*", "HTTPS_PROXY": "http://other"}) == PROXY


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("socks5://proxy:1080", "SOCKS"),
        ("socks5h://proxy:1080", "ssh -L"),
        ("ftp://proxy", "no address like http://HOST:3128"),
        ("http://", "no address"),
        ("http://proxy:port", "no address"),
        ("http://u:hunter2@proxy:99999", "no address"),
    ],
)
def test_proxies_that_cannot_be_used(url: str, why: str) -> None:
    for configured, env, origin in ((url, {}, "proxy-url"), ("", {"HTTPS_PROXY": url}, "HTTPS_PROXY"), ("", {"all_proxy": url}, "all_proxy")):
        with pytest.raises(BadConfig, match=why) as caught:
            proxy_for("https://api:6443", configured, env)
        assert origin in str(caught.value)
        assert "hunter2" not in str(caught.value)


def test_an_unusable_proxy_does_not_matter_where_none_is_needed() -> None:
    assert proxy_for("https://127.0.0.1:6443", "", {"HTTPS_PROXY": "socks5://x"}) == ""
