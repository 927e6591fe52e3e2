"""What a batch makes of the rows that are there: which rows it writes, and how little it reads."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from podledger.errors import InvariantViolated
from podledger.pods.identity import parse_uuid, uuid_text
from podledger.store import applying
from podledger.store.contract import Batch, Cluster, NamespaceUpdate, OwnerUpdate, Removal, Upsert
from podledger.store.memory import _Holding, _HoldingRows
from podledger.store.rows import Changes, Ledger
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord
from tests.fakes.store_pods import NORTH, deployment_id, instance, pod_id, record, upsert

NAMESPACE = "f1000000-0000-4000-8000-000000000000"


class Noting:
    """Rows that note what is asked for: method -> ids."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        def ask(ids: Any) -> Any:
            self.asked[name] += len(ids) if isinstance(ids, list | set | tuple) else 1
            return getattr(self._rows, name)(ids)

        return ask


class Shelf:
    """The rows of one cluster, batch after batch."""

    def __init__(self) -> None:
        self.held = _Holding(Cluster(NORTH, "north"))
        self.now = 0
        self.asked: Counter[str] = Counter()

    def apply(self, **parts: Any) -> Changes:
        self.now += 1
        batch, rows = Batch(NORTH, 0, **parts), Noting(_HoldingRows(self.held))
        ledger = Ledger(NORTH, "north", self.held.revision, self.held.checkpoint.generation)
        changes = applying.changes(batch, rows, ledger, mode="dedupe", now=self.now)
        self.held = self.held.after(changes, batch, self.now)
        self.asked = rows.asked
        return changes

    def put(self, *records: PodRecord) -> Changes:
        return self.apply(upserts=tuple(map(upsert, records)))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def ids(rows: Any) -> list[bytes]:
    return [row.id for row in rows]


# ------------------------------------------------------------------------------------ what is written


