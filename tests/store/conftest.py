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
from tests.fakes.store_pods import NORTH, SOUTH, fill, record


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


@pytest.fixture
async def filled(store: Store) -> Store:
    """The store with 108 pods: 54 in each of two clusters, in two namespaces, some with workload or digests."""
    await fill(
        store,
        [
            record(
                n + at,
                cluster=cluster,
                namespace=("shop", "ops")[n % 8 == 3],
                name=f"pod-{n % 7:05d}",
                deployment=n % 5,
                owner=("Deployment", f"web-{n % 5}") if n % 5 else ("", ""),
                digests=[f"sha256:{n % 3}", f"sha256:{n % 4}"] if n % 6 else [],
            )
            for at, cluster in ((0, NORTH), (30, SOUTH))
            for n in range(54)
        ],
    )
    return store
