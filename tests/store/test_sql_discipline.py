"""What schema and statements must not hold, so that one compiler serves several databases (operations 12)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from podledger.query.scope import UNRESTRICTED, Scope
from podledger.store import migrations
from podledger.store.contract import Checkpoint, Cluster, NamespaceUpdate, OwnerUpdate, Staged
from podledger.store.sqlite import SqliteStore
from podledger.store.sqlite_connecting import Session
from tests.fakes.store_pods import (
    NORTH,
    Hand,
    counted,
    found,
    instance,
    key,
    query,
    record,
    scanned,
    upsert,
)

FORBIDDEN = [
    r"pg_advisory", r"\bLISTEN\b", r"\bNOTIFY\b", r"\bTRIGGER\b", r"\bSEQUENCE\b", r"\bAUTOINCREMENT\b", r"\bSERIAL\b",
    r"\bEXCLUDE\b", r"\bDEFERR", r"\bDOMAIN\b", r"\b\w+RANGE\b", r"\bGIST\b", r"\bLOCK\s+TABLE\b",
    r"\bTEMP(ORARY)?\b", r"\bFOR\s+UPDATE\b", r"\bGROUPING\s+SETS\b", r"\bFOREIGN\s+DATA\b", r"\bPLPGSQL\b",
    r"\bDECLARE\b", r"\bCURSOR\b", r"\bSAVEPOINT\b", r"\bRELEASE\b", r"(?<![*])/(?![*])", r"\bRAND", r"\bCURRENT_TIME",
    r"\bREPLACE\b", r"(?<!WITHOUT )\bROWID\b", r"\bON\s+DELETE\b", r"\bATTACH\b",
]  # fmt: skip
"""Operations 12.8; and what hides a clock, an order or a write from us."""

SMALL_GLOBAL = {"clusters"}
"""Tables that may have unique indexes without a cluster (operations 12.2)."""
WITHOUT_CLUSTER = {"migrations", "clusters", "staging"}
"""No rows of a cluster's own: a stage belongs to an import before it knows clusters."""

SCHEMA = [migrations.record("sqlite"), *(step.sql for step in migrations.steps("sqlite"))]


def bare(sql: str) -> str:
    """A statement without its literals."""
    return re.sub(r"x?'[^']*'", "''", sql)


def broken_rules(sql: str) -> list[str]:
    return [rule for rule in FORBIDDEN if re.search(rule, bare(sql), re.IGNORECASE)]


# --------------------------------------------------------------------------------------------- schema


@pytest.mark.parametrize("sql", SCHEMA, ids=lambda sql: " ".join(sql.split()[:6]))
def test_a_step_of_the_schema_holds_nothing_forbidden(sql: str) -> None:
    """And can run again (operations 12.11)."""
    assert [] == broken_rules(sql)
    assert re.match(r"CREATE (TABLE|(UNIQUE )?INDEX) IF NOT EXISTS ", sql)


@pytest.mark.parametrize("sql", [sql for sql in SCHEMA if "TABLE" in sql], ids=lambda sql: sql.split()[5])
def test_a_table_is_strict_and_keyed_by_cluster(sql: str) -> None:
    """Large ones begin their key with the cluster; types are those of operations 12.6."""
    name = sql.split()[5]
    primary = re.search(r"PRIMARY KEY \(([^)]*)\)", sql)

    assert sql.endswith("STRICT, WITHOUT ROWID")
    assert set(re.findall(r"^\s+\w+ ([A-Z]+)", sql, re.MULTILINE)) - {"KEY"} <= {"BLOB", "TEXT", "INTEGER", "REAL"}
    if name not in WITHOUT_CLUSTER:
        assert "cluster_id BLOB NOT NULL" in sql
        assert primary is None or primary[1].startswith("cluster_id")


def test_unique_indexes_have_the_cluster() -> None:
    """But those of small global tables."""
    tables = [re.search(r"UNIQUE INDEX IF NOT EXISTS \w+ ON (\w+) \(([^)]*)\)", sql) for sql in SCHEMA]

    assert [] == [
        found[0] for found in tables if found and found[1] not in SMALL_GLOBAL and "cluster_id" not in found[2]
    ]


def test_text_has_no_collation_of_its_own() -> None:
    """Bytewise is what SQLite does when nothing is said."""
    assert [] == [sql for sql in SCHEMA if "COLLATE" in sql.upper()]


# ----------------------------------------------------------------------------------------- statements


