"""Columns of the search model, and the attributes that hold their cells (pod-service 5.4 and 5.5).

One list for all engines: the one in memory makes its rows by it, the SQL engines have columns of these
names. A label gains data by an entry here. A table or column that is not told of is empty or NULL, and
known all the same (pod-service 5.9).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from podledger.pods.workloads import Workload

Columns = Mapping[str, str]
"""Column of the model -> attribute of the value."""

WORKLOAD: Final[Columns] = {
    "name": "name",
    "type": "type",
    "namespaceid": "namespace_id",
    "clustername": "cluster_name",
    "labels": "labels",
    "podlabels": "pod_labels",
    "annotations": "annotations",
    "created": "created",
    "hash": "hash",
    "serviceaccount": "service_account",
    "serviceaccountpermissionlevel": "service_account_permission_level",
    "imagepullsecrets": "image_pull_secrets",
    "riskscore": "risk_score",
    "orchestratorcomponent": "orchestrator_component",
    "platformcomponent": "platform_component",
}

CONTAINER: Final[Columns] = {
    "type": "type",
    "image_name_fullname": "image_full_name",
    "image_name_registry": "image_registry",
    "image_name_remote": "image_remote",
    "image_name_tag": "image_tag",
    "image_id": "image_id",
    "image_idv2": "image_id_v2",
    "securitycontext_privileged": "privileged",
    "securitycontext_readonlyrootfilesystem": "read_only_root",
    "securitycontext_addcapabilities": "add_capabilities",
    "securitycontext_dropcapabilities": "drop_capabilities",
    "resources_cpucoresrequest": "cpu_request",
    "resources_cpucoreslimit": "cpu_limit",
    "resources_memorymbrequest": "memory_request",
    "resources_memorymblimit": "memory_limit",
}

ENV: Final[Columns] = {"key": "key", "value": "value", "envvarsource": "source"}

VOLUME: Final[Columns] = {
    "name": "name",
    "source": "source",
    "destination": "destination",
    "type": "type",
    "readonly": "read_only",
}

SECRET: Final[Columns] = {"name": "name", "path": "path"}

PORT: Final[Columns] = {"exposure": "exposure"}

EXPOSURE: Final[Columns] = {
    "level": "level",
    "servicename": "service",
    "serviceport": "service_port",
    "nodeport": "node_port",
    "externalips": "external_ips",
    "externalhostnames": "external_hostnames",
}

NAMESPACE: Final[Columns] = {"labels": "labels", "annotations": "annotations"}

CLUSTER: Final[Columns] = {
    "labels": "labels",
    "type": "type",
    "status_providermetadata_cluster_type": "provider_type",
    "status_orchestratormetadata_version": "kubernetes_version",
}


def cells(columns: Columns, value: Any) -> dict[str, Any]:
    """The cells of a value by column."""
    return {column: getattr(value, attribute) for column, attribute in columns.items()}


# ----------------------------------------------------------------------------------------------- children


@dataclass(frozen=True, slots=True)
class Child:
    """A table of rows below a workload, or below one of its children."""

    table: str
    """In the model."""
    attribute: str
    """Of the value above: where the rows come from, in order."""
    columns: Columns
    position: str = "position"
    """Column of the place among its sisters, from 0, in SQL."""
    below: tuple[Child, ...] = ()


CHILDREN: Final = (
    Child(
        "deployments_containers",
        "containers",
        CONTAINER,
        position="container",
        below=(
            Child("deployments_containers_envs", "envs", ENV),
            Child("deployments_containers_volumes", "volumes", VOLUME),
            Child("deployments_containers_secrets", "secrets", SECRET),
        ),
    ),
    Child(
        "deployments_ports",
        "ports",
        PORT,
        position="port",
        below=(Child("deployments_ports_exposure_infos", "infos", EXPOSURE),),
    ),
)


def child_rows(workload: Workload) -> Iterator[tuple[Child, tuple[int, ...], Any]]:
    """All rows below a workload: their table, their place (from the outermost position), their value."""
    return _rows_below(workload, CHILDREN, ())


def _rows_below(
    value: Any, tables: tuple[Child, ...], place: tuple[int, ...]
) -> Iterator[tuple[Child, tuple[int, ...], Any]]:
    for child in tables:
        for position, row in enumerate(getattr(value, child.attribute)):
            yield child, (*place, position), row
            yield from _rows_below(row, child.below, (*place, position))
