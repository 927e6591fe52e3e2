"""The store contract: what every engine promises, whatever it is made of.

Roles
    `Reader`     pods under one scope: `page`, `scan`, `count`, `get`
    `Writer`     changes of one cluster, under its fence: `take`, `checkpoint`, `apply`
    `Staging`    rows put aside by an import until it knows how to map them
    `Registry`   the clusters
    `Upkeep`     `open`, `ready`, `close`
composed into `Store`.

Promises, each with a test in `tests/store`
    Scope       There is no read without a `Scope`. It is ANDed to the query before counting and paging.
    Order       `page`: the sort keys, NULLs last in both directions, then pod id, then cluster id with
                "no cluster" last. `scan`: cluster id, then pod id, ascending, "no cluster" first.
    Text        Case, wildcards, Unicode, empty text and NULL mean the same on every engine: what
                `query.matching` says.
    Short reads Each page and each chunk is one short read. Nothing (connection, transaction, thread)
                is held while the caller holds a result, nor after cancellation.
    Scan        A pod that exists and matches from start to end comes exactly once, any other at most
                once, each as one committed version. `after` resumes anywhere; the key need not exist.
    Apply       Atomic, idempotent, durable when it returns, visible to the next read. Without the
                current fence nothing is written.
    Bytes       A stored `storage.Pod` message is returned as the bytes that were stored.
    Deadline    `deadline` is a moment of `time.monotonic()`. When it passes, the read is interrupted
                and raises `DeadlineExceeded`. Cancelling the awaiting task interrupts the read too.

Errors that may come out
    `StoreClosed`, `StoreUnavailable`   nothing was done; a retry can help (not after `close`)
    `DeadlineExceeded`                  of reads; a retry with more time can help
    `Fenced`                            of `apply`; take the fence again or stop
    `NotFound`                          of writes to a cluster that is not registered
    `AlreadyExists`                     of `put_cluster`: the name belongs to another cluster
    `SchemaTooNew`, `BadInput`          of `open`
    `StoreFailed`                       anything else; the driver's error is chained
`close` twice is no error.

Instants are integer microseconds since 1970 UTC. Ids of clusters and pods are 16 bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from podledger.pods.identity import PodKey
from podledger.pods.workloads import Workload
from podledger.query.paging import Paging
from podledger.query.scope import Scope
from podledger.query.syntax import Query
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord
from podledger_protos.storage.deployment_pb2 import ContainerInstance

PAGE_SECONDS = 5.0
"""Longest time for one chunk of a scan (pod-service 13.2)."""
CHUNK_ROWS = 256
CHUNK_BYTES = 128 * 1024
"""Bounds of a chunk, so that two of them per stalled export stay cheap (operations 7)."""


# ---------------------------------------------------------------------------------------------- reads


@dataclass(frozen=True, slots=True)
class Page:
    """Stored messages in order, and whether more matching pods follow the last one."""

    messages: tuple[bytes, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """A non-empty run of a scan: stored messages in order, and the key of the last one."""

    messages: tuple[bytes, ...]
    last: PodKey


@dataclass(frozen=True, slots=True)
class Count:
    """`value` matching pods; not `exact` means "this many or more"."""

    value: int
    exact: bool


class Reader(Protocol):
    """Reads pods as one scope sees them. Making one is synchronous, cannot fail and holds nothing."""

    async def page(self, query: Query, paging: Paging, *, deadline: float | None = None) -> Page:
        """Read one window of the ordered matches. One row more than asked is read to tell `more`."""
        ...

    def scan(
        self,
        query: Query,
        *,
        after: PodKey | None = None,
        deadline: float | None = None,
        chunk_rows: int = CHUNK_ROWS,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> AsyncIterator[Chunk]:
        """Walk all matches in key order, beginning after `after`.

        A chunk has at most `chunk_rows` pods and ends with the pod that reaches `chunk_bytes`. Each
        chunk has `PAGE_SECONDS` of its own; `deadline` bounds the whole walk. The iterator ends only
        when nothing follows the last key.
        """
        ...

    async def count(self, query: Query, *, at_most: int | None, deadline: float | None = None) -> Count:
        """Count the matches that joins and sort-free conditions leave.

        With `at_most` N, counting stops above N and gives `Count(N, exact=False)`. A query without
        conditions costs nothing and is always exact.
        """
        ...

    async def get(self, key: PodKey) -> bytes | None:
        """The stored message of one live pod; None when absent or out of scope."""
        ...


# --------------------------------------------------------------------------------------------- writes


@dataclass(frozen=True, slots=True)
class Upsert:
    """A pod as seen: merged into the stored one by `pods.merging`.

    `content_hash` is the hash of the record as mapped (`pods.from_kubernetes`). Equal to the stored
    hash and with nothing carried, the pod is unchanged and only its `last_seen` moves.
    `carried` are instances finished in versions of the pod that were skipped on the way.
    """

    record: PodRecord
    content_hash: bytes
    source_version: str = ""
    carried: tuple[ContainerInstance, ...] = ()
    tells_workload: bool = True
    """False for pods of another system, from which no workload row is derived (ingest 7.4)."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A pod that is gone. It leaves the live pods and becomes a tombstone; unknown is no error."""

    pod: bytes
    reason: str
    """`event`, `absent`, `finished`, `import` or `cluster_removed`."""
    record: PodRecord | None = None
    """The final state, merged before the pod leaves; None keeps the stored one."""


