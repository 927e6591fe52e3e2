"""Versions of a pod as one change: the store must look as if it had seen them one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podledger.ingest.replaying import Replay
from podledger.ingest.sinking import LocalSink
from podledger.pods.from_kubernetes import Mapped, map_pod
from podledger.pods.identity import parse_uuid
from podledger.pods.objects import decode_pod
from podledger.pods.owners import Owners
from podledger.store.contract import Cluster, Removal, Upsert
from tests.fakes.holdings import contents, opened

CLUSTER = "11111111-1111-4111-8111-111111111111"
KEY = parse_uuid(CLUSTER)


def time(second: int) -> str:
    return f"2024-03-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z"


def ended(run: int) -> dict[str, Any]:
    return {
        "startedAt": time(run * 10),
        "finishedAt": time(run * 10 + 5),
        "exitCode": run % 3,
        "reason": "Error",
        "containerID": f"containerd://{run}",
    }


def status(name: str, step: int) -> dict[str, Any]:
    """A container that restarts for ever: it waits, runs and has ended in turn."""
    run, phase = divmod(step, 3)
    current = {
        "name": name,
        "imageID": f"x@sha256:{run:064d}",
        "lastState": {"terminated": ended(run - 1)} if run else {},
    }
    if phase == 0:
        dead = f"containerd://{run - 1}" if run else ""
        return {**current, "containerID": dead, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    state = {"running": {"startedAt": time(run * 10)}} if phase == 1 else {"terminated": ended(run)}
    return {**current, "containerID": f"containerd://{run}", "state": state}


def version(steps: tuple[int, int]) -> Mapped:
    found = {
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": str(sum(steps))},
        "spec": {"nodeName": "node"},
        "status": {"podIP": "10.0.0.1", "containerStatuses": [status("a", steps[0]), status("b", steps[1])]},
    }
    return map_pod(decode_pod(json.dumps(found).encode()), cluster_id=CLUSTER, owners=Owners(), mode="dedupe")


def replayed(versions: list[Mapped], *, gone: bool = False) -> Replay:
    replay = Replay(versions[0], gone and len(versions) == 1)
    for number, each in enumerate(versions[1:], start=2):
        replay.add(each, gone=gone and number == len(versions))
    return replay


async def told_at_once(path: str, versions: list[Mapped], *, gone: bool) -> None:
    async with opened(f"sqlite:///{path}") as store:
        await store.put_cluster(Cluster(KEY, "prod"))
        sink = await LocalSink.take(store, KEY)
        await sink.put(*replayed(versions, gone=gone).changes())
        await sink.flush()


async def told_one_by_one(path: str, versions: list[Mapped], *, gone: bool) -> None:
    async with opened(f"sqlite:///{path}") as store:
        await store.put_cluster(Cluster(KEY, "prod"))
        sink = await LocalSink.take(store, KEY)
        for each in versions:
            await sink.put(Upsert(each.record, each.content_hash, each.source_version))
            await sink.flush()
        if gone:
            await sink.put(Removal(parse_uuid(versions[-1].record.pod.id), "event", versions[-1].record))
            await sink.flush()


@pytest.mark.property
@settings(max_examples=15, deadline=None)
@given(
    strides=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4)), min_size=1, max_size=40),
    gone=st.booleans(),
)
async def test_one_change_leaves_what_all_versions_leave(
    strides: list[tuple[int, int]], gone: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Some versions are missed, some containers rest; runs beyond those that a pod shows are kept too."""
    folder, steps = tmp_path_factory.mktemp("replay"), (0, 0)
    versions = [version(steps := (steps[0] + a, steps[1] + b)) for a, b in strides]

    await told_at_once(f"{folder}/once.db", versions, gone=gone)
    await told_one_by_one(f"{folder}/each.db", versions, gone=gone)

    assert contents(folder / "each.db") == contents(folder / "once.db")


def test_a_single_version_carries_nothing() -> None:
    (change,) = replayed([version((5, 2))]).changes()

    assert isinstance(change, Upsert)
    assert change.carried == ()


def test_what_the_last_version_tells_itself_is_not_carried() -> None:
    """So the store can see that a repeated import changes nothing."""
    (change,) = replayed([version((2, 1)), version((2, 1))]).changes()

    assert isinstance(change, Upsert)
    assert change.carried == ()


def test_runs_of_overwritten_versions_are_carried_in_their_order() -> None:
    (change,) = replayed([version((step, 0)) for step in range(12)]).changes()

    assert isinstance(change, Upsert)
    assert [instance.instance_id.id for instance in change.carried] == ["0", "1", "2", "3"]


def test_a_pod_that_is_gone_is_removed_with_its_final_record() -> None:
    (change,) = replayed([version((5, 2))], gone=True).changes()

    assert isinstance(change, Removal)
    assert change.reason == "event"
    assert change.record is not None


def test_carried_runs_of_a_pod_that_is_gone_go_before_it() -> None:
    upsert, removal = replayed([version((2, 0)), version((8, 0))], gone=True).changes()

    assert isinstance(upsert, Upsert)
    assert isinstance(removal, Removal)
    assert parse_uuid(upsert.record.pod.id) == removal.pod
