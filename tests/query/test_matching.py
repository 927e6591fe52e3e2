"""The predicate, against the rules one by one and against a plain join of all tables."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings

from podledger.query import matching, parsing
from podledger.query.fields import TABLES, field
from podledger.query.joining import Join, join_tree
from podledger.query.paging import SortKey
from podledger.query.syntax import (
    Always,
    Between,
    Compare,
    Equals,
    IsNull,
    KeyPresent,
    Like,
    Matches,
    Never,
    Not,
    NotNull,
    OneOf,
    Query,
    SomeElement,
    SomeEntry,
)
from tests.fakes import strategies
from tests.fakes.query_fixture import Tables

POD = {"id": b"\xe0" * 16, "clusterid": None, "name": "p", "namespace": "", "deploymentid": b"\xd0" * 16}


def meaning(text: str) -> Query:
    return parsing.parse(text, now=strategies.NOW)


def fleet(**rows: list[dict[str, Any]]) -> Tables:
    tables = Tables()
    tables.add_pod(dict(POD), [])
    for table, found in rows.items():
        for row in found:
            tables.add(table, row)
    return tables


def found(text: str, tables: Tables, *order: SortKey) -> bool:
    return matching.predicate(meaning(text), order)(tables.pods[0], tables)


WORKLOAD = {"id": POD["deploymentid"], "name": "web"}
CONTAINERS = [
    {"deployments_id": POD["deploymentid"], "idx": 0, "image_name_tag": "v1"},
    {"deployments_id": POD["deploymentid"], "idx": 1, "image_name_tag": "v2"},
]
ENVIRONMENTS = [
    {"deployments_id": POD["deploymentid"], "deployments_containers_idx": 0, "key": "DEBUG", "value": "9"},
    {"deployments_id": POD["deploymentid"], "deployments_containers_idx": 1, "key": "PATH", "value": "1"},
]


@pytest.mark.parametrize(
    ("test", "cell", "expected"),
    [
        (Always(), None, True),
        (Always(), "x", True),
        (Never(), "x", False),
        (IsNull(), None, True),
        (IsNull(), "", False),
        (NotNull(), None, False),
        (NotNull(), (), True),
        (Not(Equals("a")), None, False),
        (Not(Equals("a")), "b", True),
        (Not(Equals("a")), "a", False),
        (Equals("a"), "A", False),
        (Equals(2.5), 2.5, True),
        (Equals(True), True, True),
        (Equals(True), False, False),
        (Equals(b"\0" * 16), b"\0" * 16, True),
        (Like("We"), "web", True),
        (Matches("^E0"), b"\xe0" * 16, True),
        (Matches("B$"), "web", True),
        (Matches("x"), "web", False),
        (OneOf(frozenset({1, 2})), 2, True),
        (OneOf(frozenset()), 0, False),
        (Compare("<", 2), 2, False),
        (Compare("<=", 2), 2, True),
        (Compare(">", 2), 2, False),
        (Compare(">=", 2), 2, True),
        (Between(1, 2), 1, False),
        (Between(1, 2), 2, False),
        (Between(1, 2), 1.5, True),
        (Between(1, 2, closed_low=True), 1, True),
        (Between(1, 2, closed_low=True), 2, False),
        (SomeElement(Not(Equals("a"))), ("a",), False),
        (SomeElement(Not(Equals("a"))), ("a", "b"), True),
        (SomeElement(Like("")), (), False),
        (SomeElement(Like("")), None, False),
        (KeyPresent("a"), {"a": ""}, True),
        (KeyPresent("a"), {"A": ""}, False),
        (KeyPresent("a", absent=True), {}, True),
        (KeyPresent("a", absent=True), {"a": ""}, False),
        (KeyPresent("a", absent=True), None, False),
        (SomeEntry(None, None), {}, False),
        (SomeEntry(None, None), {"a": ""}, True),
        (SomeEntry(Equals("a"), Equals("1")), {"a": "2", "b": "1"}, False),
        (SomeEntry(Equals("a"), Equals("1")), {"a": "1"}, True),
        (SomeEntry(None, Equals("1")), {"b": "1"}, True),
    ],
)
def test_a_test_holds_for_a_cell(test, cell, expected):
    assert expected is matching.test_holds(test, cell)


def test_what_is_no_test_is_a_mistake_of_the_program():
    with pytest.raises(AssertionError):
        matching.test_holds("no test", "x")


def test_a_pod_without_row_in_a_used_table_drops_out():
    assert not found("Deployment:*", fleet())
    assert found("Deployment:*", fleet(deployments=[WORKLOAD]))


def test_a_dash_joins_left():
    assert found("Deployment:-", fleet())
    assert found("Deployment:-,web", fleet())
    assert not found("Deployment:-", fleet(deployments=[WORKLOAD]))


def test_a_dash_in_a_map_joins_left_although_it_is_literal():
    """The map of the missing row is NULL, which only `*` accepts."""
    assert not found("Deployment Label:-", fleet())
    assert found("Deployment Label:*,-", fleet())
    assert not found("Deployment Label:*", fleet())


def test_a_quoted_dash_joins_inner():
    assert not found('Deployment:"-"+deployment:*', fleet())


def test_a_table_behind_that_is_not_nullable_makes_the_join_inner():
    assert not found("Deployment:-+Namespace Label:*", fleet())
    assert found("Deployment:-+Namespace Label:*,-", fleet())


def test_a_table_passed_through_is_left_when_everything_behind_it_is():
    assert found("Namespace Label:*,-", fleet())
    assert found("Namespace Label:*,-+Cluster Label:*,-", fleet())
    assert not found("Namespace Label:*,-+Cluster Label:*", fleet())


def test_containers_do_not_need_the_workload_row():
    assert found("Image Tag:v1", fleet(deployments_containers=CONTAINERS))
    assert found("Deployment:-+Image Tag:v1", fleet(deployments_containers=CONTAINERS))


def test_two_spellings_must_hold_on_the_same_row():
    tables = fleet(deployments_containers=CONTAINERS)

    assert found("Image Tag:v1", tables)
    assert not found("Image Tag:v1+image tag:v2", tables)


def test_rows_further_out_must_belong_to_the_row():
    tables = fleet(deployments_containers=CONTAINERS, deployments_containers_envs=ENVIRONMENTS)

    assert found("Image Tag:v1+Environment Key:debug", tables)
    assert not found("Image Tag:v2+Environment Key:debug", tables)


def test_a_sort_key_joins_its_table():
    assert found("", fleet())
    assert not found("", fleet(), SortKey(field("Deployment")))
    assert found("Deployment:-", fleet(), SortKey(field("Deployment")))


def test_a_query_of_unreachable_labels_alone_finds_nothing():
    assert not found("Policy:x", fleet())


def test_a_sort_value_comes_from_rows_that_satisfy_the_conditions():
    tables = fleet(deployments_containers=CONTAINERS, deployments_containers_envs=ENVIRONMENTS)
    up, down = SortKey(field("Image Tag")), SortKey(field("Image Tag"), descending=True)
    value = SortKey(field("Environment Value"))

    def values(text: str, *order: SortKey) -> tuple[Any, ...]:
        return matching.sort_values(meaning(text), tables.pods[0], tables, order)

    assert values("", up, down) == ("v1", "v2")
    assert values("Image Tag:v2", up, down) == ("v2", "v2")
    assert values("Environment Key:debug", down) == ("v1",)
    assert values("Image Tag:v1", value) == ("9",)
    assert values("", value) == ("1",)


def test_nulls_come_last_in_both_directions():
    tables = Tables()
    for number, deployment in enumerate((None, b"\x02" * 16, b"\x01" * 16)):
        tables.add_pod({**POD, "id": bytes([number]) * 16, "deploymentid": deployment}, [])
    key = field("Deployment ID")

    def order(*, descending: bool) -> list[int]:
        return [
            row["id"][0] for row in matching.arrange(meaning(""), tables.pods, tables, order=[SortKey(key, descending)])
        ]

    assert order(descending=False) == [2, 1, 0]
    assert order(descending=True) == [1, 2, 0]


def test_equal_keys_are_ordered_by_pod_then_by_cluster_with_null_last():
    tables = Tables()
    keys = [(b"\x02" * 16, None), (b"\x01" * 16, None), (b"\x01" * 16, b"\x09" * 16), (b"\x01" * 16, b"\x03" * 16)]
    for pod, cluster in keys:
        tables.add_pod({**POD, "id": pod, "clusterid": cluster}, [])
    arranged = matching.arrange(meaning(""), tables.pods, tables, order=[SortKey(field("Namespace"), descending=True)])

    assert [keys[3], keys[2], keys[1], keys[0]] == [(row["id"], row["clusterid"]) for row in arranged]


# ------------------------------------------------------------------------------- against a plain join


def joined_rows(join: Join, tables: Tables, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Extend every row by one of each table behind, as SQL joins do, before any condition is looked at."""
    for behind in join.joins:
        extended = []
        for row in rows:
            parent = row[join.table]
            partners: list[Any] = list(tables.rows(behind.table, parent)) if parent is not None else []
            extended += [{**row, behind.table: partner} for partner in partners or ([None] if behind.left else [])]
        rows = joined_rows(behind, tables, extended)
    return rows


