"""The local sink: batches under the fence, in the order of what was put."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podledger.errors import Fenced, NotFound
from podledger.ingest.sinking import BATCH_CHANGES, LocalSink, Sunk
from podledger.pods.from_kubernetes import map_pod
from podledger.pods.identity import parse_uuid
from podledger.pods.objects import decode_pod
from podledger.pods.owners import Owners
from podledger.pods.workloads import Workload
from podledger.query import parsing
from podledger.query.paging import Paging
from podledger.query.scope import UNRESTRICTED
from podledger.store.contract import (
    Checkpoint,
    Cluster,
    NamespaceUpdate,
    OwnerMetadata,
    OwnerUpdate,
    Removal,
    Store,
    Upsert,
)
from tests.fakes.holdings import opened, pods, rows

CLUSTER = "11111111-1111-4111-8111-111111111111"
KEY = parse_uuid(CLUSTER)


async def taken(store: Store) -> LocalSink:
    await store.put_cluster(Cluster(KEY, "prod"))
    return await LocalSink.take(store, KEY)


def upsert(name: str, *, uid: str = "", deployment: str = "") -> Upsert:
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": deployment}
    metadata = {
        "name": name,
        "namespace": "shop",
        "uid": uid or name,
        "ownerReferences": [reference] if deployment else [],
    }
    mapped = map_pod(
        decode_pod(json.dumps({"metadata": metadata}).encode()), cluster_id=CLUSTER, owners=Owners(), mode="dedupe"
    )
    return Upsert(mapped.record, mapped.content_hash)


def removal(name: str) -> Removal:
    return Removal(parse_uuid(upsert(name).record.pod.id), "event")


async def test_changes_wait_for_a_batch_or_a_flush(store: Store) -> None:
    sink = await taken(store)
    for number in range(BATCH_CHANGES - 1):
        await sink.put(upsert(f"web-{number}"))

    assert await pods(store) == []

    await sink.put(upsert("last"))

    assert len(await pods(store)) == BATCH_CHANGES

    await sink.put(upsert("beyond"))
    await sink.flush()

    assert len(await pods(store)) == BATCH_CHANGES + 1
    assert Sunk(upserted=BATCH_CHANGES + 1) == sink.sunk


async def test_a_pod_that_comes_back_after_its_removal_stays(store: Store) -> None:
    sink = await taken(store)
    for change in (upsert("web"), removal("web"), upsert("web")):
        await sink.put(change)
    await sink.flush()

    assert [pod.name for pod in await pods(store)] == ["web"]
    assert (sink.sunk.upserted, sink.sunk.removed) == (1, 1)


async def test_changes_put_together_are_applied_together(store: Store) -> None:
    """Even where the first of them fills a batch: nobody sees the pod alive in between."""
    sink = await taken(store)
    for number in range(BATCH_CHANGES - 1):
        await sink.put(upsert(f"web-{number}"))

    await sink.put(upsert("gone"), removal("gone"))
    (status,) = await store.clusters()

    assert (status.revision, status.pods, status.tombstones) == (1, BATCH_CHANGES - 1, 1)


async def test_removals_do_not_hold_up_other_pods(store: Store) -> None:
    sink = await taken(store)
    for name in ("a", "b", "c"):
        await sink.put(removal(name))
        await sink.put(upsert(f"{name}-next"))
    await sink.flush()
    (status,) = await store.clusters()

    assert (status.revision, status.pods, status.tombstones) == (1, 3, 3)


async def test_an_owner_update_holds_for_the_pods_before_it_only(store: Store) -> None:
    sink = await taken(store)
    await sink.put(upsert("a", deployment=CLUSTER))
    await sink.put(OwnerUpdate(CLUSTER, "22222222-2222-4222-8222-222222222222", "Deployment", "web", "d"))
    await sink.put(upsert("b", deployment=CLUSTER))
    await sink.flush()

    found = {pod.name: pod.deployment_id for pod in await pods(store)}

    assert found == {"a": "22222222-2222-4222-8222-222222222222", "b": CLUSTER}


async def test_namespaces_go_with_the_batch(database: Path) -> None:
    async with opened(f"sqlite:///{database}") as store:
        sink = await taken(store)
        await sink.put(NamespaceUpdate(CLUSTER, "shop", {"team": "a"}))
        await sink.put(upsert("web"))
        await sink.flush()

    assert rows(database, "SELECT name FROM namespaces") == [("shop",)]


async def test_a_checkpoint_is_stored_even_without_changes(store: Store) -> None:
    sink = await taken(store)

    await sink.flush(Checkpoint(versions={"pods": "7"}))

    assert (await store.checkpoint(KEY)).versions == {"pods": "7"}


async def test_a_later_writer_ends_the_earlier_one(store: Store) -> None:
    first = await taken(store)
    second = await LocalSink.take(store, KEY)
    await first.put(upsert("old"))
    await second.put(upsert("new"))
    await second.flush()

    with pytest.raises(Fenced):
        await first.flush()

    assert [pod.name for pod in await pods(store)] == ["new"]


async def test_a_cluster_must_be_registered(store: Store) -> None:
    with pytest.raises(NotFound):
        await LocalSink.take(store, KEY)


async def test_metadata_of_workloads_joins_any_batch(store: Store) -> None:
    """Its place among pods does not matter, so it must not part their batches."""
    sink = await taken(store)
    for number in range(3):
        await sink.put(upsert(f"web-{number}"))
        await sink.put(OwnerMetadata(CLUSTER))

    assert await pods(store) == []
    await sink.flush()
    assert len(await pods(store)) == 3


async def test_a_pod_does_not_overtake_the_told_workload_before_it(store: Store) -> None:
    """In one batch a told row comes last, and a pod that comes later derives another one."""
    sink = await taken(store)
    await sink.put(Workload(KEY, "told", "Deployment", "shop", None, "north"))
    await sink.put(OwnerMetadata(CLUSTER))
    await sink.put(upsert("web", deployment=CLUSTER))
    await sink.flush()

    page = await store.reader(UNRESTRICTED).page(parsing.parse("Deployment Type:ReplicaSet", now=0), Paging(1, 0, ()))
    assert len(page.messages) == 1
