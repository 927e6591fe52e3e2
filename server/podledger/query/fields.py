"""The catalogue of search labels, and the tables they live in.

Read once from `search_fields.json`: 459 labels are known, 244 of them lead from a pod to a column.
`TABLES` says how the tables hang together; with it, the tables of a query's conditions and sort keys
give the joins (pod-service 5.2, `joining`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from podledger.query.texts import fold

Kind = Literal["string", "uuid", "numeric", "integer", "biginteger", "datetime", "bool", "enum", "stringarray", "map"]


@dataclass(frozen=True, slots=True)
class Field:
    """A label of the registry. `table`, `column` and `kind` are empty when it is unreachable."""

    label: str
    reachable: bool
    condition: bool
    """Reachable and not derived: may stand in a condition."""
    sortable: bool
    sort_as: str
    """Label whose column is really sorted; empty for the label's own."""
    sort_reversed: bool
    table: str
    column: str
    kind: Kind | Literal[""]
    derived: str
    derived_from: str
    enum: str
    """Path of the enum: key into `ENUMS`, and printed in error texts."""
    test_only: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the model and the one it is reached through; `pods` is the root, with parent ""."""

    name: str
    parent: str


def _load() -> tuple[dict[str, Field], dict[str, dict[str, int]]]:
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("search_fields.json").read_text("utf-8"))
    fields = [
        Field(
            label=entry["label"],
            reachable=entry["reachable"],
            condition=entry["condition"],
            sortable=entry["sortable"],
            sort_as=entry["sort_as"] or "",
            sort_reversed=entry["sort_reversed"],
            table=entry["table"] or "",
            column=entry["column"] or "",
            kind=entry["type"] or "",
            derived=entry["derived"] or "",
            derived_from=entry["derived_from"] or "",
            enum=entry["enum"] or "",
            test_only=entry["test_only"],
        )
        for entry in data["fields"]
    ]
    return {fold(entry.label): entry for entry in fields}, data["enums"]


FIELDS: Mapping[str, Field]
"""All known labels by lower-cased spelling."""
ENUMS: Mapping[str, Mapping[str, int]]
"""Enum path -> value name -> number."""
FIELDS, ENUMS = _load()


_PARENTS = {
    "pods": "",
    "deployments": "pods",
    "deployments_containers": "pods",  # by the pod's deployment id: the workload row is not needed
    "deployments_ports": "pods",
    "listening_endpoints": "pods",
    "pods_live_instances": "pods",
    "process_indicators": "pods",
    "deployments_containers_envs": "deployments_containers",
    "deployments_containers_secrets": "deployments_containers",
    "deployments_containers_volumes": "deployments_containers",
    "image_component_v2": "deployments_containers",  # by image id: the image row is not needed
    "image_cves_v2": "deployments_containers",
    "images": "deployments_containers",
    "images_layers": "deployments_containers",
    "images_v2": "deployments_containers",
    "deployments_ports_exposure_infos": "deployments_ports",
    "namespaces": "deployments",
    "cluster_cve_edges": "namespaces",  # by the namespace's cluster id: the cluster row is not needed
    "cluster_health_statuses": "namespaces",
    "clusters": "namespaces",
    "compliance_integrations": "namespaces",
    "compliance_operator_check_result_v2": "namespaces",
    "compliance_operator_cluster_scan_config_statuses": "namespaces",
    "compliance_operator_rule_v2": "namespaces",
    "compliance_operator_scan_setting_binding_v2": "namespaces",
    "compliance_operator_suite_v2": "namespaces",
    "nodes": "namespaces",
    "cluster_cves": "cluster_cve_edges",
    "compliance_operator_scan_v2": "compliance_operator_check_result_v2",
    "compliance_operator_profile_v2": "compliance_operator_scan_v2",
    "compliance_operator_report_snapshot_v2": "compliance_operator_cluster_scan_config_statuses",
    "compliance_operator_scan_configuration_v2": "compliance_operator_cluster_scan_config_statuses",
    "compliance_operator_scan_configuration_v2_notifiers": "compliance_operator_cluster_scan_config_statuses",
    "compliance_operator_scan_configuration_v2_profiles": "compliance_operator_cluster_scan_config_statuses",
    "report_configurations_notifiers": "compliance_operator_scan_configuration_v2_notifiers",
    "report_configurations": "report_configurations_notifiers",
    "report_snapshots": "report_configurations_notifiers",
    "compliance_operator_rule_v2_controls": "compliance_operator_rule_v2",
    "nodes_taints": "nodes",
    "node_component_edges": "nodes",
    "node_components_cves_edges": "node_component_edges",
    "node_cves": "node_components_cves_edges",
}

TABLES: Mapping[str, Table] = {name: Table(name, parent) for name, parent in _PARENTS.items()}
"""Every table that lies between a pod and a column; one that only passes a key through is left out
(pod-service 5.2). Tables without labels of their own stand here because a longer way leads through them."""


def find(label: str) -> Field | None:
    """The field of a label in any letter case; None when it is unknown."""
    return FIELDS.get(fold(label))


def field(label: str) -> Field:
    """The field of a registered label, in any letter case. Raises `KeyError`."""
    return FIELDS[fold(label)]
