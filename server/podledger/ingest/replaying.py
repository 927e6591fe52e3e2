"""Versions of one pod, in their order -> the one change that stands for all of them.

A watch tells every version of a pod, and most of what a version told is overwritten by the next. What
must not be lost are finished runs: a container that ran and ended between two versions shows in one
of them only. So the versions are merged here as the store would merge them one by one, and the last
one travels with the runs of the others as `carried` (ingest 8.7). Nothing is carried when the last
version tells all runs by itself; the store can see then whether it is unchanged.

That is mode `dedupe`. In mode `stackrox` a store takes no carried runs: there every version has to be
written by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from podledger.ingest.sinking import Change
from podledger.pods.from_kubernetes import Mapped
from podledger.pods.identity import RunKey, parse_uuid, run_key
from podledger.pods.merging import merge
from podledger.store.contract import Removal, Upsert
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord
from podledger_protos.storage.deployment_pb2 import ContainerInstance, Pod

_Runs = dict[RunKey, ContainerInstance]


@dataclass(slots=True)
class Replay:
    """The versions of one pod that have been seen. One at least is added before `changes` is asked."""

    last: Mapped
    gone: bool = False
    """Whether the last version is the final state of the pod."""
    _merged: Pod | None = None
    """The versions before the last one."""
    _runs: _Runs = field(default_factory=dict)
    """Finished runs in the order in which they became known, also those that a pod no longer shows."""

    def add(self, version: Mapped, *, gone: bool) -> None:
        """Go on to the next version."""
        self._merge(self.last.record)
        self.last, self.gone = version, gone

    def _merge(self, record: PodRecord) -> None:
        self._merged = merge(self._merged, record, known=self._runs.keys(), mode="dedupe").pod
        self._runs |= _shown(self._merged)

    def changes(self) -> tuple[Change, ...]:
        """What the sink must be told, all of it together."""
        record, carried = self.last.record, self._carried()
        upsert = Upsert(record, self.last.content_hash, self.last.source_version, carried)
        if not self.gone:
            return (upsert,)
        removal = Removal(parse_uuid(record.pod.id), "event", record)
        return (upsert, removal) if carried else (removal,)

    def _carried(self) -> tuple[ContainerInstance, ...]:
        if self._merged is None:
            return ()
        self._merge(self.last.record)
        alone = _shown(merge(None, self.last.record, known=(), mode="dedupe").pod)
        return () if list(alone.items()) == list(self._runs.items()) else tuple(self._runs.values())


def _shown(pod: Pod) -> _Runs:
    return {run_key(instance): instance for bucket in pod.terminated_instances for instance in bucket.instances}
