"""Who may call: Host names, forwarding headers, pages of other origins (operations 17).

Pure checks over request headers; each raises `Refusal` with 403. Against DNS rebinding a program that
answers without credentials names the hosts it is reached by, and then nothing may have been forwarded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from podledger_gateway.errors import PERMISSION_DENIED, Refusal

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")

_FORWARDING = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
_READS = ("GET", "HEAD", "OPTIONS")
_HEADER_LIST = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{0,1024}")
_PREFLIGHT_SECONDS = "600"
_SAFE_TO_READ = frozenset(("cache-control", "content-length", "content-type", "date", "server", "vary"))


class Guard:
    """The checks of one gateway. `local` means: answers without credentials, on loopback alone."""

    def __init__(self, *, hosts: Collection[str], local: bool, origins: Collection[str]) -> None:
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._local = local
        self._origins = frozenset(origins)

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Refuse a request that may not be answered. Header names are looked up in any letter case."""
        if self._hosts and host_name(headers.get("Host", "")) not in self._hosts:
            raise Refusal(PERMISSION_DENIED, "the Host header names no host that is served here")
        if self._local and any(name in headers for name in _FORWARDING):
            raise Refusal(PERMISSION_DENIED, "forwarded requests are not served in local mode")
        crosses = method not in _READS and headers.get("Sec-Fetch-Site", "").lower() == "cross-site"
        if crosses and not self.may_read(headers.get("Origin", "")):
            raise Refusal(PERMISSION_DENIED, "requests from pages of another site are not served")

    def may_read(self, origin: str) -> bool:
        """Whether pages of an origin may read answers."""
        return origin in self._origins

    def cross_origin(self, origin: str, names: Collection[str]) -> dict[str, str]:
        """Headers that let a listed origin read an answer with these headers; empty for others."""
        if not self.may_read(origin):
            return {}
        shown = sorted({name for name in names if name.lower() not in _SAFE_TO_READ})
        exposed = {"Access-Control-Expose-Headers": ", ".join(shown)} if shown else {}
        return {"Access-Control-Allow-Origin": origin, **exposed}

    def preflight(self, origin: str, allowed: Collection[str], requested_headers: str) -> dict[str, str]:
        """Headers of the answer to a browser that asks before the real request; empty for other origins."""
        if not self.may_read(origin):
            return {}
        wanted = requested_headers if _HEADER_LIST.fullmatch(requested_headers) else ""
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": ", ".join(allowed),
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
            **({"Access-Control-Allow-Headers": wanted} if wanted else {}),
        }

    @property
    def has_origins(self) -> bool:
        """Whether answers differ by origin, which caches must know."""
        return bool(self._origins)


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) and not host.endswith("]") else host
    return name.strip("[]").lower()
