"""Batches: what they write, all of it or nothing, once however often they come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from podledger.errors import DomainError, Fenced, InvariantViolated, NotFound
from podledger.pods.identity import NO_CLUSTER, parse_uuid, uuid_text
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import Query
from podledger.store.contract import (
    Applied,
    Batch,
    Checkpoint,
    Cluster,
    ClusterStatus,
    NamespaceUpdate,
    OwnerUpdate,
    Removal,
    Store,
    Upsert,
)
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, LastTerminated
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.store_engines import START, Clock, Engine
from tests.fakes.store_pods import (
    NORTH,
    SOUTH,
    Hand,
    content_hash,
    counted,
    deployment_id,
    found,
    instance,
    key,
    key_of,
    number_of,
    pod_id,
    record,
    scanned,
    served,
    upsert,
    window,
)

NAMESPACE_1, NAMESPACE_2 = "f1000000-0000-4000-8000-000000000000", "f2000000-0000-4000-8000-000000000000"


async def status(store: Store, cluster: bytes = NORTH) -> ClusterStatus:
    return next(one for one in await store.clusters() if one.cluster.id == cluster)


async def everything(store: Store) -> list[bytes]:
    return [message async for chunk in store.reader(UNRESTRICTED).scan(Query()) for message in chunk.messages]


def runs_shown(pod: Pod | None) -> list[str]:
    assert pod is not None
    return [run.instance_id.id for bucket in pod.terminated_instances for run in bucket.instances]


def finished(run: str, *, at: int = 100) -> Any:
    return instance("app", run, started=at - 50, finished=at)


# ---------------------------------------------------------------------------------------------- fence


async def test_without_the_fence_nothing_is_written(store: Store) -> None:
    """Neither pods nor checkpoint; of a cluster that nobody took, and of one that somebody else took."""
    await store.put_cluster(Cluster(NORTH, "north"))
    batch = Batch(NORTH, 1, upserts=(upsert(record(1)),), checkpoint=Checkpoint(b"e", 7))
    with pytest.raises(Fenced):
        await store.apply(batch)
    await store.take(NORTH, b"one")
    await store.take(NORTH, b"two")
    with pytest.raises(Fenced):
        await store.apply(batch)

    assert [] == await everything(store)
    assert Checkpoint() == await store.checkpoint(NORTH)
    assert (0, None) == ((await status(store)).revision, (await status(store)).first_seen)


async def test_taking_a_cluster_raises_its_fence_alone(store: Store) -> None:
    """The holder of another cluster stays in office."""
    north, south = await Hand.take(store, NORTH), await Hand.take(store, SOUTH)
    again = await Hand.take(store, NORTH)

    assert again.fence > north.fence
    assert 1 == (await south.put(record(1, cluster=SOUTH))).upserted
    assert 1 == (await again.put(record(1))).upserted


async def test_a_future_fence_is_not_current_either(store: Store) -> None:
    """Only the number that was given out counts."""
    hand = await Hand.take(store)
    with pytest.raises(Fenced):
        await store.apply(Batch(NORTH, hand.fence + 1, upserts=(upsert(record(1)),)))


async def test_a_cluster_must_be_registered(store: Store) -> None:
    """To be taken and to be written to."""
    with pytest.raises(NotFound, match=rf"^cluster {uuid_text(NORTH)} is not registered$"):
        await store.take(NORTH, b"")
    with pytest.raises(NotFound):
        await store.apply(Batch(NORTH, 0))


async def test_pods_of_no_cluster_need_no_registration(store: Store) -> None:
    """But a fence like all others."""
    with pytest.raises(Fenced):
        await store.apply(Batch(NO_CLUSTER, 0))
    hand = await Hand.take(store, NO_CLUSTER)
    await hand.put(record(1, cluster=NO_CLUSTER))

    assert [key(1, NO_CLUSTER)] == await scanned(store)
    assert [] == await store.clusters()


async def test_a_removed_cluster_stays_fenced_when_it_comes_back(store: Store) -> None:
    """Its former writer may not know that it was removed."""
    former = await Hand.take(store)
    await store.remove_cluster(NORTH)
    await store.put_cluster(Cluster(NORTH, "north"))

    with pytest.raises(Fenced):
        await former.put(record(1))
    assert former.fence < await store.take(NORTH, b"")


# ------------------------------------------------------------------------------------------ atomicity


async def test_a_batch_that_fails_leaves_no_trace(store: Store) -> None:
    """One pod of another cluster spoils everything that came with it."""
    hand = await Hand.take(store)
    await hand.put(record(1))
    before = (await everything(store), await status(store), await store.checkpoint(NORTH))

    with pytest.raises(InvariantViolated, match=r"^a pod of cluster c0.* was given for north$"):
        await hand.apply(
            namespaces=(NamespaceUpdate(NAMESPACE_1, "shop"),),
            upserts=(upsert(record(2)), upsert(record(3, cluster=SOUTH))),
            removals=(Removal(pod_id(1), "event"),),
            checkpoint=Checkpoint(b"e", 9),
        )

    assert before == (await everything(store), await status(store), await store.checkpoint(NORTH))
    assert [] == await found(store, "Namespace ID:*")


async def test_the_record_of_another_pod_is_refused(store: Store) -> None:
    """A removal tells the end of its own pod."""
    hand = await Hand.take(store)
    await hand.put(record(1))

    with pytest.raises(InvariantViolated):
        await hand.remove(1, last=record(2))
    assert [1] == await found(store)


async def test_what_was_applied_is_seen_by_the_next_read(store: Store) -> None:
    """By every kind of read, of readers that exist already too."""
    reader = store.reader(UNRESTRICTED)
    hand = await Hand.take(store)
    for number in range(5):
        await hand.put(record(number))

        assert await reader.get(key(number)) is not None
        assert number + 1 == (await reader.count(Query(), at_most=None)).value
        assert number + 1 == len((await reader.page(Query(), window())).messages)
        assert number + 1 == len(await found(store, "Pod Name:pod"))
        assert number + 1 == len(await scanned(store)) == len(await scanned(store, "Pod Name:pod"))


# ----------------------------------------------------------------------------- idempotence and revision


def _batches() -> dict[str, Callable[[], dict[str, Any]]]:
    mine = {"deployment": 1, "owner": ("ReplicaSet", "web-1"), "tracked_owner": "rs-1"}
    return {
        "upserts": lambda: {"upserts": tuple(upsert(record(n, digests=["a"])) for n in range(3))},
        "a finished run": lambda: {"upserts": (upsert(record(1, live=[finished("r1")])),)},
        "a removal": lambda: {"removals": (Removal(pod_id(9), "event"),)},
        "a removal of the unknown": lambda: {"removals": (Removal(pod_id(99), "absent"),)},
        "a last record": lambda: {"removals": (Removal(pod_id(9), "finished", record(9, live=[finished("r9")])),)},
        "an owner": lambda: {"owners": (OwnerUpdate("rs-9", uuid_text(deployment_id(2)), "Deployment", "w", "u"),)},
        "a namespace": lambda: {"namespaces": (NamespaceUpdate(NAMESPACE_1, "shop", {"a": "1"}),)},
        "a lost namespace": lambda: {"namespaces": (NamespaceUpdate(NAMESPACE_1, "shop", gone=True),)},
        "all at once": lambda: {
            "namespaces": (NamespaceUpdate(NAMESPACE_1, "shop"),),
            "upserts": (upsert(record(1, **mine)), upsert(record(2))),
            "removals": (Removal(pod_id(9), "event"),),
            "checkpoint": Checkpoint(b"e", 5, {"pods": "7"}, 2),
        },
        "nothing": dict,
    }


@pytest.mark.parametrize("name", _batches())
async def test_a_batch_that_comes_again_changes_nothing(store: Store, name: str) -> None:
    """Messages, counts, tombstones and the revision stay as after the first time."""
    hand = await Hand.take(store)
    await hand.put(record(9, tracked_owner="rs-9", digests=["z"]))
    batch = _batches()[name]
    first = await hand.apply(**batch())
    state = (await everything(store), await status(store), await store.checkpoint(NORTH))

    again = [await hand.apply(**batch()) for _ in range(2)]

    assert state == (await everything(store), await status(store), await store.checkpoint(NORTH))
    assert {(first.revision, 0, 0)} == {(each.revision, each.upserted, each.removed) for each in again}


async def test_a_carried_run_that_comes_again_leaves_the_pod_as_it_is(store: Store, engine: Engine) -> None:
    """It is merged again, since the hash says nothing of what is carried."""
    hand = await Hand.take(store)
    for _ in range(2):
        await hand.apply(upserts=(upsert(record(1), [finished("r1")]),))

        assert ["r1"] == runs_shown(await served(store, 1))
        assert 1 == len(engine.runs(store, NORTH))


async def test_the_revision_rises_once_per_batch_that_changed_something(store: Store) -> None:
    """Of its own cluster. Pods that are only seen again change nothing."""
    north, south = await Hand.take(store, NORTH), await Hand.take(store, SOUTH)

    assert Applied(1, 2, 0, 0) == await north.put(record(1), record(2))
    assert Applied(1, 0, 2, 0) == await north.put(record(1), record(2))
    assert Applied(2, 1, 1, 0) == await north.put(record(1), record(2, phase="Failed"))
    assert Applied(3, 0, 0, 1) == await north.remove(1)
    assert Applied(3, 0, 0, 0) == await north.remove(1)
    assert Applied(1, 1, 0, 0) == await south.put(record(1, cluster=SOUTH))
    assert Applied(3, 0, 0, 0) == await north.apply(checkpoint=Checkpoint(b"e", 1))
    assert Applied(4, 0, 0, 0) == await north.apply(namespaces=(NamespaceUpdate(NAMESPACE_1, "n"),))


async def test_an_unchanged_pod_moves_only_its_last_sight(store: Store, engine: Engine, clock: Clock) -> None:
    """Its message stays, byte by byte, although the record sent with the equal hash differs."""
    hand = await Hand.take(store)
    await hand.put(record(1), record(2))
    before = await everything(store)
    clock.pass_seconds(5)

    applied = await hand.apply(upserts=(Upsert(record(1, name="other"), content_hash(record(1))),))

    assert (0, 1) == (applied.upserted, applied.unchanged)
    assert before == await everything(store)
    later = START + 5_000_000
    assert {pod_id(1): (START, later), pod_id(2): (START, START)} == engine.sightings(store, NORTH)


async def test_an_empty_hash_is_never_unchanged(store: Store) -> None:
    """It says nothing."""
    hand = await Hand.take(store)
    for name in ("a", "b"):
        assert 1 == (await hand.apply(upserts=(Upsert(record(1, name=name), b""),))).upserted

    assert "b" == (await served(store, 1) or Pod()).name


async def test_a_changed_pod_keeps_its_first_sight(store: Store, engine: Engine, clock: Clock) -> None:
    """And takes the new content in all columns."""
    hand = await Hand.take(store)
    await hand.put(record(1, digests=["old"], deployment=1))
    clock.pass_seconds(1)
    await hand.put(record(1, name="new", namespace="ops", digests=["new"], deployment=2))

    assert (START, START + 1_000_000) == engine.sightings(store, NORTH)[pod_id(1)]
    assert [1] == await found(store, "Pod Name:new+Namespace:ops+Container Image Digest:new")
    assert [] == await found(store, "Container Image Digest:old")
    assert [] == await found(store, "Pod Name:pod")
    assert [] == await found(store, "Namespace:shop")


async def test_the_later_of_two_upserts_of_a_pod_wins(store: Store) -> None:
    """In one batch; the pod counts once."""
    hand = await Hand.take(store)

    applied = await hand.put(record(1, name="first", digests=["a"]), record(1, name="second", digests=["b"]))

    assert Applied(1, 1, 0, 0) == applied
    assert [1] == await found(store, "Pod Name:second+Container Image Digest:b")
    assert 1 == (await counted(store)).value


async def test_a_pod_that_changes_and_changes_back_in_one_batch_stays(store: Store) -> None:
    """The last one counts."""
    hand = await Hand.take(store)
    await hand.put(record(1))
    await hand.put(record(1, name="x"), record(1))

    assert [1] == await found(store, "Pod Name:pod-00001")


# ------------------------------------------------------------------------------------------------ runs


async def test_a_finished_run_is_recorded_once(store: Store, engine: Engine) -> None:
    """However often and in whatever form it comes: live, in a bucket, carried, remembered by the kubelet."""
    hand = await Hand.take(store)
    bucketed = record(1, phase="2")
    bucketed.pod.terminated_instances.add().instances.append(finished("r1"))
    remembered = record(1, phase="3", containers=[_remembering("r1")])

    await hand.put(record(1, live=[finished("r1")]))
    await hand.put(bucketed)
    await hand.put(remembered)
    await hand.apply(upserts=(upsert(record(1, phase="4"), [finished("r1")]),))

    assert ["r1"] == runs_shown(await served(store, 1))
    assert [(pod_id(1), "app", "id:r1")] == engine.runs(store, NORTH)


def _remembering(run: str) -> Container:
    last = LastTerminated(id=run, exit_code=0)
    last.started.seconds, last.finished.seconds = 50, 100
    return Container(name="app", kind="regular", last_terminated=last)


async def test_ten_runs_are_shown_and_all_are_known(store: Store, engine: Engine) -> None:
    """One that is not shown any more does not come back as new (pod-service 11.2)."""
    hand = await Hand.take(store)
    for n in range(13):
        await hand.put(record(1, live=[finished(f"r{n}", at=100 + n)]))
    await hand.put(record(1, live=[finished("r0")], phase="again"))

    assert [f"r{n}" for n in range(3, 13)] == runs_shown(await served(store, 1))
    assert 13 == len(engine.runs(store, NORTH))


async def test_runs_stay_known_over_removal_and_revival(store: Store, engine: Engine) -> None:
    """The pod comes back with what it has done, and nothing is counted twice."""
    hand = await Hand.take(store)
    await hand.put(*(record(1, live=[finished(f"r{n}", at=100 + n)]) for n in range(12)))
    await hand.remove(1)
    await hand.put(record(1, live=[finished("r0"), finished("r12", at=200)]))

    assert [f"r{n}" for n in range(3, 13)] == runs_shown(await served(store, 1))
    assert 13 == len(engine.runs(store, NORTH))


async def test_a_last_record_is_merged_before_the_pod_leaves(store: Store, engine: Engine) -> None:
    """Its runs are recorded, and the tombstone tells its state."""
    hand = await Hand.take(store)
    await hand.put(record(1, live=[instance("app", "r1", started=50)]))
    await hand.remove(1, reason="finished", last=record(1, name="at the end", live=[finished("r1")]))

    grave = engine.graves(store, NORTH)[pod_id(1)]
    last = Pod.FromString(grave.pod or b"")
    assert ("finished", "at the end", ["r1"]) == (grave.reason, last.name, runs_shown(last))
    assert [(pod_id(1), "app", "id:r1")] == engine.runs(store, NORTH)


@pytest.mark.parametrize(("mode", "expected"), [("dedupe", ["r1"]), ("stackrox", ["r1", "r1"])])
async def test_the_merge_mode_is_the_one_of_the_store(engine: Engine, mode: str, expected: list[str]) -> None:
    """Upstream repeats a run that comes in two events (pod-service 11.1)."""
    store = engine.store(merge_mode=mode)
    await store.open()
    try:
        hand = await Hand.take(store)
        for phase in ("first", "second", "third"):
            await hand.put(record(1, live=[finished("r1")] if phase != "first" else [], phase=phase))
        assert expected == runs_shown(await served(store, 1))
    finally:
        await store.close()


# ------------------------------------------------------------------------------------ removal, revival


async def test_a_removed_pod_is_a_tombstone_apart_from_the_live_ones(
    store: Store, engine: Engine, clock: Clock
) -> None:
    """No read finds it, by no column; its last message is kept."""
    hand = await Hand.take(store)
    await hand.put(record(1, deployment=1, digests=["a"], owner=("Deployment", "web")), record(2))
    last = await served(store, 1)
    clock.pass_seconds(3)

    assert Applied(2, 0, 0, 1) == await hand.remove(1, reason="absent")

    assert [2] == await found(store)
    assert [key(2)] == await scanned(store)
    for text in ("Pod Name:pod-00001", "Container Image Digest:a", "Deployment:web", "Deployment ID:*"):
        assert [] == await found(store, text)
    assert await served(store, 1) is None
    one = await status(store)
    assert (1, 1) == (one.pods, one.tombstones)
    (grave,) = engine.graves(store, NORTH).values()
    assert ("absent", START, START, START + 3_000_000) == (
        grave.reason,
        grave.first_seen,
        grave.last_seen,
        grave.deleted_at,
    )
    assert last == Pod.FromString(grave.pod or b"")


async def test_an_unknown_pod_is_removed_without_error(store: Store, engine: Engine) -> None:
    """Its tombstone knows nothing but the identity; it counts as no removal."""
    hand = await Hand.take(store)

    assert Applied(1, 0, 0, 0) == await hand.remove(7)
    assert (0, 1) == ((await status(store)).pods, (await status(store)).tombstones)
    (grave,) = engine.graves(store, NORTH).values()
    assert (None, None, None) == (grave.first_seen, grave.last_seen, grave.pod)


async def test_a_bare_tombstone_takes_the_record_that_comes_later(store: Store, engine: Engine) -> None:
    """One that has a record keeps it."""
    hand = await Hand.take(store)
    await hand.remove(7)
    await hand.remove(7, reason="finished", last=record(7, name="told"))
    await hand.remove(7, reason="import", last=record(7, name="told again"))

    (grave,) = engine.graves(store, NORTH).values()
    assert ("finished", "told") == (grave.reason, Pod.FromString(grave.pod or b"").name)
    assert 1 == (await status(store)).tombstones


async def test_the_first_removal_tells_the_reason(store: Store, engine: Engine, clock: Clock) -> None:
    """In two batches and in one."""
    hand = await Hand.take(store)
    await hand.put(record(1), record(2))
    await hand.apply(removals=(Removal(pod_id(1), "event"), Removal(pod_id(1), "absent")))
    await hand.remove(2, reason="event")
    clock.pass_seconds(1)
    await hand.remove(1, 2, reason="absent")

    graves = engine.graves(store, NORTH).values()
    assert {("event", START)} == {(grave.reason, grave.deleted_at) for grave in graves}


async def test_a_pod_comes_back_with_its_first_sight(store: Store, engine: Engine, clock: Clock) -> None:
    """The tombstone goes; the same hash as before does not make it unchanged."""
    hand = await Hand.take(store)
    await hand.put(record(1, digests=["a"], deployment=1))
    await hand.remove(1)
    clock.pass_seconds(9)

    assert Applied(3, 1, 0, 0) == await hand.put(record(1, digests=["a"], deployment=1))

    assert {pod_id(1): (START, START + 9_000_000)} == engine.sightings(store, NORTH)
    assert {} == engine.graves(store, NORTH)
    assert (1, 0) == ((await status(store)).pods, (await status(store)).tombstones)
    assert [1] == await found(store, "Container Image Digest:a+Deployment:pod")


async def test_a_pod_comes_back_from_a_bare_tombstone(store: Store, engine: Engine, clock: Clock) -> None:
    """Then it is seen for the first time."""
    hand = await Hand.take(store)
    await hand.remove(1)
    clock.pass_seconds(9)
    await hand.put(record(1))

    later = START + 9_000_000
    assert {pod_id(1): (later, later)} == engine.sightings(store, NORTH)
    assert {} == engine.graves(store, NORTH)


async def test_removals_come_behind_upserts(store: Store, engine: Engine) -> None:
    """A pod in both is gone, with what the upsert told."""
    hand = await Hand.take(store)
    applied = await hand.apply(upserts=(upsert(record(1, name="last")),), removals=(Removal(pod_id(1), "event"),))

    assert (0, 1) == (applied.upserted, applied.removed)
    assert [] == await found(store)
    (grave,) = engine.graves(store, NORTH).values()
    assert ("last", START) == (Pod.FromString(grave.pod or b"").name, grave.first_seen)


async def test_a_pod_of_the_same_id_in_another_cluster_stays(store: Store) -> None:
    """Removal, owners and changes are those of one cluster."""
    north, south = await Hand.take(store, NORTH), await Hand.take(store, SOUTH)
    await north.put(record(1, tracked_owner="rs", digests=["a"]))
    await south.put(record(1, cluster=SOUTH, tracked_owner="rs", digests=["a"]))
    await north.apply(owners=(OwnerUpdate("rs", uuid_text(deployment_id(1)), "Deployment", "web", "u"),))
    assert [key(1, SOUTH)] == await scanned(store, "Deployment ID:-")
    await north.remove(1)

    assert [key(1, SOUTH)] == await scanned(store, "Container Image Digest:a")


# ---------------------------------------------------------------------------------------------- owners

OWNER = OwnerUpdate("rs-1", uuid_text(deployment_id(5)), "Deployment", "web", "d-5")


async def test_the_pods_of_an_owner_get_what_is_known_of_it(store: Store) -> None:
    """Deployment id, workload row and message; pods of other owners and of none stay."""
    hand = await Hand.take(store)
    await hand.put(
        record(1, tracked_owner="rs-1", deployment=1, owner=("ReplicaSet", "web-abc")),
        record(2, tracked_owner="rs-2", deployment=2, owner=("ReplicaSet", "api-abc")),
        record(3),
    )

    assert Applied(2, 0, 0, 0) == await hand.apply(owners=(OWNER,))

    assert [1] == await found(store, 'Deployment:"web"+Deployment Type:Deployment')
    assert [] == await found(store, "Deployment:web-abc")
    assert [2] == await found(store, "Deployment:api")
    assert OWNER.deployment_id == (await served(store, 1) or Pod()).deployment_id
    assert [2, 1, 3] == await found(store)


async def test_an_owner_forgets_the_hash_so_that_the_pod_is_sent_again(store: Store) -> None:
    """The same record is not unchanged then (ingest 5.4)."""
    hand = await Hand.take(store)
    await hand.put(record(1, tracked_owner="rs-1"))
    await hand.apply(owners=(OWNER,))

    assert 1 == (await hand.put(record(1, tracked_owner="rs-1"))).upserted


async def test_an_owner_that_is_known_already_changes_nothing(store: Store) -> None:
    """Neither revision nor hash."""
    hand = await Hand.take(store)
    made = record(1, tracked_owner="rs-1", deployment=5, owner=("Deployment", "web"))
    made.top_owner.uid = "d-5"
    await hand.put(made)

    assert 1 == (await hand.apply(owners=(OWNER,))).revision
    assert 1 == (await hand.put(made)).unchanged


async def test_an_owner_reaches_the_pods_of_its_own_batch(store: Store) -> None:
    """New ones, changed ones, unchanged ones; not those that the batch removes or gives another owner."""
    hand = await Hand.take(store)
    owned = {n: record(n, tracked_owner="rs-1") for n in range(5)}
    await hand.put(*(owned[n] for n in range(4)))

    await hand.apply(
        upserts=(
            upsert(record(0, tracked_owner="rs-2")),
            upsert(record(1, tracked_owner="rs-1", phase="x")),
            upsert(owned[2]),
            upsert(owned[4]),
        ),
        removals=(Removal(pod_id(3), "event"),),
        owners=(OWNER,),
    )

    assert [1, 2, 4] == await found(store, f"Deployment ID:{OWNER.deployment_id}")
    assert [0] == await found(store, "Deployment ID:-")


async def test_the_last_word_on_an_owner_counts(store: Store) -> None:
    """Two in one batch, of two owners each."""
    hand = await Hand.take(store)
    await hand.put(record(1, tracked_owner="rs-1"), record(2, tracked_owner="rs-2"))
    updates = [
        OwnerUpdate(f"rs-{n}", uuid_text(deployment_id(d)), "Deployment", f"web-{d}", "u")
        for n, d in ((1, 1), (2, 2), (1, 3), (2, 4))
    ]
    await hand.apply(owners=tuple(updates))

    assert [1] == await found(store, 'Deployment:"web-3"')
    assert [2] == await found(store, 'Deployment:"web-4"')
    assert [] == await found(store, 'Deployment:"web-1","web-2"')


async def test_an_owner_without_uid_owns_nothing(store: Store) -> None:
    """Pods without a tracked owner are not its pods."""
    hand = await Hand.take(store)
    await hand.put(record(1))

    await hand.apply(
        upserts=(upsert(record(2)),), owners=(OwnerUpdate("", OWNER.deployment_id, "Deployment", "w", "u"),)
    )

    assert [1, 2] == await found(store, "Deployment ID:-")


# ------------------------------------------------------------------------------------------- workloads


def member(number: int, name: str, *, created: int, **fields: Any) -> Any:
    """A pod of workload 1."""
    return record(number, deployment=1, owner=("Deployment", name), created=created, **fields)


async def test_a_workload_is_told_by_its_newest_pod(store: Store) -> None:
    """Latest creation; of equal ones the greater uid (ingest 5.6)."""
    hand = await Hand.take(store)
    await hand.put(member(1, "old", created=10), member(2, "new", created=20))
    assert [1, 2] == await found(store, "Deployment:new")

    await hand.put(member(3, "older", created=5))
    assert [1, 2, 3] == await found(store, "Deployment:new")

    await hand.put(member(4, "by uid", created=20, uid="uid-9"))
    assert [1, 2, 3, 4] == await found(store, "Deployment:by")


async def test_a_workload_falls_back_to_the_newest_that_is_left(store: Store) -> None:
    """When the newest goes, moves, or turns out to be older; and goes with its last pod."""
    hand = await Hand.take(store)
    await hand.put(*(member(n, f"w{n}", created=n * 10) for n in range(1, 5)))
    assert [1, 2, 3, 4] == await found(store, "Deployment:w4")

    await hand.remove(4)
    assert [1, 2, 3] == await found(store, "Deployment:w3")
    await hand.put(record(3, deployment=2, owner=("Deployment", "elsewhere")))
    assert [1, 2] == await found(store, "Deployment:w2")
    await hand.put(member(2, "w2", created=1))
    assert [1, 2] == await found(store, "Deployment:w1")
    await hand.remove(1, 2)
    assert [] == await found(store, f"Deployment ID:{uuid_text(deployment_id(1))}")
    assert [3] == await found(store, "Deployment:*")


async def test_a_workload_row_without_pods_is_gone(store: Store) -> None:
    """It would match pods of no cluster that carry its id."""
    north, loose = await Hand.take(store, NORTH), await Hand.take(store, NO_CLUSTER)
    await loose.put(record(9, cluster=NO_CLUSTER, deployment=1))
    await north.put(member(1, "web", created=1))
    assert [1, 9] == await found(store, "Deployment:web")

    await north.remove(1)

    assert [] == await found(store, "Deployment:web")


async def test_a_bare_pod_is_its_own_workload(store: Store) -> None:
    """Its name, and the type Pod."""
    await (await Hand.take(store)).put(record(1, deployment=1, name="lone"))

    assert [1] == await found(store, 'Deployment:"lone"+Deployment Type:"Pod"')


async def test_a_deployment_id_that_is_no_uuid_has_no_workload(store: Store) -> None:
    """The message keeps the text."""
    await (await Hand.take(store)).put(record(1, deployment="my-app", owner=("Deployment", "web")))

    assert [1] == await found(store, "Deployment ID:-+Deployment:-")
    assert "my-app" == (await served(store, 1) or Pod()).deployment_id


async def test_workloads_of_two_clusters_are_two_rows(store: Store) -> None:
    """A pod never joins the row of another cluster; one without a cluster joins both."""
    for cluster, name in ((NORTH, "web-n"), (SOUTH, "web-s")):
        await (await Hand.take(store, cluster)).put(member(1, name, created=1, cluster=cluster))
    await (await Hand.take(store, NO_CLUSTER)).put(record(2, cluster=NO_CLUSTER, deployment=1))

    assert [key(2, NO_CLUSTER), key(1, NORTH)] == await scanned(store, "Deployment:web-n")
    assert [key(2, NO_CLUSTER), key(1, SOUTH)] == await scanned(store, "Cluster:south")


async def test_every_way_to_the_same_pods_makes_the_same_workloads(store: Store) -> None:
    """One by one in either order, or all at once."""

    def pods(cluster: bytes) -> list[Any]:
        return [member(n, f"w{n}", created=n % 3, cluster=cluster) for n in range(6)]

    ways: list[tuple[bytes, Callable[[Hand], Awaitable[Any]]]] = [
        (NORTH, lambda hand: hand.put(*pods(NORTH))),
        (SOUTH, lambda hand: _one_by_one(hand, pods(SOUTH))),
        (b"\xee" * 16, lambda hand: _one_by_one(hand, pods(b"\xee" * 16)[::-1])),
    ]
    for cluster, way in ways:
        await way(await Hand.take(store, cluster))

    assert 18 == len(await scanned(store, "Deployment:w5"))


async def _one_by_one(hand: Hand, records: list[Any]) -> None:
    for each in records:
        await hand.put(each)


# ------------------------------------------------------------------------------------------ namespaces


async def test_a_namespace_gives_its_id_to_workloads(store: Store) -> None:
    """Known before the pods, after them, or with them."""
    hand = await Hand.take(store)
    await hand.apply(namespaces=(NamespaceUpdate(NAMESPACE_1, "shop"),))
    await hand.put(record(1, deployment=1))
    await hand.put(record(2, deployment=2, namespace="ops"))
    assert [1] == await found(store, f"Namespace ID:{NAMESPACE_1}")
    assert [2] == await found(store, "Namespace ID:-")

    await hand.apply(
        namespaces=(NamespaceUpdate(NAMESPACE_2, "ops"),), upserts=(upsert(record(3, deployment=3, namespace="ops")),)
    )

    assert [2, 3] == await found(store, f"Namespace ID:{NAMESPACE_2}")


async def test_a_namespace_that_goes_takes_its_id_along(store: Store) -> None:
    """And labels are found no more."""
    hand = await Hand.take(store)
    await hand.apply(
        namespaces=(NamespaceUpdate(NAMESPACE_1, "shop", {"team": "a"}),), upserts=(upsert(record(1, deployment=1)),)
    )
    assert [1] == await found(store, "Namespace Label:team=a")

    await hand.apply(namespaces=(NamespaceUpdate(NAMESPACE_1, "shop", gone=True),))

    assert [1] == await found(store, "Namespace ID:-")
    assert [] == await found(store, "Namespace Label:team=a")


async def test_a_namespace_made_anew_has_another_id(store: Store) -> None:
    """The news that the old one is gone may come late."""
    hand = await Hand.take(store)
    await hand.put(record(1, deployment=1))
    for update in (
        NamespaceUpdate(NAMESPACE_1, "shop"),
        NamespaceUpdate(NAMESPACE_2, "shop"),
        NamespaceUpdate(NAMESPACE_1, "shop", gone=True),
    ):
        await hand.apply(namespaces=(update,))

    assert [1] == await found(store, f"Namespace ID:{NAMESPACE_2}")


async def test_labels_of_a_namespace_change(store: Store) -> None:
    """With the same id."""
    hand = await Hand.take(store)
    await hand.put(record(1, deployment=1))
    for value in ("a", "b"):
        await hand.apply(namespaces=(NamespaceUpdate(NAMESPACE_1, "shop", {"team": value}, {"note": value}),))

    assert [1] == await found(store, "Namespace Label:team=b+Namespace Annotation:note=b")
    assert [] == await found(store, "Namespace Label:team=a")


async def test_a_namespace_without_a_uuid_joins_nothing(store: Store) -> None:
    """It is no error."""
    hand = await Hand.take(store)

    assert 0 == (await hand.apply(namespaces=(NamespaceUpdate("no uuid", "shop"),))).revision


# ------------------------------------------------------------------------------- checkpoint and status


async def test_a_checkpoint_is_stored_with_its_batch(store: Store) -> None:
    """A batch without one keeps the last."""
    hand = await Hand.take(store)
    told = Checkpoint(b"epoch", 42, {"pods": "1001", "namespaces": "x"}, 3)
    await hand.apply(upserts=(upsert(record(1)),), checkpoint=told)
    await hand.put(record(2))

    assert told == await store.checkpoint(NORTH)
    assert Checkpoint() == await store.checkpoint(SOUTH)
    assert 3 == (await status(store)).generation


async def test_a_checkpoint_outlives_its_fence(store: Store) -> None:
    """The next writer goes on from there."""
    hand = await Hand.take(store)
    await hand.apply(checkpoint=Checkpoint(b"epoch", 42))
    await Hand.take(store)

    assert 42 == (await store.checkpoint(NORTH)).sequence


async def test_a_tombstone_tells_the_generation_of_its_batch(store: Store, engine: Engine) -> None:
    """Or the last one that was told."""
    hand = await Hand.take(store)
    await hand.apply(removals=(Removal(pod_id(1), "absent"),), checkpoint=Checkpoint(generation=4))
    await hand.remove(2)

    assert [4, 4] == [grave.generation for grave in engine.graves(store, NORTH).values()]


async def test_status_tells_when_batches_came(store: Store, clock: Clock) -> None:
    """By the store's clock; a batch that changes nothing counts."""
    hand = await Hand.take(store)
    assert (None, None) == ((await status(store)).first_seen, (await status(store)).last_seen)
    await hand.apply()
    clock.pass_seconds(60)
    await hand.apply()

    assert (START, START + 60_000_000) == ((await status(store)).first_seen, (await status(store)).last_seen)


