"""What the gateway serves beside the bindings: index, health, API descriptions, console.

A page answers GET and HEAD at one path. Where a binding matches the same path, the binding wins.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial

from aiohttp import web

from podledger_gateway.answers import Answers
from podledger_gateway.errors import INVALID_ARGUMENT, Refusal
from podledger_gateway.health import Health
from podledger_gateway.metadata import BadHeader, request_metadata
from podledger_gateway.query import PopulationError, split_query

Page = Callable[[web.Request, str], Awaitable[web.StreamResponse]]
"""Request and raw query → answer. May raise `Refusal` and `BackendError`."""

METHODS = ("GET", "HEAD", "OPTIONS")


def index_page(answers: Answers, index: Mapping[str, object]) -> Page:
    """What stands at `/`: the JSON that the embedding program gives."""
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))

    async def page(request: web.Request, _query: str) -> web.StreamResponse:
        return await answers.json(request, text)

    return page


def document_page(answers: Answers, build: Callable[[], Mapping[str, object]]) -> Page:
    """A JSON document that is made when it is first asked for."""
    text = cache(lambda: json.dumps(build(), ensure_ascii=False, separators=(",", ":")))

    async def page(request: web.Request, _query: str) -> web.StreamResponse:
        return await answers.json(request, text())

    return page


def health_page(answers: Answers, health: Health) -> Page:
    """`/healthz`; `?service=` selects one of the backend's services."""
    return partial(_health, answers, health)


async def _health(answers: Answers, health: Health, request: web.Request, query: str) -> web.StreamResponse:
    try:
        service = next((value for key, value in split_query(query) if key == "service"), "")
        metadata = request_metadata(request.headers.items(), peer=request.remote or "")
        return await answers.json(request, await health.check(service, metadata))
    except (PopulationError, BadHeader, UnicodeEncodeError) as problem:
        raise Refusal(INVALID_ARGUMENT, str(problem)) from None
