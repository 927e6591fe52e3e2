"""The writes of the embedded engine: jobs of the writing thread, each inside its transaction.

What a batch means is decided by `applying`; here its rows are read and written. Statements run once per
row, over the batch, in the order of the keys.
"""

# ruff: noqa: S608 - statements are put together here, from constants

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from podledger.errors import AlreadyExists, Fenced, NotFound
from podledger.pods.identity import NO_CLUSTER, RunKey, uuid_text
from podledger.pods.merging import MergeMode
from podledger.query.patterns import fold
from podledger.store import applying
from podledger.store import sqlite_workloads as workloads
from podledger.store.contract import Applied, Batch, Checkpoint, Cluster, ClusterStatus, Staged
from podledger.store.rows import (
    Changes,
    Ledger,
    NamespaceRow,
    Newest,
    OwnerRow,
    PodRow,
    TombstoneRow,
    WorkloadHead,
)
from podledger.store.sqlite_connecting import Session
from podledger.store.sqlite_statements import as_json, drop, each
from podledger.store.staging import overrides

REMOVED_AT_ONCE = 1000
"""Pods, or staged rows, that one transaction removes of a whole cluster or stage."""

_POD = "id, name, namespace, deploymentid, created, uid, owner_uid, tells, hash, first_seen, last_seen, blob, side"
_TOMBSTONE = "id, reason, generation, first_seen, last_seen, deleted_at, blob, side"
_HEAD = "id, namespace, namespaceid, clustername, newest_pod, newest_created, newest_uid, digest"
_OWNER = "id, labels, annotations, created"
_NAMESPACE = "id, name, labels, annotations"
_STAGED = "kind, key, version, name, payload"

_CLUSTER = "id, name, labels, demo, status_orchestratormetadata_version, type, status_providermetadata_cluster_type"
_SMALL_TABLES = ("owner_objects", "namespaces", "pod_counts", "writers")
"""What a cluster has besides pods, tombstones and workloads."""

_tombstone_cells = attrgetter(*["id", "reason", "generation", "first_seen", "last_seen", "deleted_at", "pod", "side"])
_staged_cells = attrgetter(*_STAGED.split(", "))


# ---------------------------------------------------------------------------------------------- reading


class SqliteRows:
    """The rows of one cluster (`rows.Rows`)."""

    def __init__(self, session: Session, cluster: bytes) -> None:
        self._connection = session.connection
        self._cluster = cluster

    def _each(self, sql: str, ids: Collection[Any]) -> Iterator[tuple[Any, ...]]:
        """One look-up per id; the cluster is the first argument."""
        return iter(self._connection.executemany(sql, [(self._cluster, id_) for id_ in ids]).fetchall())

    def pods(self, ids: Collection[bytes]) -> Iterator[PodRow]:
        """The live ones among these pods."""
        for id_, name, namespace, deployment, created, uid, owner, tells, *rest in self._each(
            f"SELECT {_POD} FROM pods WHERE cluster_id = ? AND id = ?", ids
        ):
            yield PodRow(id_, name, namespace, deployment, created, uid, owner or "", bool(tells), *rest)

    def tombstones(self, ids: Collection[bytes]) -> Iterator[TombstoneRow]:
        """The gone ones among these pods."""
        found = self._each(f"SELECT {_TOMBSTONE} FROM tombstones WHERE cluster_id = ? AND id = ?", ids)
        return (TombstoneRow(*row) for row in found)

    def runs(self, ids: Collection[bytes]) -> Iterator[tuple[bytes, RunKey]]:
        """All recorded runs of these pods."""
        found = self._each("SELECT pod_id, container, key FROM finished_runs WHERE cluster_id = ? AND pod_id = ?", ids)
        return ((pod, RunKey(container, key)) for pod, container, key in found)

    def owned(self, owner_uid: str) -> list[bytes]:
        """The live pods with this tracked direct owner."""
        found = self._each("SELECT id FROM pods WHERE cluster_id = ? AND owner_uid = ?", [owner_uid])
        return [id_ for (id_,) in found]

    def workloads(self, ids: Collection[bytes]) -> Iterator[WorkloadHead]:
        """The rows of these workloads."""
        return map(_head, self._each(f"SELECT {_HEAD} FROM workloads WHERE cluster_id = ? AND id = ?", ids))

    def workloads_in(self, namespace: str) -> Iterator[WorkloadHead]:
        """The rows of all workloads of a namespace."""
        found = self._each(f"SELECT {_HEAD} FROM workloads WHERE cluster_id = ? AND namespace = ?", [namespace])
        return map(_head, found)

    def members(self, workload: bytes) -> Iterator[Newest]:
        """The live pods of a workload that may tell its row."""
        sql = (
            "SELECT id, created, uid FROM pods INDEXED BY pods_by_deployment "
            "WHERE cluster_id = ? AND deploymentid = ? AND tells"
        )
        return (Newest(*row) for row in self._each(sql, [workload]))

    def owners(self, ids: Collection[bytes]) -> Iterator[OwnerRow]:
        """The objects of these top owners."""
        found = self._each(f"SELECT {_OWNER} FROM owner_objects WHERE cluster_id = ? AND id = ?", ids)
        return (OwnerRow(id_, json.loads(labels), json.loads(notes), made) for id_, labels, notes, made in found)

    def namespaces(self, names: Collection[str]) -> Iterator[NamespaceRow]:
        """The namespace objects with these names."""
        return map(
            _namespace, self._each(f"SELECT {_NAMESPACE} FROM namespaces WHERE cluster_id = ? AND name = ?", names)
        )

    def namespace(self, id_: bytes) -> NamespaceRow | None:
        """The namespace object with this uid."""
        found = self._each(f"SELECT {_NAMESPACE} FROM namespaces WHERE cluster_id = ? AND id = ?", [id_])
        return next(map(_namespace, found), None)


