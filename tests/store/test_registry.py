"""Clusters: registering, renaming, removing."""

from __future__ import annotations

import asyncio

import pytest

from podledger.errors import AlreadyExists, DomainError, Fenced, NotFound
from podledger.pods.identity import NO_CLUSTER
from podledger.store.contract import Checkpoint, Cluster, ClusterStatus, Store
from tests.fakes.store_engines import START, Engine
from tests.fakes.store_pods import NORTH, SOUTH, Hand, counted, fill, found, instance, key, record, scanned


async def names(store: Store) -> list[str]:
    return [one.cluster.name for one in await store.clusters()]


async def test_a_new_cluster_is_empty(store: Store) -> None:
    """Nobody has written to it yet."""
    cluster = Cluster(NORTH, "north", {"region": "eu"}, demo=True)
    await store.put_cluster(cluster)

    assert [ClusterStatus(cluster, 0, 0, 0, 0, None, None)] == await store.clusters()


async def test_clusters_come_by_name_bytewise(store: Store) -> None:
    """Names beyond ASCII behind all others."""
    texts = ["b", "B", "", "é", "a", "😀", "～"]
    for number, name in enumerate(texts):
        await store.put_cluster(Cluster(bytes([number + 1]) * 16, name))

    assert sorted(texts, key=str.encode) == await names(store)


async def test_a_name_belongs_to_one_cluster(store: Store) -> None:
    """Whoever comes second is refused and nothing changes; a name that was given up is free."""
    await store.put_cluster(Cluster(NORTH, "a"))
    await store.put_cluster(Cluster(SOUTH, "b"))
    for taken in (Cluster(SOUTH, "a"), Cluster(b"\x01" * 16, "a")):
        with pytest.raises(AlreadyExists, match=r"^another cluster has the name a: choose another name$"):
            await store.put_cluster(taken)
    assert ["a", "b"] == await names(store)

    await store.put_cluster(Cluster(NORTH, "c"))
    await store.put_cluster(Cluster(SOUTH, "a"))

    assert [("a", SOUTH), ("c", NORTH)] == [(one.cluster.name, one.cluster.id) for one in await store.clusters()]


async def test_registering_again_changes_name_labels_and_mark(store: Store) -> None:
    """Pods, fence and counters stay."""
    hand = (await fill(store, [record(1)]))[NORTH]
    await store.put_cluster(Cluster(NORTH, "renamed", {"a": "b"}, demo=True))

    (one,) = await store.clusters()
    assert (Cluster(NORTH, "renamed", {"a": "b"}, demo=True), 1, 1) == (one.cluster, one.pods, one.revision)
    assert 1 == (await hand.put(record(1))).unchanged


async def test_workloads_take_the_new_name_of_their_cluster(store: Store) -> None:
    """At once; those of other clusters stay, and pods that come later have it too."""
    hands = await fill(store, [record(1, deployment=1), record(2, cluster=SOUTH, deployment=1)])
    await store.put_cluster(Cluster(NORTH, "renamed"))
    await hands[NORTH].put(record(3, deployment=2))

    assert [1, 3] == await found(store, "Cluster:renamed")
    assert [] == await found(store, "Cluster:north")
    assert [2] == await found(store, "Cluster:south")


async def test_labels_of_a_cluster_are_those_last_told(store: Store) -> None:
    """Searched through workload and namespace."""
    await store.put_cluster(Cluster(NORTH, "north", {"tier": "gold"}))
    await store.put_cluster(Cluster(NORTH, "north", {}))

    assert [{}] == [dict(one.cluster.labels) for one in await store.clusters()]


async def test_a_removed_cluster_takes_everything_along(store: Store) -> None:
    """Pods, workloads, tombstones, checkpoint; other clusters keep theirs."""
    finished = instance("app", "r1", started=1, finished=2)
    hands = await fill(
        store,
        [record(n, cluster=c, deployment=1, digests=["a"], live=[finished]) for c in (NORTH, SOUTH) for n in (1, 2)],
    )
    await hands[NORTH].remove(2)
    await hands[NORTH].apply(checkpoint=Checkpoint(b"e", 1))
    await store.remove_cluster(NORTH)

    assert ["south"] == await names(store)
    assert [key(1, SOUTH), key(2, SOUTH)] == await scanned(store) == await scanned(store, "Container Image Digest:a")
    assert [] == await found(store, "Cluster:north")
    assert 2 == (await counted(store)).value == (await counted(store, "Namespace:shop")).value
    assert Checkpoint() == await store.checkpoint(NORTH)
    with pytest.raises(NotFound):
        await store.take(NORTH, b"")


async def test_a_cluster_that_comes_back_begins_anew(store: Store, engine: Engine) -> None:
    """First sights, runs, revision: nothing is remembered but the fence."""
    finished = instance("app", "r1", started=1, finished=2)
    hands = await fill(store, [record(1, live=[finished]), record(2, live=[finished])])
    await hands[NORTH].remove(2)
    await store.remove_cluster(NORTH)
    engine.clock.pass_seconds(5)

    hand = await Hand.take(store)
    assert 1 == (await hand.put(record(1), record(2))).revision

    assert [] == engine.runs(store, NORTH)
    assert {(START + 5_000_000,) * 2} == set(engine.sightings(store, NORTH).values())
    assert {} == engine.graves(store, NORTH)


async def test_a_large_cluster_is_removed_whole(store: Store) -> None:
    """In more steps than one, beside other writes."""
    hands = await fill(store, [record(n, digests=["a"]) for n in range(2500)] + [record(1, cluster=SOUTH)])
    await hands[NORTH].remove(*range(1200))

    await asyncio.gather(store.remove_cluster(NORTH), hands[SOUTH].put(record(2, cluster=SOUTH)))

    assert [key(1, SOUTH), key(2, SOUTH)] == await scanned(store)
    assert 2 == (await counted(store)).value


async def test_a_writer_stops_when_its_cluster_is_removed(store: Store) -> None:
    """Whatever it sends meanwhile, nothing of it is left."""
    hand = (await fill(store, [record(n) for n in range(1500)]))[NORTH]

    async def write_on() -> None:
        for number in range(5000, 10_000):
            await hand.put(record(number))
            await asyncio.sleep(0)

    writer = asyncio.ensure_future(write_on())
    await asyncio.sleep(0.01)
    await store.remove_cluster(NORTH)

    with pytest.raises((Fenced, NotFound)):
        await writer
    assert [] == await scanned(store)
    assert [] == await store.clusters()


async def test_an_unknown_cluster_is_removed_without_error(store: Store) -> None:
    """And nothing else happens."""
    await fill(store, [record(1)])
    await store.remove_cluster(SOUTH)
    await store.remove_cluster(SOUTH)

    assert [key(1)] == await scanned(store)


async def test_pods_of_no_cluster_can_be_removed_as_one(store: Store) -> None:
    """They form no cluster in the list."""
    await fill(store, [record(1), record(2, cluster=NO_CLUSTER)])
    await store.remove_cluster(NO_CLUSTER)

    assert [key(1)] == await scanned(store)
    assert ["north"] == await names(store)


async def test_a_refused_name_leaves_a_cluster_as_it_is(store: Store) -> None:
    """Its workloads too."""
    await fill(store, [record(1, deployment=1), record(2, cluster=SOUTH)])
    with pytest.raises(DomainError):
        await store.put_cluster(Cluster(NORTH, "south"))

    assert [1] == await found(store, "Cluster:north")
