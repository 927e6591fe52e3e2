"""Streams end before the server does: between batches, as UNAVAILABLE, counted as drained."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.rpc import code_pb2

from podledger.query.scope import UNRESTRICTED
from podledger.rpc.calls import Method
from podledger.rpc.chain import Chain, stages
from podledger.rpc.doors.inprocess import InProcessBackend
from podledger.rpc.draining import Drain
from podledger.telemetry import Telemetry
from podledger_gateway.backend import BackendError
from tests.fakes.doors import dialled, sample

METHOD = "/t.T/Stream"


@pytest.fixture
def telemetry():
    return Telemetry()


@pytest.fixture
def drain():
    return Drain()


@pytest.fixture
def closed():
    return []


@pytest.fixture
def chain(telemetry, drain, closed):
    async def endless(_):
        try:
            while True:
                yield [b"a", b"b"]
                await asyncio.sleep(0.01)
        finally:
            closed.append(True)

    async def unary(_):
        return b"whole"

    methods = [Method(METHOD, streaming=endless, counted="count"), Method("/t.T/Unary", unary=unary)]
    return Chain(methods, stages(telemetry, scope=UNRESTRICTED, drain=drain))


def counted(telemetry, door):
    handled = {"grpc_type": "server_stream", "grpc_service": "t.T", "grpc_method": "Stream", "grpc_code": "Unavailable"}
    return (
        sample(telemetry, "podledger_exports_total", door=door, end="drain"),
        sample(telemetry, "grpc_server_handled_total", **handled),
    )


async def _read_on(call, received):
    while True:
        received.append(await call.read())


async def test_a_stream_ends_between_two_batches(chain, drain, closed, telemetry):
    """What was sent is counted in the trailer; the handler is closed; nobody reads OK."""
    async with dialled(chain) as channel:
        call = channel.unary_stream(METHOD)(b"")
        received = [await call.read() for _ in range(4)]
        drain.end_streams()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _read_on(call, received)

    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.UNAVAILABLE, "the server is stopping")
    assert dict(caught.value.trailing_metadata())["count"] == str(len(received))
    assert closed == [True]
    assert counted(telemetry, "grpcio") == (1, 1)


async def test_the_gateway_learns_the_same(chain, drain, closed, telemetry):
    """In-process."""
    stream = InProcessBackend(chain).stream(METHOD, b"", (), None)
    await stream.initial()
    drain.end_streams()
    with pytest.raises(BackendError) as caught:
        _ = [batch async for batch in stream]
    await stream.aclose()

    assert caught.value.code == code_pb2.UNAVAILABLE
    assert closed == [True]
    assert counted(telemetry, "inprocess") == (1, 1)


async def test_a_stream_that_its_door_cuts_is_drained_too(chain, drain, telemetry):
    """Its client took nothing, and the transport ended it."""
    stream = InProcessBackend(chain).stream(METHOD, b"", (), None)
    await stream.initial()
    drain.end_streams()
    await stream.aclose()

    assert counted(telemetry, "inprocess") == (1, 1)


async def test_before_that_a_client_that_leaves_is_gone(chain, telemetry):
    """Not drained."""
    stream = InProcessBackend(chain).stream(METHOD, b"", (), None)
    await stream.initial()
    await stream.aclose()

    assert sample(telemetry, "podledger_exports_total", door="inprocess", end="client_gone") == 1


async def test_unary_calls_finish(chain, drain):
    """They are short."""
    drain.end_streams()

    assert (await InProcessBackend(chain).unary("/t.T/Unary", b"", (), None)).message == b"whole"
