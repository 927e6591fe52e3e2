"""Pods of real clusters, mapped and merged: the counts of `tests/data/real`, which were made apart."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import Any

import pytest

from podledger.pods.from_kubernetes import Mapped, map_pod
from podledger.pods.identity import ContainingPod, RunKey, parse_containing_pod_id
from podledger.pods.merging import Merged, merge
from podledger.pods.objects import decode_owner, decode_pod, encode
from podledger.pods.owners import Owners
from podledger.pods.times import YEAR_ONE
from podledger_protos.podledger.ingest.v1.record_pb2 import Container
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.kubernetes_objects import CLUSTER
from tests.fakes.real_objects import COUNTS, objects, pods, versions

OWNING = ("ReplicaSet", "Job", "ReplicationController")
FINISHED = "finished instances (state + lastState, distinct)"
EVER_FINISHED = "finished instances over all versions"

STATES = "state running/waiting/terminated"
SEVERAL_STATES = "odd/all-fields-1.36.json"
"""Its one container has all three states at once, of which terminated wins (ingest 4.2)."""

by_input = pytest.mark.parametrize("name", COUNTS)


def as_bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def owner_map(name: str) -> Owners:
    """What the objects of an input tell of owners, pods included."""
    owners = Owners()
    for each in objects(name):
        if each["kind"] in OWNING:
            metadata = decode_owner(as_bytes(each)).metadata
            assert metadata is not None
            owners.add(metadata.uid or "", each["kind"], metadata.name or "", metadata.owner_references)
    for each in pods(name):
        owners.add_pod(decode_pod(as_bytes(each)))
    return owners


@cache
def mapped(name: str) -> tuple[Mapped, ...]:
    """The pods of an input. Nothing that a test does changes them."""
    owners = owner_map(name)
    return tuple(
        map_pod(decode_pod(as_bytes(each)), cluster_id=CLUSTER, owners=owners, mode="dedupe") for each in pods(name)
    )


def only(name: str) -> Mapped:
    (found,) = mapped(name)
    return found


def merged(found: Mapped, stored: Pod | None = None, known: tuple[RunKey, ...] = ()) -> Merged:
    return merge(stored, found.record, known=known, mode="dedupe")


def containers(name: str, *kinds: str) -> list[Container]:
    """Side data of the containers of these kinds that have a status."""
    everyone = [container for each in mapped(name) for container in each.record.containers]
    return [container for container in everyone if container.kind in kinds and container.state]


def listed(found: Counter[str]) -> str:
    """As the counts write it: `Job 2, Node 1`; `-` for none."""
    return ", ".join(f"{kind} {number}" for kind, number in sorted(found.items()))


# ----------------------------------------------------------------------------------------- the counts


@by_input
def test_every_pod_is_mapped(name):
    """Those without statuses too."""
    found = mapped(name)

    assert COUNTS[name]["pods"] == len(found) == len({each.record.pod.id for each in found})
    assert COUNTS[name]["pods without containerStatuses"] == sum(not each.record.pod.live_instances for each in found)


@by_input
def test_every_container_with_a_status_is_an_instance(name):
    """In storage.Pod and in the side data."""
    expected = COUNTS[name]["containers with status"]

    assert expected == sum(len(each.record.pod.live_instances) for each in mapped(name))
    assert expected == len(containers(name, "regular"))


@by_input
def test_states_are_those_of_the_statuses(name):
    """One per container."""
    found = Counter(container.state for container in containers(name, "regular"))
    expected = "0/0/1" if name == SEVERAL_STATES else COUNTS[name][STATES]

    assert expected == f"{found['running']}/{found['waiting']}/{found['terminated']}"


@by_input
def test_instances_show_the_same_states(name):
    """Waiting ones have no times, running ones no end."""
    instances = [instance for each in mapped(name) for instance in each.record.pod.live_instances]
    found = Counter((instance.HasField("started"), instance.HasField("finished")) for instance in instances)
    expected = "0/0/1" if name == SEVERAL_STATES else COUNTS[name][STATES]

    assert expected == f"{found[True, False]}/{found[False, False]}/{found[True, True]}"


@by_input
def test_last_runs_of_regular_containers_are_kept(name):
    """As the kubelet remembers them."""
    found = [container for container in containers(name, "regular") if container.HasField("last_terminated")]

    assert COUNTS[name]["lastState.terminated"] == len(found)


@by_input
def test_every_finished_run_is_recorded_once(name):
    """Current and last states, merged into nothing; all of them fit into the view."""
    found = [merged(each) for each in mapped(name)]
    shown = [instance for each in found for bucket in each.pod.terminated_instances for instance in bucket.instances]

    assert COUNTS[name][FINISHED] == sum(len(each.finished) for each in found) == len(shown)


@by_input
def test_merging_the_same_pod_again_changes_nothing(name):
    """Pod-service 11.2."""
    for each in mapped(name):
        once = merged(each)

        assert Merged(once.pod, ()) == merged(each, once.pod, once.finished)


@by_input
def test_init_containers_are_side_data(name):
    """Native sidecars among them are told apart."""
    found = containers(name, "init", "sidecar")
    sidecars = containers(name, "sidecar")
    terminated = sum(container.state == "terminated" for container in found)
    remembered = sum(container.HasField("last_terminated") for container in found)

    assert COUNTS[name]["init statuses (of which sidecars)"] == f"{len(found)} ({len(sidecars)})"
    assert COUNTS[name]["init terminated / lastState"] == f"{terminated}/{remembered}"


@by_input
def test_ephemeral_containers_are_side_data(name):
    """Rarely there."""
    assert COUNTS[name].get("ephemeral statuses", 0) == len(containers(name, "ephemeral"))


@by_input
def test_direct_owners_are_kept_tracked_or_not(name):
    """Each of these pods has one owner at most."""
    owned = [each.record for each in mapped(name) if each.record.HasField("direct_owner")]
    found = Counter(record.direct_owner.kind for record in owned)

    assert COUNTS[name]["owner kinds"] == (listed(found) or "-")
    assert COUNTS[name]["pods without owner"] == len(mapped(name)) - len(owned)


@by_input
def test_owners_are_resolved_where_their_objects_are_known(name):
    """Of the kinds that may be owned themselves."""
    owned = [each.record for each in mapped(name) if each.record.direct_owner.kind in OWNING]
    resolved = sum(record.owner_resolved for record in owned)
    expected = COUNTS[name].get("owners ReplicaSet/Job/ReplicationController found in the same input", "0 of 0 pods")

    assert expected == f"{resolved} of {len(owned)} pods"


@by_input
def test_phases_are_kept(name):
    """Any text."""
    assert COUNTS[name]["phases"] == listed(Counter(each.record.phase for each in mapped(name)))


@by_input
def test_restarts_are_summed_up(name):
    """The inputs have no sidecar that restarted."""
    found = sum(each.record.restart_count for each in mapped(name))

    assert COUNTS[name]["restarts (regular containers)"] == found


@by_input
def test_digests_are_those_of_the_image_ids(name):
    """Bare ones are those of image configs."""
    digests = {instance.image_digest for each in mapped(name) for instance in each.record.pod.live_instances} - {""}
    regular = containers(name, "regular")

    assert COUNTS[name]["distinct digests"] == len(digests)
    assert COUNTS[name]["empty imageIDs"] == sum(not container.image_id for container in regular)
    assert COUNTS[name]["bare sha256 imageIDs"] == sum(
        container.image_id.startswith("sha256:") for container in regular
    )


@by_input
def test_the_compact_form_maps_to_the_same_record(name):
    """So that it may be put aside before it is mapped."""
    owners = owner_map(name)
    again = [decode_pod(encode(decode_pod(as_bytes(each)))) for each in pods(name)]
    found = [map_pod(each, cluster_id=CLUSTER, owners=owners, mode="dedupe").content_hash for each in again]

    assert [each.content_hash for each in mapped(name)] == found


@pytest.mark.parametrize("name", [name for name, counts in COUNTS.items() if EVER_FINISHED in counts])
def test_runs_of_versions_in_between_are_kept(name):
    """The newest versions alone tell of fewer."""
    owners, state = Owners(), {}
    for each in versions(name):
        found = map_pod(decode_pod(as_bytes(each)), cluster_id=CLUSTER, owners=owners, mode="dedupe")
        stored, known = state.get(found.record.uid, (None, ()))
        after = merged(found, stored, known)
        state[found.record.uid] = after.pod, (*known, *after.finished)

    assert COUNTS[name][EVER_FINISHED] == sum(len(known) for _, known in state.values())
    assert COUNTS[name][EVER_FINISHED] > COUNTS[name][FINISHED]


# ------------------------------------------------------------------------------------------ odd pods


def test_a_crash_loop_of_a_real_cluster():
    """The id is that of the dead run, so the waiting instance has none (pod-service 11.2 rule 6)."""
    found = only("odd/crashloop-laststate.json")
    pod = merged(found).pod
    ((dead,),) = [bucket.instances for bucket in pod.terminated_instances]

    assert "CrashLoopBackOff" == found.record.waiting_reason
    assert [""] == [instance.instance_id.id for instance in pod.live_instances]
    assert found.record.pod.live_instances[0].instance_id == dead.instance_id
    assert (dead.started, "ContainerCannotRun") == (dead.finished, dead.termination_reason)


def test_an_init_container_that_restarts_thousands_of_times():
    """Its restarts are side data of the container, not of the pod."""
    found = only("odd/init-crashloop-7527-restarts.json").record
    (init,) = containers("odd/init-crashloop-7527-restarts.json", "init")

    assert (7527, 0) == (init.restart_count, found.restart_count)
    assert "CrashLoopBackOff" == found.waiting_reason
    assert () == merged(only("odd/init-crashloop-7527-restarts.json")).finished


def test_an_evicted_pod():
    """No statuses; the reason is kept."""
    (evicted,) = [each.record for each in mapped("odd/kubelet-evicted.json") if each.record.status_reason]

    assert ("Failed", "Evicted", []) == (evicted.phase, evicted.status_reason, list(evicted.pod.live_instances))


def test_null_times_of_a_real_pod_count_as_finished():
    """In the year 1."""
    ((finished,),) = [
        bucket.instances
        for bucket in merged(only("derived/containerstatusunknown-null-times.json")).pod.terminated_instances
    ]

    assert (137, "ContainerStatusUnknown") == (finished.exit_code, finished.termination_reason)
    assert YEAR_ONE.seconds == finished.started.seconds == finished.finished.seconds


@pytest.mark.parametrize("first", ["4", "6"])
def test_a_dual_stack_pod_shows_its_first_address(first):
    """And keeps both."""
    found = only(f"derived/dual-stack-v{first}-first.json").record
    (shown,) = found.pod.live_instances[0].container_ips

    assert 2 == len(found.pod_ips)
    assert (found.pod_ips[0], first == "6") == (shown, ":" in shown)


def test_null_lists_are_empty():
    """Labels, references, statuses; the one address stands for the list of all."""
    found = only("derived/null-lists.json").record

    assert ([], [], ["10.244.0.12"]) == (list(found.labels), list(found.pod.live_instances), list(found.pod_ips))
    assert not found.HasField("direct_owner")


def test_names_with_dots_are_read_back():
    """Mirror pods are named after their node, here a domain name."""
    records = [each.record for each in mapped("insights-openshift-4.7") if each.record.pod.live_instances]
    expected = [ContainingPod(record.pod.name, record.pod.namespace, record.uid) for record in records]
    found = [parse_containing_pod_id(record.pod.live_instances[0].containing_pod_id) for record in records]

    assert expected == found
    assert any("." in pod.name for pod in found)


def test_a_list_and_its_yaml_map_to_the_same_records():
    """One cluster, written twice."""
    found = [mapped(f"cluster-list/minikube-1.35.{form}") for form in ("json", "yaml")]

    assert [each.record for each in found[0]] == [each.record for each in found[1]]
