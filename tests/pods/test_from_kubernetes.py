"""Pods of the Kubernetes API as records: each field, each edge case, the content hash (ingest 4)."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from podledger.errors import BadInput
from podledger.pods.from_kubernetes import content_hash, map_pod
from podledger.pods.identity import static_deployment_id
from podledger.pods.merging import merge
from podledger.pods.objects import Pod, PodMetadata
from podledger.pods.owners import Owners
from podledger.pods.times import YEAR_ONE
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, DirectOwner, Label, PodRecord, TopOwner
from podledger_protos.storage.container_runtime_pb2 import ContainerRuntime
from podledger_protos.storage.deployment_pb2 import ContainerInstance
from tests.fakes.kubernetes_objects import CLUSTER, UID, ended, mapped, owned_by, pod, reference, running

UNKNOWN = ContainerRuntime.UNKNOWN_CONTAINER_RUNTIME
YEAR_1 = Timestamp(seconds=YEAR_ONE.seconds)
EIGHT = Timestamp(seconds=1_709_280_000)
"""2024-03-01T08:00:00Z, when `running` containers start."""
DIGEST = "sha256:68235934469f3bc58917bcf7018bf0d3b72129e6303b0bef28186d96b2259317"

WAITING = {"waiting": {"reason": "ContainerCreating"}}
ALWAYS = {"restartPolicy": "Always"}


def record(**parts: Any) -> PodRecord:
    return mapped(**parts).record


def live(*statuses: dict[str, Any], spec: dict[str, Any] | None = None, **status: Any) -> list[ContainerInstance]:
    """The live instances of a pod with these container statuses."""
    found = record(spec=spec, status={"containerStatuses": list(statuses), **status})
    return list(found.pod.live_instances)


def instance(**status: Any) -> ContainerInstance:
    """The live instance of one container with this status."""
    (only,) = live({"name": "web", **status})
    return only


def container(**status: Any) -> Container:
    """Side data of one regular container with this status."""
    (only,) = record(status={"containerStatuses": [{"name": "web", **status}]}).containers
    return only


def names(found: PodRecord) -> list[tuple[str, str]]:
    return [(each.name, each.kind) for each in found.containers]


# ---------------------------------------------------------------------------------- pod fields (4.1)


def test_the_id_is_derived_from_the_uid():
    """The uid itself is side data."""
    found = record(uid="00000000-0000-0000-0000-000000000001")

    assert "9860ac5e-add2-5986-a8a1-47b5cdda142e" == found.pod.id
    assert "00000000-0000-0000-0000-000000000001" == found.uid


def test_name_and_namespace_are_those_of_the_metadata():
    """As they stand."""
    found = record(name="a.b", namespace="Shop").pod

    assert ("a.b", "Shop") == (found.name, found.namespace)


def test_the_cluster_is_told_by_the_caller():
    """Never by the object."""
    assert "c-7" == mapped(cluster_id="c-7", clusterName="evil").record.pod.cluster_id


def test_a_pod_started_when_it_was_created():
    """The start time that the kubelet notes is side data."""
    found = record(creationTimestamp="2024-03-01T08:00:00Z", status={"startTime": "2024-03-01T09:00:00Z"})

    assert EIGHT == found.pod.started
    assert Timestamp(seconds=EIGHT.seconds + 3600) == found.start_time


@pytest.mark.parametrize("parts", [{}, {"creationTimestamp": None}])
def test_a_creation_time_that_is_missing_is_year_1(parts):
    """Set, so that it is not taken for no time at all."""
    found = record(**parts).pod

    assert found.HasField("started")
    assert YEAR_1 == found.started


def test_the_deployment_is_the_top_owner():
    """Found by the owner walk (ingest 5)."""
    owners = Owners()
    owners.add("r", "ReplicaSet", "web-1", [reference("d", "Deployment", "web")])

    assert "d" == mapped(owners, ownerReferences=owned_by(reference("r", "ReplicaSet"))).record.pod.deployment_id


def test_terminated_instances_are_left_to_the_merge():
    """Also those that have finished are live here."""
    found = record(status={"containerStatuses": [{"name": "web", "state": {"terminated": ended(id="x")}}]}).pod

    assert [] == list(found.terminated_instances)
    assert 1 == len(found.live_instances)


def test_live_instances_are_sorted_by_id():
    """Stably and bytewise, empty ids first."""
    ids = [("c1", "x://b"), ("c2", None), ("c3", "x://B"), ("c4", "x://a\uffee"), ("c5", ""), ("c6", "x://a\U0001f600")]
    found = live(*(running(name, containerID=run) for name, run in ids))

    assert ["c2", "c5", "c3", "c4", "c6", "c1"] == [each.container_name for each in found]


# ------------------------------------------------------------------------------------ instances (4.2)


@pytest.mark.parametrize(
    ("container_id", "runtime", "run"),
    [
        ("docker://ab", ContainerRuntime.DOCKER_CONTAINER_RUNTIME, "ab"),
        ("cri-o://ab", ContainerRuntime.CRIO_CONTAINER_RUNTIME, "ab"),
        ("containerd://ab", UNKNOWN, "ab"),
        ("ab", UNKNOWN, "ab"),
        ("", UNKNOWN, ""),
        (None, UNKNOWN, ""),
    ],
)
def test_an_instance_has_runtime_and_id_of_its_container_id(container_id, runtime, run):
    """Containerd has no number on the wire."""
    found = instance(containerID=container_id).instance_id

    assert (runtime, run) == (found.container_runtime, found.id)


@pytest.mark.parametrize(("spec", "node"), [({"nodeName": "n1"}, "n1"), ({}, ""), (None, "")])
def test_an_instance_names_its_node(spec, node):
    """Empty while the pod is not scheduled."""
    (found,) = live(running(), spec=spec)

    assert node == found.instance_id.node


def test_an_instance_names_its_pod():
    """With the real uid, which is not the pod's id."""
    assert f"web-1.shop@{UID}" == instance().containing_pod_id