@dataclass(frozen=True, slots=True)
class OwnerUpdate:
    """All live pods whose tracked direct owner is `owner_uid` get this owner (ingest 5.4)."""

    owner_uid: str
    deployment_id: str
    top_kind: str
    top_name: str
    top_uid: str
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class NamespaceUpdate:
    """A namespace object of the cluster, or (`gone`) the news that it is gone."""

    uid: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    gone: bool = False


@dataclass(frozen=True, slots=True)
class OwnerMetadata:
    """The object of a top owner (a Deployment, StatefulSet, DaemonSet, CronJob, …), or that it is gone.

    What it tells goes into the workload row of that id (ingest 5.6); the object may come before or
    after the pods.
    """

    uid: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    created: int | None = None
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far the writer of a cluster has come; stored in the transaction of the batch."""

    epoch: bytes = b""
    sequence: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    """Kubernetes resource -> resourceVersion."""
    generation: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes of one cluster, applied in one transaction if `fence` is still the cluster's.

    Order inside: namespaces, owner metadata, upserts (a later one of the same pod wins), removals,
    owner updates, told workloads. `NO_CLUSTER` needs no registration.
    """

    cluster: bytes
    fence: int
    upserts: tuple[Upsert, ...] = ()
    removals: tuple[Removal, ...] = ()
    owners: tuple[OwnerUpdate, ...] = ()
    namespaces: tuple[NamespaceUpdate, ...] = ()
    metadata: tuple[OwnerMetadata, ...] = ()
    workloads: tuple[Workload, ...] = ()
    """Told as a whole by another system: they replace what is stored under their id, live on without
    live pods, and are replaced whole by a row that is derived from pods (ingest 7.4)."""
    checkpoint: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did. `revision` is the cluster's counter, raised once per batch that changed something."""

    revision: int
    upserted: int
    unchanged: int
    removed: int


class Writer(Protocol):
    """Writes under a fence. Whoever holds the fence of a cluster is its one writer."""

    async def take(self, cluster: bytes, epoch: bytes) -> int:
        """Take the cluster over: raise its fence durably and give it. The former holder is `Fenced`."""
        ...

    async def checkpoint(self, cluster: bytes) -> Checkpoint:
        """The last durable checkpoint; an empty one when there is none."""
        ...

    async def apply(self, batch: Batch) -> Applied:
        """Apply a batch; see the promises above."""
        ...


# -------------------------------------------------------------------------------------------- staging


@dataclass(frozen=True, slots=True)
class Staged:
    """A row of a stage. Identity is (kind, key).

    Of two rows with one identity the one with the higher decimal `version` wins; where a version is
    not decimal, the later row. Rows whose `name` differs from the one before are counted as clashes.
    """

    kind: str
    key: str
    version: str
    name: str
    payload: bytes


class Staging(Protocol):
    """Rows put aside, durable or not, apart from live rows and invisible to readers."""

    async def stage(self, stage: str, rows: Sequence[Staged]) -> int:
        """Add rows to a stage (any text names one). Gives the number of clashes among them."""
        ...

    async def staged(self, stage: str, kind: str, *, after: str = "", limit: int = 500) -> list[Staged]:
        """Rows of one kind in bytewise order of their keys, beginning after the key `after`."""
        ...

    async def unstage(self, stage: str) -> None:
        """Drop a stage. An unknown one is no error."""
        ...


# ------------------------------------------------------------------------------------ clusters, upkeep


@dataclass(frozen=True, slots=True)
class Cluster:
    """A registered cluster. Names are unique."""

    id: bytes
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    demo: bool = False
    """True for the clusters of the demo fleet, which may be removed as a whole."""
    kubernetes_version: str | None = None
    type: int | None = None
    """Platform: `clusters.type`, label Cluster Platform Type. None when not told, as below."""
    provider_type: int | None = None
    """Of the provider: label Cluster Type."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """A cluster with what the store knows about it. Instants are None before the first batch."""

    cluster: Cluster
    pods: int
    tombstones: int
    generation: int
    revision: int
    first_seen: int | None
    last_seen: int | None
    """When the last batch was applied, by the store's clock."""


class Registry(Protocol):
    """The clusters that may be written to."""

    async def put_cluster(self, cluster: Cluster) -> None:
        """Register, or rename: workload rows of the cluster take the new name in the same transaction."""
        ...

    async def clusters(self) -> list[ClusterStatus]:
        """All clusters, by name, bytewise."""
        ...

    async def remove_cluster(self, cluster: bytes) -> None:
        """Remove a cluster with all its rows, tombstones included. Unknown is no error."""
        ...


class Upkeep(Protocol):
    """Life of the store."""

    async def open(self) -> None:
        """Open or create the database and bring its schema up to date."""
        ...

    async def ready(self) -> None:
        """Return if reads and writes work; otherwise raise what is wrong."""
        ...

    async def close(self) -> None:
        """Finish the writes that were accepted, interrupt reads, release everything."""
        ...


class Store(Writer, Staging, Registry, Upkeep, Protocol):
    """An engine."""

    def reader(self, scope: Scope) -> Reader:
        """Pods as `scope` sees them."""
        ...
