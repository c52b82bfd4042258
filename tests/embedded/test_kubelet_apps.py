"""The applications in the known images: their logs, what they need, what they answer."""

from __future__ import annotations

from typing import Any

import pytest

from embedded.kubelet_stage import APP, Stage
from kubepane_embedded.kubelet.images import KNOWN, application, parsed

URL = "jdbc:mysql://mysql:3306/chat?useSSL=false"
DATA = {"volumeMounts": [{"name": "d", "mountPath": "/var/lib/mysql"}]}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def env(**values: str) -> list[dict[str, str]]:
    """Environment variables of a container."""
    return [{"name": name, "value": value} for name, value in values.items()]


def database(stage: Stage, ready: bool = True, port: int = 3306) -> None:
    """A mysql pod behind a headless Service whose endpoints are written by hand."""
    made = {"name": "c", "image": "mysql:8.4", "env": env(MYSQL_ROOT_PASSWORD="root", MYSQL_DATABASE="chat", MYSQL_USER="app", MYSQL_PASSWORD="pw")}
    stage.pod("mysql-0", containers=[made])
    stage.run(20)
    spec = {"clusterIP": "None", "selector": {"app": "mysql"}, "ports": [{"port": 3306}]}
    stage.user.create("services", {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "mysql", "namespace": "default"}, "spec": spec})
    endpoints(stage, "mysql", stage.status("mysql-0")["podIP"], port, ready)


