"""Every test of the contract runs over every engine, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from podledger.store.contract import Store
from tests.fakes.store_engines import ENGINES, Clock, Engine


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return Engine(request.param, tmp_path)


@pytest.fixture
def clock(engine: Engine) -> Clock:
    return engine.clock


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    """An open store. After it is closed no thread, task or file of it may be left."""
    tasks = asyncio.all_tasks()
    opened = engine.store()
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
    assert asyncio.all_tasks() <= tasks | {asyncio.current_task()}
    assert_nothing_left(engine.folder)


def assert_nothing_left(folder: Path) -> None:
    """No thread of a store, and no open file in its folder."""
    assert [] == [thread.name for thread in threading.enumerate() if thread.name.startswith("podledger-")]
    assert [] == [file.path for file in psutil.Process().open_files() if file.path.startswith(str(folder))]
