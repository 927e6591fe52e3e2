"""Real HTTP trailers. aiohttp has no interface for them: the last chunk is written here instead.

That takes the stream writer's public `transport` and `chunked`; when the writer is of another kind than
the one this was written for, the body ends without trailers.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_writer import StreamWriter
from multidict import CIMultiDict

from podledger_gateway.negotiation import accepts_trailers

Trailers = Sequence[tuple[str, str]]


def wanted(request: web.Request, *, enabled: bool) -> bool:
    """Whether an answer to this request may have trailers."""
    return enabled and request.version >= HttpVersion11 and accepts_trailers(request.headers.getall("TE", ()))


def announce(headers: CIMultiDict[str], names: Sequence[str]) -> None:
    """Tell in the headers which trailers will follow."""
    for name in dict.fromkeys(names):
        headers.add("Trailer", name)


def write_last_chunk(writer: AbstractStreamWriter | None, trailers: Trailers) -> None:
    """End a chunked body with trailers; the response then writes no end of its own."""
    if isinstance(writer, StreamWriter) and writer.chunked and writer.transport is not None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
        writer.transport.write(f"0\r\n{lines}\r\n".encode("ascii"))
        writer.chunked = False


async def send(request: web.Request, response: web.Response, trailers: Trailers) -> web.StreamResponse:
    """Send a whole answer as a chunked body with trailers."""
    headers = CIMultiDict(response.headers)
    headers.popall("Content-Length", None)
    announce(headers, [name for name, _ in trailers])
    chunked = web.StreamResponse(status=response.status, reason=response.reason, headers=headers)
    writer = await chunked.prepare(request)
    assert isinstance(response.body, bytes)
    await chunked.write(response.body)
    write_last_chunk(writer, trailers)
    return chunked
