"""The embedded engine: one SQLite file, with threads that read and one that writes.

Reads that touch few rows whatever the table holds run on the event loop, on a connection of its own: a
chunk of an unfiltered scan, a page near the beginning of an order that an index has, one pod. A hop to
a thread would cost more than they do. All others run in reading threads, where they can be stopped
(`sqlite_threads`); what they read is in `sqlite_reading`, what the writing thread does in `sqlite_writing`.

Caveats: one process serves a file; another one may write to it beside the server, under the fence of a
cluster. The file must lie on a local file system.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from podledger.errors import DeadlineExceeded, StoreClosed
from podledger.pods.identity import PodKey
from podledger.pods.merging import MergeMode
from podledger.query.paging import Paging
from podledger.query.scope import Scope
from podledger.query.syntax import Query
from podledger.store import sqlite_reading as reading
from podledger.store import sqlite_writing as writing
from podledger.store.clocks import Clock, wall_clock
from podledger.store.contract import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    PAGE_SECONDS,
    Applied,
    Batch,
    Checkpoint,
    Chunk,
    Cluster,
    ClusterStatus,
    Count,
    Page,
    Staged,
)
from podledger.store.sqlite_connecting import Result, Session, connect
from podledger.store.sqlite_preparing import check_library, lock_file, log_remains, make_file, prepare
from podledger.store.sqlite_threads import ReadingThreads, WritingThread

LOOP_CACHE_KIB = 8 * 1024
"""Cache of the connection on the event loop: first pages of the common orders stay in it."""

Synchronous = Literal["FULL", "NORMAL"]
"""`NORMAL` may lose acknowledged writes when the power fails."""


class SqliteStore:
    """An engine over one file. `exclusive` claims it for a server; a second server is refused."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        merge_mode: MergeMode = "dedupe",
        clock: Clock = wall_clock,
        readers: int = 4,
        synchronous: Synchronous = "FULL",
        exclusive: bool = False,
    ) -> None:
        self._path = Path(path).absolute()
        self._merge_mode = merge_mode
        self._clock = clock
        self._synchronous = synchronous
        self._exclusive = exclusive
        self._lock: int | None = None
        self._own: Session | None = None
        self._writer = WritingThread(self._prepare)
        self._readers = ReadingThreads(self._connect, count=readers)

    # upkeep

    async def open(self) -> None:
        """Open or create the file and bring its schema up to date."""
        check_library()
        make_file(self._path)
        self._lock = lock_file(self._path) if self._exclusive else None
        try:
            await self._writer.start()
            await self._readers.start()
            self._own = connect(self._path, writes=False, synchronous=self._synchronous, cache_kib=LOOP_CACHE_KIB)
        except BaseException:
            await self.close()
            raise

    def _prepare(self) -> Session:
        verify = self._exclusive and log_remains(self._path)
        return prepare(self._path, synchronous=self._synchronous, verify=verify, now=self._clock())

    def _connect(self) -> Session:
        return connect(self._path, writes=False, synchronous=self._synchronous)

    async def ready(self) -> None:
        """Return if reads and writes work. After a failed write another one is tried."""
        self.on_loop(lambda session: session.connection.execute("SELECT count(*) FROM clusters").get)
        if self._writer.trouble is not None:
            await self._writer.write(_touch)

    async def close(self) -> None:
        """Finish the writes that were accepted, interrupt reads, release everything."""
        own, self._own = self._own, None
        await self._readers.close()
        await self._writer.close()
        if own is not None:
            own.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    # reads

    def reader(self, scope: Scope) -> SqliteReader:
        """Pods as `scope` sees them."""
        return SqliteReader(self, scope)

    def on_loop(self, job: Callable[[Session], Result], *, deadline: float | None = None) -> Result:
        """Run a read that touches few rows here and now."""
        if self._own is None:
            raise StoreClosed
        if deadline is not None and time.monotonic() >= deadline:
            raise DeadlineExceeded
        return self._own.run(job)

    async def in_thread(self, job: Callable[[Session], Result], *, deadline: float | None) -> Result:
        """Run any other read where it can be stopped."""
        return await self._readers.read(job, deadline=deadline)

    # writes

    async def take(self, cluster: bytes, epoch: bytes) -> int:
        """Raise the fence of a cluster, and give it."""
        return await self._writer.write(partial(writing.take, cluster=cluster, epoch=epoch))

    async def checkpoint(self, cluster: bytes) -> Checkpoint:
        """The last durable checkpoint."""
        return self.on_loop(partial(writing.checkpoint, cluster=cluster))

    async def apply(self, batch: Batch) -> Applied:
        """Apply a batch."""
        told = (batch.namespaces, batch.metadata, batch.upserts, batch.removals, batch.owners, batch.workloads)
        events = sum(map(len, told))
        job = partial(writing.apply, batch=batch, mode=self._merge_mode, now=self._clock())
        return await self._writer.write(job, events=max(events, 1))

    # staging

    async def stage(self, stage: str, rows: Sequence[Staged]) -> int:
        """Add rows to a stage."""
        return await self._writer.write(partial(writing.stage, name=stage, rows=rows), events=max(len(rows), 1))

    async def staged(self, stage: str, kind: str, *, after: str = "", limit: int = 500) -> list[Staged]:
        """Rows of one kind by key."""
        return self.on_loop(partial(writing.staged, name=stage, kind=kind, after=after, limit=limit))

    async def unstage(self, stage: str) -> None:
        """Drop a stage, step by step, so that other writes get their turn."""
        while await self._writer.write(partial(writing.remove_some_staged, name=stage)):
            pass

    # clusters

    async def put_cluster(self, cluster: Cluster) -> None:
        """Register a cluster, or change it."""
        await self._writer.write(partial(writing.put_cluster, cluster=cluster))

    async def clusters(self) -> list[ClusterStatus]:
        """All clusters by name."""
        return self.on_loop(writing.clusters)

    async def remove_cluster(self, cluster: bytes) -> None:
        """Fence its writer and remove its rows, step by step; it is registered until the last step."""
        await self._writer.write(partial(writing.close_cluster, cluster=cluster))
        while await self._writer.write(partial(writing.remove_some_rows, cluster=cluster)):
            pass


