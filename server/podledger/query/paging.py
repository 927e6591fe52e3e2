"""limit, offset and sort order of GetPods: from `v1.Pagination` to a checked `Paging` (pod-service 6).

Two steps, because the values of the query are checked between them (pod-service 2): `window` looks at the
numbers and refuses what is never allowed, `order` looks the sort fields up.
"""

from __future__ import annotations

from dataclasses import dataclass

from podledger.errors import InvalidRequest
from podledger.query.fields import Field, field, find
from podledger.query.texts import fold
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.api.v1.pagination_pb2 import SortOption as SortMessage

MAX_LIMIT = 1000
"""Pods in one answer. A constant: clients page by it."""


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


@dataclass(frozen=True, slots=True)
class SortOption:
    """A sort option in use, not looked up yet."""

    field: str
    reversed: bool
    path: str
    """Where the request has it, for errors: `pagination.sort_option`, `pagination.sort_options[1]`."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a caller asks to see, with numbers in force."""

    limit: int
    offset: int
    sort: tuple[SortOption, ...]


DEFAULT_ORDER = (SortKey(field("Deployment ID")),)


def window(pagination: Pagination, *, max_offset: int = 0) -> Window:
    """Check the numbers and the form of the sort options. `max_offset` 0 sets no cap.

    Raises `InvalidRequest`.
    """
    limit, offset = pagination.limit, max(pagination.offset, 0)
    if limit < 0:
        raise InvalidRequest(f"pagination limit must not be negative: {limit}", field="pagination.limit")
    if 0 < max_offset < offset:
        raise InvalidRequest(f"pagination offset too large: {offset}, limit {max_offset}", field="pagination.offset")
    options = _options_in_use(pagination)
    for path, option in options.items():
        _refuse_aggregation(option, path)
    for path, option in options.items():
        if not option.field:
            raise InvalidRequest("sort field must not be empty", field=f"{path}.field")
    sort = tuple(SortOption(option.field, option.reversed, path) for path, option in options.items())
    return Window(min(limit or MAX_LIMIT, MAX_LIMIT), offset, sort)


def _options_in_use(pagination: Pagination) -> dict[str, SortMessage]:
    """Path -> sort option. The repeated field wins over the single one, however wrong that may be."""
    if pagination.sort_options:
        return {f"pagination.sort_options[{index}]": option for index, option in enumerate(pagination.sort_options)}
    return {"pagination.sort_option": pagination.sort_option} if pagination.HasField("sort_option") else {}


def _refuse_aggregation(option: SortMessage, path: str) -> None:
    """Numbers that the enum does not know count as a function too."""
    if option.aggregate_by.aggrFunc or option.aggregate_by.distinct:
        raise InvalidRequest("aggregation is not supported on GetPods", field=f"{path}.aggregate_by")


def order(asked: Window) -> Paging:
    """Look the sort fields up. Raises `InvalidRequest`."""
    keys = tuple(_sort_key(option) for option in asked.sort) or DEFAULT_ORDER
    return Paging(asked.limit, asked.offset, keys)


def _sort_key(option: SortOption) -> SortKey:
    asked = find(option.field)
    if asked is None or not (asked.reachable or asked.sortable):
        raise _unusable(option, "does not exist in table pods or connected tables")
    if not asked.sortable:  # a map, or derived
        raise _unusable(option, "cannot be used for sorting")
    sorted_by = field(asked.sort_as) if asked.sort_as else asked
    return SortKey(sorted_by, descending=option.reversed is not asked.sort_reversed)


def _unusable(option: SortOption, reason: str) -> InvalidRequest:
    return InvalidRequest(f"field {fold(option.field)} {reason}", field=f"{option.path}.field")
