"""Counts: exact ones, counts that stop at a bound, and counts that cost nothing."""

from __future__ import annotations

import time

import pytest

from podledger.errors import DeadlineExceeded
from podledger.pods.identity import NO_CLUSTER
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import EVERYTHING, Query
from podledger.store.contract import Count, Store
from tests.fakes.store_pods import NORTH, SOUTH, Hand, counted, fill, found, query, record, scanned

TEXTS = [
    "",
    "Namespace:shop",
    "Namespace:shop,ops",
    "Namespace:-",
    "Namespace:!shop",
    "Cluster ID:*",
    "Pod Name:pod-00001",
    "Pod Name:%1",
    "Pod Name:r/[12]$",
    "Deployment:web",
    "Deployment:-",
    "Deployment:-,web-1",
    "Cluster:north",
    "Cluster:-",
    "Container Image Digest:sha256",
    'Container Image Digest:"sha256:2"',
    "Container Image Digest:-",
    "CVE:-",
    "CVE:*",
]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_count_is_the_number_of_pods_that_come(filled: Store, text: str) -> None:
    """In pages and in scans."""
    count = await counted(filled, text)

    assert Count(len(await scanned(filled, text)), exact=True) == count
    assert count.value == len(await found(filled, text))


@pytest.mark.parametrize("text", ["Pod Name:pod", "Deployment:-", "Container Image Digest:*", "Namespace:!x"])
async def test_a_count_stops_above_its_bound(store: Store, text: str) -> None:
    """N-1, N and N+1 pods. Where counting costs nothing it may go on and be exact."""
    hand = await Hand.take(store)
    for total in (9, 10, 11):
        await hand.put(*(record(n, digests=["a", "b"]) for n in range(total)))
        count = await counted(store, text, at_most=10)

        free = text.startswith("Namespace") and count.exact
        assert (Count(total, exact=True) if total <= 10 or free else Count(10, exact=False)) == count


async def test_without_conditions_a_count_is_exact_whatever_the_bound(filled: Store) -> None:
    """It costs nothing (pod-service 6.5)."""
    assert Count(108, exact=True) == await counted(filled, at_most=1)


async def test_a_bound_of_nothing_tells_whether_anything_matches(filled: Store) -> None:
    """Zero is a bound too."""
    assert Count(0, exact=False) == await counted(filled, "Pod Name:pod", at_most=0)
    assert Count(0, exact=True) == await counted(filled, "Pod Name:nobody", at_most=0)


async def test_unreachable_labels_alone_count_nothing(filled: Store) -> None:
    """Also with a bound."""
    assert Count(0, exact=True) == await filled.reader(UNRESTRICTED).count(Query(nothing=True), at_most=None)
    assert Count(0, exact=True) == await filled.reader(UNRESTRICTED).count(Query(nothing=True), at_most=5)


async def test_an_empty_store_counts_nothing(store: Store) -> None:
    """A cluster without pods too."""
    await Hand.take(store)

    assert Count(0, exact=True) == await counted(store)
    assert Count(0, exact=True) == await counted(store, "Namespace:shop")


@pytest.mark.parametrize("text", ["", "Namespace:shop", "Namespace:ops", "Pod Name:pod", "Cluster ID:-"])
async def test_counts_follow_every_change(store: Store, text: str) -> None:
    """The counters that answer alone stay what a walk counts: after births, moves, removals, revival."""
    north, loose = await Hand.take(store, NORTH), await Hand.take(store, NO_CLUSTER)

    async def same() -> None:
        assert len(await scanned(store, text)) == (await counted(store, text)).value

    await north.put(*(record(n) for n in range(10)))
    await loose.put(*(record(n, cluster=NO_CLUSTER) for n in range(5)))
    await same()
    await north.put(*(record(n, namespace="ops") for n in range(4)), record(0, namespace="ops"))
    await same()
    await north.remove(0, 1, 8, 8, 77)
    await same()
    await north.put(record(0), record(8, namespace="new"))
    await same()
    await north.remove(*range(10))
    await same()
    await store.remove_cluster(NORTH)
    await same()


async def test_a_count_has_a_deadline(filled: Store) -> None:
    """Passed or not, with conditions or without."""
    reader = filled.reader(UNRESTRICTED)
    for asked in (EVERYTHING, query("Pod Name:pod")):
        with pytest.raises(DeadlineExceeded):
            await reader.count(asked, at_most=None, deadline=time.monotonic() - 1)
        assert Count(108, exact=True) == await reader.count(asked, at_most=None, deadline=time.monotonic() + 60)


async def test_a_pod_of_one_id_counts_in_each_of_its_clusters(store: Store) -> None:
    """They are different pods."""
    await fill(store, [record(1, cluster=c) for c in (NORTH, SOUTH, NO_CLUSTER)])

    assert 3 == (await counted(store)).value
    assert 3 == (await counted(store, "Pod Name:pod-00001")).value
    assert 1 == (await counted(store, "Cluster ID:-")).value