def _touch(session: Session) -> None:
    """Write to the file without changing what it says."""
    session.connection.pragma("user_version", session.connection.pragma("user_version") + 1)


class SqliteReader:
    """Reads of a `SqliteStore` under one scope."""

    def __init__(self, store: SqliteStore, scope: Scope) -> None:
        self._store = store
        self._scope = scope

    async def page(self, query: Query, paging: Paging, *, deadline: float | None = None) -> Page:
        """Read one window of the ordered matches."""
        job = partial(reading.page, query=query, scope=self._scope, paging=paging)
        if reading.is_bounded(query, self._scope, paging):
            return self._store.on_loop(job, deadline=deadline)
        return await self._store.in_thread(job, deadline=deadline)

    async def scan(
        self,
        query: Query,
        *,
        after: PodKey | None = None,
        deadline: float | None = None,
        chunk_rows: int = CHUNK_ROWS,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> AsyncGenerator[Chunk, None]:
        """Walk all matches in key order."""
        walk = await self._walk(query, deadline)
        position = reading.start(walk, after)
        while position is not None:
            job = partial(reading.chunk, walk=walk, position=position, rows=chunk_rows, size=chunk_bytes)
            if walk.filtered:
                chunk, position = await self._store.in_thread(job, deadline=_page_deadline(deadline))
            else:
                await asyncio.sleep(0)  # others get their turn, and a cancellation comes through
                chunk, position = self._store.on_loop(job, deadline=deadline)
            if chunk is not None:
                yield chunk

    async def _walk(self, query: Query, deadline: float | None) -> reading.Walk:
        if not query.conditions and not query.nothing and (walk := reading.unfiltered_walk(self._scope)):
            return walk
        job = partial(reading.filtered_walk, query=query, scope=self._scope)
        return await self._store.in_thread(job, deadline=_page_deadline(deadline))

    async def count(self, query: Query, *, at_most: int | None, deadline: float | None = None) -> Count:
        """Count the matches."""
        if query.nothing:
            return Count(0, exact=True)
        job = partial(reading.count, query=query, scope=self._scope, at_most=at_most)
        if self._scope.everything and not query.conditions:
            return self._store.on_loop(job, deadline=deadline)
        return await self._store.in_thread(job, deadline=deadline)

    async def get(self, key: PodKey) -> bytes | None:
        """The stored message of one live pod."""
        return self._store.on_loop(partial(reading.get, scope=self._scope, key=key))


def _page_deadline(deadline: float | None) -> float:
    """One step of a scan has `PAGE_SECONDS` of its own."""
    own = time.monotonic() + PAGE_SECONDS
    return own if deadline is None else min(own, deadline)
