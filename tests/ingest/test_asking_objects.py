"""Kubernetes objects in a store, asked as callers ask: what pods, workloads and namespaces tell is found."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from podledger.ingest.addressing import Address
from podledger.ingest.importing import Options, import_files
from podledger.query import paging, parsing
from podledger.query.scope import UNRESTRICTED
from podledger.store.contract import Store
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.holdings import opened

CLUSTER = "c1000000-0000-4000-8000-00000000000a"
DEPLOYMENT, REPLICA_SET, NAMESPACE, UID = (f"{letter}1000000-0000-4000-8000-000000000000" for letter in "dabf")


async def load(store: Store, *documents: Any) -> None:
    text = b"\n".join(json.dumps(each).encode() for each in documents)
    address = Address(cluster_id=CLUSTER, register="north")
    await import_files(store, ["-"], Options(address=address), stdin=io.BytesIO(text))


async def found(store: Store, query: str) -> list[str]:
    asked = parsing.parse(query, now=0)
    page = await store.reader(UNRESTRICTED).page(asked, paging.order(paging.window(Pagination())))
    return [Pod.FromString(message).name for message in page.messages]


def reference(kind: str, name: str, uid: str) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}


NAMESPACE_OBJECT = {"kind": "Namespace", "metadata": {"name": "shop", "uid": NAMESPACE, "labels": {"tier": "retail"}}}
DEPLOYMENT_OBJECT = {
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": DEPLOYMENT,
        "labels": {"team": "blue"},
        "annotations": {"contact": "Ann"},
        "creationTimestamp": "2024-05-10T08:00:00Z",
    },
}
REPLICA_SET_OBJECT = {
    "kind": "ReplicaSet",
    "metadata": {
        "name": "web-7d4f9",
        "namespace": "shop",
        "uid": REPLICA_SET,
        "labels": {"team": "wrong"},
        "ownerReferences": [reference("Deployment", "web", DEPLOYMENT)],
    },
}
POD_OBJECT = {
    "kind": "Pod",
    "metadata": {
        "name": "web-7d4f9-x",
        "namespace": "shop",
        "uid": UID,
        "labels": {"app": "web", "pod-template-hash": "7d4f9"},
        "ownerReferences": [reference("ReplicaSet", "web-7d4f9", REPLICA_SET)],
    },
    "spec": {
        "serviceAccountName": "robot",
        "containers": [{"name": "web", "image": "quay.io/acme/web:1.25"}],
        "initContainers": [{"name": "prepare", "image": "busybox"}],
    },
}
OBJECTS = [NAMESPACE_OBJECT, DEPLOYMENT_OBJECT, REPLICA_SET_OBJECT, POD_OBJECT]


@pytest.mark.parametrize("order", [OBJECTS, OBJECTS[::-1]])
@pytest.mark.parametrize(
    "query",
    [
        "Cluster:north",
        'Deployment:"web"',
        "Deployment Type:Deployment",
        "Deployment Label:team=blue",
        "Deployment Annotation:contact=ann",
        "Created:05/10/2024",
        'Pod Label:app="web"',
        "Pod Label:!pod-template-hash=",
        "Service Account:robot",
        "Namespace Label:tier=retail",
        "Image Registry:quay.io",
        "Image Tag:1.25+Container Type:regular",
        "Image Remote:library/busybox+Container Type:init",
        "Privileged:-",
        "Image Pull Secret:-",
    ],
)
async def test_what_the_objects_tell_is_found(store: Store, query: str, order: list[Any]) -> None:
    """What they do not tell is NULL."""
    await load(store, *order)

    assert await found(store, query) == ["web-7d4f9-x"]


@pytest.mark.parametrize("query", ["Deployment Label:team=wrong", "Deployment Label:app=web", "Privileged:false"])
async def test_what_they_do_not_tell_is_not_found(store: Store, query: str) -> None:
    await load(store, *OBJECTS)

    assert await found(store, query) == []


async def test_the_object_of_a_workload_may_come_with_a_later_import(store: Store) -> None:
    await load(store, NAMESPACE_OBJECT, REPLICA_SET_OBJECT, POD_OBJECT)
    assert await found(store, "Deployment Label:team=blue") == []

    await load(store, DEPLOYMENT_OBJECT)
    assert await found(store, "Deployment Label:team=blue") == ["web-7d4f9-x"]


async def test_a_deleted_workload_takes_what_it_told(store: Store) -> None:
    """The row stays with what the pod tells (ingest 5.6)."""
    await load(store, *OBJECTS)

    await load(store, {"type": "DELETED", "object": DEPLOYMENT_OBJECT})

    assert await found(store, "Deployment Label:team=blue") == []
    assert await found(store, "Deployment:web+Created:-") == ["web-7d4f9-x"]


async def test_the_same_objects_again_change_nothing(database: Path) -> None:
    """No revision moves: nobody has to look again."""
    revisions = []
    for _ in range(2):
        async with opened(f"sqlite:///{database}") as store:
            await load(store, *OBJECTS)
            revisions += [status.revision for status in await store.clusters()]

    assert revisions[0] == revisions[1]


async def test_upstream_answers_and_objects_of_one_cluster_follow_each_other(store: Store) -> None:
    """A told workload is replaced whole by a derived row, and the other way round (ingest 7.4)."""
    await load(store, *OBJECTS)
    told = {"result": {"deployment": {"id": DEPLOYMENT, "clusterId": CLUSTER, "name": "told", "riskScore": 2}}}
    await import_files(store, ["-"], Options(), stdin=io.BytesIO(json.dumps(told).encode()))
    assert await found(store, "Deployment:told+Deployment Risk Score:2") == ["web-7d4f9-x"]
    assert await found(store, "Service Account:robot") == []

    await load(store, {**POD_OBJECT, "status": {"phase": "Running"}})
    assert await found(store, "Deployment Risk Score:2") == []
    assert await found(store, "Service Account:robot") == ["web-7d4f9-x"]