@pytest.fixture(scope="module")
def statements(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Every statement that a store executes while it does all it can."""
    file = tmp_path_factory.mktemp("statements") / "store.db"
    with pytest.MonkeyPatch.context() as patch:
        return asyncio.run(_executed(file, patch))


async def _executed(file: Path, patch: pytest.MonkeyPatch) -> list[str]:
    seen: dict[str, None] = {}

    def note(_cursor: Any, sql: str, _arguments: Any) -> bool:
        seen[sql] = None
        return True

    made = Session.__init__

    def traced(session: Session, connection: Any) -> None:
        made(session, connection)
        connection.exec_trace = note

    patch.setattr(Session, "__init__", traced)
    store = SqliteStore(file)
    await store.open()
    await _write_everything(store)
    await _read_everything(store)
    await store.remove_cluster(NORTH)
    await store.close()
    return list(seen)


async def _write_everything(store: SqliteStore) -> None:
    hand = await Hand.take(store)
    finished = instance("app", "r1", started=1, finished=2)
    made = record(1, deployment=1, tracked_owner="rs", digests=["a"], live=[finished])
    owner = OwnerUpdate("rs", "d0000000-0000-0000-0000-000000000009", "Deployment", "web", "u")
    for name in ("shop", "ops"):
        await hand.apply(
            upserts=(upsert(made), upsert(record(2, namespace=name))),
            owners=(owner,),
            namespaces=(NamespaceUpdate("f1000000-0000-4000-8000-000000000000", name, gone=name == "ops"),),
            checkpoint=Checkpoint(b"e", 1),
        )
        await hand.put(record(2, namespace=name), record(3, phase=name))
    await hand.remove(1, 2, 9)
    await hand.put(made)
    await store.put_cluster(Cluster(NORTH, "renamed"))
    await store.stage("s", [Staged("k", "a", "1", "n", b"")])
    await store.staged("s", "k")
    await store.unstage("s")
    await store.checkpoint(NORTH)
    await store.ready()


TEXTS = [
    "",
    "Pod Name:a,!b,r/c,!r/d",
    'Pod Name:"a"',
    "Namespace:a,-",
    "Cluster ID:*",
    "Cluster:-,a",
    "Cluster:a",
    "Deployment:a+Namespace Label:b=c",
    "Namespace Annotation:a=,!b=,r/c=!r/d,*",
    "Cluster Label:-+Namespace Label:-+Deployment:-",
    "Container Image Digest:a",
    'Container Image Digest:"a"',
    "Pod ID:e0000000-0000-0000-0000-000000000001",
    "Pod ID:r/e0",
    "Deployment ID:*,-",
    "CVE:-",
]


async def _read_everything(store: SqliteStore) -> None:
    scopes = [
        UNRESTRICTED,
        Scope(clusters={NORTH: None}),
        Scope(clusters={NORTH: frozenset({"shop"}), bytes(15) + b"1": None}),
    ]
    for text in TEXTS:
        for scope in scopes:
            await found(store, text, "Pod Name", "-Cluster", "Container Image Digest", "-Namespace ID", scope=scope)
            await found(store, text, scope=scope)
            await scanned(store, query(text), scope=scope)
            await counted(store, text, scope=scope, at_most=5)
    await store.reader(UNRESTRICTED).get(key(1))


def test_no_statement_holds_anything_forbidden(statements: list[str]) -> None:
    """Reads, writes, upkeep; more than a hundred of them."""
    assert len(statements) > 100
    assert {} == {sql: rules for sql in statements if (rules := broken_rules(sql))}


def test_nothing_from_outside_is_part_of_a_statement(statements: list[str]) -> None:
    """Literals are those of the program: the key of no cluster, the escape of LIKE, empty values."""
    literals = {literal for sql in statements for literal in re.findall(r"x?'[^']*'", sql)}

    assert {"x'00000000000000000000000000000000'", "'\\'", "x''", "'{}'"} >= literals


def test_no_statement_changes_a_cluster_id(statements: list[str]) -> None:
    """A key never changes (operations 12.1)."""
    updates = [sql for sql in statements if re.search(r"\bSET\b", sql)]

    assert updates
    assert [] == [sql for sql in updates if re.search(r"(SET|,)\s*(cluster_)?id\s*=", sql)]


def test_every_write_of_cluster_rows_names_the_cluster(statements: list[str]) -> None:
    """In its key, or in its condition."""
    writes = [sql for sql in statements if sql.startswith(("INSERT", "UPDATE", "DELETE"))]
    own = [sql for sql in writes if not re.search(r"\b(clusters|staging|migrations)\b", sql)]

    assert len(own) > 15
    assert [] == [sql for sql in own if "cluster_id" not in sql]


def test_the_rules_convict_what_they_forbid() -> None:
    """Each kind once."""
    guilty = ["SELECT 1 / 2", "SAVEPOINT a", "SELECT a FROM b FOR UPDATE", "CREATE TRIGGER a", "CREATE TEMP TABLE a"]

    assert all(broken_rules(sql) for sql in guilty)
    assert [] == broken_rules("SELECT 'a/b', x'00' FROM \"t\"")
