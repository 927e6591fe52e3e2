"""The engines that the contract suite runs over. A further one needs an entry here and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podledger.store.contract import Store
from podledger.store.memory import MemoryStore
from podledger.store.sqlite import SqliteStore
from tests.fakes import holdings

START = 1_750_000_000_000_000


@dataclass
class Clock:
    """A clock that is moved by hand: microseconds since 1970 UTC."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * 1_000_000)


Make = Callable[..., Store]


def _memory(folder: Path, **options: Any) -> Store:
    return MemoryStore(**options)


def _sqlite(folder: Path, **options: Any) -> Store:
    return SqliteStore(folder / "store.db", **options)


ENGINES: Mapping[str, Callable[..., Store]] = {"memory": _memory, "sqlite": _sqlite}


@dataclass
class Engine:
    """Makes stores of one kind, in one place."""

    name: str
    folder: Path
    clock: Clock = field(default_factory=Clock)

    def store(self, **options: Any) -> Store:
        """A store that is not open yet. Two of a durable engine hold the same pods."""
        return ENGINES[self.name](self.folder, clock=self.clock, **options)

    @property
    def durable(self) -> bool:
        return self.name != "memory"

    @property
    def file(self) -> Path:
        """Where a durable engine keeps everything."""
        return self.folder / "store.db"

    # what no reader sees

    def sightings(self, store: Store, cluster: bytes) -> dict[bytes, tuple[int, int]]:
        """First and last sight of each live pod of a cluster."""
        if isinstance(store, MemoryStore):
            return {id_: (row.first_seen, row.last_seen) for id_, row in store.state.holdings[cluster].pods.items()}
        found = self._rows("SELECT id, first_seen, last_seen FROM pods", cluster)
        return {id_: (first, last) for id_, first, last in found}

    def graves(self, store: Store, cluster: bytes) -> dict[bytes, Grave]:
        """The tombstones of a cluster."""
        if isinstance(store, MemoryStore):
            rows = store.state.holdings[cluster].tombstones.values()
            return {
                row.id: Grave(row.reason, row.generation, row.first_seen, row.last_seen, row.deleted_at, row.pod)
                for row in rows
            }
        columns = "id, reason, generation, first_seen, last_seen, deleted_at, blob"
        return {id_: Grave(*rest) for id_, *rest in self._rows(f"SELECT {columns} FROM tombstones", cluster)}

    def runs(self, store: Store, cluster: bytes) -> list[tuple[bytes, str, str]]:
        """All recorded runs of a cluster: pod, container, key."""
        if isinstance(store, MemoryStore):
            return sorted((id_, *run) for id_, runs in store.state.holdings[cluster].runs.items() for run in runs)
        return sorted(self._rows("SELECT pod_id, container, key FROM finished_runs", cluster))

    def _rows(self, select: str, cluster: bytes) -> list[tuple[Any, ...]]:
        return holdings.rows(self.file, f"{select} WHERE cluster_id = x'{cluster.hex()}'")


@dataclass(frozen=True)
class Grave:
    """A tombstone."""

    reason: str
    generation: int
    first_seen: int | None
    last_seen: int | None
    deleted_at: int
    pod: bytes | None
