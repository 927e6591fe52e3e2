"""The merge group of the vector file, which tells of upstream's rules: mode `stackrox`.

The vectors of ids, images and owners are beside their modules.
"""

from __future__ import annotations

import pytest
from google.protobuf.json_format import ParseDict

from podledger.pods.merging import merge
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.query_fixture import GROUPS


def pod(value: dict | None) -> Pod | None:
    return None if value is None else ParseDict(value, Pod())


@pytest.mark.parametrize("case", GROUPS["merge"], ids=lambda case: case["id"])
def test_merges_follow_the_vectors(case):
    """A stored pod, or none, an update, and the pod that is written."""
    merged = merge(pod(case["stored"]), PodRecord(pod=pod(case["update"])), known=(), mode="stackrox")

    assert pod(case["expect"]) == merged.pod
