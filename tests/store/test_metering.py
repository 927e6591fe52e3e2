"""Readers that measure give what the readers behind them give."""

from __future__ import annotations

import pytest

from podledger.errors import StoreUnavailable
from podledger.pods.identity import PodKey, parse_uuid
from podledger.query.paging import DEFAULT_ORDER, Paging
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import EVERYTHING
from podledger.store.memory import MemoryStore
from podledger.store.metering import MeteredReads
from podledger.telemetry import Telemetry
from tests.fakes.doors import sample
from tests.fakes.fleet import NORTH, fill, pod_id, small_fleet

FIRST = Paging(limit=2, offset=0, order=DEFAULT_ORDER)


@pytest.fixture
async def store():
    store = MemoryStore()
    await store.open()
    await fill(store, small_fleet())
    yield store
    await store.close()


def seconds(telemetry, operation):
    return sample(telemetry, "podledger_store_seconds_count", store="memory", operation=operation)


async def test_results_pass_and_operations_are_counted(store):
    """Pages, counts, single pods, and every chunk of a scan with the read that finds the end."""
    telemetry, bare = Telemetry(), store.reader(UNRESTRICTED)
    reader = MeteredReads(store, telemetry, engine="memory").reader(UNRESTRICTED)
    key = PodKey(parse_uuid(NORTH), parse_uuid(pod_id(1)))

    assert await reader.page(EVERYTHING, FIRST) == await bare.page(EVERYTHING, FIRST)
    assert await reader.count(EVERYTHING, at_most=3) == await bare.count(EVERYTHING, at_most=3)
    assert await reader.get(key) == await bare.get(key)
    chunks = [chunk async for chunk in reader.scan(EVERYTHING, chunk_rows=3)]
    assert chunks == [chunk async for chunk in bare.scan(EVERYTHING, chunk_rows=3)]
    assert {name: seconds(telemetry, name) for name in ("page", "count", "get", "chunk")} == {
        "page": 1, "count": 1, "get": 1, "chunk": len(chunks) + 1,
    }  # fmt: skip


async def test_failures_are_counted_by_kind(store):
    """And pass as they are."""
    telemetry = Telemetry()
    reader = MeteredReads(store, telemetry, engine="memory").reader(UNRESTRICTED)
    await store.close()
    with pytest.raises(StoreUnavailable):
        await reader.page(EVERYTHING, FIRST)

    assert sample(telemetry, "podledger_store_errors_total", store="memory", kind="StoreClosed") == 1
