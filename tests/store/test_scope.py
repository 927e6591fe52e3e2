"""Scope: what a caller may not see is not there, for pages, scans, counts and single pods (pod-service 9.3)."""

from __future__ import annotations

import pytest

from podledger.pods.identity import NO_CLUSTER, PodKey
from podledger.query.scope import UNRESTRICTED, Scope
from podledger.query.syntax import Query
from podledger.store.contract import Count, Store
from tests.fakes.store_pods import (
    EAST,
    NORTH,
    SOUTH,
    counted,
    fill,
    key,
    key_of,
    number_of,
    pod_id,
    query,
    record,
    scanned,
    window,
)

SHOP, OPS = frozenset({"shop"}), frozenset({"ops"})

SCOPES = {
    "everything": UNRESTRICTED,
    "nothing": Scope(),
    "a cluster": Scope(clusters={NORTH: None}),
    "two clusters": Scope(clusters={SOUTH: None, NORTH: None}),
    "a namespace": Scope(clusters={NORTH: SHOP}),
    "a cluster and a namespace": Scope(clusters={NORTH: OPS, SOUTH: None}),
    "other letter case": Scope(clusters={NORTH: frozenset({"Shop", "shop "})}),
    "no names": Scope(clusters={NORTH: frozenset()}),
    "the empty namespace": Scope(clusters={NORTH: frozenset({""})}),
    "an unknown cluster": Scope(clusters={EAST: None, b"\xff" * 16: SHOP}),
    "no cluster": Scope(clusters={NO_CLUSTER: None}),
    "no cluster, a namespace": Scope(clusters={NO_CLUSTER: SHOP, NORTH: SHOP}),
    "many names": Scope(clusters={NORTH: frozenset({f"n{n}" for n in range(5000)} | {"shop"})}),
    "everything, and names too": Scope(everything=True, clusters={NORTH: SHOP}),
}
TEXTS = [
    "",
    "Pod Name:pod",
    'Pod Name:"pod-00001"',
    "Namespace:shop",
    "Namespace:!shop",
    "Cluster ID:*",
    "Cluster ID:-",
    "Deployment:web",
    "Deployment:-",
    "Cluster:north",
    "Cluster:-",
    "Container Image Digest:a",
    "CVE:-",
]
PLACES = [
    (cluster, namespace)
    for cluster in (NO_CLUSTER, NORTH, SOUTH)
    for namespace in ("shop", "ops", "Shop", "")
    for _ in range(2)
]


@pytest.fixture
async def placed(store: Store) -> Store:
    """Two pods in each namespace of each cluster: one with a workload and a digest, one without."""
    pods = []
    for number, (cluster, namespace) in enumerate(PLACES):
        tied = {"deployment": 1 + number % 3, "owner": ("Deployment", "web"), "digests": ["ab"]} if number % 2 else {}
        pods.append(record(number, cluster=cluster, namespace=namespace, **tied))
    await fill(store, pods)
    return store


def visible(scope: Scope, keys: list[PodKey]) -> list[PodKey]:
    """By the rule of pod-service 9.3."""
    return [
        each
        for each in keys
        if scope.everything
        or (
            each.cluster != NO_CLUSTER and each.cluster in scope.clusters and _named(scope.clusters[each.cluster], each)
        )
    ]


def _named(names: frozenset[str] | None, each: PodKey) -> bool:
    return names is None or PLACES[int.from_bytes(each.pod[-4:], "big")][1] in names


@pytest.mark.parametrize("name", SCOPES)
async def test_a_scan_shows_what_lies_in_the_scope(placed: Store, name: str) -> None:
    """Every query, as if the other pods did not exist."""
    for text in TEXTS:
        expected = visible(SCOPES[name], await scanned(placed, text))
        assert (text, expected) == (text, await scanned(placed, text, scope=SCOPES[name], chunk_rows=2))


