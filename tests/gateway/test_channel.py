"""The backend over a gRPC channel: unreachable or dying servers, texts, batches, reflection (gateway 4.4, 8.4)."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from google.rpc import status_pb2

from podledger_gateway.backend import BackendError
from podledger_gateway.channel import ChannelBackend, open_channel, reflect
from podledger_gateway.rules import bindings
from podledger_gateway.settings import GatewaySettings
from tests.fakes.gateway_backends import RealServer, Script, real_backend
from tests.fakes.gateways import POD_SERVICE, listening
from tests.fakes.raw_http import connect, read_chunk, read_headers, request_bytes

GET, EXPORT = "/v1.PodService/GetPods", "/v1.PodService/ExportPods"


def unused_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return f"127.0.0.1:{found.getsockname()[1]}"


@pytest.fixture
async def server() -> AsyncIterator[RealServer]:
    found = RealServer()
    found.streaming = lambda method: method == EXPORT
    await found.start([POD_SERVICE])
    yield found
    await found.server.stop(0)


def play(server: RealServer, **fields: Any) -> None:
    server.script = Script.of(lambda method, message: b"", fields)


async def failure(backend: ChannelBackend, metadata=(), timeout=None) -> BackendError:
    with pytest.raises(BackendError) as error:
        await backend.unary(GET, b"", metadata, timeout)
    return error.value


async def stream_failure(backend: ChannelBackend) -> BackendError:
    with pytest.raises(BackendError) as error:
        async for _ in backend.stream(EXPORT, b"", (), None):
            pass
    return error.value


# ------------------------------------------------------------------------------------------- unreachable


async def test_a_server_that_nobody_is_was_not_reached(server):
    async with real_backend(server, address=unused_address()) as backend:
        unary, stream = await failure(backend), await stream_failure(backend)
    assert [(14, False)] * 2 == [(error.code, error.reached) for error in (unary, stream)]


async def test_unavailable_from_a_server_is_its_answer(server):
    play(server, status={"code": 14, "message": "later"})
    async with real_backend(server) as backend:
        unary, stream = await failure(backend), await stream_failure(backend)
    assert [(14, "later", True)] * 2 == [(error.code, error.message, error.reached) for error in (unary, stream)]


@pytest.mark.parametrize("target", ["/v1/pods", "/v1/export/pods"])
async def test_an_unreachable_backend_is_a_plain_error(target):
    async with listening("channel", address=unused_address()) as gateway:
        answer = await gateway.get(f"{target}?nothing")
    found = json.loads(answer.text)
    assert (503, 14, ["error", "code", "message", "details"]) == (answer.status, found["code"], list(found))
    assert answer.header("X-Podledger-Ignored-Parameters") == "nothing"


async def test_early_headers_do_not_hide_an_unreachable_backend():
    settings = GatewaySettings(early_headers=True)
    async with listening("channel", address=unused_address(), settings=settings) as gateway:
        answer = await gateway.get("/v1/export/pods")
    assert (503, 14) == (answer.status, json.loads(answer.text)["code"])


async def test_a_backend_that_comes_back_is_used_again():
    address = unused_address()
    async with listening("channel", address=address) as gateway:
        assert (await gateway.get("/v1/pods")).status == 503
        server = grpc.aio.server()
        server.add_insecure_port(address)
        await server.start()
        async with asyncio.timeout(10):
            while (await gateway.get("/v1/pods")).status == 503:
                await asyncio.sleep(0.1)
        assert (await gateway.get("/v1/pods")).status == 501
        await server.stop(0)


async def test_a_backend_that_dies_in_a_stream_ends_it_as_failed():
    async with listening("channel") as gateway:
        gateway.play(messages=[{"pod": {"id": "1"}}], wait_cancel=True)
        reader, writer = await connect(gateway.address)
        writer.write(request_bytes("GET", "/v1/export/pods", [("X-Export-Complete", "1")]))
        await read_headers(reader)
        first = await read_chunk(reader)
        await gateway.backend.server.stop(0)
        async with asyncio.timeout(5):
            last = await read_chunk(reader)
            assert await read_chunk(reader) is None
        writer.close()
    assert "result" in json.loads(first)
    assert json.loads(last)["error"]["grpcCode"] in (1, 14)


# ------------------------------------------------------------------------------------------ codes, texts


async def test_a_deadline_has_the_words_of_the_family(server):
    play(server, wait_cancel=True)
    async with real_backend(server) as backend:
        for timeout in (-1, 0.05):
            error = await failure(backend, timeout=timeout)
            assert (4, "context deadline exceeded") == (error.code, error.message)


@pytest.mark.parametrize("seconds", [2.5, 60, 1140])
async def test_a_deadline_does_not_grow_on_its_way(server, seconds):
    play(server)
    async with real_backend(server) as backend:
        await backend.unary(GET, b"", (), seconds)
    assert server.calls[0].seconds == pytest.approx(seconds, abs=0.2)


@pytest.mark.parametrize(
    "metadata",
    [(("Upper", "x"),), (("a b", "x"),), (("k", "é"),), (("k", "a\nb"),), (("", "x"),), (("k-bin", "text é"),)],
)
async def test_metadata_that_grpc_refuses_is_an_internal_error(server, metadata):
    play(server)
    async with real_backend(server) as backend:
        error = await failure(backend, metadata)
        assert (13, True) == (error.code, error.reached)
        with pytest.raises(BackendError):
            async for _ in backend.stream(EXPORT, b"", metadata, None):
                pass


@pytest.mark.parametrize("packed", [b"\xff", status_pb2.Status(code=3, message="other").SerializeToString()])
async def test_a_status_that_does_not_fit_gives_no_details(server, packed):
    play(server, status={"code": 5, "message": "gone"}, trailer_md=[["grpc-status-details-bin", packed], ["a", "1"]])
    async with real_backend(server) as backend:
        error = await failure(backend)
    assert (5, "gone", [], [("a", "1")]) == (error.code, error.message, list(error.details), list(error.trailing))


async def test_a_message_may_be_larger_than_the_default_of_grpc(server):
    play(server, messages=[b"x" * 5_000_000])
    async with real_backend(server) as backend:
        assert len((await backend.unary(GET, b"", (), None)).message) == 5_000_000


# --------------------------------------------------------------------------------------------- batches


async def test_what_has_arrived_is_one_batch_in_order(server):
    messages = [str(number).encode() for number in range(500)]
    play(server, messages=messages)
    async with real_backend(server) as backend:
        stream = backend.stream(EXPORT, b"", (), None)
        batches = []
        async for batch in stream:
            batches.append(batch)
            await asyncio.sleep(0.02)
        await stream.aclose()
    assert messages == [message for batch in batches for message in batch]
    assert all(batches)
    assert len(batches) < 250


async def test_a_slow_reader_makes_the_server_wait(server):
    play(server, messages=[b"x" * 100_000] * 2000)
    async with real_backend(server) as backend:
        stream = backend.stream(EXPORT, b"", (), None)
        batches = aiter(stream)
        await anext(batches)
        await asyncio.sleep(0.3)
        second = await anext(batches)
        assert sum(map(len, second)) <= 1_000_000
        assert not server.calls[0].ended.is_set()
        await batches.aclose()
        await stream.aclose()
        async with asyncio.timeout(1):
            await server.calls[0].ended.wait()


async def test_closing_twice_or_after_the_end_does_nothing(server):
    play(server, messages=[b"1"], trailer_md=[["a", "1"]])
    async with real_backend(server) as backend:
        stream = backend.stream(EXPORT, b"", (), None)
        assert [batch async for batch in stream] == [[b"1"]]
        assert ("a", "1") in list(stream.trailing)
        await stream.aclose()
        await stream.aclose()


# ------------------------------------------------------------------------------------------- reflection


async def test_reflection_gives_the_services_with_their_rules(server):
    async with open_channel(server.address) as channel:
        found = await reflect(channel)
    assert [service.full_name for service in found] == ["v1.PodService"]
    assert [str(binding.template) for binding in bindings(found)] == ["/v1/pods", "/v1/export/pods"]


async def test_a_server_without_reflection_says_so():
    server = grpc.aio.server()
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    async with open_channel(address) as channel:
        with pytest.raises(BackendError) as error:
            await reflect(channel)
    await server.stop(0)
    assert error.value.message == "the server has no reflection"


async def test_reflection_waits_for_a_server_but_not_forever():
    begun = time.monotonic()
    async with open_channel(unused_address()) as channel:
        with pytest.raises(BackendError) as error:
            await reflect(channel, wait_seconds=0.3)
    assert (14, False, "no answer within 0.3 s") == (error.value.code, error.value.reached, error.value.message)
    assert time.monotonic() - begun < 2
