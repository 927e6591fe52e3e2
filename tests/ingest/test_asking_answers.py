"""Upstream answers in a store, asked as callers ask: the worked examples, and what only a query shows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from podledger.ingest.importing import Options, import_files
from podledger.pods.identity import parse_uuid, uuid_text
from podledger.pods.upstream import Keep
from podledger.query import paging, parsing
from podledger.query.scope import UNRESTRICTED
from podledger.store.contract import Cluster, Store
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.query_fixture import NORTH, SAMPLE_NOW, sample_id
from tests.fakes.upstream_answers import listing, sample_answers, stream, write
from tests.fakes.worked_examples import PAGES, QUERIES

POD = "e1000000-0000-4000-8000-000000000000"
DEPLOYMENT = uuid_text(sample_id("d", 1))


async def load(store: Store, *texts: bytes, **options: Any) -> None:
    await import_files(store, ["-"], Options(**options), stdin=io.BytesIO(b"\n".join(texts)))


async def found(store: Store, query: str, pagination: dict[str, Any] | None = None) -> list[str]:
    """The pods in order, by their names in the specification."""
    asked = parsing.parse(query, now=SAMPLE_NOW)
    window = paging.window(ParseDict(pagination or {}, Pagination()))
    if asked.nothing:
        return []
    page = await store.reader(UNRESTRICTED).page(asked, paging.order(window))
    return [f"P{Pod.FromString(message).id[1]}" for message in page.messages]


def pod(**members: Any) -> dict[str, Any]:
    return {"id": POD, "name": "web-1", "namespace": "shop", "clusterId": NORTH, "deploymentId": DEPLOYMENT, **members}


@pytest.fixture
async def sampled(store: Store, tmp_path: Path) -> Store:
    """The sample data of pod-service 15.2, in its own words."""
    await import_files(store, write(sample_answers(), tmp_path), Options(), stdin=io.BytesIO())
    return store


async def test_every_worked_example_holds_for_the_imported_sample(sampled: Store) -> None:
    """pod-service 15.3."""
    wrong = {
        text: names for text, expected in QUERIES if expected.split() != (names := sorted(await found(sampled, text)))
    }

    assert wrong == {}


async def test_every_worked_order_holds_for_the_imported_sample(sampled: Store) -> None:
    """pod-service 15.4."""
    orders = [(text, sort, expected) for text, sort, expected in PAGES if text != "Policy:x"]
    wrong = [(text, sort) for text, sort, expected in orders if expected.split() != await found(sampled, text, sort)]

    assert wrong == []


async def test_pods_derive_no_workload(store: Store) -> None:
    """Their workloads are told by themselves, or not known."""
    await load(store, stream("pod", [pod()]))
    assert [] == await found(store, "Deployment:*")

    await load(store, stream("deployment", [{"id": DEPLOYMENT, "clusterId": NORTH, "name": "cart"}]))
    assert ["P1"] == await found(store, 'Deployment:"cart"')


@pytest.mark.parametrize(("keep", "expected"), [(Keep(), ["P1"]), (Keep(empty_lists=True), [])])
async def test_an_empty_list_is_null_unless_it_is_kept(store: Store, keep: Keep, expected: list[str]) -> None:
    """pod-service 3.7 tells them apart."""
    told = {"id": DEPLOYMENT, "clusterId": NORTH, "imagePullSecrets": []}
    await load(store, stream("pod", [pod()]), stream("deployment", [told]), keep=keep)

    assert expected == await found(store, "Image Pull Secret:-")


@pytest.mark.parametrize(("keep", "expected"), [(Keep(), []), (Keep(env_values=True), ["P1"])])
async def test_environment_values_are_found_when_they_are_kept(store: Store, keep: Keep, expected: list[str]) -> None:
    told = {"id": DEPLOYMENT, "clusterId": NORTH, "containers": [{"config": {"env": [{"key": "K", "value": "v"}]}}]}
    await load(store, stream("pod", [pod()]), stream("deployment", [told]), keep=keep)

    assert expected == await found(store, "Environment Value:v")
    assert ["P1"] == await found(store, "Environment Key:K")


async def test_a_registered_cluster_keeps_its_name_and_takes_what_is_told(store: Store) -> None:
    await store.put_cluster(Cluster(parse_uuid(NORTH), "mine", {"old": "1"}))
    await load(store, listing("clusters", [{"id": NORTH, "name": "theirs", "labels": {"new": "2"}, "type": 1}]))
    (status,) = await store.clusters()

    told = Cluster(parse_uuid(NORTH), "mine", {"new": "2"}, type=1, provider_type=0, kubernetes_version="")
    assert told == status.cluster
