"""Files into a store: what is in the input is in the store, once, and nothing else is."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podledger.errors import BadInput, Fenced
from podledger.ingest.addressing import Address
from podledger.ingest.importing import Options, import_files
from podledger.ingest.tallying import Summary, Tally
from podledger.ingest.unpacking import Limits
from podledger.pods.identity import parse_uuid, pod_id
from podledger.store.contract import Store
from podledger.store.rows import unpacked
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.archiving import tar_of, zip_of
from tests.fakes.counting import counted
from tests.fakes.holdings import contents, messages, opened, pods, rows
from tests.fakes.recorded import RECORDED, body

DATA = Path(__file__).parents[1] / "data" / "real"
COUNTS: dict[str, dict[str, Any]] = json.loads((DATA / "counts.json").read_text())
IDENTITY = "0a8fd47f-e5f0-4721-ade3-351967e740f2"
"""The uid of kube-system in the cluster list."""
OTHER = "3f2c9a64-51d7-4d0e-9b7a-2c6f0e8d1b55"
NAMED = Address(cluster_id=OTHER, register="prod")
LIST = DATA / "cluster-list" / "minikube-1.35.json"
KUBELET = DATA / "kubelet" / "minikube-1.35-pods.json"


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

WHOLE = Address(cluster_id=OTHER, register="x", ignore_identity=True)
FOLDERS = [*sorted(path.name for path in DATA.iterdir() if path.is_dir())]


def expected_counts(name: str) -> dict[str, Any]:
    """The row of the table, as far as a store can tell it."""
    row = dict(COUNTS[name])
    if name == "odd/all-fields-1.36.json":  # one container in three states at once, of which one is kept
        row["state running/waiting/terminated"] = "0/0/1"
    row["phases"] = row["phases"] or "-"
    finished = row.get("finished instances over all versions")
    if name.startswith("derived/watch") and finished:  # a watch tells all versions, a list the last one
        row["finished instances (state + lastState, distinct)"] = finished
    return row


async def load_into(database: Path, *paths: Path, address: Address = WHOLE) -> Summary:
    async with opened(f"sqlite:///{database}") as store:
        return await load(store, *paths, address=address)


@pytest.mark.parametrize("name", COUNTS)
async def test_a_real_input_leaves_exactly_what_was_counted(name: str, database: Path) -> None:
    summary = await load_into(database, DATA / name)
    expected, found = expected_counts(name), counted(database)

    assert {key: expected[key] for key in found if key in expected} == {
        key: value for key, value in found.items() if key in expected
    }
    assert expected["pods"] == summary.pods == summary.upserted
    assert expected["pod records"] == summary.records
    assert expected.get("static pods skipped by default", 0) == summary.skipped.get("static", 0)


@pytest.mark.parametrize("archived", [tar_of, zip_of])
@pytest.mark.parametrize("name", FOLDERS)
async def test_an_archive_leaves_the_store_that_its_folder_leaves(
    name: str, archived: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    from_folder = await load_into(tmp_path / "folder.db", DATA / name)
    from_archive = await load_into(tmp_path / "archive.db", archived(DATA / name, tmp_path / "input"))

    assert from_folder == from_archive
    assert contents(tmp_path / "folder.db") == contents(tmp_path / "archive.db")


@pytest.mark.parametrize("name", [name for name, row in COUNTS.items() if "kube-system uid" in row])
async def test_a_real_input_tells_its_cluster(name: str, store: Store) -> None:
    summary = await load(store, DATA / name, address=Address(register="told"))

    assert COUNTS[name]["kube-system uid"] == summary.cluster_id


async def test_every_store_holds_the_same_pods(tmp_path: Path) -> None:
    found = []
    for url in ("memory:", f"sqlite:///{tmp_path}/x.db"):
        async with opened(url) as store:
            await load(store, *(DATA / name for name in FOLDERS), address=WHOLE)
            found.append(await messages(store))

    assert found[0] == found[1]


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
    records = [{"kind": "Service", "metadata": {}}, {"kind": "Secret"}, {"kind": "Secret"}, {"a": 1}, pod()]

    summary = await load(store, records)

    assert summary.ignored == {"": 1, "Service": 1, "Secret": 2}
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
    with pytest.raises(BadInput, match=r"^no pod, owner or namespace in standard input; --allow-empty accepts that$"):
        await load(store, empty)

    summary = await load(store, empty, allow_empty=True)

    assert summary.pods == 0
    assert await store.clusters() == []


async def test_an_empty_input_is_told_with_its_paths(tmp_path: Path, store: Store) -> None:
    paths = [tmp_path / name for name in "abcde"]
    for path in paths:
        path.mkdir()

    with pytest.raises(BadInput) as caught:
        await load(store, *paths)

    assert caught.value.message == (
        f"no pod, owner or namespace in {paths[0]}, {paths[1]}, {paths[2]} and 2 more; --allow-empty accepts that"
    )


async def test_more_pods_than_the_cap_are_refused(database: Path) -> None:
    records = [pod(f"web-{number}", uid=f"u{number}") for number in range(6)]
    async with opened(f"sqlite:///{database}") as store:
        assert (await load(store, records, limits=Limits(pods=6))).pods == 6

        with pytest.raises(BadInput, match=r"^standard input: the input holds more than 5 pods; import it in parts$"):
            await load(store, [*records, pod("more")], limits=Limits(pods=5))
        assert len(await pods(store)) == 6


async def test_pods_of_a_megabyte_go_through(store: Store) -> None:
    """What is read of them is staged by size, not only by number."""
    labels = {f"key-{number}": "v" * 60 for number in range(14_000)}
    records = [pod(f"web-{number}", uid=f"u{number}", labels=labels) for number in range(12)]

    summary = await load(store, b"\n".join(json.dumps(record).encode() for record in records))

    assert summary.upserted == 12
    assert len(await pods(store)) == 12


async def test_two_clusters_in_one_input_are_both_named(store: Store) -> None:
    with pytest.raises(BadInput) as caught:
        await load(store, DATA / "must-gather", DATA / "cluster-list", address=Address(register="two"))

    assert caught.value.message == (
        f"the input holds several clusters ({IDENTITY}, ed857a61-3a37-4aac-89b6-09fcf597394a); import them one by one"
    )
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
        "clusters": {OTHER: "prod"},
        "pods": 1,
        "upserted": 1,
        "unchanged": 0,
        "tombstoned": 0,
        "records": 1,
        "workloads": 0,
        "skipped": {},
        "owners": {"resolved": 0, "unresolved": 0},
        "guessed": 0,
        "ignored": {},
        "clashes": 0,
        "unannotated": 0,
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
        while not ((tally.sunk and tally.sunk.upserted) or importing.done()):
            await asyncio.sleep(0)
        await store.take(parse_uuid(OTHER), b"other".ljust(16))

        with pytest.raises(Fenced):
            await importing
        assert tally.sunk is not None
        assert 0 < len(await pods(store)) == tally.sunk.upserted < 2000

    assert contents(database)["staging"] == []


# ------------------------------------------------------------------------------------------------ watches


def watched(*versions: tuple[str, dict[str, Any]]) -> bytes:
    """Events of a watch, one per line."""
    return b"".join(json.dumps({"type": kind, "object": version}).encode() + b"\n" for kind, version in versions)


def ran(version: int, *runs: str, current: str = "now", uid: str = "u1") -> dict[str, Any]:
    """A version of a pod; the last of `runs` is what its container did before."""
    ended = {"startedAt": "2024-03-01T08:00:00Z", "finishedAt": "2024-03-01T09:00:00Z", "exitCode": 1}
    last = {"terminated": {**ended, "containerID": f"containerd://{runs[-1]}"}} if runs else {}
    state = {"running": {"startedAt": "2024-03-01T10:00:00Z"}}
    status = {"name": "web", "containerID": f"containerd://{current}", "state": state, "lastState": last}
    found = pod(uid=uid, version=str(version))
    return {**found, "status": {"phase": "Running", "containerStatuses": [status]}}


def shown_runs(found: Pod) -> list[str]:
    return [instance.instance_id.id for bucket in found.terminated_instances for instance in bucket.instances]


async def test_a_watch_keeps_the_runs_of_all_versions(store: Store) -> None:
    summary = await load(store, watched(("ADDED", ran(1, "a")), ("MODIFIED", ran(2, "b")), ("MODIFIED", ran(3, "c"))))
    (found,) = await pods(store)

    assert shown_runs(found) == ["a", "b", "c"]
    assert (summary.records, summary.pods, summary.upserted) == (3, 1, 1)


async def test_a_pod_that_a_watch_saw_deleted_leaves_a_tombstone_with_its_final_record(database: Path) -> None:
    events = [("ADDED", ran(1, "a")), ("MODIFIED", ran(2, "b")), ("DELETED", ran(9, "c", current="last"))]
    async with opened(f"sqlite:///{database}") as store:
        summary = await load(store, watched(*events))

        assert await pods(store) == []
        assert (summary.pods, summary.upserted, summary.tombstoned) == (1, 0, 1)
    ((reason, message, side),) = rows(database, "SELECT reason, blob, side FROM tombstones")
    final = unpacked(message, side).pod

    assert reason == "event"
    assert shown_runs(final) == ["a", "b", "c"]
    assert [instance.instance_id.id for instance in final.live_instances] == ["last"]
    assert rows(database, "SELECT count(*) FROM finished_runs") == [(3,)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize(
    ("listed", "alive", "runs"),
    [
        (ran(5, "m", current="listed"), ["now"], ["a", "m", "c"]),
        (ran(12, "m", current="listed"), ["listed"], ["a", "c", "m"]),
    ],
)
async def test_a_list_stands_where_its_version_says(
    listed: dict[str, Any], alive: list[str], runs: list[str], order: tuple[int, int], tmp_path: Path, store: Store
) -> None:
    """Whether it comes before or after the watch; its runs are kept like those of any version."""
    (tmp_path / f"{order[0]}.json").write_text(json.dumps([listed]))
    (tmp_path / f"{order[1]}.ndjson").write_bytes(watched(("ADDED", ran(1, "a")), ("MODIFIED", ran(9, "c"))))

    summary = await load(store, tmp_path)
    (found,) = await pods(store)

    assert alive == [instance.instance_id.id for instance in found.live_instances]
    assert runs == shown_runs(found)
    assert (summary.pods, summary.records) == (1, 3)


@pytest.mark.parametrize(("version", "alive"), [(5, 0), (12, 1)])
async def test_only_a_list_that_is_newer_brings_a_deleted_pod_back(version: int, alive: int, store: Store) -> None:
    listed = json.dumps(ran(version)).encode() + b"\n"

    await load(store, listed + watched(("ADDED", ran(1, "a")), ("DELETED", ran(9, "b"))))

    assert alive == len(await pods(store))


async def test_recordings_may_come_in_any_order_and_overlap(store: Store) -> None:
    events = [("ADDED", ran(1, "a")), ("MODIFIED", ran(2, "b")), ("MODIFIED", ran(3, "c"))]

    await load(store, watched(*events[1:]) + watched(*events[:2]))

    assert [shown_runs(found) for found in await pods(store)] == [["a", "b", "c"]]


async def test_a_version_without_a_number_follows_the_one_before_it(store: Store) -> None:
    unnumbered = ran(0, "b", current="second")
    unnumbered["metadata"]["resourceVersion"] = ""

    await load(store, watched(("ADDED", ran(7, "a", current="first")), ("MODIFIED", unnumbered)))
    (found,) = await pods(store)

    assert [instance.instance_id.id for instance in found.live_instances] == ["second"]
    assert shown_runs(found) == ["a", "b"]


async def test_marks_and_errors_of_a_watch_are_counted_and_left_alone(store: Store) -> None:
    bookmark = {"kind": "Pod", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "spec": {"containers": None}}
    status = {"kind": "Status", "status": "Failure", "code": 410}

    summary = await load(store, watched(("BOOKMARK", bookmark), ("ADDED", ran(1)), ("ERROR", status), ("NEWS", status)))

    assert summary.ignored == {"BOOKMARK": 1, "ERROR": 1, "NEWS": 1}
    assert summary.skipped == {}
    assert summary.pods == 1


async def test_a_malformed_version_is_skipped_and_the_others_count(store: Store) -> None:
    broken = ran(2, "b")
    broken["metadata"]["creationTimestamp"] = "yesterday"

    summary = await load(store, watched(("ADDED", ran(1, "a")), ("MODIFIED", broken), ("MODIFIED", ran(3, "c"))))

    assert [shown_runs(found) for found in await pods(store)] == [["a", "c"]]
    assert summary.skipped == {"malformed": 1}


async def test_owners_and_namespaces_may_come_by_a_watch(database: Path) -> None:
    owned = pod(owner=reference("ReplicaSet", "web-abc", "rs"))
    replica_set = owner("ReplicaSet", "web-abc", "rs", reference("Deployment", "web", OTHER))
    async with opened(f"sqlite:///{database}") as store:
        await load(store, [namespace("shop", IDENTITY), namespace("gone", OTHER)])
        events = [("DELETED", replica_set), ("DELETED", {**namespace("gone", OTHER)}), ("ADDED", owned)]

        await load(store, watched(*events), address=Address(cluster="prod"))

        assert [found.deployment_id for found in await pods(store)] == [OTHER]
    assert rows(database, "SELECT name FROM namespaces") == [("shop",)]


async def test_the_recorded_watch_leaves_what_the_recorded_list_shows(store: Store) -> None:
    """3,075 events of a real server, then its own list of what is there."""
    summary = await load(store, RECORDED / "bulk" / "pods-watch.ndjson.gz")
    pages = [json.loads(body(f"bulk/pods-limit100-page{number}.json.gz"))["items"] for number in (1, 2, 3)]
    (status,) = await store.clusters()

    assert {pod_id(item["metadata"]["uid"]) for page in pages for item in page} == {
        found.id for found in await pods(store)
    }
    assert (summary.records, summary.pods, summary.upserted) == (3075, 420, 233)
    assert (status.pods, status.tombstones) == (233, 187)


async def test_recorded_list_and_watch_together_leave_what_the_watch_leaves(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    for number in (1, 2, 3):
        name = f"pods-limit100-page{number}.json"
        (pages / name).write_bytes(body(f"bulk/{name}.gz"))
    watch = RECORDED / "bulk" / "pods-watch.ndjson.gz"

    await load_into(tmp_path / "watch.db", watch)
    await load_into(tmp_path / "both.db", pages, watch)

    assert contents(tmp_path / "watch.db") == contents(tmp_path / "both.db")


async def test_what_kubectl_writes_is_read_in_every_form(tmp_path: Path) -> None:
    """A list as JSON and as YAML, and a watch that begins with all pods as ADDED."""
    found = []
    for name in ("kubectl-list.json.gz", "kubectl-pods.yaml.gz", "kubectl-watch.ndjson.gz"):
        async with opened("memory:") as store:
            await load(store, RECORDED / "import" / name, address=WHOLE)
            found.append([(each.id, each.name, shown_runs(each)) for each in await pods(store)])

    assert len(found[0]) == 16
    assert found[0] == found[1] == found[2]


async def test_lives_of_pods_and_the_end_of_a_watch_are_read_as_recorded(store: Store) -> None:
    lines = (
        body("watches/pods-life.json.gz") + body("watches/pods-bookmarks.json") + body("errors/410-watch-old-rv.json")
    )

    summary = await load(store, lines)
    (status,) = await store.clusters()
    alive = [found.name for found in await pods(store)]

    assert summary.skipped == {}
    assert summary.ignored["ERROR"] == 1
    assert summary.ignored["BOOKMARK"] > 0
    assert status.tombstones == summary.pods - len(alive)
    assert "db-0" in alive


async def test_importing_a_watch_twice_leaves_the_same_store(tmp_path: Path, database: Path) -> None:
    watch = DATA / "derived" / "watch-frames-kind-1.14.ndjson"
    await load_into(database, watch)
    before = contents(database)

    await load_into(database, watch)

    assert before == contents(database)


# --------------------------------------------------------------------------------------- mode `stackrox`


async def test_in_stackrox_mode_a_finished_bare_pod_is_gone() -> None:
    """Also one that nobody has seen running; and it stays gone."""
    async with opened("memory:", merge_mode="stackrox") as store:
        await load(store, [pod(), pod("done", uid="u2")], merge_mode="stackrox")
        finished = [pod(name, uid=uid) for name, uid in (("done", "u2"), ("unseen", "u3"))]
        for each in finished:
            each["status"]["phase"] = "Succeeded"
        await load(store, finished, merge_mode="stackrox")
        again = await load(store, finished, merge_mode="stackrox")
        (status,) = await store.clusters()

        assert [found.name for found in await pods(store)] == ["web-1"]
        assert again.tombstoned == 0
        assert status.tombstones == 2


async def test_in_stackrox_mode_a_pod_with_several_tops_is_left_out() -> None:
    torn = pod()
    torn["metadata"]["ownerReferences"] = [reference("Deployment", "a", "a"), reference("Deployment", "b", "b")]
    async with opened("memory:", merge_mode="stackrox") as store:
        summary = await load(store, torn, merge_mode="stackrox")

        assert await pods(store) == []
        assert summary.skipped == {"several_owners": 1}


async def test_in_stackrox_mode_every_version_of_a_watch_is_written_by_itself() -> None:
    """The incumbent sees all events; a container that ends leaves by the next one."""
    events = []
    for version in (1, 2, 3):
        each = ran(version, current=f"run-{version}")
        each["status"]["containerStatuses"][0]["state"] = {"terminated": {"exitCode": 1, "finishedAt": None}}
        events.append(("MODIFIED", each))
    async with opened("memory:", merge_mode="stackrox") as store:
        await load(store, watched(*events, ("MODIFIED", ran(4))), merge_mode="stackrox")
        (found,) = await pods(store)
        await load(store, watched(("DELETED", ran(5))), merge_mode="stackrox")

        assert shown_runs(found) == ["run-2", "run-3"]
        assert [instance.instance_id.id for instance in found.live_instances] == ["now"]
        assert await pods(store) == []
