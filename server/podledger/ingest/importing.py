"""Import of files: records -> the store's stage -> owners and mapping -> the sink; a summary at the end.

Two steps, so that neither the order of the input nor its size matters. First every record is put into
the store's stage, cut down to the fields that are read; of several records with one uid the newest
stays. A mistake in the input therefore shows before anything is changed. Then the owners are learnt
from the stage, and the pods are read from it page by page, mapped and written under the cluster's
fence. An import is partial: it adds and updates pods and never takes one away (ingest 7.3).

One bad object is counted and skipped. A text that is no JSON or YAML ends the import.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Final

from podledger.errors import BadInput
from podledger.ingest import addressing
from podledger.ingest.addressing import Address
from podledger.ingest.reading import Record, read
from podledger.ingest.sinking import LocalSink, Sunk
from podledger.pods import objects
from podledger.pods.from_kubernetes import Mapped, map_pod
from podledger.pods.identity import parse_uuid, uuid_text
from podledger.pods.merging import MergeMode
from podledger.pods.objects import Metadata, Pod, PodMetadata
from podledger.pods.owners import Owners, tracked
from podledger.store.contract import Cluster, NamespaceUpdate, OwnerUpdate, Removal, Staged, Store, Upsert

OWNER_KINDS: Final = frozenset({"ReplicaSet", "Job", "ReplicationController"})
"""Objects that stand between a pod and its workload, and must be seen to know it (ingest 5.2)."""

MAX_POD_RECORDS: Final = 2_000_000
_PAGE_ROWS: Final = 500
_MAX_PROBLEMS: Final = 10
"""Skipped objects that are told one by one; the rest is a number."""
_SYSTEM_NAMESPACE: Final = "kube-system"
_NULL: Final = b"null"


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller decides about an import."""

    address: Address = field(default_factory=Address)
    include_static: bool = False
    """Keep the static pods of a kubelet, which the API server shows as mirrors with other uids."""
    allow_empty: bool = False
    merge_mode: MergeMode = "dedupe"


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import did. Pods are counted once each, however often they were in the input."""

    cluster_id: str
    cluster: str
    pods: int
    upserted: int
    unchanged: int
    tombstoned: int
    records: int
    """Pod records of the input, skipped ones included."""
    skipped: Mapping[str, int]
    """By reason: `null`, `no_uid`, `malformed`, `static`, `several_owners`."""
    owners: Mapping[str, int]
    """Pods with a tracked owner: `resolved` to their workload, or `unresolved`."""
    guessed: int
    """Pods whose workload name follows from naming conventions only."""
    ignored: Mapping[str, int]
    """Objects of other kinds, by kind; "" is no kind at all."""
    clashes: int
    """Records that name a pod otherwise than an earlier one with the same uid."""


@dataclass(slots=True)
class Tally:
    """Counts of an import while it runs; whoever gave it in can say how far it came."""

    records: int = 0
    companions: int = 0
    """Owners and namespaces."""
    pods: int = 0
    resolved: int = 0
    unresolved: int = 0
    guessed: int = 0
    clashes: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    """The first objects that were skipped as unusable, in sentences."""
    sunk: Sunk = field(default_factory=Sunk)
    """What has been written."""

    def skip(self, reason: str, problem: str = "") -> None:
        """Count an object that is not taken."""
        self.skipped[reason] += 1
        if problem and len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(problem)

    def summary(self, cluster: Cluster | None) -> Summary:
        """What was done in all."""
        return Summary(
            cluster_id=uuid_text(cluster.id) if cluster else "",
            cluster=cluster.name if cluster else "",
            pods=self.pods,
            upserted=self.sunk.upserted,
            unchanged=self.sunk.unchanged,
            tombstoned=self.sunk.removed,
            records=self.records,
            skipped=dict(sorted(self.skipped.items())),
            owners={"resolved": self.resolved, "unresolved": self.unresolved},
            guessed=self.guessed,
            ignored=dict(sorted(self.ignored.items())),
            clashes=self.clashes,
        )


async def import_files(
    store: Store, paths: Sequence[str], options: Options, *, stdin: IO[bytes], tally: Tally | None = None
) -> Summary:
    """Import files, folders and, where a path is `-`, standard input.

    Raises `BadInput` when the input cannot be read, holds no record, or its cluster is not clear; then
    nothing has been changed. Raises `Fenced` when another writer takes the cluster on the way.
    """
    tally = tally or Tally()
    told = await addressing.find(store, options.address, paths=paths)
    stage = f"import-{secrets.token_hex(8)}"
    try:
        spool = _Spool(store, stage, options, tally)
        for record in read(paths, stdin=stdin):
            await spool.add(record)
        await spool.flush()
        if not (tally.records or tally.companions):
            return _nothing(options, tally, told)
        cluster = await addressing.settle(store, options.address, told=told, found=spool.identities, paths=paths)
        sink = await LocalSink.take(store, cluster.id)
        tally.sunk = sink.sunk
        await _map(store, stage, spool.parents, Intake(sink, options.merge_mode, tally))
    finally:
        await store.unstage(stage)
    return tally.summary(cluster)


def _nothing(options: Options, tally: Tally, told: Cluster | None) -> Summary:
    if not options.allow_empty:
        raise BadInput("the input holds no pod, owner or namespace; --allow-empty accepts that")
    return tally.summary(told)


# ------------------------------------------------------------------------------------- the first step


@dataclass(slots=True)
class _Spool:
    """Puts records into the stage, and notes what the second step must know before it begins."""

    store: Store
    stage: str
    options: Options
    tally: Tally
    identities: set[str] = field(default_factory=set)
    """Uids of namespaces called kube-system."""
    parents: set[str] = field(default_factory=set)
    """Uids that pods name as an owner of kind Pod."""
    _rows: list[Staged] = field(default_factory=list)

    async def add(self, record: Record) -> None:
        """Stage a record, or count why not."""
        try:
            row = self._row(record)
        except BadInput as error:
            self.tally.skip(_fault(record), f"{record.where}: {error}")
            return
        if self.tally.records > MAX_POD_RECORDS:
            raise BadInput(f"the input holds more than {MAX_POD_RECORDS:,} pods; import it in parts")
        if row is not None:
            self._rows.append(row)
        if len(self._rows) >= _PAGE_ROWS:
            await self.flush()

    async def flush(self) -> None:
        rows, self._rows = self._rows, []
        if rows:
            self.tally.clashes += await self.store.stage(self.stage, rows)

    def _row(self, record: Record) -> Staged | None:
        if record.data == _NULL:
            self.tally.skip("null")
            return None
        kind = objects.kind_of(record.data, implied=record.implied_kind)
        if kind == "Pod":
            return self._pod(record)
        if kind in OWNER_KINDS:
            owner = objects.decode_owner(record.data)
            self.tally.companions += 1
            return _staged(kind, owner.metadata, objects.encode(owner))
        if kind == "Namespace":
            return self._namespace(record.data)
        self.tally.ignored[kind] += 1
        return None

    def _namespace(self, data: bytes) -> Staged:
        namespace = objects.decode_namespace(data)
        self.tally.companions += 1
        if namespace.metadata and namespace.metadata.name == _SYSTEM_NAMESPACE:
            self.identities.add(namespace.metadata.uid or "")
        return _staged("Namespace", namespace.metadata, objects.encode(namespace))

    def _pod(self, record: Record) -> Staged | None:
        self.tally.records += 1
        pod = objects.decode_pod(record.data)
        if _is_static(pod) and not self.options.include_static:
            self.tally.skip("static")
            return None
        references = (pod.metadata and pod.metadata.owner_references) or ()
        self.parents.update(each.uid or "" for each in references if each.kind == "Pod" and tracked(each))
        return _staged("Pod", pod.metadata, objects.encode(pod))


def _staged(kind: str, metadata: PodMetadata | Metadata | None, payload: bytes) -> Staged:
    metadata = metadata or Metadata()
    name = f"{metadata.namespace or ''}/{metadata.name or ''}"
    return Staged(kind, metadata.uid or "", metadata.resource_version or "", name, payload)


def _fault(record: Record) -> str:
    """Why an object is not usable: nothing can be derived without a uid (ingest 4.3)."""
    try:
        return "malformed" if objects.decode_head(record.data).uid else "no_uid"
    except BadInput:
        return "malformed"


def _is_static(pod: Pod) -> bool:
    """A kubelet's own view of a static pod, not its mirror in the API (ingest 7.1)."""
    annotations = pod.metadata and pod.metadata.annotations
    if not annotations or annotations.config_mirror is not None:
        return False
    return annotations.config_source not in (None, "api")


