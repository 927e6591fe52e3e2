"""`Backend` over a grpc.aio channel, and the descriptors of a server by reflection.

The only module that imports grpc. A stream of grpc.aio gives one message per read; a reader task takes
them as they come, and what has arrived meanwhile is one batch. At most one batch waits: then the reader
pauses, and HTTP/2 flow control makes the server wait.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.rpc import status_pb2
from grpc_reflection.v1alpha import reflection_pb2

from podledger_gateway.backend import BackendError, Metadata, Reply
from podledger_gateway.errors import DEADLINE_EXCEEDED, DEADLINE_TEXT, INTERNAL, UNAVAILABLE

Channel = grpc.aio.Channel
"""What `open_channel` gives; it is closed as an asynchronous context."""

_OPTIONS = [
    ("grpc.max_receive_message_length", 256 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.enable_http_proxy", 0),
]
"""Operations 4.1; 256 MiB per message as in RHACS. A backend is given by its address: no proxy of the
environment is meant."""

_BATCH_BYTES = 64 * 1024
_DETAILS = "grpc-status-details-bin"
_DEADLINE_TEXTS = ("Deadline Exceeded", "Stream removed (Deadline Exceeded)")
_TOO_LARGE = re.compile(r"^(?:CLIENT|SERVER): Received message larger than max (\(.*\))")


def open_channel(address: str, *, ca: bytes | None = None) -> Channel:
    """A channel to `host:port` or `unix:PATH`; with the authorities of `ca` (PEM) over TLS."""
    if ca is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca), options=_OPTIONS)


class ChannelBackend:
    """Implements `backend.Backend`. The channel belongs to the caller, who closes it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._unary: dict[str, Any] = {}
        self._streaming: dict[str, Any] = {}

    async def unary(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> Reply:  # noqa: ASYNC109 - it travels with the call
        """Call and wait."""
        if (start := self._unary.get(method)) is None:
            start = self._unary[method] = self._channel.unary_unary(method)
        call = start(request, metadata=tuple(metadata), timeout=_shortened(timeout))
        try:
            message = await call
            return Reply(message, _pairs(await call.initial_metadata()), _pairs(await call.trailing_metadata()))
        except grpc.aio.AioRpcError as error:
            raise _backend_error(error, reached=not _is_unreachable(error, self._channel)) from error
        except Exception as error:
            raise BackendError(INTERNAL, f"the call could not be made: {error}") from error
        finally:
            call.cancel()

    def stream(self, method: str, request: bytes, metadata: Metadata, timeout: float | None) -> ChannelStream:
        """Start a server-streaming call."""
        if (start := self._streaming.get(method)) is None:
            start = self._streaming[method] = self._channel.unary_stream(method)
        return ChannelStream(start(request, metadata=tuple(metadata), timeout=_shortened(timeout)), self._channel)


class ChannelStream:
    """Implements `backend.Stream`."""

    def __init__(self, call: Any, channel: Channel) -> None:
        self._call = call
        self._channel = channel
        self._reader: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._received = False
        self._ended = False
        self._failure: BackendError | None = None
        self._trailing: Metadata = ()

    async def initial(self) -> Metadata:
        """Initial metadata; waits until the server has sent it, or the call has failed."""
        metadata = _pairs(await self._call.initial_metadata())
        if self._call.done() and await self._call.code() is not grpc.StatusCode.OK and not self._received:
            self._start()
            await self._arrived.wait()
            if self._failure is not None:
                raise self._failure
        return metadata

    async def __aiter__(self) -> AsyncIterator[Sequence[bytes]]:
        """What has arrived, batch by batch."""
        self._start()
        while self._pending or not self._ended:
            await self._arrived.wait()
            if not self._ended:
                self._arrived.clear()
            batch, self._pending, self._pending_bytes = self._pending, [], 0
            self._room.set()
            if batch:
                yield batch
        if self._failure is not None:
            raise self._failure

    @property
    def trailing(self) -> Metadata:
        """Trailing metadata; empty before the end."""
        return self._trailing

    async def aclose(self) -> None:
        """Cancel the call, unless it has ended."""
        self._call.cancel()
        if self._reader is not None and not self._reader.done():
            self._reader.cancel()
            await asyncio.wait({self._reader})

    def _start(self) -> None:
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Take messages until the end; pause while a whole batch waits."""
        try:
            while (message := await self._call.read()) is not grpc.aio.EOF:
                self._received = True
                self._pending.append(message)
                self._pending_bytes += len(message)
                self._arrived.set()
                if self._pending_bytes >= _BATCH_BYTES:
                    self._room.clear()
                    await self._room.wait()
            self._trailing = _pairs(await self._call.trailing_metadata())
        except grpc.aio.AioRpcError as error:
            unreachable = not self._received and _is_unreachable(error, self._channel)
            self._failure = _backend_error(error, reached=not unreachable)
            self._trailing = self._failure.trailing
        except Exception as error:  # noqa: BLE001 - whatever grpc.aio raises else ends the stream as failed
            self._failure = BackendError(INTERNAL, f"the call could not be made: {error}")
        finally:
            self._ended = True
            self._arrived.set()


def _shortened(timeout: float | None) -> float | None:
    """The gRPC core sends deadlines rounded up to three digits, after it has added a millisecond: without
    a little less, 1140 s would arrive as 1150 s.
    """
    return timeout - 0.005 if timeout is not None and timeout > 1 else timeout


def _is_unreachable(error: grpc.aio.AioRpcError, channel: Channel) -> bool:
    """Whether no server answered: the exception looks the same, the state of the channel does not."""
    failed = channel.get_state() is grpc.ChannelConnectivity.TRANSIENT_FAILURE
    return error.code() is grpc.StatusCode.UNAVAILABLE and failed


def _backend_error(error: grpc.aio.AioRpcError, *, reached: bool) -> BackendError:
    code = error.code().value[0]
    message = error.details() or ""
    trailing = _pairs(error.trailing_metadata())
    details = _details(trailing, code)
    return BackendError(
        code,
        _wording(code, message),
        details,
        initial=_pairs(error.initial_metadata()),
        trailing=[pair for pair in trailing if pair[0] != _DETAILS],
        reached=reached,
    )


def _wording(code: int, message: str) -> str:
    """Texts of the gRPC core in the words of the family (gateway 4.2, 8.4)."""
    if code == DEADLINE_EXCEEDED and message in _DEADLINE_TEXTS:
        return DEADLINE_TEXT
    return _TOO_LARGE.sub(r"grpc: received message larger than max \1", message)


def _details(trailing: Metadata, code: int) -> Sequence[AnyMessage]:
    """Entries of google.rpc.Status; none when it cannot be read or speaks of another code."""
    packed = next((value for key, value in trailing if key == _DETAILS), None)
    if not isinstance(packed, bytes):
        return ()
    try:
        status = status_pb2.Status.FromString(packed)
    except DecodeError:
        return ()
    return list(status.details) if status.code == code else ()


def _pairs(metadata: Iterable[tuple[str, str | bytes]] | None) -> Metadata:
    return [(key, value) for key, value in metadata or ()]


# ------------------------------------------------------------------------------------------ reflection

_VERSIONS = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")
"""Tried in this order; the messages of both are the same on the wire."""


async def reflect(channel: Channel, *, wait_seconds: float = 30.0) -> list[ServiceDescriptor]:
    """All services of a server, from its reflection. Raises `BackendError` when it does not answer."""
    for version in _VERSIONS:
        try:
            async with asyncio.timeout(wait_seconds):
                return await _Reflection(channel, version).services()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise _backend_error(error, reached=True) from error
        except TimeoutError:
            message = f"no answer within {wait_seconds:g} s"
            raise BackendError(UNAVAILABLE, message, reached=False) from None
    raise BackendError(grpc.StatusCode.UNIMPLEMENTED.value[0], "the server has no reflection")


class _Reflection:
    """Questions to the reflection service of a server, each in a call of its own.

    The method takes a stream of questions. With one conversation for all, a server that does not have
    the method could end it while the first question is written, and its status would be lost.
    """

    def __init__(self, channel: Channel, version: str) -> None:
        self._method = channel.unary_stream(
            f"/{version}/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        self._files: dict[str, FileDescriptorProto] = {}

    async def services(self) -> list[ServiceDescriptor]:
        listed = await self._ask(reflection_pb2.ServerReflectionRequest(list_services="*"))
        names = [service.name for service in listed.list_services_response.service]
        for name in names:
            await self._fetch(reflection_pb2.ServerReflectionRequest(file_containing_symbol=name))
        while missing := self._missing():
            await self._fetch(reflection_pb2.ServerReflectionRequest(file_by_filename=missing))
            if missing not in self._files:
                raise BackendError(UNAVAILABLE, f"the server does not give its file {missing}")
        pool = filled_pool(self._files.values())
        return [found for name in names if (found := _service(pool, name)) is not None]

    async def _ask(self, question: reflection_pb2.ServerReflectionRequest) -> reflection_pb2.ServerReflectionResponse:
        call = self._method(question, wait_for_ready=True)
        try:
            answer: Any = await call.read()
        finally:
            call.cancel()
        if answer is grpc.aio.EOF:
            raise BackendError(UNAVAILABLE, "the reflection service did not answer")
        found: reflection_pb2.ServerReflectionResponse = answer
        return found

    async def _fetch(self, question: reflection_pb2.ServerReflectionRequest) -> None:
        """Files that answer a question; an unknown symbol gives none."""
        answer = await self._ask(question)
        for data in answer.file_descriptor_response.file_descriptor_proto:
            proto = FileDescriptorProto.FromString(data)
            self._files.setdefault(proto.name, proto)

    def _missing(self) -> str:
        """A file that others import and nobody has sent yet."""
        imported = (name for proto in self._files.values() for name in proto.dependency)
        return next((name for name in imported if name not in self._files), "")


def filled_pool(files: Iterable[FileDescriptorProto]) -> DescriptorPool:
    """A pool with these files, each after its imports."""
    pool = DescriptorPool()
    waiting = {proto.name: proto for proto in files}

    def add(name: str) -> None:
        if (proto := waiting.pop(name, None)) is not None:
            for dependency in proto.dependency:
                add(dependency)
            pool.Add(proto)

    for name in list(waiting):
        add(name)
    return pool


def _service(pool: DescriptorPool, name: str) -> ServiceDescriptor | None:
    try:
        found: ServiceDescriptor = pool.FindServiceByName(name)
    except KeyError:
        return None
    return found
