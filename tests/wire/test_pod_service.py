"""v1.PodService as clients see it, through both doors: pages, totals, streams, metadata, errors."""

from __future__ import annotations

import json

import pytest

from podledger.pods.identity import parse_uuid
from podledger.query.scope import Scope
from podledger.rpc.exporting import ExportLimits
from podledger.store.opening import open_store
from podledger.telemetry import Telemetry
from podledger_protos.api.v1.pagination_pb2 import AggregateBy, Pagination, SortOption
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.doors import sample
from tests.fakes.fleet import NORTH, SOUTH, deployment_id, fill, pod_id, record, small_fleet
from tests.fakes.pod_clients import client_of, pod_chain

STRICT = [("x-podledger-strict", "true")]
IGNORED = "x-podledger-ignored-query-parts"
BY_KEY = ["pod-1", "pod-2", "pod-3", "pod-4", "pod-5", "pod-6", "pod-7"]
BY_DEPLOYMENT = ["pod-2", "pod-3", "pod-4", "pod-6", "pod-1", "pod-5", "pod-7"]


@pytest.fixture(
    params=[("memory:", "grpcio"), ("memory:", "inprocess"), ("sqlite:///{}/pods.db", "inprocess")], ids=" ".join
)
def route(request):
    """A store and a door."""
    return request.param


@pytest.fixture
def door(route):
    return route[1]


@pytest.fixture
async def empty(route, tmp_path):
    store = open_store(route[0].format(tmp_path))
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def store(empty):
    await fill(empty, small_fleet())
    return empty


@pytest.fixture
async def client(store, door):
    async with client_of(pod_chain(store), door) as client:
        yield client


def sorted_by(*fields, **page):
    options = [SortOption(field=field.removeprefix("-"), reversed=field.startswith("-")) for field in fields]
    return Pagination(sort_options=options, **page)


# ------------------------------------------------------------------------------------------- GetPods


async def test_without_arguments_all_pods_come_by_deployment_id(client):
    """Then by pod id. The total is told, nothing is left out."""
    answer = await client.get()

    assert answer.names == BY_DEPLOYMENT
    assert answer.initial == {"x-total-count": "7"}


async def test_a_pod_arrives_as_it_was_written(client):
    """Every field of the message."""
    answer = await client.get("Pod Name:pod-4")

    assert answer.pods == [record(4, namespace="bank").pod]


@pytest.mark.parametrize(
    ("limit", "offset", "names", "truncated"),
    [
        (2, 0, BY_DEPLOYMENT[:2], True),
        (2, 4, BY_DEPLOYMENT[4:6], True),
        (2, 6, BY_DEPLOYMENT[6:], False),
        (7, 0, BY_DEPLOYMENT, False),
        (6, 0, BY_DEPLOYMENT[:6], True),
        (2, 7, [], False),
        (2, 5000, [], False),
        (0, 3, BY_DEPLOYMENT[3:], False),
        (5000, -4, BY_DEPLOYMENT, False),
    ],
)
@pytest.mark.parametrize("query", ["", "Pod Name:pod"])
async def test_pages_are_windows_with_a_total(client, query, limit, offset, names, truncated):
    """Offset beyond the end is empty and no error; the total does not depend on the window."""
    answer = await client.get(query, Pagination(limit=limit, offset=offset))

    assert answer.names == names
    assert answer.initial == {"x-total-count": "7"} | ({"x-podledger-truncated": "true"} if truncated else {})


async def test_sort_keys_apply_in_order(client):
    """Namespace, then name downwards; the pod id ends every order."""
    answer = await client.get("", sorted_by("Namespace", "-Pod Name"))

    assert answer.names == ["pod-6", "pod-4", "pod-7", "pod-5", "pod-3", "pod-2", "pod-1"]


async def test_the_single_sort_option_counts_only_alone(client):
    """`sort_options` wins, however wrong the other one is."""
    alone = await client.get("", Pagination(sort_option=SortOption(field="_id", reversed=True)))
    both = await client.get("", Pagination(sort_option=SortOption(field=""), sort_options=[SortOption(field="Pod ID")]))

    assert alone.names == BY_KEY[::-1]
    assert both.names == BY_KEY


async def test_a_sort_join_drops_pods_from_page_and_total(empty, door):
    """Sorting by a column of the workload needs the workload (pod-service 6.2)."""
    alone = record(9)
    alone.pod.deployment_id = "eeeeeeee-0000-4000-8000-000000000001"
    alone.pod.ClearField("deployment_id")
    await fill(empty, [*small_fleet(), alone])
    async with client_of(pod_chain(empty), door) as client:
        every = await client.get("", Pagination(limit=2))
        joined = await client.get("", sorted_by("Deployment", limit=2))

    assert every.initial["x-total-count"] == "8"
    assert joined.initial["x-total-count"] == "7"


