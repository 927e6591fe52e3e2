"""The demo fleet in a store: loaded once, marked, with its history, removable."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from podledger.errors import BadInput
from podledger.ingest.demo import load_demo, remove_demo
from podledger.ingest.sinking import LocalSink
from podledger.pods.identity import parse_uuid
from podledger.store.contract import Checkpoint, Cluster, Store
from tests.fakes.holdings import contents, messages, opened, pods, rows

REAL = Cluster(parse_uuid("11111111-1111-4111-8111-111111111111"), "production")


async def test_the_demo_is_three_marked_clusters(store: Store) -> None:
    await load_demo(store)

    statuses = await store.clusters()

    assert [(status.cluster.name, status.pods, status.tombstones) for status in statuses] == [
        ("prod-eu", 23, 2),
        ("prod-us", 24, 1),
        ("staging", 13, 3),
    ]
    assert all(status.cluster.demo for status in statuses)


async def test_a_second_load_changes_nothing(store: Store) -> None:
    await load_demo(store)
    before = await store.clusters(), await messages(store)

    await load_demo(store)

    assert before == (await store.clusters(), await messages(store))


async def test_every_workload_of_the_demo_is_resolved(database: Path) -> None:
    async with opened(f"sqlite:///{database}") as store:
        await load_demo(store)
    kinds = dict(rows(database, "SELECT type, count(*) FROM workloads GROUP BY type"))

    assert kinds == {"CronJob": 3, "DaemonSet": 6, "Deployment": 12, "Pod": 1, "StatefulSet": 2, "StaticPods": 6}


async def test_the_crash_loop_left_its_runs(store: Store) -> None:
    await load_demo(store)
    killed = [
        instance
        for pod in await pods(store)
        for bucket in pod.terminated_instances
        for instance in bucket.instances
        if instance.termination_reason == "OOMKilled"
    ]

    assert [instance.exit_code for instance in killed] == [137] * 5
    assert len({instance.instance_id.id for instance in killed}) == 5
    assert all(instance.image_digest and instance.container_ips for instance in killed)


async def test_a_digest_runs_in_every_cluster(store: Store) -> None:
    await load_demo(store)
    clusters: dict[str, set[str]] = {}
    for pod in await pods(store):
        for instance in pod.live_instances:
            clusters.setdefault(instance.image_digest, set()).add(pod.cluster_id)

    assert max(map(len, clusters.values())) == 3


async def test_another_fleet_takes_the_place_of_the_demo(store: Store) -> None:
    await load_demo(store)
    await load_demo(store, pods=300, seed=2)

    statuses = await store.clusters()

    assert 300 == sum(status.pods for status in statuses) == len(await pods(store))
    assert len(statuses) == 3


async def test_a_load_that_was_cut_begins_anew(store: Store) -> None:
    """A cluster without the mark of a complete load is loaded again."""
    await load_demo(store)
    expected = await messages(store)
    first = (await store.clusters())[0].cluster.id
    sink = await LocalSink.take(store, first)
    await sink.flush(Checkpoint())

    await load_demo(store)

    assert expected == await messages(store)
    assert (await store.checkpoint(first)).versions == {"demo": "seed 1, story"}


@pytest.mark.parametrize("mode", ["dedupe", "stackrox"])
async def test_the_demo_loads_in_both_modes(mode: str) -> None:
    async with opened("memory:", merge_mode=mode) as store:
        await load_demo(store, merge_mode=mode)  # type: ignore[arg-type]

        assert len(await pods(store)) == 60


async def test_real_clusters_keep_the_demo_out(store: Store) -> None:
    await store.put_cluster(REAL)

    with pytest.raises(BadInput, match=r'^the store holds real clusters \("production"\)'):
        await load_demo(store)

    assert [status.cluster.name for status in await store.clusters()] == ["production"]


async def test_removing_the_demo_leaves_real_clusters(store: Store) -> None:
    await load_demo(store)
    await store.put_cluster(REAL)

    await remove_demo(store)
    await remove_demo(store)

    assert [status.cluster.name for status in await store.clusters()] == ["production"]
    assert await pods(store) == []


async def test_nothing_of_the_demo_is_left_in_the_file(database: Path) -> None:
    async with opened(f"sqlite:///{database}") as store:
        await load_demo(store)
        await remove_demo(store)

    assert not any(contents(database).values())


async def test_phases_of_the_demo_are_in_the_side_data(database: Path) -> None:
    async with opened(f"sqlite:///{database}") as store:
        await load_demo(store)
    reasons = Counter(reason for (reason,) in rows(database, "SELECT reason FROM tombstones"))

    assert reasons == {"event": 6}
