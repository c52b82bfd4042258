"""Reading and merging kubeconfig files as kubectl does, and errors that say what to do."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kubepane.cluster.context import Impersonation, Pem
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.kubeconfig import IN_CLUSTER, MAX_BYTES, load

CANARY = "c4n4ry-0123456789abcdef"


def config(
    *contexts: str,
    current: str = "",
    server: str = "https://10.0.0.1:6443",
    cluster: dict[str, Any] | None = None,
    user: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A kubeconfig in which each context has a cluster and a user of its own name."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current or (contexts[0] if contexts else ""),
        "clusters": [{"name": n, "cluster": {"server": server, **(cluster or {})}} for n in contexts],
        "users": [{"name": n, "user": {"token": f"token-of-{n}"} if user is None else user} for n in contexts],
        "contexts": [{"name": n, "context": {"cluster": n, "user": n, "namespace": "shop"}} for n in contexts],
    }


def write(path: Path, content: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def refused(path: str, name: str = "", **how: Any) -> str:
    """The one line that refuses this file."""
    with pytest.raises(BadConfig) as caught:
        load(path, {}).context(name, **how)
    text = str(caught.value)
    assert "\n" not in text
    return text


# ---- where it is looked for ----------------------------------------------------------------------------------------------


def test_the_explicit_file_goes_first(tmp_path: Path) -> None:
    given_file, from_env = write(tmp_path / "a", config("a")), write(tmp_path / "b", config("b"))
    assert load(given_file, {"KUBECONFIG": from_env}).context().name == "a"
    assert load("", {"KUBECONFIG": from_env}).context().name == "b"


def test_the_home_folder_comes_last(tmp_path: Path) -> None:
    write(tmp_path / ".kube" / "config", config("home"))
    found = load("", {"HOME": str(tmp_path)})
    assert found.context().name == "home"
    assert found.files == (str(tmp_path / ".kube" / "config"),)


def test_a_missing_explicit_file_is_an_error_and_a_missing_one_in_the_list_is_not(tmp_path: Path) -> None:
    here = write(tmp_path / "a", config("a"))
    assert load("", {"KUBECONFIG": f"{tmp_path}/none:{here}:"}).context().name == "a"
    with pytest.raises(BadConfig, match="does not exist"):
        load(f"{tmp_path}/none", {})


def test_nothing_at_all_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"no kubeconfig: .*--kubeconfig"):
        load("", {"HOME": str(tmp_path)})
    with pytest.raises(BadConfig, match="define no context"):
        load("", {"KUBECONFIG": write(tmp_path / "empty", "")})


def test_a_pod_uses_its_service_account(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(BadConfig):
        load("", env, service_account=str(tmp_path))  # no token: not a pod
    write(tmp_path / "token", CANARY)
    write(tmp_path / "namespace", "shop\n")
    context = load("", env, service_account=str(tmp_path)).context()
    assert (context.name, context.server, context.namespace) == (IN_CLUSTER, "https://10.96.0.1:443", "shop")
    assert context.user.token_file == str(tmp_path / "token")
    assert context.ca == Pem(path=str(tmp_path / "ca.crt"))
    write(tmp_path / ".kube" / "config", config("home"))
    assert load("", env, service_account=str(tmp_path)).context().name == "home"


def test_a_pod_on_ipv6(tmp_path: Path) -> None:
    write(tmp_path / "token", "t")
    env = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    assert load("", env, service_account=str(tmp_path)).context().server == "https://[fd00::1]:443"


# ---- merging -------------------------------------------------------------------------------------------------------------


def merged(tmp_path: Path, *parts: Any) -> str:
    return ":".join(write(tmp_path / f"f{number}" / "config", part) for number, part in enumerate(parts))


def test_the_first_current_context_and_the_first_definition_win(tmp_path: Path) -> None:
    first, second = config("a", "x"), config("b", "x", server="https://second")
    first["current-context"] = ""
    paths = merged(tmp_path, first, second, config("c"))
    found = load("", {"KUBECONFIG": paths})
    assert found.current == "b"
    assert found.context("x").server == "https://10.0.0.1:6443"
    assert [choice.name for choice in found.choices()] == ["a", "b", "c", "x"]
    assert [choice.name for choice in found.choices() if choice.current] == ["b"]


def test_a_later_definition_adds_nothing_to_an_earlier_one(tmp_path: Path) -> None:
    paths = merged(tmp_path, config("a", user={"token": "t"}), config("a", user={"as": "root"}))
    assert load("", {"KUBECONFIG": paths}).context("a").impersonation == Impersonation()


def test_paths_are_relative_to_their_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"client-certificate": "certs/c.pem", "client-key": "../k.pem"}
    paths = merged(tmp_path, config("a", cluster={"certificate-authority": "ca.pem"}, user=files), config("b", user={"tokenFile": "token"}))
    monkeypatch.chdir("/")
    found = load("", {"KUBECONFIG": paths})
    a, b = found.context("a"), found.context("b")
    assert a.ca.path == f"{tmp_path}/f0/ca.pem"
    assert (a.user.certificate.path, a.user.key.path) == (f"{tmp_path}/f0/certs/c.pem", f"{tmp_path}/f0/../k.pem")
    assert b.user.token_file == f"{tmp_path}/f1/token"


def test_a_relative_kubeconfig_is_found_and_its_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "config", config("a", user={"tokenFile": "token"}))
    monkeypatch.chdir(tmp_path)
    assert load("config", {}).context().user.token_file == f"{tmp_path}/token"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is the oracle")
@given(st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merging_is_kubectls(tmp_path: Path, data: st.DataObject) -> None:
    names = st.lists(st.sampled_from("abcd"), unique=True, max_size=3)
    parts = []
    for number in range(data.draw(st.integers(1, 3))):
        part = config(*data.draw(names), server=f"https://of-file-{number}")
        part["current-context"] = data.draw(st.sampled_from(["", "a", "b", "z"]))
        parts.append(part)
    paths = merged(tmp_path, *parts)
    shown = subprocess.run(
        ["kubectl", "config", "view", "-o", "json"], env={**os.environ, "KUBECONFIG": paths}, capture_output=True, check=True, timeout=20
    )
    wanted = json.loads(shown.stdout)
    servers = {one["name"]: one["cluster"]["server"] for one in wanted["clusters"] or ()}
    try:
        found = load("", {"KUBECONFIG": paths, "HOME": str(tmp_path)})
    except BadConfig:
        assert not servers
        assert not wanted["current-context"]
        return
    assert {choice.name: choice.server for choice in found.choices()} == servers
    assert found.current == wanted["current-context"]


# ---- what a context says -------------------------------------------------------------------------------------------------


def test_everything_a_context_can_say(tmp_path: Path) -> None:
    content = config(
        "prod-eu",
        server="https://me:pw1@api.example:6443/k8s/clusters/c-1/",
        cluster={
            "certificate-authority-data": base64.b64encode(b"PEM").decode(),
            "tls-server-name": "kubernetes",
            "proxy-url": "http://proxy:3128",
            "disable-compression": True,
        },
        user={"token": CANARY, "as": "alice", "as-uid": "7", "as-groups": ["dev", "ops"], "as-user-extra": {"Reason": ["x", "y"]}},
    )
    context = load(write(tmp_path / "c", content), {}).context()
    assert context.server == "https://me:pw1@api.example:6443/k8s/clusters/c-1"
    assert context.ca.read("CA") == b"PEM"
    assert (context.tls_server_name, context.proxy_url, context.disable_compression) == ("kubernetes", "http://proxy:3128", True)
    assert context.user.token == CANARY
    assert context.impersonation.headers() == [
        ("Impersonate-User", "alice"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Extra-Reason", "x"),
        ("Impersonate-Extra-Reason", "y"),
    ]
    target = context.target
    assert (target.host, target.user, target.acting_as, target.acting_groups) == ("api.example:6443", "prod-eu", "alice", ("dev", "ops"))
    assert target.protected
    assert "pw1" not in target.server
    assert (target.insecure, target.plain) == (False, False)


@pytest.mark.parametrize(
    ("server", "cluster", "insecure", "plain"),
    [
        ("https://h", {"insecure-skip-tls-verify": True}, True, False),
        ("http://h:8080", {}, False, True),
        ("http://127.0.0.1:8080", {}, False, False),
        ("http://localhost:8080", {}, False, False),
        ("https://h", {}, False, False),
    ],
)
def test_what_the_header_must_warn_of(tmp_path: Path, server: str, cluster: dict[str, Any], insecure: bool, plain: bool) -> None:
    target = load(write(tmp_path / "c", config("a", server=server, cluster=cluster)), {}).context().target
    assert (target.insecure, target.plain) == (insecure, plain)


@pytest.mark.parametrize(
    ("name", "protected"),
    [("prod", True), ("eu-PRD-1", True), ("live.shop", True), ("gke_shop_prod", True), ("shop-production", True), ("dev", False), ("olive", False)],
)
def test_contexts_called_like_production_are_protected(tmp_path: Path, name: str, protected: bool) -> None:
    assert load(write(tmp_path / "c", config(name)), {}).context().target.protected is protected


@pytest.mark.parametrize(("protection", "protected"), [("^shop$", True), ("SHOP", False), ("", False), (".", True), ("$^", False)])
def test_what_is_protected_can_be_chosen(tmp_path: Path, protection: str, protected: bool) -> None:
    assert load(write(tmp_path / "c", config("shop")), {}).context(protection=protection).target.protected is protected


@pytest.mark.parametrize(
    ("address", "cluster", "server"),
    [
        ("10.0.0.1:6443", {}, "http://10.0.0.1:6443"),
        ("10.0.0.1:6443", {"insecure-skip-tls-verify": True}, "https://10.0.0.1:6443"),
        ("https://h/", {}, "https://h"),
        ("https://[fd00::1]:6443", {}, "https://[fd00::1]:6443"),
    ],
)
def test_addresses(tmp_path: Path, address: str, cluster: dict[str, Any], server: str) -> None:
    assert load(write(tmp_path / "c", config("a", server=address, cluster=cluster)), {}).context().server == server


def test_options_override_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "c", config("a", user={"token": "t", "as": "alice", "as-groups": ["dev"], "as-uid": "7"}))
    found = load(path, {})
    assert found.context(namespace="shop").namespace == "shop"
    assert found.context(act_as="bob").impersonation == Impersonation("bob", "7", ("dev",))
    assert found.context(act_groups=["ops"]).impersonation == Impersonation("alice", "7", ("ops",))


def test_extra_keys_become_header_names() -> None:
    extra = (("scopes.example/α %", ("v",)),)
    assert Impersonation("u", extra=extra).headers()[1:] == [("Impersonate-Extra-scopes.example%2F%CE%B1%20%25", "v")]


def test_plugins(tmp_path: Path) -> None:
    spec = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./bin/login",
        "args": ["a"],
        "env": [{"name": "X", "value": "1"}],
        "installHint": "install it",
        "provideClusterInfo": True,
        "interactiveMode": "Never",
    }
    cluster = {"extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": 7}}]}
    plugin = load(write(tmp_path / "c", config("a", cluster=cluster, user={"exec": spec})), {}).context().user.plugin
    assert plugin
    assert plugin.command == f"{tmp_path}/./bin/login"
    assert (plugin.args, plugin.env, plugin.install_hint) == (("a",), (("X", "1"),), "install it")
    assert (plugin.provide_cluster_info, plugin.interactive_mode, plugin.cluster_config) == (True, "Never", {"audience": 7})


def test_a_name_without_a_slash_is_left_to_the_path(tmp_path: Path) -> None:
    spec = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "aws"}
    plugin = load(write(tmp_path / "c", config("a", user={"exec": spec})), {}).context().user.plugin
    assert plugin
    assert plugin.command == "aws"
    assert plugin.interactive_mode == "IfAvailable"


@pytest.mark.parametrize("other", [{"token": "t"}, {"tokenFile": "t"}, {"client-certificate": "c", "client-key": "k"}])
def test_a_token_or_certificate_beats_a_plugin(tmp_path: Path, other: dict[str, str]) -> None:
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": "x"}
    assert load(write(tmp_path / "c", config("a", user={"exec": spec, **other})), {}).context().user.plugin is None


# ---- errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("clusters: [\n  - x\n", "line "),
        ("a: 1\na: 2\n", "stands twice"),
        ("- a\n- b\n", "a mapping is expected"),
        ("just words", "a mapping is expected"),
        ("kind: Pod\n", "kind is 'Pod'"),
        ("clusters: {}\n", "clusters must be a list"),
        ("users: [{user: {}}]\n", "user 1 has no name"),
        ("contexts: [{name: 7}]\n", "context 1 has no name"),
        ("users: [{name: a}, {name: a}]\n", "user 'a' is defined twice"),
        ("contexts: [{name: a, context: x}]\n", "must hold a mapping"),
        ("current-context: 7\n", "must be text"),
        ("x: &x [*x]\n", "alias"),
        ("[" * 5000, "levels deep"),
        ("a" * (MAX_BYTES + 1), "larger than 10 MiB"),
    ],
)
def test_broken_files(tmp_path: Path, content: str, why: str) -> None:
    path = write(tmp_path / "c", content)
    assert why in refused(path)
    assert path in refused(path)


def test_files_that_are_no_text_or_no_files(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_bytes(b"\xff\xfea\x00")
    assert "not UTF-8" in refused(str(path))
    assert "cannot be read" in refused(str(tmp_path))
    assert "no ordinary file" in refused("/dev/zero")


def test_a_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "c"
    path.write_text("\ufeff" + json.dumps(config("a")))
    assert load(str(path), {}).context().name == "a"


def test_an_unknown_context_lists_the_ones_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "c", config(*[f"c{n:02}" for n in range(12)]))
    text = refused(path, "nope")
    assert "no context 'nope'" in text
    assert "there are: c00, c01, " in text
    assert "and 2 more" in text


def test_no_current_context(tmp_path: Path) -> None:
    content = config("a", "b")
    content["current-context"] = ""
    assert "choose one with --context; there are: a, b" in refused(write(tmp_path / "c", content))


@pytest.mark.parametrize(
    ("context", "why"),
    [
        ({"cluster": "a"}, "names no user"),
        ({"user": "a"}, "names no cluster"),
        ({"cluster": "gone", "user": "a"}, "cluster 'gone', which is not defined"),
        ({"cluster": "a", "user": "gone"}, "user 'gone', which is not defined"),
        ({"cluster": "a", "user": "a", "namespace": "../x"}, "is not the name of a namespace"),
        ({"cluster": "a", "user": "a", "namespace": "UPPER"}, "is not the name of a namespace"),
        ({"cluster": "a", "user": "a", "namespace": 5}, "must be text"),
    ],
)
def test_broken_contexts(tmp_path: Path, context: dict[str, Any], why: str) -> None:
    content = config("a")
    content["contexts"] = [{"name": "a", "context": context}]
    assert why in refused(write(tmp_path / "c", content))


def test_broken_contexts_are_listed_all_the_same(tmp_path: Path) -> None:
    content = config("a")
    content["contexts"] = [{"name": "a", "context": {"cluster": "gone", "user": 7}}]
    (choice,) = load(write(tmp_path / "c", content), {}).choices()
    assert (choice.name, choice.cluster, choice.server, choice.user) == ("a", "gone", "", "")


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        ({"server": ""}, "the cluster has no address"),
        ({"server": "ftp://x"}, "is no address like https://HOST:6443"),
        ({"server": "https://"}, "is no address"),
        ({"server": "https://h:99999"}, "is no address"),
        ({"server": "https://h\x07"}, "is no address"),
        ({"server": "https://h?x=1"}, "is no address"),
        ({"certificate-authority-data": "%%%"}, "is not base64"),
        ({"insecure-skip-tls-verify": "yes"}, "must be true or false"),
        ({"insecure-skip-tls-verify": True, "certificate-authority": "x"}, "exclude each other"),
    ],
)
def test_broken_clusters(tmp_path: Path, cluster: dict[str, Any], why: str) -> None:
    assert why in refused(write(tmp_path / "c", config("a", cluster=cluster)))


V1 = "client.authentication.k8s.io/v1"


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"username": "me", "password": CANARY}, "no basic authentication since 1.19"),
        ({"client-certificate": "c"}, "client-key is missing"),
        ({"client-key-data": "aGk="}, "client-certificate is missing"),
        ({"client-certificate-data": "é", "client-key": "k"}, "client-certificate-data is not base64"),
        ({"token": 12345678}, "token must be text; write it in quotes"),
        ({"auth-provider": {"name": "oidc", "config": {"refresh-token": CANARY}}}, "kubelogin"),
        ({"auth-provider": {"name": "gcp"}}, "gke-gcloud-auth-plugin"),
        ({"auth-provider": {"name": "azure"}}, "convert-kubeconfig"),
        ({"auth-provider": {"name": "odd"}}, "use an exec plugin"),
        ({"exec": "aws"}, "exec must be a mapping"),
        ({"exec": {"apiVersion": V1}}, "exec.command is missing"),
        ({"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}}, "v1 or v1beta1"),
        ({"exec": {"apiVersion": V1, "command": "x", "interactiveMode": "Maybe"}}, "Never, IfAvailable, Always"),
        ({"exec": {"apiVersion": V1, "command": "x", "args": "a"}}, "exec.args must be a list of texts"),
        ({"exec": {"apiVersion": V1, "command": "x", "env": [{"name": "A", "value": 1}]}}, "exec.env must be a list"),
        ({"exec": {"apiVersion": V1, "command": "x", "env": ["A=1"]}}, "exec.env must be a list"),
        ({"token": "t", "as-groups": ["dev"]}, "name one with --as"),
        ({"token": "t", "as-groups": "dev"}, "as-groups must be a list"),
    ],
)
def test_broken_users(tmp_path: Path, user: dict[str, Any], why: str) -> None:
    text = refused(write(tmp_path / "c", config("a", user=user)))
    assert why in text
    assert CANARY not in text


def test_groups_alone_cannot_be_impersonated(tmp_path: Path) -> None:
    assert "no user" in refused(write(tmp_path / "c", config("a")), act_groups=["ops"])


def test_no_secret_is_printed_with_the_objects(tmp_path: Path) -> None:
    key = base64.b64encode(b"-----BEGIN PRIVATE KEY-----" + CANARY.encode()).decode()
    spec = {"apiVersion": V1, "command": "x", "args": [CANARY], "env": [{"name": "A", "value": CANARY}]}
    for user in ({"token": CANARY}, {"client-certificate-data": key, "client-key-data": key}, {"exec": spec}):
        found = load(write(tmp_path / "c", config("a", user=user, cluster={"proxy-url": f"http://u:{CANARY}@p"})), {})
        for shown in (found, found.context(), found.context().user, found.users["a"], found.choices(), found.context().target):
            assert CANARY not in repr(shown)
            assert key not in repr(shown)
