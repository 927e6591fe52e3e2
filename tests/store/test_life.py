"""Opening and closing: what is kept, what is refused and in which words, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
import subprocess
import sys
import time
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import apsw
import pytest

from podledger.errors import BadInput, DomainError, SchemaTooNew, StoreClosed, StoreUnavailable
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import Query
from podledger.store.contract import Batch, Checkpoint, Cluster, NamespaceUpdate, Staged, Store
from podledger.store.sqlite import SqliteStore
from tests.fakes.store_engines import Engine
from tests.fakes.store_pods import (
    NORTH,
    Hand,
    counted,
    fill,
    found,
    instance,
    key,
    query,
    record,
    scanned,
    served,
    window,
)
from tests.store.conftest import assert_nothing_left


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def drained(store: Store, text: str) -> list[Any]:
    return [chunk async for chunk in store.reader(UNRESTRICTED).scan(query(text))]


CALLS: dict[str, Callable[[Store], Awaitable[Any]]] = {
    "page": lambda store: store.reader(UNRESTRICTED).page(Query(), window(5)),
    "filtered page": lambda store: store.reader(UNRESTRICTED).page(query("Pod Name:x"), window(5)),
    "scan": lambda store: drained(store, ""),
    "filtered scan": lambda store: drained(store, "Pod Name:x"),
    "count": counted,
    "filtered count": lambda store: counted(store, "Pod Name:x"),
    "get": lambda store: store.reader(UNRESTRICTED).get(key(1)),
    "take": lambda store: store.take(NORTH, b""),
    "checkpoint": lambda store: store.checkpoint(NORTH),
    "apply": lambda store: store.apply(Batch(NORTH, 1)),
    "stage": lambda store: store.stage("s", [Staged("k", "a", "1", "n", b"")]),
    "staged": lambda store: store.staged("s", "k"),
    "unstage": lambda store: store.unstage("s"),
    "put_cluster": lambda store: store.put_cluster(Cluster(NORTH, "north")),
    "clusters": lambda store: store.clusters(),
    "remove_cluster": lambda store: store.remove_cluster(NORTH),
    "ready": lambda store: store.ready(),
}


# --------------------------------------------------------------------------------------- use and close


@pytest.mark.parametrize("call", CALLS)
async def test_a_store_that_is_not_open_says_so(engine: Engine, call: str) -> None:
    """Before `open`, and after `close`."""
    store = engine.store()
    with pytest.raises(StoreClosed, match=r"^the store is closed$"):
        await CALLS[call](store)
    async with opened(store):
        await fill(store, [record(1)])
    with pytest.raises(StoreClosed):
        await CALLS[call](store)

    assert_nothing_left(engine.folder)


async def test_closing_twice_is_no_error(engine: Engine) -> None:
    """Neither one after the other nor at once; nor of a store that was never opened."""
    store = engine.store()
    await store.close()
    await store.open()
    await asyncio.gather(store.close(), store.close())
    await store.close()

    assert_nothing_left(engine.folder)


async def test_a_reader_outlives_nothing(engine: Engine) -> None:
    """A scan under way when the store closes ends with its error."""
    store = engine.store()
    await store.open()
    await fill(store, [record(n) for n in range(20)])
    scans = [store.reader(UNRESTRICTED).scan(query(text), chunk_rows=5) for text in ("", "Namespace:shop")]
    for scan in scans:
        await anext(scan)
    await store.close()

    for scan in scans:
        with pytest.raises(StoreClosed):
            await anext(scan)


async def test_closing_finishes_the_writes_that_were_accepted(engine: Engine) -> None:
    """All of them are there afterwards, and their callers hear of it."""
    store = engine.store()
    await store.open()
    hand = await Hand.take(store)
    writes = [asyncio.ensure_future(hand.put(record(n))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()

    outcomes = await asyncio.gather(*writes)
    assert [1] * 50 == [applied.upserted for applied in outcomes]
    if engine.durable:
        async with opened(engine.store()) as again:
            assert 50 == (await counted(again)).value


async def test_a_closed_store_leaves_nothing(engine: Engine) -> None:
    """No thread, no descriptor, and no cycle that keeps it in memory."""
    made: list[weakref.ref[Store]] = []
    for _ in range(5):
        async with opened(engine.store()) as store:
            await fill(store, [record(1)])
            await found(store, "Pod Name:x")
        made.append(weakref.ref(store))
    del store
    gc.collect()

    assert_nothing_left(engine.folder)
    assert [None] * 5 == [left() for left in made]


async def test_what_was_written_is_there_after_opening_again(engine: Engine) -> None:
    """Pods, workloads, runs, tombstones, namespaces, checkpoint, fence, stage, clusters."""
    if not engine.durable:
        pytest.skip("the memory engine keeps nothing")
    async with opened(engine.store()) as store:
        hand = await Hand.take(store)
        finished = instance("app", "r1", started=1, finished=2)
        await hand.apply(namespaces=(NamespaceUpdate("f1000000-0000-4000-8000-000000000000", "shop", {"a": "b"}),))
        await hand.put(record(1, deployment=1, digests=["d"], live=[finished]), record(2))
        await hand.remove(2)
        await hand.apply(checkpoint=Checkpoint(b"e", 5, {"pods": "9"}, 1))
        await store.stage("s", [Staged("k", "a", "1", "n", b"p")])
        before = (await drained(store, ""), await store.clusters())

    async with opened(engine.store()) as store:
        assert before == (await drained(store, ""), await store.clusters())
        assert [1] == await found(store, "Deployment:pod+Namespace Label:a=b+Container Image Digest:d")
        assert Checkpoint(b"e", 5, {"pods": "9"}, 1) == await store.checkpoint(NORTH)
        assert [Staged("k", "a", "1", "n", b"p")] == await store.staged("s", "k")
        again = Hand(store, NORTH, hand.fence)
        assert 1 == (await again.put(record(1, deployment=1, digests=["d"], live=[finished]))).unchanged
        assert await store.take(NORTH, b"") > hand.fence


async def test_a_store_can_be_opened_again_after_a_refusal(engine: Engine) -> None:
    """Nothing of the first attempt is in the way."""
    if not engine.durable:
        pytest.skip("the memory engine refuses nothing")
    engine.file.write_bytes(b"no database at all " * 1000)
    store = engine.store()
    with pytest.raises(BadInput):
        await store.open()
    assert_nothing_left(engine.folder)
    engine.file.unlink()

    async with opened(store):
        await store.ready()


# ------------------------------------------------------------------------------- SQLite: refusals


async def refusal(store: Store) -> DomainError:
    """Why a store does not open. Nothing is left of the attempt."""
    with pytest.raises(DomainError) as caught:
        await store.open()
    await store.close()
    return caught.value


def is_one_sentence(text: str) -> bool:
    return "\n" not in text and ". " not in text and len(text) < 300


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """In one sentence that says what to do (operations 12.11)."""
    file = tmp_path / "store.db"
    async with opened(SqliteStore(file)):
        pass
    with apsw.Connection(str(file)) as connection:
        connection.execute("INSERT INTO migrations VALUES (9000, 2, '9000_future', 0)")
    connection.close()

    error = await refusal(SqliteStore(file))

    assert SchemaTooNew is type(error)
    assert (
        "the database was written by a newer release (migration 9000.2): run that release, or restore a backup"
        == error.message
    )
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"no database at all\n" * 500, b"\0" * 40_000, b"SQLite format 3\0" + b"\xff" * 20_000],
    ids=["text", "zeros", "only the head"],
)
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """And left as it is."""
    file = tmp_path / "store.db"
    file.write_bytes(content)

    error = await refusal(SqliteStore(file))

    assert BadInput is type(error)
    assert f"{file} is damaged, or is no database: restore a backup, or choose another file" == error.message
    assert content == file.read_bytes()
    assert_nothing_left(tmp_path)


async def test_a_damaged_database_is_refused_after_an_unclean_stop(tmp_path: Path) -> None:
    """A server looks through the file when the last one left without closing it."""
    file = tmp_path / "store.db"
    async with opened(SqliteStore(file)) as store:
        await fill(store, [record(n, name=f"{n}" * 300) for n in range(500)])
    body = bytearray(file.read_bytes())
    for place in range(3 * 16384, len(body), 16384):
        body[place : place + 64] = b"\xa5" * 64
    file.write_bytes(body)
    _leave_a_log(file)

    error = await refusal(SqliteStore(file, exclusive=True))

    assert (BadInput, True) == (type(error), is_one_sentence(error.message))
    assert_nothing_left(tmp_path)


def _leave_a_log(file: Path) -> None:
    """A log of an earlier writer that never closed the file. Its salts fit nothing, so nothing is replayed."""
    file.with_name(file.name + "-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(28))


async def test_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    """Whether it has a mark or only tables; nothing is written into it."""
    for number, sql in enumerate(["CREATE TABLE theirs (a)", "PRAGMA application_id = 77"]):
        file = tmp_path / f"{number}.db"
        with apsw.Connection(str(file)) as connection:
            connection.execute(sql)
        connection.close()

        error = await refusal(SqliteStore(file))

        assert f"{file} is a database of something else: choose another file" == error.message
        with apsw.Connection(str(file)) as connection:
            assert number == 1 or ["theirs"] == [n for (n,) in connection.execute("SELECT name FROM sqlite_schema")]
        connection.close()


async def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    """As one that `touch` made."""
    file = tmp_path / "store.db"
    file.touch()
    async with opened(SqliteStore(file)) as store:
        await store.ready()

    assert file.read_bytes().startswith(b"SQLite format 3\0")


async def test_a_folder_where_the_file_should_be_is_refused(tmp_path: Path) -> None:
    """And a folder that cannot be made."""
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "store.db"):
        error = await refusal(SqliteStore(path))
        assert BadInput is type(error)
        assert error.message.startswith(f"the database {path} cannot be opened: ")


# ------------------------------------------------------------------------------- SQLite: file and lock


async def test_folder_and_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    """0700 and 0600, whatever the umask is (operations 10)."""
    before = os.umask(0)
    try:
        folder = tmp_path / "data" / "podledger"
        async with opened(SqliteStore(folder / "store.db", exclusive=True)) as store:
            await fill(store, [record(1)])
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
            folders = {stat.S_IMODE(folder.stat().st_mode)}
    finally:
        os.umask(before)

    assert dict.fromkeys(("store.db", "store.db-wal", "store.db-shm", "store.db.lock"), 0o600) == modes
    assert {0o700} == folders


async def test_a_second_server_on_the_file_is_refused(tmp_path: Path) -> None:
    """The first one goes on, and when it has closed the second may open."""
    file = tmp_path / "store.db"
    second = SqliteStore(file, exclusive=True)
    async with opened(SqliteStore(file, exclusive=True)) as first:
        error = await refusal(second)
        await fill(first, [record(1)])
    assert BadInput is type(error)
    assert f"{file} is in use by another podledger server: stop that one, or choose another store.url" == error.message

    async with opened(second):
        assert [1] == await found(second)


async def test_a_server_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    """The lock is the process's, and what it had committed is there."""
    file = tmp_path / "store.db"
    script = f"""
import asyncio
from podledger.store.contract import Cluster
from podledger.store.sqlite import SqliteStore
async def main():
    store = SqliteStore({str(file)!r}, exclusive=True)
    await store.open()
    await store.put_cluster(Cluster(b"c" * 16, "left"))
    print("ready", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"ready\n" == process.stdout.readline()
        error = await refusal(SqliteStore(file, exclusive=True))
        process.kill()

    assert "in use by another podledger server" in error.message
    async with opened(SqliteStore(file, exclusive=True)) as store:
        assert ["left"] == [one.cluster.name for one in await store.clusters()]


async def test_a_tool_may_write_beside_a_server(tmp_path: Path) -> None:
    """Under the fence of a cluster; the server sees it at its next read."""
    file = tmp_path / "store.db"
    async with opened(SqliteStore(file, exclusive=True)) as server, opened(SqliteStore(file)) as tool:
        await fill(tool, [record(1)])

        assert [1] == await found(server)
        assert [key(1)] == await scanned(server, "Pod Name:pod")
        assert 1 == (await counted(server)).value
        assert await served(server, 1) is not None


async def test_a_database_that_stays_locked_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads go on meanwhile, readiness tells of it, and the store recovers by itself."""
    monkeypatch.setattr("podledger.store.sqlite_connecting.BUSY_MILLISECONDS", 50)
    file = tmp_path / "store.db"
    async with opened(SqliteStore(file)) as store:
        hand = (await fill(store, [record(1)]))[NORTH]
        other = apsw.Connection(str(file))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"^another process keeps the database locked$"):
            await hand.put(record(2))
        assert [1] == await found(store)
        with pytest.raises(StoreUnavailable):
            await store.ready()
        other.close()

        await store.ready()
        assert 1 == (await hand.put(record(2))).upserted


async def test_opening_a_large_file_again_is_quick(tmp_path: Path) -> None:
    """Nothing is counted or read through after a clean stop."""
    file = tmp_path / "store.db"
    async with opened(SqliteStore(file)) as store:
        await fill(store, [record(n) for n in range(3000)])
    begun = time.monotonic()
    async with opened(SqliteStore(file, exclusive=True)):
        assert time.monotonic() - begun < 1