@pytest.mark.parametrize(
    ("metadata", "query", "total"),
    [
        ([], "Pod Name:pod", "3+"),
        ([("x-podledger-count", "exact")], "Pod Name:pod", "7"),
        ([("x-podledger-count", "yes")], "Pod Name:pod", "3+"),
        ([], "Namespace:bank", "2"),
        ([], "", "7"),
    ],
)
async def test_totals_above_the_cap_are_rounded_unless_asked_for(store, door, metadata, query, total):
    """A query without conditions costs nothing to count."""
    async with client_of(pod_chain(store, count_cap=3), door) as client:
        answer = await client.get(query, Pagination(limit=1), metadata=metadata)

    assert answer.initial["x-total-count"] == total


async def test_a_short_page_has_the_exact_total_whatever_the_cap(store, door):
    """Wherever it costs nothing."""
    async with client_of(pod_chain(store, count_cap=3), door) as client:
        answer = await client.get("Pod Name:pod")

    assert answer.initial["x-total-count"] == "7"


async def test_unreachable_labels_alone_find_nothing(client):
    """Sort keys are not looked at, and the store is not asked."""
    answer = await client.get("Policy:x+Nope:y", sorted_by("Nope"))

    assert answer.pods == []
    assert answer.initial["x-total-count"] == "0"
    assert json.loads(answer.initial[IGNORED]) == ["Policy:x", "Nope:y"]


async def test_scopes_limit_pages_totals_and_streams(store, door):
    """Only whole clusters and named namespaces are visible."""
    scope = Scope(clusters={parse_uuid(NORTH): frozenset({"bank"}), parse_uuid(SOUTH): None})
    async with client_of(pod_chain(store, scope=scope), door) as client:
        page = await client.get("", Pagination(limit=1))
        stream = await client.export()

    assert page.initial["x-total-count"] == "4"
    assert stream.names == ["pod-4", "pod-5", "pod-6", "pod-7"]


async def test_an_empty_scope_sees_nothing_and_no_error(store, door):
    """But an invalid request is refused as ever."""
    async with client_of(pod_chain(store, scope=Scope()), door) as client:
        answers = [await client.get(), await client.export()]
        refused = await client.get("Pod ID:abc")

    assert [(answer.code, answer.pods) for answer in answers] == [(0, []), (0, [])]
    assert refused.code == 3


# ------------------------------------------------------------------------- ignored parts, strict mode


async def test_ignored_parts_are_reported_by_both_methods(store, door):
    """In input order, printable; counted too."""
    telemetry = Telemetry()
    async with client_of(pod_chain(store, telemetry=telemetry), door) as client:
        answers = [
            await client.get("Nmespäce:x+nocolon+Namespace:bank"),
            await client.export("Nmespäce:x+nocolon+Namespace:bank"),
        ]

    assert [answer.names for answer in answers] == [["pod-4", "pod-6"]] * 2
    for answer in answers:
        assert answer.initial[IGNORED].isascii()
        assert json.loads(answer.initial[IGNORED]) == ["Nmespäce:x+nocolon"]
    assert sample(telemetry, "podledger_query_ignored_parts_total") == 2


@pytest.mark.parametrize("method", ["get", "export"])
async def test_strict_refuses_what_has_no_effect(client, method):
    """With a hint."""
    answer = await getattr(client, method)("Nmespace:x", metadata=STRICT)

    assert (answer.code, answer.message) == (3, 'unknown search field "Nmespace", did you mean "Namespace"?')
    assert answer.violations == [("Nmespace", answer.message)]


async def test_strict_can_be_the_default_of_the_server(store, door):
    """Then nobody has to ask."""
    async with client_of(pod_chain(store, strict=True), door) as client:
        answer = await client.get("Nmespace:x")

    assert answer.code == 3


# -------------------------------------------------------------------------------------- golden errors

QUERY_ERRORS = [
    ("Pod ID:abc", 'value "abc" in search query must be valid UUID: invalid UUID length: 3', "Pod ID"),
    ("x" * 8193, "query text too long: 8193 bytes, limit 8192", "query"),
    ("Pod Name:a\0", "query text contains a NUL character", "query"),
    ("+".join(["Pod Name:a"] * 33), "too many query parts: 33, limit 32", "query"),
    ("Pod Name:" + ",".join("a" * 257), "too many query values: 257, limit 256", "query"),
    ("Pod Name:" + ",".join(["r/a"] * 9), "too many regular expressions: 9, limit 8", "query"),
]