def _head(row: Sequence[Any]) -> WorkloadHead:
    id_, namespace, namespace_id, cluster_name, pod, created, uid, digest = row
    newest = Newest(pod, created, uid) if pod is not None else None
    return WorkloadHead(id_, namespace, namespace_id, cluster_name, newest, digest)


def _namespace(row: Sequence[Any]) -> NamespaceRow:
    id_, name, labels, annotations = row
    return NamespaceRow(id_, name, json.loads(labels), json.loads(annotations))


# ---------------------------------------------------------------------------------------------- batches


def apply(session: Session, batch: Batch, *, mode: MergeMode, now: int) -> Applied:
    """Apply a batch under its fence."""
    ledger = _ledger(session, batch)
    changes = applying.changes(batch, SqliteRows(session, batch.cluster), ledger, mode=mode, now=now)
    _write(session, batch.cluster, changes, now)
    _write_status(session, batch, changes, now)
    return changes.applied


def _ledger(session: Session, batch: Batch) -> Ledger:
    """What the cluster stands at. Raises `NotFound` and `Fenced`."""
    name = _name(session, batch.cluster)
    found = session.connection.execute(
        "SELECT f.fence, w.revision, w.generation FROM fences AS f "
        "LEFT JOIN writers AS w ON w.cluster_id = f.cluster_id WHERE f.cluster_id = ?",
        (batch.cluster,),
    ).get
    fence, revision, generation = found or (None, None, None)
    if fence != batch.fence:
        raise Fenced
    return Ledger(batch.cluster, name, revision or 0, generation or 0)


def _name(session: Session, cluster: bytes) -> str:
    """The name of a registered cluster. Pods of no cluster need no registration."""
    if cluster == NO_CLUSTER:
        return ""
    name = session.connection.execute("SELECT name FROM clusters WHERE id = ?", (cluster,)).get
    if name is None:
        raise NotFound(f"cluster {uuid_text(cluster)} is not registered")
    return str(name)


def _write(session: Session, cluster: bytes, changes: Changes, now: int) -> None:
    _write_pods(session, cluster, changes, now)
    _write_children(session, cluster, changes)
    _write_tombstones(session, cluster, changes)
    workloads.write(session, cluster, changes)
    _write_owners(session, cluster, changes)
    _write_namespaces(session, cluster, changes)
    _write_counts(session, cluster, changes.counts)


