import random
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from builders import make
from kubepane.cluster import kinds as k, resources as r
from kubepane.insight.backends import Condition, endpoints, port_of

HTTP = r.ServicePort(name="http", port=80)


def part(
    *found: dict[str, Any], ports: Any = ({"name": "http", "port": 8080, "protocol": "TCP"},), name: str = "web-1", family: str = "IPv4"
) -> r.EndpointSlice:
    labels = {"kubernetes.io/service-name": "web"}
    obj: r.EndpointSlice = make(k.ENDPOINTSLICES, name, labels=labels, addressType=family, endpoints=list(found), ports=ports)
    return obj


def one(name: str, address: str = "10.0.0.1", **conditions: Any) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions, "targetRef": {"kind": "Pod", "name": name, "uid": f"uid-{name}"}}


@pytest.mark.parametrize(
    ("conditions", "condition"),
    [
        ({}, Condition.READY),
        ({"ready": None, "serving": None, "terminating": None}, Condition.READY),
        ({"ready": True}, Condition.READY),
        ({"ready": False}, Condition.NOT_READY),
        ({"ready": False, "serving": True, "terminating": True}, Condition.TERMINATING),
        ({"ready": False, "serving": False, "terminating": False}, Condition.NOT_READY),
        ({"ready": True, "serving": True, "terminating": True}, Condition.READY),  # publishNotReadyAddresses
    ],
)
def test_what_null_means(conditions: dict[str, Any], condition: Condition) -> None:
    assert endpoints([part(one("a", **conditions))], HTTP).all[0].condition is condition


@pytest.mark.parametrize(
    ("ports", "ready", "without"),
    [
        ([{"name": "http", "port": 8080, "protocol": "TCP"}], 1, 0),
        ([{"name": "http", "port": 8080}], 1, 0),
        ([{"name": "http", "port": None}], 1, 0),  # all ports
        ([{"name": "metrics", "port": 9090}], 0, 1),
        ([{"name": "http", "port": 8080, "protocol": "UDP"}], 0, 1),
        ([{"name": "", "port": 8080}], 0, 1),
        ([], 0, 1),
        (None, 0, 1),  # targetPort names a port that no container has
    ],
)
def test_ports_match_by_the_name_of_the_services_port(ports: Any, ready: int, without: int) -> None:
    found = endpoints([part(one("a"), ports=ports)], HTTP)
    assert (found.ready, found.without_port, found.total) == (ready, without, 1)


def test_a_port_without_name_matches_null_and_empty() -> None:
    bare = r.ServicePort(port=80)
    for name in (None, ""):
        assert endpoints([part(one("a"), ports=[{"name": name, "port": 8080}])], bare).ready == 1


def test_pods_with_different_numbers_behind_one_name() -> None:
    found = endpoints([part(one("a")), part(one("b", "10.0.0.2"), ports=[{"name": "http", "port": 9090}], name="web-2")], HTTP)
    assert [(e.name, e.port) for e in found.all] == [("a", 8080), ("b", 9090)]


def test_two_families_are_one_endpoint() -> None:
    found = endpoints([part(one("a")), part(one("a", "fd00::1"), name="web-6", family="IPv6")], HTTP)
    assert (found.ready, found.total, found.all[0].address) == (1, 1, "10.0.0.1")


def test_an_endpoint_in_two_slices_counts_by_its_best_state() -> None:
    parts = [part(one("a", ready=False, terminating=True)), part(one("a"), name="web-2")]
    assert endpoints(parts, HTTP).ready == 1
    assert endpoints(reversed(parts), HTTP).ready == 1


def test_addresses_without_pods_are_told_apart_by_address() -> None:
    bare = [{"addresses": ["10.1.0.1"]}, {"addresses": ["10.1.0.2"]}, {"addresses": ["10.1.0.1"]}]
    found = endpoints([part(*bare)], HTTP)
    assert [(e.name, e.uid) for e in found.all] == [("10.1.0.1", ""), ("10.1.0.2", "")]


def test_a_service_port_is_found_by_number_and_by_name() -> None:
    service = make(k.SERVICES, "web", spec={"ports": [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]})
    for wanted, name in ((r.BackendPort(number=81), "admin"), (r.BackendPort(name="http"), "http")):
        port = port_of(service, wanted)
        assert port is not None
        assert port.name == name
    for wanted in (r.BackendPort(number=82), r.BackendPort(name="https"), r.BackendPort()):
        assert port_of(service, wanted) is None


CONDITION = st.sampled_from([None, True, False])
ENDPOINT = st.builds(
    lambda n, ready, terminating: one(f"p{n}", f"10.0.0.{n}", ready=ready, terminating=terminating), st.integers(1, 6), CONDITION, CONDITION
)
PORTS = st.sampled_from(
    [None, [], [{"name": "http", "port": 1}], [{"name": "x", "port": 2}], [{"name": "x", "port": 2}, {"name": "http", "port": 3}]]
)
SLICES = st.lists(st.tuples(st.lists(ENDPOINT, max_size=5), PORTS), max_size=4)


@settings(max_examples=80, deadline=None)
@given(slices=SLICES, seed=st.integers(0, 99))
def test_the_count_does_not_depend_on_how_endpoints_are_cut_into_slices(slices: list[tuple[list[dict[str, Any]], Any]], seed: int) -> None:
    whole = endpoints([part(*found, ports=ports) for found, ports in slices], HTTP)
    single = [part(e, ports=ports) for found, ports in slices for e in found]  # one endpoint a slice, some twice, in any order
    rnd = random.Random(seed)
    cut = [*single, *rnd.sample(single, len(single) // 2)]
    rnd.shuffle(cut)
    assert endpoints(cut, HTTP) == whole
    uids = [e.uid for e in whole.all]
    assert len(set(uids)) == len(uids)
    assert whole.ready + whole.not_ready + whole.without_port + whole.terminating == len(uids)
    assert 0 <= whole.ready <= whole.total <= len(uids)
    assert whole.ready == len({e["targetRef"]["uid"] for found, ports in slices for e in found if _ready(e, ports)})


def _ready(endpoint: dict[str, Any], ports: Any) -> bool:
    return endpoint["conditions"]["ready"] is not False and any(p["name"] == "http" for p in ports or ())
