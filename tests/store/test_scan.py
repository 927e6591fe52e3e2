"""Scans: order, exactly once, resuming, chunks."""

from __future__ import annotations

import asyncio
import random

import pytest

from podledger.pods.identity import NO_CLUSTER, PodKey
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import Query
from podledger.store.contract import Store
from tests.fakes.store_pods import EAST, NORTH, SOUTH, Hand, fill, key, key_of, pod_id, query, record, scanned, window

SIZES = [1, 5, 16, 53, 54, 100, 500, 501]


async def chunks(store: Store, text: str = "", **options: object) -> list[tuple[list[PodKey], PodKey]]:
    scan = store.reader(UNRESTRICTED).scan(query(text), **options)
    return [([key_of(message) for message in chunk.messages], chunk.last) async for chunk in scan]


async def test_pods_come_by_cluster_id_then_pod_id_with_no_cluster_first(store: Store) -> None:
    """The order of pod-service 7.2."""
    await fill(store, [record(n, cluster=c) for n in (3, 1, 2) for c in (SOUTH, NO_CLUSTER, NORTH)])

    expected = [key(n, c) for c in (NO_CLUSTER, NORTH, SOUTH) for n in (1, 2, 3)]

    assert expected == await scanned(store)
    assert expected == await scanned(store, "Pod Name:pod")


async def test_an_empty_store_has_no_chunk(store: Store) -> None:
    """A chunk is never empty."""
    assert [] == await chunks(store)
    assert [] == await chunks(store, "Pod Name:x")


@pytest.mark.parametrize("text", ["", "Namespace:shop", "Pod Name:%1", "Deployment:-"])
@pytest.mark.parametrize("rows", SIZES)
async def test_chunks_of_every_size_make_the_same_walk(store: Store, rows: int, text: str) -> None:
    """Each chunk is full but the last one, and names the key of its last pod."""
    await fill(store, [record(n, cluster=c) for n in range(54) for c in (NORTH, SOUTH)])
    whole = await scanned(store, text)

    parts = await chunks(store, text, chunk_rows=rows)

    assert whole == [each for keys, _ in parts for each in keys]
    assert all(keys[-1] == last for keys, last in parts)
    assert all(0 < len(keys) <= rows for keys, _ in parts)


@pytest.mark.parametrize("text", ["", "Namespace:shop"])
async def test_a_chunk_ends_with_the_pod_that_reaches_the_bytes(store: Store, text: str) -> None:
    """Bytes of messages, not of rows."""
    await fill(store, [record(n, name="x" * 900) for n in range(10)])
    size = len((await store.reader(UNRESTRICTED).get(key(0))) or b"")

    parts = await chunks(store, text, chunk_bytes=2 * size + 1)

    assert [3, 3, 3, 1] == [len(keys) for keys, _ in parts]


@pytest.mark.parametrize("text", ["", "Pod Name:pod", "Namespace:shop"])
@pytest.mark.parametrize("total", [4, 5, 6])
async def test_a_walk_ends_right_when_the_last_chunk_is_just_full(store: Store, total: int, text: str) -> None:
    """N-1, N and N+1 pods in chunks of N."""
    await fill(store, [record(n) for n in range(total)])

    assert [key(n) for n in range(total)] == await scanned(store, text, chunk_rows=5)


@pytest.mark.parametrize("text", ["", "Pod Name:pod", "Namespace:shop", "Namespace:-,shop"])
async def test_a_scan_resumes_after_any_key(store: Store, text: str) -> None:
    """The key need not exist, nor its cluster."""
    await fill(store, [record(n, cluster=c) for n in (2, 4, 6) for c in (NORTH, EAST)])
    whole = await scanned(store, text)

    for cluster in (NO_CLUSTER, NORTH, SOUTH, EAST, b"\xff" * 16):
        for number in range(8):
            after = key(number, cluster)

            assert [each for each in whole if each > after] == await scanned(store, text, after=after)


