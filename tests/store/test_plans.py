"""Plans: the index that each named shape of a query uses (operations 12.12).

The functions that read are run, and every statement that they execute is explained.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from podledger.pods.identity import PodKey, uuid_text
from podledger.query.scope import UNRESTRICTED, Scope
from podledger.query.syntax import Query
from podledger.store import sqlite_paths
from podledger.store import sqlite_reading as reading
from podledger.store.sqlite import SqliteStore
from podledger.store.sqlite_connecting import Session, connect
from podledger.store.sqlite_writing import SqliteRows, staged
from tests.fakes.store_pods import NORTH, SOUTH, deployment_id, fill, pod_id, query, record, window

FEW = 100
"""In place of a number that would need thousands of pods here."""

FETCH = "SEARCH m USING PRIMARY KEY (cluster_id=? AND id=?)"
LOOK_UP = "SEARCH p USING COVERING INDEX pods_by_key (cluster_id=? AND id=?"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with pods enough that some conditions leave few of them and others many."""
    path = tmp_path_factory.mktemp("plans") / "store.db"
    pods = [
        record(
            n,
            cluster=cluster,
            namespace=f"ns{n % 10}",
            deployment=1 + n % 40,
            owner=("Deployment", f"web-{n % 40}"),
            digests=[f"sha256:{n % 50}"],
        )
        for cluster in (NORTH, SOUTH)
        for n in range(300)
    ]

    async def make() -> None:
        store = SqliteStore(path)
        await store.open()
        await fill(store, pods)
        await store.close()

    asyncio.run(make())
    return path


