"""The export loop over a real store: deadlines, slow clients, one way out with OK."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from podledger.errors import DeadlineExceeded
from podledger.pods.identity import PodKey, parse_uuid
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import EVERYTHING
from podledger.rpc.calls import Call
from podledger.rpc.exporting import ExportLimits, deadline_of, export
from podledger.rpc.framing import framed
from podledger.rpc.status import CallFailed
from podledger.store.memory import MemoryStore
from podledger_protos.api.v1.pod_service_pb2 import ExportPodRequest
from tests.fakes.fleet import NORTH, fill, pod_id, record
from tests.fakes.pod_clients import client_of, pod_chain


@pytest.fixture
async def store():
    store = MemoryStore()
    await store.open()
    await fill(store, [record(number) for number in range(1, 6)])
    yield store
    await store.close()


def batches(store, *, rows=2, deadline=None, after=None):
    reader = store.reader(UNRESTRICTED)
    return export(reader, EVERYTHING, after=after, deadline=deadline, limits=ExportLimits(page_rows=rows))


def messages(*numbers):
    return [framed(record(number).pod.SerializeToString(deterministic=True)) for number in numbers]


async def test_a_batch_is_a_page_of_messages(store):
    """Each a whole ExportPodResponse, in order of keys."""
    assert [list(batch) async for batch in batches(store)] == [messages(1, 2), messages(3, 4), messages(5)]


async def test_it_goes_on_after_a_key(store):
    """Which need not be a pod."""
    after = PodKey(parse_uuid(NORTH), parse_uuid(pod_id(3)))

    assert [list(batch) async for batch in batches(store, after=after)] == [messages(4, 5)]


async def test_time_that_the_client_takes_counts(store):
    """No read and no OK after the deadline."""
    got = []

    async def slowly():
        async with aclosing(batches(store, deadline=time.monotonic() + 0.1)) as stream:
            async for batch in stream:
                got.append(list(batch))
                await asyncio.sleep(0.15)

    with pytest.raises(DeadlineExceeded):
        await slowly()
    assert got == [messages(1, 2)]


async def test_a_deadline_in_the_past_sends_nothing(store):
    """Not even the first page."""
    with pytest.raises(DeadlineExceeded):
        await anext(batches(store, deadline=time.monotonic() - 1))


@pytest.mark.parametrize(
    ("timeout", "call_deadline", "expected"),
    [(0, None, None), (5, None, 105.0), (0, 103.0, 103.0), (5, 103.0, 103.0), (2, 103.0, 102.0)],
)
def test_the_earlier_limit_wins(timeout, call_deadline, expected):
    """The timeout counts from the begin of the handler."""
    assert deadline_of(timeout, begun=100.0, call_deadline=call_deadline) == expected


def test_a_negative_timeout_is_over():
    """Whatever else is asked."""
    with pytest.raises(DeadlineExceeded, match="context deadline exceeded"):
        deadline_of(-1, begun=100.0, call_deadline=None)


async def test_a_timeout_expires_while_the_client_is_slow(store):
    """After whatever was sent, and never with OK."""
    chain = pod_chain(store, export_limits=ExportLimits(page_rows=1))
    call = Call("/v1.PodService/ExportPods", ExportPodRequest(timeout=1).SerializeToString())
    stream = chain.stream(call)
    first = await anext(stream)
    await asyncio.sleep(1.05)
    with pytest.raises(CallFailed, match="4: context deadline exceeded"):
        await anext(stream)

    assert list(first) == messages(1)


@pytest.mark.parametrize("door", ["grpcio", "inprocess"])
async def test_the_deadline_of_the_call_applies_too(store, door):
    """The earlier one wins; the client sees DEADLINE_EXCEEDED either way."""
    await fill(store, [record(number, padding=100_000) for number in range(1, 200)])

    async with client_of(pod_chain(store, export_limits=ExportLimits(page_rows=1)), door) as client:
        answer = await client.export(seconds=30, timeout=0.01)

    assert answer.code == 4
    assert len(answer.pods) < 199
