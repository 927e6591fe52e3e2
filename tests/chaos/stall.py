"""One stalled exporter harms nobody (operations 23, promise 3).

Clients begin exports over both doors, read one message and stop. Beside them a process writes and callers ask for
pages, before and meanwhile, so that what the stalled ones cost can be told: time of the others, memory per reader,
size of the log, and whether anything is held in the database. When the stall limit is over, the exports must have let
go of their slots although nobody has read on, and whoever then reads on must not be told that all is well.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import apsw
import grpc

from podledger.store.sqlite import SqliteStore
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.api.v1.pod_service_pb2_grpc import PodServiceStub
from podledger_protos.api.v1.search_service_pb2 import RawQuery
from tests.chaos.clients import DOORS, Door, Request, Seen, export
from tests.chaos.folders import folder
from tests.chaos.histories import Churn
from tests.chaos.judging import Findings, Mutant, Options, command, leave
from tests.chaos.pacing import Pace, pace
from tests.chaos.programs import Program

WAL_MIB = 16.0
MEMORY_MIB = {"grpc": 16.0 / 64, "rest": 32.0 / 64}
"""Per stalled reader."""
MEMORY_NOISE_MIB = 4.0
"""What a server's memory moves by itself."""
SLOWER = 2.0
INGEST = 0.9
NOISE_SECONDS = 0.010
"""A 99th percentile below it is as good as any: on a busy machine it tells of other programs."""
RATE = 20.0
"""Batches per second that are written, 12 changes each."""
ASK_EVERY = 0.01
LATE_SECONDS = 3.0
"""How long after the stall limit slots must be free."""


class Asking:
    """A caller of GetPods, at a steady pace."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._taken: list[tuple[float, float]] = []

    async def run(self) -> None:
        """Ask until cancelled."""
        request = RawQuery(query="Namespace:shop", pagination=Pagination(limit=20))
        async with grpc.aio.insecure_channel(self._address) as channel:
            stub = PodServiceStub(channel)
            while True:
                begun = time.monotonic()
                await stub.GetPods(request)
                self._taken.append((begun, time.monotonic() - begun))
                await asyncio.sleep(ASK_EVERY)

    def slowest(self, begun: float, ended: float) -> float:
        """The 99th percentile of the calls between two moments."""
        taken = sorted(seconds for moment, seconds in self._taken if begun <= moment <= ended)
        return taken[int(len(taken) * 0.99)] if taken else float("inf")

    def calls(self, begun: float, ended: float) -> int:
        """How many calls began between two moments."""
        return sum(begun <= moment <= ended for moment, _ in self._taken)


class Stalled:
    """Clients that have read one message."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self._begun = 0
        self._tasks: list[asyncio.Task[Seen]] = []

    async def begin(self, door: Door, address: str, readers: int) -> None:
        """Begin exports and wait until each has its first message."""
        before = self._begun
        self._tasks += [asyncio.create_task(export(door, address, Request(), self._stop)) for _ in range(readers)]
        async with asyncio.timeout(30):
            while self._begun < before + readers:
                assert not any(task.done() for task in self._tasks), "an export ended before it stalled"
                await asyncio.sleep(0.01)

    async def _stop(self, number: int) -> None:
        if number == 1:
            self._begun += 1
            await self.go_on.wait()

    async def ends(self) -> list[Seen]:
        """Read on, and give what the exports came to."""
        self.go_on.set()
        return [await task for task in self._tasks]


