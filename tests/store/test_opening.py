"""From a URL to an engine that is not open yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from podledger.errors import BadInput
from podledger.store.contract import Cluster
from podledger.store.memory import MemoryStore
from podledger.store.opening import open_store
from podledger.store.sqlite import SqliteStore
from tests.fakes.store_pods import NORTH, Hand, instance, record, served


def test_memory_is_an_engine_of_its_own() -> None:
    """Without a file."""
    assert isinstance(open_store("memory:"), MemoryStore)


async def test_four_slashes_are_an_absolute_path(tmp_path: Path) -> None:
    """The file is made by opening, not before."""
    file = tmp_path / "a b" / "store.db"
    store = open_store(f"sqlite:///{file}")
    assert isinstance(store, SqliteStore)
    assert not file.exists()
    await store.open()
    await store.close()

    assert file.exists()


async def test_three_slashes_are_a_path_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the moment when the store is made."""
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///here.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await store.open()
    await store.close()

    assert (tmp_path / "here.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "memory",
        "memory://",
        "sqlite:",
        "sqlite://",
        "sqlite:///",
        "sqlite://store.db",
        "store.db",
        "postgres://a/b",
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    """With what can be written instead."""
    with pytest.raises(BadInput) as caught:
        open_store(url)

    expected = f"store.url {url!r} names no store: write sqlite:///FILE, or memory: for one that is not kept"
    assert expected == caught.value.message


@pytest.mark.parametrize("url", ["memory:", "sqlite:///{folder}/store.db"])
async def test_merge_mode_and_clock_are_handed_over(tmp_path: Path, url: str) -> None:
    """To each engine."""
    store = open_store(url.format(folder=tmp_path), merge_mode="stackrox", clock=lambda: 77)
    await store.open()
    hand = await Hand.take(store)
    finished = instance("app", "r1", started=1, finished=2)
    await hand.put(record(1, live=[finished]))
    pod = await served(store, 1)

    assert pod is not None
    assert ["r1"] == [live.instance_id.id for live in pod.live_instances]  # as upstream stores a new pod
    assert [77] == [one.last_seen for one in await store.clusters()]
    await store.close()


async def test_exclusive_claims_the_file(tmp_path: Path) -> None:
    """Only when it is asked for."""
    url = f"sqlite:///{tmp_path}/store.db"
    first, second, tool = open_store(url, exclusive=True), open_store(url, exclusive=True), open_store(url)
    await first.open()
    await tool.open()
    with pytest.raises(BadInput, match="in use by another podledger server"):
        await second.open()

    await tool.put_cluster(Cluster(NORTH, "north"))
    await tool.close()
    await first.close()
