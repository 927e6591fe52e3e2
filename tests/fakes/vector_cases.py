"""The cases of the vector file: which of them podledger departs from, and what the others expect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from podledger.query.scope import Scope
from tests.fakes.query_fixture import GROUPS, uid

REGEX_TEXT = "the text behind `error parsing regexp: ` is RE2's and not Go's (pod-service 14)"
DEVIATIONS = {
    "get_pods_query-018": REGEX_TEXT,
    "get_pods_query-328": REGEX_TEXT,
    "get_pods_query-339": REGEX_TEXT,
    "get_pods_query-321": "one text for `!!` on every column type (pod-service 14)",
    "fill_pagination-010": "a negative limit is refused (pod-service 14)",
    "parse-005": "an empty query matches every pod; there is no parser that refuses it (pod-service 3)",
}
"""Cases whose expectation podledger departs from on purpose: id -> reason."""


def kept(group: str) -> list[dict[str, Any]]:
    """The cases of a group that hold."""
    return [case for case in GROUPS[group] if case["id"] not in DEVIATIONS]


def deviation(identity: str) -> dict[str, Any]:
    """A case that does not hold."""
    assert identity in DEVIATIONS
    group = identity.rpartition("-")[0]
    return next(case for case in GROUPS[group] if case["id"] == identity)


def expected_error(case: dict[str, Any]) -> str:
    return case["expect"]["error"]["inner_message"]


def scope_of(case: dict[str, Any]) -> Scope:
    """The access scope of a case."""
    return Scope(
        clusters={
            uid(entry["cluster_id"]): None if entry["namespaces"] == "*" else frozenset(entry["namespaces"])
            for entry in case["scope"]["clusters"]
        }
    )


def in_groups(names: Sequence[str], like: Sequence[Sequence[str]]) -> list[list[str]]:
    """The names cut into runs as long as the groups, each sorted."""
    remaining = iter(names)
    return [sorted(next(remaining) for _ in group) for group in like]
