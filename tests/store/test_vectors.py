"""The vector file over every engine: pages, order, scope, exports, counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from podledger.errors import InvalidRequest
from podledger.query import paging, parsing
from podledger.query.paging import Paging
from podledger.query.scope import UNRESTRICTED, Scope
from podledger.query.syntax import Query
from podledger.store.contract import Store
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.query_fixture import GROUPS, instant, uid
from tests.fakes.store_vectors import put_vectors

NOW = instant("2026-08-22T00:00:00Z")


def meaning(case: Mapping[str, Any]) -> tuple[Query, Paging]:
    query = parsing.parse(case["query"], now=NOW)
    return query, paging.order(paging.window(ParseDict(case.get("pagination", {}), Pagination())))


def is_asked(case: Mapping[str, Any]) -> bool:
    """Whether it reaches a store; errors of the language and of paging are tested there."""
    try:
        meaning(case)
    except InvalidRequest:
        return False
    return "error" not in case["expect"]


def cases(group: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in GROUPS[group] if is_asked(case)]


@pytest.fixture
async def vectors(store: Store) -> Store:
    await put_vectors(store)
    return store


def names(messages: tuple[bytes, ...] | list[bytes]) -> list[str]:
    return [Pod.FromString(message).name for message in messages]


async def page(store: Store, query: Query, asked: Paging, scope: Scope = UNRESTRICTED) -> list[str]:
    return names((await store.reader(scope).page(query, asked)).messages)


async def export(store: Store, query: Query, scope: Scope = UNRESTRICTED) -> list[str]:
    return names([message async for chunk in store.reader(scope).scan(query) for message in chunk.messages])


@pytest.mark.parametrize("case", cases("get_pods_query"))
async def test_a_query_finds_these_pods(vectors: Store, case: Mapping[str, Any]) -> None:
    """Pages, exports and counts agree."""
    query, asked = meaning(case)
    expected = sorted(case["expect"]["pods"])

    assert expected == sorted(await page(vectors, query, asked))
    assert expected == sorted(await export(vectors, query))
    assert len(expected) == (await vectors.reader(UNRESTRICTED).count(query, at_most=None)).value


@pytest.mark.parametrize("case", cases("get_pods_page"))
async def test_a_page_has_this_order(vectors: Store, case: Mapping[str, Any]) -> None:
    """Pods of one group have equal sort keys."""
    query, asked = meaning(case)
    found, expected = await page(vectors, query, asked), case["expect"]
    whole = await page(vectors, query, Paging(1000, 0, asked.order))

    assert expected["count"] == len(found)
    assert found == whole[asked.offset :][: asked.limit]
    if "order_groups" in expected:
        assert expected["order_groups"] == in_groups(found, expected["order_groups"])
    else:
        groups = expected["order_groups_before_paging"]
        assert groups == in_groups(whole, groups)


def in_groups(found: list[str], like: list[list[str]]) -> list[list[str]]:
    """The names cut into runs as long as the groups, each sorted."""
    remaining = iter(found)
    return [sorted(next(remaining) for _ in group) for group in like]


@pytest.mark.parametrize("case", cases("get_pods_scope"))
async def test_a_scope_hides_the_other_pods(vectors: Store, case: Mapping[str, Any]) -> None:
    """From pages, exports and counts."""
    scope = Scope(
        clusters={
            uid(entry["cluster_id"]) or b"": None if entry["namespaces"] == "*" else frozenset(entry["namespaces"])
            for entry in case["scope"]["clusters"]
        }
    )
    query, asked = meaning(case)
    expected = sorted(case["expect"]["pods"])

    assert expected == sorted(await page(vectors, query, asked, scope))
    assert expected == sorted(await export(vectors, query, scope))
    assert len(expected) == (await vectors.reader(scope).count(query, at_most=None)).value
