"""The page about the search language: every example finds what it says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from podledger.ingest.demo import load_demo
from podledger.query import parsing
from podledger.query.fields import FIELDS
from podledger.query.scope import UNRESTRICTED
from podledger.store.memory import MemoryStore

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "query-language.md").read_text()
EXAMPLES = re.findall(r"^\| `(.+)` \| (\d+) \| ", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def demo() -> MemoryStore:
    """It belongs to no event loop."""
    store = MemoryStore()
    asyncio.run(_fill(store))
    return store


async def _fill(store: MemoryStore) -> None:
    await store.open()
    await load_demo(store)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize(("text", "pods"), EXAMPLES)
async def test_an_example_finds_so_many_pods(demo: MemoryStore, text: str, pods: str) -> None:
    count = await demo.reader(UNRESTRICTED).count(parsing.parse(text, now=0), at_most=None)

    assert int(pods) == count.value


def test_the_numbers_of_labels_are_right() -> None:
    known, conditions = len(FIELDS), sum(each.condition for each in FIELDS.values())

    assert f"All {known} labels are known; {conditions} of them can stand in a condition" in PAGE
