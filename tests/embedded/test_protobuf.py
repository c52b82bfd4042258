"""Protobuf bodies, written here by hand as kubectl's typed client writes them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from kubepane_embedded.errors import ApiError
from kubepane_embedded.protobuf import MAGIC, decode


def varint(number: int) -> bytes:
    out = b""
    while True:
        number, low = number >> 7, number & 0x7F
        out += bytes([low | (0x80 if number else 0)])
        if not number:
            return out


def message(*fields: tuple[int, bytes | str | int]) -> bytes:
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def envelope(version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + message((1, message((1, version), (2, kind))), (2, raw), (3, ""), (4, ""))


META = message((1, "n"), (2, ""), (3, "ns"), (5, ""), (7, 0), (11, message((1, "app"), (2, "x"))))


def meta(**more: Any) -> dict[str, Any]:
    return {"name": "n", "namespace": "ns", "labels": {"app": "x"}, **more}


CASES = [
    ("v1", "Namespace", message((1, META), (2, b""), (3, message((1, "")))), {"metadata": meta(), "spec": {}, "status": {}}),
    ("v1", "ConfigMap", message((1, META), (2, message((1, "k"), (2, "v"))), (2, message((1, "e"), (2, "")))), {"metadata": meta(), "data": {"k": "v", "e": ""}}),
    ("v1", "Secret", message((1, META), (2, message((1, "k"), (2, b"\x00\xff"))), (3, "Opaque")), {"metadata": meta(), "data": {"k": base64.b64encode(b"\x00\xff").decode()}, "type": "Opaque"}),
    (
        "autoscaling/v1",
        "HorizontalPodAutoscaler",
        message((1, META), (2, message((1, message((1, "Deployment"), (2, "d"), (3, "apps/v1"))), (2, 1), (3, 4), (4, 50)))),
        {"metadata": meta(), "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}, "minReplicas": 1, "maxReplicas": 4, "targetCPUUtilizationPercentage": 50}},
    ),
    (
        "apps/v1",
        "Deployment",
        message((1, META), (2, message((1, 2), (3, message((2, message((2, message((1, "c"), (2, "x"), (8, message((1, message((1, "cpu"), (2, message((1, "1"))))))), (6, message((3, 80), (4, "TCP"))))), (1, message((1, "v"), (2, message((2, b"")))))))))))),
        {"metadata": meta(), "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "x", "resources": {"limits": {"cpu": "1"}}, "ports": [{"containerPort": 80, "protocol": "TCP"}]}], "volumes": [{"name": "v", "emptyDir": {}}]}}}},
    ),
]  # fmt: skip


def test_zeros_are_left_out_where_json_leaves_them_out() -> None:
    """By Go's structs: `stdin` and `hostNetwork` are values, `terminationGracePeriodSeconds` and `enableServiceLinks` pointers."""
    container = message((1, "c"), (2, ""), (16, 0), (18, 1))
    raw = message((1, META), (2, message((2, container), (4, 0), (10, ""), (11, 0), (30, 0))))
    spec = {"containers": [{"name": "c", "tty": True}], "terminationGracePeriodSeconds": 0, "enableServiceLinks": False}
    assert decode(envelope("v1", "Pod", raw), "v1", "Pod")["spec"] == spec


@pytest.mark.parametrize(("version", "kind", "raw", "wanted"), CASES, ids=[case[1] for case in CASES])
def test_bodies(version: str, kind: str, raw: bytes, wanted: dict[str, Any]) -> None:
    assert decode(envelope(version, kind, raw), version, kind) == {"apiVersion": version, "kind": kind, **wanted}


def test_numbers_below_zero_and_names_of_ports() -> None:
    raw = message(
        (
            2,
            message(
                (1, message((3, 80), (4, message((1, 1), (2, 0), (3, "http"))))),
                (1, message((3, (1 << 64) - 5), (4, message((1, 0), (2, 8080), (3, ""))))),
            ),
        )
    )
    ports = decode(envelope("v1", "Service", raw), "v1", "Service")["spec"]["ports"]
    assert ports == [{"port": 80, "targetPort": "http"}, {"port": -5, "targetPort": 8080}]


@pytest.mark.parametrize(
    "data", [b"", b"{}", MAGIC + b"\xff", MAGIC + message((1, "\x0a\xff"), (2, b"\x00")), envelope("v1", "Pod", b"\x0a\xff\x01")]
)
def test_what_is_no_message_is_a_bad_request(data: bytes) -> None:
    with pytest.raises(ApiError) as refusal:
        decode(data, "v1", "Pod")
    assert refusal.value.code in (400, 415)


def test_a_kind_without_a_table_is_not_read() -> None:
    with pytest.raises(ApiError) as refusal:
        decode(envelope("x/v1", "Thing", b""), "x/v1", "Thing")
    assert refusal.value.code == 415
