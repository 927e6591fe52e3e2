"""The worked examples of the specification, row by row (pod-service 15.1, 15.3, 15.4)."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import ParseDict

from podledger.errors import InvalidRequest
from podledger.query import matching, paging, parsing
from podledger.query.scope import Scope
from podledger_protos.api.v1.pagination_pb2 import Pagination
from tests.fakes.query_fixture import NORTH, SAMPLE_NOW, SOUTH, sample, sample_id, uid
from tests.fakes.worked_examples import PAGES, QUERIES, by

SAMPLE = sample()


def pods_of(text: str, pagination: dict | None = None) -> list[str]:
    window = paging.window(ParseDict(pagination or {}, Pagination()))
    query = parsing.parse(text, now=SAMPLE_NOW)
    order = () if query.nothing else paging.order(window).order
    found = matching.arrange(query, SAMPLE.pods, SAMPLE, order=order)
    return [name_of(pod) for pod in found]


def name_of(pod) -> str:
    return next(f"P{number}" for number in range(1, 8) if sample_id("e", number) == pod["id"])


# ---------------------------------------------------------------------------------------------- 15.1

CUTTING = [
    ("Namespace:shop+Pod Name:cart", {"Namespace": ["shop"], "Pod Name": ["cart"]}, []),
    ("Pod Name:cart+a1", {"Pod Name": ["cart+a1"]}, []),
    ("Pod Name:cart+a1+Cluster:north", {"Pod Name": ["cart+a1"], "Cluster": ["north"]}, []),
    ("+Cluster:north", {}, ["+Cluster:north"]),
    ("++Cluster:north", {"Cluster": ["north"]}, ["+"]),
    (" Cluster : north ", {"Cluster": ["north"]}, []),
    ("Image:registry.acme.io:5000/x", {"Image": ["registry.acme.io:5000/x"]}, []),
    ('Pod Name:"a+b:c"+Namespace:shop', {"Pod Name": ['"a+b:c"'], "Namespace": ["shop"]}, []),
    ('Pod Name:"cart+Namespace:shop', {"Pod Name": ['"cart+Namespace:shop']}, []),
    ("Namespace:shop+", {"Namespace": ["shop+"]}, []),
    ("Namespace:shop++Pod Name:x", {"Namespace": ["shop+"], "Pod Name": ["x"]}, []),
    ("Namespace:shop+Pod Name", {"Namespace": ["shop+Pod Name"]}, []),
    ("Namespace:shop, billing", {"Namespace": ["shop", " billing"]}, []),
    ('Namespace:"a,b",c', {"Namespace": ['"a,b"', "c"]}, []),
    ("Pod Name:x,", {"Pod Name": ["x", ""]}, []),
    ("Pod Name:a+b+c:d", {"Pod Name": ["a+b"]}, ["c:d"]),
]


@pytest.mark.parametrize(("text", "conditions", "dropped"), CUTTING, ids=[row[0] for row in CUTTING])
def test_a_text_is_cut_into_conditions_and_dropped_parts(text, conditions, dropped):
    parts = parsing.read(text)

    assert conditions == {part.key: list(part.values) for part in parts.conditions}
    assert dropped == list(parts.ignored)


# ---------------------------------------------------------------------------------------------- 15.3


@pytest.mark.parametrize(("text", "expected"), QUERIES, ids=[row[0] or "empty" for row in QUERIES])
def test_a_query_finds_these_pods(text, expected):
    assert expected.split() == sorted(pods_of(text))


REFUSED = [
    ("Pod Name:!!cart", "Pod Name", "unsupported query modifier: AtLeastOne"),
    ("Cluster ID:c2", "Cluster ID", 'value "c2" in search query must be valid UUID: invalid UUID length: 2'),
    (
        "Deployment Label:!app",
        "Deployment Label",
        "unsupported map query !app: cannot negate key and specify non-empty value",
    ),
    ("Privileged:yes", "Privileged", 'strconv.ParseBool: parsing "yes": invalid syntax'),
    ("Privileged:yes+CPU Cores Limit:tea", "CPU Cores Limit", 'cannot parse "tea" as a number'),
    ("cpu cores limit:tea+Privileged:yes", "Privileged", 'strconv.ParseBool: parsing "yes": invalid syntax'),
    (
        "CPU Cores Limit:9-4",
        "CPU Cores Limit",
        "range query was attempted, but it was invalid: invalid range 9-4 (first value must be strictly less than the second)",
    ),
    ('CPU Cores Limit:"1"', "CPU Cores Limit", "modifiers not supported for numeric query: [Equality]"),
    (
        "Created:20d-3d",
        "Created",
        (
            "tried to parse 20d-3d as a range, but it was not valid: invalid range 20d-3d"
            " (first value must be strictly less than the second)"
        ),
    ),
    (
        "Created:2024-05-10",
        "Created",
        "invalid time query (prefix: , value: 2024-05-10). Must be of the format (01/02/2006 or 1d)",
    ),
    ("Created:=5d", "Created", 'unsupported time query "=5d": use "==" to compare with a number of days'),
    (
        'Service Account Permission Level:"root"',
        "Service Account Permission Level",
        (
            'could not find corresponding enum at field "deployment.service_account_permission_level" with value "root"'
            " and modifiers [Equality]"
        ),
    ),
    ("CVSS:tea", "CVSS", 'cannot parse "tea" as a number'),
    ("Deployment Count:2", "Deployment Count", 'derived search field "Deployment Count" cannot be used in a query'),
]


@pytest.mark.parametrize(("text", "field", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_query_is_refused_with_this_text(text, field, message):
    with pytest.raises(InvalidRequest) as refused:
        pods_of(text)

    assert (message, field) == (refused.value.message, refused.value.field)


def test_an_invalid_pattern_in_a_map_names_its_side():
    with pytest.raises(InvalidRequest) as refused:
        pods_of("Deployment Label:app=r/[")

    begin = "couldn't generate query for value from app=r/[: invalid regexp [: error parsing regexp: "
    assert refused.value.message.startswith(begin)


def test_dropped_parts_are_reported_and_refused_in_strict_mode():
    assert parsing.parse("Nmespace:billing", now=SAMPLE_NOW).ignored == ("Nmespace:billing",)
    assert parsing.parse("Pod Name:cart+Pod Name:ledger", now=SAMPLE_NOW).ignored == ("Pod Name:cart",)
    with pytest.raises(InvalidRequest) as refused:
        parsing.read("Nmespace:billing", strict=True)

    assert refused.value.message == 'unknown search field "Nmespace", did you mean "Namespace"?'


# ---------------------------------------------------------------------------------------------- 15.4


@pytest.mark.parametrize(("text", "pagination", "expected"), PAGES)
def test_sort_keys_give_this_order(text, pagination, expected):
    assert expected.split() == pods_of(text, pagination)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Deployment Label", "field deployment label cannot be used for sorting"),
        ("Foo", "field foo does not exist in table pods or connected tables"),
    ],
)
def test_a_sort_field_is_refused_with_this_text(name, message):
    with pytest.raises(InvalidRequest) as refused:
        pods_of("", by(name))

    assert (message, "pagination.sort_options[0].field") == (refused.value.message, refused.value.field)


def test_a_window_is_cut_from_the_order():
    first, last = (paging.window(Pagination(limit=2, offset=offset)) for offset in (0, 6))
    order = pods_of("")

    assert order[first.offset : first.offset + first.limit] == ["P1", "P2"]
    assert order[last.offset : last.offset + last.limit] == ["P6"]


def test_a_scope_shows_its_clusters_and_namespaces():
    scope = Scope(clusters={uid(NORTH): frozenset({"shop"}), uid(SOUTH): None})

    assert [name_of(pod) for pod in SAMPLE.pods if scope.covers(pod["clusterid"], pod["namespace"])] == [
        "P1",
        "P2",
        "P4",
        "P5",
    ]
