"""Server streams → HTTP bodies (gateway 5): framing, joining, the stall limit, the end.

A failed stream never ends as if it were complete: it ends with an error element, or its connection is
cut. An error before the first message keeps its HTTP status; afterwards the status is 200. Whatever
happens, the backend's stream is closed, which ends the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from google.protobuf.message import DecodeError

from podledger_gateway import gzipping, trailers
from podledger_gateway.answers import Answers, respond
from podledger_gateway.backend import BackendError, Metadata, Stream
from podledger_gateway.endpoint import RawBody
from podledger_gateway.errors import INTERNAL, UNAVAILABLE, Refusal, retry_after
from podledger_gateway.forms import Form, Framer
from podledger_gateway.metadata import response_headers
from podledger_gateway.negotiation import JSON
from podledger_gateway.settings import GatewaySettings

log = logging.getLogger(__name__)

PROOF = "X-Export-Complete"
_JOINED_BYTES = 64 * 1024
"""Elements are joined up to this size per write (performance 5)."""


class Elements(Protocol):
    """Turns messages and the end of a stream into bytes of the body."""

    heartbeat: bytes

    def content_type(self, first: bytes | None) -> str:
        """Content type of the body, which may depend on the first message."""
        ...

    def result(self, message: bytes) -> bytes:
        """One message."""
        ...

    def error(self, element: str, *, only: bool) -> bytes:
        """The error that ends the body, or is all of it."""
        ...

    def end(self, count: int, *, proof: bool) -> bytes:
        """What ends a whole stream."""
        ...


class JsonElements:
    """Elements in one of the forms of gateway 5.3."""

    def __init__(self, form: Form, encode: Callable[[bytes], str]) -> None:
        self._form = form
        self._framer = Framer(form)
        self._encode = encode
        self.heartbeat = form.heartbeat.encode()

    def content_type(self, first: bytes | None) -> str:  # noqa: ARG002 - the form decides
        """The form's."""
        return self._form.content_type

    def result(self, message: bytes) -> bytes:
        """A framed message."""
        return self._framer.result(self._encode(message)).encode()

    def error(self, element: str, *, only: bool) -> bytes:
        """A framed error. As the only element it is no array."""
        if only and self._form.opening:
            return f"{element}\n".encode()
        return self._framer.error(element).encode()

    def end(self, count: int, *, proof: bool) -> bytes:
        """The proof, if it was asked for, and what the form needs at its end."""
        return ((self._framer.end(count) if proof else "") + self._framer.finish()).encode()


class RawElements:
    """google.api.HttpBody: the data of each message, each followed by a newline (gateway 5.1)."""

    heartbeat = b""

    def __init__(self, read: Callable[[bytes], RawBody]) -> None:
        self._read = read

    def content_type(self, first: bytes | None) -> str:
        """That of the first message; without one the body is empty or an error."""
        return JSON if first is None else self._read(first).content_type

    def result(self, message: bytes) -> bytes:
        """The data as it is."""
        return self._read(message).data + b"\n"

    def error(self, element: str, *, only: bool) -> bytes:  # noqa: ARG002 - the same in both places
        """The element as a line."""
        return f"{element}\n".encode()

    def end(self, count: int, *, proof: bool) -> bytes:  # noqa: ARG002 - raw data has no room for it
        """Nothing."""
        return b""


class _StalledError(Exception):
    """The client took nothing for too long."""


class _UnrenderableError(Exception):
    """A message of the backend has no JSON form."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the client asked for beside the form."""

    gzip: bool = False
    proof: bool = False
    extra: Sequence[tuple[str, str]] = ()
    """Further headers of the answer."""


