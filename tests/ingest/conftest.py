"""Stores to import into: every engine, empty and open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podledger.store.contract import Store
from podledger.store.opening import open_store


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An open store of each engine."""
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/podledger.db"
    opened = open_store(url, merge_mode="dedupe")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the SQLite store of this test keeps its file."""
    return tmp_path / "podledger.db"
