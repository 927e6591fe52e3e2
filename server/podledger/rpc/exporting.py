"""The export loop: read a chunk, let go, hand over, next; and one way out with OK (operations 7).

The reader releases everything before it gives a chunk, and a chunk is asked for only when the door has
handed over the one before, so a stalled client holds two chunks of bytes and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from podledger.errors import DeadlineExceeded
from podledger.pods.identity import PodKey
from podledger.query.syntax import Query
from podledger.rpc.framing import Framed
from podledger.store.contract import CHUNK_BYTES, CHUNK_ROWS, Chunk, Reader


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """Bounds of one chunk: `page_rows` pods, and the pod that reaches `page_bytes` is the last one."""

    page_rows: int = CHUNK_ROWS
    page_bytes: int = CHUNK_BYTES


def deadline_of(timeout: float, *, begun: float, call_deadline: float | None) -> float | None:
    """The earlier of a timeout in seconds (0: none) and the deadline of the call."""
    if timeout < 0:
        raise DeadlineExceeded
    moments = [moment for moment in (call_deadline, begun + timeout if timeout else None) if moment is not None]
    return min(moments, default=None)


async def export(
    reader: Reader, query: Query, *, after: PodKey | None, deadline: float | None, limits: ExportLimits
) -> AsyncGenerator[Framed, None]:
    """Batches of ExportPodResponse messages, from the first match after `after` to the last one.

    The time that a slow client takes counts too. Ending without an exception means that the store has
    seen the end.
    """
    scan = reader.scan(
        query, after=after, deadline=deadline, chunk_rows=limits.page_rows, chunk_bytes=limits.page_bytes
    )
    async with aclosing(cast("AsyncGenerator[Chunk, None]", scan)) as chunks:
        async for chunk in chunks:
            _check(deadline)
            yield Framed(chunk.messages)
            _check(deadline)


def _check(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise DeadlineExceeded
