"""Pages: order, ties, NULLs, windows, and what a sort key joins."""

from __future__ import annotations

from itertools import pairwise

import pytest

from podledger.pods.identity import NO_CLUSTER
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import Query
from podledger.store.contract import Store
from tests.fakes.store_pods import EAST, NORTH, SOUTH, Hand, fill, found, key, key_of, number_of, query, record, window

SIZES = [1, 5, 16, 53, 54, 100, 500, 501]


async def keys(store: Store, text: str = "", *sort: str) -> list[object]:
    page = await store.reader(UNRESTRICTED).page(query(text), window(1000, 0, *sort))
    return [key_of(message) for message in page.messages]


async def windowed(store: Store, text: str, size: int, *sort: str) -> list[int]:
    """All pages of a size, one behind the other; each is full but the last, and `more` tells which one that is."""
    numbers: list[int] = []
    more = True
    while more:
        page = await store.reader(UNRESTRICTED).page(query(text), window(size, len(numbers), *sort))
        assert len(page.messages) == size or not page.more
        numbers += map(number_of, page.messages)
        more = page.more
    return numbers


# ---------------------------------------------------------------------------------------------- order


async def test_without_a_sort_key_pods_come_by_deployment_id(store: Store) -> None:
    """Then by pod id; those without a deployment id last (pod-service 6.2)."""
    await fill(store, [record(n, deployment=d) for n, d in enumerate([2, 0, 1, 2, 1, 0])])

    assert [2, 4, 0, 3, 1, 5] == await found(store)


@pytest.mark.parametrize("text", ["", "Namespace:shop", "Pod Name:pod"])
async def test_the_reverse_keeps_nulls_and_ties_in_place(store: Store, text: str) -> None:
    """NULLs stay last, and the pod id goes up in both directions."""
    await fill(store, [record(n, deployment=d) for n, d in enumerate([2, 0, 1, 2, 1, 0])])

    assert [0, 3, 2, 4, 1, 5] == await found(store, text, "-Deployment ID")


@pytest.mark.parametrize("sort", ["Deployment ID", "Pod Name", "-Pod Name", "Namespace", "Pod ID"])
async def test_pods_of_one_id_come_by_cluster_id(store: Store, sort: str) -> None:
    """The one without a cluster comes last."""
    pods = [record(1, cluster=c, name="same", deployment=1) for c in (SOUTH, NO_CLUSTER, EAST, NORTH)]
    await fill(store, [*pods])

    assert [key(1, c) for c in (NORTH, SOUTH, EAST, NO_CLUSTER)] == await keys(store, "", sort)


async def test_a_cluster_id_sorts_null_last_both_ways(store: Store) -> None:
    """The key of a pod without a cluster has zeros, which must not come first."""
    await fill(store, [record(n, cluster=c) for n, c in enumerate([NO_CLUSTER, SOUTH, NORTH])])

    assert [2, 1, 0] == await found(store, "", "Cluster ID")
    assert [1, 2, 0] == await found(store, "", "-Cluster ID")


async def test_text_sorts_bytewise(store: Store) -> None:
    """Capitals before small letters, letters beyond ASCII behind them, the empty text first."""
    names = ["b", "B", "", "é", "a", "日", "e\u0301", "Z", "😀", "～"]
    await fill(store, [record(n, name=name) for n, name in enumerate(names)])

    ordered = sorted(names, key=str.encode)
    assert ordered == [names[n] for n in await found(store, "", "Pod Name")]
    assert ordered[::-1] == [names[n] for n in await found(store, "Pod Name:*", "-Pod Name")]


async def test_several_keys_count_one_after_the_other(store: Store) -> None:
    """Each in its own direction."""
    pods = [record(n, namespace=namespace, name=name) for n, (namespace, name) in enumerate(["ax", "by", "ay", "bx"])]
    await fill(store, pods)

    assert [2, 0, 1, 3] == await found(store, "", "Namespace", "-Pod Name")
    assert [3, 1, 0, 2] == await found(store, "", "-Namespace", "Pod Name")


