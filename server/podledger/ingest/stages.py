"""The stage of an import: one for each, and an end for those whose import was killed.

A killed import cannot take its stage away. So every import has a line in a list, which is a stage of its
own, and the next import drops what is on it for more than a day. The list goes with the last import on
it; the line of one that ends beside others stays with them, and dropping its stage again does no harm.
Of two imports that begin and end in the same instant one may lose its line: its stage would stay if it
were killed too, and nothing else is wrong then.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from podledger.errors import BadInput
from podledger.store.contract import Staged, Staging

OLD_SECONDS: Final = 24 * 60 * 60
"""No import takes a day: the largest one allowed is read and written in an hour."""

_LIST: Final = "imports"
_KIND: Final = "Import"


@asynccontextmanager
async def own_stage(store: Staging, *, clock: Callable[[], float]) -> AsyncIterator[str]:
    """A new stage, dropped in the end. `clock` gives seconds since 1970."""
    now = int(clock())
    await _drop_old(store, before=now - OLD_SECONDS)
    stage = f"import-{secrets.token_hex(8)}"
    line = Staged(_KIND, stage, str(now), "", b"")
    await store.stage(_LIST, [line])
    try:
        await store.stage(stage, [line])
        yield stage
    finally:
        await store.unstage(stage)
        if [other.key for other in await store.staged(_LIST, _KIND)] == [stage]:
            await store.unstage(_LIST)


async def check(store: Staging, stage: str) -> None:
    """Raise `BadInput` when another import has taken this one for dead."""
    if not await store.staged(stage, _KIND):
        raise BadInput("the input took more than a day to read, and another import has dropped it; import it again")


async def _drop_old(store: Staging, *, before: int) -> None:
    lines = await store.staged(_LIST, _KIND)
    old = [line for line in lines if int(line.version) < before]
    for line in old:
        await store.unstage(line.key)
    if old:
        await store.unstage(_LIST)
        await store.stage(_LIST, [line for line in lines if line not in old])
