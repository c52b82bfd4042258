"""What an answer means: each error body a real server gave, and what comes from others."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from multidict import CIMultiDict

from kubepane.cluster import answers, errors
from kubepane.cluster.errors import ClusterError, NotKubernetes, Refused, Unreachable
from recordings import recorded

RECORDED: dict[str, dict[str, Any]] = recorded("api-errors")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def given_as(name: str) -> ClusterError:
    """The error for a recorded answer, whose headers were not always kept."""
    was = RECORDED[name]
    text = isinstance(was["body"], str)
    headers = CIMultiDict({"Content-Type": "text/plain" if text else "application/json"} | dict(was.get("headers") or {}))
    return answers.refusal(was["status"], headers, was["body"].encode() if text else json.dumps(was["body"]).encode(), NOW)


def expected(name: str, status: int, body: Any) -> type[Refused]:
    """By the codes' meaning, and by name for what the code does not tell."""
    if name in NOT_FOUND:
        return errors.NotFound
    if status == 504:
        return errors.FutureVersion
    by_code = {401: errors.Unauthorized, 403: errors.Forbidden, 404: errors.NotServed, 405: errors.NotServed, 409: errors.Conflict}
    by_code |= {410: errors.Expired, 429: errors.TooManyRequests}
    return by_code.get(status) or (errors.Invalid if status < 500 else errors.ServerFault)


NOT_FOUND = {"delete-404", "evict-404", "metrics-pod-404", "ns-404", "obj-404", "put-404", "sa-get-pod-missing", "scale-404"}


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_error_has_its_type(name: str) -> None:
    was, error = RECORDED[name], given_as(name)
    assert isinstance(error, Refused)
    assert type(error) is expected(name, was["status"], was["body"])
    assert error.status == was["status"]
    assert str(error)
    assert "\n" not in str(error)
    assert len(str(error)) <= answers.MESSAGE_LIMIT
    if isinstance(was["body"], dict):
        assert error.reason == was["body"].get("reason", "")
        assert len(error.causes) == len((was["body"].get("details") or {}).get("causes") or ())


def test_the_three_bodies_of_404() -> None:
    body = {"kind": "Status", "message": 'pods "x" not found', "reason": "NotFound", "details": {"name": "x", "kind": "pods"}, "code": 404}
    json_headers = CIMultiDict({"Content-Type": "application/json"})
    assert type(answers.refusal(404, json_headers, json.dumps(body).encode())) is errors.NotFound
    body = {"kind": "Status", "message": "the server could not find the requested resource", "reason": "NotFound", "details": {}, "code": 404}
    assert type(answers.refusal(404, json_headers, json.dumps(body).encode())) is errors.NotServed
    assert type(answers.refusal(404, CIMultiDict({"Content-Type": "text/plain"}), b"404 page not found\n")) is errors.NotServed


def test_conflicts_of_apply_keep_their_causes() -> None:
    error = given_as("ssa-conflict-409")
    assert isinstance(error, errors.Conflict)
    assert error.causes[0] == errors.Cause("FieldManagerConflict", 'conflict with "unknown" with subresource "scale" using apps/v1', ".spec.replicas")


def test_an_object_that_the_server_quotes_is_not_shown() -> None:
    assert "managedFields" not in str(given_as("strict-merge"))
    assert "unknown field" in str(given_as("strict-merge"))
    secret = '"{\\"kind\\":\\"Secret\\",\\"data\\":{\\"password\\":\\"aHVudGVyMg==aHVudGVyMg==aHVudGVyMg==\\"}}"'
    body = {"kind": "Status", "message": f"is invalid: patch: Invalid value: {secret}: strict decoding error", "code": 422}
    text = str(answers.refusal(422, CIMultiDict(), json.dumps(body).encode()))
    assert text == 'is invalid: patch: Invalid value: "{…}": strict decoding error'


# ---- waiting -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("1", 1.0),
        (" 5 ", 5.0),
        ("1000000000", 60.0),
        ("0", 0.0),
        ("-3", None),
        ("soon", None),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10.0),
        ("Fri, 02 Jan 2026 03:04:00 GMT", 0.0),
        ("Fri, 02 Jan 2099 03:04:00 GMT", 60.0),
    ],
)
def test_how_long_to_wait(value: str, seconds: float | None) -> None:
    assert answers.retry_after(value, NOW) == seconds


def test_the_body_may_say_how_long_to_wait() -> None:
    error = given_as("startup-metrics-503")
    assert isinstance(error, Refused)
    assert error.retry_after == 5.0
    body = b'{"kind":"Status","code":429,"details":{"retryAfterSeconds":7}}'
    error = answers.refusal(429, CIMultiDict(), body)
    assert isinstance(error, errors.TooManyRequests)
    assert error.retry_after == 7.0


