"""The catalogue of search labels, and the tables they live in.

Read once from `search_fields.json`: 459 labels are known, 244 of them lead from a pod to a column.
`TABLES` says how the tables hang together; with it, the tables of a query's conditions and sort keys
give the joins (pod-service 5.2).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

Kind = Literal[
    "string", "uuid", "numeric", "integer", "biginteger", "datetime", "bool", "enum", "stringarray", "map"
]


@dataclass(frozen=True, slots=True)
class Field:
    """A label of the registry. `table`, `column` and `kind` are empty when it is unreachable."""

    label: str
    reachable: bool
    condition: bool
    """Reachable and not derived: may stand in a condition."""
    sortable: bool
    sort_as: str
    """Label whose column is really sorted; empty for the label's own."""
    sort_reversed: bool
    table: str
    column: str
    kind: Kind | Literal[""]
    derived: str
    derived_from: str
    enum: str
    """Path of the enum: key into `ENUMS`, and printed in error texts."""
    test_only: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the model and the one it is reached through; `pods` is the root, with parent ""."""

    name: str
    parent: str


def _load() -> tuple[dict[str, Field], dict[str, dict[str, int]]]:
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("search_fields.json").read_text("utf-8"))
    fields = [
        Field(
            label=entry["label"],
            reachable=entry["reachable"],
            condition=entry["condition"],
            sortable=entry["sortable"],
            sort_as=entry["sort_as"] or "",
            sort_reversed=entry["sort_reversed"],
            table=entry["table"] or "",
            column=entry["column"] or "",
            kind=entry["type"] or "",
            derived=entry["derived"] or "",
            derived_from=entry["derived_from"] or "",
            enum=entry["enum"] or "",
            test_only=entry["test_only"],
        )
        for entry in data["fields"]
    ]
    return {entry.label.lower(): entry for entry in fields}, data["enums"]


FIELDS: Mapping[str, Field]
"""All known labels by lower-cased spelling."""
ENUMS: Mapping[str, Mapping[str, int]]
"""Enum path -> value name -> number."""
FIELDS, ENUMS = _load()


def field(label: str) -> Field:
    """The field of a registered label, in any letter case. Raises `KeyError`."""
    return FIELDS[label.lower()]
