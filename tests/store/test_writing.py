"""The writing thread: jobs share a transaction and nothing else; too many are refused; two stores may share a file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest

from podledger.errors import Fenced, InvariantViolated, StoreClosed, StoreFailed, StoreUnavailable
from podledger.store import sqlite_threads
from podledger.store.sqlite import SqliteStore
from podledger.store.sqlite_connecting import Session, connect
from podledger.store.sqlite_threads import QUEUED_EVENTS, WritingThread
from tests.fakes.store_pods import NORTH, SOUTH, Hand, counted, found, record, scanned


class Notebook:
    """A table of lines, and the thread that writes it."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.commits = 0
        self.thread = WritingThread(self._connect)
        with apsw.Connection(str(file)) as connection:
            connection.execute("CREATE TABLE lines (line TEXT UNIQUE)")
        connection.close()

    def _connect(self) -> Session:
        session = connect(self.file, writes=True, synchronous="NORMAL")
        session.connection.set_commit_hook(self._count)
        return session

    def _count(self) -> bool:
        self.commits += 1
        return False

    def write(self, line: str, **options: Any) -> asyncio.Future[int]:
        return asyncio.ensure_future(self.thread.write(partial(insert, line=line), **options))

    def lines(self) -> list[str]:
        """What another process would read."""
        with apsw.Connection(str(self.file)) as connection:
            found = [line for (line,) in connection.execute("SELECT line FROM lines ORDER BY rowid")]
        connection.close()
        return found


def insert(session: Session, line: str) -> int:
    session.connection.execute("INSERT INTO lines VALUES (?)", (line,))
    return len(line)


def refuse(session: Session) -> None:
    """As a batch under an old fence: it looks, and writes nothing."""
    if session.connection.execute("SELECT count(*) FROM lines").get is not None:
        raise Fenced


def refuse_late(session: Session) -> None:
    """After a write, which must not stay."""
    insert(session, "half done")
    raise InvariantViolated("too late")


def break_down(session: Session) -> None:
    """A mistake of the program."""
    insert(session, "half done")
    raise ZeroDivisionError


@pytest.fixture
async def notebook(tmp_path: Path) -> AsyncIterator[Notebook]:
    made = Notebook(tmp_path / "notebook.db")
    await made.thread.start()
    yield made
    await made.thread.close()


class Block:
    """A job that keeps the thread until it is let go, so that others gather behind it."""

    def __init__(self, notebook: Notebook) -> None:
        self._begun, self._go = threading.Event(), threading.Event()
        self._task = asyncio.ensure_future(notebook.thread.write(self._wait))

    def _wait(self, session: Session) -> None:
        self._begun.set()
        self._go.wait(20)

    async def taken(self) -> None:
        await asyncio.to_thread(self._begun.wait, 20)

    async def end(self) -> None:
        self._go.set()
        await self._task


# -------------------------------------------------------------------------------------------- groups


async def test_what_is_queued_is_one_transaction(notebook: Notebook) -> None:
    """While one is written the next gathers; every caller gets its own answer, in order."""
    block = Block(notebook)
    await block.taken()
    writes = [notebook.write("x" * n) for n in range(1, 51)]
    await asyncio.sleep(0)
    await block.end()

    assert [*range(1, 51)] == await asyncio.gather(*writes)
    assert ["x" * n for n in range(1, 51)] == notebook.lines()
    assert 2 == notebook.commits  # with the one of the block


