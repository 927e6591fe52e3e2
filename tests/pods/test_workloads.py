"""The row of a workload, as its newest pod tells it."""

from __future__ import annotations

import pytest

from podledger.pods.identity import parse_uuid, static_deployment_id
from podledger.pods.owners import Owners
from podledger.pods.workloads import Workload, derive
from tests.fakes.kubernetes_objects import CLUSTER, UID, mapped, owned_by, reference

DEPLOYMENT = "d0000000-0000-4000-8000-000000000001"
REPLICA_SET = "d0000000-0000-4000-8000-000000000002"
NAMESPACE = bytes(15) + b"\x07"


def row(owners: Owners | None = None, *, namespace_id: bytes | None = NAMESPACE, **parts) -> Workload | None:
    return derive(mapped(owners, **parts).record, cluster_name="north", namespace_id=namespace_id)


def workload(deployment_id: str, name: str, kind: str, *, namespace: str = "shop") -> Workload:
    return Workload(
        deployment_id=parse_uuid(deployment_id),
        name=name,
        type=kind,
        namespace=namespace,
        namespace_id=NAMESPACE,
        cluster_name="north",
    )


def test_a_workload_has_name_and_kind_of_the_top_owner():
    """Not those of the owner that the pod names (ingest 5.6)."""
    owners = Owners()
    owners.add(REPLICA_SET, "ReplicaSet", "web-7d4f9", [reference(DEPLOYMENT, "Deployment", "web")])
    found = row(owners, ownerReferences=owned_by(reference(REPLICA_SET, "ReplicaSet", "web-7d4f9")))

    assert workload(DEPLOYMENT, "web", "Deployment") == found


def test_a_bare_pod_is_a_workload_of_its_own():
    """Its own name, type `Pod`."""
    assert workload(UID, "web-1", "Pod") == row()


def test_a_pod_without_any_top_owner_is_one_as_well():
    """Records of other sources than the mapping tell of no owner."""
    record = mapped().record
    record.ClearField("top_owner")

    assert workload(UID, "web-1", "Pod") == derive(record, cluster_name="north", namespace_id=NAMESPACE)


def test_static_pods_make_one_workload_per_component():
    """Named after the label (ingest 5.3)."""
    found = row(namespace="kube-system", labels={"component": "etcd"})
    expected = workload(
        static_deployment_id(CLUSTER, "etcd"), "static-etcd-pods", "StaticPods", namespace="kube-system"
    )

    assert expected == found


def test_a_guessed_owner_names_the_workload():
    """Its id is that of the top that is known (ingest 5.5)."""
    owner = reference(REPLICA_SET, "ReplicaSet", "web-7d4f9")
    found = row(ownerReferences=owned_by(owner), labels={"pod-template-hash": "7d4f9"})

    assert workload(REPLICA_SET, "web", "Deployment") == found


def test_the_namespace_may_be_unknown():
    """Then its id is not told."""
    found = row(namespace_id=None)

    assert found is not None
    assert found.namespace_id is None


@pytest.mark.parametrize("deployment_id", ["", "web", "d0000000-0000-4000-8000"])
def test_a_deployment_id_that_is_no_uuid_makes_no_workload(deployment_id):
    """The column that it would be found by holds UUIDs only."""
    record = mapped().record
    record.pod.deployment_id = deployment_id

    assert derive(record, cluster_name="north", namespace_id=NAMESPACE) is None
