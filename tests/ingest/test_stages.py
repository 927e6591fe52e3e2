"""The stage of an import ends with it, or by the next import when it could not."""

from __future__ import annotations

import pytest

from podledger.errors import BadInput
from podledger.ingest.stages import OLD_SECONDS, check, own_stage
from podledger.store.contract import Staged, Store

NOW = 1_700_000_000.0
ROW = Staged("Pod", "u", "", "shop/web", b"{}")


async def rows_of(store: Store, stage: str) -> list[Staged]:
    return await store.staged(stage, "Pod")


async def killed(store: Store, *, at: float) -> str:
    """What an import leaves that begins and never ends."""
    stage = f"import-{at}"
    line = Staged("Import", stage, str(int(at)), "", b"")
    await store.stage("imports", [line])
    await store.stage(stage, [line, ROW])
    return stage


async def test_an_import_stands_in_the_list_while_it_runs(store: Store) -> None:
    async with own_stage(store, clock=lambda: NOW) as stage:
        (line,) = await store.staged("imports", "Import")

        assert [line] == await store.staged(stage, "Import")
    assert (line.key, line.version) == (stage, str(int(NOW)))


async def test_a_stage_lasts_as_long_as_its_import(store: Store) -> None:
    async with own_stage(store, clock=lambda: NOW) as stage:
        await store.stage(stage, [ROW])
        await check(store, stage)

    assert await rows_of(store, stage) == []
    assert await store.staged("imports", "Import") == []


async def test_a_stage_ends_with_a_failed_import_too(store: Store) -> None:
    stages = []

    async def fail() -> None:
        async with own_stage(store, clock=lambda: NOW) as stage:
            stages.append(stage)
            await store.stage(stage, [ROW])
            raise BadInput("broken")

    with pytest.raises(BadInput, match="broken"):
        await fail()

    assert await rows_of(store, stages[0]) == []


@pytest.mark.parametrize(("age", "kept"), [(OLD_SECONDS + 1, []), (OLD_SECONDS, [ROW]), (60, [ROW])])
async def test_what_a_killed_import_left_is_dropped_when_it_is_old(age: int, kept: list[Staged], store: Store) -> None:
    left = await killed(store, at=NOW - age)

    async with own_stage(store, clock=lambda: NOW):
        pass

    assert kept == await rows_of(store, left)


async def test_a_young_one_is_dropped_when_its_time_has_come(store: Store) -> None:
    """The list outlives imports that end well beside it, and the dropping of others."""
    old, young = await killed(store, at=NOW - OLD_SECONDS - 1), await killed(store, at=NOW - 60)
    for now in (NOW, NOW + 1):
        async with own_stage(store, clock=lambda now=now: now):
            pass

    assert (await rows_of(store, old), await rows_of(store, young)) == ([], [ROW])

    for now in (NOW + OLD_SECONDS, NOW + 3 * OLD_SECONDS):
        async with own_stage(store, clock=lambda now=now: now):
            pass

    assert await rows_of(store, young) == []
    assert await store.staged("imports", "Import") == []


async def test_an_import_that_was_taken_for_dead_is_told(store: Store) -> None:
    stage = await killed(store, at=NOW - OLD_SECONDS - 1)
    async with own_stage(store, clock=lambda: NOW):
        pass

    with pytest.raises(BadInput, match=r"^the input took more than a day to read, and another import has dropped it"):
        await check(store, stage)
