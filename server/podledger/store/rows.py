"""The rows that engines keep, and what a batch changes in them.

How the rows lie in tables is the engine's matter. `Rows` is how `applying` reads them, `Changes` is what
it gives back to be written.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Protocol

from podledger.pods import workload_bytes
from podledger.pods.identity import RunKey
from podledger.pods.workloads import Workload
from podledger.store.contract import Applied
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord
from podledger_protos.storage.deployment_pb2 import Pod

_WINDOW_BITS = -13
"""Raw deflate with a window of 8 KiB: more than message and rest together. Part of the format of the rows."""
_MEMORY_LEVEL = 5
"""Setting up the default takes longer than deflating a pod."""


@dataclass(frozen=True, slots=True)
class PodRow:
    """A live pod as stored. `pod` is the message that readers get, `side` the rest of its record (`packed`)."""

    id: bytes
    name: str
    namespace: str
    deployment: bytes | None
    created: int | None
    uid: str
    owner_uid: str
    tells: bool
    """Whether it may tell the row of its workload (`contract.Upsert.tells_workload`)."""
    content_hash: bytes
    first_seen: int
    last_seen: int
    pod: bytes
    side: bytes

    @property
    def searched(self) -> tuple[object, ...]:
        """The columns that are looked for. Where they stay, only bytes are written (performance 6)."""
        return self.name, self.namespace, self.deployment, self.created, self.uid, self.owner_uid, self.tells

    def record(self) -> PodRecord:
        """The record with its pod."""
        return unpacked(self.pod, self.side)


def packed(record: PodRecord) -> tuple[bytes, bytes]:
    """Message, and the rest of the record. The record has no pod afterwards.

    The rest repeats much of the message, so it is deflated against it: to a quarter, which lets most
    rows lie in their page and half as many pages be written.
    """
    message = record.pod.SerializeToString(deterministic=True)
    record.ClearField("pod")
    deflate = zlib.compressobj(1, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, message)
    return message, deflate.compress(record.SerializeToString(deterministic=True)) + deflate.flush()


def unpacked(message: bytes, side: bytes) -> PodRecord:
    """What `packed` has taken apart."""
    inflate = zlib.decompressobj(_WINDOW_BITS, message)
    record = PodRecord.FromString(inflate.decompress(side))
    record.pod.ParseFromString(message)
    return record


def created_at(pod: Pod) -> int | None:
    """Microseconds since 1970; a pod that does not tell comes before all others."""
    started = pod.started
    return started.seconds * 1_000_000 + started.nanos // 1000 if pod.HasField("started") else None


@dataclass(frozen=True, slots=True)
class TombstoneRow:
    """A gone pod. Without bytes nothing but its identity is known."""

    id: bytes
    reason: str
    generation: int
    first_seen: int | None
    last_seen: int | None
    deleted_at: int
    pod: bytes | None
    side: bytes | None


@dataclass(frozen=True, slots=True)
class Newest:
    """What decides which pod a workload row is derived from."""

    pod: bytes
    created: int | None
    uid: str

    @property
    def rank(self) -> tuple[bool, int, str, bytes]:
        """The newest has the greatest: latest creation, of equal ones the greater uid (ingest 5.6)."""
        return self.created is not None, self.created or 0, self.uid, self.pod


@dataclass(frozen=True, slots=True)
class WorkloadHead:
    """What a batch must know of a workload that is stored."""

    id: bytes
    namespace: str
    namespace_id: bytes | None
    cluster_name: str
    newest: Newest | None
    digest: bytes
    """Of everything but id, namespace id and cluster name, which change by themselves."""


@dataclass(frozen=True, slots=True)
class WorkloadRow:
    """A workload, with the pod that tells it; None for one that another system told as a whole."""

    workload: Workload
    newest: Newest | None

    @property
    def head(self) -> WorkloadHead:
        """What a later batch must know of it."""
        told = self.workload
        return WorkloadHead(
            told.deployment_id, told.namespace, told.namespace_id, told.cluster_name, self.newest, _digest(told)
        )


def _digest(workload: Workload) -> bytes:
    settled = replace(workload, namespace_id=None, cluster_name="")
    return blake2b(workload_bytes.encode(settled), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """What the object of a top owner tells of its workload, which has the same id."""

    id: bytes
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    created: int | None


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """A namespace object."""

    id: bytes
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a cluster's rows stand at before a batch."""

    cluster: bytes
    name: str
    revision: int = 0
    generation: int = 0


