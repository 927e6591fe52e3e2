"""Synthetic fleets: repeatable, streaming, and close enough to real ones."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from podledger.ingest.synthesizing import Event, fleet
from podledger.pods import objects
from podledger.pods.from_kubernetes import map_pod
from podledger.pods.merging import merge
from podledger.pods.owners import Owners


def events(*, pods: int, clusters: int = 1, seed: int = 1) -> Iterator[Event]:
    for cluster in fleet(pods=pods, clusters=clusters, seed=seed):
        yield from cluster.events


def pods_of(found: Iterator[Event]) -> list[dict[str, Any]]:
    return [json.loads(event.object) for event in found if event.kind == "Pod"]


@pytest.fixture(scope="module")
def sample() -> list[dict[str, Any]]:
    return pods_of(events(pods=4000, clusters=2))


def test_equal_arguments_give_equal_bytes() -> None:
    first, second = (list(events(pods=300, clusters=3, seed=7)) for _ in range(2))

    assert first == second


def test_another_seed_gives_another_fleet() -> None:
    first, second = (pods_of(events(pods=50, seed=seed)) for seed in (1, 2))

    assert not {pod["metadata"]["uid"] for pod in first} & {pod["metadata"]["uid"] for pod in second}


@pytest.mark.parametrize(("pods", "clusters"), [(0, 1), (1, 1), (1, 4), (7, 3), (1000, 1), (1001, 8)])
def test_a_fleet_has_exactly_the_pods_asked_for(pods: int, clusters: int) -> None:
    made = list(fleet(pods=pods, clusters=clusters, seed=1))

    assert clusters == len({cluster.name for cluster in made}) == len({cluster.id for cluster in made})
    assert pods == sum(len(pods_of(cluster.events)) for cluster in made)


def test_a_fleet_streams() -> None:
    """The first pods of a fleet that would take hours come at once."""
    first = list(itertools.islice((event for event in events(pods=10**9) if event.kind == "Pod"), 3))

    assert len(first) == 3


def test_uids_and_names_are_unique_in_a_cluster(sample: list[dict[str, Any]]) -> None:
    names = Counter((pod["metadata"]["namespace"], pod["metadata"]["name"]) for pod in pods_of(events(pods=3000)))

    assert len(sample) == len({pod["metadata"]["uid"] for pod in sample})
    assert max(names.values()) == 1


def test_owners_and_namespaces_come_before_the_pods_that_need_them() -> None:
    owners, namespaces = set(), set()
    for event in events(pods=500):
        found = json.loads(event.object)
        if event.kind == "Namespace":
            namespaces.add(found["metadata"]["name"])
        elif event.kind == "Pod":
            references = found["metadata"].get("ownerReferences", [])
            middle = {each["uid"] for each in references if each["kind"] in ("ReplicaSet", "Job")}

            assert middle <= owners
            assert found["metadata"]["namespace"] in namespaces
        else:
            owners.add(found["metadata"]["uid"])


def test_the_kube_system_namespace_carries_the_identity_of_the_cluster() -> None:
    (cluster,) = fleet(pods=10, clusters=1, seed=1)
    first = json.loads(next(cluster.events).object)

    assert ("kube-system", cluster.id) == (first["metadata"]["name"], first["metadata"]["uid"])


def test_phases_follow_the_profile(sample: list[dict[str, Any]]) -> None:
    phases = Counter(pod["status"]["phase"] for pod in sample)

    assert phases["Running"] == pytest.approx(0.91 * len(sample), rel=0.03)
    assert phases["Succeeded"] == pytest.approx(0.05 * len(sample), rel=0.3)
    assert set(phases) == {"Running", "Succeeded", "Failed", "Pending"}


def test_evicted_pods_have_no_statuses(sample: list[dict[str, Any]]) -> None:
    evicted = [pod for pod in sample if pod["status"].get("reason") == "Evicted"]

    assert evicted
    assert not any("containerStatuses" in pod["status"] for pod in evicted)


def test_some_digests_run_in_both_clusters() -> None:
    first, second = (digests(pods_of(cluster.events)) for cluster in fleet(pods=2000, clusters=2, seed=1))

    assert 0.1 < len(first & second) / len(first | second) < 0.5


def digests(pods: list[dict[str, Any]]) -> set[str]:
    return {status["imageID"] for pod in pods for status in pod["status"].get("containerStatuses", ())} - {""}


def test_pods_are_as_large_as_real_ones() -> None:
    """Mean of the served message near 0.9 kB, of the JSON near 4 kB."""
    owners = Owners()
    sizes, lengths = [], []
    for event in events(pods=2000):
        if event.kind in ("ReplicaSet", "Job"):
            metadata = objects.decode_owner(event.object).metadata
            assert metadata is not None
            owners.add(metadata.uid or "", event.kind, metadata.name or "", metadata.owner_references)
        elif event.kind == "Pod":
            pod = objects.decode_pod(event.object)
            mapped = map_pod(pod, cluster_id="3f2c9a64-51d7-4d0e-9b7a-2c6f0e8d1b55", owners=owners, mode="dedupe")
            assert mapped.resolution.resolved
            sizes.append(merge(None, mapped.record, known=(), mode="dedupe").pod.ByteSize())
            lengths.append(len(event.object))

    assert 800 < sum(sizes) / len(sizes) < 1000
    assert 3000 < sum(lengths) / len(lengths) < 6000
