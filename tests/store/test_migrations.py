"""Steps of the schema: their order, that they run once, and that a half-done migration goes on."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from podledger.errors import SchemaTooNew
from podledger.store import migrations
from podledger.store.migrations import Step, StepKey
from podledger.store.sqlite import SqliteStore
from podledger.store.sqlite_preparing import APPLICATION_ID
from tests.fakes.holdings import rows
from tests.fakes.store_pods import fill, found, record

STEPS = migrations.steps("sqlite")


def test_steps_are_numbered_in_the_order_in_which_they_run() -> None:
    """File by file, from 1 in each; the record itself is not among them."""
    keys = [step.key for step in STEPS]

    assert sorted(keys) == keys
    assert len(set(keys)) == len(keys)
    assert min(keys) == StepKey(1, 1)
    assert "CREATE TABLE IF NOT EXISTS migrations" in migrations.record("sqlite")


def test_each_step_is_one_statement_without_comments() -> None:
    """A semicolon inside would hide a second one."""
    assert [] == [step for step in STEPS if ";" in step.sql or "--" in step.sql]
    assert {"0001_initial"} == {step.name for step in STEPS}
    assert {False} == {step.after_deploy for step in STEPS}


def test_the_rest_of_a_half_done_migration_is_pending() -> None:
    """Whatever the holes."""
    done = {step.key for step in STEPS[::2]}

    assert STEPS == migrations.pending("sqlite", ())
    assert STEPS[1::2] == migrations.pending("sqlite", done)
    assert () == migrations.pending("sqlite", {step.key for step in STEPS})


@pytest.mark.parametrize("unknown", [StepKey(2, 1), StepKey(1, 999), StepKey(9000, 1)])
def test_a_step_that_is_not_known_is_of_a_newer_release(unknown: StepKey) -> None:
    """Even when all others are missing."""
    with pytest.raises(SchemaTooNew, match=rf"\(migration {unknown.number}\.{unknown.step}\)"):
        migrations.pending("sqlite", {unknown})


def test_a_file_is_cut_at_semicolons_that_end_a_line() -> None:
    """The part for later is told apart by its name."""
    text = "-- why; because\nCREATE TABLE a (\n    b TEXT -- c;\n);\n\nCREATE TABLE d (e TEXT);\n-- end\n"

    assert [
        Step(StepKey(12, 1), "0012_more", after_deploy=True, sql="CREATE TABLE a (\n    b TEXT\n)"),
        Step(StepKey(12, 2), "0012_more", after_deploy=True, sql="CREATE TABLE d (e TEXT)"),
    ] == migrations._read("0012_more.after.sqlite.sql", text)


async def test_every_step_is_recorded_once(tmp_path: Path) -> None:
    """With its time; opening again runs nothing."""
    file = tmp_path / "store.db"
    for now in (5, 6):
        store = SqliteStore(file, clock=lambda now=now: now)
        await store.open()
        await store.close()

    recorded = rows(file, "SELECT number, step, name, applied_at FROM migrations")
    assert [(*step.key, step.name, 5) for step in STEPS] == sorted(recorded)


@pytest.mark.parametrize("done", [0, 1, 7, len(STEPS) - 1])
async def test_a_half_done_migration_is_finished_by_opening(tmp_path: Path, done: int) -> None:
    """Also when a step ran and its record was lost."""
    file = tmp_path / "store.db"
    connection = apsw.Connection(str(file))
    connection.pragma("application_id", APPLICATION_ID)
    connection.execute(migrations.record("sqlite"))
    for number, step in enumerate(STEPS[: done + 1]):
        connection.execute(step.sql)
        if number < done:
            connection.execute("INSERT INTO migrations VALUES (?, ?, ?, 1)", (*step.key, step.name))
    connection.close()

    store = SqliteStore(file)
    await store.open()
    await fill(store, [record(1, deployment=1, digests=["a"])])
    assert [1] == await found(store, "Container Image Digest:a")
    await store.close()
    assert len(STEPS) == len(rows(file, "SELECT 1 FROM migrations"))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step.key.number}.{step.key.step}")
def test_a_step_can_run_again(step: Step) -> None:
    """Behind all others."""
    with apsw.Connection(":memory:") as connection:
        for sql in [each.sql for each in STEPS] + [step.sql]:
            connection.execute(sql)
    connection.close()


async def test_a_refused_schema_is_left_as_it_is(tmp_path: Path) -> None:
    """Nothing of ours is added to a database of the future."""
    file = tmp_path / "store.db"
    connection = apsw.Connection(str(file))
    connection.pragma("application_id", APPLICATION_ID)
    connection.execute(migrations.record("sqlite"))
    connection.execute("INSERT INTO migrations VALUES (2, 1, '0002_future', 1)")
    connection.close()
    store = SqliteStore(file)
    with pytest.raises(SchemaTooNew):
        await store.open()

    assert [("migrations",)] == rows(file, "SELECT name FROM sqlite_schema WHERE type = 'table'")
