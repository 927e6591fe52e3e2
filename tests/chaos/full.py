"""A full disk (operations 23, promise 20).

The store lies on a small disk in memory. While three clusters are written and a server reads, something else fills the
disk to the last byte, and later gives the space back. Meanwhile reads go on, over gRPC and beside the writer, nothing
is acknowledged that is not there, and readiness tells; afterwards writing goes on by itself, in the same process.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence as Several
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc

from podledger.errors import StoreUnavailable
from podledger.store.contract import Applied, Batch
from podledger.store.sqlite import SqliteStore
from podledger_protos.api.v1.pagination_pb2 import Pagination
from tests.chaos import sequences
from tests.chaos.folders import folder
from tests.chaos.judging import Findings, Lacking, Mutant, Options, command, leave
from tests.chaos.kill9 import damage
from tests.chaos.programs import Program
from tests.chaos.sequences import CLUSTERS, Sequence
from tests.fakes.holdings import messages
from tests.fakes.pod_clients import GrpcClient

RECOVERY_SECONDS = 5.0
FULL_SECONDS = 0.4
"""How long the disk stays full."""
WRITE_EVERY = 0.02
"""So that the store itself stays small beside the disk."""
_PIECE = 64 * 1024


class BoastfulStore(SqliteStore):
    """A mutant: acknowledges what it could not write."""

    async def apply(self, batch: Batch) -> Applied:
        try:
            return await super().apply(batch)
        except StoreUnavailable:
            return Applied(0, 0, 0, 0)


class SmallDisk:
    """A disk in memory, and what else lies on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Take all the space there is."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (_PIECE, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def free(self) -> None:
        """Give it back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[SmallDisk]:
    """Mount a disk of its own; only root may."""
    path = place / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "podledger-chaos", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        raise Lacking(f"a disk of its own needs the right to mount: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


class Trial:
    """Writers and readers on the small disk."""

    def __init__(self, disk: SmallDisk, store: SqliteStore, program: Program | None) -> None:
        self.faults: Counter[str] = Counter()
        self.acknowledged = 0
        self.refused = 0
        self.reads = 0
        self.slowest = 0.0
        self._disk = disk
        self._store = store
        self._program = program
        self._told = dict.fromkeys(CLUSTERS, 0)
        self._sequences: list[Sequence] = []

    async def run(self, cycles: int, rng: random.Random) -> None:
        """Fill the disk and empty it, again and again."""
        self._sequences = [await Sequence.resume(self._store, cluster) for cluster in CLUSTERS]
        for _ in range(cycles):
            stop = asyncio.Event()
            writers = [asyncio.create_task(self._write(each, stop)) for each in self._sequences]
            readers = [asyncio.create_task(reads(stop)) for reads in self._readers()]
            await asyncio.sleep(rng.uniform(0.02, 0.2))
            await self._be_full()
            await self._recover()
            stop.set()
            for task in (*writers, *readers):
                await task
            await self._check()

    async def _write(self, sequence: Sequence, stop: asyncio.Event) -> None:
        """Write batch after batch; one that is refused again and again, until it is taken."""
        while not stop.is_set():
            try:
                number = await sequence.write()
            except StoreUnavailable:
                self.refused += 1
                sequence.following -= 1
                await asyncio.sleep(0.02)
            else:
                self._told[sequence.cluster] = number
                self.acknowledged += 1
                await asyncio.sleep(WRITE_EVERY)

    def _readers(self):
        return [self._read_beside, *([self._read_served] if self._program else [])]

    async def _read_beside(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await messages(self._store)
                self.reads += 1
            except StoreUnavailable:
                self.faults["read_failed"] += 1
            await asyncio.sleep(0.02)

    async def _read_served(self, stop: asyncio.Event) -> None:
        assert self._program is not None
        async with grpc.aio.insecure_channel(self._program.grpc) as channel:
            client = GrpcClient(channel)
            while not stop.is_set():
                answers = [await client.get("", Pagination(limit=50)), await client.export()]
                self.reads += len(answers)
                self.faults["read_failed"] += sum(answer.code != 0 for answer in answers)
                await asyncio.sleep(0.02)

    async def _be_full(self) -> None:
        """Fill the disk, and keep it full while the writers try on."""
        refused, until = self.refused, time.monotonic() + 3
        while self.refused == refused and time.monotonic() < until:
            await asyncio.to_thread(self._disk.fill)
            await asyncio.sleep(0.01)
        self.faults["never_full"] += self.refused == refused
        told = False
        for _ in range(8):
            await asyncio.to_thread(self._disk.fill)
            await asyncio.sleep(FULL_SECONDS / 8)
            told |= not await self._is_ready()
        self.faults["not_told"] += not told

    async def _recover(self) -> None:
        """Give the space back, and see how long it takes until writing goes on."""
        self._disk.free()
        begun, acknowledged = time.monotonic(), self.acknowledged
        while self.acknowledged == acknowledged and time.monotonic() < begun + 2 * RECOVERY_SECONDS:
            await asyncio.sleep(0.01)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.faults["slow_recovery"] += time.monotonic() - begun > RECOVERY_SECONDS
        self.faults["not_told"] += not await self._is_ready()

    async def _is_ready(self) -> bool:
        """What readiness says. It may be yes on a full disk: old pages of the log are room for a small write."""
        try:
            await self._store.ready()
        except StoreUnavailable:
            return False
        return True

    async def _check(self) -> None:
        for cluster, told in self._told.items():
            self.faults.update(await sequences.faults(self._store, cluster, acknowledged=told))


async def run(
    place: Path, size: str, cycles: int, *, seed: int, kind: type[SqliteStore] = SqliteStore, served: bool
) -> Trial:
    """That many cycles on a disk of that size."""
    with small_disk(place, size) as disk:
        database = disk.path / "store.db"
        store = kind(database)
        await store.open()
        try:
            program = Program(place, database)
            trial = Trial(disk, store, program if served else None)
            if not served:
                await trial.run(cycles, random.Random(seed))
            else:
                async with program:
                    await trial.run(cycles, random.Random(seed))
        finally:
            disk.free()
            await store.close()
        trial.faults.update(damage(database))
    return trial


# ------------------------------------------------------------------------------------------------ command

FAULTS = ("lost", "gap", "torn", "corrupt", "read_failed", "never_full", "not_told", "slow_recovery")


def trial(given: Options) -> Findings:
    """The mutant."""
    with folder() as place:
        return _findings(asyncio.run(run(place, "32M", 1, seed=given.seed, kind=BoastfulStore, served=False)))


def judge(given: Options) -> Findings:
    """The product."""
    with folder() as place:
        seen = asyncio.run(run(place, given.tmpfs, given.n, seed=given.seed, served=True))
    findings = _findings(seen)
    findings.figures |= {
        "cycles": given.n,
        "acknowledged": seen.acknowledged,
        "refused": seen.refused,
        "reads": seen.reads,
        "slowest_recovery": round(seen.slowest, 2),
    }
    findings.floor("batches acknowledged", seen.acknowledged, given.n * len(CLUSTERS))
    findings.floor("reads", seen.reads, given.n * 3)
    return findings


def _findings(seen: Trial) -> Findings:
    return Findings({name: seen.faults[name] for name in FAULTS}, {name for name in FAULTS if seen.faults[name]})


def options(parser: argparse.ArgumentParser) -> None:
    """Those of this command."""
    parser.add_argument("--tmpfs", default="64M", help="size of the disk")
    parser.add_argument("--n", type=int, default=50, help="times that it is filled")


def main(argv: Several[str] | None = None) -> int:
    """The command."""
    return command(
        "full",
        argv,
        describe="Fill the disk of a store and give the space back.",
        options=options,
        mutants={"acknowledges_when_full": Mutant(trial, frozenset({"lost", "gap"}))},
        judge=judge,
    )


if __name__ == "__main__":
    leave(main())
