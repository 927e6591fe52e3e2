"""A large generated fleet through both doors: the same pods, pod by pod, and a count that is true.

PODLEDGER_TEST_PODS sets the size of the fleet.
"""

from __future__ import annotations

import json
import os
import urllib.request

import grpc
import psutil
import pytest
from google.protobuf import json_format

from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.api.v1.pod_service_pb2 import ExportPodRequest
from podledger_protos.api.v1.pod_service_pb2_grpc import PodServiceStub
from podledger_protos.api.v1.search_service_pb2 import RawQuery
from tests.fakes.program import serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PODS = int(os.environ.get("PODLEDGER_TEST_PODS", "5000"))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("home"), "--demo", "--pods", str(PODS), ready_seconds=300) as served:
        yield served


@pytest.fixture(scope="module")
def stub(fleet):
    options = [("grpc.experimental.single_threaded_unary_stream", 1)]
    with grpc.insecure_channel(fleet.grpc, options=options) as channel:
        yield PodServiceStub(channel)


def as_rest_prints(value):
    """Values without the members that `json_format` leaves out: nulls, defaults and empty lists."""
    if isinstance(value, dict):
        shown = {key: as_rest_prints(inner) for key, inner in value.items()}
        return {
            key: inner for key, inner in shown.items() if inner not in (None, "", 0, [], "UNKNOWN_CONTAINER_RUNTIME")
        }
    return [as_rest_prints(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.timeout(900)
def test_the_export_is_the_same_over_grpc_and_rest(fleet, stub):
    """Pod by pod as JSON values; the trailer counts what was sent; memory stays small."""
    stream = stub.ExportPods(ExportPodRequest())
    count = 0
    with urllib.request.urlopen(f"http://{fleet.http}/v1/export/pods", timeout=300) as lines:
        for message, line in zip(stream, lines, strict=True):
            count += 1
            assert json_format.MessageToDict(message.pod) == as_rest_prints(json.loads(line)["result"]["pod"])
    trailer = dict(stream.trailing_metadata())
    print(f"\n{count} pods, peak server memory {psutil.Process(fleet.process.pid).memory_info().rss / 2**20:.0f} MiB")

    assert (PODS, str(PODS)) == (count, trailer["x-podledger-count"])


@pytest.mark.timeout(900)
def test_pages_give_every_pod_once_in_the_order_of_the_totals(fleet, stub):
    """Pages of 1000 over gRPC, compared with the same pages over REST and with the export."""
    paged = []
    for offset in range(0, PODS + 1000, 1000):
        reply = stub.GetPods(RawQuery(pagination=Pagination(limit=1000, offset=offset)))
        path = f"/v1/pods?pagination.limit=1000&pagination.offset={offset}"
        with urllib.request.urlopen(f"http://{fleet.http}{path}", timeout=60) as answer:
            rest = [(pod["clusterId"], pod["id"]) for pod in json.load(answer)["pods"]]
        keys = [(pod.cluster_id, pod.id) for pod in reply.pods]
        assert keys == rest
        paged += keys
    exported = [(message.pod.cluster_id, message.pod.id) for message in stub.ExportPods(ExportPodRequest())]

    assert exported == sorted(paged)
    assert len(set(paged)) == PODS
