"""The engines that the contract suite runs over. A further one needs an entry here and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podledger.store.contract import Store
from podledger.store.memory import MemoryStore
from podledger.store.sqlite import SqliteStore

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
