"""HTTP/1.1 by hand: exact targets and headers out, exact bytes and chunks in."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Answer:
    """A response as it came over the wire."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    whole: bool = True
    """False when the connection ended before the body did."""

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    @property
    def text(self) -> str:
        body = gzip.decompress(self.body) if self.header("Content-Encoding") == "gzip" else self.body
        return body.decode()


def request_bytes(
    method: str, target: str, headers: Sequence[tuple[str, str]] = (), body: bytes = b"", *, host: str = "gateway.test"
) -> bytes:
    names = {name.lower() for name, _ in headers}
    lines = [f"{method} {target} HTTP/1.1"]
    if "host" not in names:
        lines.append(f"Host: {host}")
    lines += [f"{name}: {value}" for name, value in headers]
    if body and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    elif method in ("POST", "PUT", "PATCH") and not names & {"content-length", "transfer-encoding"}:
        lines.append("Content-Length: 0")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def fetch(
    address: str,
    method: str,
    target: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    *,
    timeout: float = 10.0,
) -> Answer:
    """One request on a connection of its own."""
    async with asyncio.timeout(timeout):
        reader, writer = await connect(address)
        try:
            writer.write(request_bytes(method, target, headers, body))
            await writer.drain()
            return await read_answer(reader, method)
        finally:
            writer.close()


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port), limit=2**24)


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Answer:
    status_line = (await reader.readline()).decode("latin-1").rstrip("\r\n")
    if not status_line:
        raise ConnectionError("closed without an answer")
    _, status, *reason = status_line.split(" ", 2)
    answer = Answer(int(status), reason[0] if reason else "", await read_headers(reader))
    if answer.status == 100:
        return await read_answer(reader, method)
    if method == "HEAD" or answer.status in (204, 304):
        return answer
    try:
        await _read_body(reader, answer)
    except (asyncio.IncompleteReadError, ConnectionError, ValueError):
        answer.whole = False
        answer.body = b"".join(answer.chunks)
    return answer


async def read_headers(reader: asyncio.StreamReader) -> list[tuple[str, str]]:
    headers = []
    while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    return headers


async def _read_body(reader: asyncio.StreamReader, answer: Answer) -> None:
    if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
        while (chunk := await read_chunk(reader)) is not None:
            answer.chunks.append(chunk)
        answer.trailers = await read_headers(reader)
        answer.body = b"".join(answer.chunks)
    elif (length := answer.header("Content-Length")) is not None:
        answer.body = await reader.readexactly(int(length))
    else:
        answer.body = await reader.read()


async def read_chunk(reader: asyncio.StreamReader) -> bytes | None:
    size = int(await reader.readuntil(b"\r\n"), 16)
    if size == 0:
        return None
    data = await reader.readexactly(size + 2)
    return data[:-2]