def _write_pods(session: Session, cluster: bytes, changes: Changes, now: int) -> None:
    revision = changes.revision
    each(
        session,
        "INSERT INTO pods (cluster_id, id, name, namespace, deploymentid, created, uid, tells, owner_uid, folded, "
        "hash, first_seen, last_seen, blob, side, rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(cluster, row.id, *_searched(row), *_told(row), revision) for row in changes.added],
    )
    each(
        session,
        "UPDATE pods SET name = ?, namespace = ?, deploymentid = ?, created = ?, uid = ?, tells = ?, owner_uid = ?, "
        "folded = ?, hash = ?, first_seen = ?, last_seen = ?, blob = ?, side = ?, rev = ? "
        "WHERE cluster_id = ? AND id = ?",
        [(*_searched(row), *_told(row), revision, cluster, row.id) for row in changes.moved],
    )
    each(
        session,  # names no column of an index, so no index is written (performance 6)
        "UPDATE pods SET hash = ?, first_seen = ?, last_seen = ?, blob = ?, side = ?, rev = ? "
        "WHERE cluster_id = ? AND id = ?",
        [(*_told(row), revision, cluster, row.id) for row in changes.rewritten],
    )
    seen = "UPDATE pods SET last_seen = ? WHERE cluster_id = ? AND id = ?"
    each(session, seen, [(now, cluster, id_) for id_ in changes.seen])
    drop(session, "pods", "id", cluster, changes.dropped)


def _searched(row: PodRow) -> tuple[Any, ...]:
    folded = fold(row.name)
    identity = (row.name, row.namespace, row.deployment, row.created, row.uid, int(row.tells))
    return (*identity, row.owner_uid or None, folded if folded != row.name else None)


def _told(row: PodRow) -> tuple[Any, ...]:
    return row.content_hash, row.first_seen, row.last_seen, row.pod, row.side


def _write_children(session: Session, cluster: bytes, changes: Changes) -> None:
    drop(session, "live_instances", "pod_id", cluster, changes.digests)
    each(
        session,
        "INSERT INTO live_instances (cluster_id, pod_id, position, imagedigest) VALUES (?, ?, ?, ?)",
        [(cluster, id_, n, digest) for id_, digests in changes.digests.items() for n, digest in enumerate(digests)],
    )
    each(
        session,
        "INSERT INTO finished_runs (cluster_id, pod_id, container, key) VALUES (?, ?, ?, ?)",
        [(cluster, id_, *run) for id_, run in changes.runs],
    )


def _write_tombstones(session: Session, cluster: bytes, changes: Changes) -> None:
    drop(session, "tombstones", "id", cluster, [*changes.raised, *(row.id for row in changes.buried)])
    each(
        session,
        f"INSERT INTO tombstones (cluster_id, {_TOMBSTONE}, rev) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(cluster, *_tombstone_cells(row), changes.revision) for row in changes.buried],
    )


def _write_owners(session: Session, cluster: bytes, changes: Changes) -> None:
    drop(session, "owner_objects", "id", cluster, changes.lost_owners)
    each(
        session,
        f"INSERT INTO owner_objects (cluster_id, {_OWNER}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (cluster_id, id) "
        "DO UPDATE SET labels = excluded.labels, annotations = excluded.annotations, created = excluded.created",
        [(cluster, row.id, as_json(row.labels), as_json(row.annotations), row.created) for row in changes.owners],
    )


def _write_namespaces(session: Session, cluster: bytes, changes: Changes) -> None:
    drop(session, "namespaces", "id", cluster, changes.lost_namespaces)
    each(
        session,
        f"INSERT INTO namespaces (cluster_id, {_NAMESPACE}) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (cluster_id, id) DO UPDATE SET name = excluded.name, labels = excluded.labels, "
        "annotations = excluded.annotations",
        [(cluster, row.id, row.name, as_json(row.labels), as_json(row.annotations)) for row in changes.namespaces],
    )


