"""The vector file over the fixture in memory: parsing, values, paging, order, scope.

The cases of the outer grammar are in `test_cutting`, those of numbers and times beside their modules.
"""

from __future__ import annotations

import pytest
from google.protobuf.json_format import ParseDict

from podledger.errors import InvalidRequest
from podledger.query import matching, paging, parsing
from podledger.query.fields import ENUMS, Field
from podledger.query.limits import QueryLimits
from podledger.query.numerals import parse_float
from podledger.query.scope import UNRESTRICTED, Scope
from podledger.query.texts import BadValueError
from podledger.query.values import Reading, value_test
from podledger_protos.api.v1.pagination_pb2 import Pagination
from tests.fakes.query_fixture import Tables, instant, uid, vector_fleet
from tests.fakes.vector_cases import DEVIATIONS, REGEX_TEXT, deviation, expected_error, in_groups, kept, scope_of

FLEET = vector_fleet()
NOW = instant("2026-08-22T00:00:00Z")


def cases(group: str):
    return [pytest.param(case, id=case["id"]) for case in kept(group)]


def get_pods(case, scope: Scope = UNRESTRICTED) -> dict:
    """Names of the pods in order, or the error: what GetPods would answer."""
    try:
        parts = parsing.read(case["query"])
        window = paging.window(ParseDict(case.get("pagination", {}), Pagination()))
        query = parsing.interpret(parts, now=NOW)
        order = () if query.nothing else paging.order(window).order
    except InvalidRequest as error:
        return {"error": error.message}
    seen = [pod for pod in FLEET.pods if scope.covers(pod["clusterid"], pod["namespace"])]
    found = matching.arrange(query, seen, FLEET, order=order)
    return {"pods": [pod["name"] for pod in found][window.offset : window.offset + window.limit]}


# ------------------------------------------------------------------------------------------- parsing


@pytest.mark.parametrize("case", cases("parse"))
def test_a_text_gives_these_fields_and_values(case):
    labelled = parsing.read(case["input"]).labelled

    assert case["expect"]["all"] == [{"field": part.key, "any": list(part.values)} for part in labelled]


def test_an_empty_text_is_a_query():
    assert deviation("parse-005")["input"] == ""
    assert not parsing.read("").labelled


# ----------------------------------------------------------------------------------------- get_pods


@pytest.mark.parametrize("case", cases("get_pods_query"))
def test_a_query_finds_these_pods(case):
    answer = get_pods(case)

    if "error" in case["expect"]:
        assert {"error": expected_error(case)} == answer
    else:
        assert sorted(case["expect"]["pods"]) == sorted(answer["pods"])


@pytest.mark.parametrize("identity", [identity for identity, reason in DEVIATIONS.items() if reason is REGEX_TEXT])
def test_an_invalid_pattern_begins_with_the_same_text(identity):
    case = deviation(identity)
    text = "error parsing regexp: "

    assert expected_error(case).partition(text)[:2] == get_pods(case)["error"].partition(text)[:2]


def test_at_least_one_is_refused_with_one_text_on_every_column():
    assert get_pods(deviation("get_pods_query-321")) == {"error": "unsupported query modifier: AtLeastOne"}


@pytest.mark.parametrize("case", cases("get_pods_page"))
def test_a_page_has_this_order(case):
    answer = get_pods(case)

    if "error" in case["expect"]:
        assert {"error": expected_error(case)} == answer
    elif "order_groups" in case["expect"]:
        assert case["expect"]["count"] == len(answer["pods"])
        assert case["expect"]["order_groups"] == in_groups(answer["pods"], case["expect"]["order_groups"])
    else:
        whole = get_pods({**case, "pagination": {**case["pagination"], "limit": 0, "offset": 0}})["pods"]
        groups = case["expect"]["order_groups_before_paging"]
        assert case["expect"]["count"] == len(answer["pods"])
        assert groups == in_groups(whole, groups)


@pytest.mark.parametrize("case", cases("get_pods_scope"))
def test_a_scope_hides_the_other_pods(case):
    answer = get_pods(case, scope_of(case))

    if "error" in case["expect"]:
        assert {"error": expected_error(case)} == answer
    else:
        assert sorted(case["expect"]["pods"]) == sorted(answer["pods"])


# ------------------------------------------------------------------------------------- typed values

KINDS = {
    "string": "string",
    "bool": "bool",
    "string_array": "stringarray",
    "number": "numeric",
    "map": "map",
    "time": "datetime",
    "time_with_zone": "datetime",
    "enum": "enum",
    "uuid": "uuid",
    "integer": "integer",
}