@pytest.mark.parametrize("name", SCOPES)
async def test_a_page_is_cut_after_the_scope(placed: Store, name: str) -> None:
    """So pages are full, and `more` does not tell of what is hidden (pod-service 6.3)."""
    for text in TEXTS:
        expected = [each.pod for each in visible(SCOPES[name], await scanned(placed, text))]
        page = await placed.reader(SCOPES[name]).page(query(text), window(3, 0, "Pod ID"))
        assert (text, sorted(expected)[:3]) == (text, [key_of(message).pod for message in page.messages])
        assert (text, len(expected) > 3) == (text, page.more)


@pytest.mark.parametrize("name", SCOPES)
async def test_a_count_counts_what_lies_in_the_scope(placed: Store, name: str) -> None:
    """With a bound and without."""
    for text in TEXTS:
        expected = len(visible(SCOPES[name], await scanned(placed, text)))
        assert (text, Count(expected, exact=True)) == (text, await counted(placed, text, scope=SCOPES[name]))
        assert (text, min(expected, 2)) == (
            text,
            min((await counted(placed, text, scope=SCOPES[name], at_most=2)).value, 2),
        )


@pytest.mark.parametrize("name", SCOPES)
async def test_a_pod_out_of_scope_is_not_found(placed: Store, name: str) -> None:
    """No error: it looks as if it did not exist."""
    reader = placed.reader(SCOPES[name])
    keys = [key(number, cluster) for number, (cluster, _) in enumerate(PLACES)]

    got = [each for each in keys if await reader.get(each) is not None]

    assert visible(SCOPES[name], keys) == got


@pytest.mark.parametrize("name", ["a cluster", "a cluster and a namespace", "two clusters"])
async def test_a_scan_resumes_within_its_scope(placed: Store, name: str) -> None:
    """After keys inside the scope, outside it, and of no cluster at all."""
    whole = await scanned(placed, scope=SCOPES[name])

    for cluster in (NO_CLUSTER, NORTH, SOUTH, EAST):
        for number in (0, 9, 20):
            after = PodKey(cluster, pod_id(number))
            assert [each for each in whole if each > after] == await scanned(placed, scope=SCOPES[name], after=after)


async def test_a_scope_looks_at_the_pod_alone(store: Store) -> None:
    """Not at its workload, whose row may lie in another cluster or be missing."""
    await fill(
        store,
        [
            record(1, cluster=NORTH, deployment=1, owner=("Deployment", "web")),
            record(2, cluster=NO_CLUSTER, deployment=1, owner=("Deployment", "web")),
            record(3, cluster=NORTH),
        ],
    )
    scope = Scope(clusters={NORTH: None})

    assert [key(1)] == await scanned(store, "Deployment:web", scope=scope)
    assert [key(3)] == await scanned(store, "Deployment:-", scope=scope)


async def test_a_scope_does_not_change_what_is_joined(store: Store) -> None:
    """Rows out of scope still answer conditions of pods in scope: only pods are hidden."""
    await fill(
        store,
        [
            record(1, cluster=NORTH, deployment=1),
            record(2, cluster=NO_CLUSTER, deployment=1, owner=("Deployment", "loose")),
        ],
    )

    assert [key(1)] == await scanned(store, "Deployment:loose", scope=Scope(clusters={NORTH: None}))


async def test_a_query_without_results_stays_without_in_any_scope(placed: Store) -> None:
    """The filter does not make an empty query of it."""
    for scope in SCOPES.values():
        assert [] == await scanned(placed, Query(nothing=True), scope=scope)
        assert Count(0, exact=True) == await placed.reader(scope).count(Query(nothing=True), at_most=None)


async def test_a_sort_key_stays_inside_the_scope(placed: Store) -> None:
    """Joined tables too."""
    page = await placed.reader(SCOPES["a namespace"]).page(Query(), window(10, 0, "-Deployment Type"))

    assert [9] == [number_of(message) for message in page.messages]
