"""Load on a Service: which Services a row means, the Job that is made, and its end."""

from __future__ import annotations

from typing import Any

import pytest

from builders import NOW, put
from clusters import live
from kubepane.acting import loading
from kubepane.acting.plan import Intent, Plan, Progress, Scene, Unfit
from kubepane.cluster import kinds as k
from kubepane.cluster.stores import Stores
from kubepane.cluster.writing import Raw, Ref

WEB = Ref(k.SERVICES, "shop", "web", "u-web")


def service(*ports: dict[str, Any]) -> Raw:
    return {"metadata": {"name": "web", "uid": "u-web"}, "spec": {"ports": list(ports) or [{"port": 80}]}}


def planned(raw: Raw | None = None, stores: Stores | None = None, ref: Ref = WEB, **args: Any) -> Plan:
    return loading.load(Intent("load", (ref,), args), [raw or service()], Scene(stores or live(), NOW, "ctx"))


def job(plan: Plan) -> Any:
    request = plan.steps[0].request({})
    assert (request.method, request.path) == ("POST", "/apis/batch/v1/namespaces/shop/jobs")
    assert request.query["fieldValidation"] == "Strict"
    return request.body


def url(plan: Plan) -> str:
    return next(str(one["value"]) for one in job(plan)["spec"]["template"]["spec"]["containers"][0]["env"] if one["name"] == "URL")


def test_the_bundled_job_is_turned_to_the_service() -> None:
    made = job(planned(pods=3, path="/login"))
    assert (made["metadata"]["name"], made["metadata"]["namespace"], made["spec"]["parallelism"]) == ("web-load", "shop", 3)
    assert made["spec"]["template"]["metadata"]["annotations"]["sim.kubepane.io/load-service"] == "web"
    assert made["spec"]["activeDeadlineSeconds"] > 0  # it ends by itself
    assert url(planned(pods=3, path="/login")) == "http://web:80/login"


def test_one_plan_does_not_colour_the_next() -> None:
    first, second = job(planned(pods=3)), job(planned(pods=5, ref=Ref(k.SERVICES, "shop", "api")))
    assert (first["spec"]["parallelism"], first["metadata"]["name"]) == (3, "web-load")
    assert (second["spec"]["parallelism"], second["metadata"]["name"]) == (5, "api-load")


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        ([{"port": 8080}], 8080),
        ([{"port": 9, "protocol": "UDP"}, {"port": 80}], 80),
        ([{"name": "grpc", "port": 9000}, {"name": "http", "port": 80}], 80),
        ([{"name": "a", "port": 1}, {"name": "b", "port": 2, "appProtocol": "http"}], 1),
        ([{"name": None, "port": 1}, {"port": 2, "appProtocol": "http"}], 2),
    ],
)
def test_the_port_that_speaks_http_is_asked(ports: list[dict[str, Any]], port: int) -> None:
    assert url(planned(service(*ports), path="x")) == f"http://web:{port}/x"


@pytest.mark.parametrize("raw", [{"spec": {"ports": [{"port": 53, "protocol": "UDP"}]}}, {"spec": {}}, {}])
def test_without_a_tcp_port_there_is_no_load(raw: Raw) -> None:
    with pytest.raises(Unfit, match="has no TCP port"):
        planned({"metadata": {"uid": "u"}, **raw})


@pytest.mark.parametrize("pods", [-1, 21])
def test_a_number_that_makes_no_sense_is_unfit(pods: int) -> None:
    with pytest.raises(Unfit, match="no number of load pods"):
        planned(pods=pods)


def test_a_second_load_on_the_same_service_is_unfit_and_the_first_one_found() -> None:
    stores = live()
    assert loading.running(WEB, stores) is None
    held = put(stores, k.JOBS, "web-load")
    assert loading.running(WEB, stores) == Ref(k.JOBS, "shop", "web-load", held.metadata.uid)
    with pytest.raises(Unfit, match="runs already: delete job web-load"):
        planned(stores=stores)


def test_a_load_that_has_ended_makes_room_for_the_next() -> None:
    stores = live()
    held = put(stores, k.JOBS, "web-load", status={"conditions": [{"type": "Complete", "status": "True"}]})
    assert loading.running(WEB, stores) is None
    first, second = planned(stores=stores).steps
    assert first.request(first.raw or {}).body["preconditions"] == {"uid": held.metadata.uid}
    assert [first.request(first.raw or {}).method, second.request({}).method] == ["DELETE", "POST"]


def test_a_long_name_leaves_room() -> None:
    assert len(loading.job_name("s" * 63)) == 63


def test_it_is_taken_back_by_deleting_the_job_and_holds_once_that_is_there() -> None:
    plan = planned()
    assert plan.undo == Intent("delete", (Ref(k.JOBS, "shop", "web-load"),))
    step = plan.steps[0]
    assert step.holds({"metadata": {}})
    assert not step.holds({"metadata": {"deletionTimestamp": "x"}})
    assert not step.holds(None)


def test_it_has_begun_when_its_pods_run() -> None:
    stores, plan = live(), planned(pods=2)
    assert plan.progress(stores, NOW) == Progress(True, "the load job is gone", failed=True)
    put(stores, k.JOBS, "web-load", status={"ready": 1})
    assert plan.progress(stores, NOW) == Progress(False, "1 of 2 load pods run")
    put(stores, k.JOBS, "web-load", status={"ready": 2})
    assert plan.progress(stores, NOW) == Progress(True, "2 of 2 load pods run")


# ---- which Services a row means ------------------------------------------------------------------------------------------------


def test_a_workload_means_the_services_that_lead_to_its_pods() -> None:
    stores = live()
    put(stores, k.SERVICES, "web", spec={"selector": {"app": "web"}})
    put(stores, k.SERVICES, "other", spec={"selector": {"app": "other"}})
    put(stores, k.SERVICES, "bare", spec={})
    put(stores, k.SERVICES, "web", "test", spec={"selector": {"app": "web"}})
    deploy = put(stores, k.DEPLOYMENTS, "web", spec={"template": {"metadata": {"labels": {"app": "web", "tier": "x"}}}})
    assert [ref.name for ref in loading.services_of(deploy, stores)] == ["web"]
    hpa = put(stores, k.AUTOSCALERS, "web", spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}})
    assert [ref.name for ref in loading.services_of(hpa, stores)] == ["web"]
    lost = put(stores, k.AUTOSCALERS, "lost", spec={"scaleTargetRef": {"kind": "Deployment", "name": "none"}})
    odd = put(stores, k.AUTOSCALERS, "odd", spec={"scaleTargetRef": {"kind": "Thing", "name": "web"}})
    assert loading.services_of(lost, stores) == loading.services_of(odd, stores) == []
    assert loading.services_of(put(stores, k.CONFIGMAPS, "x"), stores) == []


def test_an_ingress_means_each_of_its_services_once() -> None:
    stores = live()
    paths = [{"path": f"/{i}", "backend": {"service": {"name": name, "port": {"number": 80}}}} for i, name in enumerate(("web", "api", "web"))]
    ingress = put(stores, k.INGRESSES, "front", spec={"rules": [{"host": "x", "http": {"paths": paths}}]})
    assert loading.services_of(ingress, stores) == [Ref(k.SERVICES, "shop", "web"), Ref(k.SERVICES, "shop", "api")]