def test_an_instance_has_the_name_of_its_status():
    """A status without a name gives an empty one."""
    assert "web" == instance().container_name
    assert "" == instance(name=None).container_name


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, ["10.0.0.1"]),
        ({"podIPs": [{"ip": "10.0.0.1"}]}, []),
        ({"podIP": ""}, []),
        ({}, []),
    ],
)
def test_an_instance_has_the_first_address_of_its_pod(status, expected):
    """The list of addresses is not looked at here."""
    (found,) = live(running(), **status)

    assert expected == list(found.container_ips)


def test_a_running_instance_has_started():
    """And nothing else."""
    found = instance(state={"running": {"startedAt": "2024-03-01T08:00:00.5Z"}})

    assert Timestamp(seconds=EIGHT.seconds, nanos=500_000_000) == found.started
    assert not found.HasField("finished")


def test_a_terminated_instance_tells_how_it_ended():
    """Times, exit code, reason; not the signal or the message."""
    state = ended(started="2024-03-01T08:00:00Z", finished="2024-03-01T10:00:01+02:00", code=-3, reason="Error")
    found = instance(state={"terminated": {**state, "signal": 9, "message": "text"}})

    assert EIGHT == found.started
    assert Timestamp(seconds=EIGHT.seconds + 1) == found.finished
    assert (-3, "Error") == (found.exit_code, found.termination_reason)


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [(f"docker-pullable://r.io/a@{DIGEST}", DIGEST), ("r.io/a@sha512:1", "sha512:1"), ("r.io/a:1", ""), (None, "")],
)
def test_an_instance_has_the_digest_of_its_image(image_id, digest):
    """As the runtime reports it."""
    assert digest == instance(imageID=image_id).image_digest


def test_of_several_states_terminated_wins_over_running_over_waiting():
    """Kubernetes promises one."""
    run, end, wait = {"startedAt": None}, ended(), {"reason": "x"}

    assert instance(state={"waiting": wait, "running": run, "terminated": end}).HasField("finished")
    assert instance(state={"waiting": wait, "running": run}).HasField("started")
    assert "terminated" == container(state={"waiting": wait, "running": run, "terminated": end}).state
    assert "running" == container(state={"waiting": wait, "running": run}).state


