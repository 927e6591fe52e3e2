"""Files into a store: what is in the input is in the store, once, and nothing else is."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podledger.errors import BadInput, Fenced
from podledger.ingest.addressing import Address
from podledger.ingest.importing import Options, Summary, Tally, import_files
from podledger.pods.identity import parse_uuid
from podledger.store.contract import Store
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.holdings import contents, messages, opened, pods, rows

DATA = Path(__file__).parents[1] / "data" / "real"
COUNTS: dict[str, dict[str, Any]] = json.loads((DATA / "counts.json").read_text())
IDENTITY = "0a8fd47f-e5f0-4721-ade3-351967e740f2"
"""The uid of kube-system in the cluster list."""
OTHER = "3f2c9a64-51d7-4d0e-9b7a-2c6f0e8d1b55"
NAMED = Address(cluster_id=OTHER, register="prod")
LIST = DATA / "cluster-list" / "minikube-1.35.json"
KUBELET = DATA / "kubelet" / "minikube-1.35-pods.json"
FORMS_TO_COME = ("support-bundle", "dump-kind", "repeated-kind", "derived/watch-frames")
"""Inputs of the table that are not among the test data, or need a form that is not read."""


async def load(
    store: Store, *inputs: Path | str | bytes | list[Any] | dict[str, Any], address: Address = NAMED, **options: Any
) -> Summary:
    """Import paths; bytes and JSON values go through standard input."""
    paths, stdin = [], b""
    for each in inputs:
        if not isinstance(each, (str, Path)):
            stdin = each if isinstance(each, bytes) else json.dumps(each).encode()
            each = "-"
        paths.append(str(each))
    return await import_files(store, paths, Options(address=address, **options), stdin=io.BytesIO(stdin))


def pod(
    name: str = "web-1", *, uid: str = "u1", version: str = "1", owner: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": version, **more}
    if owner:
        metadata["ownerReferences"] = [owner]
    return {"kind": "Pod", "metadata": metadata, "spec": {"containers": []}, "status": {"phase": "Running"}}


def reference(kind: str, name: str, uid: str) -> dict[str, Any]:
    version = "batch/v1" if kind in ("Job", "CronJob") else "v1" if kind == "Pod" else "apps/v1"
    return {"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True}


def owner(kind: str, name: str, uid: str, parent: dict[str, Any] | None = None, version: str = "1") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": version}
    return {"kind": kind, "metadata": {**metadata, "ownerReferences": [parent] if parent else None}}


def namespace(name: str, uid: str, **more: Any) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": {"name": name, "uid": uid, "resourceVersion": "1", **more}}


# ------------------------------------------------------------------------------------------ real inputs


@pytest.mark.parametrize("name", [name for name in COUNTS if not name.startswith(FORMS_TO_COME)])
async def test_a_real_input_gives_the_pods_that_were_counted(name: str, store: Store) -> None:
    summary = await load(store, DATA / name, address=Address(cluster_id=OTHER, register="x", ignore_identity=True))
    expected, found = COUNTS[name], await pods(store)

    assert expected["pods"] == len(found) == summary.pods == summary.upserted
    assert expected["pod records"] == summary.records
    assert expected.get("static pods skipped by default", 0) == summary.skipped.get("static", 0)
    assert expected["containers with status"] == sum(map(instances, found))


def instances(found: Pod) -> int:
    """Live and ended instances as shown, which in these inputs is one or two per status."""
    return len(found.live_instances) + len(ended_now(found))


def ended_now(found: Pod) -> set[str]:
    """Containers that have ended and are not shown live."""
    live = {instance.container_name for instance in found.live_instances}
    return {bucket.instances[0].container_name for bucket in found.terminated_instances} - live


@pytest.mark.parametrize("name", [name for name in COUNTS if not name.startswith(FORMS_TO_COME)])
async def test_a_real_input_leaves_its_finished_runs(name: str, tmp_path: Path, database: Path) -> None:
    async with opened(f"sqlite:///{database}") as store:
        await load(store, DATA / name, address=Address(cluster_id=OTHER, register="x", ignore_identity=True))

    assert [(COUNTS[name]["finished instances (state + lastState, distinct)"],)] == rows(
        database, "SELECT count(*) FROM finished_runs"
    )


async def test_the_folder_of_odd_pods_counts_what_it_leaves_out(store: Store) -> None:
    """Three of its files hold one uid under three names."""
    summary = await load(store, DATA / "odd")
    alone = sum(counts["pods"] for name, counts in COUNTS.items() if name.startswith("odd/"))

    assert alone - 2 == summary.pods == len(await pods(store))
    assert summary.skipped == {"no_uid": 1, "null": 1, "static": 2}
    assert summary.clashes == 2


async def test_json_and_yaml_of_one_list_leave_the_identical_store(tmp_path: Path) -> None:
    found = []
    for name in ("minikube-1.35.json", "minikube-1.35.yaml"):
        database = tmp_path / f"{name}.db"
        async with opened(f"sqlite:///{database}") as store:
            await load(store, LIST.with_name(name))
        found.append(contents(database))

    assert found[0] == found[1]


@pytest.mark.parametrize("order", [(LIST, KUBELET), (KUBELET, LIST)])
@pytest.mark.parametrize(("static", "expected"), [(False, 25), (True, 29)])
async def test_list_and_kubelet_of_a_node_agree_in_either_order(
    order: tuple[Path, Path], static: bool, expected: int, store: Store
) -> None:
    summary = await load(store, *order, include_static=static)

    assert expected == summary.pods == len(await pods(store))
    assert summary.clashes == 0


async def test_importing_twice_changes_nothing(tmp_path: Path, database: Path) -> None:
    async with opened(f"sqlite:///{database}") as store:
        first = await load(store, DATA / "must-gather", address=Address(register="gathered"))
        before = contents(database)
        second = await load(store, DATA / "must-gather", address=Address(register="gathered"))
        (status,) = await store.clusters()

    assert (first.upserted, first.unchanged) == (7, 0)
    assert (second.upserted, second.unchanged) == (0, 7)
    assert before == contents(database)
    assert status.pods == 7


async def test_a_version_dump_without_kind_is_left_alone(store: Store) -> None:
    summary = await load(store, DATA / "bare-array-1.8")

    assert summary.ignored == {"": 1}
    assert summary.skipped == {}


# ------------------------------------------------------------------------------------- newest record wins


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (("1", "2"), "pod-2"),
        (("2", "1"), "pod-1"),
        (("9", "10"), "pod-2"),
        (("10", "9"), "pod-1"),
        (("5", "5"), "pod-2"),
        (("x", "1"), "pod-2"),
        (("7", ""), "pod-2"),
    ],
)
async def test_of_one_uid_the_higher_version_stays_else_the_later(
    versions: tuple[str, str], expected: str, store: Store
) -> None:
    records = [pod(f"pod-{number}", version=version) for number, version in enumerate(versions, start=1)]

    summary = await load(store, records)

    assert [expected] == [found.name for found in await pods(store)]
    assert summary.clashes == 1


@pytest.mark.property
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_order_of_the_input_does_not_matter(seed: int) -> None:
    records = [*json.loads(LIST.read_text())["items"], *json.loads(KUBELET.read_text())["items"]]
    records = [{"kind": "Pod", **record} for record in records]
    hung = next(
        record for record in records if record["metadata"].get("ownerReferences", [{}])[0].get("kind") == "ReplicaSet"
    )
    replica_set = hung["metadata"]["ownerReferences"][0]
    records.append(owner("ReplicaSet", replica_set["name"], replica_set["uid"], reference("Deployment", "top", OTHER)))
    shuffled = random.Random(seed).sample(records, k=len(records))

    assert asyncio.run(served(records)) == asyncio.run(served(shuffled))


async def served(records: Sequence[Any]) -> list[bytes]:
    async with opened("memory:") as store:
        await load(store, list(records))
        return await messages(store)


# ------------------------------------------------------------------------------------------------ owners


async def test_owners_are_learnt_from_all_of_the_input(store: Store) -> None:
    """The ReplicaSet comes after its pod, in a typed list whose items have no kind."""
    replica_set = owner("ReplicaSet", "web-abc", "rs", reference("Deployment", "web", OTHER))
    del replica_set["kind"]
    document = f"{json.dumps(pod(owner=reference('ReplicaSet', 'web-abc', 'rs')))}\n---\n" + json.dumps(
        {"kind": "ReplicaSetList", "items": [replica_set]}
    )

    summary = await load(store, b"---\n" + document.encode())

    assert [found.deployment_id for found in await pods(store)] == [OTHER]
    assert summary.owners == {"resolved": 1, "unresolved": 0}
    assert summary.guessed == 0


async def test_an_owner_that_is_missing_is_told_and_its_name_guessed(store: Store) -> None:
    labels = {"pod-template-hash": "abc"}

    summary = await load(store, pod(owner=reference("ReplicaSet", "web-abc", OTHER), labels=labels))

    assert summary.owners == {"resolved": 0, "unresolved": 1}
    assert summary.guessed == 1
    assert [found.deployment_id for found in await pods(store)] == [OTHER]


async def test_an_owner_that_comes_later_takes_its_pods_along(store: Store) -> None:
    await load(store, pod(owner=reference("ReplicaSet", "web-abc", "rs")))

    summary = await load(store, owner("ReplicaSet", "web-abc", "rs", reference("Deployment", "web", OTHER)))

    assert [found.deployment_id for found in await pods(store)] == [OTHER]
    assert summary.pods == 0


async def test_a_pod_owned_by_a_pod_has_the_deployment_of_its_owner(store: Store) -> None:
    upper = pod("runner", uid="upper", owner=reference("ReplicaSet", "web-abc", "rs"))
    lower = pod("task", uid="lower", owner=reference("Pod", "runner", "upper"))
    replica_set = owner("ReplicaSet", "web-abc", "rs", reference("Deployment", "web", OTHER))

    summary = await load(store, [lower, upper, replica_set])

    assert [found.deployment_id for found in await pods(store)] == [OTHER, OTHER]
    assert summary.owners == {"resolved": 2, "unresolved": 0}


# ------------------------------------------------------------------------------------- what is left out


async def test_one_bad_object_is_counted_and_the_rest_goes_on(store: Store) -> None:
    broken = pod("broken", uid="u2")
    broken["status"] = {"containerStatuses": [{"restartCount": "many"}]}
    unusual = pod("unusual", uid="u3", creationTimestamp="yesterday")
    tally = Tally()

    summary = await import_files(
        store,
        ["-"],
        Options(address=NAMED),
        stdin=io.BytesIO(json.dumps([None, {"kind": "Pod"}, broken, unusual, 7, pod()]).encode()),
        tally=tally,
    )

    assert [found.name for found in await pods(store)] == ["web-1"]
    assert summary.skipped == {"null": 1, "no_uid": 1, "malformed": 3}
    assert [problem.split(":")[0] for problem in tally.problems] == [
        "standard input, item 2",
        "standard input, item 3",
        "standard input, item 5",
        "pod shop/unusual",
    ]


async def test_other_kinds_are_ignored_and_counted(store: Store) -> None:
    records = [{"kind": "Deployment", "metadata": {}}, {"kind": "Secret"}, {"kind": "Secret"}, {"a": 1}, pod()]

    summary = await load(store, records)

    assert summary.ignored == {"": 1, "Deployment": 1, "Secret": 2}
    assert summary.pods == 1


async def test_what_is_not_read_is_not_kept(database: Path) -> None:
    """Environment, arguments and annotations reach neither the rows nor the stage, whose pages stay in the file."""
    applied = {"kubectl.kubernetes.io/last-applied-configuration": '{"env":"s3cr3t"}'}
    secret = pod(annotations={"note": "s3cr3t"})
    secret["spec"]["containers"] = [{"name": "c", "env": [{"name": "PASSWORD", "value": "s3cr3t"}], "args": ["s3cr3t"]}]
    replica_set = owner("ReplicaSet", "web-abc", "rs")
    replica_set["metadata"]["annotations"] = applied
    async with opened(f"sqlite:///{database}") as store:
        await load(store, [secret, replica_set, namespace("shop", OTHER, annotations=applied)])
        kept = b"".join(path.read_bytes() for path in database.parent.iterdir())

    assert b"web-abc" in kept
    assert b"s3cr3t" not in kept


# ---------------------------------------------------------------------------------------------- clusters


async def test_the_namespaces_tell_the_cluster(store: Store) -> None:
    summary = await load(store, DATA / "cluster-list", address=Address(register="mini"))
    (status,) = await store.clusters()

    assert (summary.cluster_id, summary.cluster) == (IDENTITY, "mini")
    assert status.cluster.name == "mini"
    assert {IDENTITY} == {found.cluster_id for found in await pods(store)}


@pytest.mark.parametrize("name", [DATA / "must-gather", [pod()]])
async def test_nothing_is_left_after_a_refused_cluster(name: Any, database: Path) -> None:
    async with opened(f"sqlite:///{database}") as store:
        with pytest.raises(BadInput):
            await load(store, name, address=Address())

    assert not any(contents(database).values())


# -------------------------------------------------------------------------------------- nothing half-done


@pytest.mark.parametrize("text", ["{", '{"items":[{"kind":"Pod"},', "a: [", "a: *b"])
async def test_a_broken_file_leaves_the_store_as_it_was(text: str, tmp_path: Path, database: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([pod(uid=f"u{number}") for number in range(1200)]))
    (tmp_path / "b.yaml").write_text(text)
    async with opened(f"sqlite:///{database}") as store:
        with pytest.raises(BadInput, match=r"b\.yaml is not "):
            await load(store, tmp_path / "a.json", tmp_path / "b.yaml")

    assert not any(contents(database).values())


@pytest.mark.parametrize("empty", [b"", b"[]", b'{"kind":"PodList","items":[]}', b'{"kind":"Secret"}'])
async def test_an_input_without_records_is_an_error_unless_allowed(empty: bytes, store: Store) -> None:
    with pytest.raises(BadInput, match=r"^the input holds no pod, owner or namespace; --allow-empty accepts that$"):
        await load(store, empty)

    summary = await load(store, empty, allow_empty=True)

    assert summary.pods == 0
    assert await store.clusters() == []


async def test_a_large_input_goes_through_in_pages(store: Store) -> None:
    summary = await load(store, [pod(f"web-{number}", uid=f"u{number}") for number in range(1203)])
    (status,) = await store.clusters()

    assert 1203 == summary.upserted == status.pods
    assert len(await pods(store)) == 1203


async def test_the_summary_is_plain_data(store: Store) -> None:
    summary = await load(store, pod())

    assert json.loads(json.dumps(asdict(summary))) == {
        "cluster_id": OTHER,
        "cluster": "prod",
        "pods": 1,
        "upserted": 1,
        "unchanged": 0,
        "tombstoned": 0,
        "records": 1,
        "skipped": {},
        "owners": {"resolved": 0, "unresolved": 0},
        "guessed": 0,
        "ignored": {},
        "clashes": 0,
    }


async def test_a_server_may_run_on_the_same_file(database: Path) -> None:
    """What was imported beside it is in its next answer."""
    url = f"sqlite:///{database}"
    async with opened(url, exclusive=True) as server, opened(url) as beside:
        assert await pods(server) == []

        await load(beside, DATA / "must-gather", address=Address(register="gathered"))

        assert len(await pods(server)) == 7
        assert [status.cluster.name for status in await server.clusters()] == ["gathered"]


async def test_a_writer_that_comes_later_ends_the_import(database: Path) -> None:
    """The fence of the cluster is taken once the input has been read; what was written so far stays."""
    tally = Tally()
    records = json.dumps([pod(f"web-{number}", uid=f"u{number}") for number in range(2000)]).encode()
    async with opened(f"sqlite:///{database}") as store:
        importing = asyncio.create_task(
            import_files(store, ["-"], Options(address=NAMED), stdin=io.BytesIO(records), tally=tally)
        )
        while not (tally.sunk.upserted or importing.done()):
            await asyncio.sleep(0)
        await store.take(parse_uuid(OTHER), b"other".ljust(16))

        with pytest.raises(Fenced):
            await importing
        assert 0 < len(await pods(store)) == tally.sunk.upserted < 2000

    assert contents(database)["staging"] == []


# --------------------------------------------------------------------------------------- mode `stackrox`


async def test_in_stackrox_mode_a_finished_bare_pod_is_gone() -> None:
    """Also one that nobody has seen running; and it stays gone."""
    async with opened("memory:", merge_mode="stackrox") as store:
        await load(store, [pod(), pod("done", uid="u2")], merge_mode="stackrox")
        finished = [pod(name, uid=uid) for name, uid in (("done", "u2"), ("unseen", "u3"))]
        for each in finished:
            each["status"]["phase"] = "Succeeded"
        first = await load(store, finished, merge_mode="stackrox")
        second = await load(store, finished, merge_mode="stackrox")
        (status,) = await store.clusters()

        assert [found.name for found in await pods(store)] == ["web-1"]
        assert (first.tombstoned, second.tombstoned) == (1, 0)
        assert status.tombstones == 2


async def test_in_stackrox_mode_a_pod_with_several_tops_is_left_out() -> None:
    torn = pod()
    torn["metadata"]["ownerReferences"] = [reference("Deployment", "a", "a"), reference("Deployment", "b", "b")]
    async with opened("memory:", merge_mode="stackrox") as store:
        summary = await load(store, torn, merge_mode="stackrox")

        assert await pods(store) == []
        assert summary.skipped == {"several_owners": 1}