def where(query: Query, row: dict[str, Any]) -> bool:
    def cell(condition):
        found = row[condition.field.table]
        return None if found is None else found.get(condition.field.column)

    return all(any(matching.test_holds(test, cell(c)) for test in c.tests) for c in query.conditions)


def by_plain_join(query: Query, tables: Tables, order: tuple[SortKey, ...]):
    join = join_tree(query.conditions, {key.field.table for key in order})
    for pod in tables.pods:
        rows = [row for row in joined_rows(join, tables, [{"pods": pod}]) if where(query, row)]
        if rows and not query.nothing:
            yield pod, tuple(extreme(rows, key) for key in order)


def extreme(rows: list[dict[str, Any]], key: SortKey) -> Any:
    cells = [row[key.field.table].get(key.field.column) for row in rows if row[key.field.table] is not None]
    cells = sorted(cell for cell in cells if cell is not None)
    return None if not cells else cells[-1] if key.descending else cells[0]


@pytest.mark.property
@settings(max_examples=200, deadline=None)
@given(strategies.fleets(), strategies.queries(), strategies.orders())
def test_the_predicate_finds_what_a_plain_join_finds(tables, query, order):
    """All joined rows, then the conditions, then the pods that are left: what SQL does."""
    holds = matching.predicate(query, order)
    actual = [(pod, matching.sort_values(query, pod, tables, order)) for pod in tables.pods if holds(pod, tables)]

    assert list(by_plain_join(query, tables, order)) == actual