@pytest.mark.parametrize("state", [None, {}, {"running": None}])
def test_a_container_without_a_state_waits(state):
    """No time is set."""
    found = instance(state=state)

    assert not found.HasField("started")
    assert not found.HasField("finished")
    assert "waiting" == container(state=state).state


def test_an_empty_state_counts():
    """`{"terminated": {}}` is a run that finished, though nothing more is told."""
    assert YEAR_1 == instance(state={"terminated": {}}).finished


# ----------------------------------------------------------------------------------- edge cases (4.3)


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ImagePullBackOff"])
def test_waiting_containers_have_no_id_no_times_no_digest(reason):
    """There may be several with the empty id."""
    status = {"containerID": "", "imageID": "", "image": "web:1", "state": {"waiting": {"reason": reason}}}
    found = live({"name": "web", **status}, {"name": "side", **status})

    expected = [
        ContainerInstance(instance_id={}, containing_pod_id=f"web-1.shop@{UID}", container_name=name)
        for name in ("web", "side")
    ]
    assert expected == found


CRASH_LOOP = {
    "name": "web",
    "containerID": "containerd://dead",
    "imageID": f"r.io/a@{DIGEST}",
    "restartCount": 3,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {
        "terminated": ended(
            id="containerd://dead", started="2024-03-01T08:00:00Z", finished="2024-03-01T08:00:00Z", code=1, reason="Error"
        )
    },
}  # fmt: skip


def test_a_crash_loop_shows_the_dead_container_in_stackrox_mode():
    """With its id, without times."""
    found = record(status={"containerStatuses": [CRASH_LOOP]})
    (shown,) = merge(None, found, known=(), mode="stackrox").pod.live_instances

    assert ("dead", DIGEST) == (shown.instance_id.id, shown.image_digest)
    assert not shown.HasField("started")
    assert not shown.HasField("finished")


def test_a_crash_loop_is_waiting_and_finished_in_dedupe_mode():
    """The id belongs to the finished run (pod-service 11.2 rule 6)."""
    merged = merge(None, record(status={"containerStatuses": [CRASH_LOOP]}), known=(), mode="dedupe").pod
    (shown,), ((dead,),) = merged.live_instances, [bucket.instances for bucket in merged.terminated_instances]

    assert ("", DIGEST) == (shown.instance_id.id, shown.image_digest)
    assert ("dead", EIGHT, EIGHT, 1) == (dead.instance_id.id, dead.started, dead.finished, dead.exit_code)


@pytest.mark.parametrize("reason", ["ContainerStatusUnknown", "RunContainerError"])
def test_null_times_of_a_terminated_container_are_year_1(reason):
    """Set, so that it counts as finished."""
    found = instance(state={"terminated": ended(reason=reason, code=137)})

    assert found.HasField("finished")
    assert (YEAR_1, YEAR_1) == (found.started, found.finished)
    assert YEAR_1 == container(state={"terminated": ended()}).finished


def test_a_null_start_of_a_running_container_is_year_1():
    """Likewise."""
    found = instance(state={"running": {"startedAt": None}})

    assert found.HasField("started")
    assert YEAR_1 == found.started


@pytest.mark.parametrize(
    "status", [None, {}, {"containerStatuses": None}, {"phase": "Pending", "containerStatuses": []}]
)
def test_a_pod_without_statuses_has_no_live_instances(status):
    """It is kept; containers of the spec give no instance, and are in the side data."""
    found = record(spec={"containers": [{"name": "web", "image": "web:1"}]}, status=status)

    assert [] == list(found.pod.live_instances)
    assert [Container(name="web", kind="regular", spec_image="web:1")] == list(found.containers)


@pytest.mark.parametrize("phase", ["Failed", "Unknown", "CrashLoopBackOff", ""])
def test_any_phase_and_reason_are_kept(phase):
    """Evicted pods often have no statuses."""
    found = record(status={"phase": phase, "reason": "Evicted", "message": "The node was low on memory"})

    assert (phase, "Evicted", []) == (found.phase, found.status_reason, list(found.pod.live_instances))


