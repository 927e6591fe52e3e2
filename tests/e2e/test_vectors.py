"""The vector file through the installed program: imported as upstream answers, asked over gRPC and REST."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from podledger.store.opening import open_store
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.api.v1.pod_service_pb2 import ExportPodRequest
from podledger_protos.api.v1.pod_service_pb2_grpc import PodServiceStub
from podledger_protos.api.v1.search_service_pb2 import RawQuery
from tests.fakes.pod_clients import client_of, pod_chain
from tests.fakes.program import Served, run, serving
from tests.fakes.upstream_answers import vector_answers, write
from tests.fakes.vector_cases import expected_error, in_groups, kept, scope_of

pytestmark = pytest.mark.e2e

QUERIES, PAGES, SCOPES = (kept(f"get_pods_{kind}") for kind in ("query", "page", "scope"))


def ids(case: dict[str, Any]) -> str:
    return case["id"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("home")
    done = run(home, "import", "--keep-empty-lists", *write(vector_answers(), home))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pods"] == 12
    with serving(home) as served:
        yield served


@pytest.fixture(scope="module")
def stub(server: Served) -> Iterator[PodServiceStub]:
    with grpc.insecure_channel(server.grpc) as channel:
        yield PodServiceStub(channel)


def get(stub: PodServiceStub, case: dict[str, Any]) -> list[str] | dict[str, Any]:
    """Names in order, or code and text of the error."""
    request = RawQuery(query=case["query"], pagination=ParseDict(case.get("pagination", {}), Pagination()))
    try:
        return [pod.name for pod in stub.GetPods(request).pods]
    except grpc.RpcError as error:
        return {"code": error.code().value[0], "error": error.details()}


def export(stub: PodServiceStub, query: str) -> list[str] | dict[str, Any]:
    try:
        return [response.pod.name for response in stub.ExportPods(ExportPodRequest(query=query))]
    except grpc.RpcError as error:
        return {"code": error.code().value[0], "error": error.details()}


def rest(server: Served, path: str, **parameters: str) -> tuple[int, bytes]:
    url = f"http://{server.http}{path}?{urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)}"
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def refusal(case: dict[str, Any]) -> dict[str, Any]:
    return {"code": 3, "error": expected_error(case)}


# ------------------------------------------------------------------------------------------- queries


@pytest.mark.parametrize("case", QUERIES, ids=ids)
def test_a_query_finds_these_pods_over_grpc(stub: PodServiceStub, case: dict[str, Any]) -> None:
    """GetPods and ExportPods find the same ones, or refuse with the same text."""
    found, exported = get(stub, case), export(stub, case["query"])

    if "error" in case["expect"]:
        assert refusal(case) == found == exported
    else:
        assert sorted(case["expect"]["pods"]) == sorted(found) == sorted(exported)


@pytest.mark.parametrize("case", QUERIES, ids=ids)
def test_a_query_finds_these_pods_over_rest(server: Served, case: dict[str, Any]) -> None:
    """One page and the stream; an error is status 400 with the text."""
    status, page = rest(server, "/v1/pods", query=case["query"])
    stream_status, stream = rest(server, "/v1/export/pods", query=case["query"])
    streamed = [json.loads(line) for line in stream.splitlines()]

    if "error" in case["expect"]:
        assert (400, 400) == (status, stream_status)
        assert expected_error(case) == json.loads(page)["message"]
        assert expected_error(case) in stream.decode() or json.dumps(expected_error(case))[1:-1] in stream.decode()
    else:
        assert (200, 200) == (status, stream_status)
        assert sorted(case["expect"]["pods"]) == sorted(pod["name"] for pod in json.loads(page)["pods"])
        assert sorted(case["expect"]["pods"]) == sorted(each["result"]["pod"]["name"] for each in streamed)


# --------------------------------------------------------------------------------------------- pages


@pytest.mark.parametrize("case", PAGES, ids=ids)
def test_a_page_has_this_order_over_grpc(stub: PodServiceStub, case: dict[str, Any]) -> None:
    found = get(stub, case)

    if "error" in case["expect"]:
        assert refusal(case) == found
    elif "order_groups" in case["expect"]:
        assert case["expect"]["count"] == len(found)
        assert case["expect"]["order_groups"] == in_groups(found, case["expect"]["order_groups"])
    else:
        whole = get(stub, {**case, "pagination": {**case["pagination"], "limit": 0, "offset": 0}})
        groups = case["expect"]["order_groups_before_paging"]
        assert case["expect"]["count"] == len(found)
        assert groups == in_groups(whole, groups)


@pytest.mark.parametrize("case", [case for case in PAGES if "sortOptions" not in case["pagination"]], ids=ids)
def test_a_page_has_this_order_over_rest(server: Served, stub: PodServiceStub, case: dict[str, Any]) -> None:
    """What a URL can say: the same pods in the same order as over gRPC."""
    window = case["pagination"]
    parameters = {f"pagination.{name}": str(window[name]) for name in ("limit", "offset") if name in window}
    for name, value in window.get("sortOption", {}).items():
        parameters[f"pagination.sortOption.{name}"] = str(value).lower() if isinstance(value, bool) else value
    status, page = rest(server, "/v1/pods", query=case["query"], **parameters)

    if "error" in case["expect"]:
        assert (400, expected_error(case)) == (status, json.loads(page)["message"])
    else:
        assert get(stub, case) == [pod["name"] for pod in json.loads(page)["pods"]]


# --------------------------------------------------------------------------------------------- scopes


@pytest.mark.parametrize("door", ["grpcio", "inprocess"])
@pytest.mark.parametrize("case", SCOPES, ids=ids)
async def test_a_scope_hides_the_other_pods(server: Served, case: dict[str, Any], door: str) -> None:
    """The chain in front of the imported store, for a caller with the scope of the case."""
    store = open_store(f"sqlite:///{server.home}/.local/share/podledger/podledger.db")
    await store.open()
    try:
        async with client_of(pod_chain(store, scope=scope_of(case)), door) as client:
            found, exported = await client.get(case["query"]), await client.export(case["query"])
    finally:
        await store.close()

    if "error" in case["expect"]:
        assert (3, expected_error(case)) == (found.code, found.message) == (exported.code, exported.message)
    else:
        assert (0, 0) == (found.code, exported.code)
        assert sorted(case["expect"]["pods"]) == sorted(found.names) == sorted(exported.names)
