"""A writing process of a fixed rate: `python -m tests.chaos.pacing DATABASE PODS RATE SEED LOG`.

It changes the fleet that `tests.chaos.histories` makes, RATE batches per second as far as the store lets it, until it
is killed. For each acknowledged batch it appends `MOMENT SECONDS` to LOG: when, on the monotonic clock that all
processes share, and how long it took.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from podledger.store.sqlite import SqliteStore
from tests.chaos.histories import Churn
from tests.fakes.program import ROOT


@dataclass(frozen=True)
class Pace:
    """A writer that runs, and what it wrote."""

    process: subprocess.Popen[bytes]
    log: Path

    def written(self, begun: float, ended: float) -> float:
        """Batches per second between two moments."""
        moments = [float(line.split()[0]) for line in self.log.read_text().splitlines()]
        return sum(begun <= moment <= ended for moment in moments) / (ended - begun)

    async def started(self) -> None:
        """Wait for the first batch."""
        while not (self.log.exists() and self.log.stat().st_size):
            assert self.process.poll() is None
            await asyncio.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def pace(database: Path, *, pods: int, rate: float, seed: int) -> Pace:
    """Start a writer."""
    log = database.with_suffix(".log")
    given = map(str, (database, pods, rate, seed, log))
    return Pace(subprocess.Popen([sys.executable, "-m", "tests.chaos.pacing", *given], cwd=ROOT), log)


async def _run(database: str, pods: int, rate: float, seed: int, log: Path) -> None:
    store = SqliteStore(database)
    await store.open()
    churn = Churn(store, pods=pods, rng=random.Random(seed), pause=0.0)
    await churn.take()
    due = time.monotonic()
    with log.open("a", buffering=1) as lines:
        while True:
            begun = time.monotonic()
            await churn.change()
            print(time.monotonic(), time.monotonic() - begun, file=lines)
            due = max(due + 1 / rate, time.monotonic() - 1)  # a second of arrears may be caught up, more is lost
            await asyncio.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    _database, _pods, _rate, _seed, _log = sys.argv[1:]
    asyncio.run(_run(_database, int(_pods), float(_rate), int(_seed), Path(_log)))
