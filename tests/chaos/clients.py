"""Clients that export: one stream at a time, over gRPC or REST, and how each stream ended as they saw it.

They read slowly where they are told to, so that a stream is still under way when something happens to it. A REST
client asks for the end element, the proof that the export is whole (gateway 5.3).
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

import grpc

from podledger_protos.api.v1.pod_service_pb2 import ExportPodRequest
from podledger_protos.api.v1.pod_service_pb2_grpc import PodServiceStub
from tests.chaos.histories import Told, told_by_json, told_by_message
from tests.fakes.raw_http import read_headers

Door = Literal["grpc", "rest"]
DOORS: tuple[Door, ...] = ("grpc", "rest")
IDLE_SECONDS = 1.0
"""Without a message for so long a client gives a stream up."""
_WINDOW = 16 * 1024
_LIMIT = 2**16

CHANNEL = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.http2.bdp_probe", 0),
]
"""A connection of its own for each stream, and little in flight."""


@dataclass(frozen=True)
class Request:
    """An export as asked for."""

    query: str = ""
    after: str = ""
    timeout: int = 0
    """The field of the message, in seconds; 0 for none."""
    deadline: float | None = None
    """Of the call, in seconds."""


@dataclass
class Seen:
    """A stream: its pods with the moments they came, and its end."""

    begun: float
    pods: list[tuple[Told, float]] = field(default_factory=list)
    code: int | None = None
    """The status; None when there was none: the connection broke, or the client gave up."""
    gave_up: bool = False
    """It had no end: the client lost patience."""
    unproven: bool = False
    """It ended well without the proof, or with a wrong count."""

    @property
    def last(self) -> str:
        """Where to resume; empty before the first pod."""
        return self.pods[-1][0].resume if self.pods else ""


Watcher = Callable[[int], Awaitable[None]]
"""Awaited after each message, with their number so far."""


async def export(door: Door, address: str, request: Request, watch: Watcher) -> Seen:
    """One stream, to its end or until the client gives up."""
    seen = Seen(time.monotonic())
    try:
        await (_grpc if door == "grpc" else _rest)(address, request, seen, watch)
    except TimeoutError:
        seen.gave_up = True
    except (OSError, EOFError, ValueError):
        seen.code = None
    return seen


async def _noted(seen: Seen, told: Told, watch: Watcher) -> None:
    seen.pods.append((told, time.monotonic()))
    await watch(len(seen.pods))


async def _grpc(address: str, request: Request, seen: Seen, watch: Watcher) -> None:
    async with grpc.aio.insecure_channel(address, options=CHANNEL) as channel:
        metadata = [("x-podledger-after", request.after)] if request.after else []
        message = ExportPodRequest(query=request.query, timeout=request.timeout)
        call = PodServiceStub(channel).ExportPods(message, metadata=metadata, timeout=request.deadline)
        try:
            while (response := await asyncio.wait_for(call.read(), IDLE_SECONDS)) is not grpc.aio.EOF:
                await _noted(seen, told_by_message(response.pod), watch)
            seen.code = (await call.code()).value[0]
        except grpc.aio.AioRpcError as error:
            seen.code = error.code().value[0]
        finally:
            call.cancel()
        if seen.code == 0:
            count = dict(await call.trailing_metadata()).get("x-podledger-count")
            seen.unproven = count != str(len(seen.pods))


async def _rest(address: str, request: Request, seen: Seen, watch: Watcher) -> None:
    async with _connected(address) as (reader, writer):
        writer.write(_head(request))
        async with asyncio.timeout(IDLE_SECONDS + (request.deadline or request.timeout)):
            status = int((await reader.readline()).split()[1])
            headers = dict(await read_headers(reader))
            if status != 200:
                seen.code = _code(json.loads(await reader.readexactly(int(headers["Content-Length"]))))
                return
        ended = False
        async for line in _lines(reader):
            element = json.loads(line)
            if "result" in element:
                await _noted(seen, told_by_json(element["result"]["pod"]), watch)
            elif "end" in element:
                ended = element["end"]["count"] == len(seen.pods)
            else:
                seen.code = _code(element)
        if seen.code is None:
            seen.code = 0
            seen.unproven = not ended


def _code(element: dict[str, Any]) -> int:
    """The status in an error element, or in an error that came before the stream."""
    error = element.get("error")
    told: dict[str, Any] = error if isinstance(error, dict) else element
    return int(told.get("grpcCode", told.get("code", 2)))


def _head(request: Request) -> bytes:
    asked = {"query": request.query, **({"timeout": request.timeout} if request.timeout else {})}
    lines = [f"GET /v1/export/pods?{urlencode(asked)} HTTP/1.1", "Host: localhost", "X-Export-Complete: 1"]
    lines += [f"Grpc-Metadata-X-Podledger-After: {request.after}"] if request.after else []
    lines += [f"Grpc-Timeout: {round(request.deadline * 1000)}m"] if request.deadline else []
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def _connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection with small buffers."""
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW)
    end.setblocking(False)
    host, _, port = address.rpartition(":")
    try:
        await asyncio.get_running_loop().sock_connect(end, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=end, limit=_LIMIT)
    except BaseException:
        end.close()
        raise
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a chunked body, to its clean end; a broken one raises."""
    rest = b""
    while size := int(await asyncio.wait_for(reader.readuntil(b"\r\n"), IDLE_SECONDS), 16):
        chunk = await asyncio.wait_for(reader.readexactly(size + 2), IDLE_SECONDS)
        *lines, rest = (rest + chunk[:-2]).split(b"\n")
        for line in lines:
            yield line
    await asyncio.wait_for(read_headers(reader), IDLE_SECONDS)
    if rest:
        raise ValueError("the body ends within a line")