async def test_a_group_is_closed_by_its_events(notebook: Notebook) -> None:
    """Weights count, not jobs."""
    block = Block(notebook)
    await block.taken()
    writes = [notebook.write(f"{n}", events=sqlite_threads.GROUP_EVENTS // 2) for n in range(6)]
    await asyncio.sleep(0)
    await block.end()
    await asyncio.gather(*writes)

    assert 1 + 3 == notebook.commits  # with the one of the block


@pytest.mark.parametrize(
    ("job", "error"), [(refuse, Fenced), (refuse_late, InvariantViolated), (break_down, ZeroDivisionError)]
)
async def test_a_job_that_fails_does_not_harm_its_group(
    notebook: Notebook, job: Callable[[Session], None], error: type[Exception]
) -> None:
    """The others are written exactly once, in order; of the failed one nothing stays."""
    block = Block(notebook)
    await block.taken()
    before = [notebook.write(f"a{n}") for n in range(5)]
    failing = asyncio.ensure_future(notebook.thread.write(job))
    behind = [notebook.write(f"b{n}") for n in range(5)]
    await asyncio.sleep(0)
    await block.end()

    with pytest.raises(error):
        await failing
    assert [2] * 10 == await asyncio.gather(*before, *behind)
    assert [*(f"a{n}" for n in range(5)), *(f"b{n}" for n in range(5))] == notebook.lines()


async def test_an_error_of_the_driver_comes_out_as_ours(notebook: Notebook) -> None:
    """Without its text, which is chained for the log."""
    await notebook.write("same")
    with pytest.raises(StoreFailed, match=r"^Database operation failed$") as caught:
        await notebook.write("same")

    assert isinstance(caught.value.__cause__, apsw.ConstraintError)
    assert ["same"] == notebook.lines()


async def test_a_refusal_is_no_trouble_and_a_failure_ends_with_the_next_success(notebook: Notebook) -> None:
    """Readiness looks at it."""
    with pytest.raises(Fenced):
        await notebook.thread.write(refuse)
    assert notebook.thread.trouble is None
    with pytest.raises(ZeroDivisionError):
        await notebook.thread.write(break_down)
    assert isinstance(notebook.thread.trouble, ZeroDivisionError)

    await notebook.write("fine")

    assert notebook.thread.trouble is None


async def test_an_answer_comes_after_the_commit(notebook: Notebook) -> None:
    """Whoever hears of it may look from another process."""
    for n in range(20):
        await notebook.write(f"{n}")
        assert f"{n}" == notebook.lines()[-1]


async def test_a_write_that_waits_can_be_given_up(notebook: Notebook) -> None:
    """It is withdrawn, and its place in the queue is free at once."""
    block = Block(notebook)
    await block.taken()
    given_up = notebook.write("never", events=QUEUED_EVENTS - 1)
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.wait([given_up])
    kept = notebook.write("kept", events=QUEUED_EVENTS - 1)
    await asyncio.sleep(0)
    await block.end()
    await kept

    assert ["kept"] == notebook.lines()


# --------------------------------------------------------------------------------------------- queue


@pytest.mark.parametrize(("events", "refused"), [(QUEUED_EVENTS - 2, 0), (QUEUED_EVENTS - 1, 1)])
async def test_a_full_queue_is_unavailable(notebook: Notebook, events: int, refused: int) -> None:
    """One event more than it holds; what it has accepted is written, and then there is room again."""
    block = Block(notebook)  # is one event itself
    await block.taken()
    accepted = notebook.write("accepted", events=events)
    await asyncio.sleep(0)
    last = notebook.write("last")
    done, _ = await asyncio.wait([last], timeout=0.1)

    assert refused == len(done)
    if refused:
        with pytest.raises(StoreUnavailable, match=r"^too many changes wait to be written$") as caught:
            await last
        assert caught.value.retry_after_seconds > 0
    await block.end()
    await accepted
    assert 5 == await notebook.write("again")


async def test_a_batch_larger_than_the_queue_is_taken_alone(notebook: Notebook) -> None:
    """Or it could never be written."""
    assert 5 == await notebook.write("large", events=QUEUED_EVENTS * 3)


async def test_a_store_with_a_full_queue_says_so_and_still_reads(tmp_path: Path, monkeypatch: Any) -> None:
    """Through the contract: batches weigh what they hold."""
    monkeypatch.setattr(sqlite_threads, "QUEUED_EVENTS", 100)
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    hand = await Hand.take(store)
    outcomes = await asyncio.gather(
        *(hand.put(*(record(n + k) for k in range(40))) for n in range(0, 400, 40)), return_exceptions=True
    )
    refused = [each for each in outcomes if isinstance(each, StoreUnavailable)]

    assert 400 - 40 * len(refused) == (await counted(store)).value
    assert 8 == len(refused)
    assert 40 == (await hand.put(*(record(1000 + k) for k in range(40)))).upserted
    await store.close()


async def test_a_closed_thread_takes_nothing(notebook: Notebook) -> None:
    """And what it had taken is written."""
    writes = [notebook.write(f"{n}") for n in range(5)]
    await asyncio.sleep(0)
    await notebook.thread.close()

    assert [1] * 5 == await asyncio.gather(*writes)
    with pytest.raises(StoreClosed):
        await notebook.write("late")
    assert 5 == len(notebook.lines())


# ---------------------------------------------------------------------------------- the whole store


async def test_batches_of_many_writers_at_once_are_each_atomic(tmp_path: Path) -> None:
    """Those under an old fence are refused in the midst of the others."""
    store = SqliteStore(tmp_path / "store.db")
    await store.open()
    old = await Hand.take(store)
    north, south = await Hand.take(store), await Hand.take(store, SOUTH)
    writes = [
        hand.put(record(n, cluster=hand.cluster), record(n + 1000, cluster=hand.cluster, digests=["a"]))
        for n in range(50)
        for hand in (north, old, south)
    ]
    outcomes = await asyncio.gather(*writes, return_exceptions=True)

    assert [Fenced] * 50 == [type(each) for each in outcomes[1::3]]
    assert [2] * 100 == [each.upserted for each in outcomes if not isinstance(each, Fenced)]
    assert [*range(1, 51)] == [each.revision for each in outcomes[0::3]]
    assert 200 == (await counted(store)).value
    assert 100 == len(await scanned(store, "Container Image Digest:a"))
    await store.close()


async def test_two_stores_on_one_file_write_beside_each_other(tmp_path: Path) -> None:
    """Each its own cluster; counters stay right, and each sees what the other has written."""
    one, two = (SqliteStore(tmp_path / "store.db") for _ in range(2))
    await asyncio.gather(one.open(), two.open())
    north, south = await Hand.take(one, NORTH), await Hand.take(two, SOUTH)
    await asyncio.gather(
        *(north.put(record(n)) for n in range(60)), *(south.put(record(n, cluster=SOUTH)) for n in range(60))
    )
    for n in range(60, 70):
        await asyncio.gather(north.put(record(n)), south.put(record(n, cluster=SOUTH)))

    assert 140 == (await counted(one)).value == (await counted(two)).value
    assert await scanned(one) == await scanned(two, "Pod Name:pod")
    assert [70, 70] == [each.pods for each in await one.clusters()]
    await one.close()
    assert 140 == len(await found(two))
    await two.close()


async def test_a_fence_taken_beside_a_store_stops_its_writer(tmp_path: Path) -> None:
    """It lies in the file, not in the process."""
    one, two = (SqliteStore(tmp_path / "store.db") for _ in range(2))
    await one.open()
    await two.open()
    former = await Hand.take(one)
    await former.put(record(1))
    await Hand.take(two)
    with pytest.raises(Fenced):
        await former.put(record(2))

    assert [1] == await found(one)
    await one.close()
    await two.close()