def test_init_sidecar_and_ephemeral_containers_are_side_data_only():
    """Never in storage.Pod."""
    spec = {
        "containers": [{"name": "web"}],
        "initContainers": [{"name": "setup"}, {"name": "proxy", **ALWAYS}],
        "ephemeralContainers": [{"name": "debug"}],
    }
    status = {
        "containerStatuses": [running("web")],
        "initContainerStatuses": [running("setup"), running("proxy")],
        "ephemeralContainerStatuses": [running("debug")],
    }
    found = record(spec=spec, status=status)

    assert ["web"] == [each.container_name for each in found.pod.live_instances]
    assert [("setup", "init"), ("proxy", "sidecar"), ("web", "regular"), ("debug", "ephemeral")] == names(found)


def test_a_pod_being_deleted_stays_live():
    """The time is side data."""
    found = mapped(deletionTimestamp="2024-03-01T08:00:00Z", status={"containerStatuses": [running()]})

    assert EIGHT == found.record.deletion_timestamp
    assert 1 == len(found.record.pod.live_instances)
    assert "upsert" == found.fate


def test_a_container_without_a_status_is_only_side_data():
    """Fewer statuses than containers."""
    found = record(
        spec={"containers": [{"name": "side"}, {"name": "web"}]}, status={"containerStatuses": [running("web")]}
    )

    assert ["web"] == [each.container_name for each in found.pod.live_instances]
    assert [("web", "regular"), ("side", "regular")] == names(found)
    assert ["running", ""] == [each.state for each in found.containers]


def test_a_status_without_a_container_is_taken_as_it_is():
    """More statuses than containers."""
    found = record(spec={"containers": []}, status={"containerStatuses": [running("web")]})

    assert ["web"] == [each.container_name for each in found.pod.live_instances]
    assert [("web", "regular")] == names(found)


def test_two_statuses_of_one_name_are_taken_as_they_are():
    """Both name the first container of the spec."""
    spec = {"containers": [{"name": "web", "image": "web:1"}, {"name": "web", "image": "web:2"}]}
    found = record(
        spec=spec,
        status={"containerStatuses": [running(containerID="x://1"), running(containerID="x://2")]},
    )

    assert ["1", "2"] == [each.instance_id.id for each in found.pod.live_instances]
    assert [("1", "web:1"), ("2", "web:1")] == [(each.container_id, each.spec_image) for each in found.containers]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
@pytest.mark.parametrize(
    "owner", [(), (reference("x", "Node"),), (reference("x", "Rollout", api_version="argoproj.io/v1alpha1"),)]
)
def test_a_bare_pod_that_has_ended_leaves_in_stackrox_mode(phase, owner):
    """In dedupe mode it stays until Kubernetes deletes it."""
    parts = {"status": {"phase": phase}, "ownerReferences": owned_by(*owner)}

    assert "finish" == mapped(mode="stackrox", **parts).fate
    assert "upsert" == mapped(mode="dedupe", **parts).fate


@pytest.mark.parametrize("phase", ["Running", "Pending", "Unknown", None])
def test_a_bare_pod_that_has_not_ended_stays(phase):
    """Whatever its containers do."""
    assert "upsert" == mapped(mode="stackrox", status={"phase": phase}).fate


@pytest.mark.parametrize("mode", ["dedupe", "stackrox"])
@pytest.mark.parametrize("kind", ["Job", "ReplicaSet"])
def test_an_owned_pod_that_has_ended_stays_in_both_modes(mode, kind):
    """Until it is deleted."""
    parts = {"status": {"phase": "Succeeded"}, "ownerReferences": owned_by(reference("x", kind))}

    assert "upsert" == mapped(mode=mode, **parts).fate


def test_a_mirror_pod_is_top_level():
    """Its owner, the node, is not tracked; it is the direct owner all the same."""
    found = record(
        name="etcd-n1",
        namespace="kube-system",
        labels={"component": "etcd"},
        ownerReferences=owned_by(reference("n-1", "Node", "n1", api_version="v1", controller=True)),
    )

    assert static_deployment_id(CLUSTER, "etcd") == found.pod.deployment_id
    assert DirectOwner(api_version="v1", kind="Node", name="n1", uid="n-1") == found.direct_owner
    assert "" == found.tracked_owner_uid


