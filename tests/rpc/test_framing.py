"""Replies by concatenation equal what the protobuf library would have written."""

from __future__ import annotations

import pytest

from podledger.rpc.framing import Framed, framed, joined
from podledger_protos.api.v1.pod_service_pb2 import ExportPodResponse, PodsResponse
from podledger_protos.storage.deployment_pb2 import Pod

SIZES = (
    0,
    1,
    50,
    120,
    121,
    122,
    123,
    124,
    125,
    126,
    127,
    128,
    16370,
    16378,
    16379,
    16380,
    16381,
    16384,
    70_000,
    3_000_000,
)


def pod(size: int) -> Pod:
    return Pod(name="x" * size)


@pytest.mark.parametrize("size", SIZES)
def test_one_pod_is_an_export_message(size):
    """Every length of the length."""
    assert framed(pod(size).SerializeToString()) == ExportPodResponse(pod=pod(size)).SerializeToString()


def test_many_pods_are_a_page():
    """In order."""
    pods = [pod(size) for size in SIZES]

    assert joined([message.SerializeToString() for message in pods]) == PodsResponse(pods=pods).SerializeToString()


def test_no_pods_are_an_empty_message():
    """The page of an empty store."""
    assert joined([]) == b""


def test_a_batch_is_framed_piece_by_piece():
    """It is a sequence like any other, and holds the stored messages alone."""
    messages = [pod(size).SerializeToString() for size in (1, 121, 16380)]
    batch = Framed(messages)

    assert list(batch) == [framed(message) for message in messages]
    assert (len(batch), batch[0], list(batch[1:])) == (3, framed(messages[0]), list(map(framed, messages[1:])))
