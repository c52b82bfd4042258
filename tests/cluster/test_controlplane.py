"""The connection against a real API server: run with KUBEPANE_TEST_KUBECONFIG set to an administrator's kubeconfig."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from cluster.authority import authority
from kubepane.cluster import errors
from kubepane.cluster.access import Access
from kubepane.cluster.api import MERGE_PATCH, Api
from kubepane.cluster.audit import Warned
from kubepane.cluster.connection import Connection
from kubepane.cluster.context import Context, Impersonation, Pem, User
from kubepane.cluster.kinds import DEPLOYMENTS, NODES, PODS
from kubepane.cluster.kubeconfig import load
from kubepane.cluster.requests import TABLE

KUBECONFIG = os.environ.get("KUBEPANE_TEST_KUBECONFIG", "")
pytestmark = [pytest.mark.controlplane, pytest.mark.skipif(not KUBECONFIG, reason="KUBEPANE_TEST_KUBECONFIG is not set")]
WATCHLIST = {"watch": "1", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
SPACE = "kubepane-connection-test"


def context(**changes: object) -> Context:
    return replace(load(KUBECONFIG, {}).context(), **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def connected(**changes: object) -> AsyncIterator[Api]:
    api = Api(Connection(context(**changes), env={}))
    try:
        yield api
    finally:
        await api.close()


async def test_versions_lists_and_tables() -> None:
    async with connected() as api:
        assert (await api.server_version()).major == "1"
        assert json.loads(await api.get(PODS.path(), {"limit": "2"}))["kind"] == "PodList"
        assert json.loads(await api.get(NODES.path(), {"includeObject": "None"}, accept=TABLE))["kind"] == "Table"
        probe = await api.probe()
        assert (probe.up, probe.status) == (True, 200)
        assert probe.server_ahead is not None
        assert await api.get("/livez") == b"ok"


async def test_a_watchlist_ends_its_list_and_leaving_is_quick() -> None:
    async with connected() as api:
        async with api.stream(NODES.path(), WATCHLIST, idle=10) as chunks:
            seen = b""
            while b"k8s.io/initial-events-end" not in seen:
                seen += await anext(chunks)
            began = time.monotonic()
        assert time.monotonic() - began < 0.1
        assert seen.count(b'"type":"ADDED"') >= 1


async def test_a_change_is_seen_by_a_watch_and_can_be_undone() -> None:
    async with connected() as api:
        await api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        try:
            path = f"/api/v1/namespaces/{SPACE}"
            async with api.stream("/api/v1/namespaces", {"watch": "1", "fieldSelector": f"metadata.name={SPACE}"}, idle=10) as chunks:
                await api.patch(path, {"metadata": {"labels": {"a": "b"}}}, content_type=MERGE_PATCH)
                seen = b""
                while b'"a":"b"' not in seen:
                    seen += await anext(chunks)
            with pytest.raises(errors.Conflict):
                await api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
        finally:
            await api.delete(f"/api/v1/namespaces/{SPACE}")


async def test_errors_of_the_real_server() -> None:
    async with connected() as api:
        for path, query, kind in (
            ("/api/v1/namespaces/default/pods/nope", {}, errors.NotFound),
            ("/api/v1/foos", {}, errors.NotServed),
            ("/apis/foo.example/v1/bars", {}, errors.NotServed),
            ("/api/v1/pods", {"continue": "garbage"}, errors.Invalid),
            ("/api/v1/events", {"resourceVersion": "99999999999", "resourceVersionMatch": "NotOlderThan"}, errors.FutureVersion),
        ):
            with pytest.raises(kind) as caught:
                await api.get(path, query)
            assert type(caught.value) is kind


async def test_warnings_of_the_real_server() -> None:
    heard: list[Warned] = []
    api = Api(Connection(context(), env={}), on_warning=heard.append)
    try:
        await api.get("/api/v1/namespaces/default/endpoints")
    finally:
        await api.close()
    assert "deprecated" in heard[0].text


async def test_who_is_not_trusted_or_not_accepted() -> None:
    async with connected(ca=Pem(data=authority().certificate)) as api:
        with pytest.raises(errors.Unreachable, match="unknown certificate authority"):
            await api.get("/version")
    async with connected(user=User(name="nobody", token="wrong")) as api:
        with pytest.raises(errors.Unauthorized, match="does not accept user 'nobody'"):
            await api.get(PODS.path())
        assert await api.link_is_up()
    async with connected(tls_server_name="elsewhere.example") as api:
        with pytest.raises(errors.Unreachable, match="for another name"):
            await api.get("/version")
    stranger = authority().issue("stranger")
    async with connected(user=User(name="stranger", certificate=Pem(data=stranger.certificate), key=Pem(data=stranger.key))) as api:
        with pytest.raises(errors.Unauthorized):
            await api.get(PODS.path())


async def test_impersonation_takes_rights_away() -> None:
    async with connected(impersonation=Impersonation("alice", groups=("dev", "ops"))) as api:
        with pytest.raises(errors.Forbidden, match='User "alice" cannot list resource "pods"'):
            await api.get(PODS.path())
        access = Access(api)
        assert (await access.allowed("list", PODS)).allowed is False
        rules = await access.rules("default")
        assert rules is not None
        assert rules.allow("list", PODS) is False
        assert rules.allow("create", "selfsubjectaccessreviews.authorization.k8s.io") is True
    async with connected() as api:
        access = Access(api)
        verdicts = await asyncio.gather(*(access.allowed("patch", kind, "default") for kind in (PODS, NODES, DEPLOYMENTS)))
        assert [verdict.allowed for verdict in verdicts] == [True] * 3
