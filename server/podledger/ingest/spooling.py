"""The first step of an import: records -> rows of the store's stage, cut down to the fields that are read.

    kind of row                               key           what stays
    ReplicaSet, Job, ReplicationController,   uid           the newest record
    Deployment, StatefulSet, DaemonSet,
    CronJob
    Namespace                                 uid           the newest record; no payload when it is gone
    Pod                                       uid           the newest record of those that lie in a file
    Pod                                       uid + place   every version that a watch event brought

"Newest" is the contract of the stage: the higher decimal resource version, else the later one. The place
of a version sorts by the same rule, so the versions of a pod come out of the stage one after another, as
the server made them, whatever the order of the files.

Answers of an upstream installation have rows of their own (`migrating`); they and Kubernetes objects do
not mix. One bad object is counted and skipped. Nothing but the stage is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from podledger.errors import BadInput
from podledger.ingest.migrating import Answers
from podledger.ingest.reading import Record
from podledger.ingest.tallying import Tally
from podledger.pods import objects
from podledger.pods.objects import Metadata, Pod, PodMetadata
from podledger.pods.owners import tracked
from podledger.store.contract import Staged, Staging

OWNER_KINDS: Final = frozenset({"ReplicaSet", "Job", "ReplicationController"})
"""Objects that stand between a pod and its workload, and must be seen to know it (ingest 5.2)."""
WORKLOAD_KINDS: Final = OWNER_KINDS | {"Deployment", "StatefulSet", "DaemonSet", "CronJob"}
"""Objects that may be the workload themselves."""

DELETED: Final = "DELETED"
_VERSION_EVENTS: Final = frozenset({"ADDED", "MODIFIED", DELETED})
"""Watch events that bring an object; the others tell of the watch itself."""

PAGE_ROWS: Final = 500
_PAGE_BYTES: Final = 8 * 1024 * 1024
"""Pods may have a megabyte each."""
_SYSTEM_NAMESPACE: Final = "kube-system"
_NULL: Final = b"null"
_MARK: Final = "\0"
"""Stands between uid and place: it sorts before all that may follow in a longer uid."""
_VERSION_DIGITS: Final = 39
"""Resource versions are compared up to 128 bits (ingest 3.8); longer ones are text."""


def uid_of(row: Staged) -> str:
    """The uid of the pod that a row is a version of."""
    return row.key.partition(_MARK)[0]


def place_of(row: Staged) -> str:
    """Where a version of a pod stands among the others; texts that sort."""
    _, mark, place = row.key.partition(_MARK)
    return place if mark else _rank(int(row.version)) if row.version.isdigit() else ""


def is_final(row: Staged) -> bool:
    """Whether the row is the last state of a pod that is gone."""
    return _MARK in row.key and row.name == DELETED


def _rank(version: int) -> str:
    return f"{version:0{_VERSION_DIGITS + 1}d}"


@dataclass(slots=True)
class Spool:
    """Puts records into a stage, and notes what the second step must know before it begins."""

    store: Staging
    stage: str
    tally: Tally
    max_pods: int
    include_static: bool
    """Keep the static pods of a kubelet, which the API server shows as mirrors with other uids."""
    identities: set[str] = field(default_factory=set)
    """Uids of namespaces called kube-system."""
    parents: set[str] = field(default_factory=set)
    """Uids that pods name as an owner of kind Pod."""
    gone: set[str] = field(default_factory=set)
    """Uids of objects that may be workloads and were deleted."""
    answers: Answers = field(default_factory=Answers)
    _objects: int = 0
    """Kubernetes objects that are read."""
    _rows: list[Staged] = field(default_factory=list)
    _bytes: int = 0
    _latest: int = 0
    """The last resource version that a watch event told."""
    _events: int = 0

    async def add(self, record: Record) -> None:
        """Stage a record, or count why not."""
        try:
            row = self._answer(record) if record.implied_kind in objects.ANSWERS else self._row(record)
        except BadInput as error:
            self.tally.skip(_fault(record), f"{record.where}: {error}")
            return
        if self.tally.records > self.max_pods:
            raise BadInput(f"{record.text}: the input holds more than {self.max_pods:,} pods; import it in parts")
        if self.answers.seen and self._objects:
            raise BadInput(f"{record.where}: upstream answers and Kubernetes objects do not mix; import them apart")
        if row is not None:
            self._rows.append(row)
            self._bytes += len(row.payload)
        if len(self._rows) >= PAGE_ROWS or self._bytes >= _PAGE_BYTES:
            await self.flush()

    async def flush(self) -> None:
        """Stage what is waiting."""
        rows, self._rows, self._bytes = self._rows, [], 0
        if rows:
            self.tally.clashes += await self.store.stage(self.stage, rows)

    @property
    def holds_answers(self) -> bool:
        """Whether upstream answers came, and not the odd file beside Kubernetes objects that looks like one."""
        return bool(self.answers.seen) or (bool(self.answers.records or self.answers.cut) and not self._objects)

    def _answer(self, record: Record) -> Staged | None:
        before = self.answers.records
        try:
            return self.answers.row(record)
        finally:  # a malformed record is a record too
            new = self.answers.records - before
            self.tally.records += new if record.implied_kind == "pod" else 0
            self.tally.companions += new if record.implied_kind != "pod" else 0

    def _row(self, record: Record) -> Staged | None:
        if record.data == _NULL:
            self.tally.skip("null")
            return None
        if record.event and record.event not in _VERSION_EVENTS:
            self.tally.ignored[record.event] += 1
            return None
        kind = objects.kind_of(record.data, implied=record.implied_kind)
        read = _READERS.get(kind)
        if read is None:
            self.tally.ignored[kind] += 1
            return None
        self._objects += 1
        return read(self, record, kind)

    def _owner(self, record: Record, kind: str) -> Staged:
        """An owner that is gone has told whom it belonged to: its pods may still be there."""
        owner = objects.decode_owner(record.data)
        self.tally.companions += 1
        if record.event == DELETED and owner.metadata:
            self.gone.add(owner.metadata.uid or "")
        return _staged(kind, owner.metadata, objects.encode(owner))

    def _namespace(self, record: Record, kind: str) -> Staged:
        namespace = objects.decode_namespace(record.data)
        self.tally.companions += 1
        if namespace.metadata and namespace.metadata.name == _SYSTEM_NAMESPACE:
            self.identities.add(namespace.metadata.uid or "")
        payload = b"" if record.event == DELETED else objects.encode(namespace)
        return _staged(kind, namespace.metadata, payload)

    def _pod(self, record: Record, kind: str) -> Staged | None:
        self.tally.records += 1
        pod = objects.decode_pod(record.data)
        if _is_static(pod) and not self.include_static:
            self.tally.skip("static")
            return None
        references = (pod.metadata and pod.metadata.owner_references) or ()
        self.parents.update(each.uid or "" for each in references if each.kind == "Pod" and tracked(each))
        row = _staged(kind, pod.metadata, objects.encode(pod))
        if _MARK in row.key:
            raise BadInput("pod with a metadata.uid that is no text")
        return self._version(row, record.event) if record.event else row

    def _version(self, row: Staged, event: str) -> Staged:
        """A version of a pod beside its others. One whose resource version tells nothing follows the one before."""
        self._events += 1
        self._latest = int(row.version) if row.version.isdigit() else self._latest
        place = f"{_rank(self._latest)}.{self._events:012d}"
        return Staged(row.kind, f"{row.key}{_MARK}{place}", row.version, event, row.payload)


_READERS: Final[Mapping[str, Callable[[Spool, Record, str], Staged | None]]] = {
    "Pod": Spool._pod,  # noqa: SLF001 - the table of what the class reads
    "Namespace": Spool._namespace,  # noqa: SLF001 - as above
    **dict.fromkeys(WORKLOAD_KINDS, Spool._owner),  # noqa: SLF001 - as above
}
"""Kind of an object -> what makes a row of it."""


def _staged(kind: str, metadata: PodMetadata | Metadata | None, payload: bytes) -> Staged:
    metadata = metadata or Metadata()
    name = f"{metadata.namespace or ''}/{metadata.name or ''}"
    return Staged(kind, metadata.uid or "", _comparable(metadata.resource_version or ""), name, payload)


def _comparable(version: str) -> str:
    """A resource version that can be compared, else nothing."""
    return version if version.isascii() and version.isdigit() and len(version) <= _VERSION_DIGITS else ""


def _fault(record: Record) -> str:
    """Why an object is not usable: nothing can be derived without a uid (ingest 4.3)."""
    if record.implied_kind in objects.ANSWERS:
        return "malformed"
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
