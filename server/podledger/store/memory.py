"""The engine that holds everything in memory: the smallest correct one, and the yardstick of the others.

The whole state is one immutable value. A batch makes the next state and puts it in place at once, so a
read sees one state however long it takes, and a batch that fails leaves no trace. Queries are answered
by `query.matching`, pod by pod.

Caveats: nothing survives the process, and every batch copies the key tables of its cluster.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from podledger.errors import AlreadyExists, DeadlineExceeded, Fenced, NotFound, StoreClosed
from podledger.pods.identity import NO_CLUSTER, PodKey, RunKey, uuid_text
from podledger.pods.merging import MergeMode
from podledger.pods.workloads import Workload
from podledger.query.matching import Row, arrange, predicate
from podledger.query.paging import Paging, SortKey
from podledger.query.scope import Scope
from podledger.query.syntax import Query
from podledger.store import applying, columns
from podledger.store.clocks import Clock, wall_clock
from podledger.store.contract import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    Applied,
    Batch,
    Checkpoint,
    Chunk,
    Cluster,
    ClusterStatus,
    Count,
    Page,
    Staged,
)
from podledger.store.rows import (
    Changes,
    Ledger,
    NamespaceRow,
    Newest,
    OwnerRow,
    PodRow,
    TombstoneRow,
    WorkloadHead,
    WorkloadRow,
)
from podledger.store.staging import overrides

ROWS_PER_TURN = 200
"""Pods that a read tests before others get their turn and the clock is looked at."""


# ----------------------------------------------------------------------------------------------- state


@dataclass(frozen=True)
class _Holding:
    """What is known of one cluster. Never changed in place."""

    cluster: Cluster
    pods: Mapping[bytes, PodRow] = field(default_factory=dict)
    digests: Mapping[bytes, Sequence[str]] = field(default_factory=dict)
    runs: Mapping[bytes, frozenset[RunKey]] = field(default_factory=dict)
    tombstones: Mapping[bytes, TombstoneRow] = field(default_factory=dict)
    workloads: Mapping[bytes, WorkloadRow] = field(default_factory=dict)
    owners: Mapping[bytes, OwnerRow] = field(default_factory=dict)
    namespaces: Mapping[bytes, NamespaceRow] = field(default_factory=dict)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    revision: int = 0
    first_seen: int | None = None
    last_seen: int | None = None

    def after(self, changes: Changes, batch: Batch, now: int) -> _Holding:
        """The next state of the cluster."""
        written = [*changes.added, *changes.moved, *changes.rewritten]
        seen = [replace(self.pods[id_], last_seen=now) for id_ in changes.seen]
        runs = dict(self.runs)
        for id_, run in changes.runs:
            runs[id_] = runs.get(id_, frozenset()) | {run}
        return replace(
            self,
            pods=_edited(self.pods, {row.id: row for row in written + seen}, changes.dropped),
            digests={id_: digests for id_, digests in {**self.digests, **changes.digests}.items() if digests},
            runs=runs,
            tombstones=_edited(self.tombstones, {row.id: row for row in changes.buried}, changes.raised),
            workloads=_edited(
                self.workloads,
                {row.workload.deployment_id: row for row in changes.workloads + self._placed(changes)},
                changes.lost_workloads,
            ),
            owners=_edited(self.owners, {row.id: row for row in changes.owners}, changes.lost_owners),
            namespaces=_edited(self.namespaces, {row.id: row for row in changes.namespaces}, changes.lost_namespaces),
            checkpoint=batch.checkpoint or self.checkpoint,
            revision=changes.revision,
            first_seen=now if self.first_seen is None else self.first_seen,
            last_seen=now,
        )

    def _placed(self, changes: Changes) -> list[WorkloadRow]:
        return [_with(self.workloads[id_], namespace_id=namespace) for id_, namespace in changes.placed]

    def named(self, cluster: Cluster) -> _Holding:
        """The state with the cluster as registered anew."""
        if cluster.name == self.cluster.name:
            return replace(self, cluster=cluster)
        workloads = {id_: _with(row, cluster_name=cluster.name) for id_, row in self.workloads.items()}
        return replace(self, cluster=cluster, workloads=workloads)


def _with(row: WorkloadRow, **cells: Any) -> WorkloadRow:
    return replace(row, workload=replace(row.workload, **cells))


def _edited(rows: Mapping[bytes, Any], put: Mapping[bytes, Any], dropped: Collection[bytes]) -> dict[bytes, Any]:
    gone = set(dropped)
    return {id_: row for id_, row in {**rows, **put}.items() if id_ not in gone}


class _HoldingRows:
    """The rows of one cluster (`rows.Rows`)."""

    def __init__(self, holding: _Holding) -> None:
        self._held = holding

    def pods(self, ids: Collection[bytes]) -> list[PodRow]:
        return [self._held.pods[id_] for id_ in ids if id_ in self._held.pods]

    def tombstones(self, ids: Collection[bytes]) -> list[TombstoneRow]:
        return [self._held.tombstones[id_] for id_ in ids if id_ in self._held.tombstones]

    def runs(self, ids: Collection[bytes]) -> list[tuple[bytes, RunKey]]:
        return [(id_, run) for id_ in ids for run in self._held.runs.get(id_, ())]

    def owned(self, owner_uid: str) -> list[bytes]:
        return [row.id for row in self._held.pods.values() if row.owner_uid == owner_uid]

    def workloads(self, ids: Collection[bytes]) -> list[WorkloadHead]:
        return [self._held.workloads[id_].head for id_ in ids if id_ in self._held.workloads]

    def workloads_in(self, namespace: str) -> list[WorkloadHead]:
        return [row.head for row in self._held.workloads.values() if row.workload.namespace == namespace]

    def members(self, workload: bytes) -> list[Newest]:
        pods = self._held.pods.values()
        return [Newest(row.id, row.created, row.uid) for row in pods if row.deployment == workload and row.tells]

    def owners(self, ids: Collection[bytes]) -> list[OwnerRow]:
        return [self._held.owners[id_] for id_ in ids if id_ in self._held.owners]

    def namespaces(self, names: Collection[str]) -> list[NamespaceRow]:
        return [row for row in self._held.namespaces.values() if row.name in names]

    def namespace(self, id_: bytes) -> NamespaceRow | None:
        return self._held.namespaces.get(id_)


VALUE = "value of the row"
"""Where a searched row has the value that it was made of; no column is named so."""

CHILDREN = {child.table: child for outer in columns.CHILDREN for child in (outer, *outer.below)}


def _row(kept: columns.Columns, cluster: bytes, value: Any) -> Row:
    return {"cluster_id": cluster, VALUE: value, **columns.cells(kept, value)}


@dataclass(frozen=True)
class _State:
    """Everything but fences and stages. Never changed in place."""

    holdings: Mapping[bytes, _Holding] = field(default_factory=dict)

    @cached_property
    def keys(self) -> list[PodKey]:
        """All live pods in the order of exports."""
        return sorted(PodKey(cluster, pod) for cluster, held in self.holdings.items() for pod in held.pods)

    def pod(self, key: PodKey) -> Row:
        """A pod as it is searched. `cluster_id` and `digests` are for `rows` alone."""
        held = self.holdings[key.cluster]
        row = held.pods[key.pod]
        return {
            "cluster_id": key.cluster,
            "id": row.id,
            "name": row.name,
            "namespace": row.namespace,
            "deploymentid": row.deployment,
            "clusterid": key.cluster if key.cluster != NO_CLUSTER else None,
            "digests": held.digests.get(row.id, ()),
        }

    def message(self, row: Row) -> bytes:
        """The stored message of a pod."""
        return self.holdings[row["cluster_id"]].pods[row["id"]].pod

    def rows(self, table: str, parent: Row) -> Sequence[Row]:
        """The rows that belong to a row (`matching.Related`). A table that is not here is empty."""
        match table:
            case "pods_live_instances":
                return [{"imagedigest": digest} for digest in parent["digests"]]
            case "deployments":
                return [_row(columns.WORKLOAD, cluster, told) for cluster, told in self._workloads(parent)]
            case "namespaces":
                return [*self._namespaces(parent)]
            case "clusters":
                return [*self._clusters(parent)]
        child = CHILDREN.get(table)
        if child is None:
            return ()
        above = [parent] if VALUE in parent else self._children_of_all(parent)
        return [
            _row(child.columns, row["cluster_id"], value)
            for row in above
            for value in getattr(row[VALUE], child.attribute)
        ]

    def _children_of_all(self, pod: Row) -> Iterator[Row]:
        """The workloads of a pod; their children need no join with them."""
        return (_row({}, cluster, told) for cluster, told in self._workloads(pod))

    def _workloads(self, pod: Row) -> Iterator[tuple[bytes, Workload]]:
        for cluster, held in self._joinable(pod["cluster_id"]):
            if (row := held.workloads.get(pod["deploymentid"])) is not None:
                yield cluster, row.workload

    def _namespaces(self, workload: Row) -> Iterator[Row]:
        for cluster, held in self._joinable(workload["cluster_id"]):
            if (row := held.namespaces.get(workload["namespaceid"])) is not None:
                yield _row(columns.NAMESPACE, cluster, row)

    def _clusters(self, namespace: Row) -> Iterator[Row]:
        held = self.holdings.get(namespace["cluster_id"])
        if held is not None and held.cluster.id != NO_CLUSTER:
            yield _row(columns.CLUSTER, held.cluster.id, held.cluster)

    def _joinable(self, cluster: bytes) -> Iterator[tuple[bytes, _Holding]]:
        """A row of one cluster is never joined to one of another; one without a cluster is, to all."""
        for other, held in self.holdings.items():
            if other == cluster or NO_CLUSTER in (other, cluster):
                yield other, held


# ----------------------------------------------------------------------------------------------- store


class MemoryStore:
    """An engine without a file."""

    def __init__(self, *, merge_mode: MergeMode = "dedupe", clock: Clock = wall_clock) -> None:
        self._merge_mode = merge_mode
        self._clock = clock
        self._state = _State()
        self._fences: dict[bytes, int] = {}
        self._stages: dict[str, dict[tuple[str, str], Staged]] = {}
        self._open = False

    async def open(self) -> None:
        """Begin, empty."""
        self._open = True

    async def ready(self) -> None:
        """Ready while open."""
        self.check()

    async def close(self) -> None:
        """End."""
        self._open = False

    def check(self, deadline: float | None = None) -> None:
        """Raise when the store is closed or the deadline has passed."""
        if not self._open:
            raise StoreClosed
        if deadline is not None and time.monotonic() >= deadline:
            raise DeadlineExceeded

    def reader(self, scope: Scope) -> MemoryReader:
        """Pods as `scope` sees them."""
        return MemoryReader(self, scope)

    @property
    def state(self) -> _State:
        """What is committed."""
        return self._state

    # writes

    def _holding(self, cluster: bytes) -> _Holding:
        self.check()
        held = self._state.holdings.get(cluster)
        if held is None and cluster != NO_CLUSTER:
            raise NotFound(f"cluster {uuid_text(cluster)} is not registered")
        return held or _Holding(Cluster(NO_CLUSTER, ""))

    def _put(self, held: _Holding) -> None:
        self._state = _State({**self._state.holdings, held.cluster.id: held})

    async def take(self, cluster: bytes, epoch: bytes) -> int:  # noqa: ARG002 - the epoch is for those who look
        """Raise the fence of a cluster, and give it."""
        self._holding(cluster)
        self._fences[cluster] = self._fences.get(cluster, 0) + 1
        return self._fences[cluster]

    async def checkpoint(self, cluster: bytes) -> Checkpoint:
        """The last checkpoint."""
        self.check()
        held = self._state.holdings.get(cluster)
        return held.checkpoint if held else Checkpoint()

    async def apply(self, batch: Batch) -> Applied:
        """Apply a batch."""
        held, now = self._holding(batch.cluster), self._clock()
        if self._fences.get(batch.cluster) != batch.fence:
            raise Fenced
        ledger = Ledger(batch.cluster, held.cluster.name, held.revision, held.checkpoint.generation)
        changes = applying.changes(batch, _HoldingRows(held), ledger, mode=self._merge_mode, now=now)
        self._put(held.after(changes, batch, now))
        return changes.applied

    # staging

    async def stage(self, stage: str, rows: Sequence[Staged]) -> int:
        """Add rows to a stage."""
        self.check()
        kept, clashes = self._stages.setdefault(stage, {}), 0
        for row in rows:
            before = kept.get((row.kind, row.key))
            clashes += before is not None and before.name != row.name
            if before is None or overrides(row, before):
                kept[row.kind, row.key] = row
        return clashes

    async def staged(self, stage: str, kind: str, *, after: str = "", limit: int = 500) -> list[Staged]:
        """Rows of one kind by key."""
        self.check()
        rows = sorted(self._stages.get(stage, {}).values(), key=lambda row: row.key)
        return [row for row in rows if row.kind == kind and row.key > after][:limit]

    async def unstage(self, stage: str) -> None:
        """Drop a stage."""
        self.check()
        self._stages.pop(stage, None)

    # clusters

    async def put_cluster(self, cluster: Cluster) -> None:
        """Register a cluster, or change it."""
        self.check()
        others = (held.cluster for held in self._state.holdings.values())
        if any(other.name == cluster.name and other.id != cluster.id for other in others):
            raise AlreadyExists(f"another cluster has the name {cluster.name}: choose another name")
        held = self._state.holdings.get(cluster.id)
        self._put(held.named(cluster) if held else _Holding(cluster))

    async def clusters(self) -> list[ClusterStatus]:
        """All clusters by name."""
        self.check()
        held = sorted(self._state.holdings.values(), key=lambda held: held.cluster.name)
        return [
            ClusterStatus(
                cluster=one.cluster,
                pods=len(one.pods),
                tombstones=len(one.tombstones),
                generation=one.checkpoint.generation,
                revision=one.revision,
                first_seen=one.first_seen,
                last_seen=one.last_seen,
            )
            for one in held
            if one.cluster.id != NO_CLUSTER
        ]

    async def remove_cluster(self, cluster: bytes) -> None:
        """Remove a cluster. Its fence is raised and stays: a former writer cannot come back."""
        self.check()
        if cluster in self._fences:
            self._fences[cluster] += 1
        self._state = _State({id_: held for id_, held in self._state.holdings.items() if id_ != cluster})


# ---------------------------------------------------------------------------------------------- reader


class MemoryReader:
    """Reads of a `MemoryStore` under one scope."""

    def __init__(self, store: MemoryStore, scope: Scope) -> None:
        self._store = store
        self._scope = scope

    async def _matching(
        self,
        state: _State,
        query: Query,
        *,
        order: Sequence[SortKey] = (),
        after: PodKey | None,
        deadline: float | None,
    ) -> AsyncGenerator[Row, None]:
        """The matching pods in the order of keys."""
        holds = predicate(query, order)
        self._store.check(deadline)
        first = bisect_right(state.keys, after) if after is not None else 0
        for number, key in enumerate(state.keys[first:], start=1):
            row = state.pod(key)
            if self._scope.covers(row["clusterid"], row["namespace"]) and holds(row, state):
                yield row
            if number % ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
                self._store.check(deadline)

    async def page(self, query: Query, paging: Paging, *, deadline: float | None = None) -> Page:
        """Read one window of the ordered matches."""
        state = self._store.state
        async with aclosing(self._matching(state, query, order=paging.order, after=None, deadline=deadline)) as found:
            rows = arrange(query, [row async for row in found], state, order=paging.order)
        end = paging.offset + paging.limit
        return Page(tuple(map(state.message, rows[paging.offset : end])), more=len(rows) > end)

    async def scan(
        self,
        query: Query,
        *,
        after: PodKey | None = None,
        deadline: float | None = None,
        chunk_rows: int = CHUNK_ROWS,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> AsyncGenerator[Chunk, None]:
        """Walk all matches in key order."""
        while True:
            await asyncio.sleep(0)
            chunk = await self._chunk(query, after, deadline, rows=chunk_rows, size=chunk_bytes)
            if chunk is None:
                return
            yield chunk
            after = chunk.last

    async def _chunk(
        self, query: Query, after: PodKey | None, deadline: float | None, *, rows: int, size: int
    ) -> Chunk | None:
        state = self._store.state
        messages: list[bytes] = []
        async with aclosing(self._matching(state, query, after=after, deadline=deadline)) as found:
            async for row in found:
                messages.append(state.message(row))
                after = PodKey(row["cluster_id"], row["id"])
                size -= len(messages[-1])
                if size <= 0 or len(messages) == rows:
                    break
        return Chunk(tuple(messages), after) if messages and after is not None else None

    async def count(self, query: Query, *, at_most: int | None, deadline: float | None = None) -> Count:
        """Count the matches."""
        number = 0
        async with aclosing(self._matching(self._store.state, query, after=None, deadline=deadline)) as found:
            async for _ in found:
                number += 1
                if at_most is not None and number > at_most and query.conditions:
                    return Count(at_most, exact=False)
        return Count(number, exact=True)

    async def get(self, key: PodKey) -> bytes | None:
        """The stored message of one live pod."""
        self._store.check()
        state = self._store.state
        if key.cluster not in state.holdings or key.pod not in state.holdings[key.cluster].pods:
            return None
        row = state.pod(key)
        return state.message(row) if self._scope.covers(row["clusterid"], row["namespace"]) else None
