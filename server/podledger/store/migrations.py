"""Numbered SQL files, and which of their statements a database still lacks.

A file is named `NNNN_<what>.<dialect>.sql`; with `.after` before the dialect it is the part that runs
when no older release uses the database any more (expand first, contract later, operations 12.11). Each
statement is one step. A step is written so that it can run again, and the engine records it in the
transaction that ran it, so a half-done migration is continued where it stopped. The record itself is
number 0, which is run first and not recorded.

The engines hold the database; here is only what they have in common.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

from podledger.errors import SchemaTooNew

Dialect = Literal["sqlite", "postgres"]


class StepKey(NamedTuple):
    """Place of a step in the history: number of the file, and of the statement in it, from 1."""

    number: int
    step: int


@dataclass(frozen=True, slots=True)
class Step:
    """One statement of a migration."""

    key: StepKey
    name: str
    """Name of the file without dialect, for the record."""
    after_deploy: bool
    sql: str


def record(dialect: Dialect) -> str:
    """The statement that makes the table of recorded steps, unless it is there."""
    return _all_steps(dialect)[0].sql


def steps(dialect: Dialect) -> tuple[Step, ...]:
    """All recorded steps of this release, in the order in which they run."""
    return _all_steps(dialect)[1:]


@cache
def _all_steps(dialect: Dialect) -> tuple[Step, ...]:
    folder = resources.files(__package__).joinpath("schema")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(f".{dialect}.sql"))
    return tuple(step for name in names for step in _read(name, folder.joinpath(name).read_text("utf-8")))


def _read(file_name: str, text: str) -> list[Step]:
    name, *parts, _dialect, _sql = file_name.split(".")
    number = int(name.partition("_")[0])
    statements = _statements(text)
    return [
        Step(StepKey(number, place), name, "after" in parts, statement)
        for place, statement in enumerate(statements, start=1)
    ]


def _statements(text: str) -> list[str]:
    """Cut at each semicolon that ends a line; comments are taken off first."""
    code = "\n".join(line.partition("--")[0].rstrip() for line in text.splitlines())
    return [statement.strip() for statement in (code + "\n").split(";\n") if statement.strip()]


def pending(dialect: Dialect, applied: Collection[StepKey]) -> tuple[Step, ...]:
    """The steps that are still to run. Raises `SchemaTooNew` when the database knows more than we do."""
    known = steps(dialect)
    unknown = set(applied) - {step.key for step in known}
    if unknown:
        newest = max(unknown)
        raise SchemaTooNew(
            f"the database was written by a newer release (migration {newest.number}.{newest.step}): "
            "run that release, or restore a backup"
        )
    return tuple(step for step in known if step.key not in applied)
