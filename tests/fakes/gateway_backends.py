"""Backends that play a script: one in process, one a real gRPC server. Both record what they saw.

The scripts are those of the shared vectors: `mode` script, echo or down, `header_md`, `messages`,
`between_ms`, `wait_cancel`, `status` with details, `trailer_md`.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf import json_format, struct_pb2  # noqa: F401 - vectors pack a Struct
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import error_details_pb2, status_pb2  # noqa: F401 - the details of vectors are of these types
from grpc_reflection.v1alpha import reflection

from podledger_gateway.backend import BackendError, Metadata, Reply
from podledger_gateway.channel import ChannelBackend, open_channel


@dataclass
class Script:
    """What a backend answers; `render` turns the JSON of a message into bytes for a method."""

    render: Callable[[str, Any], bytes]
    mode: str = "script"
    messages: Sequence[Any] = ()
    header_md: Sequence[tuple[str, str]] = ()
    trailer_md: Sequence[tuple[str, str]] = ()
    status: dict[str, Any] = field(default_factory=dict)
    between_ms: float = 0
    wait_cancel: bool = False

    @classmethod
    def of(cls, render: Callable[[str, Any], bytes], backend: dict[str, Any]) -> Script:
        pairs = {name: [tuple(pair) for pair in backend.get(name, ())] for name in ("header_md", "trailer_md")}
        return cls(render, **{**backend, **pairs})

    def answers(self, method: str, request: bytes) -> Iterator[bytes]:
        if self.mode == "echo":
            yield request
        for message in self.messages:
            yield message if isinstance(message, bytes) else self.render(method, message)

    @property
    def code(self) -> int:
        return self.status.get("code", 0)

    def details(self) -> list[AnyMessage]:
        return [_packed(entry) for entry in self.status.get("details", ())]


def _packed(entry: dict[str, Any]) -> AnyMessage:
    if "json" in entry:
        return json_format.ParseDict(entry["json"], AnyMessage())
    return AnyMessage(type_url=entry["type_url"], value=base64.b64decode(entry["value_b64"]))


@dataclass
class Seen:
    """One call as the backend saw it."""

    method: str
    request: bytes
    metadata: dict[str, list[str | bytes]]
    seconds: float | None
    cancelled: bool = False
    cancelled_at: float = 0.0
    ended: asyncio.Event = field(default_factory=asyncio.Event)


def _grouped(metadata: Any) -> dict[str, list[str | bytes]]:
    grouped: dict[str, list[str | bytes]] = {}
    for key, value in metadata:
        grouped.setdefault(key, []).append(value)
    return grouped


class InProcess:
    """A `Backend` in the same process."""

    name = "in process"

    def __init__(self) -> None:
        self.script: Script | None = None
        self.calls: list[Seen] = []

    def _seen(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> Seen:
        seen = Seen(method, request, _grouped(metadata), timeout)
        self.calls.append(seen)
        return seen

    async def unary(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> Reply:
        assert self.script is not None
        script, seen = self.script, self._seen(method, request, metadata, timeout)
        try:
            async with asyncio.timeout(timeout):
                message = next(script.answers(method, request), b"")
                if script.wait_cancel:
                    await asyncio.Event().wait()
        except TimeoutError:
            seen.cancelled = True
            raise BackendError(4, "context deadline exceeded") from None
        except asyncio.CancelledError:
            seen.cancelled, seen.cancelled_at = True, time.monotonic()
            raise
        finally:
            seen.ended.set()
        if script.code:
            raise _failure(script)
        return Reply(message, tuple(script.header_md), tuple(script.trailer_md))

    def stream(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> ScriptedStream:
        assert self.script is not None
        return ScriptedStream(self.script, self._seen(method, request, metadata, timeout), timeout)


def _failure(script: Script) -> BackendError:
    return BackendError(
        script.code,
        script.status.get("message", ""),
        script.details(),
        initial=tuple(script.header_md),
        trailing=tuple(script.trailer_md),
    )


class ScriptedStream:
    """A `Stream` that plays a script, one message per batch when there are pauses."""

    def __init__(self, script: Script, seen: Seen, timeout: float | None) -> None:
        self._script = script
        self._seen = seen
        self._timeout = timeout
        self._ended = False

    async def initial(self) -> Metadata:
        return tuple(self._script.header_md)

    async def __aiter__(self) -> AsyncIterator[Sequence[bytes]]:
        script, seen = self._script, self._seen
        deadline = None if self._timeout is None else asyncio.get_running_loop().time() + self._timeout
        try:
            messages = list(script.answers(seen.method, seen.request))
            for batch in [[message] for message in messages] if script.between_ms else [messages]:
                if batch:
                    yield batch
                    await asyncio.sleep(script.between_ms / 1000)
            if script.wait_cancel:
                async with asyncio.timeout_at(deadline):
                    await asyncio.Event().wait()
        except TimeoutError:
            seen.cancelled = True
            raise BackendError(4, "context deadline exceeded") from None
        except (asyncio.CancelledError, GeneratorExit):
            seen.cancelled, seen.cancelled_at = True, time.monotonic()
            raise
        finally:
            self._ended = True
            seen.ended.set()
        if script.code:
            raise _failure(script)

    @property
    def trailing(self) -> Metadata:
        return tuple(self._script.trailer_md) if self._ended else ()

    async def aclose(self) -> None:
        if not self._ended:
            self._seen.cancelled, self._seen.cancelled_at = True, time.monotonic()


class RealServer:
    """A gRPC server on a free port and a `ChannelBackend` for it."""

    name = "channel"

    def __init__(self) -> None:
        self.script: Script | None = None
        self.calls: list[Seen] = []
        self.streaming: Callable[[str], bool] = lambda method: False
        self.address = ""
        self.server: grpc.aio.Server | None = None

    async def start(
        self, reflected: Sequence[ServiceDescriptor] | None = None, credentials: grpc.ServerCredentials | None = None
    ) -> None:
        """Listen on a free port; with reflection for the given services, with TLS by the credentials."""
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers((_Handler(self),))
        if reflected is not None:
            names = [service.full_name for service in reflected]
            reflection.enable_server_reflection(names, self.server, pool=reflected[0].file.pool)
        anywhere = "127.0.0.1:0"
        if credentials is None:
            port = self.server.add_insecure_port(anywhere)
        else:
            port = self.server.add_secure_port(anywhere, credentials)
        self.address = f"127.0.0.1:{port}"
        await self.server.start()

    async def play(self, method: str, request: bytes, context: Any) -> AsyncIterator[bytes]:
        assert self.script is not None
        script = self.script
        seen = Seen(method, request, _grouped(context.invocation_metadata()), context.time_remaining())
        self.calls.append(seen)
        try:
            await context.send_initial_metadata(tuple(script.header_md))
            for message in script.answers(method, request):
                yield message
                await asyncio.sleep(script.between_ms / 1000)
            if script.wait_cancel:
                await asyncio.Event().wait()
        except (asyncio.CancelledError, GeneratorExit):
            seen.cancelled, seen.cancelled_at = True, time.monotonic()
            raise
        finally:
            seen.ended.set()
        context.set_trailing_metadata(_trailing(script))
        if script.code:
            context.set_code(_code(script.code))
            context.set_details(script.status.get("message", ""))


def _code(number: int) -> grpc.StatusCode:
    return next(code for code in grpc.StatusCode if code.value[0] == number)


def _trailing(script: Script) -> tuple[tuple[str, str | bytes], ...]:
    if not script.details():
        return tuple(script.trailer_md)
    status = status_pb2.Status(code=script.code, message=script.status.get("message", ""), details=script.details())
    return (*script.trailer_md, ("grpc-status-details-bin", status.SerializeToString()))


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, backend: RealServer) -> None:
        self._backend = backend

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        method = details.method
        if method.startswith("/grpc.reflection."):
            return None

        async def unary(request: bytes, context: Any) -> bytes:
            replies = [reply async for reply in self._backend.play(method, request, context)]
            return replies[0] if replies else b""

        async def stream(request: bytes, context: Any) -> AsyncIterator[bytes]:
            async for reply in self._backend.play(method, request, context):
                yield reply

        if self._backend.streaming(method):
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)


@asynccontextmanager
async def real_backend(server: RealServer, *, address: str = "") -> AsyncIterator[ChannelBackend]:
    """The gateway's backend over a channel to a started server, or to another address."""
    async with open_channel(address or server.address) as channel:
        yield ChannelBackend(channel)