def test_a_name_that_is_created_again_is_another_pod():
    """By its new uid."""
    old, new = record(name="db-0", uid="u-1").pod, record(name="db-0", uid="u-2").pod

    assert old.name == new.name
    assert old.id != new.id


@pytest.mark.parametrize(
    ("image_id", "digest", "kind"),
    [
        (f"r.io/a@{DIGEST}", DIGEST, "registry"),
        (f"docker-pullable://r.io/a@{DIGEST}", DIGEST, "registry"),
        (DIGEST, DIGEST, "config"),
        (f"docker://{DIGEST}", DIGEST, "config"),
        ("", "", ""),
    ],
)
def test_an_image_id_has_several_forms(image_id, digest, kind):
    """That of an image config is marked, since no registry knows it."""
    assert digest == instance(imageID=image_id).image_digest
    assert (image_id, kind) == (container(imageID=image_id).image_id, container(imageID=image_id).digest_kind)


@pytest.mark.parametrize(
    ("metadata", "missing"),
    [
        (None, "uid"),
        (PodMetadata(name="web", namespace="shop"), "uid"),
        (PodMetadata(uid="", name="web", namespace="shop"), "uid"),
        (PodMetadata(uid="u", namespace="shop"), "name"),
        (PodMetadata(uid="u", name="web", namespace=""), "namespace"),
    ],
)
def test_an_object_without_identity_is_rejected(metadata, missing):
    """Nothing is derived from it."""
    with pytest.raises(BadInput, match=f"pod without metadata.{missing}"):
        map_pod(Pod(metadata=metadata), cluster_id=CLUSTER, owners=Owners(), mode="dedupe")


LATE = "2024-03-01 08:00"


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"creationTimestamp": LATE}, "metadata.creationTimestamp"),
        ({"deletionTimestamp": LATE}, "metadata.deletionTimestamp"),
        ({"status": {"startTime": LATE}}, "status.startTime"),
        ({"status": {"containerStatuses": [{"state": {"running": {"startedAt": LATE}}}]}}, "startedAt"),
        ({"status": {"containerStatuses": [{"state": {"terminated": {"finishedAt": LATE}}}]}}, "finishedAt"),
        ({"status": {"containerStatuses": [{"lastState": {"terminated": {"startedAt": LATE}}}]}}, "startedAt"),
        ({"status": {"initContainerStatuses": [{"state": {"running": {"startedAt": LATE}}}]}}, "startedAt"),
    ],
)
def test_a_time_that_cannot_be_read_makes_the_pod_malformed(parts, field):
    """The text names the pod, the field and the value (ingest 2.3)."""
    with pytest.raises(BadInput) as caught:
        mapped(**parts)

    assert f'pod shop/web-1: {field} is not an RFC 3339 time: "{LATE}"' == str(caught.value)


def test_a_count_that_no_field_holds_makes_the_pod_malformed():
    """Restart counts are not negative."""
    lowest = [{"restartCount": -(2**31)}, {"restartCount": -1}]

    with pytest.raises(BadInput, match="pod shop/web-1: "):
        mapped(status={"containerStatuses": lowest})


def test_of_several_top_owners_the_pod_is_dropped_in_stackrox_mode():
    """In dedupe mode one is chosen (ingest 5.2)."""
    parts = {"ownerReferences": owned_by(reference("a", "StatefulSet"), reference("b", "DaemonSet"))}

    assert "drop" == mapped(mode="stackrox", **parts).fate
    assert "upsert" == mapped(mode="dedupe", **parts).fate
    assert mapped(mode="dedupe", **parts).resolution.ambiguous


# ------------------------------------------------------------------------------------ side data (4.5)


def test_uid_phase_and_reason_are_kept():
    """As given."""
    found = record(uid="9A1D", status={"phase": "Failed", "reason": "Evicted"})

    assert ("9A1D", "Failed", "Evicted") == (found.uid, found.phase, found.status_reason)


