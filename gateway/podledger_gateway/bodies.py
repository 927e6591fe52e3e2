"""Request bodies, within limits: each has a size and a time, and all together a size (operations 6).

A body that nobody reads is drained all the same: while bytes wait unread on a connection, the end of
that connection would go unnoticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from podledger_gateway.errors import DEADLINE_EXCEEDED, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE, Refusal
from podledger_gateway.settings import GatewaySettings

_CLOSE = {"Connection": "close"}
"""The rest of a body that was refused is not read; the connection cannot be used again."""


class Bodies:
    """Reads the bodies of one gateway."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._held = 0

    @asynccontextmanager
    async def read(self, request: web.Request, *, keep: bool) -> AsyncIterator[bytes]:
        """The whole body, empty unless it is to be kept; counted as held until the context ends.

        Raises `Refusal`: 413 too large, 408 too slow, 415 compressed, 503 too many of them.
        """
        self.check(request)
        held = [0]
        try:
            yield await self._collect(request, held, keep=keep)
        finally:
            self._held -= held[0]

    def check(self, request: web.Request) -> None:
        """Refuse by its headers a body that would be refused when it is read."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refusal(INVALID_ARGUMENT, "compressed request bodies are not read", status=415, headers=_CLOSE)
        if (request.content_length or 0) > self._settings.max_body_bytes:
            raise self._too_large()

    async def _collect(self, request: web.Request, held: list[int], *, keep: bool) -> bytes:
        """Read to the end; `held` tells how much of the common room this body takes."""
        chunks = bytearray()
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                async for chunk in request.content.iter_any():
                    size += len(chunk)
                    if size > self._settings.max_body_bytes:
                        raise self._too_large()
                    if keep:
                        self._hold(len(chunk), held)
                        chunks += chunk
        except TimeoutError:
            message = "the request body did not arrive in time"
            raise Refusal(DEADLINE_EXCEEDED, message, status=408, headers=_CLOSE) from None
        except web.RequestPayloadError:
            raise Refusal(INVALID_ARGUMENT, "the request body is cut or malformed", headers=_CLOSE) from None
        return bytes(chunks)

    def _hold(self, size: int, held: list[int]) -> None:
        if self._held + size > self._settings.max_bodies_bytes:
            message = "too many request bodies are being read, try again"
            raise Refusal(UNAVAILABLE, message, headers={**_CLOSE, "Retry-After": "1"})
        self._held += size
        held[0] += size

    def _too_large(self) -> Refusal:
        message = f"the request body is larger than {self._settings.max_body_bytes} bytes"
        return Refusal(RESOURCE_EXHAUSTED, message, status=413, headers=_CLOSE)
