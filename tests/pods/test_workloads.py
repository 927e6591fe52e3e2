"""The row of a workload, as its newest pod tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from podledger.pods.identity import parse_uuid, static_deployment_id
from podledger.pods.owners import Owners
from podledger.pods.workloads import OwnerTold, Workload, WorkloadContainer, derive
from tests.fakes.kubernetes_objects import CLUSTER, UID, mapped, owned_by, reference, running

DEPLOYMENT = "d0000000-0000-4000-8000-000000000001"
REPLICA_SET = "d0000000-0000-4000-8000-000000000002"
NAMESPACE = bytes(15) + b"\x07"


@dataclass(frozen=True)
class Object:
    """What the object of a top owner tells."""

    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    created: int | None = None


def row(
    owners: Owners | None = None,
    *,
    namespace_id: bytes | None = NAMESPACE,
    told: OwnerTold | None = None,
    **parts: Any,
) -> Workload | None:
    record = mapped(owners, **parts).record
    return derive(record, cluster_name="north", namespace_id=namespace_id, metadata=told)


def workload(deployment_id: str, name: str, kind: str, *, namespace: str = "shop", **told: Any) -> Workload:
    return Workload(
        deployment_id=parse_uuid(deployment_id),
        name=name,
        type=kind,
        namespace=namespace,
        namespace_id=NAMESPACE,
        cluster_name="north",
        **{"pod_labels": {}, "service_account": "", **told},
    )


def owned(**parts: Any) -> Any:
    """The row of a pod that a DaemonSet owns."""
    return row(ownerReferences=owned_by(reference(DEPLOYMENT, "DaemonSet", "agent")), **parts)


def containers(spec: dict[str, Any], status: dict[str, Any] | None = None) -> Any:
    found = owned(spec=spec, status=status)
    assert found is not None
    return found.containers


def test_a_workload_has_name_and_kind_of_the_top_owner():
    """Not those of the owner that the pod names (ingest 5.6)."""
    owners = Owners()
    owners.add(REPLICA_SET, "ReplicaSet", "web-7d4f9", [reference(DEPLOYMENT, "Deployment", "web")])
    found = row(owners, ownerReferences=owned_by(reference(REPLICA_SET, "ReplicaSet", "web-7d4f9")))

    assert workload(DEPLOYMENT, "web", "Deployment") == found


def test_a_bare_pod_is_a_workload_of_its_own():
    """Its own name, type `Pod`."""
    assert workload(UID, "web-1", "Pod", labels={}) == row()


def test_a_pod_without_any_top_owner_is_one_as_well():
    """Records of other sources than the mapping tell of no owner."""
    record = mapped().record
    record.ClearField("top_owner")

    assert workload(UID, "web-1", "Pod", labels={}) == derive(record, cluster_name="north", namespace_id=NAMESPACE)


def test_static_pods_make_one_workload_per_component():
    """Named after the label (ingest 5.3)."""
    found = row(namespace="kube-system", labels={"component": "etcd"})
    labels = {"component": "etcd"}
    expected = workload(
        static_deployment_id(CLUSTER, "etcd"),
        "static-etcd-pods",
        "StaticPods",
        namespace="kube-system",
        labels=labels,
        pod_labels=labels,
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


# ------------------------------------------------------------------------------- labels, times, accounts


def test_labels_that_controllers_add_are_none_of_the_pod_template():
    """What is left is what somebody wrote (ingest 5.6)."""
    added = (
        "pod-template-hash pod-template-generation controller-revision-hash controller-uid job-name"
        " batch.kubernetes.io/controller-uid batch.kubernetes.io/job-name batch.kubernetes.io/job-completion-index"
        " statefulset.kubernetes.io/pod-name apps.kubernetes.io/pod-index"
    )
    found = owned(labels={**dict.fromkeys(added.split(), "x"), "app": "web", "note": "", "null": None})

    assert found.pod_labels == {"app": "web", "note": "", "null": ""}


def test_the_object_of_the_top_owner_tells_labels_annotations_and_creation():
    """They are its own, not those of the pod."""
    told = Object({"team": "shop"}, {"owner": "Team A"}, 17)
    found = owned(told=told, labels={"app": "web"}, creationTimestamp="2024-03-01T08:00:00Z")

    assert (found.labels, found.annotations, found.created) == ({"team": "shop"}, {"owner": "Team A"}, 17)


def test_without_the_object_of_the_top_owner_these_are_not_told():
    """Not told is NULL, not empty (pod-service 5.9)."""
    found = owned(labels={"app": "web"}, creationTimestamp="2024-03-01T08:00:00Z")

    assert (found.labels, found.annotations, found.created) == (None, None, None)


@pytest.mark.parametrize("place", [{}, {"namespace": "kube-system", "labels": {"k8s-app": "proxy"}}])
def test_a_bare_or_static_pod_tells_them_of_itself(place):
    """All labels, and the moment of its creation; annotations of pods are not kept."""
    labels = {"controller-revision-hash": "1", **place.get("labels", {})}
    found = row(**{**place, "labels": labels}, creationTimestamp="1970-01-01T00:00:01.000002Z")

    assert found is not None
    assert (found.labels, found.annotations, found.created) == (labels, None, 1_000_002)


def test_an_unknown_time_of_creation_is_not_told():
    """The record shows year 1 then (ingest 4.1)."""
    found = row()

    assert found is not None
    assert found.created is None


def test_the_service_account_is_that_of_the_pod():
    assert owned(spec={"serviceAccountName": "agent"}).service_account == "agent"


# ------------------------------------------------------------------------------------------- containers


def test_regular_containers_come_before_init_containers():
    """A native sidecar is an init container; an ephemeral container is no part of the template."""
    found = containers(
        {
            "initContainers": [{"name": "a", "image": "a"}, {"name": "b", "image": "b", "restartPolicy": "Always"}],
            "containers": [{"name": "c", "image": "c"}],
            "ephemeralContainers": [{"name": "d", "image": "d"}],
        }
    )

    assert [(each.type, each.image_remote) for each in found] == [(0, "library/c"), (1, "library/a"), (1, "library/b")]


def test_an_image_name_is_told_in_its_parts_and_nothing_else_is():
    """Kubernetes tells neither the context nor the resources here: they stay untold."""
    digest = "sha256:" + "a" * 64
    found = containers({"containers": [{"name": "c", "image": f"quay.io/acme/web:1.25@{digest}"}]})

    assert found == (
        WorkloadContainer(
            type=0,
            image_full_name=f"quay.io/acme/web:1.25@{digest}",
            image_registry="quay.io",
            image_remote="acme/web",
            image_tag="1.25",
            image_id=digest,
        ),
    )


@pytest.mark.parametrize(
    ("image_id", "expected"),
    [
        ("docker.io/library/web@sha256:11", "sha256:11"),
        ("docker-pullable://web@sha512:22", "sha512:22"),
        ("sha256:33", ""),
        ("docker://sha256:44", ""),
        ("", ""),
    ],
)
def test_without_a_digest_in_the_name_the_pulled_one_counts(image_id, expected):
    """Unless it is the id of a config, which no registry knows."""
    found = containers(
        {"containers": [{"name": "c", "image": "web"}]}, {"containerStatuses": [running("c", imageID=image_id)]}
    )

    assert [each.image_id for each in found] == [expected]


def test_the_digest_in_the_name_counts_first():
    asked, pulled = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    found = containers(
        {"containers": [{"name": "c", "image": f"web@{asked}"}]},
        {"containerStatuses": [running("c", imageID=f"web@{pulled}")]},
    )

    assert [each.image_id for each in found] == [asked]


def test_a_status_without_a_container_in_the_spec_makes_no_row():
    """Rows are the containers of the spec."""
    assert containers({"containers": []}, {"containerStatuses": [running("c", image="web")]}) == ()
