"""The whole server in this process: what is wired to what, and that nothing stays behind."""

from __future__ import annotations

import asyncio
import gc

import aiohttp
import grpc
import pytest

from podledger import wiring
from podledger.errors import BadInput
from podledger.settings import load, variable
from podledger_protos.api.v1.pod_service_pb2_grpc import PodServiceStub
from podledger_protos.api.v1.search_service_pb2 import RawQuery

FREE = [
    "store.url=memory:",
    "grpc.listen=127.0.0.1:0",
    "http.listen=127.0.0.1:0",
    "admin.listen=127.0.0.1:0",
    "drain.grace_seconds=0",
]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch):
    monkeypatch.delenv(variable("store.url"), raising=False)


def settings(*flags):
    return load(flags=[*FREE, *flags]).settings


async def test_both_listeners_serve_one_store():
    """The same pods by gRPC and by REST."""
    async with (
        wiring.running(settings(), demo=wiring.Demo()) as (addresses, _),
        grpc.aio.insecure_channel(addresses.grpc) as channel,
        aiohttp.ClientSession() as session,
    ):
        page = await PodServiceStub(channel).GetPods(RawQuery(query="Namespace:kube-system"))
        async with session.get(f"http://{addresses.http}/v1/pods?query=Namespace:kube-system") as response:
            document = await response.json()

    assert [pod["id"] for pod in document["pods"]] == [pod.id for pod in page.pods]
    assert len(page.pods) > 0


async def test_nothing_stays_behind():
    """No task, whatever ran."""
    before = asyncio.all_tasks()
    async with wiring.running(settings()) as (addresses, _), grpc.aio.insecure_channel(addresses.grpc) as channel:
        await PodServiceStub(channel).GetPods(RawQuery())
    await asyncio.sleep(0.05)
    gc.collect()

    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("taken", ["grpc", "http", "admin"])
async def test_a_start_that_fails_leaves_nothing(taken):
    """The listener that came up goes down, the store is closed, and a second try works."""
    async with wiring.running(settings()) as (addresses, _):
        with pytest.raises(BadInput, match="is another program using it"):
            async with wiring.running(settings(f"{taken}.listen={getattr(addresses, taken)}")):
                pass
    async with wiring.running(settings(f"{taken}.listen={getattr(addresses, taken)}")) as (again, _):
        assert getattr(again, taken) == getattr(addresses, taken)


async def test_reflection_can_be_switched_off():
    """Then nothing of it is registered."""
    async with (
        wiring.running(settings("grpc.reflection=off")) as (addresses, _),
        grpc.aio.insecure_channel(addresses.grpc) as channel,
    ):
        call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")()

        assert await call.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_limits_reach_the_parts():
    """A setting that does nothing does not exist."""
    async with (
        wiring.running(settings("query.strict=true", "query.max_terms=2", "grpc.max_receive_bytes=2048")) as (
            addresses,
            _,
        ),
        grpc.aio.insecure_channel(addresses.grpc) as channel,
    ):
        stub, texts = PodServiceStub(channel), []
        for query in ("Nope:x", "a:b+c:d+e:f", "x" * 3000):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.GetPods(RawQuery(query=query))
            texts.append(caught.value.details())

    assert texts[0].startswith("unknown search field")
    assert texts[1] == "too many query parts: 3, limit 2"
    assert "larger than max" in texts[2]


async def test_rest_is_for_this_machine():
    """A page of a stranger cannot reach it by a name of its own (DNS rebinding)."""
    async with wiring.running(settings()) as (addresses, _), aiohttp.ClientSession() as session:
        statuses = []
        for headers in ({}, {"Host": "evil.example"}, {"X-Forwarded-For": "1.2.3.4"}):
            async with session.get(f"http://{addresses.http}/v1/pods", headers=headers) as response:
                statuses.append(response.status)

    assert statuses == [200, 403, 403]


@pytest.mark.parametrize(("limit", "expected"), [(30_000, (10_000, 5000)), (3000, (1000, 500)), (1, (1, 1))])
def test_connection_caps_fit_the_limit_of_open_files(monkeypatch, limit, expected):
    """Half of it at most."""
    monkeypatch.setattr(wiring, "raise_descriptor_limit", lambda: limit)
    fitted = wiring._within_descriptors(settings())

    assert (fitted.grpc.max_connections, fitted.http.max_connections) == expected