def test_restarts_are_those_of_regular_containers_and_sidecars():
    """Classic init and ephemeral containers do not count; a container without a count counts as 0."""
    found = record(
        spec={"initContainers": [{"name": "setup"}, {"name": "proxy", **ALWAYS}, {"name": "later", **ALWAYS}]},
        status={
            "containerStatuses": [running("web", restartCount=2), running("side", restartCount=3), running("new")],
            "initContainerStatuses": [running("setup", restartCount=100), running("proxy", restartCount=40)],
            "ephemeralContainerStatuses": [running("debug", restartCount=1000)],
        },
    )

    assert 45 == found.restart_count


def test_restarts_stay_within_their_field():
    """The sum of two counts may exceed it."""
    highest = running(restartCount=2**31 - 1)

    assert 2**31 - 1 == record(status={"containerStatuses": [highest, highest]}).restart_count


def waits(name: str, reason: str | None) -> dict[str, Any]:
    return {"name": name, "state": {"waiting": {"reason": reason}}}


@pytest.mark.parametrize(
    ("init", "regular", "expected"),
    [
        ([], [waits("web", "A")], "A"),
        ([waits("second", "B"), waits("first", "C")], [waits("web", "A")], "C"),
        ([waits("second", "B"), waits("first", None)], [waits("web", "A")], "B"),
        ([running("first")], [waits("web", None), waits("side", ""), waits("z", "D"), waits("a", "E")], "D"),
        ([], [running("web"), {"name": "side"}], ""),
        ([], [{"name": "web", "state": {"terminated": ended(reason="Error")}}], ""),
    ],
)
def test_the_waiting_reason_is_the_first_that_is_told(init, regular, expected):
    """Init containers in spec order, then regular ones by status order."""
    spec = {"initContainers": [{"name": "first"}, {"name": "second", **ALWAYS}], "containers": [{"name": "side"}]}
    status = {
        "initContainerStatuses": init,
        "containerStatuses": regular,
        "ephemeralContainerStatuses": [waits("debug", "Z")],
    }

    assert expected == record(spec=spec, status=status).waiting_reason


def test_node_addresses_account_and_network_are_kept():
    """Those of spec and status."""
    found = record(
        spec={"nodeName": "n1", "serviceAccountName": "robot", "hostNetwork": True}, status={"hostIP": "10.9.9.9"}
    )

    assert ("n1", "10.9.9.9", "robot", True) == (found.node, found.host_ip, found.service_account, found.host_network)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, ["10.0.0.1", "fd00::1"]),
        ({"podIP": "fd00::1", "podIPs": [{"ip": ""}, {"ip": None}, {"ip": "fd00::1"}]}, ["fd00::1"]),
        ({"podIP": "10.0.0.1", "podIPs": None}, ["10.0.0.1"]),
        ({"podIP": "", "podIPs": []}, []),
        ({}, []),
    ],
)
def test_all_addresses_of_a_pod_are_kept(status, expected):
    """Old servers tell one only."""
    assert expected == list(record(status=status).pod_ips)


def test_labels_are_sorted_by_key():
    """A value may be null."""
    labels = {"b": "2", "a/x": None, "B": "1", "": "0"}

    assert [Label(value="0"), Label(key="B", value="1"), Label(key="a/x"), Label(key="b", value="2")] == list(
        record(labels=labels).labels
    )
    assert [] == list(record(labels=None).labels)


def test_the_direct_owner_is_the_controlling_one():
    """Tracked or not."""
    first = reference("d", "StatefulSet", "db")
    second = reference("k", "Game", "chess", api_version="games.example.org/v1", controller=True)
    found = record(ownerReferences=owned_by(first, second))

    assert DirectOwner(api_version="games.example.org/v1", kind="Game", name="chess", uid="k") == found.direct_owner
    assert "d" == found.tracked_owner_uid


def test_without_a_controlling_owner_the_direct_one_is_the_first():
    """And without any, none is set."""
    first, second = reference("d", "Game", "db", controller=False), reference("e", "StatefulSet")
    found = record(ownerReferences=owned_by(first, second))

    assert DirectOwner(api_version="apps/v1", kind="Game", name="db", uid="d") == found.direct_owner
    assert not record(ownerReferences=[]).HasField("direct_owner")
    assert not record(ownerReferences=None).HasField("direct_owner")


