"""The grpcio door: a `grpc.aio` server in front of the chain.

Requests and replies pass as bytes (no serializers), and every method, known or not, ends up in the
chain. What is special to this transport stays here: options (operations 4.1), writing under the stall
limit, statuses with details, and what happens when a peer is gone (operations 4.2).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.status_pb2 import Status

from podledger.errors import BadInput, Cancelled, DeadlineExceeded
from podledger.rpc.calls import Call, Method, Pair
from podledger.rpc.chain import Chain
from podledger.rpc.status import CallFailed, Stalled, translate

DETAILS = "grpc-status-details-bin"
STATUS_CODES = {code.value[0]: code for code in grpc.StatusCode}
TRAILER_BYTES = 6144
"""Room for message and details in the trailers: peers refuse more than 8 KiB of metadata."""

Batches = AsyncGenerator[Sequence[bytes], None]
Handler = Any
Context = Any
"""`grpc.RpcMethodHandler`, and a `grpc.aio.ServicerContext`; the stubs of grpcio describe them only in part."""


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """Limits of the server. Reasons for the defaults: operations 4.1."""

    max_receive_bytes: int = 1024 * 1024
    max_streams: int = 100
    max_connections: int = 10_000
    max_calls: int = 1000
    keepalive_seconds: float = 30.0
    keepalive_timeout_seconds: float = 10.0
    idle_seconds: float = 900.0
    age_seconds: float = 3600.0
    age_grace_seconds: float = 600.0
    stall_seconds: float = 30.0

    def arguments(self) -> list[tuple[str, int]]:
        """Channel arguments of the core library."""
        return [
            ("grpc.max_concurrent_streams", self.max_streams),
            ("grpc.max_allowed_incoming_connections", self.max_connections),
            ("grpc.max_receive_message_length", self.max_receive_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_metadata_size", 8192),
            ("grpc.absolute_max_metadata_size", 16384),
            ("grpc.keepalive_time_ms", _milliseconds(self.keepalive_seconds)),
            ("grpc.keepalive_timeout_ms", _milliseconds(self.keepalive_timeout_seconds)),
            # Without this one the keepalive timeout is ignored.
            ("grpc.http2.ping_timeout_ms", _milliseconds(self.keepalive_timeout_seconds)),
            # Clients that ping every 5 s, with or without a call, stay connected.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 5000),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_connection_idle_ms", _milliseconds(self.idle_seconds)),
            ("grpc.server_handshake_timeout_ms", 5000),
            # The last resort against a peer that answers pings and never reads.
            ("grpc.max_connection_age_ms", _milliseconds(self.age_seconds)),
            ("grpc.max_connection_age_grace_ms", _milliseconds(self.age_grace_seconds)),
            # A second server on the same port must fail, not take half of the clients.
            ("grpc.so_reuseport", 0),
        ]


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


class GrpcDoor:
    """One listener, in plaintext without `credentials`. `extra` are handlers of services that need this
    transport, such as reflection.
    """

    def __init__(
        self,
        chain: Chain,
        address: str,
        *,
        options: GrpcOptions,
        extra: Iterable[Any] = (),
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._address = address
        self._credentials = credentials
        self._server = grpc.aio.server(options=options.arguments(), maximum_concurrent_rpcs=options.max_calls)
        # The chain comes last: it answers every method, unknown ones too.
        self._server.add_generic_rpc_handlers((*extra, _Handlers(chain, options.stall_seconds)))

    async def start(self) -> str:
        """Bind and serve; gives the address with the port that was really bound."""
        try:
            port = self._bind()
        except RuntimeError as error:
            raise BadInput(f"cannot listen on {self._address} for gRPC: is another program using it?") from error
        await self._server.start()
        if self._address.startswith("unix:"):
            return self._address
        return f"{self._address.rpartition(':')[0]}:{port}"

    def _bind(self) -> int:
        if self._credentials is None:
            return self._server.add_insecure_port(self._address)
        return self._server.add_secure_port(self._address, self._credentials)

    async def stop(self, grace: float) -> None:
        """Accept nothing more, let calls run for `grace` seconds, then cut them."""
        await self._server.stop(grace)


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a method: the chain's, or one that says that there is none."""

    def __init__(self, chain: Chain, stall_seconds: float) -> None:
        self._chain = chain
        self._known = {name: _handler(chain, method, stall_seconds) for name, method in chain.methods.items()}

    def service(self, details: grpc.HandlerCallDetails) -> Handler:
        """Called by grpcio once per call."""
        return self._known.get(details.method) or _unknown(self._chain, details.method)


def _handler(chain: Chain, method: Method, stall_seconds: float) -> Handler:
    async def unary(request: bytes, context: Context) -> bytes:
        return await _answer(chain, _call(method.name, request, context), context)

    async def stream(request: bytes, context: Context) -> None:
        call = _call(method.name, request, context)
        await _Sending(call, context, counted=method.counted, stall_seconds=stall_seconds).run(chain.stream(call))

    if method.unary:
        return grpc.unary_unary_rpc_method_handler(unary)
    return grpc.unary_stream_rpc_method_handler(stream)