# ------------------------------------------------------------------------------- joined and child columns


async def test_sorting_by_a_workload_column_drops_pods_without_the_row(store: Store) -> None:
    """An inner join (pod-service 5.2)."""
    await fill(
        store,
        [
            record(1, deployment=1, owner=("Deployment", "web")),
            record(2),
            record(3, deployment=2, owner=("DaemonSet", "agent")),
        ],
    )

    assert [3, 1] == await found(store, "", "Deployment")
    assert [1, 3] == await found(store, "", "-Deployment")
    assert [3, 1] == await found(store, "", "Deployment Type")


async def test_a_dash_keeps_the_pods_that_a_sort_key_would_drop(store: Store) -> None:
    """The join becomes a left one, and NULL comes last."""
    await fill(store, [record(1), record(2, deployment=1, owner=("Deployment", "web"))])

    assert [2, 1] == await found(store, "Deployment:-,web", "Deployment")
    assert [1] == await found(store, "Deployment:-", "-Deployment")


async def test_a_child_column_sorts_by_the_smallest_or_largest_row(store: Store) -> None:
    """Ascending the smallest, descending the largest; a pod without child rows drops out (pod-service 6.2)."""
    await fill(
        store, [record(1, digests=["b", "y"]), record(2, digests=["a", "z"]), record(3), record(4, digests=["m"])]
    )

    assert [2, 1, 4] == await found(store, "", "Container Image Digest")
    assert [2, 1, 4] == await found(store, "", "-Container Image Digest")


async def test_only_child_rows_that_satisfy_the_conditions_are_sorted_by(store: Store) -> None:
    """`x…` alone counts, whatever else the pod has."""
    await fill(store, [record(1, digests=["a", "x2"]), record(2, digests=["x1", "x9"]), record(3, digests=["z"])])

    assert [2, 1] == await found(store, "Container Image Digest:x", "Container Image Digest")
    assert [2, 1] == await found(store, "Container Image Digest:x", "-Container Image Digest")
    assert [1, 2] == await found(store, 'Container Image Digest:"x1","x2"', "-Container Image Digest")


async def test_two_spellings_of_a_child_label_hold_for_one_row(store: Store) -> None:
    """So pod 1, whose rows share them out, does not match."""
    await fill(store, [record(1, digests=["ab", "cd"]), record(2, digests=["ad"])])

    assert [2] == await found(store, "Container Image Digest:a+container image digest:%d")


async def test_a_pod_comes_once_however_many_rows_match(store: Store) -> None:
    """Children, and workload rows of several clusters that a pod of no cluster joins."""
    await fill(
        store,
        [
            record(1, digests=["a", "a", "ab"]),
            *(record(2, cluster=c, deployment=1, owner=("Deployment", "web")) for c in (NORTH, SOUTH)),
            record(3, cluster=NO_CLUSTER, deployment=1, owner=("Deployment", "web")),
        ],
    )

    assert [1] == await found(store, "Container Image Digest:a", "Container Image Digest")
    assert [2, 2, 3] == await found(store, "Deployment:web", "Deployment Type")


@pytest.mark.parametrize("text", ["Cluster:r/^$", "Cluster:!north", 'Cluster:!"north"'])
async def test_a_pod_joins_the_workload_of_no_cluster_too(store: Store, text: str) -> None:
    """Whose cluster name is empty, whatever the cluster of the pod is called."""
    await fill(store, [record(n, cluster=c, deployment=1) for n, c in ((1, NORTH), (2, NO_CLUSTER))])
    await fill(store, [record(3, deployment=2)])

    assert [1, 2] == await found(store, text)
    assert 2 == (await store.reader(UNRESTRICTED).count(query(text), at_most=None)).value
    assert [1, 2] == sorted(
        [number_of(m) async for c in store.reader(UNRESTRICTED).scan(query(text)) for m in c.messages]
    )