def test_flow_control_answers_in_plain_text() -> None:
    error = given_as("apf-watchlist")
    assert isinstance(error, errors.TooManyRequests)
    assert (error.message, error.retry_after) == ("Too many requests, please try again later.", 1.0)


# ---- what no API server says ---------------------------------------------------------------------------------------------

PAGE = b"<!DOCTYPE html><html><head><title>502 Bad\nGateway</title></head><body>nginx \x1b[2J</body></html>"


@pytest.mark.parametrize("status", [200, 401, 403, 404, 502, 503, 504])
def test_a_page_is_not_kubernetes_whatever_its_code(status: int) -> None:
    error = answers.refusal(status, CIMultiDict({"Content-Type": "text/html; charset=utf-8"}), PAGE)
    assert isinstance(error, NotKubernetes)
    assert str(error) == f"HTTP {status} with text/html from something that is not the API server: “502 Bad Gateway”"


@pytest.mark.parametrize("kind", ["application/octet-stream", "image/png", "text/html"])
def test_other_types_are_not_kubernetes(kind: str) -> None:
    assert isinstance(answers.refusal(502, CIMultiDict({"Content-Type": kind}), b"\x89PNG"), NotKubernetes)


def test_a_page_without_its_type_is_found_out() -> None:
    assert isinstance(answers.refusal(502, CIMultiDict(), b"  <html>"), NotKubernetes)


def test_a_redirect_is_told_without_what_it_carries() -> None:
    headers = CIMultiDict({"Location": "https://me:pw1@login.example/auth?state=s3cr3t"})
    text = str(answers.refusal(302, headers, b""))
    assert "redirect to https://***@login.example/auth:" in text
    assert "s3cr3t" not in text


def test_http_spoken_to_an_https_port() -> None:
    error = answers.refusal(400, CIMultiDict({"Content-Type": "text/plain"}), b"Client sent an HTTP request to an HTTPS server.\n")
    assert isinstance(error, NotKubernetes)
    assert "https://" in str(error)


@pytest.mark.parametrize("body", [b"{}", b'{"items":[]}\n', b"[]", b'  {"a":1}  '])
def test_whole_json_passes(body: bytes) -> None:
    answers.check_json(CIMultiDict(), body)


@pytest.mark.parametrize(
    ("body", "error"),
    [(PAGE, NotKubernetes), (b"", NotKubernetes), (b"ok", NotKubernetes), (b'{"items":[{"me', Unreachable), (b'{"items":[', Unreachable)],
)
def test_other_bodies_do_not(body: bytes, error: type[ClusterError]) -> None:
    with pytest.raises(error):
        answers.check_json(CIMultiDict({"Content-Type": "application/json"}), body)


@pytest.mark.parametrize(
    ("kind", "json", "page"),
    [
        ("application/json", True, False),
        ("application/json;stream=watch", True, False),
        ("", True, False),
        ("text/plain", True, True),
        ("text/plain", False, False),
        ("text/html", False, True),
        ("text/html", True, True),
    ],
)
def test_which_streams_are_pages(kind: str, json: bool, page: bool) -> None:
    assert answers.is_page(CIMultiDict({"Content-Type": kind} if kind else {}), json=json) is page


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"7",
        b'{"kind":"Status"}',
        b'{"kind":"Status","message":null,"reason":null,"code":null,"details":null}',
        b'{"kind":"Status","message":7}',
        b'{"kind":"Status","details":{"causes":null}}',
        b'{"kind":"Status","details":{"causes":[{}]}}',
        b'{"kind":"Pod"}',
        b"{" * 100_000,
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("status", [400, 404, 418, 500])
def test_odd_bodies_still_have_a_type_and_a_text(status: int, body: bytes) -> None:
    error = answers.refusal(status, CIMultiDict({"Content-Type": "application/json"}), body)
    assert isinstance(error, Refused)
    assert str(error)


@given(st.integers(400, 599), st.binary(max_size=60), st.sampled_from(["application/json", "text/plain", "text/html", "", "x"]))
@settings(max_examples=200)
def test_anything_is_an_error_on_one_line(status: int, body: bytes, kind: str) -> None:
    assert str(answers.refusal(status, CIMultiDict({"Content-Type": kind}), body)).isprintable()


def test_warnings_are_read_from_every_header() -> None:
    headers = ['299 - "v1 Endpoints is deprecated"', '299 - "a \\"b\\"", 299 kube "c"', "199 - nonsense", ""]
    assert answers.warnings_of(headers) == ["v1 Endpoints is deprecated", 'a "b"', "c"]
