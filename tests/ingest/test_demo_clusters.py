"""The demo fleet tells its story: what runs, what ended, what is gone."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from podledger.ingest.demo_clusters import demo
from podledger.ingest.synthesizing import SyntheticCluster


def live(cluster: SyntheticCluster) -> dict[str, dict[str, Any]]:
    """The pods that are left at the end, by uid."""
    pods: dict[str, dict[str, Any]] = {}
    for event in cluster.events:
        if event.kind == "Pod":
            pod = json.loads(event.object)
            if event.type == "DELETED":
                del pods[pod["metadata"]["uid"]]
            else:
                pods[pod["metadata"]["uid"]] = pod
    return pods


def test_sixty_pods_run_in_three_clusters() -> None:
    counts = {cluster.name: len(live(cluster)) for cluster in demo(seed=1)}

    assert counts == {"prod-eu": 23, "prod-us": 24, "staging": 13}


def test_the_same_seed_tells_the_same_story() -> None:
    first, second = ([list(cluster.events) for cluster in demo(seed=3)] for _ in range(2))

    assert first == second


def test_the_seed_changes_ids_only() -> None:
    first, second = (
        [[event.type, event.kind] for cluster in demo(seed=seed) for event in cluster.events] for seed in (1, 2)
    )

    assert first == second
    assert not {cluster.id for cluster in demo(seed=1)} & {cluster.id for cluster in demo(seed=2)}


def test_resource_versions_rise_with_every_event_of_a_pod() -> None:
    for cluster in demo(seed=1):
        versions: dict[str, int] = {}
        for event in cluster.events:
            metadata = json.loads(event.object)["metadata"]
            version = int(metadata["resourceVersion"])

            assert version > versions.get(metadata["uid"], 0)
            versions[metadata["uid"]] = version


def test_no_container_run_belongs_to_two_pods() -> None:
    owners: dict[str, set[str]] = {}
    for cluster in demo(seed=1):
        for event in cluster.events:
            if event.kind == "Pod":
                pod = json.loads(event.object)
                for status in pod["status"].get("containerStatuses", ()):
                    owners.setdefault(status.get("containerID", pod["metadata"]["uid"]), set()).add(
                        pod["metadata"]["uid"]
                    )

    assert {1} == {len(pods) for pods in owners.values()}


def test_one_image_runs_in_all_clusters() -> None:
    places = Counter(
        (status["image"], status["imageID"], cluster.name)
        for cluster in demo(seed=1)
        for pod in live(cluster).values()
        for status in pod["status"].get("containerStatuses", ())
        if status["image"] == "docker.io/library/nginx:1.25.3"
    )

    assert sorted(places.values()) == [2, 4, 4]
    assert len({image_id for _, image_id, _ in places}) == 1


def test_a_stateful_set_pod_came_back_under_its_name() -> None:
    uids = {
        json.loads(event.object)["metadata"]["uid"]
        for cluster in demo(seed=1)
        if cluster.name == "prod-eu"
        for event in cluster.events
        if json.loads(event.object)["metadata"]["name"] == "cart-db-0"
    }

    assert len(uids) == 2
