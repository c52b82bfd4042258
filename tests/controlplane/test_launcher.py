"""The launcher of the real control plane: what it starts is closed to others, restarts part by part, and leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from controlplane.conftest import require
from controlplane.waiting import until
from kubepane_controlplane import certificates
from kubepane_controlplane.plane import ControlPlane
from kubepane_controlplane.processes import Process
from sources import ROOTS

pytestmark = [pytest.mark.controlplane, pytest.mark.timeout(120)]
DEFAULT = "/api/v1/namespaces/default"


def decoded(plane: ControlPlane, path: str) -> Any:
    status, body = plane.get(path)
    assert status == 200, body
    return json.loads(body)


def call(plane: ControlPlane, method: str, path: str, agent: str = "launcher-test", body: Any = None, seconds: float = 5.0) -> tuple[int, bytes]:
    """One request as the admin, over a connection of its own."""
    context = ssl.create_default_context(cafile=str(plane.folder / "ca.crt"))
    context.load_cert_chain(plane.folder / "leaf.crt", plane.folder / "leaf.key")
    connection = http.client.HTTPSConnection("127.0.0.1", plane.place.api, timeout=seconds, context=context)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"User-Agent": agent, "Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


# ---- its certificates


def test_certificates_are_for_loopback_only_and_each_client_has_a_name(tmp_path: Path) -> None:
    certificates.write(tmp_path)
    root = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
    names = {}
    for file in ("leaf", *certificates.CLIENTS):
        leaf = x509.load_pem_x509_certificate((tmp_path / f"{file}.crt").read_bytes())
        leaf.verify_directly_issued_by(root)
        names[file] = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        addresses = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.IPAddress)
        assert all(address.is_loopback for address in addresses)
        assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert len(set(names.values())) == len(names)
    assert stat.S_IMODE((tmp_path / "leaf.key").stat().st_mode) == 0o600


def test_only_who_holds_the_kubeconfig_gets_in(plane: ControlPlane) -> None:
    assert stat.S_IMODE(plane.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(plane.kubeconfig.stat().st_mode) == 0o600
    context = ssl.create_default_context(cafile=str(plane.folder / "ca.crt"))
    connection = http.client.HTTPSConnection("127.0.0.1", plane.place.api, timeout=5, context=context)
    connection.request("GET", "/api/v1/secrets")
    assert connection.getresponse().status in (401, 403)
    connection.close()
    for part in psutil.process_iter(["pid"]):
        if part.info["pid"] in {p.pid for p in plane.parts.values()}:
            listening = [c.laddr.ip for c in part.net_connections() if c.status == psutil.CONN_LISTEN]
            assert set(listening) <= {"127.0.0.1"}, (part, listening)


# ---- its audit log


def audited(plane: ControlPlane, agent: str) -> list[tuple[str, str, int]]:
    lines = (plane.folder / "audit.log").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines if f'"userAgent":"{agent}"' in line]
    return [(e["verb"], e["requestURI"], e["responseStatus"]["code"]) for e in events if e["stage"] == "ResponseComplete"]


def test_the_audit_log_holds_exactly_the_requests_sent(plane: ControlPlane) -> None:
    config = {"metadata": {"name": "audited"}}
    for method, path, body in (
        ("GET", f"{DEFAULT}/pods?limit=1", None),
        ("POST", f"{DEFAULT}/configmaps", config),
        ("POST", f"{DEFAULT}/configmaps", config),
        ("DELETE", f"{DEFAULT}/configmaps/audited", None),
        ("GET", f"{DEFAULT}/configmaps/audited", None),
    ):
        call(plane, method, path, "audit-test", body)
    assert audited(plane, "audit-test") == [
        ("list", f"{DEFAULT}/pods?limit=1", 200),
        ("create", f"{DEFAULT}/configmaps", 201),
        ("create", f"{DEFAULT}/configmaps", 409),
        ("delete", f"{DEFAULT}/configmaps/audited", 200),
        ("get", f"{DEFAULT}/configmaps/audited", 404),
    ]
    events = [json.loads(line) for line in (plane.folder / "audit.log").read_text(encoding="utf-8").splitlines()]
    assert {e["user"]["username"] for e in events} <= {certificates.ADMIN, "system:anonymous"}
    agents = {e.get("userAgent", "").partition("/")[0] for e in events if e["user"]["username"] == certificates.ADMIN}
    assert agents <= {"audit-test", "launcher-test", "Python-urllib"}, agents  # what the parts do is left out


# ---- its parts


def deployment(name: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]}}
    return {"metadata": {"name": name}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}}


@pytest.mark.parametrize("part", ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"])
def test_a_killed_part_comes_back_and_pods_run_again(plane: ControlPlane, part: str) -> None:
    before = plane.parts[part].pid
    assert before
    plane.parts[part].kill()
    assert (plane.parts[part].pid, plane.parts[part].code) == (0, -signal.SIGKILL)
    if part == "kwok":  # the next one would wait forty seconds for the first one's leases to run out
        call(plane, "DELETE", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
    plane.restart(part)
    assert plane.parts[part].pid not in (0, before)
    until(lambda: plane.get("/readyz")[0] == 200, what="readiness")
    name = f"after-{part}"
    plane.create("/apis/apps/v1/namespaces/default/deployments", deployment(name))
    path = f"/apis/apps/v1/namespaces/default/deployments/{name}"
    until(lambda: decoded(plane, path)["status"].get("availableReplicas") == 1, 60, f"a pod after {part} was killed")


def test_a_held_server_keeps_connections_and_says_nothing(plane: ControlPlane) -> None:
    plane.parts["kube-apiserver"].hold()
    try:
        with pytest.raises(TimeoutError):
            call(plane, "GET", "/readyz", seconds=0.5)
        assert plane.parts["kube-apiserver"].code is None
    finally:
        plane.parts["kube-apiserver"].release()
    assert call(plane, "GET", "/livez")[0] == 200


def test_a_part_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    part = Process("sleeper", ["sleep", "60"], tmp_path)
    thread = threading.Thread(target=part.start)
    thread.start()
    thread.join()
    try:
        with pytest.raises(psutil.TimeoutExpired):
            psutil.Process(part.pid).wait(0.3)
    finally:
        part.kill()


# ---- its history


def test_after_a_compaction_an_old_version_is_gone(plane: ControlPlane) -> None:
    old = decoded(plane, f"{DEFAULT}/configmaps")["metadata"]["resourceVersion"]
    plane.create(f"{DEFAULT}/configmaps", {"metadata": {"name": "newer"}})
    assert plane.compact() > int(old)
    plane.parts["kube-apiserver"].kill()  # its own memory of changes goes back further than etcd's
    plane.restart("kube-apiserver")
    status, body = call(plane, "GET", f"{DEFAULT}/configmaps?watch=1&resourceVersion={old}&timeoutSeconds=2")
    assert status == 200
    event = json.loads(body.splitlines()[0])
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert call(plane, "GET", f"{DEFAULT}/configmaps?resourceVersion={old}&resourceVersionMatch=Exact")[0] == 410


def test_a_restored_state_is_an_older_one(plane: ControlPlane) -> None:
    plane.create(f"{DEFAULT}/configmaps", {"metadata": {"name": "kept"}})
    saved = plane.save()
    plane.create(f"{DEFAULT}/configmaps", {"metadata": {"name": "lost"}})
    before = int(decoded(plane, f"{DEFAULT}/configmaps/lost")["metadata"]["resourceVersion"])
    plane.restore(saved)
    assert plane.get(f"{DEFAULT}/configmaps/kept")[0] == 200
    assert plane.get(f"{DEFAULT}/configmaps/lost")[0] == 404
    made = call(plane, "POST", f"{DEFAULT}/configmaps", body={"metadata": {"name": "again"}})[1]
    assert int(json.loads(made)["metadata"]["resourceVersion"]) <= before + 200  # its revisions begin again where it was saved


# ---- its end


@contextmanager
def launched(folder: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    require()
    environment = {**os.environ, "PYTHONPATH": str(ROOTS["kubepane_embedded"])}
    command = [sys.executable, "-m", "kubepane_controlplane", "up", "--nodes", "1", "--no-metrics", "--dir", str(folder)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == str(folder / "kubeconfig")
            parts = psutil.Process(process.pid).children()
            assert len(parts) == 5
            yield process, parts
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_part_outlives_the_launcher(tmp_path: Path, number: signal.Signals) -> None:
    with launched(tmp_path / "state") as (process, parts):
        process.send_signal(number)
        code = process.wait(60)
        assert code == (-signal.SIGKILL if number is signal.SIGKILL else 0)
        _, alive = psutil.wait_procs(parts, 10)
        assert alive == []
    assert (tmp_path / "state" / "etcd").is_dir()  # a folder that was given is kept


def test_a_folder_of_its_own_is_removed() -> None:
    require()
    with ControlPlane(0, metrics=False) as short:
        folder = short.folder
        assert "kwok" not in short.parts
    assert not folder.exists()
