"""Answers of an upstream installation into a store: everything they tell, and nothing when they are cut."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from podledger.errors import BadInput
from podledger.ingest.addressing import Address
from podledger.ingest.importing import Options, Summary, import_files
from podledger.pods.identity import parse_uuid
from podledger.pods.upstream import Keep
from podledger.store.contract import Cluster, Store
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.holdings import contents, messages, opened, pods, rows
from tests.fakes.query_fixture import NORTH, SOUTH
from tests.fakes.upstream_answers import listing, sample_answers, stream, vector_answers, write

POD = "e1000000-0000-4000-8000-000000000000"
NOWHERE = Address()


async def load(store: Store, *texts: bytes | str, address: Address = NOWHERE, **options: Any) -> Summary:
    """Import paths, or texts through standard input."""
    paths = [each if isinstance(each, str) else "-" for each in texts]
    stdin = b"\n".join(each for each in texts if isinstance(each, bytes))
    paths = [path for path in paths if path != "-"] + ["-"] * (stdin != b"")
    return await import_files(store, paths, Options(address=address, **options), stdin=io.BytesIO(stdin))


async def problem(store: Store, *texts: bytes | str, **options: Any) -> str:
    """What is refused; nothing is changed then."""
    with pytest.raises(BadInput) as refused:
        await load(store, *texts, **options)
    return refused.value.message


def pod(identity: str = POD, **members: Any) -> dict[str, Any]:
    return {"id": identity, "name": "web-1", "namespace": "shop", "clusterId": NORTH, **members}


# ----------------------------------------------------------------------------------------- the sample


async def test_the_order_of_files_does_not_matter(tmp_path: Path) -> None:
    """Nor do their number, nor how the documents are parted."""
    answers, kept = sample_answers(), []
    for number, shuffle in enumerate((lambda names: names, reversed, lambda names: random.Random(1).sample(names, 4))):
        database = tmp_path / f"{number}.db"
        async with opened(f"sqlite:///{database}") as store:
            await load(store, b" ".join(answers[name] for name in shuffle([*answers])))
        kept.append(contents(database))

    assert kept[0] == kept[1] == kept[2]


async def test_the_summary_names_the_clusters(store: Store, tmp_path: Path) -> None:
    summary = await load(store, *write(sample_answers(), tmp_path))

    assert {NORTH: "north", SOUTH: "south"} == summary.clusters
    assert (7, 7, 7, 3, {}) == (summary.pods, summary.upserted, summary.records, summary.workloads, summary.skipped)


async def test_importing_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    files = write(vector_answers(), tmp_path)
    await load(store, *files)
    before = await messages(store)
    revisions = [status.revision for status in await store.clusters()]

    summary = await load(store, *files)

    assert (0, 12) == (summary.upserted, summary.unchanged)
    assert before == await messages(store)
    assert revisions == [status.revision for status in await store.clusters()]


# ------------------------------------------------------------------------------------------- clusters


async def test_a_cluster_has_the_name_of_the_clusters_else_of_another_record_else_its_id(store: Store) -> None:
    third = "c3000000-0000-4000-8000-00000000000c"
    records = [
        stream("pod", [pod(), pod(clusterId=SOUTH), pod(clusterId=third)]),
        stream("deployment", [{"id": POD, "clusterId": NORTH, "clusterName": "told"}, {"id": POD, "clusterId": SOUTH, "clusterName": "b"}]),
        listing("namespaces", [{"metadata": {"id": POD, "clusterId": SOUTH, "clusterName": "a"}}]),
        listing("clusters", [{"id": NORTH, "name": "north"}]),
    ]  # fmt: skip
    summary = await load(store, *records)

    assert {NORTH: "north", SOUTH: "a", third: third} == summary.clusters


async def test_a_name_of_another_cluster_is_refused(store: Store) -> None:
    await store.put_cluster(Cluster(parse_uuid(SOUTH), "north"))

    told = await problem(store, stream("pod", [pod()]), listing("clusters", [{"id": NORTH, "name": "north"}]))

    assert f'the name "north" of cluster {NORTH} belongs to cluster {SOUTH}' == told
    assert [] == await messages(store)
    assert ["north"] == [status.cluster.name for status in await store.clusters()]


async def test_two_new_clusters_of_one_name_are_refused(store: Store) -> None:
    records = listing("clusters", [{"id": NORTH, "name": "x"}, {"id": SOUTH, "name": "x"}])

    assert f'the name "x" of cluster {SOUTH} belongs to cluster {NORTH}' == await problem(store, records)
    assert [] == await store.clusters()


@pytest.mark.parametrize("address", [Address(cluster_id=SOUTH.upper()), Address(cluster="south")])
async def test_one_cluster_may_be_picked(store: Store, tmp_path: Path, address: Address) -> None:
    """By its id or its name, registered or told; records of others are counted."""
    for _ in range(2):
        summary = await load(store, *write(sample_answers(), tmp_path), address=address)

        assert ({SOUTH: "south"}, {"other_cluster": 9}) == (summary.clusters, summary.skipped)
        assert (SOUTH, "south") == (summary.cluster_id, summary.cluster)
    assert ["agent-x", "lone-pod"] == sorted(each.name for each in await pods(store))


@pytest.mark.parametrize(
    "address", [Address(cluster_id="c9000000-0000-4000-8000-00000000000a"), Address(cluster="east")]
)
async def test_a_cluster_that_is_not_in_the_input_cannot_be_picked(store: Store, address: Address) -> None:
    told = await problem(store, stream("pod", [pod()]), address=address)

    assert f'the input tells nothing of cluster "{address.cluster or address.cluster_id}"' == told


async def test_answers_are_not_registered_by_hand(store: Store) -> None:
    told = await problem(store, stream("pod", [pod()]), address=Address(register="north"))

    assert told.startswith("--register is for Kubernetes objects")


async def test_a_demo_cluster_takes_no_answers(store: Store) -> None:
    await store.put_cluster(Cluster(parse_uuid(NORTH), "prod-eu", demo=True))

    assert "demo fleet" in await problem(store, stream("pod", [pod()]))


async def test_a_pod_of_no_cluster_needs_no_registration(store: Store) -> None:
    summary = await load(store, stream("pod", [pod(clusterId="")]))

    assert (1, {}) == (summary.pods, summary.clusters)
    assert [""] == [each.cluster_id for each in await pods(store)]
    assert [] == await store.clusters()


# ----------------------------------------------------------------------------------------------- pods


async def test_terminated_instances_of_the_event_are_recorded_once(database: Path) -> None:
    """They are candidates of the merge (pod-service 11.2 rule 1)."""
    run = {"containerName": "app", "instanceId": {"id": "r1"}, "finished": "2024-03-01T01:00:00Z"}
    told = pod(terminatedInstances=[{"instances": [run, run]}], liveInstances=[run])
    async with opened(f"sqlite:///{database}") as store:
        await load(store, stream("pod", [told]))
        (kept,) = await pods(store)

    assert ["r1"] == [each.instance_id.id for bucket in kept.terminated_instances for each in bucket.instances]
    assert [] == list(kept.live_instances)
    assert [("app", "id:r1")] == rows(database, "SELECT container, key FROM finished_runs")


async def test_pods_keep_their_bytes_in_the_other_mode(tmp_path: Path) -> None:
    async with opened("memory:", merge_mode="stackrox") as store:
        await load(store, stream("pod", [told := pod(liveInstances=[{"containerName": "b"}, {"containerName": "a"}])]))

        assert [ParseDict(told, Pod())] == await pods(store)


async def test_of_one_id_the_later_record_wins(store: Store) -> None:
    summary = await load(store, stream("pod", [pod(name="old"), pod(name="new"), pod(name="south", clusterId=SOUTH)]))

    assert (2, 1) == (summary.pods, summary.clashes)
    assert ["new", "south"] == [each.name for each in await pods(store)]


# ------------------------------------------------------------------------------------ mistakes in it


async def test_malformed_records_are_counted_and_skipped(store: Store) -> None:
    texts = [
        stream("pod", [pod(), pod("nonsense"), pod(clusterId="north")]),
        stream("deployment", [{"id": "x"}]),
        listing("namespaces", [{}]),
        listing("clusters", [{"name": "x"}]),
        b'{"result":{"pod":null}}',
    ]
    summary = await load(store, *texts)

    assert (1, 4, {"malformed": 6}) == (summary.pods, summary.records, summary.skipped)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            b'{"error":{"code":4,"message":"context deadline exceeded"}}',
            'the export was cut: "context deadline exceeded"',
        ),
        (b'{"result":{"error":"x"}}', 'the export was cut: "x"'),
        (b'{"end":{"count":2}}', "the export says it has 2 messages, but 1 are there"),
        (b'{"end":{"count":"many"}}', 'the end of the export cannot be read: end.count is not a number: "many"'),
    ],
)
async def test_a_cut_export_changes_nothing(store: Store, text: bytes, expected: str) -> None:
    assert f"standard input, line 3: {expected}" == await problem(store, stream("pod", [pod()]), text)
    assert [] == await store.clusters() == await messages(store)


async def test_an_end_counts_the_messages_before_it(store: Store) -> None:
    """Of each stream in a file, malformed ones included."""
    texts = [
        stream("pod", [pod(), pod("x")]),
        b'{"end":{"count":2}}',
        stream("deployment", [{"id": POD}]),
        b'{"end":{"count":1}}',
    ]

    assert 1 == (await load(store, *texts)).pods


async def test_an_answer_that_is_an_error_alone_is_told(store: Store) -> None:
    assert "context deadline" in await problem(store, b'{"error":{"message":"context deadline exceeded"}}')


@pytest.mark.parametrize("first", [True, False])
async def test_answers_and_kubernetes_objects_do_not_mix(store: Store, first: bool) -> None:
    kubernetes = json.dumps({"kind": "Pod", "metadata": {"name": "a", "namespace": "b", "uid": "u"}}).encode()
    texts = [stream("pod", [pod()]), kubernetes]
    address = Address(cluster_id=NORTH, register="north")

    told = await problem(store, *(texts if first else reversed(texts)), address=address)

    assert "upstream answers and Kubernetes objects do not mix" in told
    assert [] == await store.clusters()


async def test_a_file_that_looks_like_an_error_does_not_spoil_a_folder_of_objects(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"error":"not found"}')
    (tmp_path / "b.json").write_text(
        json.dumps({"kind": "Pod", "metadata": {"name": "a", "namespace": "b", "uid": "u"}})
    )

    summary = await load(store, str(tmp_path), address=Address(cluster_id=NORTH, register="north"))

    assert 1 == summary.pods


@pytest.mark.parametrize(
    "text", ['{"clusters":[{"name":"outbound"}]}', '{"namespaces":["a","b"]}', '{"pod":"web-1"}', '{"deployment":{}}']
)
async def test_nor_does_one_that_looks_like_an_answer(store: Store, tmp_path: Path, text: str) -> None:
    """Dumps hold files of all sorts. Only an answer that can be used makes the input one of answers."""
    (tmp_path / "a.json").write_text(text)
    (tmp_path / "b.json").write_text(
        json.dumps({"kind": "Pod", "metadata": {"name": "a", "namespace": "b", "uid": "u"}})
    )

    summary = await load(store, str(tmp_path), address=Address(cluster_id=NORTH, register="north"))

    assert (1, "north") == (summary.pods, summary.cluster)


async def test_answers_that_are_all_malformed_write_nothing(store: Store) -> None:
    summary = await load(store, stream("pod", [pod("x"), pod("y")]))

    assert (0, 2, {"malformed": 2}, {}) == (summary.pods, summary.records, summary.skipped, summary.clusters)


async def test_no_record_is_an_error_unless_it_is_allowed(store: Store) -> None:
    empty = listing("namespaces", [])

    assert "no pod, owner or namespace in standard input" in await problem(store, empty)
    assert 0 == (await load(store, empty, allow_empty=True)).pods


# ------------------------------------------------------------------------------------- what is kept


async def test_environment_values_reach_the_file_on_demand_only(tmp_path: Path) -> None:
    """Neither rows nor the stage, whose pages stay in the file."""
    told = {"id": POD, "clusterId": NORTH, "containers": [{"config": {"env": [{"key": "K", "value": "s3cr3t"}]}}]}
    for keep, expected in ((Keep(), False), (Keep(env_values=True), True)):
        database = tmp_path / f"{expected}.db"
        async with opened(f"sqlite:///{database}") as store:
            await load(store, stream("deployment", [told]), keep=keep)
        written = b"".join(path.read_bytes() for path in tmp_path.glob(f"{expected}.db*"))

        assert expected == (b"s3cr3t" in written)