def column(kind: str, *, path: str = "") -> Field:
    return Field(
        label=kind, reachable=True, condition=True, sortable=True, sort_as="", sort_reversed=False, table="pods",
        column="c", kind=KINDS[kind], derived="", derived_from="", enum=path, test_only=False,
    )  # fmt: skip


def cells(kind: str, row) -> list:
    """The cells of a row: one per child row of `child_…` columns, else one."""
    if kind.startswith("child_"):
        return [cell for element in row for cell in cells(kind.removeprefix("child_"), element)]
    if kind.startswith("time"):
        return [instant(row)]
    if kind == "string_array":
        return [tuple(row)]
    return [uid(row) if kind == "uuid" else row]


def satisfied(kind: str, row, values: list[str], *, now: int, path: str = "") -> bool:
    asked = column(kind.removeprefix("child_"), path=path)
    tests = [value_test(asked, raw, Reading(QueryLimits(), now)) for raw in values]
    return any(matching.test_holds(test, cell) for test in tests for cell in cells(kind, row))


@pytest.mark.parametrize("case", cases("typed_match"))
def test_values_match_these_rows(case, monkeypatch):
    now, path = instant(case["now"]) if "now" in case else NOW, ""
    rows = case["rows"]
    if "enum" in case:
        path = "some.enum"
        monkeypatch.setitem(ENUMS, path, case["enum"])
        rows = [case["enum"].get(row, row) for row in rows]
    if "error" in case["expect"]:
        with pytest.raises(BadValueError):
            satisfied(case["column_type"], rows[0], case["values"], now=now, path=path)
        return

    found = [satisfied(case["column_type"], row, case["values"], now=now, path=path) for row in rows]
    assert case["expect"]["rows"] == [index for index, holds in enumerate(found) if holds]


@pytest.mark.parametrize("case", cases("typed_match_and"))
def test_two_fields_are_anded(case):
    found = [
        index
        for index, row in enumerate(case["rows"])
        if all(satisfied(case["columns"][at], row[at], values, now=NOW) for at, values in case["conditions"])
    ]

    assert case["expect"]["rows"] == found


@pytest.mark.parametrize("case", cases("float_text"))
def test_a_number_text_is_read_as_that_number(case):
    """Numbers are bound and never printed, so only the reading of these texts is ours."""
    assert float(case["expect"]) == parse_float(case["expect"])


# -------------------------------------------------------------------------------------------- paging


@pytest.mark.parametrize("case", cases("fill_pagination"))
def test_a_pagination_gives_this_window(case):
    asked = case["input"]
    window = paging.window(ParseDict(asked, Pagination()))
    limit = case["expect"]["limit"]

    # The cap is a constant here; a case with another one tells how a limit above it is cut.
    assert (paging.MAX_LIMIT if limit == case["max"] != asked.get("limit") else limit) == window.limit
    assert case["expect"]["offset"] == window.offset
    assert case["expect"]["sort"] == [{"field": key.field, "reversed": key.reversed} for key in window.sort]


def test_a_negative_limit_is_refused():
    with pytest.raises(InvalidRequest, match=r"^pagination limit must not be negative: -1$"):
        paging.window(ParseDict(deviation("fill_pagination-010")["input"], Pagination()))


@pytest.mark.parametrize("case", cases("slice_page"))
def test_a_window_cuts_this_slice(case):
    window = paging.window(Pagination(limit=case["limit"], offset=case["offset"]))

    assert case["expect"] == case["list"][window.offset : window.offset + window.limit]


@pytest.mark.parametrize("case", cases("sorted_page"))
def test_rows_are_filtered_sorted_and_cut(case):
    """`s` stands for the pod's name and `b` for its namespace."""
    tables = Tables()
    for number, row in enumerate(case["rows"]):
        pod = {"id": number.to_bytes(16, "big"), "clusterid": None, "index": number, "name": row["s"]}
        tables.add_pod({**pod, "namespace": str(row["b"])}, [])
    asked = {"sortOption": {"field": "Pod Name", "reversed": case.get("reversed", False)}}
    window = paging.window(ParseDict(asked, Pagination(limit=case.get("limit", 0), offset=case.get("offset", 0))))
    query = parsing.parse("Namespace:true", now=NOW)
    found = matching.arrange(query, tables.pods, tables, order=paging.order(window).order)

    assert case["expect"] == [pod["index"] for pod in found][window.offset : window.offset + window.limit]
