"""Stages: rows put aside, which of two stays, and that no reader sees them."""

from __future__ import annotations

from typing import Any

import pytest

from podledger.store.contract import Staged, Store
from tests.fakes.store_pods import counted, scanned


def row(key: str, version: str = "1", *, name: str = "n", payload: bytes = b"", kind: str = "Pod") -> Staged:
    return Staged(kind, key, version, name, payload)


async def payloads(store: Store, **options: Any) -> list[bytes]:
    return [one.payload for one in await store.staged("s", "Pod", **options)]


async def test_rows_come_by_key_bytewise(store: Store) -> None:
    """Whatever their order was."""
    keys = ["b", "B", "é", "a", "😀", "～", "a\0", "a b"]
    await store.stage("s", [row(key) for key in keys])

    assert sorted(keys, key=str.encode) == [one.key for one in await store.staged("s", "Pod")]


@pytest.mark.parametrize("limit", [1, 4, 5, 6, 500])
async def test_pages_of_a_stage_make_the_whole(store: Store, limit: int) -> None:
    """Each goes on after the last key; the key need not exist."""
    await store.stage("s", [row(f"{n:02}") for n in range(5)])
    keys: list[str] = []
    while page := await store.staged("s", "Pod", after=keys[-1] if keys else "", limit=limit):
        assert len(page) <= limit
        keys += [one.key for one in page]

    assert [f"{n:02}" for n in range(5)] == keys
    assert ["02", "03"] == [one.key for one in await store.staged("s", "Pod", after="01x", limit=2)]


@pytest.mark.parametrize(
    ("versions", "stays"),
    [
        (("9", "10"), 1),
        (("10", "9"), 0),
        (("7", "7"), 1),
        (("10", "x"), 1),
        (("x", "1"), 1),
        (("", "5"), 1),
        (("5", ""), 1),
        (("99999999999999999999999", "100000000000000000000000"), 1),
        (("2", "\u0661"), 1),
        (("1", "3", "2"), 1),
    ],
)
@pytest.mark.parametrize("together", [True, False])
async def test_of_two_versions_the_higher_stays(
    store: Store, versions: tuple[str, ...], stays: int, together: bool
) -> None:
    """By number, not by text. Where one is no decimal number the later row stays."""
    rows = [row("a", version, payload=b"%d" % n) for n, version in enumerate(versions)]
    for group in [rows] if together else [[each] for each in rows]:
        await store.stage("s", group)

    assert [b"%d" % stays] == await payloads(store)


@pytest.mark.parametrize("together", [True, False])
async def test_rows_of_one_key_with_different_names_are_clashes(store: Store, together: bool) -> None:
    """Counted as they come, in one call and over several."""
    rows = [row("a", "1", name="x"), row("a", "2", name="x"), row("a", "3", name="y"), row("b", "1", name="z")]
    groups = [rows] if together else [[each] for each in rows]

    assert 1 == sum([await store.stage("s", group) for group in groups])


async def test_stages_and_kinds_are_apart(store: Store) -> None:
    """One key may be in each."""
    await store.stage("s", [row("a", payload=b"1"), row("a", kind="Node", payload=b"2")])
    await store.stage("t", [row("a", payload=b"3")])

    assert [[b"1"], [b"2"], [b"3"], []] == [
        [one.payload for one in await store.staged(stage, kind)]
        for stage, kind in (("s", "Pod"), ("s", "Node"), ("t", "Pod"), ("t", "Node"))
    ]


async def test_a_dropped_stage_is_empty(store: Store) -> None:
    """The others stay; an unknown one is no error; it can be used again."""
    await store.stage("s", [row(f"{n}") for n in range(2500)])
    await store.stage("t", [row("a", payload=b"t")])
    await store.unstage("s")
    await store.unstage("never")

    assert [] == await payloads(store)
    assert [b"t"] == [one.payload for one in await store.staged("t", "Pod")]
    assert 0 == await store.stage("s", [row("1", "0", name="other", payload=b"again")])
    assert [b"again"] == await payloads(store)


async def test_a_stage_of_nothing_is_no_error(store: Store) -> None:
    """Neither adding nor reading."""
    assert 0 == await store.stage("s", [])
    assert [] == await store.staged("nobody", "Pod")


async def test_staged_rows_come_back_as_they_were(store: Store) -> None:
    """All columns; any text, any bytes."""
    rows = [Staged("Po'd", "k\0\n", "x%", "ñ_\\", bytes(range(256))), Staged("Po'd", "l", "", "", b"")]
    await store.stage("any text; even this", rows)

    assert rows == await store.staged("any text; even this", "Po'd")


async def test_no_reader_sees_staged_rows(store: Store) -> None:
    """They are no pods yet."""
    await store.stage("s", [row("a")])

    assert [] == await scanned(store)
    assert 0 == (await counted(store)).value
