"""Random fleets and queries: every engine answers as the one in memory does, which asks `query.matching`.

First the comparison convicts engines with a planted mistake; one that cannot is worth nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from podledger.pods.identity import NO_CLUSTER, PodKey, uuid_text
from podledger.query import joining, parsing, patterns
from podledger.query.paging import Paging, SortKey
from podledger.query.scope import UNRESTRICTED, Scope
from podledger.query.syntax import Query
from podledger.store import sql, sqlite_connecting, sqlite_paths, sqlite_reading
from podledger.store.contract import Batch, Cluster, NamespaceUpdate, Page, Removal, Store, Upsert
from podledger.store.memory import MemoryStore
from podledger.store.sqlite import SqliteStore
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord, TopOwner
from podledger_protos.storage.deployment_pb2 import ContainerInstance, Pod
from tests.fakes import strategies

CLUSTERS = [NO_CLUSTER, *strategies.CLUSTERS]
SPACES = ["web", "WEB-1", "", "\u0130stanbul", "straße"]

# --------------------------------------------------------------------------------------------- fleets


names = st.one_of(st.sampled_from(strategies.WORDS), st.sampled_from(strategies.WORDS), strategies.texts)


@st.composite
def records(draw: st.DrawFn) -> PodRecord:
    """A pod of some cluster. Its owner, when it has one, tells the workload."""
    cluster, id_ = draw(st.sampled_from(CLUSTERS)), draw(st.sampled_from(strategies.PODS))
    deployment = draw(st.sampled_from([*strategies.DEPLOYMENTS, None]))
    digests = draw(st.lists(st.sampled_from(strategies.IMAGES), max_size=3))
    made = PodRecord(
        pod=Pod(
            id=uuid_text(id_),
            cluster_id=uuid_text(cluster) if cluster != NO_CLUSTER else "",
            name=draw(names),
            namespace=draw(st.sampled_from(SPACES)),
            deployment_id=uuid_text(deployment) if deployment else draw(st.sampled_from(["", "no uuid"])),
            live_instances=[ContainerInstance(image_digest=digest) for digest in digests],
        ),
        uid=uuid_text(id_),
    )
    made.pod.started.seconds = draw(st.integers(0, 2))
    if draw(st.booleans()):
        made.top_owner.CopyFrom(
            TopOwner(kind=draw(st.sampled_from(["Deployment", "Job"])), name=draw(strategies.texts))
        )
    return made


@dataclass(frozen=True)
class History:
    """What is written, batch by batch: pods that come and change, then pods that go."""

    names: tuple[str, ...]
    spaces: tuple[tuple[bytes, str, bytes], ...]
    batches: tuple[tuple[PodRecord, ...], ...]
    gone: tuple[PodKey, ...]


def histories() -> st.SearchStrategy[History]:
    keys = st.builds(PodKey, st.sampled_from(CLUSTERS), st.sampled_from(strategies.PODS))
    spaces = st.tuples(st.sampled_from(CLUSTERS), st.sampled_from(SPACES), st.sampled_from(strategies.NAMESPACES))
    return st.builds(
        History,
        st.lists(strategies.texts, unique=True, min_size=3, max_size=3).map(tuple),
        st.lists(spaces, max_size=3).map(tuple),
        st.lists(st.lists(records(), min_size=1, max_size=8).map(tuple), min_size=2, max_size=3).map(tuple),
        st.lists(keys, max_size=2).map(tuple),
    )


async def write(store: Store, history: History) -> None:
    """Begin anew and write it."""
    for cluster in CLUSTERS:
        await store.remove_cluster(cluster)
    for cluster, name in zip(strategies.CLUSTERS, history.names, strict=True):
        await store.put_cluster(Cluster(cluster, name))
    fences = {cluster: await store.take(cluster, b"") for cluster in CLUSTERS}
    for cluster in CLUSTERS:
        told = tuple(NamespaceUpdate(uuid_text(id_), name) for own, name, id_ in history.spaces if own == cluster)
        await store.apply(Batch(cluster, fences[cluster], namespaces=told))
        for batch in history.batches:
            own = [each for each in batch if (each.pod.cluster_id or uuid_text(NO_CLUSTER)) == uuid_text(cluster)]
            await store.apply(Batch(cluster, fences[cluster], upserts=tuple(Upsert(each, b"") for each in own)))
        gone = tuple(Removal(each.pod, "event") for each in history.gone if each.cluster == cluster)
        await store.apply(Batch(cluster, fences[cluster], removals=gone))


scopes = st.one_of(
    st.just(UNRESTRICTED),
    st.just(UNRESTRICTED),
    st.dictionaries(
        st.sampled_from(strategies.CLUSTERS),
        st.one_of(st.none(), st.frozensets(st.sampled_from(SPACES), max_size=3)),
        max_size=3,
    ).map(lambda clusters: Scope(clusters=clusters)),
)


@dataclass(frozen=True)
class Question:
    """A query with all that a reader may be asked beside it."""

    query: Query
    order: tuple[SortKey, ...]
    scope: Scope
    limit: int
    offset: int
    after: PodKey | None


LABELS = [*strategies.CONDITIONS, "Pod Name", "Deployment", "Cluster", "Namespace"]
TEXT_LABELS = ["Pod Name", "Namespace", "Deployment", "Cluster", "Container Image Digest"]


DASHES = ["", "Deployment:-", "Cluster:-", "Namespace ID:-", "Container Image Digest:-", "Deployment:-,web+Cluster:-"]


def _meaning(text: str) -> Query:
    return parsing.parse(text, now=strategies.NOW)


@st.composite
def telling(draw: st.DrawFn) -> Query:
    """One condition on a text, with a value that some cell begins with, in some letter case."""
    word = draw(st.sampled_from([word for word in strategies.WORDS + strategies.IMAGES if word]))
    part = word[: draw(st.integers(1, len(word)))]
    forms = [part, part.upper(), part.lower(), f'"{word}"', f"!{part}", f"r/{part[0]}", f"%{part[1:]}"]
    form = draw(st.sampled_from([form for form in forms if form not in {"r/*", "r/\\"}]))
    return _meaning(f"{draw(st.sampled_from(TEXT_LABELS))}:{form}")


def questions() -> st.SearchStrategy[Question]:
    return st.builds(
        Question,
        st.one_of(telling(), strategies.queries(LABELS), telling(), st.sampled_from(DASHES).map(_meaning)),
        strategies.orders(strategies.CONDITIONS),
        scopes,
        st.integers(1, 5),
        st.integers(0, 4),
        st.none() | st.builds(PodKey, st.sampled_from(CLUSTERS), st.sampled_from(strategies.PODS)),
    )


async def answers(store: Store, asked: Question) -> dict[str, Any]:
    """All that a store says to a question."""
    reader = store.reader(asked.scope)
    whole = await reader.page(asked.query, Paging(1000, 0, asked.order))
    part = await reader.page(asked.query, Paging(asked.limit, asked.offset, asked.order))
    scan = [chunk async for chunk in reader.scan(asked.query, after=asked.after, chunk_rows=asked.limit)]
    return {
        "whole": whole,
        "part": part,
        "scan": [message for chunk in scan for message in chunk.messages],
        "count": await reader.count(asked.query, at_most=None),
        "few": min((await reader.count(asked.query, at_most=asked.limit)).value, asked.limit),
    }


# ---------------------------------------------------------------------------------------- comparison


class Bench:
    """Two stores that are written and asked the same."""

    def __init__(self, runner: asyncio.Runner, file: Path) -> None:
        self._runner = runner
        self._memory, self._other = MemoryStore(), SqliteStore(file, synchronous="NORMAL", readers=1)
        runner.run(self._each("open"))

    async def _each(self, name: str) -> None:
        for store in (self._memory, self._other):
            await getattr(store, name)()

    def close(self) -> None:
        self._runner.run(self._each("close"))

    def write(self, history: History) -> None:
        for store in (self._memory, self._other):
            self._runner.run(write(store, history))

    def ask(self, asked: Question) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._runner.run(answers(self._memory, asked)), self._runner.run(answers(self._other, asked))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with asyncio.Runner() as runner:
        made = Bench(runner, tmp_path_factory.mktemp("oracle") / "store.db")
        yield made
        made.close()


CASES = st.tuples(histories(), st.lists(questions(), min_size=12, max_size=16))


def differs(bench: Bench, case: tuple[History, list[Question]]) -> bool:
    history, asked = case
    bench.write(history)
    return any(left != right for left, right in (bench.ask(each) for each in asked))


def _without_more(messages: tuple[bytes, ...], more: bool) -> Page:
    return Page(messages, more=False)


MUTANTS: dict[str, tuple[Any, str, Any]] = {
    "a dash joins inner": (sql, "_null_holds", lambda _: False),
    "a pod without a row satisfies everything": (sql, "_null_holds", lambda join: join.left),
    "NULLs come first": (sql.Compiler, "order", lambda self, query, order: sql.Sql("p.deploymentid DESC, p.id")),
    "the scope is forgotten": (sql.Compiler, "scope", lambda self, scope, alias="p": sql.TRUE),
    "LIKE of SQLite alone": (
        sqlite_paths.SqliteDialect,
        "like",
        lambda self, cell, pattern: sql.Sql(f"{cell} LIKE ? ESCAPE '\\'", (patterns.fold(pattern) + "%",)),
    ),
    "letter case counts": (
        sqlite_paths.SqliteDialect,
        "like",
        lambda self, cell, pattern: sql.Sql(f"{cell} GLOB ?", (pattern + "*",)),
    ),
    "names are looked up in lower case only": (sqlite_paths, "fold", lambda text: text.upper()),
    "more is always false": (sqlite_reading, "Page", _without_more),
    "conditions of one field are anded": (sql, "any_of", sql.all_of),
    "clusters are not told apart": (sql, "CLUSTER_KEY", "id"),
    "regular expressions are anchored": (
        sqlite_connecting,
        "regex_search",
        lambda regex, text: regex.fullmatch(text) is not None,
    ),
}


@pytest.mark.property
@pytest.mark.parametrize("name", MUTANTS)
def test_the_comparison_convicts_a_planted_mistake(name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a few cases, the same ones each time."""
    owner, attribute, mutant = MUTANTS[name]
    monkeypatch.setattr(owner, attribute, mutant)

    def is_seen(case: tuple[History, list[Question]]) -> bool:
        try:
            return differs(bench, case)
        except Exception:  # noqa: BLE001 - a mistake may show as an error too
            return True

    options = settings(max_examples=150, database=None, derandomize=True, deadline=None, phases=[Phase.generate])
    try:
        find(CASES, is_seen, settings=options)
    except NoSuchExample:
        pytest.fail("not seen")


@pytest.mark.property
@pytest.mark.parametrize(("few", "slice_rows"), [(4096, 16384), (1, 3)], ids=["by paths", "by walking"])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(case=CASES)
def test_sqlite_answers_as_memory_does(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, few: int, slice_rows: int, case: tuple[History, list[Question]]
) -> None:
    """Pages, windows, scans from anywhere, counts; in every scope and order; by indexes and without."""
    monkeypatch.setattr(sqlite_paths, "FEW", few)
    monkeypatch.setattr(sqlite_reading, "SLICE_ROWS", slice_rows)
    history, asked = case
    bench.write(history)

    for each in asked:
        expected, actual = bench.ask(each)
        assert expected == actual


def test_the_join_rule_is_the_one_of_the_queries() -> None:
    """The compiler builds on the same tree as the predicate, so neither has joins of its own."""
    assert sql.join_tree is joining.join_tree
