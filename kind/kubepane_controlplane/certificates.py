"""One certificate authority, one leaf for servers and the admin, and one for each part as a client, so that the audit log tells them apart."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ADMIN = "controlplane-admin"
CLIENTS = ("kube-controller-manager", "kube-scheduler", "kwok", "kubelets", "metrics-server")
NAMES = ("localhost", "kubernetes", "kubernetes.default.svc")


def write(folder: Path) -> None:
    """Write ca.crt, leaf.crt, a certificate for each of CLIENTS, and the key of them all, leaf.key (0600), into the folder."""
    now = datetime.now(UTC)
    authority = rsa.generate_private_key(65537, 2048)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubepane-test-ca")])
    root = (
        _builder(issuer, issuer, authority.public_key(), now).add_extension(x509.BasicConstraints(True, None), True).sign(authority, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    key = rsa.generate_private_key(65537, 2048)
    for file, name in (("leaf", ADMIN), *((client, f"system:{client}") for client in CLIENTS)):
        certificate = _leaf(name, issuer, key.public_key(), now).sign(authority, hashes.SHA256())
        (folder / f"{file}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "leaf.key"
    private.touch(0o600)
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))


def _leaf(name: str, issuer: x509.Name, key: rsa.RSAPublicKey, now: datetime) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    alternatives = x509.SubjectAlternativeName([*(x509.DNSName(text) for text in NAMES), *addresses])
    usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        _builder(subject, issuer, key, now)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(alternatives, False)
        .add_extension(usages, False)
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey, now: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=30))
    )
