"""The local sink: changes of one cluster -> batches for the store, under the cluster's fence.

Whoever writes a cluster holds its fence (ingest 1). `LocalSink.take` takes it; from then on an earlier
writer is refused, and so is this one when a later writer comes. Changes are gathered and applied 500
at a time: big enough to make a transaction worth its cost, small enough to be lost without regret.
Changes that were put together are applied together.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final

from podledger.pods.identity import parse_uuid
from podledger.pods.workloads import Workload
from podledger.store.contract import (
    Batch,
    Checkpoint,
    NamespaceUpdate,
    OwnerMetadata,
    OwnerUpdate,
    Removal,
    Upsert,
    Writer,
)

Change = NamespaceUpdate | OwnerMetadata | Upsert | Removal | OwnerUpdate | Workload

BATCH_CHANGES: Final = 500

_ORDER: Final = {NamespaceUpdate: 0, Upsert: 1, Removal: 2, OwnerUpdate: 3, Workload: 4}
"""The order in which a store applies the changes of one batch."""


@dataclass(slots=True)
class Sunk:
    """What the batches of a sink have done so far."""

    upserted: int = 0
    unchanged: int = 0
    removed: int = 0

    @property
    def written(self) -> int:
        """Pods in all."""
        return self.upserted + self.unchanged + self.removed


@dataclass(slots=True)
class LocalSink:
    """Writes one cluster. Changes take effect in the order they were put; `flush` makes the last ones durable."""

    store: Writer
    cluster: bytes
    fence: int
    sunk: Sunk = field(default_factory=Sunk)
    _waiting: list[Change] = field(default_factory=list)
    _kinds: set[type[Change]] = field(default_factory=set)
    """Of what is waiting."""
    _leaving: set[bytes] = field(default_factory=set)
    """Pods whose removal is waiting."""

    @classmethod
    async def take(cls, store: Writer, cluster: bytes) -> LocalSink:
        """Take the cluster over, as a writer of its own epoch. Raises `NotFound` if it is not registered."""
        return cls(store, cluster, await store.take(cluster, secrets.token_bytes(16)))

    async def put(self, *changes: Change) -> None:
        """Add changes; a full batch is applied. Raises `Fenced` when another writer took the cluster."""
        if any(map(self._would_overtake, changes)):
            await self.flush()
        self._waiting += changes
        self._kinds.update(kind for change in changes if (kind := type(change)) in _ORDER)
        self._leaving.update(change.pod for change in changes if isinstance(change, Removal))
        if len(self._waiting) >= BATCH_CHANGES:
            await self.flush()

    def _would_overtake(self, change: Change) -> bool:
        """A batch has its own order of kinds, so a change may join what comes no later in it.

        An upsert may go before the removals of other pods: each pod still sees its own changes in order.
        Metadata of owners means the same before and after the pods.
        """
        if isinstance(change, OwnerMetadata):
            return False
        later = {kind for kind in self._kinds if _ORDER[kind] > _ORDER[type(change)]}
        if isinstance(change, Upsert) and later == {Removal}:
            return parse_uuid(change.record.pod.id) in self._leaving
        return bool(later)

    async def flush(self, checkpoint: Checkpoint | None = None) -> None:
        """Apply what is waiting; with a checkpoint, in the transaction that stores it."""
        if not self._waiting and checkpoint is None:
            return
        waiting, self._waiting = self._waiting, []
        self._kinds.clear()
        self._leaving.clear()
        applied = await self.store.apply(
            Batch(
                cluster=self.cluster,
                fence=self.fence,
                namespaces=tuple(change for change in waiting if isinstance(change, NamespaceUpdate)),
                upserts=tuple(change for change in waiting if isinstance(change, Upsert)),
                removals=tuple(change for change in waiting if isinstance(change, Removal)),
                owners=tuple(change for change in waiting if isinstance(change, OwnerUpdate)),
                metadata=tuple(change for change in waiting if isinstance(change, OwnerMetadata)),
                workloads=tuple(change for change in waiting if isinstance(change, Workload)),
                checkpoint=checkpoint,
            )
        )
        self.sunk.upserted += applied.upserted
        self.sunk.unchanged += applied.unchanged
        self.sunk.removed += applied.removed