@pytest.mark.parametrize(
    ("query", "message", "field"),
    QUERY_ERRORS,
    ids=[field + str(index) for index, (_, _, field) in enumerate(QUERY_ERRORS)],
)
@pytest.mark.parametrize("method", ["get", "export"])
async def test_bad_queries_have_exact_texts(empty, door, method, query, message, field):
    """On an empty store too; one violation that names the field."""
    async with client_of(pod_chain(empty), door) as client:
        answer = await getattr(client, method)(query)

    assert (answer.code, answer.message) == (3, message)
    assert answer.violations == [(field, message)]
    assert len(answer.details) == 1


COUNT = AggregateBy(aggrFunc="COUNT")
PAGE_ERRORS = [
    (Pagination(limit=-1), "pagination limit must not be negative: -1", "pagination.limit"),
    (Pagination(offset=11), "pagination offset too large: 11, limit 10", "pagination.offset"),
    (Pagination(sort_option=SortOption(field="")), "sort field must not be empty", "pagination.sort_option.field"),
    (sorted_by("Pod ID", ""), "sort field must not be empty", "pagination.sort_options[1].field"),
    (sorted_by("Pod ID", "Nope"), "field nope does not exist in table pods or connected tables", "pagination.sort_options[1].field"),
    (Pagination(sort_option=SortOption(field="Deployment Label")), "field deployment label cannot be used for sorting", "pagination.sort_option.field"),
    (Pagination(sort_option=SortOption(field="Pod ID", aggregate_by=COUNT)), "aggregation is not supported on GetPods", "pagination.sort_option.aggregate_by"),
    (Pagination(sort_options=[SortOption(field="Pod ID", aggregate_by=AggregateBy(distinct=True))]), "aggregation is not supported on GetPods", "pagination.sort_options[0].aggregate_by"),
]  # fmt: skip


@pytest.mark.parametrize(("pagination", "message", "field"), PAGE_ERRORS, ids=[field for _, _, field in PAGE_ERRORS])
async def test_bad_pages_have_exact_texts(empty, door, pagination, message, field):
    """Paging and sorting (pod-service 6)."""
    async with client_of(pod_chain(empty, max_offset=10), door) as client:
        answer = await client.get("", pagination)

    assert (answer.code, answer.message) == (3, message)
    assert answer.violations == [(field, message)]


@pytest.mark.parametrize(
    ("query", "pagination", "metadata", "field"),
    [
        ("x" * 8193, Pagination(limit=-1), STRICT, "query"),
        ("Nope:x", Pagination(limit=-1), STRICT, "Nope"),
        ("Pod ID:abc", Pagination(limit=-1), [], "pagination.limit"),
        ("Pod ID:abc", Pagination(sort_option=SortOption(field="")), [], "pagination.sort_option.field"),
        ("Pod ID:abc", Pagination(sort_option=SortOption(field="Nope")), [], "Pod ID"),
    ],
)
async def test_the_first_failing_check_decides(client, query, pagination, metadata, field):
    """The order of pod-service 2."""
    answer = await client.get(query, pagination, metadata=metadata)

    assert [name for name, _ in answer.violations] == [field]


@pytest.mark.parametrize(
    ("method", "message", "data"),
    [
        ("GetPods", "RawQuery", b"\x0a\xff"),
        ("GetPods", "RawQuery", b"\x0a\x02\xff\xfe"),
        ("ExportPods", "ExportPodRequest", b"\x12\xff"),
        ("ExportPods", "ExportPodRequest", b"\x12\x02\xff\xfe"),
    ],
)
async def test_a_request_that_is_no_message_is_invalid(client, method, message, data):
    """Truncated, or text that is not UTF-8."""
    answer = await client.raw(f"/v1.PodService/{method}", data)

    assert (answer.code, answer.message) == (3, f"the request is not a {message}")


async def test_a_closed_store_is_unavailable(store, door):
    """With a hint when to come back, and without the store's words."""
    async with client_of(pod_chain(store), door) as client:
        await store.close()
        answers = [await client.get(), await client.export()]

    assert [(answer.code, answer.message, answer.retry) for answer in answers] == [
        (14, "service unavailable", True)
    ] * 2


async def test_refused_queries_are_counted_by_reason(store, door):
    """Without the query itself."""
    telemetry = Telemetry()
    async with client_of(pod_chain(store, telemetry=telemetry), door) as client:
        await client.get("Pod ID:abc")
        await client.get("x" * 8193)
        await client.get("", Pagination(limit=-1))
        await client.export("", metadata=[("x-podledger-after", "x")])

    reasons = {
        reason: sample(telemetry, "podledger_query_rejected_total", reason=reason)
        for reason in ("condition", "query", "paging", "resume")
    }
    assert reasons == {"condition": 1, "query": 1, "paging": 1, "resume": 1}


