"""Fleets with everything that a row can hold: SQLite answers as memory does, and the comparison can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from podledger.query.fields import FIELDS
from podledger.store import columns
from podledger.store.sql import TABLES
from tests.chaos import differential
from tests.chaos.judging import Options
from tests.fakes.dice import Dice


@pytest.mark.property
@pytest.mark.parametrize("seed", [1, 1_000_000])
async def test_sqlite_answers_as_memory_does(tmp_path: Path, seed: int) -> None:
    """Random fleets and questions."""
    asked, differences = await differential.compare(tmp_path / "store.db", number=1500, seed=seed)

    assert [] == differences
    assert 1500 == asked


@pytest.mark.property
@pytest.mark.parametrize("name", differential.MUTANTS)
def test_the_comparison_convicts(name: str) -> None:
    """Each of the planted mistakes, from any seed."""
    mutant = differential.MUTANTS[name]

    assert mutant.convicted(mutant.trial(Options(seed=7)))


def test_every_table_and_column_is_thrown() -> None:
    """Some fleet has a cell of each column that a workload and its children can hold, and none of it."""
    seen: dict[tuple[str, str], set[bool]] = {}
    for seed in range(20):
        for _, changes in Dice(seed).fleet().batches:
            for workload in changes["workloads"]:
                rows = [("deployments", columns.cells(columns.WORKLOAD, workload))]
                rows += [(c.table, columns.cells(c.columns, v)) for c, _, v in columns.child_rows(workload)]
                for table, cells in rows:
                    for column, cell in cells.items():
                        seen.setdefault((table, column), set()).add(cell is not None)

    own = {"pods", "pods_live_instances", "namespaces", "clusters"}
    held = {(f.table, f.column) for f in FIELDS.values() if f.condition and f.table in TABLES and f.table not in own}
    assert held == seen.keys()
    assert [] == [key for key, cells in seen.items() if True not in cells]
