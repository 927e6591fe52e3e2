"""Writing processes that start fast, because a process that has imported everything forks them.

The forking process reads commands `DATABASE ACKNOWLEDGED STORE` from standard input. For each it forks a writer,
prints its pid, and prints `gone` when the writer has ended, which it does by a kill alone. A writer appends a line
`CLUSTER NUMBER` to the file ACKNOWLEDGED for each batch that the store has acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from podledger.store.contract import Applied, Batch
from podledger.store.sqlite import SqliteStore
from tests.chaos.sequences import CLUSTERS, Sequence
from tests.fakes.program import ROOT

IN_FLIGHT = 2
"""Batches of one cluster that wait for their acknowledgement at a time."""


class EarlyStore(SqliteStore):
    """A mutant: acknowledges before the commit."""

    async def apply(self, batch: Batch) -> Applied:
        task = asyncio.create_task(super().apply(batch))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.sleep(0)
        return Applied(0, 0, 0, 0)


STORES = {"product": SqliteStore, "early_acknowledgement": EarlyStore}


class Writers:
    """The forking process, seen from the one that kills."""

    def __init__(self, folder: Path, *, store: str = "product") -> None:
        self._acknowledged = folder / "acknowledged"
        self._store = store
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.writers"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=10)

    def live(self, database: Path, *, seconds: float, after_first: bool) -> list[tuple[int, int]]:
        """Let a writer write and kill it, `seconds` after its start or its first acknowledgement.

        Gives the acknowledged batches.
        """
        self._acknowledged.write_bytes(b"")
        assert self._process.stdin is not None
        print(database, self._acknowledged, self._store, file=self._process.stdin, flush=True)
        pid = int(self._line())
        while after_first and not self._acknowledged.stat().st_size:
            time.sleep(0.001)
        time.sleep(seconds)
        os.kill(pid, 9)
        assert self._line() == "gone"
        lines = self._acknowledged.read_text().splitlines()
        return [(int(place), int(number)) for place, number in map(str.split, lines)]

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _fork_all() -> None:
    for line in sys.stdin:
        database, acknowledged, store = line.split()
        pid = os.fork()
        if not pid:
            asyncio.run(_write(STORES[store](database), Path(acknowledged)))
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("gone", flush=True)


async def _write(store: SqliteStore, acknowledged: Path) -> None:
    await store.open()
    told = os.open(acknowledged, os.O_WRONLY | os.O_APPEND)
    async with asyncio.TaskGroup() as group:
        for place, cluster in enumerate(CLUSTERS):
            sequence = await Sequence.resume(store, cluster)
            for _ in range(IN_FLIGHT):
                group.create_task(_write_on(sequence, place, told))


async def _write_on(sequence: Sequence, place: int, told: int) -> None:
    while True:
        number = await sequence.write()
        os.write(told, f"{place} {number}\n".encode())


if __name__ == "__main__":
    _fork_all()