def _unknown(chain: Chain, name: str) -> Handler:
    async def refuse(_: object, context: Context) -> None:
        # Nothing is read, so a caller of any kind gets its answer at once.
        await _answer(chain, _call(name, b"", context), context)

    return grpc.stream_stream_rpc_method_handler(refuse)


def _call(name: str, request: bytes, context: Context) -> Call:
    remaining = context.time_remaining()
    return Call(
        method=name,
        request=request,
        metadata=[(key, value) for key, value in context.invocation_metadata()],
        deadline=None if remaining is None else time.monotonic() + remaining,
        peer=context.peer(),
        door="grpcio",
    )


async def _answer(chain: Chain, call: Call, context: Context) -> bytes:
    """Run a unary method and send what it set."""
    try:
        reply = await chain.unary(call)
    except CallFailed as failed:
        await _abort(failed, call, context)
        return b""
    await context.send_initial_metadata(call.initial)
    context.set_trailing_metadata(call.trailing)
    return reply


async def _abort(failed: CallFailed, call: Call, context: Context, *, opened: bool = False) -> None:
    """End the call with a status. Of a peer that is there this returns only by an exception."""
    if not opened:
        await context.send_initial_metadata(call.initial)
    message, details = _fitting(failed)
    with suppress(grpc.aio.InternalError):  # the peer left meanwhile; grpcio knows that the call is aborted
        await context.abort(STATUS_CODES[failed.code], message, (*call.trailing, *details))


def _fitting(failed: CallFailed) -> tuple[str, list[Pair]]:
    """Message and details within `TRAILER_BYTES`; what is too long loses its details, then its end."""
    message = failed.message
    room = TRAILER_BYTES - len(quote(message))
    if room < 0:
        message = message.encode()[: TRAILER_BYTES // 3].decode(errors="ignore")
    details = _status(failed.code, failed.message, failed.details) if failed.details else b""
    # Binary values travel in base64.
    return message, [(DETAILS, details)] if 0 < len(details) * 4 // 3 < room else []


def _status(code: int, message: str, details: Sequence[AnyMessage]) -> bytes:
    status: bytes = Status(code=code, message=message, details=details).SerializeToString()
    return status


class _Sending:
    """One response stream: what was sent so far, and how it ends."""

    def __init__(self, call: Call, context: Context, *, counted: str, stall_seconds: float) -> None:
        self._call = call
        self._context = context
        self._counted = counted
        self._stall_seconds = stall_seconds
        self._opened = False
        self._sent = 0

    async def run(self, batches: Batches) -> None:
        """Send all batches, then OK; or whatever ended them, after they have been closed."""
        try:
            async for batch in batches:
                await self._write(batch)
            await self._begin()
        except CallFailed as failed:
            await self._fail(failed)
        except TimeoutError:
            await self._fail(await _close(batches, self._expired()))
        except grpc.aio.InternalError:  # a write to a peer that is gone
            await self._fail(await _close(batches, translate(Cancelled())))
        except asyncio.CancelledError:
            await _close(batches, translate(Cancelled()))
            raise
        else:
            self._context.set_trailing_metadata(self._trailing())

    async def _fail(self, failed: CallFailed) -> None:
        """Tell the client. Behind one that does not read this waits until it reads or leaves."""
        self._call.trailing = self._trailing()
        await _abort(failed, self._call, self._context, opened=self._opened)

    async def _begin(self) -> None:
        if not self._opened:
            self._opened = True
            await self._context.send_initial_metadata(self._call.initial)

    async def _write(self, batch: Sequence[bytes]) -> None:
        """Write each message under the stall limit, and all of them under the deadline of the call.

        The timer is set anew only after an eighth of the limit, since setting it costs as much as a tenth
        of a message.
        """
        await self._begin()
        step = self._stall_seconds / 8
        write: Callable[[bytes], Any] = self._context.write
        now = time.monotonic()
        async with asyncio.timeout_at(self._limit(now + step)) as timer:
            for message in batch:
                await write(message)
                self._sent += 1
                if (moment := time.monotonic()) - now > step:
                    now = moment
                    timer.reschedule(self._limit(now + step))

    def _limit(self, moment: float) -> float:
        """When a write that begins at `moment` must be over; the loop's clock is the monotonic one."""
        limit = moment + self._stall_seconds
        return limit if self._call.deadline is None else min(limit, self._call.deadline)

    def _expired(self) -> CallFailed:
        if self._call.deadline is not None and time.monotonic() >= self._call.deadline:
            return translate(DeadlineExceeded())
        return Stalled(self._stall_seconds)

    def _trailing(self) -> list[Pair]:
        count: list[Pair] = [(self._counted, str(self._sent))] if self._counted else []
        return [*self._call.trailing, *count]


async def _close(batches: Batches, failure: CallFailed) -> CallFailed:
    """Close an iterator by throwing the reason into it, so that every stage sees why it ends."""
    with suppress(CallFailed, StopAsyncIteration):
        await batches.athrow(failure)
    return failure
