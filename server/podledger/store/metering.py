"""Readers that measure: the same protocol around any engine's readers, time and failures per operation."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from typing import Protocol, cast

from podledger.pods.identity import PodKey
from podledger.query.paging import Paging
from podledger.query.scope import Scope
from podledger.query.syntax import Query
from podledger.store.contract import CHUNK_BYTES, CHUNK_ROWS, Chunk, Count, Page, Reader
from podledger.telemetry import Telemetry


class Reads(Protocol):
    """What gives readers: a store, or `MeteredReads` around one."""

    def reader(self, scope: Scope) -> Reader:
        """Pods as `scope` sees them."""
        ...


class MeteredReads:
    """`Reads` around a store; `engine` is its name in the labels."""

    def __init__(self, store: Reads, telemetry: Telemetry, *, engine: str) -> None:
        self._store = store
        self._telemetry = telemetry
        self._engine = engine

    def reader(self, scope: Scope) -> Reader:
        """A reader that measures."""
        return _MeteredReader(self._store.reader(scope), self._telemetry, self._engine)


class _MeteredReader:
    def __init__(self, reader: Reader, telemetry: Telemetry, engine: str) -> None:
        self._reader = reader
        self._telemetry = telemetry
        self._engine = engine

    async def page(self, query: Query, paging: Paging, *, deadline: float | None = None) -> Page:
        with self._measured("page"):
            return await self._reader.page(query, paging, deadline=deadline)

    async def scan(
        self,
        query: Query,
        *,
        after: PodKey | None = None,
        deadline: float | None = None,
        chunk_rows: int = CHUNK_ROWS,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> AsyncIterator[Chunk]:
        """Each chunk is one operation; the time between chunks belongs to the caller."""
        scan = self._reader.scan(query, after=after, deadline=deadline, chunk_rows=chunk_rows, chunk_bytes=chunk_bytes)
        async with aclosing(cast("AsyncGenerator[Chunk, None]", scan)) as chunks:
            while True:
                try:
                    with self._measured("chunk"):
                        chunk = await anext(chunks)
                except StopAsyncIteration:
                    return
                yield chunk

    async def count(self, query: Query, *, at_most: int | None, deadline: float | None = None) -> Count:
        with self._measured("count"):
            return await self._reader.count(query, at_most=at_most, deadline=deadline)

    async def get(self, key: PodKey) -> bytes | None:
        with self._measured("get"):
            return await self._reader.get(key)

    @contextmanager
    def _measured(self, operation: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        except StopAsyncIteration:
            raise
        except Exception as error:
            self._telemetry.store_errors.labels(self._engine, type(error).__name__).inc()
            raise
        finally:
            self._telemetry.store_seconds.labels(self._engine, operation).observe(time.monotonic() - begun)
