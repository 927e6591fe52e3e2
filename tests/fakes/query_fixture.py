"""Rows for the meaning of queries: tables in memory, the fleet of the vector file, the sample of the specification."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podledger.pods.identity import uuid_or_none

VECTORS = json.loads((Path(__file__).resolve().parents[1] / "data" / "query.json").read_text("utf-8"))
GROUPS = {group["group"]: group["cases"] for group in VECTORS["groups"]}

RELATIONS: Mapping[str, Sequence[tuple[str, str]]] = {
    "deployments": [("deploymentid", "id")],
    "deployments_containers": [("deploymentid", "deployments_id")],
    "deployments_ports": [("deploymentid", "deployments_id")],
    "pods_live_instances": [("id", "pods_id"), ("clusterid", "pods_clusterid")],
    "listening_endpoints": [("id", "poduid")],
    "process_indicators": [("deploymentid", "deploymentid")],
    "deployments_containers_envs": [("deployments_id", "deployments_id"), ("idx", "deployments_containers_idx")],
    "deployments_ports_exposure_infos": [("deployments_id", "deployments_id"), ("idx", "deployments_ports_idx")],
    "namespaces": [("namespaceid", "id")],
    "clusters": [("clusterid", "id")],
}
"""Table -> pairs of (column of the table before it, column here)."""


@dataclass
class Tables:
    """Tables in memory, joined by `RELATIONS`; a table without rows is empty."""

    pods: list[dict[str, Any]] = field(default_factory=list)
    others: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def rows(self, table: str, parent: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not self.others.get(table):
            return []
        on = RELATIONS[table]
        return [row for row in self.others[table] if all(self._joins(parent.get(a), row.get(b), b) for a, b in on)]

    @staticmethod
    def _joins(left: Any, right: Any, column: str) -> bool:
        if column == "pods_clusterid":  # a live instance belongs to its pod, also to one of no cluster
            return left == right
        return left is not None and left == right

    def add(self, table: str, row: dict[str, Any]) -> None:
        self.others.setdefault(table, []).append(row)

    def add_pod(self, row: dict[str, Any], digests: Sequence[str]) -> None:
        self.pods.append(row)
        for digest in digests:
            self.add(
                "pods_live_instances",
                {"pods_id": row["id"], "pods_clusterid": row["clusterid"], "imagedigest": digest},
            )


def uid(text: str) -> bytes | None:
    return uuid_or_none(text)


def instant(text: str) -> int:
    """Microseconds of an ISO date and time in UTC."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def vector_fleet() -> Tables:
    """The fixture of the vector file as rows."""
    fixture, tables = VECTORS["fixture"], Tables()
    for cluster in fixture["clusters"]:
        tables.add("clusters", {"id": uid(cluster["id"]), "labels": {}})
    for namespace in fixture["namespaces"]:
        tables.add(
            "namespaces",
            {
                "id": uid(namespace["id"]),
                "clusterid": uid(namespace["cluster_id"]),
                "labels": namespace["labels"],
                "annotations": {},
            },
        )
    for deployment in fixture["deployments"]:
        tables.add("deployments", _vector_deployment(deployment))
    for container in fixture["deployment_containers"]:
        tables.add("deployments_containers", _vector_container(container))
    for pod in fixture["pods"]:
        tables.add_pod(
            {
                "id": uid(pod["id"]),
                "name": pod["name"],
                "deploymentid": uid(pod["deploymentId"]),
                "namespace": pod["namespace"],
                "clusterid": uid(pod["clusterId"]),
            },
            [live.get("imageDigest", "") for live in pod.get("liveInstances", [])],
        )
    return tables


def _vector_deployment(entry: Mapping[str, Any]) -> dict[str, Any]:
    secrets = entry["image_pull_secrets"]
    return {
        "id": uid(entry["id"]),
        "name": entry["name"],
        "type": entry["type"],
        "namespaceid": uid(entry["namespace_id"]),
        "clustername": entry["cluster_name"],
        "labels": entry["labels"],
        "podlabels": entry["pod_labels"],
        "annotations": entry["annotations"],
        "created": instant(entry["created"]),
        "riskscore": entry["risk_score"],
        "serviceaccount": entry["service_account"],
        "serviceaccountpermissionlevel": entry["service_account_permission_level"],
        "orchestratorcomponent": entry["orchestrator_component"],
        "platformcomponent": entry["platform_component"],
        "imagepullsecrets": None if secrets is None else tuple(secrets),
    }


