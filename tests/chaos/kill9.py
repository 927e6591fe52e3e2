"""No acknowledged write is lost on a crash (operations 23, promise 1).

Three kill loops, each with SIGKILL at random moments. Writers on the store: a child applies batches to three
clusters and tells each number once it is acknowledged; after the kill the store must hold all of them, and be in
the state of exactly that many batches. `podledger import`: after the kill the store holds whole pods only, and the
same command completes it. `podledger serve`: after the restart an export holds what was acknowledged.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import time
from collections.abc import Sequence as Several
from contextlib import closing
from pathlib import Path

import apsw
import grpc

from podledger.ingest.synthesizing import fleet
from podledger.pods.identity import uuid_text
from podledger.store.sqlite import SqliteStore
from podledger_protos.storage.deployment_pb2 import Pod
from tests.chaos import sequences
from tests.chaos.folders import folder
from tests.chaos.judging import Findings, Mutant, Options, command, leave
from tests.chaos.programs import Program
from tests.chaos.sequences import CLUSTERS, Sequence, expected, version_of
from tests.chaos.writers import Writers
from tests.fakes.holdings import contents, messages
from tests.fakes.pod_clients import GrpcClient
from tests.fakes.program import PROGRAM, environment
from tests.fakes.store_pods import number_of

KILLS_PER_FILE = 100
"""Then a new file, so that kills while the schema is made come up again and again."""
KILLS_PER_CHECK = 20
LONGEST_LIFE = 0.08
"""Seconds that a child may go on after its first acknowledgement, or after its start."""
_TAIL = 12
"""Batches before the last checked one that are looked at again."""


# ---------------------------------------------------------------------------------------- writers killed


class Loop:
    """A file, its writers, and what they were told."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.acknowledged = 0
        self.kills = 0
        self.faults: list[str] = []
        self._folder = folder
        self._database = folder / "store.db"
        self._rng = rng
        self._told = dict.fromkeys(CLUSTERS, 0)
        self._checked = dict.fromkeys(CLUSTERS, 0)

    def run(self, kills: int, *, store: str = "product") -> None:
        """Kill that many writers."""
        with closing(Writers(self._folder, store=store)) as writers:
            for number in range(1, kills + 1):
                self._kill_one(writers)
                last = number == kills or number % KILLS_PER_FILE == 0
                asyncio.run(self._check(whole=last or number % KILLS_PER_CHECK == 0))
                if last:
                    self._begin_anew()

    def _kill_one(self, writers: Writers) -> None:
        """Most writers live on for a while after their first acknowledgement, the others die wherever they are."""
        seconds, after_first = self._rng.uniform(0, LONGEST_LIFE), self._rng.random() < 0.8
        for place, number in writers.live(self._database, seconds=seconds, after_first=after_first):
            self._told[CLUSTERS[place]] = max(self._told[CLUSTERS[place]], number)
            self.acknowledged += 1
        self.kills += 1

    async def _check(self, *, whole: bool) -> None:
        store = SqliteStore(self._database, readers=1)
        await store.open()
        try:
            for cluster, told in self._told.items():
                since = 1 if whole else max(1, self._checked[cluster] - _TAIL)
                self.faults += await sequences.faults(store, cluster, acknowledged=told, since=since)
                self._checked[cluster] = self._told[cluster] = (await store.checkpoint(cluster)).sequence
        finally:
            await store.close()
        if whole:
            self.faults += damage(self._database)

    def _begin_anew(self) -> None:
        for file in self._database.parent.glob("store.db*"):
            file.unlink()
        self._told = dict.fromkeys(CLUSTERS, 0)
        self._checked = dict.fromkeys(CLUSTERS, 0)


def damage(database: Path) -> list[str]:
    """`corrupt` when SQLite finds the file damaged."""
    with closing(apsw.Connection(str(database))) as connection:
        return [] if connection.pragma("integrity_check") == "ok" else ["corrupt"]


# ---------------------------------------------------------------------------------------- imports killed


