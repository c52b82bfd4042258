"""Nothing secret leaves in a text, and plain words stay readable."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from kubepane.cluster.redaction import MASK, one_line, redact, remember

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
CANARY = "c4n4ry-0123456789abcdef"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {CANARY}",
        f"Authorization: Basic {CANARY}",
        f"{{'Authorization': 'Bearer {CANARY}'}}",
        f'"proxy-authorization": "Basic {CANARY}"',
        f"sent bearer {CANARY} to the server",
        f"token={CANARY}",
        f"id-token: {CANARY}",
        f'"refresh_token": "{CANARY}"',
        f"--token {CANARY} --server x",
        f"--token={CANARY}",
        f"password={CANARY}&user=me",
        f"password: '{CANARY}'",
        f"MYSQL_ROOT_PASSWORD={CANARY}",
        f"client-secret: {CANARY}",
        f"aws_secret_access_key = {CANARY}",
        f"client-key-data: {CANARY}",
        f"https://me:{CANARY}@proxy:3128/x",
        f"http://{CANARY}@proxy",
        f"http://127.0.0.1:8001/c/{CANARY}/api/v1",
        f"-----BEGIN EC PRIVATE KEY-----\n{CANARY}\n-----END EC PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\nand it was cut",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert CANARY not in redact(text)
    assert MASK in redact(text)


def test_a_jwt_is_masked_wherever_it_stands() -> None:
    assert redact(f"got {JWT}, expired") == f"got {MASK}, expired"


@pytest.mark.parametrize(
    "text",
    [
        "the token expired",
        "invalid continue token: continue key is not valid",
        'secret "mysql-secret" not found',
        'secrets is forbidden: User "dev" cannot list resource "secrets"',
        "https://10.0.0.1:6443/api/v1/pods",
        "https://rancher.example/k8s/clusters/c-m-abcdefgh12345678/api",
        "http://127.0.0.1:8001/c/short",
        "a bearer token is needed",
        'pods "chatapp-6d9c947bc9-9mqcl" not found',
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert redact(text) == text


def test_a_remembered_secret_is_masked_in_any_place() -> None:
    remember("opaque-and-odd")
    assert redact("xxopaque-and-oddxx") == f"xx{MASK}xx"


def test_what_is_too_short_to_be_a_secret_is_not_remembered() -> None:
    remember("pods")
    assert redact("pods") == "pods"


def test_every_line_of_a_key_is_remembered_but_not_its_frame() -> None:
    remember("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n-----END PRIVATE KEY-----")
    assert redact("it said MIGHAgEAMBMG") == f"it said {MASK}"


def test_only_the_newest_secrets_are_remembered() -> None:
    for number in range(100):
        remember(f"rotating-{number:03}")
    assert redact("rotating-099") == MASK
    assert redact("rotating-000") == "rotating-000"


def test_one_line_has_no_control_characters_and_an_end() -> None:
    assert one_line("a\n\x1b[2Jb\tc\x07") == "a [2Jb c"
    assert one_line("x" * 400) == "x" * 299 + "…"


@given(st.text())
@settings(max_examples=200)
def test_any_text_becomes_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= 300
