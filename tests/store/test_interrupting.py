"""Deadlines and cancellation: a read ends when its caller's time is over, and the store goes on as before."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from podledger.errors import Cancelled, DeadlineExceeded, StoreClosed
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import Query
from podledger.store import sqlite
from podledger.store.contract import Chunk, Store
from podledger.store.sqlite import SqliteStore
from podledger.store.sqlite_connecting import EVALUATIONS_PER_CHECK, Session, connect
from tests.fakes.store_pods import Hand, counted, fill, found, query, record, scanned, window

SOON = 0.5
"""Seconds within which everything must be over, on a busy machine too."""

HOSTILE = "Pod Name:r/[ab]*a[ab]{90}c"
"""Needs a new state for every letter, so RE2 falls back to its slow machine: milliseconds per name."""
PLAIN = "Pod Name:%b%a%c%d"


async def drain(store: Store, asked: Query, deadline: float | None) -> int:
    scan = store.reader(UNRESTRICTED).scan(asked, deadline=deadline)
    return sum([len(chunk.messages) async for chunk in scan])


READS: dict[str, Callable[[Store, Query, float | None], Awaitable[Any]]] = {
    "page": lambda store, asked, deadline: store.reader(UNRESTRICTED).page(asked, window(), deadline=deadline),
    "scan": drain,
    "count": lambda store, asked, deadline: store.reader(UNRESTRICTED).count(asked, at_most=None, deadline=deadline),
}


def long_names(count: int) -> list[Any]:
    chance = random.Random(3)
    letters = str.maketrans("01", "ab")
    return [record(n, name=f"{chance.getrandbits(8000):08000b}".translate(letters)) for n in range(count)]


@pytest.fixture
async def slow(tmp_path: Path) -> Any:
    """A SQLite store in which `HOSTILE` takes several seconds."""
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    await fill(store, long_names(500))
    yield store
    await store.close()


def forever(session: Session) -> Any:
    """A read without end, inside SQLite alone."""
    text = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    return session.connection.execute(text).get


async def usable(store: Store) -> None:
    """Reads and writes work, on all reading threads."""
    await store.ready()
    assert [[5]] * 8 == await asyncio.gather(*(found(store, 'Namespace:shop+Pod Name:"new"') for _ in range(8)))


async def new_pod(store: Store) -> None:
    await (await Hand.take(store)).put(record(5, name="new"))


# ------------------------------------------------------------------------------------------- deadlines


@pytest.mark.parametrize("text", ["", "Pod Name:pod", "Namespace:-"])
@pytest.mark.parametrize("read", READS)
async def test_a_deadline_that_has_passed_gives_nothing(store: Store, read: str, text: str) -> None:
    """On an empty store and on one with pods."""
    for count in (0, 3):
        await fill(store, [record(n) for n in range(count)])
        with pytest.raises(DeadlineExceeded, match=r"^context deadline exceeded$"):
            await READS[read](store, query(text), time.monotonic() - 0.001)


@pytest.mark.parametrize("text", ["", "Pod Name:pod", "Namespace:-"])
@pytest.mark.parametrize("read", READS)
async def test_a_deadline_to_come_does_not_matter(store: Store, read: str, text: str) -> None:
    """The answer is the one without a deadline."""
    await fill(store, [record(n) for n in range(300)])

    assert await READS[read](store, query(text), None) == await READS[read](store, query(text), time.monotonic() + 60)


async def test_a_deadline_bounds_the_whole_walk(store: Store) -> None:
    """What came before stays with the caller."""
    await fill(store, [record(n) for n in range(20)])
    for text in ("", "Namespace:shop"):
        seen: list[int] = []
        with pytest.raises(DeadlineExceeded):
            await _slowly(store.reader(UNRESTRICTED).scan(query(text), chunk_rows=5, deadline=_in(0.1)), seen)
        assert 1 <= len(seen) <= 3


async def _slowly(scan: AsyncIterator[Chunk], seen: list[int]) -> None:
    async for chunk in scan:
        seen.append(len(chunk.messages))
        await asyncio.sleep(0.06)


def _in(seconds: float) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE.replace(":", ":x,"), HOSTILE.replace(":", ":!")])
@pytest.mark.parametrize("read", READS)
async def test_a_hostile_pattern_ends_with_the_deadline(slow: SqliteStore, read: str, text: str) -> None:
    """It would take several seconds."""
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await READS[read](slow, query(text), begun + 0.1)

    assert time.monotonic() - begun < 0.1 + SOON
    await new_pod(slow)
    await usable(slow)


async def test_an_endless_statement_ends_with_the_deadline(tmp_path: Path) -> None:
    """SQLite itself looks at the clock."""
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await store.in_thread(forever, deadline=begun + 0.1)
    took = time.monotonic() - begun

    await new_pod(store)
    await usable(store)
    await store.close()
    assert 0.09 < took < 0.1 + SOON


async def test_a_step_of_a_scan_has_seconds_of_its_own(slow: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any deadline of the caller (pod-service 13.2)."""
    monkeypatch.setattr(sqlite, "PAGE_SECONDS", 0.1)
    begun = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await drain(slow, query(HOSTILE), None)

    assert time.monotonic() - begun < 0.1 + SOON


