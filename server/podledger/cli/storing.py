"""The store of a command that works on it directly, beside a server that may be running."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from podledger import floors, logs
from podledger.settings import Settings
from podledger.store.contract import Store
from podledger.store.opening import open_store


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """Open the store of the settings and close it in the end. Its files are for their owner only."""
    logs.configure(settings.log.level, settings.log.format)
    floors.check()
    os.umask(0o077)
    store = open_store(settings.store.url, merge_mode=settings.ingest.merge_mode)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
