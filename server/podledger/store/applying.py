"""Old rows + batch -> row changes, the same for every engine.

An engine checks the fence, gives the rows it holds (`Rows`), and writes the `Changes` that come back,
all in one transaction. What a batch means is decided here and in the pure rooms: `pods.merging` makes
the pod to store, `pods.workloads` the row of its workload.

    upserts      an equal content hash and nothing carried: only `last_seen` moves. Else merge; the pod
                 of a tombstone becomes live again, with its first sight and its known runs
    removals     the pod becomes a tombstone with its last record; an unknown one a tombstone with what
                 is told of it
    owners       pods of a tracked owner get another deployment id; their hash is forgotten, so that the
                 next list sends them again (ingest 5.4)
    workloads    the row of a deployment id tells what its newest live pod tells, and goes with the last

Nothing is written here, and nothing is read but through `Rows`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from podledger.errors import InvariantViolated
from podledger.pods.identity import NO_CLUSTER, RunKey, parse_uuid, uuid_or_none, uuid_text
from podledger.pods.merging import MergeMode, merge
from podledger.pods.workloads import derive
from podledger.store.contract import Batch, NamespaceUpdate, OwnerUpdate, Removal, Upsert
from podledger.store.rows import (
    Changes,
    Ledger,
    NamespaceRow,
    Newest,
    PodRow,
    Rows,
    TombstoneRow,
    WorkloadRow,
    packed,
)
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord, TopOwner
from podledger_protos.storage.deployment_pb2 import ContainerInstance, Pod


def changes(batch: Batch, rows: Rows, ledger: Ledger, *, mode: MergeMode, now: int) -> Changes:
    """What a batch makes of the rows of its cluster. `now` is the store's clock.

    Raises `InvariantViolated` for a pod of another cluster.
    """
    return _Application(rows, ledger, mode=mode, now=now).run(batch)


# --------------------------------------------------------------------------------------------- one pod


@dataclass(slots=True)
class _Pod:
    """A pod while a batch is applied."""

    id: bytes
    before: PodRow | None
    tombstone: TombstoneRow | None
    known: set[RunKey] = field(default_factory=set)
    """Recorded runs, new ones included."""
    record: PodRecord | None = None
    """The record as it stands, with its pod; None until something changes it."""
    deployment: bytes | None = None
    """The workload it belongs to."""
    content_hash: bytes = b""
    removal: Removal | None = None
    touched: Literal["", "seen", "upserted", "rewritten"] = ""
    runs: list[RunKey] = field(default_factory=list)
    """New ones."""

    def __post_init__(self) -> None:
        if self.before is not None:
            self.content_hash, self.deployment = self.before.content_hash, self.before.deployment

    @property
    def alive(self) -> bool:
        return self.removal is None and (self.record is not None or self.before is not None)

    @property
    def changed(self) -> bool:
        return self.touched in {"upserted", "rewritten"} or self.removal is not None

    @property
    def last(self) -> PodRow | TombstoneRow | None:
        """What the store holds of it."""
        return self.before or self.tombstone

    def stored(self) -> Pod | None:
        """The message as it stands, of a live pod or a gone one."""
        if self.record is not None:
            return self.record.pod
        last = self.last
        return Pod.FromString(last.pod) if last is not None and last.pod is not None else None

    def merge(self, record: PodRecord, carried: Sequence[ContainerInstance], *, mode: MergeMode) -> None:
        merged = merge(self.stored(), record, known=self.known, carried=carried, mode=mode)
        self.record = PodRecord()
        self.record.CopyFrom(record)
        self.record.pod.CopyFrom(merged.pod)
        self.deployment = uuid_or_none(merged.pod.deployment_id)
        self.runs += merged.finished
        self.known.update(merged.finished)

    def own(self, owner: OwnerUpdate) -> None:
        """Give a live pod another owner."""
        record = self.current()
        record.pod.deployment_id = owner.deployment_id
        record.top_owner.CopyFrom(TopOwner(kind=owner.top_kind, name=owner.top_name, uid=owner.top_uid))
        record.owner_resolved = owner.resolved
        record.owner_guessed = False
        self.deployment = uuid_or_none(owner.deployment_id)
        self.content_hash = b""
        self.touched = self.touched if self.touched == "upserted" else "rewritten"

    def current(self) -> PodRecord:
        """The record of a live pod, made ready to be changed."""
        if self.record is None:
            assert self.before is not None
            self.record = self.before.record()
        return self.record

    def newest(self) -> Newest:
        """Its claim to tell its workload. For a live pod that changed."""
        assert self.record is not None
        return Newest(self.id, _created(self.record.pod), self.record.uid)


def _created(pod: Pod) -> int | None:
    """Microseconds since 1970; a pod that does not tell comes before all others."""
    started = pod.started
    return started.seconds * 1_000_000 + started.nanos // 1000 if pod.HasField("started") else None


def _digests(pod: Pod) -> list[str]:
    return [instance.image_digest for instance in pod.live_instances]


# ------------------------------------------------------------------------------------------- one batch


class _Application:
    """The steps of one batch, in the order of the contract."""

    def __init__(self, rows: Rows, ledger: Ledger, *, mode: MergeMode, now: int) -> None:
        self._rows = rows
        self._ledger = ledger
        self._mode = mode
        self._now = now
        self._pods: dict[bytes, _Pod] = {}
        self._namespaces = _Namespaces(rows)
        self._generation = ledger.generation
        self._cluster_text = uuid_text(ledger.cluster) if ledger.cluster != NO_CLUSTER else ""
        self._changes = Changes(ledger.revision)

    def run(self, batch: Batch) -> Changes:
        if batch.checkpoint is not None:
            self._generation = batch.checkpoint.generation
        for namespace in batch.namespaces:
            self._namespaces.apply(namespace)
        keyed = [(self._id(upsert.record), upsert) for upsert in batch.upserts]
        self._load({id_ for id_, _ in keyed} | {removal.pod for removal in batch.removals})
        self._load_runs(keyed, batch.removals)
        for id_, upsert in keyed:
            self._upsert(self._pods[id_], upsert)
        for removal in batch.removals:
            self._remove(self._pods[removal.pod], removal)
        self._own(batch.owners)
        self._write_workloads()
        self._namespaces.write(self._changes)
        for pod in sorted(self._pods.values(), key=lambda pod: pod.id):
            self._write(pod)
        self._changes.revision += self._changes.anything
        return self._changes

    # pods

    def _id(self, record: PodRecord) -> bytes:
        """The pod id. The cluster is the writer's, so a pod that names another one must not come this far."""
        named = record.pod.cluster_id
        if named != self._cluster_text and uuid_or_none(named) != self._ledger.cluster:
            raise InvariantViolated(f"a pod of cluster {named or 'none'} was given for {self._ledger.name}")
        return parse_uuid(record.pod.id)

    def _load(self, ids: Collection[bytes]) -> list[_Pod]:
        """Load the pods that are not loaded yet, and give them."""
        wanted = sorted(set(ids) - self._pods.keys())
        live = {row.id: row for row in self._rows.pods(wanted)}
        gone = {row.id: row for row in self._rows.tombstones([id_ for id_ in wanted if id_ not in live])}
        loaded = [_Pod(id_, live.get(id_), gone.get(id_)) for id_ in wanted]
        self._pods |= {pod.id: pod for pod in loaded}
        return loaded

    def _load_runs(self, upserts: Iterable[tuple[bytes, Upsert]], removals: Iterable[Removal]) -> None:
        """Recorded runs, of the pods that are merged."""
        merged = {id_ for id_, upsert in upserts if not self._is_unchanged(self._pods[id_], upsert)}
        merged |= {removal.pod for removal in removals if removal.record is not None}
        known = sorted(id_ for id_ in merged if self._pods[id_].last is not None)
        for id_, run in self._rows.runs(known):
            self._pods[id_].known.add(run)

    def _is_unchanged(self, pod: _Pod, upsert: Upsert) -> bool:
        same = pod.content_hash == upsert.content_hash and upsert.content_hash != b""
        return same and pod.alive and not upsert.carried

    def _upsert(self, pod: _Pod, upsert: Upsert) -> None:
        if self._is_unchanged(pod, upsert):
            pod.touched = pod.touched or "seen"
            return
        pod.merge(upsert.record, upsert.carried, mode=self._mode)
        pod.content_hash = upsert.content_hash
        pod.removal = None
        pod.touched = "upserted"

    def _remove(self, pod: _Pod, removal: Removal) -> None:
        """Repeated, it changes nothing, unless it tells the record of a pod that had none."""
        nameless = pod.last is None or pod.last.pod is None
        if pod.removal is not None or not (pod.alive or pod.tombstone is None or (nameless and removal.record)):
            return
        if removal.record is not None:
            if self._id(removal.record) != pod.id:
                raise InvariantViolated("a pod was removed with the record of another one")
            pod.merge(removal.record, (), mode=self._mode)
        pod.removal = removal

    def _own(self, owners: Sequence[OwnerUpdate]) -> None:
        """Give the pods of tracked owners, those of this batch and all others, what is known of the owner now."""
        owned: dict[str, list[_Pod]] = defaultdict(list)
        for pod in self._pods.values():
            if owners and pod.alive:
                owned[_owner_uid(pod)].append(pod)
        for owner in owners:
            if owner.owner_uid:  # without one, a pod has no tracked owner
                owned[owner.owner_uid] += self._load(self._rows.owned(owner.owner_uid))
                self._tell(owned[owner.owner_uid], owner)

    def _tell(self, pods: Iterable[_Pod], owner: OwnerUpdate) -> None:
        for pod in pods:
            if _is_news(pod.current(), owner):
                pod.own(owner)

    def _write(self, pod: _Pod) -> None:
        if pod.removal is not None:
            self._bury(pod, pod.removal)
        elif pod.touched == "seen":
            self._changes.seen.append(pod.id)
        elif pod.touched:
            self._keep(pod)
        self._changes.runs += [(pod.id, run) for run in pod.runs]

    def _keep(self, pod: _Pod) -> None:
        digests = _digests(pod.current().pod)
        row, changes = self._row(pod), self._changes
        if pod.before is None:
            changes.added.append(row)
            changes.raised += [pod.id] if pod.tombstone else []
            changes.tombstones -= pod.tombstone is not None
            old_digests: list[str] = []
        else:
            same = pod.before.searched == row.searched
            (changes.rewritten if same else changes.moved).append(row)
            self._count(pod.before.namespace, -1)
            old_digests = _digests(Pod.FromString(pod.before.pod))
        self._count(row.namespace, +1)
        if digests != old_digests:
            changes.digests[pod.id] = digests
        changes.upserted += pod.touched == "upserted"

    def _row(self, pod: _Pod) -> PodRow:
        record, last = pod.current(), pod.last
        name, namespace, created = record.pod.name, record.pod.namespace, _created(record.pod)
        message, side = packed(record)
        return PodRow(
            id=pod.id,
            name=name,
            namespace=namespace,
            deployment=pod.deployment,
            created=created,
            uid=record.uid,
            owner_uid=record.tracked_owner_uid,
            content_hash=pod.content_hash,
            first_seen=self._now if last is None or last.first_seen is None else last.first_seen,
            last_seen=self._now if pod.touched == "upserted" or pod.before is None else pod.before.last_seen,
            pod=message,
            side=side,
        )

    def _bury(self, pod: _Pod, removal: Removal) -> None:
        """Write the tombstone, with the last record that there is."""
        last, changes = pod.last, self._changes
        message, side = (last.pod, last.side) if last is not None else (None, None)
        if pod.record is not None:
            message, side = packed(pod.record)
        first_seen, last_seen = (last.first_seen, last.last_seen) if last is not None else (None, None)
        if pod.touched == "upserted":
            first_seen, last_seen = first_seen or self._now, self._now
        changes.buried.append(
            TombstoneRow(pod.id, removal.reason, self._generation, first_seen, last_seen, self._now, message, side)
        )
        changes.tombstones += pod.tombstone is None
        changes.removed += pod.before is not None or pod.touched == "upserted"
        if pod.before is not None:
            changes.dropped.append(pod.id)
            changes.digests[pod.id] = []
            self._count(pod.before.namespace, -1)

    def _count(self, namespace: str, step: int) -> None:
        count = self._changes.counts.pop(namespace, 0) + step
        if count:
            self._changes.counts[namespace] = count

    # workloads

    def _write_workloads(self) -> None:
        """Derive the rows of all workloads that a changed pod belongs or belonged to."""
        moved = self._namespaces.moved()
        claims = self._claims()
        stored = {row.workload.deployment_id: row for row in self._rows.workloads(sorted(claims))}
        stored |= {row.workload.deployment_id: row for row in moved}
        for id_ in sorted(stored.keys() | claims.keys()):
            old = stored.get(id_)
            row = self._workload(id_, old, claims[id_]) if id_ in claims else old
            row = row and self._namespaces.placed(row)
            if row is None and old is not None:
                self._changes.lost_workloads.append(id_)
            elif row is not None and row != old:
                self._changes.workloads.append(row)

    def _claims(self) -> dict[bytes, list[_Pod]]:
        """Workload -> changed pods that belong to it now; none for one that pods have left."""
        claims: dict[bytes, list[_Pod]] = defaultdict(list)
        for pod in self._pods.values():
            if not pod.changed:
                continue
            if pod.before is not None and pod.before.deployment is not None:
                claims[pod.before.deployment] += []
            if pod.alive and pod.deployment is not None:
                claims[pod.deployment].append(pod)
        return claims

    def _workload(self, id_: bytes, old: WorkloadRow | None, pods: Sequence[_Pod]) -> WorkloadRow | None:
        """The row as its newest pod tells it. All pods are looked at only when the newest may have gone."""
        best = max(pods, key=lambda pod: pod.newest().rank, default=None)
        if old is not None and (best is None or best.newest().rank < old.newest.rank):
            if not self._is_changed(old.newest.pod):
                return old
            best = self._newest_of_all(id_, best)
        return self._derive(best) if best is not None else None

    def _is_changed(self, id_: bytes) -> bool:
        return id_ in self._pods and self._pods[id_].changed

    def _newest_of_all(self, id_: bytes, best: _Pod | None) -> _Pod | None:
        others = [member for member in self._rows.members(id_) if not self._is_changed(member.pod)]
        newest = max(others, key=lambda member: member.rank, default=None)
        if newest is None or (best is not None and best.newest().rank > newest.rank):
            return best
        row = next(iter(self._rows.pods([newest.pod])))
        return _Pod(row.id, row, None, record=row.record())

    def _derive(self, pod: _Pod) -> WorkloadRow | None:
        record = pod.current()
        namespace_id = self._namespaces.id_of(record.pod.namespace)
        workload = derive(record, cluster_name=self._ledger.name, namespace_id=namespace_id)
        return WorkloadRow(workload, pod.newest()) if workload is not None else None