async def test_a_refused_batch_does_not_count_as_sight(store: Store, clock: Clock) -> None:
    """The cluster looks as stale as it is."""
    hand = await Hand.take(store)
    await hand.apply()
    clock.pass_seconds(60)
    for batch in (Batch(NORTH, hand.fence - 1), Batch(NORTH, hand.fence, upserts=(upsert(record(1, cluster=SOUTH)),))):
        with pytest.raises(DomainError):
            await store.apply(batch)

    assert START == (await status(store)).last_seen


async def test_a_large_batch_is_one_batch(store: Store) -> None:
    """More rows than any bound of an engine."""
    hand = await Hand.take(store)

    assert Applied(1, 3000, 0, 0) == await hand.put(
        *(record(n, deployment=n % 200, digests=["a"]) for n in range(3000))
    )
    assert Applied(2, 0, 0, 3000) == await hand.remove(*range(3000))
    assert [] == await scanned(store)


async def test_ids_in_any_letter_case_are_one_pod(store: Store) -> None:
    """The key is the UUID, not its text."""
    hand = await Hand.take(store)
    made = record(0xAB)
    made.pod.id, made.pod.cluster_id = made.pod.id.upper(), made.pod.cluster_id.upper()
    await hand.put(made)
    await hand.put(record(0xAB, phase="x"))

    assert [parse_uuid(uuid_text(pod_id(0xAB)))] == [key_of(message).pod for message in await everything(store)]
    assert [0xAB] == [number_of(message) for message in await everything(store)]
