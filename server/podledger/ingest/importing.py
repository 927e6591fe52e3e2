"""Import of files: records -> the store's stage -> owners and mapping -> the sink; a summary at the end.

Kubernetes objects are imported here; what a StackRox / RHACS installation answers takes the same way, with
a second step of its own (`migrating`).

Two steps, so that neither the order of the input nor its size matters. First every record is put into
the store's stage, cut down to the fields that are read (`spooling`). A mistake in the input therefore
shows before anything is changed. Then the owners are learnt from the stage, and the pods are read from
it page by page, mapped and written under the cluster's fence. Of a pod that lies in the input the newest
record is written; the versions that a watch told are merged in their order (`replaying`). An import is
partial: it adds and updates pods, and takes away only those of which a watch told the end (ingest 7.3).

One bad object is counted and skipped. A text that is no JSON or YAML ends the import.

Every batch is a commit. An import that is cut in its second step has written what its summary says, and
the same import again completes it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Final

from podledger.errors import BadInput
from podledger.ingest import addressing, stages
from podledger.ingest.addressing import Address
from podledger.ingest.migrating import Answers, write_answers
from podledger.ingest.reading import read
from podledger.ingest.replaying import Replay
from podledger.ingest.sinking import LocalSink, Sunk
from podledger.ingest.spooling import OWNER_KINDS, PAGE_ROWS, WORKLOAD_KINDS, Spool, is_final, place_of, uid_of
from podledger.ingest.tallying import Summary, Tally
from podledger.ingest.unpacking import Limits
from podledger.pods import objects
from podledger.pods.from_kubernetes import Mapped, map_pod
from podledger.pods.identity import parse_uuid, uuid_text
from podledger.pods.merging import MergeMode
from podledger.pods.objects import Metadata
from podledger.pods.owners import Owners, tracked
from podledger.pods.times import microseconds, parse_time
from podledger.pods.upstream import Keep
from podledger.store.contract import (
    Cluster,
    NamespaceUpdate,
    OwnerMetadata,
    OwnerUpdate,
    Removal,
    Staged,
    Staging,
    Store,
    Upsert,
)

_PATHS_TOLD: Final = 3
_MAX_METADATA_BYTES: Final = 256 * 1024
"""Labels and annotations of one object; beyond, the annotations are left out (ingest 5.6, 9.1)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller decides about an import."""

    address: Address = field(default_factory=Address)
    include_static: bool = False
    """Keep the static pods of a kubelet, which the API server shows as mirrors with other uids."""
    allow_empty: bool = False
    keep: Keep = field(default_factory=Keep)
    """What is kept of upstream answers beyond the rule."""
    merge_mode: MergeMode = "dedupe"
    limits: Limits = field(default_factory=Limits)


async def import_files(
    store: Store,
    paths: Sequence[str],
    options: Options,
    *,
    stdin: IO[bytes],
    tally: Tally | None = None,
    clock: Callable[[], float] = time.time,
) -> Summary:
    """Import files, folders and, where a path is `-`, standard input. `clock` gives seconds since 1970.

    Raises `BadInput` when the input cannot be read, holds no record, or its cluster is not clear; then
    nothing has been changed. Raises `Fenced` when another writer takes the cluster on the way.
    """
    tally = tally or Tally()
    async with stages.own_stage(store, clock=clock) as stage:
        spool = Spool(store, stage, tally, options.limits.pods, options.include_static, answers=Answers(options.keep))
        told = await _read(store, spool, paths, options, stdin)
        await stages.check(store, stage)
        if spool.holds_answers:
            return await _write_answers(store, spool, options.address)
        if not (tally.records or tally.companions):
            return _nothing(options, tally, told, paths)
        cluster = await addressing.settle(store, options.address, told=told, found=spool.identities, paths=paths)
        sink = await LocalSink.take(store, cluster.id)
        tally.sunk = sink.sunk
        await _map(spool, Intake(sink, options.merge_mode, tally))
    return tally.summary(_listed(cluster))


async def _read(store: Store, spool: Spool, paths: Sequence[str], options: Options, stdin: IO[bytes]) -> Cluster | None:
    """The first step. The cluster that the caller tells is looked up as soon as it is known to be needed."""
    told, looked_up = None, False
    for record in read(paths, stdin=stdin, limits=options.limits, meter=spool.tally.input):
        if not looked_up and record.implied_kind not in objects.ANSWERS:
            told, looked_up = await addressing.find(store, options.address, paths=paths), True
        await spool.add(record)
    await spool.flush()
    if not (looked_up or spool.holds_answers):
        told = await addressing.find(store, options.address, paths=paths)
    return told


async def _write_answers(store: Store, spool: Spool, address: Address) -> Summary:
    """The second step for upstream answers."""
    tally, written = spool.tally, spool.tally.written
    tally.sunk = Sunk()
    await write_answers(store, spool.stage, spool.answers, address, sunk=tally.sunk, written=written)
    tally.pods = written.rows["pod"]
    tally.skipped += Counter(other_cluster=written.other_clusters)
    return tally.summary(written.clusters)


def _listed(cluster: Cluster) -> Mapping[str, str]:
    return {uuid_text(cluster.id): cluster.name}


def _nothing(options: Options, tally: Tally, told: Cluster | None, paths: Sequence[str]) -> Summary:
    if not options.allow_empty:
        places = ["standard input" if path == "-" else path for path in paths]
        more = f" and {len(places) - _PATHS_TOLD} more" if len(places) > _PATHS_TOLD else ""
        raise BadInput(
            f"no pod, owner or namespace in {', '.join(places[:_PATHS_TOLD])}{more}; --allow-empty accepts that"
        )
    return tally.summary(_listed(told) if told else {})


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

    async def own(self, kind: str, data: bytes, *, gone: bool = False) -> None:
        """Learn an owner, and write what its object tells of the workload that it may be."""
        metadata = objects.decode_owner(data).metadata or Metadata()
        uid = metadata.uid or ""
        if kind in OWNER_KINDS:
            self.owners.add(uid, kind, metadata.name or "", metadata.owner_references)
        if gone:
            await self.sink.put(OwnerMetadata(uid, gone=True))
        elif not any(map(tracked, metadata.owner_references or ())):
            labels, annotations = _labels(metadata), self._annotations(metadata)
            await self.sink.put(OwnerMetadata(uid, labels, annotations, _created(metadata)))

    async def namespace(self, data: bytes) -> None:
        """Write a namespace."""
        metadata = objects.decode_namespace(data).metadata or Metadata()
        labels, annotations = _labels(metadata), self._annotations(metadata)
        await self.sink.put(NamespaceUpdate(metadata.uid or "", metadata.name or "", labels, annotations))

    def _annotations(self, metadata: Metadata) -> Mapping[str, str]:
        """The annotations, unless the object is too large for them."""
        annotations = objects.kept_annotations(metadata)
        pairs = (*annotations.items(), *_labels(metadata).items())
        if sum(len(text.encode()) for pair in pairs for text in pair) <= _MAX_METADATA_BYTES:
            return annotations
        self.tally.unannotated += 1
        return {}

    async def namespace_gone(self, uid: str) -> None:
        """Write that a namespace is gone."""
        await self.sink.put(NamespaceUpdate(uid, "", gone=True))

    async def pod(self, data: bytes) -> None:
        """Write a pod, or count why not."""
        version = self.version(data)
        if version is not None:
            self.count(version)
            await self.put(version)

    def version(self, data: bytes) -> Mapped | None:
        """Map a pod; None, and counted, when it is malformed."""
        try:
            return self.mapped(data)
        except BadInput as error:
            self.tally.skip("malformed", str(error))
            return None

    def mapped(self, data: bytes) -> Mapped:
        """Map a pod with the owners known so far. Raises `BadInput` when it is malformed."""
        return map_pod(objects.decode_pod(data), cluster_id=self.cluster_id, owners=self.owners, mode=self.mode)

    async def put(self, version: Mapped, *, gone: bool = False) -> None:
        """Write one version of a pod; `gone` when it is the final state of one that was deleted."""
        if gone:
            await self.sink.put(Removal(parse_uuid(version.record.pod.id), "event", version.record))
        elif version.fate == "upsert":
            await self.sink.put(Upsert(version.record, version.content_hash, version.source_version))
        elif version.fate == "finish":
            await self.sink.put(Removal(parse_uuid(version.record.pod.id), "finished", version.record))
        else:
            self.tally.skip("several_owners")

    def count(self, version: Mapped) -> None:
        """Count a pod, by the version that stays of it."""
        self.tally.pods += 1
        if version.resolution.tracked_owner_uid:
            self.tally.resolved += version.resolution.resolved
            self.tally.unresolved += not version.resolution.resolved
        self.tally.guessed += version.resolution.guessed

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


@dataclass(slots=True)
class _History:
    """The versions of one pod as they come from the stage: its record first, then what a watch told."""

    intake: Intake
    uid: str
    _record: Staged | None = None
    """The record that lay in a file, until its place has come."""
    _replay: Replay | None = None

    async def add(self, row: Staged) -> None:
        """Take the next row of the pod."""
        if row.key == self.uid:
            self._record = row
            return
        if self._record is not None and place_of(self._record) < place_of(row):
            await self._take_record()
        await self._take(row)

    async def end(self) -> None:
        """Write what is still to be written."""
        await self._take_record()
        if self._replay is None:
            return
        self.intake.count(self._replay.last)
        if self.intake.mode == "dedupe":
            await self.intake.sink.put(*self._replay.changes())

    async def _take_record(self) -> None:
        record, self._record = self._record, None
        if record is not None:
            await self._take(record)

    async def _take(self, row: Staged) -> None:
        version, gone = self.intake.version(row.payload), is_final(row)
        if version is None:
            return
        first = self._replay is None
        if self.intake.mode == "stackrox":
            await self._write(version, first=first, gone=gone)
            self._replay = Replay(version, gone)
        elif self._replay is None:
            self._replay = Replay(version, gone)
        else:
            self._replay.add(version, gone=gone)

    async def _write(self, version: Mapped, *, first: bool, gone: bool) -> None:
        """Every version by itself, in a batch of its own: of two in one batch the later stands for both."""
        if not first:
            await self.intake.sink.flush()
        await self.intake.put(version, gone=gone)


def _labels(metadata: Metadata) -> dict[str, str]:
    return {key: value or "" for key, value in (metadata.labels or {}).items()}


def _created(metadata: Metadata) -> int | None:
    """Creation in microseconds since 1970 UTC; None when it is not told, or not readably."""
    try:
        return microseconds(parse_time(metadata.creation_timestamp)) if metadata.creation_timestamp else None
    except ValueError:
        return None


async def _map(spool: Spool, intake: Intake) -> None:
    """Namespaces, owners, pods; then the pods of earlier imports whose owner has become known."""
    store, stage, parents = spool.store, spool.stage, spool.parents
    async for row in _rows(store, stage, "Namespace"):
        await intake.namespace(row.payload) if row.payload else await intake.namespace_gone(row.key)
    for kind in sorted(WORKLOAD_KINDS):
        async for row in _rows(store, stage, kind):
            await intake.own(kind, row.payload, gone=row.key in spool.gone)
    if parents:  # a rare thing, and worth a walk over all pods then
        async for row in _rows(store, stage, "Pod"):
            if uid_of(row) in parents:
                intake.owners.add_pod(objects.decode_pod(row.payload))
    await _map_pods(store, stage, intake)
    for kind in sorted(OWNER_KINDS):
        async for row in _rows(store, stage, kind):
            await intake.repair(row.key)
    for uid in sorted(parents):
        await intake.repair(uid)
    await intake.sink.flush()


async def _map_pods(store: Staging, stage: str, intake: Intake) -> None:
    history = None
    async for row in _rows(store, stage, "Pod"):
        if history is None or history.uid != uid_of(row):
            if history is not None:
                await history.end()
            history = _History(intake, uid_of(row))
        await history.add(row)
    if history is not None:
        await history.end()


async def _rows(store: Staging, stage: str, kind: str) -> AsyncIterator[Staged]:
    after = ""
    while page := await store.staged(stage, kind, after=after, limit=PAGE_ROWS):
        for row in page:
            yield row
        after = page[-1].key
