"""The listener's limits: headers, time, connections, smuggling (operations 6). Raw bytes on sockets."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from podledger_gateway.app import application, serve
from podledger_gateway.rules import bindings
from podledger_gateway.settings import GatewaySettings
from tests.fakes.gateway_backends import InProcess, Script
from tests.fakes.gateways import POD_SERVICE, TRANSCODE_TEST, listening
from tests.fakes.raw_http import Answer, connect, fetch, read_answer, request_bytes


async def said(address: str, data: bytes, *, timeout: float = 5) -> bytes:
    """Everything that the gateway says to these bytes before it closes or falls silent."""
    reader, writer = await connect(address)
    writer.write(data)
    try:
        async with asyncio.timeout(timeout):
            return await reader.read()
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        writer.close()


async def answered(address: str, data: bytes) -> Answer:
    """The first answer to these bytes."""
    reader, writer = await connect(address)
    writer.write(data)
    try:
        async with asyncio.timeout(5):
            return await read_answer(reader)
    finally:
        writer.close()


# ------------------------------------------------------------------------------------------- malformed


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/pods HTTP/1.1\nHost: a\n\n",
        b"GET /v1/pods HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/pods HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/pods HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/pods HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /v1/pods HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/pods HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET /v1/pods HTTP/1.1\r\nHost: a\r\nX\x00: a\r\n\r\n",
        b"GET /v1/p\xf6ds HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get /v1/pods HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/pods HTTP/9.9\r\nHost: a\r\n\r\n",
        b"POST /v1/pods HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=lambda head: repr(head[:60]),
)
async def test_what_is_no_request_is_refused_as_json_and_the_connection_closed(head):
    async with listening() as gateway:
        answer = await said(gateway.address, head + b"GET /v1/pods?query=smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [seen.request for seen in gateway.backend.calls] == []
    first, _, body = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.0 400 ")
    assert json.loads(body)["message"] == "Bad Request"
    assert b"\r\nServer: podledger_gateway\r\n" in first


async def test_headers_have_limits():
    async with listening() as gateway:
        assert (await gateway.get("/v1/pods?query=" + "a" * 60_000)).status == 200
        assert (await gateway.get("/v1/pods?query=" + "a" * 70_000)).status == 400
        assert (await gateway.get("/v1/pods", ("X", "a" * 17_000))).status == 400
        assert (await gateway.get("/v1/pods", *[(f"X{number}", "a") for number in range(70)])).status == 400


async def test_a_body_that_is_cut_is_no_request():
    async with listening(settings=GatewaySettings(), kind="in process") as gateway:
        head = b"POST /v1/pods HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        _, writer = await connect(gateway.address)
        writer.write(head + b"Content-Length: 100\r\n\r\nquery=a")
        await asyncio.sleep(0.1)
        writer.transport.abort()
        chunked = await said(gateway.address, head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
        assert gateway.backend.calls == []
    assert chunked.startswith(b"HTTP/1.0 400 ")


# ------------------------------------------------------------------------------------------------ time


async def test_half_a_request_is_not_kept():
    async with listening(settings=GatewaySettings(keepalive_seconds=0.2)) as gateway:
        begun = time.monotonic()
        assert await said(gateway.address, b"GET /v1/pods HTTP/1.1\r\nHo") == b""
        assert await said(gateway.address, b"") == b""
        assert time.monotonic() - begun < 3


async def test_a_body_that_drips_is_given_up():
    async with listening(settings=GatewaySettings(body_seconds=0.2)) as gateway:
        head = b"POST /v1/pods HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nq"
        answer = await answered(gateway.address, head)
    assert (408, "close") == (answer.status, answer.header("Connection"))


async def test_bodies_share_their_room():
    settings = GatewaySettings(max_bodies_bytes=1000, body_seconds=1)
    async with listening("in process", TRANSCODE_TEST, settings=settings) as gateway:
        gateway.play(mode="echo")
        _, writer = await connect(gateway.address)
        writer.write(b"POST /v1/body HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\n\r\n" + b" " * 900)
        await asyncio.sleep(0.1)
        refused = await fetch(gateway.address, "POST", "/v1/body", [], b" " * 200)
        writer.close()
        await asyncio.sleep(0.1)
        served = await fetch(gateway.address, "POST", "/v1/body", [], b" " * 200)
    assert (503, "1", 200) == (refused.status, refused.header("Retry-After"), served.status)


async def test_a_large_body_is_refused_before_it_is_sent():
    async with listening("in process", TRANSCODE_TEST) as gateway:
        head = b"POST /v1/body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
        reader, writer = await connect(gateway.address)
        writer.write(head)
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_only_one_expectation_is_met():
    async with listening("in process", TRANSCODE_TEST) as gateway:
        gateway.play(mode="echo")
        assert (await fetch(gateway.address, "POST", "/v1/body", [("Expect", "100-Continue")], b"{}")).status == 200
        assert (await fetch(gateway.address, "POST", "/v1/body", [("Expect", "magic")], b"{}")).status == 417


# ----------------------------------------------------------------------------------------- connections


async def test_connections_beyond_the_limit_are_closed_at_once():
    async with listening(settings=GatewaySettings(max_connections=2)) as gateway:
        held = [await connect(gateway.address) for _ in range(2)]
        await asyncio.sleep(0.05)
        reader, writer = await connect(gateway.address)
        assert await reader.read() == b""
        held[0][1].write(request_bytes("GET", "/v1/pods"))
        assert (await read_answer(held[0][0])).status == 200
        for _, other in [*held, (None, writer)]:
            other.close()


async def test_requests_on_one_connection_are_answered_in_order():
    async with listening("in process", TRANSCODE_TEST) as gateway:
        gateway.play(mode="echo")
        reader, writer = await connect(gateway.address)
        for number in range(20):
            writer.write(request_bytes("GET", f"/v1/echo/{number}"))
        found = [json.loads((await read_answer(reader)).text)["stringValue"] for _ in range(20)]
        writer.close()
    assert found == [str(number) for number in range(20)]


async def test_http_1_0_gets_a_stream_that_ends_with_the_connection():
    async with listening() as gateway:
        gateway.play(messages=[{"pod": {"id": "1"}}], status={"code": 5, "message": "gone"})
        answer = await said(gateway.address, b"GET /v1/export/pods HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert [list(json.loads(line)) for line in body.splitlines()] == [["result"], ["error"]]


async def test_a_unix_socket_is_served_and_removed(tmp_path: Path):
    backend = InProcess()
    backend.script = Script(lambda method, message: b"")
    settings = GatewaySettings()
    path = tmp_path / "gateway.sock"
    server = await serve(application(backend, bindings([POD_SERVICE]), settings), str(path), 0, settings)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(request_bytes("GET", "/v1/pods"))
    assert ((await read_answer(reader)).status, server.address) == (200, f"unix:{path}")
    writer.close()
    await server.close()
    assert not path.exists()


async def test_answers_cannot_be_forged_through_what_is_sent():
    async with listening() as gateway:
        gateway.play(header_md=[["a", "1\r\nSet-Cookie: x=y"]], status={"code": 5, "message": "\r\nSet-Cookie: x=y"})
        answer = await gateway.get("/v1/pods?a%0d%0aSet-Cookie:%20x=y")
    assert answer.all("Set-Cookie") == []
    assert json.loads(answer.text)["message"] == "\r\nSet-Cookie: x=y"
