"""Certificates for the TLS tests, made with `cryptography` as they are needed."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """A certificate authority."""

    def __init__(self, name: str = "test authority", *, key_ids: bool = True) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(self._name, self._name, self._key.public_key(), datetime.now(UTC) - DAY, datetime.now(UTC) + DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if key_ids:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        self.certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        name: str = "somebody",
        *,
        names: Sequence[str] = ("localhost", "127.0.0.1"),
        begins: datetime | None = None,
        ends: datetime | None = None,
        passphrase: bytes = b"",
    ) -> Issued:
        """A certificate for these host names and addresses, valid from yesterday until tomorrow unless said otherwise."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        builder = _builder(subject, self._name, key.public_key(), begins or now - DAY, ends or now + DAY)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            encryption = serialization.BestAvailableEncryption(passphrase)
        return Issued(
            builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption),
        )

    def server(self, issued: Issued | None = None, *, ask_client: bool = False) -> ssl.SSLContext:
        """A server's TLS context; with `ask_client` it demands a certificate of this authority."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shown = issued or self.issue()
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "c").write_bytes(shown.certificate)
            Path(folder, "k").write_bytes(shown.key)
            made.load_cert_chain(Path(folder, "c"), Path(folder, "k"))
        if ask_client:
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(cadata=self.certificate.decode())
        return made


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, ends: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@cache
def authority() -> Authority:
    """The one that most tests trust."""
    return Authority()
