"""limit, offset and sort order of GetPods: from `v1.Pagination` to a checked `Paging` (pod-service 6)."""

from __future__ import annotations

from dataclasses import dataclass

from podledger.query.fields import Field


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of an order. NULLs come last in both directions."""

    field: Field
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Paging:
    """A window of the ordered matches. Pod id, then cluster id (NULL last), always end the order."""

    limit: int
    offset: int
    order: tuple[SortKey, ...]