def test_the_top_owner_is_kept_with_how_it_was_found():
    """Known here."""
    owners = Owners()
    owners.add("r", "ReplicaSet", "web-1", [reference("d", "Deployment", "web")])
    found = mapped(owners, ownerReferences=owned_by(reference("r", "ReplicaSet", "web-1"))).record

    assert TopOwner(kind="Deployment", name="web", uid="d") == found.top_owner
    assert ("r", True, False) == (found.tracked_owner_uid, found.owner_resolved, found.owner_guessed)


def test_a_guessed_owner_is_marked():
    """Not resolved, named by convention (ingest 5.5)."""
    found = record(
        ownerReferences=owned_by(reference("r", "ReplicaSet", "web-7d4f9")), labels={"pod-template-hash": "7d4f9"}
    )

    assert TopOwner(kind="Deployment", name="web", uid="r") == found.top_owner
    assert (False, True) == (found.owner_resolved, found.owner_guessed)


def test_a_bare_pod_is_its_own_top_owner():
    """Resolved; nothing is tracked."""
    found = record()

    assert TopOwner(kind="Pod", name="web-1", uid=UID) == found.top_owner
    assert ("", True, False) == (found.tracked_owner_uid, found.owner_resolved, found.owner_guessed)


@pytest.mark.parametrize("parts", [{}, {"status": {"startTime": None}, "deletionTimestamp": None}])
def test_start_and_deletion_are_unset_when_they_are_not_told(parts):
    """Unlike the times of storage.Pod."""
    found = record(**parts)

    assert not found.HasField("start_time")
    assert not found.HasField("deletion_timestamp")


def test_a_running_container_is_kept_with_all_it_tells():
    """Images as asked for and as found, the real name of the runtime."""
    status = running(
        image="docker.io/library/web:1",
        imageID=f"web@{DIGEST}",
        ready=True,
        restartCount=2,
        containerID="containerd://ab",
    )
    found = record(spec={"containers": [{"name": "web", "image": "web:1"}]}, status={"containerStatuses": [status]})
    expected = Container(
        name="web",
        kind="regular",
        spec_image="web:1",
        status_image="docker.io/library/web:1",
        image_id=f"web@{DIGEST}",
        digest_kind="registry",
        runtime="containerd",
        container_id="ab",
        ready=True,
        restart_count=2,
        state="running",
        started=EIGHT,
    )

    assert [expected] == list(found.containers)


def test_a_terminated_container_is_kept_with_its_signal():
    """And reason, times, exit code."""
    state = ended(started="2024-03-01T08:00:00Z", finished="2024-03-01T08:00:00Z", code=137, reason="OOMKilled")
    expected = Container(
        name="web",
        kind="regular",
        state="terminated",
        reason="OOMKilled",
        started=EIGHT,
        finished=EIGHT,
        exit_code=137,
        signal=9,
    )

    assert expected == container(state={"terminated": {**state, "signal": 9}})


def test_a_waiting_container_is_kept_with_its_reason():
    """No times."""
    expected = Container(name="web", kind="regular", state="waiting", reason="ContainerCreating")

    assert expected == container(state=WAITING)


@pytest.mark.parametrize("last_state", [None, {}, {"terminated": None}])
def test_a_container_on_its_first_run_has_no_last_one(last_state):
    """Servers write it in several ways."""
    assert not container(lastState=last_state).HasField("last_terminated")


def test_the_last_terminated_run_is_kept():
    """Id without runtime, times, exit code, reason."""
    found = container(lastState=CRASH_LOOP["lastState"]).last_terminated

    assert ("dead", EIGHT, EIGHT, 1, "Error") == (
        found.id,
        found.started,
        found.finished,
        found.exit_code,
        found.reason,
    )


def test_the_last_terminated_run_may_tell_nothing():
    """Its times are year 1 then, as null ones are."""
    found = container(lastState={"terminated": {}}).last_terminated

    assert ("", YEAR_1, YEAR_1, 0, "") == (found.id, found.started, found.finished, found.exit_code, found.reason)


def test_the_runtime_may_be_told_by_the_last_run_only():
    """A container that waits for its next start may have lost its id; one with an id tells for itself."""
    last = {"terminated": ended(id="cri-o://a")}

    assert "cri-o" == container(containerID="", lastState=last).runtime
    assert "docker" == container(containerID="docker://b", lastState=last).runtime
    assert "" == container(containerID="", lastState={"terminated": ended()}).runtime