def _write_counts(session: Session, cluster: bytes, counts: Mapping[str, int]) -> None:
    each(
        session,
        "INSERT INTO pod_counts (cluster_id, namespace, pods) VALUES (?, ?, ?) "
        "ON CONFLICT (cluster_id, namespace) DO UPDATE SET pods = pods + excluded.pods",
        [(cluster, namespace, count) for namespace, count in counts.items()],
    )
    left = [(cluster, namespace) for namespace, count in counts.items() if count < 0]
    each(session, "DELETE FROM pod_counts WHERE cluster_id = ? AND namespace = ? AND pods = 0", left)


def _write_status(session: Session, batch: Batch, changes: Changes, now: int) -> None:
    """Counters, and the checkpoint when the batch has one."""
    session.connection.execute(
        "INSERT INTO writers (cluster_id, revision, pods, tombstones, first_seen, last_seen, epoch, seq, versions, "
        "generation) VALUES (?, ?, ?, ?, ?, ?, x'', 0, '{}', 0) ON CONFLICT (cluster_id) DO UPDATE SET "
        "revision = excluded.revision, pods = pods + excluded.pods, tombstones = tombstones + excluded.tombstones, "
        "last_seen = excluded.last_seen",
        (batch.cluster, changes.revision, changes.pods, changes.tombstones, now, now),
    )
    if (told := batch.checkpoint) is not None:
        session.connection.execute(
            "UPDATE writers SET epoch = ?, seq = ?, versions = ?, generation = ? WHERE cluster_id = ?",
            (told.epoch, told.sequence, as_json(told.versions), told.generation, batch.cluster),
        )


def take(session: Session, cluster: bytes, epoch: bytes) -> int:
    """Raise the fence of a cluster."""
    _name(session, cluster)
    return _raise_fence(session, cluster, epoch)


def _raise_fence(session: Session, cluster: bytes, epoch: bytes) -> int:
    fence = session.connection.execute(
        "INSERT INTO fences (cluster_id, fence, epoch) VALUES (?, 1, ?) ON CONFLICT (cluster_id) DO UPDATE SET "
        "fence = fence + 1, epoch = excluded.epoch RETURNING fence",
        (cluster, epoch),
    ).get
    return int(fence)


def checkpoint(session: Session, cluster: bytes) -> Checkpoint:
    """The last checkpoint."""
    found = session.connection.execute(
        "SELECT epoch, seq, versions, generation FROM writers WHERE cluster_id = ?", (cluster,)
    ).get
    if found is None:
        return Checkpoint()
    epoch, seq, versions, generation = found
    return Checkpoint(epoch, seq, json.loads(versions), generation)


# --------------------------------------------------------------------------------------------- clusters


def put_cluster(session: Session, cluster: Cluster) -> None:
    """Register a cluster, or change it."""
    other = session.connection.execute("SELECT id FROM clusters WHERE name = ? AND id <> ?", (cluster.name, cluster.id))
    if other.get is not None:
        raise AlreadyExists(f"another cluster has the name {cluster.name}: choose another name")
    old = session.connection.execute("SELECT name FROM clusters WHERE id = ?", (cluster.id,)).get
    session.connection.execute(
        f"INSERT INTO clusters ({_CLUSTER}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
        "name = excluded.name, labels = excluded.labels, demo = excluded.demo, "
        "status_orchestratormetadata_version = excluded.status_orchestratormetadata_version, type = excluded.type, "
        "status_providermetadata_cluster_type = excluded.status_providermetadata_cluster_type",
        (
            cluster.id,
            cluster.name,
            as_json(cluster.labels),
            int(cluster.demo),
            cluster.kubernetes_version,
            cluster.type,
            cluster.provider_type,
        ),
    )
    if old is not None and old != cluster.name:
        session.connection.execute(
            "UPDATE workloads SET clustername = ? WHERE cluster_id = ?", (cluster.name, cluster.id)
        )


def clusters(session: Session) -> list[ClusterStatus]:
    """All clusters by name."""
    cells = ", ".join(f"c.{column}" for column in _CLUSTER.split(", "))
    found = session.connection.execute(
        f"SELECT w.pods, w.tombstones, w.generation, w.revision, w.first_seen, w.last_seen, {cells} "
        "FROM clusters AS c LEFT JOIN writers AS w ON w.cluster_id = c.id ORDER BY c.name"
    )
    return [
        ClusterStatus(
            Cluster(id_, name, json.loads(labels), bool(demo), *more),
            pods or 0,
            tombstones or 0,
            generation or 0,
            revision or 0,
            first_seen,
            last_seen,
        )
        for pods, tombstones, generation, revision, first_seen, last_seen, id_, name, labels, demo, *more in found
    ]