def test_rows_are_written_by_how_much_of_them_changes(shelf: Shelf) -> None:
    """New ones; those that indexes know differently; bytes alone; and mere sight."""
    shelf.put(*(record(n) for n in (1, 2, 3)))

    changes = shelf.put(record(0), record(1, name="moved"), record(2, phase="Failed"), record(3))

    assert [[pod_id(0)], [pod_id(1)], [pod_id(2)], [pod_id(3)]] == [
        ids(changes.added),
        ids(changes.moved),
        ids(changes.rewritten),
        changes.seen,
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "x"},
        {"namespace": "x"},
        {"deployment": 1},
        {"created": 5},
        {"uid": "x"},
        {"tracked_owner": "x"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_searched_column_moves_the_row(shelf: Shelf, change: dict[str, Any]) -> None:
    """Everything that an index or a writer looks up by."""
    shelf.put(record(1))

    assert [pod_id(1)] == ids(shelf.put(record(1, **change)).moved)


def test_rows_come_in_the_order_of_their_keys(shelf: Shelf) -> None:
    """Whatever the order of the batch: pages of the table are met once."""
    numbers = [5, 1, 9, 3, 7]
    added = shelf.put(*(record(n, digests=["a"]) for n in numbers))
    removed = shelf.apply(removals=tuple(Removal(pod_id(n), "event") for n in numbers))

    expected = [pod_id(n) for n in sorted(numbers)]
    assert [expected] * 2 == [ids(added.added), list(added.digests)]
    assert [expected] * 2 == [removed.dropped, ids(removed.buried)]


def test_digests_are_written_only_where_they_change(shelf: Shelf) -> None:
    """In their order, which positions keep."""
    shelf.put(record(1, digests=["a", "b"]), record(2, digests=["a"]), record(3))

    changes = shelf.put(record(1, digests=["b", "a"]), record(2, digests=["a"], phase="x"), record(3, phase="x"))

    assert {pod_id(1): ["b", "a"]} == changes.digests


def test_counts_tell_only_of_namespaces_that_gain_or_lose(shelf: Shelf) -> None:
    """Never zero."""
    assert {"a": 2, "b": 1} == shelf.put(*(record(n, namespace=name) for n, name in enumerate("aab"))).counts
    assert {} == shelf.put(record(0, namespace="b"), record(2, namespace="a")).counts
    assert {"b": -1, "c": 1} == shelf.put(record(0, namespace="c")).counts
    assert {"a": -2, "c": -1} == shelf.apply(removals=tuple(Removal(pod_id(n), "event") for n in range(3))).counts


def test_a_batch_of_mere_sight_changes_nothing(shelf: Shelf) -> None:
    """So the revision stays."""
    shelf.put(record(1, deployment=1))
    changes = shelf.put(record(1, deployment=1))

    assert (False, 1, [pod_id(1)]) == (changes.anything, changes.revision, changes.seen)


def test_tombstones_are_counted_as_they_come_and_go(shelf: Shelf) -> None:
    """Each pod once."""
    shelf.put(record(1))
    bury = {"removals": (Removal(pod_id(1), "event"), Removal(pod_id(2), "event"), Removal(pod_id(1), "event"))}

    assert (2, -1, 1) == ((first := shelf.apply(**bury)).tombstones, first.pods, first.removed)
    assert 0 == shelf.apply(**bury).tombstones
    assert (-2, 2) == ((back := shelf.put(record(1), record(2))).tombstones, back.pods)


def test_new_runs_are_told_once(shelf: Shelf) -> None:
    """Over upsert and removal of one batch too."""
    finished = [instance("app", f"r{n}", started=1, finished=2 + n) for n in range(2)]

    changes = shelf.apply(
        upserts=(upsert(record(1, live=finished[:1])), upsert(record(1, live=finished[:1], phase="x"))),
        removals=(Removal(pod_id(1), "event", record(1, live=finished)),),
    )

    assert ["id:r0", "id:r1"] == [run.key for _, run in changes.runs]


def test_a_stored_record_is_not_changed_by_its_caller(shelf: Shelf) -> None:
    """And the batch itself stays as it was given."""
    given = record(1, deployment=1, tracked_owner="rs")
    copy = given.SerializeToString(deterministic=True)
    shelf.apply(
        upserts=(Upsert(given, b"h"),),
        owners=(OwnerUpdate("rs", uuid_text(deployment_id(2)), "Deployment", "web", "u"),),
    )

    assert copy == given.SerializeToString(deterministic=True)


@pytest.mark.parametrize("cluster", ["", "not a uuid", "c0000000-0000-0000-0000-000000000002"])
def test_a_pod_that_names_another_cluster_is_refused(shelf: Shelf, cluster: str) -> None:
    """None is another one too."""
    made = record(1)
    made.pod.cluster_id = cluster
    with pytest.raises(InvariantViolated, match=rf"^a pod of cluster {cluster or 'none'} was given for north$"):
        shelf.put(made)


# --------------------------------------------------------------------------------------- what is read


def test_the_runs_of_unchanged_and_new_pods_are_not_read(shelf: Shelf) -> None:
    """They are looked up for pods that are merged with what is stored."""
    shelf.put(*(record(n) for n in range(10)))
    shelf.put(*(record(n) for n in range(10)), record(50), record(3, phase="x"))

    assert 1 == shelf.asked["runs"]


def test_each_pod_is_read_once(shelf: Shelf) -> None:
    """However often the batch names it."""
    shelf.put(*(record(n, tracked_owner=f"rs-{n % 5}") for n in range(100)))
    shelf.apply(
        upserts=tuple(upsert(record(n, tracked_owner=f"rs-{n % 5}", phase="x")) for n in range(50)) * 2,
        removals=(Removal(pod_id(1), "event"),),
        owners=tuple(
            OwnerUpdate(f"rs-{n}", uuid_text(deployment_id(d)), "Deployment", "web", "u")
            for n in range(5)
            for d in (1, 2)
        ),
    )

    assert 100 == shelf.asked["pods"]
    assert 10 == shelf.asked["owned"]


def test_the_members_of_a_workload_are_read_only_when_its_newest_may_be_gone(shelf: Shelf) -> None:
    """A pod that comes, changes or goes beside the newest asks for nothing."""
    shelf.put(*(record(n, deployment=1, created=n) for n in range(1, 20)))
    for parts in (
        {"upserts": (upsert(record(5, deployment=1, created=5, phase="x")),)},
        {"upserts": (upsert(record(30, deployment=1, created=30)),)},
        {"removals": (Removal(pod_id(7), "event"),)},
    ):
        shelf.apply(**parts)
        assert 0 == shelf.asked["members"]

    shelf.apply(removals=(Removal(pod_id(30), "event"),))

    assert 1 == shelf.asked["members"]


def test_workloads_are_written_only_when_they_change(shelf: Shelf) -> None:
    """A phase of a pod is nothing that its workload tells."""
    shelf.put(record(1, deployment=1, created=1, owner=("Deployment", "web")))
    changes = shelf.put(record(1, deployment=1, created=1, owner=("Deployment", "web"), phase="Failed"))
    assert ([], []) == (changes.workloads, changes.lost_workloads)

    changes = shelf.put(record(1, deployment=1, created=1, owner=("Deployment", "renamed")))
    assert ["renamed"] == [row.workload.name for row in changes.workloads]

    changes = shelf.put(record(1, deployment=2, created=1))
    assert ([deployment_id(2)], [deployment_id(1)]) == (
        [row.workload.deployment_id for row in changes.workloads],
        changes.lost_workloads,
    )


def test_a_namespace_touches_the_workloads_of_its_name_alone(shelf: Shelf) -> None:
    """They have its id while it is there, whatever else changes of it."""
    shelf.put(record(1, deployment=1), record(2, deployment=2, namespace="ops"))
    seen = []
    for update in (
        NamespaceUpdate(NAMESPACE, "shop"),
        NamespaceUpdate(NAMESPACE, "shop", {"a": "b"}),
        NamespaceUpdate(NAMESPACE, "shop", gone=True),
    ):
        changes = shelf.apply(namespaces=(update,))
        ids_now = [shelf.held.workloads[deployment_id(n)].workload.namespace_id for n in (1, 2)]
        seen.append((ids_now, len(changes.namespaces), len(changes.lost_namespaces)))

    known = [parse_uuid(NAMESPACE), None]
    assert [(known, 1, 0), (known, 1, 0), ([None, None], 0, 1)] == seen