class Imports:
    """`podledger import` of one file, killed and repeated."""

    def __init__(self, folder: Path, rng: random.Random, *, pods: int) -> None:
        self.faults: list[str] = []
        self.kills = 0
        self._folder = folder
        self._rng = rng
        self._input = folder / "objects.json"
        self._input.write_bytes(_objects(pods, seed=rng.randrange(2**16)))
        begun = time.monotonic()
        self._import("whole")
        self._seconds = time.monotonic() - begun
        self._whole = _live(folder / "whole.db")
        self._messages = set(asyncio.run(_stored(folder / "whole.db")))

    def run(self, kills: int) -> None:
        """Kill that many imports, each into a store of its own."""
        for number in range(kills):
            name = f"killed-{number}"
            self._import(name, kill_after=self._rng.uniform(0.4, 1.0) * self._seconds)
            database = self._folder / f"{name}.db"
            self.faults += damage(database) if database.exists() else []
            if database.exists() and not set(asyncio.run(_stored(database))) <= self._messages:
                self.faults.append("torn")
            self._import(name)
            if _live(database) != self._whole:
                self.faults.append("incomplete")

    def _import(self, name: str, *, kill_after: float | None = None) -> None:
        command = [
            str(PROGRAM), "import", "--register", "prod", str(self._input),
            "--set", f"store.url=sqlite:///{self._folder / name}.db",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, env=environment(self._folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            status = process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self.kills += 1
        else:
            self.faults += ["refused"] if status else []


def _live(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """All but what is staged: the stage of a killed import goes with a later import, a day after."""
    return {table: rows for table, rows in contents(database).items() if table != "staging"}


def _objects(pods: int, *, seed: int) -> bytes:
    cluster = next(fleet(pods=pods, clusters=1, seed=seed))
    return json.dumps([json.loads(event.object) for event in cluster.events]).encode()


async def _stored(database: Path) -> list[bytes]:
    store = SqliteStore(database)
    await store.open()
    try:
        return await messages(store)
    finally:
        await store.close()


# ---------------------------------------------------------------------------------------- servers killed


class Servers:
    """`podledger serve`, killed while a writer beside it goes on."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.faults: list[str] = []
        self.kills = 0
        self.exported = 0
        self._folder = folder
        self._rng = rng

    async def run(self, kills: int) -> None:
        """Kill that many servers."""
        store = SqliteStore(self._folder / "served.db")
        await store.open()
        program = Program(self._folder, self._folder / "served.db")
        try:
            sequences = [await Sequence.resume(store, cluster) for cluster in CLUSTERS]
            async with program:
                for _ in range(kills):
                    await self._kill_one(program, sequences)
        finally:
            await store.close()

    async def _kill_one(self, program: Program, sequences: Several[Sequence]) -> None:
        killed = asyncio.Event()
        writers = [asyncio.create_task(_write_until(killed, each)) for each in sequences]
        reader = asyncio.create_task(_exported(program.grpc))
        await asyncio.sleep(self._rng.uniform(0, 0.3))
        program.kill()
        await program.gone()
        self.kills += 1
        killed.set()
        await program.start()
        committed = [await writer for writer in writers]
        await asyncio.wait([reader])
        reader.exception()
        pods = await _exported(program.grpc)
        self.exported += len(pods)
        told = {
            uuid_text(each.cluster): sorted(expected(number).items())
            for each, number in zip(sequences, committed, strict=True)
        }
        there: dict[str, list[tuple[int, int]]] = {cluster: [] for cluster in told}
        for pod in pods:
            there[pod.cluster_id].append((number_of(pod), version_of(pod)))
        self.faults += ["lost"] if there != told else []


async def _write_until(killed: asyncio.Event, sequence: Sequence) -> int:
    """Write at least one batch; gives the number of the last one."""
    number = await sequence.write()
    while not killed.is_set():
        number = await sequence.write()
    return number


async def _exported(address: str) -> list[Pod]:
    async with grpc.aio.insecure_channel(address) as channel:
        return (await GrpcClient(channel).export()).pods


# ------------------------------------------------------------------------------------------------ command


def trial(given: Options) -> Findings:
    """The mutant."""
    with folder() as place:
        loop = Loop(place, random.Random(given.seed))
        loop.run(12, store="early_acknowledgement")
    return _findings(loop.faults)


def judge(given: Options) -> Findings:
    """The product."""
    rng = random.Random(given.seed)
    with folder() as place:
        loop = Loop(place, rng)
        loop.run(given.n)
        imports = Imports(place, rng, pods=given.pods)
        imports.run(given.imports)
        servers = Servers(place, rng)
        asyncio.run(servers.run(given.servers))
    findings = _findings(loop.faults + imports.faults + servers.faults)
    findings.figures |= {
        "kills": loop.kills,
        "acknowledged": loop.acknowledged,
        "imports_killed": imports.kills,
        "servers_killed": servers.kills,
        "exported": servers.exported,
    }
    findings.floor("batches acknowledged", loop.acknowledged, loop.kills)
    findings.floor("imports killed", imports.kills, given.imports // 2)
    return findings


def _findings(faults: Several[str]) -> Findings:
    counts = {name: faults.count(name) for name in ("lost", "gap", "torn", "corrupt", "incomplete", "refused")}
    return Findings(dict(counts), {name for name, times in counts.items() if times})


def options(parser: argparse.ArgumentParser) -> None:
    """Those of this command."""
    parser.add_argument("--n", type=int, default=2000, help="writers to kill")
    parser.add_argument("--imports", type=int, default=20, help="imports to kill")
    parser.add_argument("--servers", type=int, default=20, help="servers to kill")
    parser.add_argument("--pods", type=int, default=5000, help="pods of an import")


def main(argv: Several[str] | None = None) -> int:
    """The command."""
    return command(
        "kill9",
        argv,
        describe="Kill writers, imports and servers; look for what they had acknowledged.",
        options=options,
        mutants={"early_acknowledgement": Mutant(trial, frozenset({"lost"}))},
        judge=judge,
    )


if __name__ == "__main__":
    leave(main())
