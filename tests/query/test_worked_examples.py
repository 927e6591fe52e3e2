"""The worked examples of the specification, row by row (pod-service 15.1, 15.3, 15.4)."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import ParseDict

from podledger.errors import InvalidRequest
from podledger.query import matching, paging, parsing
from podledger.query.scope import Scope
from podledger_protos.api.v1.pagination_pb2 import Pagination
from tests.fakes.query_fixture import NORTH, SAMPLE_NOW, SOUTH, sample, sample_id, uid

SAMPLE = sample()
EVERY_POD = "P1 P2 P3 P4 P5 P6 P7"


def everything(_):
    return True


def pods_of(text: str, pagination: dict | None = None) -> list[str]:
    window = paging.window(ParseDict(pagination or {}, Pagination()))
    query = parsing.parse(text, now=SAMPLE_NOW, gate=everything)
    order = () if query.nothing else paging.order(window, gate=everything).order
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

QUERIES = [
    ("", EVERY_POD),
    ("Pod Name:CART", "P1 P2"),
    ('Pod Name:"CART-A1"', ""),
    ('Pod Name:"cart-a1","cart-b2"', "P1 P2"),
    ('Pod Name:!"cart-a1"', "P2 P3 P4 P5 P6 P7"),
    ("Pod Name:!cart,!ledger", EVERY_POD),
    (r"Pod Name:r/-[a-z]\d$", "P1 P2"),
    ("Pod Name:r/CART", "P1 P2"),
    ("Pod Name:!r/^cart", "P3 P4 P5 P6 P7"),
    ("Pod Name:c_rt-a", "P1"),
    ("Pod Name:car%1", "P1"),
    ("Pod Name:cart+pod name:r/2$", "P2"),
    ("Pod Name:cart+Pod Name:ledger", "P3"),
    ("Namespace:billing", "P3 P6"),
    ('Namespace:"billing"', "P3"),
    ('Namespace:bill,"ops"', "P3 P4 P6 P7"),
    ("Namespace:*", EVERY_POD),
    ("Namespace:-", ""),
    ("Nmespace:billing", EVERY_POD),
    ("Nmespace:billing+Pod Name:ledger", "P3"),
    ("Policy:privileged", ""),
    ("Policy:privileged+Namespace:shop", "P1 P2 P5"),
    ("Policy:privileged+Nmespace:shop", ""),
    ("Cluster ID:C200000000004000800000000000000B", "P4 P5"),
    ("Cluster ID:!c2000000-0000-4000-8000-00000000000b", "P1 P2 P3 P6"),
    ("Cluster ID:-", "P7"),
    ("Cluster ID:*", "P1 P2 P3 P4 P5 P6"),
    ("Cluster ID:!*", "P1 P2 P3 P4 P5 P6"),
    ("Cluster ID:r/0b$", "P4 P5"),
    ("Deployment ID:-", "P6"),
    ("Deployment:*", "P1 P2 P3 P4 P7"),
    ("Deployment:-", "P5 P6"),
    ("Deployment:-,cart", "P1 P2 P5 P6"),
    ("Deployment:-+Cluster:north", ""),
    ("Deployment:-+Namespace Label:*", ""),
    ("Deployment:!cart", "P3 P4 P7"),
    ("Cluster:NOR,sou", "P1 P2 P3 P4 P7"),
    ("Deployment Type:daemon", "P4 P7"),
    ("Deployment Label:app=led", "P3"),
    ('Deployment Label:app="led"', ""),
    ("Deployment Label:note=", "P1 P2"),
    ("Deployment Label:!note=", "P3 P4 P7"),
    ("Deployment Label:=2024", "P1 P2"),
    ("Deployment Label:=", "P1 P2 P3"),
    ("Deployment Label:*", "P1 P2 P3 P4 P7"),
    ("Deployment Label:app=!cart", "P3"),
    ('Deployment Label:"app=cart"', ""),
    ("Deployment Annotation:contact=blue t", "P1 P2"),
    ("Namespace Label:owner=blue", "P1 P2"),
    ("Cluster Label:region=eu", "P1 P2 P3"),
    ("Image Tag:v2", "P1 P2 P4 P7"),
    ("Image Tag:v2+Privileged:true", "P4 P7"),
    ("Image Tag:!v2", "P1 P2 P3"),
    ("Image Tag:v2+image tag:stable", ""),
    ("Image Remote:net/proxy_lite", "P1 P2"),
    (r"Image Remote:net/proxy\_lite", "P1 P2"),
    ("Image Remote:net/proxy-lite", ""),
    ("Container Type:init", "P3"),
    ("Privileged:tr", "P1 P2 P4 P7"),
    ("Privileged:-", "P5 P6"),
    ("CPU Cores Limit:>0.5", "P1 P2 P3"),
    ("CPU Cores Limit:0.25-2", "P1 P2"),
    ("CPU Cores Limit:0.254", "P1 P2"),
    ("Deployment Risk Score:>=3.5", "P1 P2 P3"),
    ("Created:05/10/2024", "P1 P2"),
    ("Created:05/09/2024 9:30 PM", "P1 P2"),
    ("Created:=05/10/2024 8:00 AM", "P1 P2"),
    ("Created:>30d", "P1 P2 P4 P7"),
    ("Created:<30d", "P3"),
    ("Created:5d-15d", "P3"),
    ("Created:tr/1717200000000-1717286400000", "P3"),
    ("Service Account Permission Level:elev", "P3"),
    ("Service Account Permission Level:>=elev", "P3 P4 P7"),
    ("Service Account Permission Level:!default", "P3 P4 P7"),
    ("Service Account Permission Level:root", ""),
    ('Image Pull Secret:"reg-main"', "P1 P2"),
    ("Image Pull Secret:!reg-main", "P1 P2"),
    ("Image Pull Secret:-", "P3 P5 P6"),
    ('Container Image Digest:"sha256:11"', "P1 P2"),
    ("Container Image Digest:!sha256:11", "P1 P3 P4"),
    ('Container Image Digest:""', "P4"),
    ("Container Image Digest:-", "P5 P6 P7"),
    ("CVE:CVE-2024", ""),
    ("CVE:-", EVERY_POD),
]


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


def by(*names: str, **more) -> dict:
    options = [{"field": name.removeprefix("-"), "reversed": name.startswith("-")} for name in names]
    return {"sortOptions": options, **more}


PAGES = [
    ("", {}, "P1 P2 P3 P4 P7 P5 P6"),
    ("", by("Pod Name"), "P4 P1 P2 P3 P5 P6 P7"),
    ("", by("Cluster ID"), "P1 P2 P3 P6 P4 P5 P7"),
    ("", by("-Cluster ID"), "P4 P5 P1 P2 P3 P6 P7"),
    ("", by("-Namespace", "Pod Name"), "P1 P2 P5 P4 P7 P6 P3"),
    ("", by("Deployment"), "P1 P2 P3 P4 P7"),
    ("Deployment:-,node", by("Deployment"), "P4 P7 P5 P6"),
    ("", by("Image Tag"), "P1 P2 P3 P4 P7"),
    ("", by("-Image Tag"), "P1 P2 P4 P7 P3"),
    ("", by("Service Account"), "P4 P7 P1 P2 P3"),
    ("", by("Deployment Risk Priority"), "P3 P1 P2 P4 P7"),
    ("", by("CVE"), ""),
    ("CVE:-", by("CVE"), EVERY_POD),
    ("Policy:x", by("Foo"), ""),
]


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