def close_cluster(session: Session, cluster: bytes) -> None:
    """Fence the writer of a cluster that is to be removed."""
    if session.connection.execute("SELECT 1 FROM fences WHERE cluster_id = ?", (cluster,)).get is not None:
        _raise_fence(session, cluster, b"")


def remove_some_rows(session: Session, cluster: bytes) -> bool:
    """Remove pods of a cluster with all that hangs on them, then the cluster; False when nothing is left."""
    if _remove_pods(session, cluster) or _remove_tombstones(session, cluster):
        return True
    for table in (*workloads.TABLES, *_SMALL_TABLES):
        session.connection.execute(f"DELETE FROM {table} WHERE cluster_id = ?", (cluster,))
    session.connection.execute("DELETE FROM clusters WHERE id = ?", (cluster,))
    return False


def _remove_pods(session: Session, cluster: bytes) -> bool:
    sql = "SELECT id, namespace FROM pods WHERE cluster_id = ? LIMIT ?"
    found: list[Any] = session.connection.execute(sql, (cluster, REMOVED_AT_ONCE)).fetchall()
    for table, column in (("pods", "id"), ("live_instances", "pod_id"), ("finished_runs", "pod_id")):
        drop(session, table, column, cluster, [id_ for id_, _ in found])
    gone = Counter(namespace for _, namespace in found)
    _write_counts(session, cluster, {namespace: -count for namespace, count in gone.items()})
    session.connection.execute("UPDATE writers SET pods = pods - ? WHERE cluster_id = ?", (len(found), cluster))
    return bool(found)


def _remove_tombstones(session: Session, cluster: bytes) -> bool:
    sql = "SELECT id FROM tombstones WHERE cluster_id = ? LIMIT ?"
    found: list[Any] = session.connection.execute(sql, (cluster, REMOVED_AT_ONCE)).fetchall()
    for table, column in (("tombstones", "id"), ("finished_runs", "pod_id")):
        drop(session, table, column, cluster, [id_ for (id_,) in found])
    return bool(found)


# ---------------------------------------------------------------------------------------------- staging


def stage(session: Session, name: str, rows: Sequence[Staged]) -> int:
    """Put rows on a stage; the number of clashes among them."""
    keys = {(name, row.kind, row.key) for row in rows}
    before = session.connection.executemany(
        f"SELECT {_STAGED} FROM staging WHERE stage = ? AND kind = ? AND key = ?", sorted(keys)
    )
    kept = {(row.kind, row.key): row for row in (Staged(*found) for found in before)}
    clashes = 0
    for row in rows:
        old = kept.get((row.kind, row.key))
        clashes += old is not None and old.name != row.name
        if old is None or overrides(row, old):
            kept[row.kind, row.key] = row
    session.connection.executemany(
        f"INSERT INTO staging (stage, {_STAGED}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (stage, kind, key) "
        "DO UPDATE SET version = excluded.version, name = excluded.name, payload = excluded.payload",
        [(name, *_staged_cells(kept[row])) for row in sorted(kept)],
    )
    return clashes


def staged(session: Session, name: str, kind: str, after: str, limit: int) -> list[Staged]:
    """Rows of a stage by key."""
    found = session.connection.execute(
        f"SELECT {_STAGED} FROM staging WHERE stage = ? AND kind = ? AND key > ? ORDER BY key LIMIT ?",
        (name, kind, after, limit),
    )
    return [Staged(*row) for row in found]


def remove_some_staged(session: Session, name: str) -> bool:
    """Remove rows of a stage; False when none are left."""
    found = session.connection.execute(
        "SELECT stage, kind, key FROM staging WHERE stage = ? LIMIT ?", (name, REMOVED_AT_ONCE)
    ).fetchall()
    session.connection.executemany("DELETE FROM staging WHERE stage = ? AND kind = ? AND key = ?", found)
    return bool(found)
