"""Workload rows that are told: as a whole by another system, by the objects of owners, with all their children."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from podledger.pods.identity import NO_CLUSTER, uuid_text
from podledger.pods.workloads import Env, Exposure, Port, Secret, Volume, Workload, WorkloadContainer
from podledger.store.contract import Cluster, NamespaceUpdate, OwnerMetadata, Store, Upsert
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, PodRecord
from tests.fakes import holdings
from tests.fakes.store_engines import Engine
from tests.fakes.store_pods import (
    NORTH,
    SOUTH,
    Hand,
    content_hash,
    deployment_id,
    found,
    record,
    scanned,
    upsert,
)

SHOP = "f1000000-0000-4000-8000-000000000000"

WHOLE = Workload(
    deployment_id=deployment_id(1),
    name="web",
    type="Deployment",
    namespace="shop",
    namespace_id=bytes.fromhex(SHOP.replace("-", "")),
    cluster_name="copied",
    labels={"app": "Web", "note": ""},
    pod_labels={"tier": "front"},
    annotations={},
    created=1_717_200_000_000_000,
    hash=2**64 - 1,
    service_account="robot",
    service_account_permission_level=3,
    image_pull_secrets=("reg-a", "reg-b"),
    risk_score=2.5,
    orchestrator_component=False,
    platform_component=True,
    containers=(
        WorkloadContainer(
            type=0,
            image_full_name="acme.io/web:v1",
            image_registry="acme.io",
            image_remote="web",
            image_tag="v1",
            image_id="sha256:aa",
            image_id_v2=None,
            privileged=True,
            read_only_root=False,
            add_capabilities=("NET_ADMIN",),
            drop_capabilities=(),
            cpu_request=0.1,
            cpu_limit=0.5,
            memory_request=64.0,
            memory_limit=128.0,
            envs=(Env("DEBUG", "1", 1), Env("TOKEN", None, 2)),
            volumes=(Volume("data", "/srv", "/var/data", "HostPath", read_only=False),),
            secrets=(Secret("pull", "/run/secrets"),),
        ),
        WorkloadContainer(type=1, image_full_name="acme.io/init:v2", image_tag="v2"),
    ),
    ports=(Port(1, infos=(Exposure(1, "web-lb", 443, 30443, ("10.0.0.1",), ("web.acme.io",)),)), Port(3)),
)


def whole(number: int = 1, **cells: Any) -> Workload:
    return replace(WHOLE, deployment_id=deployment_id(number), **cells)


def silent(made: PodRecord) -> Upsert:
    """A pod of another system."""
    return replace(upsert(made), tells_workload=False)


def told_by(owner: int, **told: Any) -> OwnerMetadata:
    return OwnerMetadata(uuid_text(deployment_id(owner)), **told)


# ------------------------------------------------------------------------------------------------ labels

HOLDING = [
    'Cluster:"copied"', 'Deployment:"web"', 'Deployment Type:"Deployment"', "Deployment Label:app=web",
    "Deployment Label:note=", "Pod Label:tier=", "Deployment Annotation:!x=", "Created:06/01/2024",
    "Deployment Hash:>1.8e19", f"Namespace ID:{SHOP}", "Service Account:rob",
    "Service Account Permission Level:elevated_in", 'Image Pull Secret:"reg-b"', "Deployment Risk Score:2.5",
    "Orchestrator Component:false", "Platform Component:true",
    'Image:"acme.io/web:v1"', "Image Registry:acme", 'Image Remote:"web"', "Image Tag:v2", 'Image Sha:"sha256:aa"',
    "Image ID:-", "Privileged:true", "Read Only Root Filesystem:false", "Add Capabilities:net_",
    "Drop Capabilities:*", "CPU Cores Request:0.1", "CPU Cores Limit:>0.4", "Memory Request (MB):64",
    "Memory Limit (MB):<129", "Container Type:init",
    "Environment Key:TOKEN+Environment Value:-", "Environment Value:1", "Environment Variable Source:raw",
    "Volume Name:data", "Volume Source:/srv", "Volume Destination:/var", "Volume Type:host", "Volume ReadOnly:false",
    "Secret:pull", "Secret Path:/run",
    "Max Exposure Level:external", "Exposure Level:external", "Exposing Service:web-lb",
    "Exposing Service Port:443", "Exposed Node Port:30000-31000", 'External IP:"10.0.0.1"',
    "External Hostname:web.acme",
    "Namespace Label:team=a", "Namespace Annotation:note=b",
    "Cluster Label:region=eu", "Cluster Type:eks", "Cluster Platform Type:openshift4", "Cluster Kubernetes Version:v1.3",
]  # fmt: skip
LACKING = [
    "Deployment Hash:<1.8e19", "Deployment Annotation:=", "Image ID:*", "Drop Capabilities:a",
    "Image Tag:v2+Privileged:true", "Environment Key:TOKEN+Environment Value:*", "Max Exposure Level:node",
    "Max Exposure Level:internal+Exposing Service:web", "Image Tag:v2+Volume Name:data", "Cluster:north",
    "CVE:*", "Node:a", "Port:1", "Cluster Status:healthy",
]  # fmt: skip


@pytest.fixture
async def told(store: Store) -> Store:
    """One pod of a workload that is told with everything that a row can hold."""
    hand = await Hand.take(store)
    await store.put_cluster(Cluster(NORTH, "north", {"region": "eu-1"}, False, "v1.31", 5, 3))
    await hand.apply(
        namespaces=(NamespaceUpdate(SHOP, "shop", {"team": "a"}, {"note": "b"}),),
        upserts=(silent(record(1, deployment=1)),),
        workloads=(WHOLE,),
    )
    return store


@pytest.mark.parametrize("text", HOLDING)
async def test_a_told_workload_is_found_by(told: Store, text: str) -> None:
    """Each label of pod-service 5.4 and 5.5 whose data is held."""
    assert [1] == await found(told, text)


@pytest.mark.parametrize("text", LACKING)
async def test_a_told_workload_is_not_found_by(told: Store, text: str) -> None:
    """What it is not; and tables that nobody fills."""
    assert [] == await found(told, text)


@pytest.mark.parametrize("text", ["CVE:-", "Node:-", "Port:-", "Process Name:-", "Cluster Status:-"])
async def test_a_table_that_nobody_fills_is_empty_but_known(told: Store, text: str) -> None:
    """A dash finds everything; a sort key drops everything (pod-service 5.9)."""
    assert [1] == await found(told, text)
    assert [] == await found(told, "", text.partition(":")[0])


# ---------------------------------------------------------------------------------------- told and derived


async def test_a_told_workload_needs_no_pods(store: Store) -> None:
    """It comes before them, and stays when they go."""
    hand = await Hand.take(store)
    await hand.apply(workloads=(WHOLE,))
    await hand.apply(upserts=(silent(record(1, deployment=1)),))
    await hand.remove(1)
    await hand.apply(upserts=(silent(record(2, deployment=1)),))

    assert [2] == await found(store, "Deployment:web+Image Tag:v1")


async def test_the_last_word_of_another_system_holds(store: Store) -> None:
    """Within a batch too, and with all children of the one before gone."""
    hand = await Hand.take(store)
    await hand.apply(upserts=(silent(record(1, deployment=1)),), workloads=(WHOLE, whole(name="second")))
    await hand.apply(workloads=(whole(name="third", containers=WHOLE.containers[1:], ports=()),))

    assert [1] == await found(store, "Deployment:third+Image Tag:v2")
    assert [] == await found(store, "Image Tag:v1")
    assert [] == await found(store, "Environment Key:*")
    assert [1] == await found(store, "Max Exposure Level:-")


async def test_telling_the_same_again_changes_nothing(store: Store) -> None:
    """The revision says so; the order of a map does not count."""
    hand = await Hand.take(store)
    await hand.apply(workloads=(WHOLE,))
    again = whole(labels=dict(reversed(list((WHOLE.labels or {}).items()))))

    assert 1 == (await hand.apply(workloads=(again,))).revision
    assert 2 == (await hand.apply(workloads=(whole(image_pull_secrets=()),))).revision


async def test_pods_of_another_system_derive_no_workload(store: Store) -> None:
    """Nor do they keep one that was derived."""
    hand = await Hand.take(store)
    await hand.apply(upserts=(silent(record(1, deployment=1, owner=("Deployment", "w"))),))
    assert [1] == await found(store, "Deployment:-")

    await hand.put(record(2, deployment=1, owner=("Deployment", "w2"), created=1))
    assert [1, 2] == await found(store, "Deployment:w2")

    await hand.apply(upserts=(silent(record(2, deployment=1, owner=("Deployment", "w2"), created=1)),))
    assert [1, 2] == await found(store, "Deployment:-")


async def test_a_derived_row_replaces_a_told_one_whole(store: Store) -> None:
    """It has nothing of what was told."""
    hand = await Hand.take(store)
    await hand.apply(upserts=(silent(record(1, deployment=1)),), workloads=(WHOLE,))

    await hand.put(record(2, deployment=1, owner=("Deployment", "derived")))

    assert [1, 2] == await found(store, "Deployment:derived+Cluster:north+Deployment Hash:-")
    assert [] == await found(store, "Image Tag:*")


async def test_a_told_row_replaces_a_derived_one(store: Store) -> None:
    """Until one of its pods changes; that one leaves does not count."""
    hand = await Hand.take(store)
    await hand.put(*(record(n, deployment=1, owner=("Deployment", f"w{n}"), created=n) for n in (1, 2, 3)))
    await hand.apply(workloads=(WHOLE,))
    assert [1, 2, 3] == await found(store, "Deployment:web")

    await hand.remove(3)
    assert [1, 2] == await found(store, "Deployment:web")

    await hand.put(record(1, deployment=1, owner=("Deployment", "w1"), created=1, phase="Failed"))
    assert [1, 2] == await found(store, "Deployment:w2")


async def test_the_newest_is_one_that_may_tell(store: Store) -> None:
    """A newer pod of another system does not count."""
    hand = await Hand.take(store)
    await hand.put(*(record(n, deployment=1, owner=("Deployment", f"w{n}"), created=n) for n in (1, 3)))
    await hand.apply(upserts=(silent(record(2, deployment=1, owner=("Deployment", "w2"), created=2)),))

    await hand.remove(3)

    assert [1, 2] == await found(store, "Deployment:w1")


async def test_the_same_pod_may_come_from_both(store: Store) -> None:
    """Equal content from the other system is a change, of who tells."""
    hand = await Hand.take(store)
    made = record(1, deployment=1, owner=("Deployment", "w"))
    assert 1 == (await hand.apply(upserts=(Upsert(made, content_hash(made)),))).upserted
    assert 1 == (await hand.apply(upserts=(silent(made),))).upserted
    assert 1 == (await hand.apply(upserts=(silent(made),))).unchanged

    assert [1] == await found(store, "Deployment:-")


async def test_a_told_row_keeps_the_namespace_that_it_tells(store: Store) -> None:
    """Derived rows follow the namespace of their name."""
    hand = await Hand.take(store)
    await hand.apply(upserts=(silent(record(1, deployment=1)),), workloads=(WHOLE,))
    await hand.put(record(2, deployment=2))
    other = "f2000000-0000-4000-8000-000000000000"

    await hand.apply(namespaces=(NamespaceUpdate(other, "shop"),))

    assert [1] == await found(store, f"Namespace ID:{SHOP}")
    assert [2] == await found(store, f"Namespace ID:{other}")


# ------------------------------------------------------------------------------------------ owner objects


@pytest.mark.parametrize("order", ["before", "after", "with"])
async def test_the_object_of_an_owner_tells_its_workload(store: Store, order: str) -> None:
    """It comes before the pods, after them, or in one batch."""
    hand = await Hand.take(store)
    pods = (upsert(record(1, deployment=1, owner=("Deployment", "web"))),)
    objects = (told_by(1, labels={"app": "cart"}, annotations={"by": "me"}, created=1_717_200_000_000_000),)
    batches: dict[str, list[dict[str, Any]]] = {
        "before": [{"metadata": objects}, {"upserts": pods}],
        "after": [{"upserts": pods}, {"metadata": objects}],
        "with": [{"upserts": pods, "metadata": objects}],
    }
    for batch in batches[order]:
        await hand.apply(**batch)

    assert [1] == await found(store, "Deployment Label:app=cart+Deployment Annotation:by=me+Created:06/01/2024")


async def test_an_owner_object_changes_and_goes(store: Store) -> None:
    """The row stays with what the pods tell."""
    hand = await Hand.take(store)
    await hand.put(*(record(n, deployment=1, owner=("Deployment", f"w{n}"), created=n) for n in (1, 2)))
    for labels in ({"app": "a"}, {"app": "b"}):
        await hand.apply(metadata=(told_by(1, labels=labels),))
    assert [1, 2] == await found(store, "Deployment Label:app=b+Deployment:w2")

    assert 4 == (await hand.apply(metadata=(told_by(1, gone=True),))).revision

    assert [1, 2] == await found(store, "Deployment:w2")
    assert [] == await found(store, "Deployment Label:=")
    assert 4 == (await hand.apply(metadata=(told_by(1, gone=True), told_by(2, gone=True)))).revision


async def test_an_owner_object_outlives_the_pods(store: Store) -> None:
    """New pods of it find it."""
    hand = await Hand.take(store)
    await hand.apply(metadata=(told_by(1, labels={"app": "a"}),))
    for number in (1, 2):
        await hand.put(record(number, deployment=1, owner=("Deployment", "web")))
        await hand.remove(number)
    await hand.put(record(3, deployment=1, owner=("Deployment", "web")))

    assert [3] == await found(store, "Deployment Label:app=a")


async def test_an_owner_object_says_nothing_of_a_told_row(store: Store) -> None:
    """Which is told as a whole."""
    hand = await Hand.take(store)
    await hand.put(record(1, deployment=1, owner=("Deployment", "web")))
    await hand.apply(workloads=(WHOLE,))

    await hand.apply(metadata=(told_by(1, labels={"app": "cart"}),))

    assert [1] == await found(store, "Deployment Label:app=web")


async def test_an_owner_without_a_uuid_is_no_error(store: Store) -> None:
    """No workload has its id."""
    assert 0 == (await (await Hand.take(store)).apply(metadata=(OwnerMetadata("no uuid"),))).revision


async def test_a_derived_row_has_the_containers_of_its_pods(store: Store) -> None:
    """And their service account; what Kubernetes does not tell is NULL."""
    hand = await Hand.take(store)
    made = record(
        1,
        deployment=1,
        owner=("Deployment", "web"),
        containers=[Container(name="app", kind="regular", spec_image="acme.io/web:v1")],
    )
    made.service_account = "robot"
    await hand.put(made)

    assert [1] == await found(store, 'Image:"acme.io/web:v1"+Service Account:robot+Privileged:-+Container Type:reg')


# ------------------------------------------------------------------------------------- clusters, removal


async def test_no_cluster_needs_no_registration(store: Store) -> None:
    """Its workloads join the pods of every cluster, and its pods the workloads of every cluster."""
    loose = await Hand.take(store, NO_CLUSTER)
    await loose.apply(upserts=(silent(record(1, cluster=NO_CLUSTER, deployment=2)),), workloads=(whole(1),))
    for cluster in (NORTH, SOUTH):
        hand = await Hand.take(store, cluster)
        await hand.apply(upserts=(silent(record(2, cluster=cluster, deployment=1)),))
    await hand.apply(workloads=(whole(2, name="of south"),))

    assert [NORTH, SOUTH] == [key.cluster for key in await scanned(store, "Deployment:web+Cluster:copied")]
    assert [NO_CLUSTER] == [key.cluster for key in await scanned(store, "Deployment:of south+Image Tag:v1")]
    assert [] == await scanned(store, "Cluster Label:-+Cluster:x")


async def test_a_namespace_of_no_cluster_has_no_cluster(store: Store) -> None:
    """There is no row to join."""
    loose = await Hand.take(store, NO_CLUSTER)
    await loose.apply(
        namespaces=(NamespaceUpdate(SHOP, "shop", {"team": "a"}),),
        upserts=(silent(record(1, cluster=NO_CLUSTER, deployment=1)),),
        workloads=(WHOLE,),
    )

    assert [1] == await found(store, "Namespace Label:team=a+Cluster Kubernetes Version:-")
    assert [] == await found(store, "Cluster Label:*")


async def test_registering_tells_platform_provider_and_version(store: Store) -> None:
    """They come back, change, and are NULL when not told."""
    cluster = Cluster(NORTH, "north", {}, False, "v1.30", 2, 4)
    await store.put_cluster(cluster)
    assert [cluster] == [one.cluster for one in await store.clusters()]

    await store.put_cluster(Cluster(NORTH, "north"))
    assert [Cluster(NORTH, "north")] == [one.cluster for one in await store.clusters()]


async def test_only_another_name_reaches_the_rows(store: Store) -> None:
    """A copy that was told otherwise stays until the cluster is renamed."""
    hand = await Hand.take(store)
    await hand.apply(upserts=(silent(record(1, deployment=1)),), workloads=(WHOLE,))

    await store.put_cluster(Cluster(NORTH, "north", {"a": "b"}))
    assert [1] == await found(store, "Cluster:copied")
    assert 1 == len(await scanned(store, "Cluster:copied"))

    await store.put_cluster(Cluster(NORTH, "new name"))
    assert [1] == await found(store, "Cluster:new name")
    assert [] == await scanned(store, "Cluster:copied")


async def test_a_removed_cluster_leaves_no_row(store: Store, engine: Engine) -> None:
    """Of any table, fences aside."""
    for cluster in (NORTH, NO_CLUSTER):
        hand = await Hand.take(store, cluster)
        await hand.apply(
            namespaces=(NamespaceUpdate(SHOP, "shop"),),
            metadata=(told_by(1), told_by(3)),
            upserts=(silent(record(1, cluster=cluster, deployment=1)),),
            workloads=(WHOLE,),
        )
        await store.remove_cluster(cluster)

    assert [] == await scanned(store)
    if engine.durable:
        tables = {
            name for (name,) in holdings.rows(engine.file, "SELECT name FROM sqlite_schema WHERE type = 'table'")
        } - {"fences", "migrations"}
        assert len(tables) > 15
        assert {} == {t: n for t in tables if (n := holdings.rows(engine.file, f"SELECT count(*) FROM {t}")[0][0])}