async def test_a_column_that_nothing_tells_drops_every_pod_unless_nullable(store: Store) -> None:
    """A table that is not held is empty; of a table that is held, the column is NULL (pod-service 5.9)."""
    await fill(store, [record(1, deployment=1, owner=("Deployment", "web")), record(2)])

    assert [] == await found(store, "", "CVE")
    assert [1, 2] == await found(store, "CVE:-", "CVE")
    assert [1] == await found(store, "", "Service Account")


# --------------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize("text", ["", "Namespace:shop", "Pod Name:pod"])
@pytest.mark.parametrize(("limit", "more"), [(9, True), (10, False), (11, False)])
async def test_more_tells_whether_a_pod_follows(store: Store, limit: int, more: bool, text: str) -> None:
    """Ten pods in windows of N-1, N and N+1."""
    await fill(store, [record(n) for n in range(10)])

    page = await store.reader(UNRESTRICTED).page(query(text), window(limit))

    assert (min(limit, 10), more) == (len(page.messages), page.more)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("text", "sort"),
    [("", ()), ("Namespace:shop", ("-Pod Name",)), ("Deployment:-", ("Namespace", "-Cluster ID"))],
    ids=["plain", "filtered", "joined"],
)
async def test_pages_of_every_size_make_the_same_list(
    filled: Store, size: int, text: str, sort: tuple[str, ...]
) -> None:
    """No pod is skipped, none comes twice."""
    whole = await found(filled, text, *sort)

    assert whole
    assert whole == await windowed(filled, text, size, *sort)


@pytest.mark.parametrize("sort", ["Pod Name", "-Pod Name", "Deployment ID", "Cluster", "-Container Image Digest"])
async def test_every_order_is_one_list_at_any_offset(filled: Store, sort: str) -> None:
    """Single pods one after the other, against the whole."""
    whole = await found(filled, "", sort)
    pages = [await filled.reader(UNRESTRICTED).page(Query(), window(1, n, sort)) for n in range(len(whole) + 1)]

    assert [*whole, None] == [number_of(page.messages[0]) if page.messages else None for page in pages]


@pytest.mark.parametrize("text", ["", "Namespace:shop", "Pod Name:pod-00001"])
async def test_an_offset_beyond_the_end_gives_nothing(filled: Store, text: str) -> None:
    """And no error."""
    for offset in (108, 109, 10_000, 2**31 - 1):
        page = await filled.reader(UNRESTRICTED).page(query(text), window(10, offset))

        assert ((), False) == (page.messages, page.more)


async def test_a_query_of_unreachable_labels_finds_nothing(filled: Store) -> None:
    """Neither does a page nor its rest (pod-service 5.1)."""
    page = await filled.reader(UNRESTRICTED).page(Query(nothing=True), window())

    assert ((), False) == (page.messages, page.more)


async def test_an_unchanged_store_gives_the_same_page_again(filled: Store) -> None:
    """Also to another reader, and after other reads."""
    first = [await found(filled, "Namespace:shop", sort) for sort in ("Pod Name", "-Pod ID")]
    await found(filled, "Pod Name:x", "Cluster")

    assert first == [await found(filled, "Namespace:shop", sort) for sort in ("Pod Name", "-Pod ID")]


async def test_pages_between_writes_are_ordered_each_for_itself(store: Store) -> None:
    """A pod that moves between two pages spoils neither."""
    hand = await Hand.take(store)
    await hand.put(*(record(n, name=f"{n:02}") for n in range(20)))

    first = await store.reader(UNRESTRICTED).page(Query(), window(10, 0, "Pod Name"))
    await hand.put(record(0, name="99"))
    second = await store.reader(UNRESTRICTED).page(Query(), window(10, 10, "Pod Name"))

    assert [*range(10)] == [number_of(m) for m in first.messages]
    assert [*range(11, 20), 0] == [number_of(m) for m in second.messages]
    assert all(left < right for left, right in pairwise(number_of(m) for m in first.messages))