# ------------------------------------------------------------------------------------ the second step


@dataclass(slots=True)
class Intake:
    """Objects of one cluster -> changes for its sink. Owners must come before the pods they own."""

    sink: LocalSink
    mode: MergeMode
    tally: Tally
    owners: Owners = field(default_factory=Owners)
    cluster_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.cluster_id = uuid_text(self.sink.cluster)

    def own(self, kind: str, data: bytes) -> None:
        """Learn an owner."""
        metadata = objects.decode_owner(data).metadata or Metadata()
        self.owners.add(metadata.uid or "", kind, metadata.name or "", metadata.owner_references)

    async def namespace(self, data: bytes) -> None:
        """Write a namespace."""
        metadata = objects.decode_namespace(data).metadata or Metadata()
        labels = {key: value or "" for key, value in (metadata.labels or {}).items()}
        annotations = objects.kept_annotations(metadata)
        await self.sink.put(NamespaceUpdate(metadata.uid or "", metadata.name or "", labels, annotations))

    async def pod(self, data: bytes) -> None:
        """Write a pod, or count why not."""
        try:
            mapped = self.mapped(data)
        except BadInput as error:
            self.tally.skip("malformed", str(error))
            return
        self._count(mapped)
        if mapped.fate == "upsert":
            await self.sink.put(Upsert(mapped.record, mapped.content_hash, mapped.source_version))
        elif mapped.fate == "finish":
            await self.sink.put(Removal(parse_uuid(mapped.record.pod.id), "finished", mapped.record))
        else:
            self.tally.skip("several_owners")

    def mapped(self, data: bytes) -> Mapped:
        """Map a pod with the owners known so far. Raises `BadInput` when it is malformed."""
        return map_pod(objects.decode_pod(data), cluster_id=self.cluster_id, owners=self.owners, mode=self.mode)

    def _count(self, mapped: Mapped) -> None:
        self.tally.pods += 1
        if mapped.resolution.tracked_owner_uid:
            self.tally.resolved += mapped.resolution.resolved
            self.tally.unresolved += not mapped.resolution.resolved
        self.tally.guessed += mapped.resolution.guessed

    async def repair(self, owner_uid: str) -> None:
        """Tell pods that were written before this owner was known where they belong (ingest 5.4)."""
        for now in self.owners.updates(owner_uid, cluster_id=self.cluster_id):
            await self.sink.put(
                OwnerUpdate(
                    owner_uid=now.tracked_owner_uid,
                    deployment_id=now.deployment_id,
                    top_kind=now.top_kind,
                    top_name=now.top_name,
                    top_uid=now.top_uid,
                    resolved=now.resolved,
                )
            )


async def _map(store: Store, stage: str, parents: Collection[str], intake: Intake) -> None:
    """Owners, namespaces, pods; then the pods of earlier imports whose owner has become known."""
    for kind in sorted(OWNER_KINDS):
        async for row in _rows(store, stage, kind):
            intake.own(kind, row.payload)
    if parents:  # a rare thing, and worth a walk over all pods then
        async for row in _rows(store, stage, "Pod"):
            if row.key in parents:
                intake.owners.add_pod(objects.decode_pod(row.payload))
    async for row in _rows(store, stage, "Namespace"):
        await intake.namespace(row.payload)
    async for row in _rows(store, stage, "Pod"):
        await intake.pod(row.payload)
    for kind in sorted(OWNER_KINDS):
        async for row in _rows(store, stage, kind):
            await intake.repair(row.key)
    for uid in sorted(parents):
        await intake.repair(uid)
    await intake.sink.flush()


async def _rows(store: Store, stage: str, kind: str) -> AsyncIterator[Staged]:
    after = ""
    while page := await store.staged(stage, kind, after=after, limit=_PAGE_ROWS):
        for row in page:
            yield row
        after = page[-1].key
