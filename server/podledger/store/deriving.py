"""Pods, namespaces and owner objects -> workload rows, while a batch is applied (ingest 5.6).

derived    The row tells what the newest live pod of its deployment id tells, with the labels of the
           owner's object and the id of the namespace. It is derived anew when a pod of it comes,
           changes or goes, or when the owner's object does; it goes with the last pod.
told       Another system tells the row as a whole (ingest 7.4). It replaces what is stored, needs no
           pods, and stays as told until a pod that may tell it comes or changes: then the derived
           row takes its place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import attrgetter

from podledger.pods.identity import uuid_or_none
from podledger.pods.workloads import Workload, derive
from podledger.store.contract import NamespaceUpdate, OwnerMetadata
from podledger.store.rows import Changes, NamespaceRow, Newest, OwnerRow, Rows, WorkloadHead, WorkloadRow
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord

# ------------------------------------------------------------------------------------------ namespaces


class Namespaces:
    """The namespace objects of the cluster.

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
        """Take one change in."""
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

    def moved(self) -> Iterator[WorkloadHead]:
        """The derived workload rows of the namespaces that changed their id."""
        for name in sorted(self._names):
            for head in self._rows.workloads_in(name):
                if head.newest is not None:
                    yield head

    def write(self, changes: Changes) -> None:
        """Add what changed."""
        for id_, row in sorted(self._changed.items()):
            if row is not None:
                changes.namespaces.append(row)
            elif self._rows.namespace(id_) is not None:
                changes.lost_namespaces.append(id_)


# ---------------------------------------------------------------------------------------- owner objects


class OwnerObjects:
    """The objects of top owners. One whose uid is no UUID stands for no workload that could be searched."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._changed: dict[bytes, OwnerRow | None] = {}

    def apply(self, told: OwnerMetadata) -> None:
        """Take one object in, or the news that it is gone."""
        id_ = uuid_or_none(told.uid)
        if id_ is None:
            return
        new = None if told.gone else OwnerRow(id_, dict(told.labels), dict(told.annotations), told.created)
        if new != self.get(id_):
            self._changed[id_] = new

    @property
    def changed(self) -> AbstractSet[bytes]:
        """The owners whose object came, changed or went."""
        return self._changed.keys()

    def get(self, id_: bytes) -> OwnerRow | None:
        """The object of an owner."""
        return self._changed[id_] if id_ in self._changed else self._stored(id_)

    def _stored(self, id_: bytes) -> OwnerRow | None:
        return next(iter(self._rows.owners([id_])), None)

    def write(self, changes: Changes) -> None:
        """Add what changed."""
        for id_, row in sorted(self._changed.items()):
            if row is not None:
                changes.owners.append(row)
            elif self._stored(id_) is not None:
                changes.lost_owners.append(id_)


# ------------------------------------------------------------------------------------------- workloads


@dataclass(frozen=True, slots=True)
class Claim:
    """A live pod that may tell its workload."""

    newest: Newest
    record: PodRecord

    @property
    def rank(self) -> tuple[bool, int, str, bytes]:
        """The pod with the greatest tells the row."""
        return self.newest.rank


class Workloads:
    """The workload rows that a batch changes."""

    def __init__(self, rows: Rows, namespaces: Namespaces, owners: OwnerObjects, *, cluster_name: str) -> None:
        self._rows = rows
        self._namespaces = namespaces
        self._owners = owners
        self._cluster_name = cluster_name
        self._changed: Collection[bytes] = ()

    def settle(
        self,
        claims: Mapping[bytes, Sequence[Claim]],
        told: Sequence[Workload],
        *,
        changed: Collection[bytes],
        changes: Changes,
    ) -> None:
        """Add the rows of all workloads that a changed pod belongs or belonged to, and the told ones.

        `claims` has them all, with the changed pods that may tell them now; `changed` are all changed pods.
        """
        self._changed = changed
        whole = {workload.deployment_id: WorkloadRow(workload, None) for workload in told}
        stored = {head.id: head for head in self._namespaces.moved()}
        asked = (claims.keys() | whole.keys() | self._owners.changed) - stored.keys()
        stored |= {head.id: head for head in self._rows.workloads(sorted(asked))}
        for id_ in sorted(stored.keys() | claims.keys() | whole.keys()):
            old = stored.get(id_)
            if id_ in whole:
                _write(whole[id_], old, changes)
            elif old is None or not self._stays(old, claims.get(id_, ())):
                row = self._derived(old, claims.get(id_, ()))
                _write(row, old, changes)
            elif old.newest is not None:
                self._place(old, changes)

    def _stays(self, old: WorkloadHead, claims: Sequence[Claim]) -> bool:
        """Whether the row tells what it told, but for the id of its namespace."""
        if old.newest is None:
            return not claims
        rank = old.newest.rank
        newer = any(claim.rank >= rank for claim in claims)
        return not newer and old.newest.pod not in self._changed and old.id not in self._owners.changed

    def _place(self, old: WorkloadHead, changes: Changes) -> None:
        id_ = self._namespaces.id_of(old.namespace)
        if id_ != old.namespace_id:
            changes.placed.append((old.id, id_))

    def _derived(self, old: WorkloadHead | None, claims: Sequence[Claim]) -> WorkloadRow | None:
        """The row as its newest pod tells it; None when it has none."""
        best = self._newest(old, claims)
        if best is None:
            return None
        record = best.record
        workload = derive(
            record,
            cluster_name=self._cluster_name,
            namespace_id=self._namespaces.id_of(record.pod.namespace),
            metadata=self._owners.get(uuid_or_none(record.pod.deployment_id) or b""),
        )
        return WorkloadRow(workload, best.newest) if workload is not None else None

    def _newest(self, old: WorkloadHead | None, claims: Sequence[Claim]) -> Claim | None:
        """Of the changed pods and those that are only stored."""
        best = max(claims, key=attrgetter("rank"), default=None)
        if old is None:
            return best
        others = self._unchanged(old, best)
        newest = max(others, key=attrgetter("rank"), default=None)
        if newest is None or (best is not None and best.rank > newest.rank):
            return best
        row = next(iter(self._rows.pods([newest.pod])))
        return Claim(newest, row.record())

    def _unchanged(self, old: WorkloadHead, best: Claim | None) -> Collection[Newest]:
        """Stored pods, among them the newest if it is newer than `best`.

        All of them are looked at only when the one that told the row may not do so any more.
        """
        if old.newest is not None and old.newest.pod not in self._changed:
            return [old.newest]
        if old.newest is not None and best is not None and best.rank >= old.newest.rank:
            return []
        return [member for member in self._rows.members(old.id) if member.pod not in self._changed]


def _write(row: WorkloadRow | None, old: WorkloadHead | None, changes: Changes) -> None:
    if row is not None and (old is None or row.head != old):
        changes.workloads.append(row)
    elif row is None and old is not None:
        changes.lost_workloads.append(old.id)
