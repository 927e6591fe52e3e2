"""The certificate of the listeners: one pair of files, checked at start and read again when it changes.

New connections get the new pair; those that are open keep theirs. A pair that is not usable (half written,
expired, of another key) is not taken: the old one goes on, one log line and a metric tell. Both listeners
speak TLS 1.2 or newer (operations 16).
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from podledger.errors import BadInput
from podledger.telemetry import Telemetry

log = structlog.get_logger("podledger.tls")

NAME = "server"
"""Label of the certificate in the metrics."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain and its key, both PEM, which fit each other."""

    chain: bytes
    key: bytes
    expires: float
    """Seconds since the epoch."""


def check_pair(chain: bytes, key: bytes, *, cert_path: Path, key_path: Path) -> Pair:
    """The pair, if it can be served now. Raises `BadInput` with one sentence."""
    certificate = _certificate(chain, cert_path)
    if _public(key, key_path) != certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo):
        raise BadInput(f"tls.key: {key_path} is not the key of the certificate in {cert_path}")
    now, begin, end = dt.datetime.now(dt.UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= end:
        raise BadInput(f"tls.cert: the certificate in {cert_path} expired on {end:%Y-%m-%d}; renew it")
    if now < begin:
        raise BadInput(f"tls.cert: the certificate in {cert_path} is not valid before {begin:%Y-%m-%d %H:%M} UTC")
    return Pair(chain, key, end.timestamp())


def _certificate(chain: bytes, path: Path) -> x509.Certificate:
    """The first one of the chain is the server's own."""
    try:
        certificates: Sequence[x509.Certificate] = x509.load_pem_x509_certificates(chain)
    except ValueError as error:
        raise BadInput(f"tls.cert: {path} holds no PEM certificate") from error
    return certificates[0]


def _public(key: bytes, path: Path) -> bytes:
    try:
        private = load_pem_private_key(key, password=None)
    except TypeError as error:
        raise BadInput(f"tls.key: the key in {path} has a password; give one without") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInput(f"tls.key: {path} holds no PEM private key") from error
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{name}: {path} cannot be read: {error.strerror}") from error


class Certificates:
    """The pair in force, for both listeners. Raises `BadInput` when the files hold none."""

    def __init__(self, cert: Path, key: Path, telemetry: Telemetry) -> None:
        self._cert = cert
        self._key = key
        self._reloads = telemetry.tls_reloads
        self._expiry = telemetry.certificate_expiry.labels(NAME)
        self._refused = ""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen = self._files()
        self._pair = self._handed = self._loaded(self._seen)

    def for_grpc(self) -> grpc.ServerCredentials:
        """Credentials that take a new pair at the next handshake."""
        fetch: Any = self._fetch  # None is missing in the stubs
        return grpc.dynamic_ssl_server_credentials(_configuration(self._pair), fetch)

    def for_http(self) -> ssl.SSLContext:
        """The one context, which is given a new pair in place."""
        return self._context

    def check(self) -> None:
        """Take the pair in the files if it is a new one and usable."""
        try:
            files = self._files()
            if files != self._seen:
                self._seen = files
                self._pair = self._loaded(files)
                self._reloads.labels("taken").inc()
                log.info("certificate replaced", expires=_moment(self._pair.expires))
            self._refused = ""
        except BadInput as error:
            self._refuse(error.message)

    def _refuse(self, reason: str) -> None:
        """Tell it once, not at every look."""
        if reason != self._refused:
            self._reloads.labels("kept_old").inc()
            log.error("new certificate not usable, the old one is kept", reason=reason)
        self._refused = reason

    @asynccontextmanager
    async def watched(self, *, every_seconds: float) -> AsyncIterator[None]:
        """Look at the files now and then, while the block runs."""
        task = asyncio.create_task(self._watch(every_seconds), name="certificate watch")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _watch(self, every_seconds: float) -> None:
        while True:
            await asyncio.sleep(every_seconds)
            self.check()

    def _files(self) -> tuple[bytes, bytes]:
        return _read(self._cert, "tls.cert"), _read(self._key, "tls.key")

    def _loaded(self, files: tuple[bytes, bytes]) -> Pair:
        """The pair of these bytes, checked, and in the context."""
        pair = check_pair(*files, cert_path=self._cert, key_path=self._key)
        try:
            self._context.load_cert_chain(self._cert, self._key)  # from the files: it takes no bytes
        except OSError as error:
            raise BadInput(f"tls.cert: the certificate in {self._cert} is not usable: {error}") from error
        self._expiry.set(pair.expires)
        return pair

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Called by grpcio in a thread of its own, before each handshake; None means no change."""
        pair = self._pair
        if pair is self._handed:
            return None
        self._handed = pair
        return _configuration(pair)


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


def _configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)])
