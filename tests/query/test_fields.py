"""The catalogue against its file, and the tables against the joins it tells."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from podledger.query.fields import ENUMS, FIELDS, TABLES, field, find

REGISTRY = json.loads(resources.files("podledger.query").joinpath("search_fields.json").read_text("utf-8"))


def way(table: str) -> list[str]:
    """The tables from the pod to this one."""
    tables = [table]
    while parent := TABLES[tables[0]].parent:
        tables.insert(0, parent)
    return tables


def test_all_labels_are_known():
    assert len(REGISTRY["fields"]) == REGISTRY["counts"]["known"] == len(FIELDS)
    assert REGISTRY["counts"]["reachable"] == sum(entry.reachable for entry in FIELDS.values())
    assert REGISTRY["counts"]["derived_reachable"] == sum(
        entry.reachable and entry.derived != "" for entry in FIELDS.values()
    )


@pytest.mark.parametrize(
    "entry", [entry for entry in REGISTRY["fields"] if entry["table"]], ids=lambda entry: entry["label"]
)
def test_the_way_to_a_column_has_as_many_joins_as_told(entry):
    assert entry["joins"] == len(way(entry["table"])) - 1


def test_every_table_is_there_for_a_label():
    """Its own, or one further out."""
    named = {entry.table for entry in FIELDS.values() if entry.table}

    assert set(TABLES) == {table for name in named for table in way(name)}


def test_only_the_pods_have_no_table_before_them():
    assert [table.name for table in TABLES.values() if not table.parent] == ["pods"]


@pytest.mark.parametrize("label", ["Pod Name", "pod name", "POD NAME", "Pod Name".replace("N", "n")])
def test_a_label_is_found_in_any_letter_case(label):
    assert field("Pod Name") is field(label) is find(label)


@pytest.mark.parametrize(
    ("label", "expected"), [("Pod \u0130D", "Pod ID"), ("Ris\u212a Score", "Risk Score"), ("Clu\u017fter", None)]
)
def test_letter_case_is_simple_lower_casing(label, expected):
    found = find(label)

    assert expected == (found.label if found else None)


def test_an_unknown_label_is_not_found():
    assert find("Nmespace") is None
    with pytest.raises(KeyError):
        field("Nmespace")


def test_every_enum_column_has_names():
    for entry in FIELDS.values():
        assert (entry.kind == "enum" and entry.condition) is (entry.enum in ENUMS)