@pytest.mark.parametrize("text", ["", "Pod Name:stays", 'Pod Name:"stays"', "Namespace:shop", "Deployment Type:Pod"])
async def test_what_stays_comes_exactly_once_whatever_else_happens(store: Store, text: str) -> None:
    """Pods are born, change and go between the chunks; those that match throughout come once, others at most once."""
    chance = random.Random(7)
    hand = await Hand.take(store)
    workload = {"owner": ("Pod", "x"), "deployment": 1}
    await hand.put(*(record(n, name="stays", **workload) for n in range(0, 300, 3)))

    seen: list[PodKey] = []
    async for chunk in store.reader(UNRESTRICTED).scan(query(text), chunk_rows=7):
        seen += map(key_of, chunk.messages)
        numbers = [chance.randrange(300) for _ in range(20)]
        await hand.remove(*(n for n in numbers if n % 3 == 1))
        await hand.put(
            *(record(n, name="comes", phase=str(chance.random()), **workload) for n in numbers if n % 3 == 1),
            *(record(n, name="stays", phase=str(chance.random()), **workload) for n in numbers if n % 3 == 0),
        )

    assert sorted(set(seen)) == seen
    assert {key(n) for n in range(0, 300, 3)} <= set(seen)


async def test_a_pod_that_changes_its_workload_stays_in_the_scan(store: Store) -> None:
    """It matches before and after, by another workload: no list of workloads may be kept over a scan."""
    hand = await Hand.take(store)
    await hand.put(*(record(n, deployment=1, owner=("Deployment", "cart-a")) for n in range(40)))

    seen: list[PodKey] = []
    async for chunk in store.reader(UNRESTRICTED).scan(query("Deployment:cart"), chunk_rows=10):
        seen += map(key_of, chunk.messages)
        await hand.put(*(record(n, deployment=2, owner=("Deployment", "cart-b")) for n in range(20, 40)))

    assert [key(n) for n in range(40)] == seen


async def test_each_message_is_one_committed_version(store: Store) -> None:
    """All fields of a message come from one batch."""
    hand = await Hand.take(store)
    await hand.put(*(record(n, name="v0", namespace="v0") for n in range(50)))

    async for chunk in store.reader(UNRESTRICTED).scan(Query(), chunk_rows=5):
        for message in chunk.messages:
            assert message.count(b"v0") in {0, 2}
            assert message.count(b"v1") in {0, 2}
        await hand.put(*(record(n, name="v1", namespace="v1") for n in range(50)))


async def test_stored_bytes_are_handed_over_as_they_are(store: Store) -> None:
    """Unknown fields too."""
    made = record(1)
    made.pod.MergeFromString(b"\xf8\x07\x2a")  # field 127
    await (await Hand.take(store)).put(made)

    message = await store.reader(UNRESTRICTED).get(key(1))

    assert message is not None
    assert b"\xf8\x07\x2a" in message
    assert [message] == [m async for chunk in store.reader(UNRESTRICTED).scan(Query()) for m in chunk.messages]
    assert (message,) == (await store.reader(UNRESTRICTED).page(Query(), _first_page())).messages


def _first_page() -> object:
    return window()


async def test_two_scans_go_their_own_ways(store: Store) -> None:
    """Nothing is shared between them, and nothing is held while one rests."""
    await fill(store, [record(n) for n in range(30)])
    one, two = (store.reader(UNRESTRICTED).scan(query("Namespace:shop"), chunk_rows=10) for _ in range(2))
    first = await anext(one)

    assert [key(n) for n in range(30)] == [key_of(m) async for chunk in two for m in chunk.messages]
    assert [key(n) for n in range(10, 30)] == [key_of(m) async for chunk in one for m in chunk.messages]
    assert key(9) == first.last


async def test_a_scan_gives_others_their_turn(store: Store) -> None:
    """A consumer that never waits does not stop the loop."""
    await fill(store, [record(n) for n in range(100)])
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count_turns())
    await scanned(store, chunk_rows=1)
    other.cancel()

    assert turns >= 100


async def test_a_pod_of_one_id_in_two_clusters_comes_twice(store: Store) -> None:
    """A restored clone reports the same uids."""
    await fill(store, [record(1, cluster=NORTH), record(1, cluster=SOUTH)])

    assert [PodKey(NORTH, pod_id(1)), PodKey(SOUTH, pod_id(1))] == await scanned(store)