def test_init_containers_come_in_spec_order_unknown_ones_last():
    """The kubelet reports them by name."""
    found = record(
        spec={"initContainers": [{"name": "b"}, {"name": "c"}, {"name": "a", **ALWAYS}, {"name": "b"}]},
        status={"initContainerStatuses": [running("0"), running("a"), running("b")]},
    )

    assert [("b", "init"), ("c", "init"), ("a", "sidecar"), ("0", "init")] == names(found)


def test_all_kinds_tell_their_status():
    """Ephemeral and init containers too."""
    found = record(
        status={
            "initContainerStatuses": [running("setup", ready=True)],
            "ephemeralContainerStatuses": [{"name": "debug", "state": {"terminated": ended(code=1)}}],
        }
    )

    assert [("setup", True, "running"), ("debug", False, "terminated")] == [
        (each.name, each.ready, each.state) for each in found.containers
    ]


def test_the_resource_version_travels_beside_the_record():
    """It is an opaque text, and may be missing."""
    assert "12x" == mapped(resourceVersion="12x").source_version
    assert "" == mapped().source_version


# ------------------------------------------------------------------------------------------- the hash


def test_an_equal_pod_has_an_equal_hash():
    """8 bytes, whatever the order of the labels."""
    first, second = mapped(labels={"a": "1", "b": "2"}), mapped(labels={"b": "2", "a": "1"})

    assert 8 == len(first.content_hash)
    assert first.content_hash == second.content_hash == content_hash(first.record)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "web-2"},
        {"uid": "u"},
        {"labels": {"a": "2"}},
        {"deletionTimestamp": "2024-03-01T08:00:00Z"},
        {"ownerReferences": owned_by(reference("r", "ReplicaSet"))},
        {"spec": {"nodeName": "n2"}},
        {"status": {"phase": "Pending", "containerStatuses": [running()]}},
        {"status": {"containerStatuses": [running(ready=True)]}},
    ],
)
def test_whatever_is_kept_changes_the_hash(change):
    """Wire pod and side data."""
    parts = {"labels": {"a": "1"}, "spec": {"nodeName": "n1"}, "status": {"containerStatuses": [running()]}}

    assert mapped(**parts).content_hash != mapped(**{**parts, **change}).content_hash


@pytest.mark.parametrize(
    "change",
    [
        {"resourceVersion": "9"},
        {"annotations": {"note": "x"}},
        {"spec": {"containers": [{"name": "web", "env": [{"name": "KEY", "value": "secret"}]}]}},
        {"status": {"message": "text", "conditions": [{"type": "Ready"}]}},
    ],
)
def test_what_is_not_kept_does_not_change_the_hash(change):
    """Annotations, messages, environment; the resource version travels beside the record."""
    plain = {"spec": {"containers": [{"name": "web"}]}, "status": {}}

    assert mapped(**plain).content_hash == mapped(**{**plain, **change}).content_hash


def test_secrets_never_reach_a_record():
    """Environment, arguments, volumes and messages are not read (ingest 2.3, 4.5)."""
    secret = {"env": [{"value": "s3cret"}], "args": ["s3cret"], "command": ["s3cret"], "volumeMounts": ["s3cret"]}
    ending = {"terminated": {**ended(), "message": "s3cret"}}
    found = record(
        annotations={"note": "s3cret"},
        spec={"containers": [{"name": "web", **secret}], "volumes": [{"name": "s3cret"}]},
        status={"message": "s3cret", "containerStatuses": [{"name": "web", "state": ending, "lastState": ending}]},
    )

    assert b"s3cret" not in found.SerializeToString()


def test_mapping_leaves_the_owner_map_as_it_was():
    """A pod is made known to it apart, where other pods may name it."""
    owners = Owners()
    map_pod(pod(), cluster_id=CLUSTER, owners=owners, mode="dedupe")

    assert [] == owners.updates(UID, cluster_id=CLUSTER)
    assert frozenset({UID}) == owners.tops(UID)
