"""The tree of joins. What the joins mean for a pod is in `test_matching`."""

from __future__ import annotations

import pytest

from podledger.query import parsing
from podledger.query.joining import Join, join_tree
from tests.fakes.strategies import NOW


def tree(text: str, *also: str) -> str:
    """`pods(deployments?(namespaces?))`: a question mark is a left join."""
    query = parsing.parse(text, now=NOW)
    return shown(join_tree(query.conditions, also))


def shown(join: Join) -> str:
    behind = ",".join(map(shown, join.joins))
    return f"{join.table}{'?' if join.left and join.table != 'pods' else ''}" + (f"({behind})" if behind else "")


@pytest.mark.parametrize(
    ("text", "also", "expected"),
    [
        ("", [], "pods"),
        ("Pod Name:-", [], "pods"),
        ("", ["pods"], "pods"),
        ("Deployment:x", [], "pods(deployments)"),
        ("Deployment:-", [], "pods(deployments?)"),
        ('Deployment:"-"', [], "pods(deployments)"),
        ("Cluster ID:!-", [], "pods"),
        ("Namespace ID:!-", [], "pods(deployments)"),
        ("Deployment:x+Cluster:-", [], "pods(deployments?)"),
        ("Deployment Label:-", [], "pods(deployments?)"),
        ("Deployment:-", ["deployments"], "pods(deployments?)"),
        ("", ["deployments"], "pods(deployments)"),
        ("Image Tag:v2+Deployment:-", [], "pods(deployments?,deployments_containers)"),
        ("Namespace Label:x", [], "pods(deployments(namespaces))"),
        ("Namespace Label:-", [], "pods(deployments?(namespaces?))"),
        ("Deployment:-+Namespace Label:x", [], "pods(deployments(namespaces))"),
        ("Deployment:x+Namespace Label:-", [], "pods(deployments(namespaces?))"),
        ("Deployment:-+Namespace Label:-", [], "pods(deployments?(namespaces?))"),
        ("Cluster Label:-+Node:x", [], "pods(deployments(namespaces(clusters?,nodes)))"),
        ("Cluster Label:-+Node:-", [], "pods(deployments?(namespaces?(clusters?,nodes?)))"),
        ("Namespace Label:-", ["clusters"], "pods(deployments(namespaces(clusters)))"),
        ("CVE:-", [], "pods(deployments_containers?(image_cves_v2?))"),
        ("Environment Key:x+Image Tag:-", [], "pods(deployments_containers(deployments_containers_envs))"),
    ],
)
def test_a_query_joins_these_tables(text, also, expected):
    assert expected == tree(text, *also)


def test_conditions_stand_at_their_table():
    query = parsing.parse("Pod Name:a+Image Tag:b+image tag:c+Environment Key:d", now=NOW)
    root = join_tree(query.conditions)
    (containers,) = root.joins
    (environments,) = containers.joins

    assert [condition.spelling for condition in root.conditions] == ["Pod Name"]
    assert [condition.spelling for condition in containers.conditions] == ["Image Tag", "image tag"]
    assert [condition.spelling for condition in environments.conditions] == ["Environment Key"]