def _vector_container(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "deployments_id": uid(entry["deployment_id"]),
        "idx": entry["idx"],
        "image_name_fullname": entry["image_full_name"],
        "image_name_registry": entry["image_registry"],
        "image_name_remote": entry["image_remote"],
        "image_name_tag": entry["image_tag"],
        "image_id": entry["image_id"] or None,
        "securitycontext_privileged": entry["privileged"],
        "type": entry["type"],
        "resources_cpucoreslimit": entry["cpu_cores_limit"],
    }


# ------------------------------------------------------------------------ sample data of pod-service 15.2

SAMPLE_NOW = instant("2024-06-11T00:00:00Z")
NORTH, SOUTH = "c1000000-0000-4000-8000-00000000000a", "c2000000-0000-4000-8000-00000000000b"


def sample_id(letter: str, number: int) -> bytes:
    found = uid(f"{letter}{number}000000-0000-4000-8000-000000000000")
    assert found is not None
    return found


def sample() -> Tables:
    """The sample data of pod-service 15.2; pod Pn has the id en000000-…."""
    tables = Tables()
    north, south = uid(NORTH), uid(SOUTH)
    tables.add("clusters", {"id": north, "labels": {"region": "eu-1"}})
    tables.add("clusters", {"id": south, "labels": {"region": "us-2"}})
    for number, cluster, labels in (
        (1, north, {"tier": "retail", "owner": "Blue-Team"}),
        (2, north, {"tier": "finance"}),
        (3, south, {}),
    ):
        tables.add("namespaces", {"id": sample_id("f", number), "clusterid": cluster, "labels": labels})
    for row in _sample_workloads():
        tables.add("deployments", row)
    for row in _sample_containers():
        tables.add("deployments_containers", row)
    for number, name, workload, namespace, cluster, digests in (
        (1, "cart-a1", 1, "shop", north, ["sha256:11", "sha256:22"]),
        (2, "cart-b2", 1, "shop", north, ["sha256:11"]),
        (3, "ledger-0", 2, "billing", north, ["sha256:33"]),
        (4, "agent-x", 3, "ops", south, [""]),
        (5, "lone-pod", 9, "shop", south, []),
        (6, "migrate-old", 0, "billing-archive", north, []),
        (7, "stray", 3, "ops", None, []),
    ):
        tables.add_pod(
            {
                "id": sample_id("e", number),
                "name": name,
                "deploymentid": sample_id("d", workload) if workload else None,
                "namespace": namespace,
                "clusterid": cluster,
            },
            digests,
        )
    return tables


def _sample_workloads() -> list[dict[str, Any]]:
    columns = [
        "name",
        "type",
        "clustername",
        "labels",
        "podlabels",
        "annotations",
        "created",
        "serviceaccount",
        "serviceaccountpermissionlevel",
        "imagepullsecrets",
        "riskscore",
        "platformcomponent",
    ]
    rows: list[tuple[Any, ...]] = [
        (
            "cart", "Deployment", "north", {"app": "cart", "release": "2024.1", "note": ""}, {"app": "cart"},
            {"contact": "Blue Team"}, "2024-05-10 08:00:00", "cart-sa", 2, ("reg-main", "reg-backup"), 3.5, False,
        ),
        (
            "ledger", "StatefulSet", "north", {"app": "ledger"}, {"app": "ledger", "shard": "a"},
            {}, "2024-06-01 00:00:00", "ledger", 3, None, 8.0, False,
        ),
        (
            "node-agent", "DaemonSet", "south", {}, {},
            {}, "2023-11-30 23:00:00", "Agent", 5, ("REG-MAIN",), 0.0, True,
        ),
    ]  # fmt: skip
    return [
        dict(zip(columns, row, strict=True))
        | {"id": sample_id("d", number), "namespaceid": sample_id("f", number), "created": instant(row[6])}
        for number, row in enumerate(rows, 1)
    ]


def _sample_containers() -> list[dict[str, Any]]:
    rows = [
        (1, 0, "shop/cart", "v2", False, 0, 0.75),
        (1, 1, "net/proxy_lite", "stable", True, 0, 0.25),
        (2, 0, "billing/ledger", "v10", False, 0, 2.0),
        (2, 1, "billing/ledger-init", "v10", False, 1, 0.0),
        (3, 0, "ops/agent", "v2", True, 0, 0.0),
    ]
    return [
        {
            "deployments_id": sample_id("d", workload),
            "idx": index,
            "image_name_registry": "registry.acme.io",
            "image_name_remote": remote,
            "image_name_tag": tag,
            "image_name_fullname": f"registry.acme.io/{remote}:{tag}",
            "securitycontext_privileged": privileged,
            "type": kind,
            "resources_cpucoreslimit": limit,
        }
        for workload, index, remote, tag, privileged, kind, limit in rows
    ]