@pytest.fixture
def session(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setattr(sqlite_paths, "FEW", FEW)
    opened = connect(file, writes=False, synchronous="FULL")
    yield opened
    opened.close()


def plan(session: Session, job: Callable[[Session], Any]) -> list[list[str]]:
    """The plan of each statement that the job executes."""
    ran: list[tuple[str, Any]] = []

    def note(_cursor: Any, sql: str, arguments: Any) -> bool:
        ran.append((sql, arguments))
        return True

    session.connection.exec_trace = note
    session.run(job)
    session.connection.exec_trace = None
    explained = [(sql, arguments) for sql, arguments in ran if sql.startswith("SELECT")]
    return [[row[3] for row in session.connection.execute(f"EXPLAIN QUERY PLAN {sql}", a)] for sql, a in explained]


def page_plan(session: Session, text: str = "", *sort: str, scope: Scope = UNRESTRICTED) -> list[str]:
    """The plan of the page itself, which is the last statement."""
    return plan(session, lambda session: reading.page(session, query(text), scope, window(50, 0, *sort)))[-1]


def scan_plan(session: Session, text: str, scope: Scope = UNRESTRICTED) -> list[str]:
    """The plan of one step of a scan."""
    walk = reading.unfiltered_walk(scope) if not text else None
    walk = walk or session.run(lambda session: reading.filtered_walk(session, query(text), scope))
    position = reading.start(walk, PodKey(NORTH, pod_id(7)))
    assert position is not None
    return plan(session, lambda session: reading.chunk(session, walk, position, 64, 1 << 20))[0]


FEW_PODS = {
    "exact pod name": ('Pod Name:"pod-00001"', "SEARCH q USING COVERING INDEX pods_by_name (name>? AND name<?)"),
    "prefix of a pod name": ("Pod Name:pod-0001", "SEARCH q USING COVERING INDEX pods_by_name (name>? AND name<?)"),
    "prefix beyond ASCII": (
        "Pod Name:pod-0001é",
        "SEARCH q USING COVERING INDEX pods_by_folded_name (folded>? AND folded<?)",
    ),
    "two exact pod names": ('Pod Name:"a","b"', "SEARCH q USING COVERING INDEX pods_by_name (name>? AND name<?)"),
    "namespace": ("Namespace:ns1", "SEARCH q USING COVERING INDEX pods_by_namespace (cluster_id=? AND namespace=?)"),
    "exact namespace": (
        'Namespace:"ns1"',
        "SEARCH q USING COVERING INDEX pods_by_namespace (cluster_id=? AND namespace=?)",
    ),
    "namespace of a cluster": (
        'Namespace:"ns1","ns2"+Cluster:north',
        "SEARCH q USING COVERING INDEX pods_by_namespace (cluster_id=? AND namespace=?)",
    ),
    "deployment id": (
        f"Deployment ID:{uuid_text(deployment_id(1))}",
        "SEARCH q USING COVERING INDEX pods_by_deployment (deploymentid=?)",
    ),
    "exact digest": (
        'Container Image Digest:"sha256:1"',
        "SEARCH q USING COVERING INDEX live_instances_by_digest (imagedigest=?)",
    ),
    "pod id": (f"Pod ID:{uuid_text(pod_id(1))}", "SEARCH q USING COVERING INDEX pods_by_id (id=?)"),
    "workload": ('Deployment:"web-1"', "SEARCH q USING COVERING INDEX pods_by_deployment (deploymentid=?)"),
}


@pytest.mark.parametrize("shape", FEW_PODS)
def test_a_condition_that_leaves_few_pods_begins_at_its_index(session: Session, shape: str) -> None:
    """The pods are looked up by key, not walked; then their messages."""
    text, step = FEW_PODS[shape]
    found = page_plan(session, text)

    assert {step, FETCH} <= set(found)
    assert [line for line in found if line.startswith(LOOK_UP)]
    assert not [line for line in found if line.startswith(("SCAN p", "SCAN q", "SCAN m"))]


@pytest.mark.parametrize("shape", [shape for shape in FEW_PODS if shape != "workload"])
def test_a_step_of_a_scan_and_a_count_use_the_same_index(session: Session, shape: str) -> None:
    """But for workloads, whose ids must not be kept over a scan."""
    text, step = FEW_PODS[shape]
    (*_, counted) = plan(session, lambda session: reading.count(session, query(text), UNRESTRICTED, None))

    assert {step, FETCH} <= set(scan_plan(session, text))
    assert "SCAN p" not in " ".join(scan_plan(session, text))
    assert step in counted or counted == ["SCAN c"]


@pytest.mark.parametrize(
    ("text", "sort", "index"),
    [
        ("", (), "pods_by_deployment"),
        ("", ("Pod Name",), "pods_by_name"),
        ("Pod Name:pod", (), "pods_by_deployment"),
        ("Namespace:ns", (), "pods_by_deployment"),
        ("Namespace:ns", ("Pod Name",), "pods_by_name"),
        ("Deployment:-", (), "pods_by_deployment"),
        ("Cluster:north", (), "pods_by_deployment"),
        ("Container Image Digest:sha", (), "pods_by_deployment"),
    ],
)
def test_a_first_page_walks_the_index_that_has_its_order(
    session: Session, text: str, sort: tuple[str, ...], index: str
) -> None:
    """Nothing is sorted, so it ends with the last pod of the page."""
    found = page_plan(session, text, *sort)

    assert [line for line in found if line.startswith("SCAN p USING") and line.endswith(f"INDEX {index}")]
    assert not [line for line in found if "TEMP B-TREE" in line]
    assert FETCH in found


@pytest.mark.parametrize("sort", ["-Pod Name", "-Deployment ID", "Pod ID", "-Pod ID"])
def test_the_reverse_of_an_index_sorts_only_ties(session: Session, sort: str) -> None:
    """The pod id goes up all the same."""
    assert "USE TEMP B-TREE FOR LAST 3 TERMS OF ORDER BY" in page_plan(session, "", sort)


def test_an_export_is_one_walk_of_the_primary_key(session: Session) -> None:
    """With and without a scope of whole clusters."""
    assert ["SEARCH p USING PRIMARY KEY ((cluster_id,id)>(?,?))"] == scan_plan(session, "")
    assert ["SEARCH p USING PRIMARY KEY (cluster_id=? AND id>?)"] == scan_plan(
        session, "", Scope(clusters={NORTH: None})
    )


@pytest.mark.parametrize("text", ["Pod Name:%1", "Pod Name:r/1$", "Namespace:!x", "Deployment:-"])
def test_a_filtered_export_walks_keys_without_messages(session: Session, text: str) -> None:
    """And fetches those it keeps. Nothing is sorted."""
    found = scan_plan(session, text)

    assert "SEARCH p USING COVERING INDEX pods_by_key" in found[2]
    assert FETCH in found
    assert not [line for line in found if "TEMP B-TREE" in line]


def test_counts_of_namespaces_and_clusters_read_no_pods(session: Session) -> None:
    """The counters answer."""
    for text in ("", "Namespace:ns1", f"Cluster ID:{uuid_text(NORTH)}"):
        for scope in (UNRESTRICTED, Scope(clusters={NORTH: frozenset({"ns1"})})):
            plans = plan(session, partial(reading.count, query=query(text), scope=scope, at_most=None))
            assert " p " not in " ".join(line for lines in plans for line in lines)


def test_no_condition_needs_no_plan_but_its_page(session: Session) -> None:
    """The usual first page is one statement."""
    plans = plan(session, lambda session: reading.page(session, Query(), UNRESTRICTED, window(50)))

    assert 1 == len(plans)


def test_one_pod_is_one_look_up(session: Session) -> None:
    """By the primary key."""
    plans = plan(session, lambda session: reading.get(session, UNRESTRICTED, PodKey(NORTH, pod_id(1))))

    assert [["SEARCH pods USING PRIMARY KEY (cluster_id=? AND id=?)"]] == plans


def test_a_writer_looks_everything_up(session: Session) -> None:
    """Whatever a batch asks of its rows; no table is walked."""
    rows = SqliteRows(session, NORTH)
    id_ = deployment_id(1)
    asked: list[Callable[[Session], Any]] = [
        lambda _: list(rows.pods([pod_id(1)])),
        lambda _: list(rows.tombstones([pod_id(1)])),
        lambda _: list(rows.runs([pod_id(1)])),
        lambda _: rows.owned("rs-1"),
        lambda _: list(rows.workloads([id_])),
        lambda _: list(rows.workloads_in("shop")),
        lambda _: list(rows.members(id_)),
        lambda _: list(rows.namespaces(["shop"])),
        lambda _: rows.namespace(id_),
        lambda session: staged(session, "s", "k", "", 5),
    ]

    plans = [lines for job in asked for lines in plan(session, job)]

    assert len(asked) == len(plans)
    assert [] == [line for lines in plans for line in lines if not line.startswith("SEARCH")]
