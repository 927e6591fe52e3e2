"""Health through the doors, with the stubs of grpc_health."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from podledger.rpc.doors.inprocess import InProcessBackend
from podledger.rpc.health import Health
from podledger_gateway.backend import BackendError
from tests.fakes.doors import chain_of, dialled

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def health():
    return Health(["v1.PodService"])


@pytest.fixture
async def stub(health):
    async with dialled(chain_of(*health.methods())) as channel:
        yield health_pb2_grpc.HealthStub(channel)


def named(service):
    return health_pb2.HealthCheckRequest(service=service)


@pytest.mark.parametrize("service", ["", "v1.PodService"])
async def test_check_follows_the_life_of_the_server(health, stub, service):
    """Not serving before the start, serving, not serving for good when it drains."""
    states = [(await stub.Check(named(service))).status]
    health.serve()
    states.append((await stub.Check(named(service))).status)
    health.drain()
    health.serve()
    states.append((await stub.Check(named(service))).status)

    assert states == [NOT_SERVING, SERVING, NOT_SERVING]


async def test_an_unknown_service_is_not_found(stub):
    """As the health protocol wants it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(named("v1.Nope"))

    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.NOT_FOUND, "unknown service")


async def test_list_gives_all_services(health, stub):
    """Names and states."""
    health.serve()
    reply = await stub.List(health_pb2.HealthListRequest())

    assert {name: status.status for name, status in reply.statuses.items()} == {"": SERVING, "v1.PodService": SERVING}


async def test_watch_tells_each_change_once(health, stub):
    """The state now, then changes."""
    call = stub.Watch(named("v1.PodService"))
    states = [(await call.read()).status]
    health.serve()
    states.append((await call.read()).status)
    health.serve()
    health.drain()
    states.append((await asyncio.wait_for(call.read(), 5)).status)
    call.cancel()

    assert states == [NOT_SERVING, SERVING, NOT_SERVING]


async def test_watch_of_an_unknown_service_waits_for_it(stub):
    """SERVICE_UNKNOWN, and the stream stays."""
    call = stub.Watch(named("v1.Nope"))
    first = await call.read()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call.read(), 0.1)

    assert first.status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def test_the_in_process_door_answers_from_the_same_states(health):
    """What the gateway's /healthz asks."""
    backend = InProcessBackend(chain_of(*health.methods()))
    health.serve()
    reply = await backend.unary("/grpc.health.v1.Health/Check", named("v1.PodService").SerializeToString(), [], None)

    assert health_pb2.HealthCheckResponse.FromString(reply.message).status == SERVING


async def test_a_request_that_is_no_message_is_invalid(health):
    """Bytes from outside never surprise."""
    with pytest.raises(BackendError, match="not a HealthCheckRequest"):
        await InProcessBackend(chain_of(*health.methods())).unary("/grpc.health.v1.Health/Check", b"\xff\xff", [], None)
