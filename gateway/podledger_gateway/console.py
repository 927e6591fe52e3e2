"""The API page at `/docs`: swagger-ui over the description, as static files with their headers.

The page has a Content-Security-Policy of its own: nothing is loaded from elsewhere, and nothing runs
that is not a file of this package (operations 17). "Try it out" sends GET calls to this gateway alone.
"""

from __future__ import annotations

import asyncio
from importlib.resources import files

from aiohttp import web

from podledger_gateway.answers import Answers, respond
from podledger_gateway.gzipping import compress
from podledger_gateway.negotiation import accepts_gzip
from podledger_gateway.pages import Page

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""swagger-ui draws its icons from data in its style sheet; everything else comes from here."""

_HTML, _CSS, _JAVASCRIPT = (f"text/{kind}; charset=utf-8" for kind in ("html", "css", "javascript"))
_FILES = {
    "/docs": ("docs.html", _HTML),
    "/docs/docs.css": ("docs.css", _CSS),
    "/docs/docs.js": ("docs.js", _JAVASCRIPT),
    "/docs/swagger-ui.css": ("swagger-ui/swagger-ui.css", _CSS),
    "/docs/swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", _JAVASCRIPT),
}


def console_pages(answers: Answers) -> dict[str, Page]:
    """The files of the page by path."""
    return {path: _Static(answers, name, content_type) for path, (name, content_type) in _FILES.items()}


class _Static:
    """One file. It is read and compressed when it is first asked for, on a thread, and then kept."""

    def __init__(self, answers: Answers, name: str, content_type: str) -> None:
        self._answers = answers
        self._name = name
        self._content_type = content_type
        self._bodies: tuple[bytes, bytes] | None = None

    async def __call__(self, request: web.Request, _query: str) -> web.StreamResponse:
        """The file, compressed when the client likes that."""
        if self._bodies is None:
            self._bodies = await asyncio.to_thread(self._read)
        plain, packed = self._bodies
        headers = self._answers.headers(self._content_type, [("Content-Security-Policy", _POLICY)])
        if not accepts_gzip(request.headers.get("Accept-Encoding", "")):
            return respond(200, headers, plain)
        headers["Content-Encoding"] = "gzip"
        return respond(200, headers, packed)

    def _read(self) -> tuple[bytes, bytes]:
        body = files("podledger_gateway").joinpath("web", self._name).read_bytes()
        return body, compress(body)