def _owner_uid(pod: _Pod) -> str:
    if pod.record is not None:
        return pod.record.tracked_owner_uid
    return pod.before.owner_uid if pod.before is not None else ""


def _is_news(record: PodRecord, owner: OwnerUpdate) -> bool:
    top = record.top_owner
    known = (record.pod.deployment_id, top.kind, top.name, top.uid, record.owner_resolved)
    return known != (owner.deployment_id, owner.top_kind, owner.top_name, owner.top_uid, owner.resolved)


# ------------------------------------------------------------------------------------------ namespaces


class _Namespaces:
    """The namespace objects of the cluster while a batch is applied.

    A namespace that came back under its name has another uid; the old object is dropped with it. One
    whose uid is no UUID cannot be joined to anything and is not kept.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._changed: dict[bytes, NamespaceRow | None] = {}
        self._ids: dict[str, bytes | None] = {}
        """Name -> id, of all names that were asked for or changed."""
        self._names: set[str] = set()
        """Names that changed their id."""

    def apply(self, update: NamespaceUpdate) -> None:
        id_ = uuid_or_none(update.uid)
        if id_ is None:
            return
        old = self._get(id_)
        new = None if update.gone else NamespaceRow(id_, update.name, dict(update.labels), dict(update.annotations))
        if new == old:
            return
        if old is not None and self.id_of(old.name) == id_:
            self._point(old.name, None)
        if new is not None:
            previous = self.id_of(new.name)
            if previous is not None:
                self._changed[previous] = None
            self._point(new.name, id_)
        self._changed[id_] = new

    def _get(self, id_: bytes) -> NamespaceRow | None:
        return self._changed[id_] if id_ in self._changed else self._rows.namespace(id_)

    def _point(self, name: str, id_: bytes | None) -> None:
        self._ids[name] = id_
        self._names.add(name)

    def id_of(self, name: str) -> bytes | None:
        """The uid of the namespace with this name."""
        if name not in self._ids:
            self._ids[name] = next((row.id for row in self._rows.namespaces([name])), None)
        return self._ids[name]

    def moved(self) -> Iterator[WorkloadRow]:
        """The workload rows of the namespaces that changed their id."""
        for name in sorted(self._names):
            yield from self._rows.workloads_in(name)

    def placed(self, row: WorkloadRow) -> WorkloadRow:
        """The row with the uid that its namespace has now."""
        id_ = self.id_of(row.workload.namespace)
        if row.workload.namespace_id == id_:
            return row
        return replace(row, workload=replace(row.workload, namespace_id=id_))

    def write(self, changes: Changes) -> None:
        for id_, row in sorted(self._changed.items()):
            if row is not None:
                changes.namespaces.append(row)
            elif self._rows.namespace(id_) is not None:
                changes.lost_namespaces.append(id_)