class Rows(Protocol):
    """The rows of one cluster before the batch."""

    def pods(self, ids: Collection[bytes]) -> Iterable[PodRow]:
        """The live ones among these pods."""
        ...

    def tombstones(self, ids: Collection[bytes]) -> Iterable[TombstoneRow]:
        """The gone ones among these pods."""
        ...

    def runs(self, ids: Collection[bytes]) -> Iterable[tuple[bytes, RunKey]]:
        """All recorded runs of these pods."""
        ...

    def owned(self, owner_uid: str) -> Collection[bytes]:
        """The live pods with this tracked direct owner."""
        ...

    def workloads(self, ids: Collection[bytes]) -> Iterable[WorkloadHead]:
        """The rows of these workloads."""
        ...

    def workloads_in(self, namespace: str) -> Iterable[WorkloadHead]:
        """The rows of all workloads of a namespace."""
        ...

    def members(self, workload: bytes) -> Iterable[Newest]:
        """The live pods of a workload that may tell its row."""
        ...

    def owners(self, ids: Collection[bytes]) -> Iterable[OwnerRow]:
        """The objects of these top owners."""
        ...

    def namespaces(self, names: Collection[str]) -> Iterable[NamespaceRow]:
        """The namespace objects with these names."""
        ...

    def namespace(self, id_: bytes) -> NamespaceRow | None:
        """The namespace object with this uid."""
        ...


# --------------------------------------------------------------------------------------------- changes


@dataclass(slots=True)
class Changes:
    """What to write. Rows of pods come sorted by key."""

    revision: int
    added: list[PodRow] = field(default_factory=list)
    moved: list[PodRow] = field(default_factory=list)
    """Rows of which searched columns change."""
    rewritten: list[PodRow] = field(default_factory=list)
    """Rows of which only bytes, hash and `last_seen` change."""
    seen: list[bytes] = field(default_factory=list)
    """Unchanged pods; only `last_seen` moves."""
    dropped: list[bytes] = field(default_factory=list)
    """Pods that leave the live ones."""
    digests: dict[bytes, list[str]] = field(default_factory=dict)
    """All digests of the live instances of a pod, in order, where they change."""
    runs: list[tuple[bytes, RunKey]] = field(default_factory=list)
    buried: list[TombstoneRow] = field(default_factory=list)
    raised: list[bytes] = field(default_factory=list)
    """Tombstones to drop: their pods live again."""
    workloads: list[WorkloadRow] = field(default_factory=list)
    """Rows to write whole, with all their children."""
    placed: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    """Workloads of which only the namespace id changes."""
    lost_workloads: list[bytes] = field(default_factory=list)
    owners: list[OwnerRow] = field(default_factory=list)
    lost_owners: list[bytes] = field(default_factory=list)
    namespaces: list[NamespaceRow] = field(default_factory=list)
    lost_namespaces: list[bytes] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """Namespace -> by how much its number of live pods changes; never 0."""
    tombstones: int = 0
    """By how much their number changes."""
    upserted: int = 0
    removed: int = 0

    @property
    def pods(self) -> int:
        """By how much the number of live pods changes."""
        return len(self.added) - len(self.dropped)

    @property
    def anything(self) -> bool:
        """Whether more than `last_seen` changes."""
        pods = (self.added, self.moved, self.rewritten, self.dropped, self.runs, self.buried, self.raised)
        workloads = (self.workloads, self.placed, self.lost_workloads, self.owners, self.lost_owners)
        return any((*pods, *workloads, self.namespaces, self.lost_namespaces))

    @property
    def applied(self) -> Applied:
        """The answer to the writer."""
        return Applied(self.revision, self.upserted, len(self.seen), self.removed)