class Trial:
    """A program with its stalled readers."""

    def __init__(
        self, program: Program, database: Path, writer: Pace, *, readers: dict[Door, int], stall: float
    ) -> None:
        self.findings = Findings()
        self._program = program
        self._database = database
        self._writer = writer
        self._readers = readers
        self._stall = stall

    async def run(self, quiet: float) -> None:
        """Measure for `quiet` seconds before, until the stall limit meanwhile, and once it is over."""
        asking = Asking(self._program.grpc)
        caller = asyncio.create_task(asking.run())
        try:
            await asyncio.sleep(0.5)
            begun = time.monotonic()
            await asyncio.sleep(quiet)
            stalled = Stalled()
            opened = time.monotonic()
            await self._open(stalled)
            full = time.monotonic()
            await self._hold(until=opened + self._stall * 0.8)
            self._compare(asking, (begun, opened), (full, time.monotonic()))
            await self._limit(full)
            await self._read_on(stalled)
        finally:
            caller.cancel()
            await asyncio.wait([caller])

    async def _open(self, stalled: Stalled) -> None:
        """Open the readers of one door after those of the other, and see what they weigh."""
        for door, readers in self._readers.items():
            before = self._program.memory
            await stalled.begin(door, self._program.grpc if door == "grpc" else self._program.http, readers)
            await asyncio.sleep(0.3)
            grown = self._program.memory - before
            self.findings.figures[f"{door}_mib"] = round(grown, 1)
            self.findings.require("memory", grown <= readers * MEMORY_MIB[door] + MEMORY_NOISE_MIB)

    async def _hold(self, *, until: float) -> None:
        """Watch the log, and in the end whether all of it can be given up."""
        wal = 0.0
        while time.monotonic() < until:
            wal = max(wal, self._database.with_name(self._database.name + "-wal").stat().st_size / 2**20)
            await asyncio.sleep(0.05)
        in_flight = await self._program.metric("podledger_exports_in_flight")
        held = await asyncio.to_thread(_is_held, self._database)
        self.findings.figures |= {"wal_mib": round(wal, 1), "held": held, "in_flight": in_flight}
        self.findings.require("wal", wal <= WAL_MIB)
        self.findings.require("held", not held)
        self.findings.floor("exports in flight", in_flight, sum(self._readers.values()))

    def _compare(self, asking: Asking, quiet: tuple[float, float], stalled: tuple[float, float]) -> None:
        before, meanwhile = asking.slowest(*quiet), asking.slowest(*stalled)
        written, still = self._writer.written(*quiet), self._writer.written(*stalled)
        self.findings.figures |= {
            "p99_ms": [round(before * 1000, 1), round(meanwhile * 1000, 1)],
            "batches_per_second": [round(written, 1), round(still, 1)],
        }
        self.findings.require("unary", meanwhile <= max(SLOWER * before, NOISE_SECONDS))
        self.findings.require("ingest", still >= INGEST * written)
        self.findings.floor("calls", asking.calls(*stalled), 20)
        self.findings.floor("batches per second", written, RATE / 4)

    async def _limit(self, full: float) -> None:
        """Wait until all slots are free, though nobody reads."""
        last = full + self._stall + LATE_SECONDS
        while (in_flight := await self._program.metric("podledger_exports_in_flight")) and time.monotonic() < last:
            await asyncio.sleep(0.1)
        self.findings.figures |= {"slots_left": in_flight, "freed_after": round(time.monotonic() - full, 1)}
        self.findings.require("slots", in_flight == 0)

    async def _read_on(self, stalled: Stalled) -> None:
        seen = await stalled.ends()
        self.findings.figures["false_ok"] = sum(each.code == 0 for each in seen)
        self.findings.require("false_ok", not self.findings.figures["false_ok"])


def _is_held(database: Path) -> bool:
    """Whether a transaction keeps the log from being given up."""
    with closing(apsw.Connection(str(database))) as connection:
        connection.set_busy_timeout(1500)
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            return True
    return False


@asynccontextmanager
async def _prepared(
    place: Path, *, pods: int, seed: int, stall: float, wrapped: Sequence[str]
) -> AsyncIterator[tuple[Program, Pace]]:
    """A program over a fleet, warm, and its writer."""
    database = place / "fleet.db"
    store = SqliteStore(database)
    await store.open()
    await Churn(store, pods=pods, rng=random.Random(seed), pause=0).fill()
    await store.close()
    settings = {"export.stall_seconds": stall, "http.stall_seconds": stall}
    async with AsyncExitStack() as stack:
        program = await stack.enter_async_context(
            Program(place, database, wrapped=["observed", *wrapped], settings=settings)
        )
        writer = pace(database, pods=pods, rate=RATE, seed=seed)
        stack.callback(writer.stop)
        await writer.started()
        for door in DOORS:
            await export(door, program.grpc if door == "grpc" else program.http, Request(), _go_on)
        yield program, writer


async def _go_on(_: int) -> None:
    pass


async def run(
    place: Path,
    *,
    readers: dict[Door, int],
    pods: int,
    seed: int,
    stall: float,
    quiet: float,
    wrapped: Sequence[str] = (),
) -> Findings:
    """Stall readers, and tell what it cost."""
    async with _prepared(place, pods=pods, seed=seed, stall=stall, wrapped=wrapped) as (program, writer):
        trial = Trial(program, place / "fleet.db", writer, readers=readers, stall=stall)
        await trial.run(quiet)
    return trial.findings


# ------------------------------------------------------------------------------------------------ command


def _trial(name: str, *crimes: str, stall: float) -> Mutant:
    def trial(given: Options) -> Findings:
        with folder() as place:
            few: dict[Door, int] = {"grpc": 2, "rest": 2}
            return asyncio.run(
                run(place, readers=few, pods=6000, seed=given.seed, stall=stall, quiet=0.5, wrapped=[name])
            )

    return Mutant(trial, frozenset(crimes))


def judge(given: Options) -> Findings:
    """The product."""
    with folder() as place:
        readers: dict[Door, int] = {"grpc": given.grpc, "rest": given.rest}
        return asyncio.run(
            run(
                place, readers=readers, pods=given.pods, seed=given.seed, stall=given.secs * 0.6, quiet=given.secs * 0.3
            )
        )


def options(parser: argparse.ArgumentParser) -> None:
    """Those of this command."""
    parser.add_argument("--grpc", type=int, default=64, help="stalled readers over gRPC")
    parser.add_argument("--rest", type=int, default=64, help="stalled readers over REST")
    parser.add_argument("--secs", type=float, default=60.0, help="length of the run; six tenths are the stall limit")
    parser.add_argument("--pods", type=int, default=20_000, help="pods of the fleet")


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    return command(
        "stall",
        argv,
        describe="Stall exports and see whom it harms.",
        options=options,
        mutants={
            "held_transaction": _trial("held_transaction", "held", "wal", stall=3.0),
            "late_slot": _trial("late_slot", "slots", stall=1.5),
        },
        judge=judge,
    )


if __name__ == "__main__":
    leave(main())
