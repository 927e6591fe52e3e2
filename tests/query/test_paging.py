"""limit, offset, sort options: checks, texts, places."""

from __future__ import annotations

import pytest

from podledger.errors import InvalidRequest
from podledger.query import paging
from podledger.query.fields import FIELDS, field
from podledger.query.paging import Paging, SortKey, SortOption, Window
from podledger_protos.api.v1.pagination_pb2 import AggregateBy, Aggregation, Pagination
from podledger_protos.api.v1.pagination_pb2 import SortOption as Option

OPTIONS = "pagination.sort_options"


def order_of(*names: str) -> tuple[SortKey, ...]:
    return paging.order(paging.window(Pagination(sort_options=[Option(field=name) for name in names]))).order


def refused(pagination: Pagination, **more) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as error:
        paging.order(paging.window(pagination, **more))
    return error.value.message, error.value.field


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, 1000), (1, 1), (999, 999), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)]
)
def test_a_limit_is_at_most_a_thousand(limit, expected):
    assert expected == paging.window(Pagination(limit=limit)).limit


@pytest.mark.parametrize(("offset", "expected"), [(-5, 0), (0, 0), (7, 7), (2**31 - 1, 2**31 - 1)])
def test_an_offset_has_no_cap_of_its_own(offset, expected):
    assert expected == paging.window(Pagination(offset=offset)).offset


def test_an_offset_may_be_capped():
    assert paging.window(Pagination(offset=10), max_offset=10).offset == 10
    assert refused(Pagination(offset=11), max_offset=10) == (
        "pagination offset too large: 11, limit 10",
        "pagination.offset",
    )


def test_a_negative_limit_is_the_first_error():
    pagination = Pagination(limit=-3, offset=11, sort_option=Option())

    assert refused(pagination, max_offset=10) == ("pagination limit must not be negative: -3", "pagination.limit")


def test_without_sort_options_pods_come_by_deployment_id():
    window = paging.window(Pagination())

    assert Window(1000, 0, ()) == window
    assert Paging(1000, 0, (SortKey(field("Deployment ID")),)) == paging.order(window)


def test_sort_options_win_over_the_sort_option_even_an_invalid_one():
    options = [Option(field="Pod Name"), Option(field="namespace", reversed=True)]
    pagination = Pagination(sort_option=Option(aggregate_by=AggregateBy(distinct=True)), sort_options=options)
    window = paging.window(pagination)

    assert (
        SortOption("Pod Name", reversed=False, path=f"{OPTIONS}[0]"),
        SortOption("namespace", reversed=True, path=f"{OPTIONS}[1]"),
    ) == window.sort
    assert (SortKey(field("Pod Name")), SortKey(field("Namespace"), descending=True)) == paging.order(window).order


def test_a_single_sort_option_is_used():
    window = paging.window(Pagination(sort_option=Option(field="Cluster", reversed=True)))

    assert (SortKey(field("Cluster"), descending=True),) == paging.order(window).order


@pytest.mark.parametrize(
    ("pagination", "at"),
    [
        (Pagination(sort_option=Option()), "pagination.sort_option.field"),
        (Pagination(sort_options=[Option(field="Pod Name"), Option()]), f"{OPTIONS}[1].field"),
    ],
)
def test_an_empty_field_is_refused(pagination, at):
    assert ("sort field must not be empty", at) == refused(pagination)


@pytest.mark.parametrize(
    "aggregation",
    [
        AggregateBy(aggrFunc=Aggregation.COUNT),
        AggregateBy(aggrFunc=Aggregation.MIN),
        AggregateBy(aggrFunc=Aggregation.MAX),
        AggregateBy(aggrFunc=7),  # type: ignore[arg-type]
        AggregateBy(distinct=True),
    ],
)
def test_aggregation_is_refused_before_empty_fields(aggregation):
    text = "aggregation is not supported on GetPods"
    single = Pagination(sort_option=Option(aggregate_by=aggregation))
    several = Pagination(sort_options=[Option(), Option(field="x", aggregate_by=aggregation)])

    assert (text, "pagination.sort_option.aggregate_by") == refused(single)
    assert (text, f"{OPTIONS}[1].aggregate_by") == refused(several)


@pytest.mark.parametrize("aggregation", [AggregateBy(), AggregateBy(aggrFunc=Aggregation.UNSET)])
def test_an_unset_aggregation_has_no_effect(aggregation):
    assert paging.window(Pagination(sort_option=Option(field="x", aggregate_by=aggregation))).sort


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Foo", "field foo does not exist in table pods or connected tables"),
        ("POLICY", "field policy does not exist in table pods or connected tables"),
        ("Test Bool", "field test bool does not exist in table pods or connected tables"),
        ("Cluster Risk Priority", "field cluster risk priority does not exist in table pods or connected tables"),
        (" Pod Name", "field  pod name does not exist in table pods or connected tables"),
        ("\u0130\u03a3", "field i\u03c3 does not exist in table pods or connected tables"),
        ("Deployment Label", "field deployment label cannot be used for sorting"),
        ("Deployment Count", "field deployment count cannot be used for sorting"),
        ("Severity Max", "field severity max cannot be used for sorting"),
        ("Low Severity Count", "field low severity count cannot be used for sorting"),
        ("Component Risk Priority Score Max", "field component risk priority score max cannot be used for sorting"),
    ],
)
def test_a_field_that_has_no_order_is_refused(name, text):
    pagination = Pagination(sort_options=[Option(field="Pod Name"), Option(field=name)])

    assert (text, f"{OPTIONS}[1].field") == refused(pagination)


def test_the_id_of_a_pod_has_a_second_name():
    assert (SortKey(field("Pod ID")),) == order_of("_ID")


@pytest.mark.parametrize("what", ["Deployment", "Node", "Image", "Component"])
def test_a_priority_is_the_score_turned_round(what):
    assert (SortKey(field(f"{what} Risk Score"), descending=True),) == order_of(f"{what} Risk Priority")
    reversed_ = Pagination(sort_option=Option(field=f"{what} Risk Priority", reversed=True))

    assert (SortKey(field(f"{what} Risk Score")),) == paging.order(paging.window(reversed_)).order


def test_every_label_is_a_sort_key_or_refused():
    """As the registry says."""
    for entry in FIELDS.values():
        if entry.sortable:
            (key,) = order_of(entry.label)
            assert key.field.kind not in {"", "map"}
        else:
            refused(Pagination(sort_option=Option(field=entry.label)))
