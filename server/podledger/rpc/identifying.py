"""Stages: the request id with its log context, and who calls.

A caller may bring its own `x-request-id`; a missing or unusable one is made. It comes back in initial
and trailing metadata and stands on every log line of the call (operations 20).
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Sequence

from structlog.contextvars import bind_contextvars, unbind_contextvars

from podledger.query.scope import Scope
from podledger.rpc.calls import Call, Method, Streaming, Unary, running

REQUEST_ID = "x-request-id"
_LONGEST_ID = 128


def _usable(given: str) -> bool:
    """Printable ASCII without blanks, so that an id can be sent back and searched for."""
    return 0 < len(given) <= _LONGEST_ID and given.isascii() and given.isprintable() and " " not in given


class Identified:
    """The stage that gives a call its request id."""

    def unary(self, method: Method, handler: Unary) -> Unary:
        """Around a unary handler."""

        async def run(call: Call) -> bytes:
            self._begin(method, call)
            try:
                return await handler(call)
            finally:
                self._end()

        return run

    def streaming(self, method: Method, handler: Streaming) -> Streaming:
        """Around a streaming handler."""

        async def run(call: Call) -> AsyncGenerator[Sequence[bytes], None]:
            self._begin(method, call)
            try:
                async with running(handler, call) as batches:
                    async for batch in batches:
                        yield batch
            finally:
                self._end()

        return run

    @staticmethod
    def _begin(method: Method, call: Call) -> None:
        given = call.header(REQUEST_ID)
        call.request_id = given if _usable(given) else uuid.uuid4().hex
        call.initial.append((REQUEST_ID, call.request_id))
        call.trailing.append((REQUEST_ID, call.request_id))
        bind_contextvars(request_id=call.request_id, method=method.name)

    @staticmethod
    def _end() -> None:
        # By name, not by token: a stream may be closed by another task than the one that ran it.
        unbind_contextvars("request_id", "method")


class Principal:
    """The stage that says what the caller may see: everyone is the local principal with one scope."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def unary(self, method: Method, handler: Unary) -> Unary:
        """Around a unary handler."""

        async def run(call: Call) -> bytes:
            call.scope = self._scope
            return await handler(call)

        return handler if method.exempt else run

    def streaming(self, method: Method, handler: Streaming) -> Streaming:
        """Around a streaming handler."""

        async def run(call: Call) -> AsyncGenerator[Sequence[bytes], None]:
            call.scope = self._scope
            async with running(handler, call) as batches:
                async for batch in batches:
                    yield batch

        return handler if method.exempt else run