# ---------------------------------------------------------------------------------------- ExportPods


async def test_an_export_sends_everything_by_key_and_proves_it(client):
    """Cluster id, then pod id; the count is in the trailer."""
    answer = await client.export()

    assert answer.names == BY_KEY
    assert answer.trailing == {"x-podledger-count": "7"}
    assert answer.initial == {}


async def test_an_export_of_nothing_is_ok(client):
    """Empty stream, count 0; with unreachable labels too."""
    answers = [await client.export("Namespace:none"), await client.export("Policy:x")]

    assert [(answer.code, answer.pods, answer.trailing) for answer in answers] == [
        (0, [], {"x-podledger-count": "0"})
    ] * 2


@pytest.mark.parametrize("rows", [1, 5, 16, 53, 54, 100])
async def test_every_page_size_gives_the_same_stream(empty, door, rows):
    """Nothing is lost or doubled at the seams."""
    await fill(empty, [record(number) for number in range(1, 55)])
    async with client_of(pod_chain(empty, export_limits=ExportLimits(page_rows=rows)), door) as client:
        answer = await client.export()

    assert answer.names == [f"pod-{number}" for number in range(1, 55)]
    assert answer.trailing["x-podledger-count"] == "54"


async def test_big_pods_pass(empty, door):
    """A pod above the bytes of a page is a page of its own."""
    await fill(empty, [record(number, padding=300_000) for number in range(1, 4)])
    async with client_of(pod_chain(empty), door) as client:
        stream, page = await client.export(), await client.get()

    assert [len(pod.name) for pod in stream.pods] == [300_005] * 3
    assert stream.pods == page.pods


async def test_an_export_resumes_after_any_pod(client):
    """The pod need not exist; the answer is the rest."""
    middle = await client.export(metadata=[("x-podledger-after", f"{NORTH}/{pod_id(3)}")])
    between = await client.export(metadata=[("x-podledger-after", f"{NORTH}/{pod_id(9999)}")])
    empty = await client.export(metadata=[("x-podledger-after", "")])

    assert middle.names == BY_KEY[3:]
    assert between.names == BY_KEY[4:]
    assert empty.names == BY_KEY


async def test_resumes_are_counted(store, door):
    """How often clients had to."""
    telemetry = Telemetry()
    async with client_of(pod_chain(store, telemetry=telemetry), door) as client:
        await client.export(metadata=[("x-podledger-after", f"{NORTH}/{pod_id(3)}")])
        await client.export()

    assert sample(telemetry, "podledger_export_resumes_total") == 1
    assert sample(telemetry, "podledger_export_pods_total") == 4 + 7
    assert sample(telemetry, "podledger_exports_total", door=door, end="complete") == 2


async def test_a_bad_resume_key_is_refused_before_the_query(client):
    """Step 2 comes before step 3."""
    answer = await client.export("Pod ID:abc", metadata=[("x-podledger-after", "x/y")])

    assert answer.message == 'x-podledger-after: value "x/y" must be <cluster id>/<pod id>: invalid UUID length: 1'
    assert answer.violations == [("x-podledger-after", answer.message)]


async def test_a_negative_timeout_is_over_at_once(empty, door):
    """On an empty store too, and before every other check."""
    async with client_of(pod_chain(empty), door) as client:
        answer = await client.export("Pod ID:abc", seconds=-1, metadata=[("x-podledger-after", "x/y")])

    assert (answer.code, answer.message, answer.pods) == (4, "context deadline exceeded", [])
    assert answer.trailing == {"x-podledger-count": "0"}


async def test_a_timeout_that_is_long_enough_changes_nothing(client):
    """Seconds from the start of the handler."""
    answer = await client.export(seconds=60)

    assert (answer.code, answer.names) == (0, BY_KEY)


async def test_a_query_narrows_an_export(client):
    """The same language as GetPods."""
    answer = await client.export("Namespace:bank")

    assert answer.names == ["pod-4", "pod-6"]


async def test_pods_of_no_cluster_come_first(empty, door):
    """And are resumed with an empty cluster id."""
    await fill(empty, [*small_fleet(), record(8, cluster="")])
    async with client_of(pod_chain(empty), door) as client:
        every = await client.export()
        rest = await client.export(metadata=[("x-podledger-after", f"/{pod_id(8)}")])

    assert every.names == ["pod-8", *BY_KEY]
    assert rest.names == BY_KEY


async def test_a_deployment_is_found_by_id(client):
    """Equality on the column of the default order."""
    answer = await client.get(f"Deployment ID:{deployment_id(2)}")

    assert answer.names == ["pod-1", "pod-5", "pod-7"]
    assert isinstance(answer.pods[0], Pod)