# -------------------------------------------------------------------------------------------- sessions


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A connection that nobody interrupts from another thread."""
    (tmp_path / "session.db").touch()
    opened = connect(tmp_path / "session.db", writes=True, synchronous="FULL")
    yield opened
    opened.close()


@pytest.mark.parametrize("by", ["deadline", "caller"])
def test_a_session_stops_by_itself(session: Session, by: str) -> None:
    """Whether its time is over or its caller has left; the next job has neither limit."""
    until = _in(0.05)
    limits: dict[str, Any] = {"deadline": until} if by == "deadline" else {"stopped": lambda: time.monotonic() > until}
    with pytest.raises(DeadlineExceeded if by == "deadline" else Cancelled):
        session.run(forever, **limits)

    assert time.monotonic() < until + SOON
    assert 1 == session.run(lambda session: session.connection.execute("SELECT 1").get)


def test_a_slow_function_looks_at_its_limits(session: Session) -> None:
    """SQLite does not while it waits for one (pod-service 3.9: at least every 200 rows)."""
    calls: list[str] = []

    def slow(_pattern: str) -> Callable[[str], bool]:
        return lambda text: calls.append(text) is not None

    session.connection.create_scalar_function("slow", session._function(slow))
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT count(slow('', i)) FROM n"
    with pytest.raises(Cancelled):
        session.run(lambda session: session.connection.execute(rows).get, stopped=lambda: len(calls) > 20)

    assert len(calls) <= 20 + EVALUATIONS_PER_CHECK


def test_a_stopped_job_leaves_no_transaction(session: Session) -> None:
    """Nor what it has written."""
    session.run(lambda session: session.connection.execute("CREATE TABLE t (a)").get)

    def write_and_hang(session: Session) -> Any:
        session.connection.execute("BEGIN")
        session.connection.execute("INSERT INTO t VALUES (1)")
        return forever(session)

    with pytest.raises(DeadlineExceeded):
        session.run(write_and_hang, deadline=_in(0.05))

    assert not session.connection.in_transaction
    assert 0 == session.run(lambda session: session.connection.execute("SELECT count(*) FROM t").get)


# ---------------------------------------------------------------------------------------- cancellation


async def cancelled_after(seconds: float, work: Awaitable[Any]) -> float:
    """Start something, cancel it, and give the time until it was over."""
    task = asyncio.ensure_future(work)
    await asyncio.sleep(seconds)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return time.monotonic() - begun


@pytest.mark.parametrize("read", READS)
async def test_cancelling_ends_a_hostile_pattern(slow: SqliteStore, read: str) -> None:
    """And returns only when the thread has left it."""
    assert await cancelled_after(0.1, READS[read](slow, query(HOSTILE), None)) < SOON
    await new_pod(slow)
    await usable(slow)


async def test_cancelling_ends_an_endless_statement(tmp_path: Path) -> None:
    """On every reading thread at once."""
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    times = await asyncio.gather(*(cancelled_after(0.1, store.in_thread(forever, deadline=None)) for _ in range(4)))

    await new_pod(store)
    await usable(store)
    await store.close()
    assert max(times) < SOON


async def test_a_read_that_waits_for_a_thread_can_be_given_up(tmp_path: Path) -> None:
    """By its deadline, and by cancellation; no thread ever sees it."""
    store = SqliteStore(tmp_path / "store.db", readers=1)
    await store.open()
    busy = asyncio.ensure_future(store.in_thread(forever, deadline=None))
    await asyncio.sleep(0.05)
    ran: list[Session] = []
    with pytest.raises(DeadlineExceeded):
        await store.in_thread(ran.append, deadline=time.monotonic() + 0.05)
    assert await cancelled_after(0.05, store.in_thread(ran.append, deadline=None)) < SOON

    busy.cancel()
    await asyncio.wait([busy])
    await new_pod(store)
    await usable(store)
    await store.close()
    assert [] == ran


async def test_stopping_one_read_never_hits_the_next(tmp_path: Path) -> None:
    """A stop that comes late finds the job gone, not its successor."""
    store = SqliteStore(tmp_path / "store.db", readers=1)
    await store.open()
    await fill(store, [record(n) for n in range(200)])
    for round_ in range(150):
        task = asyncio.ensure_future(found(store, PLAIN))
        await asyncio.sleep(0.00001 * (round_ % 60))
        task.cancel()
        follower = asyncio.ensure_future(counted(store, "Pod Name:pod"))
        await asyncio.wait([task])
        assert 200 == (await follower).value
    await store.close()


async def test_a_scan_that_is_left_holds_nothing(store: Store) -> None:
    """Neither its thread nor a state of the database."""
    await fill(store, [record(n) for n in range(100)])
    for text in ("", "Namespace:shop"):
        scan = store.reader(UNRESTRICTED).scan(query(text), chunk_rows=10)
        await anext(scan)
        await scan.aclose()  # type: ignore[attr-defined]
    await new_pod(store)

    assert [5] == await found(store, 'Pod Name:"new"')


async def test_a_cancelled_scan_can_be_taken_up_again(store: Store) -> None:
    """After the last key that came."""
    await fill(store, [record(n) for n in range(100)])
    seen: list[Any] = []

    async def collect() -> None:
        async for chunk in store.reader(UNRESTRICTED).scan(query("Namespace:shop"), chunk_rows=10):
            seen.append(chunk.last)
            if len(seen) == 3:
                await asyncio.sleep(60)

    await cancelled_after(0.3, collect())

    rest = await scanned(store, "Namespace:shop", after=seen[-1])
    assert [*range(30, 100)] == [int.from_bytes(key.pod[-4:], "big") for key in rest]


@pytest.mark.parametrize("delay", [0, 0.0005, 0.002, 0.01])
async def test_a_cancelled_write_is_done_or_not_done(store: Store, delay: float) -> None:
    """Never half; and the next one works."""
    hand = await Hand.take(store)
    write = asyncio.ensure_future(hand.put(*(record(n, digests=["a"]) for n in range(300))))
    await asyncio.sleep(delay)
    write.cancel()
    await asyncio.wait([write])
    await hand.apply()

    count = (await counted(store)).value
    assert count in {0, 300}
    assert count == len(await found(store, "Container Image Digest:a"))
    assert 300 == (await hand.put(*(record(n) for n in range(300)))).upserted


async def test_closing_interrupts_reads(tmp_path: Path) -> None:
    """Those that run and those that wait. Whoever waits for them hears that the store is closed."""
    store = SqliteStore(tmp_path / "store.db", readers=2)
    await store.open()
    reads = [asyncio.ensure_future(store.in_thread(forever, deadline=None)) for _ in range(5)]
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    await store.close()
    took = time.monotonic() - begun

    outcomes = await asyncio.gather(*reads, return_exceptions=True)
    assert [StoreClosed] * 5 == list(map(type, outcomes))
    assert took < SOON


async def test_a_busy_loop_of_readers_leaves_room_for_writes(tmp_path: Path) -> None:
    """The writing thread is not theirs."""
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    reads = [asyncio.ensure_future(store.in_thread(forever, deadline=None)) for _ in range(4)]
    await asyncio.sleep(0.05)
    await asyncio.wait_for(new_pod(store), 10)
    for read in reads:
        read.cancel()
    await asyncio.wait(reads)

    await usable(store)
    await store.close()


async def test_a_read_outside_the_threads_keeps_its_limits_to_itself(store: Store) -> None:
    """A deadline given to one read does not stay for the next on the same connection."""
    await fill(store, [record(n) for n in range(10)])
    page = partial(store.reader(UNRESTRICTED).page, Query(), window(5))
    await page(deadline=time.monotonic() + 0.01)
    await asyncio.sleep(0.02)

    assert 5 == len((await page()).messages)