class Delivery:
    """One stream on its way to one client."""

    def __init__(
        self,
        request: web.Request,
        stream: Stream,
        elements: Elements,
        *,
        answers: Answers,
        settings: GatewaySettings,
        wishes: Wishes,
    ) -> None:
        self._request = request
        self._stream = stream
        self._elements = elements
        self._answers = answers
        self._settings = settings
        self._wishes = wishes
        self._trailers = wishes.proof and trailers.wanted(request, enabled=settings.http_trailers)
        self._compressor: Any = gzipping.compressor() if wishes.gzip else None
        self._response: web.StreamResponse | None = None
        self._writer: AbstractStreamWriter | None = None
        task = asyncio.current_task()
        assert task is not None
        self.task: asyncio.Task[Any] = task
        self._interrupted = False
        self._count = 0

    def interrupt(self) -> None:
        """End the stream because the gateway stops."""
        if not self._interrupted:
            self._interrupted = True
            self.task.cancel()

    async def run(self) -> web.StreamResponse:
        """Deliver everything. Returns when the body has its end or the connection is cut."""
        batches = aiter(self._stream)
        try:
            return await self._deliver(batches)
        finally:
            if (close := getattr(batches, "aclose", None)) is not None:
                await close()
            await self._stream.aclose()

    async def _deliver(self, batches: AsyncIterator[Sequence[bytes]]) -> web.StreamResponse:
        try:
            if self._settings.early_headers:
                await self._start(await self._stream.initial(), None)
            while (batch := await self._next(batches)) is not None:
                await self._send(batch)
                await asyncio.sleep(0)
            return await self._finish()
        except BackendError as error:
            return await self._fail(error)
        except _UnrenderableError as error:
            log.exception("a message of the backend has no JSON form")
            return await self._fail(BackendError(INTERNAL, f"a message has no JSON form: {error}"))
        except _StalledError:
            return self._cut()
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
            self.task.uncancel()
            return await self._fail(BackendError(UNAVAILABLE, "the gateway is shutting down"))
        except ConnectionError:
            raise
        except Exception:
            log.exception("the backend broke its promises")
            return await self._fail(BackendError(INTERNAL, "internal error"))

    async def _next(self, batches: AsyncIterator[Sequence[bytes]]) -> Sequence[bytes] | None:
        """The next batch, None at the end; meanwhile a sign of life where the form has one."""
        if not self._elements.heartbeat:
            return await anext(batches, None)
        waiting = asyncio.ensure_future(_following(batches))
        try:
            while not (await asyncio.wait({waiting}, timeout=self._settings.heartbeat_seconds))[0]:
                if self._response is not None:
                    await self._write(self._elements.heartbeat)
            return waiting.result()
        finally:
            if not waiting.done():
                waiting.cancel()
                await asyncio.wait({waiting})

    async def _start(self, initial: Metadata, first: bytes | None) -> None:
        """Send the headers."""
        extra = [*response_headers(initial), *self._wishes.extra, ("X-Accel-Buffering", "no")]
        headers = self._answers.headers(self._elements.content_type(first), extra)
        if self._compressor is not None:
            headers["Content-Encoding"] = "gzip"
        if self._trailers:
            trailers.announce(headers, [PROOF])
        self._response = web.StreamResponse(headers=headers)
        self._writer = await self._response.prepare(self._request)

    async def _send(self, batch: Sequence[bytes]) -> None:
        """Write a batch in pieces. What stands before a message without JSON form is written too."""
        if self._response is None:
            await self._start(await self._stream.initial(), batch[0])
        each = self._settings.stream_flush == "each"
        pieces: list[bytes] = []
        size = 0
        for message in batch:
            try:
                pieces.append(self._elements.result(message))
            except (ValueError, DecodeError, RecursionError) as cause:
                await self._write(b"".join(pieces))
                raise _UnrenderableError(str(cause)) from cause
            self._count += 1
            size += len(pieces[-1])
            if each or size >= _JOINED_BYTES:
                await self._write(b"".join(pieces))
                pieces, size = [], 0
        await self._write(b"".join(pieces))

    async def _write(self, data: bytes) -> None:
        """Write one piece, visible to the client at once; wait for a client that is behind."""
        if not data:
            return
        assert self._response is not None
        if self._compressor is not None:
            data = self._compressor.compress(data) + self._compressor.flush(gzipping.SYNC_FLUSH)
        try:
            async with asyncio.timeout(self._settings.stall_seconds):
                await self._response.write(data)
        except TimeoutError:
            raise _StalledError from None

    async def _finish(self) -> web.StreamResponse:
        """The only way to end a body without an error element: the status was OK."""
        if self._response is None:
            await self._start(await self._stream.initial(), None)
        await self._write(self._elements.end(self._count, proof=self._wishes.proof))
        await self._end()
        if self._trailers:
            trailers.write_last_chunk(self._writer, [(PROOF, str(self._count))])
        assert self._response is not None
        return self._response

    async def _end(self) -> None:
        assert self._response is not None
        if self._compressor is not None:
            rest = self._compressor.flush()
            self._compressor = None
            await self._write(rest)

    async def _fail(self, error: BackendError) -> web.StreamResponse:
        """End with an error element; when not even that can be written, cut the connection."""
        if self._response is None:
            return self._failed_first(error)
        await self._stream.aclose()
        element = self._answers.bodies.element(error.code, error.message, error.details)
        try:
            await self._write(self._elements.error(element, only=False))
            await self._end()
        except (_StalledError, ConnectionError):
            return self._cut()
        return self._response

    def _failed_first(self, error: BackendError) -> web.StreamResponse:
        """Nothing was sent yet: the status tells, with a plain body when no server answered at all."""
        extra = [*response_headers(error.initial), *self._wishes.extra]
        if not error.reached:
            refusal = Refusal(error.code, error.message, details=error.details)
            return self._answers.refusal(refusal, extra=extra)
        element = self._answers.bodies.element(error.code, error.message, error.details)
        headers = self._answers.headers(self._elements.content_type(None), [*extra, ("X-Accel-Buffering", "no")])
        if seconds := retry_after(error.details):
            headers["Retry-After"] = seconds
        body = self._elements.error(element, only=True)
        return respond(self._answers.bodies.http_status(error.code), headers, body)

    def _cut(self) -> web.StreamResponse:
        """Abort the connection, so that the client sees a chunked body without its end."""
        assert self._response is not None
        if self._request.transport is not None:
            self._request.transport.abort()
        return self._response


async def _following(batches: AsyncIterator[Sequence[bytes]]) -> Sequence[bytes] | None:
    return await anext(batches, None)
