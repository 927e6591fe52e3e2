"""Real certificates for tests: an authority, and servers that it vouches for."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)
PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pair:
    """Two files, as a server reads them."""

    certificate: Path
    key: Path

    @property
    def flags(self) -> list[str]:
        """The settings of `podledger serve`."""
        return ["--set", f"tls.cert={self.certificate}", "--set", f"tls.key={self.key}"]


class Authority:
    """Signs certificates; its own is in the file `ca`."""

    def __init__(self, directory: Path, name: str = "podledger test authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._directory = directory
        authority = self._certificate(
            self._name, self._key, x509.BasicConstraints(ca=True, path_length=None), -1, 3650, []
        )
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(authority.public_bytes(PEM))

    def issue(self, name: str = "server", *, begins: float = -1, ends: float = 30) -> Pair:
        """A certificate for this machine, valid from and to so many days from now. Files of this name are replaced."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        constraints = x509.BasicConstraints(ca=False, path_length=None)
        certificate = self._certificate(subject, key, constraints, begins, ends, alternatives)
        pair = Pair(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(PEM))
        pair.key.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return pair

    @staticmethod
    def lock(pair: Pair) -> None:
        """Put a password on a key."""
        key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
        locked = serialization.BestAvailableEncryption(b"password")
        pair.key.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, locked))

    def _certificate(self, subject, key, constraints, begins, ends, alternatives) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * DAY)
            .not_valid_after(now + ends * DAY)
            .add_extension(constraints, critical=True)
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def serial_of(pem: bytes) -> int:
    """The serial number of the first certificate of a text."""
    return x509.load_pem_x509_certificate(pem).serial_number