def endpoints(stage: Stage, service: str, address: str, port: int, ready: bool) -> None:
    """The EndpointSlice of a Service."""
    meta = {"name": f"{service}-x", "namespace": "default", "labels": {"kubernetes.io/service-name": service}}
    body = {"metadata": meta, "addressType": "IPv4", "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}]}
    slice_ = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", **body, "ports": [{"name": "", "port": port}]}
    stage.user.create("endpointslices.discovery.k8s.io", slice_)


def chatapp(stage: Stage, **values: str) -> None:
    """A chatapp pod with an environment."""
    probe = {"httpGet": {"path": "/login", "port": 8080}, "periodSeconds": 2}
    stage.pod(containers=[{"name": "c", "image": APP, "env": env(**values), "readinessProbe": probe}])
    stage.run(20)


def test_chatapp_with_its_database(stage: Stage) -> None:
    database(stage)
    chatapp(stage, SPRING_DATASOURCE_URL=URL, SPRING_DATASOURCE_USERNAME="app", SPRING_DATASOURCE_PASSWORD="pw")
    assert stage.container()["ready"]
    log = "\n".join(stage.log())
    assert ":: Spring Boot ::" in log
    assert "HikariPool-1 - Start completed." in log
    assert f"Started ChatAppApplication in {KNOWN['mrsinghdocker/chatapp'].start_seconds:.3f} seconds" in log


@pytest.mark.parametrize(
    ("ready", "url", "user", "password", "cause"),
    [
        (False, URL, "app", "pw", "java.net.UnknownHostException: mysql: Name or service not known"),
        (True, "jdbc:mysql://nowhere:3306/chat", "app", "pw", "java.net.UnknownHostException: nowhere: Name or service not known"),
        (True, "jdbc:mysql://mysql:3307/chat", "app", "pw", "java.net.ConnectException: Connection refused"),
        (True, URL, "app", "no", "Access denied for user 'app'@'10.244.1.3' (using password: YES)"),
        (True, URL, "other", "", "Access denied for user 'other'@'10.244.1.3' (using password: NO)"),
    ],
)
def test_chatapp_without_its_database_ends_with_1(stage: Stage, ready: bool, url: str, user: str, password: str, cause: str) -> None:
    database(stage, ready)
    chatapp(stage, SPRING_DATASOURCE_URL=url, SPRING_DATASOURCE_USERNAME=user, SPRING_DATASOURCE_PASSWORD=password)
    container = stage.container()
    assert not container["ready"]
    ended = container["lastState"].get("terminated") or container["state"]["terminated"]
    assert ended["exitCode"] == 1
    log = "\n".join(stage.log(previous=container["restartCount"] > 0))
    assert cause in log
    assert "Application run failed" in log
    assert "Started ChatAppApplication" not in log


def test_chatapp_comes_up_once_its_database_does(stage: Stage) -> None:
    chatapp(stage, SPRING_DATASOURCE_URL=URL, SPRING_DATASOURCE_USERNAME="root", SPRING_DATASOURCE_PASSWORD="root")
    assert stage.container()["restartCount"] >= 1
    database(stage)
    stage.run(60)
    assert stage.container()["ready"]


def test_chatapp_answers_login_and_nothing_unknown(stage: Stage) -> None:
    chatapp(stage)
    worker = stage.kubelets._workers["default", "p"]
    assert [worker.http(8080, path, "x") for path in ("/login", "/login?error", "/", "/actuator/health")] == [200, 200, 302, 404]
    assert not worker.listens(8081)


def test_mysql_without_a_password_option(stage: Stage) -> None:
    stage.pod(containers=[{"name": "c", "image": "mysql:8.4"}], restartPolicy="Never")
    stage.run(20)
    assert stage.container()["state"]["terminated"]["exitCode"] == 1
    log = "\n".join(stage.log())
    assert "[ERROR] [Entrypoint]: Database is uninitialized and password option is not specified" in log
    assert "    - MYSQL_ALLOW_EMPTY_PASSWORD" in log


def test_mysql_takes_connections_after_its_start(stage: Stage) -> None:
    probe = {"exec": {"command": ["mysqladmin", "ping", "-h", "localhost"]}, "periodSeconds": 1}
    made = {"name": "c", "image": "mysql:8.4", "env": env(MYSQL_ROOT_PASSWORD="x"), "readinessProbe": probe}
    stage.pod(annotations={"sim.kubepane.io/start": "8s"}, containers=[made])
    stage.run(9)
    assert not stage.container()["ready"]
    stage.run(9)
    assert stage.container()["ready"]
    log = "\n".join(stage.log())
    assert "/usr/sbin/mysqld: ready for connections." in log
    assert "port: 3306" in log
    text = "Readiness probe failed: mysqladmin: connect to server at 'localhost' failed\n"
    assert stage.messages("Unhealthy")[0].startswith(text)


def claim(stage: Stage) -> None:
    """A bound claim `data`."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = stage.user.create("persistentvolumeclaims", {"metadata": {"name": "data", "namespace": "default"}, "spec": {**spec, "volumeName": "v1"}})
    reference = {"kind": "PersistentVolumeClaim", "namespace": "default", "name": "data", "uid": made["metadata"]["uid"]}
    volume = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}, "claimRef": reference}
    stage.user.create("persistentvolumes", {"metadata": {"name": "v1"}, "spec": volume})
    stage.user.patch_status("persistentvolumeclaims", "default", "data", {"phase": "Bound"})


def test_mysql_keeps_its_data_in_its_volume(stage: Stage) -> None:
    claim(stage)
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    made: dict[str, Any] = {"name": "c", "image": "mysql:8.4", "env": env(MYSQL_ROOT_PASSWORD="x"), **DATA}
    stage.pod(containers=[made], volumes=volumes)
    stage.run(20)
    assert any("Initializing database files" in line for line in stage.log())
    stage.user.delete("pods", "default", "p")
    stage.run(10)
    stage.pod(containers=[made], volumes=volumes)
    stage.run(20)
    log = "\n".join(stage.log())
    assert "Initializing database files" not in log
    assert "ready for connections" in log


def test_nginx_writes_access_lines(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2}
    stage.config("pages", **{"about.html": "about"})
    made = {"name": "c", "image": "nginx:1.29", "readinessProbe": probe, "volumeMounts": [{"name": "w", "mountPath": "/usr/share/nginx/html"}]}
    stage.pod(containers=[made], volumes=[{"name": "w", "configMap": {"name": "pages"}}])
    stage.run(10)
    assert stage.container()["ready"]
    log = stage.log()
    assert log[0].startswith("/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty")
    assert any('"GET / HTTP/1.1" 200 615 "-" "kube-probe/1.35" "-"' in line for line in log)
    worker = stage.kubelets._workers["default", "p"]
    assert [worker.http(80, path, "x") for path in ("/about.html", "/nope")] == [200, 404]


def service(stage: Stage, ready: bool) -> str:
    """A Service `web` in front of an nginx pod; its cluster address."""
    stage.pod("web", containers=[{"name": "c", "image": "nginx:1.29"}])
    stage.run(10)
    body = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 8000, "targetPort": 80}]}}
    made = stage.user.create("services", {"kind": "Service", "apiVersion": "v1", **body})
    endpoints(stage, "web", stage.status("web")["podIP"], 80, ready)
    return str(made["spec"]["clusterIP"])


@pytest.mark.parametrize("host", ["web", "web.default", "web.default.svc", "web.default.svc.cluster.local"])
def test_names_of_a_service(stage: Stage, host: str) -> None:
    service(stage, True)
    stage.box(f"wget -q -O- http://{host}:8000/ && echo ok; sleep 1000")
    stage.run(5)
    assert stage.log()[-1] == "ok"
    assert any("Wget" in line for line in stage.log(name="web"))


def test_service_without_ready_endpoints_refuses(stage: Stage) -> None:
    address = service(stage, False)
    stage.box("wget -q -O- http://web:8000/; curl -s http://web:8000/; echo $?; nc -z web 8000 || echo closed; sleep 1000")
    stage.run(5)
    assert stage.log() == [
        f"wget: can't connect to remote host ({address}): Connection refused",
        "7",
        "nc: web (web:8000): Connection refused",
        "closed",
    ]


def test_service_answers_by_the_pod_behind_it(stage: Stage) -> None:
    address = service(stage, True)
    stage.box(
        f"wget -O /dev/null http://{address}:8000/nope; curl -s -o /dev/null -w '%{{http_code}}' http://web:8000/; echo; nslookup web; sleep 1000"
    )
    stage.run(5)
    log = stage.log()
    assert log[:3] == [f"Connecting to {address} ({address}:8000)", "wget: server returned error: HTTP/1.1 404 Not Found", "200"]
    assert f"Address: {address}" in log


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("docker.io/library/nginx:1", "docker.io/library/nginx:1"),
        ("a/b", "docker.io/a/b:latest"),
        ("localhost:5000/b:x", "localhost:5000/b:x"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("nginx@sha256:" + "a" * 64, "docker.io/library/nginx@sha256:" + "a" * 64),
    ],
)
def test_image_names(image: str, full: str) -> None:
    reference = parsed(image)
    assert reference is not None
    assert reference.full == full


@pytest.mark.parametrize("image", ["", "UPPER", "a b", "nginx:", "nginx:a b", "nginx@sha256:zz", "/nginx", "a//b", "-x", "nginx:" + "t" * 129])
def test_bad_image_names(image: str) -> None:
    assert parsed(image) is None


@pytest.mark.parametrize(
    ("image", "known"),
    [(APP, True), ("mrsinghdocker/chatapp:broken", False), ("nginx:1.29-alpine", True), ("nginx:nope", False), ("busybox", True), ("mysql:8", True)],
)
def test_tags_that_a_repository_has(image: str, known: bool) -> None:
    assert (application(image) is not None) == known


def test_every_known_image_runs(stage: Stage) -> None:
    for number, (repository, image) in enumerate(sorted(KNOWN.items())):
        tag = "k8s" if repository.endswith("chatapp") else "1"
        command = {"command": ["sleep", "1000"]} if image.kind == "shell" else {}
        made = {"name": "c", "image": f"{repository}:{tag}", "env": env(MYSQL_ROOT_PASSWORD="x"), **command}
        stage.pod(f"p{number}", containers=[made])
    stage.run(200)
    assert {stage.status(f"p{number}")["phase"] for number in range(len(KNOWN))} == {"Running"}
    assert {stage.container(name=f"p{number}")["restartCount"] for number in range(len(KNOWN))} == {0}
