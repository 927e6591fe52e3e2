"""HTTP headers ↔ gRPC metadata (gateway 6).

Only a fixed list of headers, those with the prefix `Grpc-Metadata-`, and those a setting names reach
the backend. What could be taken for transport or for the gateway's own word is dropped: a client
cannot forge it, and a gRPC client is never given metadata that it would choke on.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Collection, Iterable, Sequence

from podledger_gateway.backend import Metadata
from podledger_gateway.gostyle import decode_binary_header, parse_int

Headers = Iterable[tuple[str, str]]

_PERMANENT = frozenset(
    (
        *("accept", "accept-charset", "accept-language", "accept-ranges", "authorization", "cache-control"),
        *("content-type", "cookie", "date", "expect", "from", "if-match", "if-modified-since", "if-none-match"),
        *("if-schedule-tag-match", "if-unmodified-since", "max-forwards", "origin", "pragma", "referer"),
        *("user-agent", "via", "warning"),
    )
)
"""Headers that become `grpcgateway-<name>`. `Host` is on the list of the reference too, but its HTTP
server takes it out of the headers before: it arrives as `x-forwarded-host` alone."""

_CACHE_CONTROL = "grpcgateway-cache-control"
"""Set for `Pragma: no-cache` alone too, which means the same (RFC 9111 5.4): the reference's HTTP server
adds the header."""

_PREFIX = "grpc-metadata-"
_RESERVED = frozenset(
    (
        *("te", "content-type", "content-length", "user-agent", "host", "connection", "keep-alive"),
        *("transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-host"),
    )
)
_RESERVED_PREFIXES = ("grpc-", ":", "proxy-")
_KEY = re.compile(r"[0-9a-z_.-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")

_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_LONGEST_TIMEOUT = 1e9
"""Seconds, some thirty years. Longer values reach no clock without overflow."""


class BadHeader(ValueError):
    """A request header that is an error, not merely ignored."""


def is_key(name: str) -> bool:
    """Whether a lower-case name may be a metadata key that a client sets."""
    return bool(_KEY.fullmatch(name)) and name not in _RESERVED and not name.startswith(_RESERVED_PREFIXES)


def request_metadata(
    headers: Headers, *, peer: str = "", forward: Collection[str] = (), accept: str = ""
) -> list[tuple[str, str | bytes]]:
    """Metadata for the backend. `peer` is the client's address, `accept` replaces the Accept header.

    Raises `BadHeader` for a binary header that is not base64.
    """
    pairs: list[tuple[str, str | bytes]] = [("grpcgateway-accept", accept)] if accept else []
    forwarded_for: list[str] = []
    forwarded_host = host = ""
    claimed: list[tuple[str, str | bytes]] = []
    for name, value in ((name.lower(), value) for name, value in headers):
        if name.startswith(_PREFIX):
            key = name[len(_PREFIX) :]
            (claimed if key == "authorization" else pairs).extend(_prefixed(key, value))
        elif not _VALUE.fullmatch(value):
            continue
        elif name in _PERMANENT:
            if name == "authorization":
                pairs.append((name, value))
            if name != "accept" or not accept:
                pairs.append((f"grpcgateway-{name}", value))
        elif name in forward:
            pairs.append((name, value))
        elif name == "x-forwarded-for":
            forwarded_for.append(value)
        elif name == "x-forwarded-host":
            forwarded_host = forwarded_host or value
        elif name == "host":
            host = value
    if not any(key == "authorization" for key, _ in pairs):
        pairs.extend(claimed)
    if ("grpcgateway-pragma", "no-cache") in pairs and not any(key == _CACHE_CONTROL for key, _ in pairs):
        pairs.append((_CACHE_CONTROL, "no-cache"))
    if forwarded_host or host:
        pairs.append(("x-forwarded-host", forwarded_host or host))
    if chain := [*forwarded_for, *([peer] if peer else [])]:
        pairs.append(("x-forwarded-for", ", ".join(chain)))
    return pairs


def _prefixed(key: str, value: str) -> Sequence[tuple[str, str | bytes]]:
    """What a `Grpc-Metadata-` header sets: one pair or nothing."""
    if not is_key(key):
        return ()
    if key.endswith("-bin"):
        try:
            return ((key, decode_binary_header(value)),)
        except ValueError as cause:
            raise BadHeader(f"invalid binary header {canonical(_PREFIX + key)}: {cause}") from None
    return ((key, value),) if _VALUE.fullmatch(value) else ()


def canonical(name: str) -> str:
    """Header capitalisation: the first letter of each part between hyphens."""
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))


def parse_timeout(value: str, *, default: float | None = None, maximum: float | None = None) -> float | None:
    """Seconds of a `Grpc-Timeout` header, None for no limit (gateway 6.2). Raises `BadHeader`."""
    seconds = _seconds(value) if value else default
    if not seconds:
        return None if maximum is None else maximum
    return min(seconds, _LONGEST_TIMEOUT if maximum is None else maximum)


def _seconds(value: str) -> float:
    unit = _UNITS.get(value[-1])
    try:
        amount = parse_int(value[:-1], 64)
    except ValueError:
        amount = -1
    if unit is None or value.startswith("-") or amount < 0:
        raise BadHeader(f"invalid grpc-timeout: {value}")
    return amount * unit


def response_headers(initial: Metadata) -> list[tuple[str, str]]:
    """Headers for initial metadata; a cookie keeps its name (gateway 6.3)."""
    return list(_headers("Grpc-Metadata-", initial, cookies=True))


def trailer_headers(trailing: Metadata) -> list[tuple[str, str]]:
    """Headers or HTTP trailers for trailing metadata (gateway 6.4)."""
    return list(_headers("Grpc-Trailer-", trailing, cookies=False))


def _headers(prefix: str, metadata: Metadata, *, cookies: bool) -> Iterable[tuple[str, str]]:
    for key, value in metadata:
        shown = b2a_base64(value, newline=False).decode() if isinstance(value, bytes) else value
        if key == "content-type" or key.startswith("grpc-") or not _KEY.fullmatch(key) or not _VALUE.fullmatch(shown):
            continue
        yield ("Set-Cookie" if cookies and key == "set-cookie" else prefix + canonical(key)), shown
