"""TLS contexts, and the lifetime of certificates."""

from __future__ import annotations

import base64
import gc
import os
import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from cluster.authority import DAY, Authority, authority
from kubepane.cluster.certificates import expiry
from kubepane.cluster.context import Context, Pem
from kubepane.cluster.errors import BadConfig
from kubepane.cluster.tls import tls_context, verification_failed

HERE = Context(name="c", server="https://127.0.0.1:6443", ca=Pem(data=authority().certificate))


def test_tls_is_at_least_1_2_and_verified() -> None:
    made = tls_context(HERE)
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    assert made.verify_mode == ssl.CERT_REQUIRED
    assert made.check_hostname
    assert len(made.get_ca_certs()) == 1


def test_without_a_ca_the_systems_are_trusted() -> None:
    made = tls_context(Context(name="c", server="https://h"))
    assert made.verify_mode == ssl.CERT_REQUIRED
    assert made.get_ca_certs() == ssl.create_default_context().get_ca_certs()


def test_only_the_kubeconfig_can_turn_verification_off() -> None:
    made = tls_context(Context(name="c", server="https://h", insecure=True))
    assert made.verify_mode == ssl.CERT_NONE
    assert not made.check_hostname


def test_several_authorities_in_one_text() -> None:
    both = b"# ours\n" + authority().certificate + b"\n# theirs\n" + Authority("other").certificate
    assert len(tls_context(Context(name="c", server="https://h", ca=Pem(data=both))).get_ca_certs()) == 2


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_an_authority_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ca"
    path.write_bytes(content)
    with pytest.raises(BadConfig, match="certificate authority"):
        tls_context(Context(name="c", server="https://h", ca=Pem(path=str(path))))


@pytest.mark.parametrize(("make", "why"), [(lambda p: None, "does not exist"), (os.mkdir, "no ordinary file"), (os.mkfifo, "no ordinary file")])
def test_an_authority_that_cannot_be_read(tmp_path: Path, make: object, why: str) -> None:
    path = str(tmp_path / "ca")
    make(path)  # type: ignore[operator]
    with pytest.raises(BadConfig, match=f"certificate authority file .*{why}"):
        tls_context(Context(name="c", server="https://h", ca=Pem(path=path)))


def _files_of_this_process() -> set[str]:
    gc.collect()
    return {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}


@pytest.mark.parametrize("with_memory_files", [True, False])
def test_a_client_key_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_memory_files: bool) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if not with_memory_files:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    client, before = authority().issue("me"), _files_of_this_process()
    tls_context(HERE, client.certificate, client.key)
    with pytest.raises(BadConfig):
        tls_context(HERE, client.certificate, b"no key")
    assert list(tmp_path.iterdir()) == []
    assert _files_of_this_process() == before


def test_a_client_key_file_is_private_while_it_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delattr(os, "memfd_create", raising=False)
    seen: list[int] = []
    unlink = os.unlink

    def watched(path: str) -> None:
        seen.append(os.stat(path).st_mode & 0o777)
        unlink(path)

    monkeypatch.setattr(os, "unlink", watched)
    client = authority().issue("me")
    tls_context(HERE, client.certificate, client.key)
    assert seen == [0o600, 0o600]


def test_client_certificates_that_cannot_be_used() -> None:
    one, two, locked = authority().issue("one"), authority().issue("two"), authority().issue("three", passphrase=b"x")
    for certificate, key, why in (
        (one.certificate, two.key, "do not belong together"),
        (one.certificate, b"nonsense", "no usable PEM"),
        (b"nonsense", one.key, "no usable PEM"),
        (locked.certificate, locked.key, "locked with a passphrase"),
    ):
        with pytest.raises(BadConfig, match=why):
            tls_context(HERE, certificate, key)


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        (10, "certificate has expired", "has expired"),
        (9, "certificate is not yet valid", "not valid yet"),
        (62, "Hostname mismatch", "for another name (not for api;"),
        (64, "IP address mismatch", "for another name (not for api;"),
        (18, "self-signed certificate", "unknown certificate authority"),
        (19, "self-signed certificate in certificate chain", "unknown certificate authority"),
        (20, "unable to get local issuer certificate", "unknown certificate authority"),
        (85, "Missing Authority Key Identifier", "Python 3.13 and newer check more than kubectl"),
        (23, "certificate revoked", "not accepted: certificate revoked"),
    ],
)
def test_the_words_for_a_certificate_that_is_not_accepted(code: int, message: str, words: str) -> None:
    error = ssl.SSLCertVerificationError()
    error.verify_code, error.verify_message = code, message
    assert words in verification_failed(error, "api")


@pytest.mark.parametrize(
    "ends", [datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC)]
)
def test_when_a_certificate_expires(ends: datetime) -> None:
    certificate = authority().issue("me", begins=datetime(2026, 1, 1, tzinfo=UTC), ends=ends).certificate
    assert expiry(certificate) == ends
    assert expiry(b"words before\n" + certificate + authority().certificate) == ends


def test_an_authority_has_an_end_as_well() -> None:
    ends = expiry(authority().certificate)
    assert ends is not None
    assert abs(ends - datetime.now(UTC) - DAY).total_seconds() < 600


@given(st.binary(max_size=80))
@settings(max_examples=150)
def test_any_bytes_have_an_end_or_none(content: bytes) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(content) + b"\n-----END CERTIFICATE-----"
    assert expiry(pem) is None or isinstance(expiry(pem), datetime)
    assert expiry(content) is None