@pytest.mark.property
@settings(max_examples=100, deadline=None)
@given(strategies.fleets(), strategies.queries(), strategies.orders())
def test_the_order_is_total_and_the_reverse_keeps_nulls_last(tables, query, order):
    arranged = matching.arrange(query, tables.pods, tables, order=order)
    values = [matching.sort_values(query, pod, tables, order) for pod in arranged]

    for (pod, left), (other, right) in zip(
        zip(arranged, values, strict=True), list(zip(arranged, values, strict=True))[1:], strict=False
    ):
        assert comes_before(left, right, order) or (left == right and pod["id"] <= other["id"])


def comes_before(left: tuple[Any, ...], right: tuple[Any, ...], order: tuple[SortKey, ...]) -> bool:
    for one, other, key in zip(left, right, order, strict=True):
        if one != other:
            if one is None or other is None:
                return other is None
            return one > other if key.descending else one < other
    return False


def test_a_left_join_has_only_left_joins_behind_it():
    """For every set of nullable tables on one long way from the pod outwards."""
    way = {"Deployment": "deployments", "Namespace Label": "namespaces", "Cluster Type": "clusters"}
    for values in product(["-", "*", ""], repeat=len(way)):
        text = "+".join(f"{label}:{value}" for label, value in zip(way, values, strict=True) if value)
        join, left = join_tree(meaning(text).conditions), False
        while join.joins:
            (join,) = join.joins
            left = left or join.left
            assert join.left or not left
    assert set(way.values()) <= set(TABLES)
