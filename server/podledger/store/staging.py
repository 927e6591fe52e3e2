"""Which of two staged rows with one identity stays (`contract.Staged`)."""

from __future__ import annotations

from podledger.store.contract import Staged


def overrides(row: Staged, before: Staged) -> bool:
    """Whether `row` takes the place of the row before it: unless both tell a version and its own is lower."""
    old, new = _decimal(before.version), _decimal(row.version)
    return old is None or new is None or new >= old


def _decimal(version: str) -> int | None:
    return int(version) if version.isascii() and version.isdigit() else None
