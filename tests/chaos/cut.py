"""An export never lies (operations 23, promise 5).

Exports over gRPC and REST, through a proxy, of a fleet that changes all the time. Each is cut at random messages, in
one of six ways; the client resumes after the last pod it has until a stream ends well. Then all its streams together
must hold every pod that was there throughout exactly once and no pod twice, and each record must be a version that
was committed. A stream that ends well although more follows, or without the proof that it is whole, is a lie.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from podledger.pods.identity import PodKey
from podledger.store.sqlite import SqliteStore
from tests.chaos.clients import DOORS, Door, Request, Seen, export
from tests.chaos.folders import folder
from tests.chaos.histories import Churn, History
from tests.chaos.judging import Findings, Mutant, Options, command, leave
from tests.chaos.programs import Program
from tests.fakes.chaos_proxy import FaultProxy

KINDS = ("rst", "blackhole", "sigterm", "sigkill", "deadline", "half_close")
QUERIES = ("", "Namespace:shop")
NAMESPACE = {"": "", "Namespace:shop": "shop"}
STREAMS = 40
"""More streams than any export needs; one that is not whole by then never will be."""
CUTS = 3
"""At most, of one export."""

CODES = {
    "rst": {14},
    "blackhole": set(),
    "sigterm": {14},
    "sigkill": {14},
    "deadline": {4},
    "half_close": {14},
}
"""Statuses other than OK that a client may see after each cut."""
OWED = ("sigterm", "deadline")
"""Cuts after which the server still tells a status, unless the client has lost patience."""

SETTINGS = {
    "export.page_rows": 64,
    "drain.propagation_seconds": 0.1,
    "drain.grace_seconds": 0.3,
    "http.shutdown_seconds": 0.3,
}


@dataclass
class Tally:
    """What all exports together showed."""

    faults: Counter[str] = field(default_factory=Counter)
    cuts: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    streams: int = 0
    exports: int = 0
    pods: int = 0


class Stage:
    """A program, proxies in front of both its doors, and what can be done to them."""

    def __init__(self, program: Program, rng: random.Random) -> None:
        self.program = program
        self.proxies = {door: FaultProxy("127.0.0.1:1") for door in DOORS}
        self._rng = rng
        self._restart: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.program.start()
        for proxy in self.proxies.values():
            await proxy.__aenter__()
        self._aim()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.ready()
        for proxy in self.proxies.values():
            await proxy.__aexit__(*error)
        self.program.kill()
        await self.program.gone()

    def _aim(self) -> None:
        self.proxies["grpc"].target, self.proxies["rest"].target = self.program.grpc, self.program.http

    async def cut(self, kind: str, door: Door) -> None:
        """Cut what runs through a door."""
        match kind:
            case "rst":
                await self.proxies[door].cut()
            case "blackhole":
                self.proxies[door].blackhole()
            case "half_close":
                self.proxies[door].half_close(self._rng.choice(("client", "server")))
            case "sigkill":
                self.program.kill()
                self._restart = asyncio.create_task(self._start_again())
            case "sigterm":
                self.program.terminate()
                self._restart = asyncio.create_task(self._start_again())

    async def _start_again(self) -> None:
        await self.program.gone()
        await self.program.start()
        self._aim()

    async def ready(self) -> None:
        """Wait until the program serves again."""
        restart, self._restart = self._restart, None
        if restart is not None:
            await restart


class Export:
    """One export: streams until one ends well, cut on the way."""

    def __init__(self, stage: Stage, rng: random.Random, *, kind: str, door: Door, query: str, most: int) -> None:
        self.streams: list[Seen] = []
        self.cuts = 0
        self.kind = kind
        self.query = query
        self._stage = stage
        self._rng = rng
        self._door: Door = door
        self._most = most
        self._planned = rng.randint(1, CUTS)

    async def run(self) -> None:
        """Export everything."""
        after = ""
        while len(self.streams) < STREAMS:
            seen = await self._stream(after)
            self.streams.append(seen)
            await self._stage.ready()
            if seen.code == 0:
                return
            after = seen.last or after

    async def _stream(self, after: str) -> Seen:
        at = self._rng.randint(1, self._most) if self.cuts < self._planned else 0
        request = Request(self.query, after, **self._limits(at))
        begun = time.monotonic()

        async def watch(number: int) -> None:
            if number == at:
                self.cuts += 1
                await self._stage.cut(self.kind, self._door)
            if at and number >= at:
                await self._linger(number - at, begun)

        return await export(self._door, self._stage.proxies[self._door].address, request, watch)

    def _limits(self, at: int) -> dict[str, float]:
        """A deadline in one of its two forms, where that is the cut."""
        if self.kind != "deadline" or not at:
            return {}
        return self._rng.choice(({"timeout": 1}, {"deadline": 0.5}))

    async def _linger(self, passed: int, begun: float) -> None:
        """Read slowly after the cut, so that the server is still writing when it works."""
        if self.kind == "deadline" and not passed:
            await asyncio.sleep(max(0.0, begun + 1.1 - time.monotonic()))
        if self.kind == "sigterm" and passed % 20 == 0:
            await asyncio.sleep(0.01)


def judged(export: Export, history: History, tally: Tally) -> None:
    """Compare an export with the history."""
    begun, ended = export.streams[0].begun, time.monotonic()
    keys: Counter[PodKey] = Counter()
    for seen in export.streams:
        for told, received in seen.pods:
            keys[told.key] += 1
            tally.faults["uncommitted"] += not history.could_be(told, begun=seen.begun, received=received)
        tally.faults["false_ok"] += seen.unproven
        tally.ends[f"{export.kind} {seen.code}"] += 1
        tally.faults["wrong_status"] += _wrong(export.kind, seen)
    last = export.streams[-1]
    missing = history.throughout(NAMESPACE[export.query], begun, ended) - set(keys)
    tally.faults["missing"] += len(missing)
    tally.faults["duplicate"] += sum(times - 1 for times in keys.values())
    tally.faults["false_ok"] += last.code == 0 and any(_follows(key, export) for key in missing)
    tally.faults["never_whole"] += last.code != 0
    tally.cuts[export.kind] += export.cuts
    tally.streams += len(export.streams)
    tally.pods += sum(keys.values())
    tally.exports += 1


def _wrong(kind: str, seen: Seen) -> bool:
    if seen.code is None:
        return kind in OWED and not seen.gave_up
    return seen.code not in {0, *CODES[kind]}


def _follows(key: PodKey, export: Export) -> bool:
    """Whether a pod comes after all that an export holds."""
    last = next((seen.pods[-1][0].key for seen in reversed(export.streams) if seen.pods), None)
    return last is None or key > last


async def run(
    place: Path,
    rng: random.Random,
    *,
    exports: int,
    pods: int,
    kinds: Sequence[str] = KINDS,
    doors: Sequence[Door] = DOORS,
    pause: float = 0.01,
    wrapped: Sequence[str] = (),
    enough: Callable[[Tally], bool] = lambda _: False,
) -> Tally:
    """Cut that many exports, of a fleet of `pods` pods, or fewer when they show enough."""
    tally, stop = Tally(), asyncio.Event()
    store = SqliteStore(place / "fleet.db")
    await store.open()
    churn = Churn(store, pods=pods, rng=random.Random(rng.random()), pause=pause)
    await churn.fill()
    writing = asyncio.create_task(churn.run(stop))
    try:
        async with Stage(Program(place, place / "fleet.db", wrapped=wrapped, settings=SETTINGS), rng) as stage:
            for number in range(exports):
                kind, door = kinds[number % len(kinds)], doors[number // len(kinds) % len(doors)]
                export = Export(stage, rng, kind=kind, door=door, query=rng.choice(QUERIES), most=max(1, pods // 4))
                await export.run()
                judged(export, churn.history, tally)
                if enough(tally):
                    break
    finally:
        stop.set()
        await writing
        await store.close()
    return tally


# ------------------------------------------------------------------------------------------------ command

CRIMES = ("missing", "duplicate", "false_ok", "uncommitted", "never_whole", "wrong_status")


def _trial(name: str, *crimes: str, **options: object) -> Mutant:
    """A mutant that is tried until it commits one of its crimes."""

    def trial(given: Options) -> Findings:
        def enough(tally: Tally) -> bool:
            return any(tally.faults[crime] for crime in crimes)

        with folder() as place:
            rng = random.Random(given.seed)
            tally = asyncio.run(run(place, rng, exports=8, pods=4000, wrapped=[name], enough=enough, **options))
        return _findings(tally)

    return Mutant(trial, frozenset(crimes))


MUTANTS = {
    "swallowed_cancel": _trial("swallowed_cancel", "false_ok", kinds=["deadline", "sigterm"], doors=["rest", "grpc"]),
    "inclusive_resume": _trial("inclusive_resume", "duplicate", kinds=["rst"], pause=1.0),
    "offset_paging": _trial("offset_paging", "missing", "duplicate", kinds=["rst", "blackhole"], pause=0.0),
}


def judge(given: Options) -> Findings:
    """The product."""
    with folder() as place:
        tally = asyncio.run(run(place, random.Random(given.seed), exports=given.n, pods=given.pods))
    findings = _findings(tally)
    findings.figures |= {
        "exports": tally.exports,
        "streams": tally.streams,
        "pods": tally.pods,
        "cuts": dict(tally.cuts),
        "ends": dict(sorted(tally.ends.items())),
    }
    findings.floor("cuts of the rarest kind", min(tally.cuts[kind] for kind in KINDS), given.n // len(KINDS) // 2 or 1)
    findings.floor("pods per export", tally.pods / tally.exports, given.pods / 3)
    return findings


def _findings(tally: Tally) -> Findings:
    return Findings(
        {crime: tally.faults[crime] for crime in CRIMES}, {crime for crime in CRIMES if tally.faults[crime]}
    )


def options(parser: argparse.ArgumentParser) -> None:
    """Those of this command."""
    parser.add_argument("--n", type=int, default=100, help="exports to cut; at least 6, one of each kind")
    parser.add_argument("--pods", type=int, default=200_000, help="pods of the fleet")


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    return command(
        "cut", argv, describe="Cut exports and look for lies.", options=options, mutants=MUTANTS, judge=judge
    )


if __name__ == "__main__":
    leave(main())
