"""A store that shows the batches it was given: for what a writer tells, whatever an engine makes of it."""

from __future__ import annotations

from podledger.store.contract import Applied, Batch
from podledger.store.memory import MemoryStore


class RecordingStore(MemoryStore):
    """The engine in memory, which also keeps the batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    async def apply(self, batch: Batch) -> Applied:
        self.batches.append(batch)
        return await super().apply(batch)
