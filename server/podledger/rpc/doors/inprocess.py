"""The in-process door: the chain as the gateway's `Backend`, with no socket and no gRPC between.

The gateway is trusted here, so the address it puts last into `x-forwarded-for` is the peer. Batches
pass as they are. Cancelling the awaiting task cancels the handler.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from podledger.errors import DeadlineExceeded
from podledger.rpc.calls import Call, Pair
from podledger.rpc.chain import Chain
from podledger.rpc.status import CallFailed, translate
from podledger_gateway.backend import BackendError, Metadata, Reply


class InProcessBackend:
    """Implements `podledger_gateway.backend.Backend`."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def unary(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> Reply:  # noqa: ASYNC109 - the protocol's parameter
        """Call and wait."""
        call = _call(method, request, metadata, timeout)
        try:
            async with asyncio.timeout_at(call.deadline):
                message = await self._chain.unary(call)
        except CallFailed as failed:
            raise _error(failed, call, call.trailing) from failed
        except TimeoutError as error:
            raise _error(translate(DeadlineExceeded()), call, call.trailing) from error
        return Reply(message, tuple(call.initial), tuple(call.trailing))

    def stream(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> InProcessStream:
        """Start a stream; nothing runs before it is used."""
        call = _call(method, request, metadata, timeout)
        known = self._chain.methods.get(method)
        return InProcessStream(call, self._chain.stream(call), counted=known.counted if known else "")


class InProcessStream:
    """Implements `podledger_gateway.backend.Stream`."""

    def __init__(self, call: Call, batches: AsyncGenerator[Sequence[bytes], None], *, counted: str) -> None:
        self._call = call
        self._batches = batches
        self._counted = counted
        self._handed = 0
        self._first: Sequence[bytes] | None = None
        self._begun = self._ended = False
        self._failure: BackendError | None = None

    async def initial(self) -> Metadata:
        """Initial metadata, complete once the first batch is there or the stream has ended."""
        if not self._begun:
            self._first = await self._next()
        return tuple(self._call.initial)

    async def __aiter__(self) -> AsyncIterator[Sequence[bytes]]:
        """The batches of the handler."""
        if self._failure:
            raise self._failure
        batch, self._first = self._first, None
        while batch or not self._ended:
            if batch := batch or await self._next():
                self._handed += len(batch)
                yield batch
            batch = None

    @property
    def trailing(self) -> Metadata:
        """Trailing metadata; empty before the end."""
        return tuple(self._trailing()) if self._ended else ()

    async def aclose(self) -> None:
        """Close the handler's iterator, which frees what it holds."""
        self._ended = True
        await self._batches.aclose()

    async def _next(self) -> Sequence[bytes] | None:
        """The next batch; None at the end."""
        self._begun = True
        try:
            async with asyncio.timeout_at(self._call.deadline):
                return await anext(self._batches)
        except StopAsyncIteration:
            self._ended = True
            return None
        except CallFailed as failed:
            raise self._failed(failed) from failed
        except TimeoutError as error:
            raise self._failed(translate(DeadlineExceeded())) from error

    def _failed(self, failed: CallFailed) -> BackendError:
        self._ended = True
        self._failure = _error(failed, self._call, self._trailing())
        return self._failure

    def _trailing(self) -> list[Pair]:
        count: list[Pair] = [(self._counted, str(self._handed))] if self._counted else []
        return [*self._call.trailing, *count]


def _call(method: str, request: bytes, metadata: Metadata, timeout: float | None) -> Call:
    call = Call(method=method, request=request, metadata=metadata, door="inprocess")
    call.peer = call.header("x-forwarded-for").rpartition(", ")[2]
    call.deadline = None if timeout is None else time.monotonic() + timeout
    return call


def _error(failed: CallFailed, call: Call, trailing: Sequence[Pair]) -> BackendError:
    return BackendError(
        failed.code, failed.message, failed.details, initial=tuple(call.initial), trailing=tuple(trailing)
    )
