"""Old rows + batch -> row changes, the same for every engine.

An engine checks the fence, gives the rows it holds (`Rows`), and writes the `Changes` that come back,
all in one transaction. What a batch means is decided here and in the pure rooms: `pods.merging` makes
the pod to store, `pods.workloads` the row of its workload (see `deriving`).

    upserts      an equal content hash and nothing carried: only `last_seen` moves. Else merge; the pod
                 of a tombstone becomes live again, with its first sight and its known runs
    removals     the pod becomes a tombstone with its last record; an unknown one a tombstone with what
                 is told of it
    owners       pods of a tracked owner get another deployment id; their hash is forgotten, so that the
                 next list sends them again (ingest 5.4)
    workloads    of the pods that changed, or told as a whole (`deriving`)

Nothing is written here, and nothing is read but through `Rows`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from podledger.errors import InvariantViolated
from podledger.pods.identity import NO_CLUSTER, RunKey, parse_uuid, uuid_or_none, uuid_text
from podledger.pods.merging import MergeMode, merge
from podledger.store.contract import Batch, OwnerUpdate, Removal, Upsert
from podledger.store.deriving import Claim, Namespaces, OwnerObjects, Workloads
from podledger.store.rows import Changes, Ledger, Newest, PodRow, Rows, TombstoneRow, created_at, packed
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
    tells: bool = True
    """Whether it may tell the row of its workload."""
    content_hash: bytes = b""
    removal: Removal | None = None
    touched: Literal["", "seen", "upserted", "rewritten"] = ""
    runs: list[RunKey] = field(default_factory=list)
    """New ones."""

    def __post_init__(self) -> None:
        if self.before is not None:
            self.content_hash, self.deployment = self.before.content_hash, self.before.deployment
            self.tells = self.before.tells

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
        return Newest(self.id, created_at(self.record.pod), self.record.uid)


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
        self._namespaces = Namespaces(rows)
        self._owners = OwnerObjects(rows)
        self._workloads = Workloads(rows, self._namespaces, self._owners, cluster_name=ledger.name)
        self._generation = ledger.generation
        self._cluster_text = uuid_text(ledger.cluster) if ledger.cluster != NO_CLUSTER else ""
        self._changes = Changes(ledger.revision)

    def run(self, batch: Batch) -> Changes:
        if batch.checkpoint is not None:
            self._generation = batch.checkpoint.generation
        for namespace in batch.namespaces:
            self._namespaces.apply(namespace)
        for told in batch.metadata:
            self._owners.apply(told)
        keyed = [(self._id(upsert.record), upsert) for upsert in batch.upserts]
        self._load({id_ for id_, _ in keyed} | {removal.pod for removal in batch.removals})
        self._load_runs(keyed, batch.removals)
        for id_, upsert in keyed:
            self._upsert(self._pods[id_], upsert)
        for removal in batch.removals:
            self._remove(self._pods[removal.pod], removal)
        self._own(batch.owners)
        self._workloads.settle(self._claims(), batch.workloads, changed=self._changed(), changes=self._changes)
        self._owners.write(self._changes)
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
        return same and pod.tells == upsert.tells_workload and pod.alive and not upsert.carried

    def _upsert(self, pod: _Pod, upsert: Upsert) -> None:
        if self._is_unchanged(pod, upsert):
            pod.touched = pod.touched or "seen"
            return
        pod.merge(upsert.record, upsert.carried, mode=self._mode)
        pod.content_hash, pod.tells = upsert.content_hash, upsert.tells_workload
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
        name, namespace, created = record.pod.name, record.pod.namespace, created_at(record.pod)
        message, side = packed(record)
        return PodRow(
            id=pod.id,
            name=name,
            namespace=namespace,
            deployment=pod.deployment,
            created=created,
            uid=record.uid,
            owner_uid=record.tracked_owner_uid,
            tells=pod.tells,
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

    def _changed(self) -> set[bytes]:
        return {pod.id for pod in self._pods.values() if pod.changed}

    def _claims(self) -> dict[bytes, list[Claim]]:
        """Workload -> changed pods that may tell it now; none for one that pods have left."""
        claims: dict[bytes, list[Claim]] = defaultdict(list)
        for pod in self._pods.values():
            if not pod.changed:
                continue
            if pod.before is not None and pod.before.deployment is not None:
                claims[pod.before.deployment] += []
            if pod.alive and pod.tells and pod.deployment is not None:
                claims[pod.deployment].append(Claim(pod.newest(), pod.current()))
        return claims


def _owner_uid(pod: _Pod) -> str:
    if pod.record is not None:
        return pod.record.tracked_owner_uid
    return pod.before.owner_uid if pod.before is not None else ""


def _is_news(record: PodRecord, owner: OwnerUpdate) -> bool:
    top = record.top_owner
    known = (record.pod.deployment_id, top.kind, top.name, top.uid, record.owner_resolved)
    return known != (owner.deployment_id, owner.top_kind, owner.top_name, owner.top_uid, owner.resolved)
