"""Which pods a scope shows."""

from __future__ import annotations

import pytest

from podledger.query.scope import UNRESTRICTED, Scope
from tests.fakes.query_fixture import GROUPS, uid

NORTH, SOUTH = b"\x01" * 16, b"\x02" * 16
SCOPE = Scope(clusters={NORTH: frozenset({"shop", ""}), SOUTH: None})


@pytest.mark.parametrize(
    ("scope", "cluster", "namespace", "expected"),
    [
        (UNRESTRICTED, None, "", True),
        (UNRESTRICTED, NORTH, "x", True),
        (Scope(), NORTH, "shop", False),
        (Scope(), None, "", False),
        (SCOPE, NORTH, "shop", True),
        (SCOPE, NORTH, "", True),
        (SCOPE, NORTH, "Shop", False),
        (SCOPE, NORTH, "shopping", False),
        (SCOPE, SOUTH, "whatever", True),
        (SCOPE, None, "shop", False),
        (SCOPE, b"\x03" * 16, "shop", False),
        (Scope(clusters={NORTH: frozenset()}), NORTH, "shop", False),
    ],
)
def test_a_pod_is_seen_by_its_own_cluster_and_namespace(scope, cluster, namespace, expected):
    assert expected is scope.covers(cluster, namespace)


CLUSTERS = [f"aaaaaaaa-bbbb-4011-0000-{digit * 12}" for digit in "123"]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in GROUPS["scope_counts"]])
def test_pods_are_counted_per_cluster_and_namespace(case):
    """Three pods in each of three namespaces of three clusters."""
    asked = case["scope"]
    if "cluster_id" in asked:
        names = frozenset(asked["namespaces"]) if asked.get("namespaces") else None
        scope = Scope(clusters={uid(asked["cluster_id"]) or b"": names})
    else:
        scope = UNRESTRICTED
    counts: dict[str, dict[str, int]] = {}
    for cluster in CLUSTERS:
        seen = [name for name in ("namespaceA", "namespaceB", "namespaceC") if scope.covers(uid(cluster), name)]
        if seen:
            counts[cluster] = dict.fromkeys(seen, 3)

    assert case["expect"] == counts
