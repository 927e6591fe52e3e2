"""Answers as aiohttp responses: the headers that every one carries, and whole JSON bodies.

Bodies are always bytes with an exact content type: the conveniences of aiohttp would add a charset.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping

from aiohttp import web
from multidict import CIMultiDict

from podledger_gateway.errors import CLIENT_CLOSED_REQUEST, PROFILES, ErrorBodies, Refusal, retry_after
from podledger_gateway.gzipping import compress
from podledger_gateway.negotiation import JSON, accepts_gzip
from podledger_gateway.settings import GatewaySettings

Headers = Iterable[tuple[str, str]]

HSTS = ("Strict-Transport-Security", "max-age=31536000")
_COMPRESS_FROM = 1400
"""Bytes of a body below which compression does not pay: it fits one packet anyway."""
_THREAD_FROM = 256 * 1024
"""Bytes from which compression takes longer than the loop may be held (5 ms)."""


class Answers:
    """Builds the responses of one gateway."""

    def __init__(self, settings: GatewaySettings, bodies: ErrorBodies, *, name: str, vary_by_origin: bool) -> None:
        self.bodies = bodies
        self._realm = settings.auth_realm.replace("\\", "\\\\").replace('"', '\\"')
        self._base = [
            ("Cache-Control", PROFILES[settings.profile].cache_control),
            ("Vary", "Accept-Encoding"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Server", name),
            *([("Vary", "Origin")] if vary_by_origin else []),
        ]

    def headers(self, content_type: str, extra: Headers = ()) -> CIMultiDict[str]:
        """Headers of an answer. What comes from the backend is added, never put in place of ours."""
        headers = CIMultiDict(self._base)
        if content_type:
            headers["Content-Type"] = content_type
        headers.extend(extra)
        return headers

    async def json(
        self, request: web.Request, text: str, *, status: int = 200, extra: Headers = (), pretty: bool = False
    ) -> web.Response:
        """A whole JSON body, compressed when the client likes that and it pays."""
        body = (prettified(text) if pretty else text).encode()
        headers = self.headers(JSON, extra)
        if len(body) >= _COMPRESS_FROM and accepts_gzip(request.headers.get("Accept-Encoding", "")):
            headers["Content-Encoding"] = "gzip"
            body = await asyncio.to_thread(compress, body) if len(body) >= _THREAD_FROM else compress(body)
        return respond(status, headers, body)

    def refusal(self, refusal: Refusal, *, extra: Headers = (), pretty: bool = False) -> web.Response:
        """An error in the unary shape of the profile."""
        status = refusal.status or self.bodies.http_status(refusal.code)
        text = self.bodies.unary(refusal.code, refusal.message, refusal.details)
        headers = self.headers(JSON, [*extra, *refusal.headers.items()])
        if seconds := retry_after(refusal.details):
            headers["Retry-After"] = seconds
        if status == 401:
            headers["WWW-Authenticate"] = f'Bearer realm="{self._realm}"'
        return respond(status, headers, (prettified(text) if pretty else text).encode())

    def no_content(self, extra: Mapping[str, str]) -> web.Response:
        """204."""
        return respond(204, self.headers("", extra.items()), b"")


def respond(status: int, headers: CIMultiDict[str], body: bytes) -> web.Response:
    """A response with exactly these headers. 499 has no reason phrase of its own."""
    reason = "Client Closed Request" if status == CLIENT_CLOSED_REQUEST else None
    response = web.Response(status=status, reason=reason, headers=headers, body=body)
    if headers.get("Connection") == "close":
        response.force_close()
    return response


def prettified(text: str) -> str:
    """The same JSON with an indent of two blanks."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
