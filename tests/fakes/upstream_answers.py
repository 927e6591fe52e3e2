"""What a StackRox / RHACS installation answers: the fixture of the vector file, and the sample of the specification.

Four texts each, as `curl` or the command line would save them: export of pods, export of deployments,
namespaces, clusters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podledger.pods.identity import uuid_text
from tests.fakes.query_fixture import NORTH, SOUTH, VECTORS, sample, sample_id

Answers = Mapping[str, bytes]
"""Name of a file -> its text."""


def stream(kind: str, records: Iterable[Mapping[str, Any]]) -> bytes:
    """An export as REST sends it: a line per message."""
    return b"".join(json.dumps({"result": {kind: record}}).encode() + b"\n" for record in records)


def listing(kind: str, records: Iterable[Mapping[str, Any]]) -> bytes:
    return json.dumps({kind: [*records]}, indent=2).encode()


def write(answers: Answers, folder: Path) -> list[str]:
    """Write the files; gives their paths."""
    for name, text in answers.items():
        (folder / name).write_bytes(text)
    return [str(folder / name) for name in answers]


# ------------------------------------------------------------------------------------ the vector file


def vector_answers() -> Answers:
    """The fixture of the vector file. Empty lists are meant as such (`--keep-empty-lists`)."""
    fixture = VECTORS["fixture"]
    deployments = [_vector_deployment(entry, fixture["deployment_containers"]) for entry in fixture["deployments"]]
    return {
        "pods.json": stream("pod", fixture["pods"]),
        "deployments.json": stream("deployment", deployments),
        "namespaces.json": listing("namespaces", map(_vector_namespace, fixture["namespaces"])),
        "clusters.json": listing("clusters", fixture["clusters"]),
    }


def _vector_namespace(entry: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"id": entry["id"], "name": entry["name"], "clusterId": entry["cluster_id"], "labels": entry["labels"]}
    return {"metadata": metadata, "numDeployments": 1}


def _vector_deployment(entry: Mapping[str, Any], containers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    created = datetime.fromisoformat(entry["created"]).replace(tzinfo=UTC)
    return {
        "id": entry["id"],
        "name": entry["name"],
        "type": entry["type"],
        "namespace": entry["namespace"],
        "namespaceId": entry["namespace_id"],
        "clusterId": entry["cluster_id"],
        "clusterName": entry["cluster_name"],
        "labels": entry["labels"],
        "podLabels": entry["pod_labels"],
        "annotations": entry["annotations"],
        "created": created.isoformat().replace("+00:00", "Z"),
        "riskScore": entry["risk_score"],
        "serviceAccount": entry["service_account"],
        "serviceAccountPermissionLevel": entry["service_account_permission_level"],
        "orchestratorComponent": entry["orchestrator_component"],
        "platformComponent": entry["platform_component"],
        "imagePullSecrets": entry["image_pull_secrets"],
        "containers": [_vector_container(each) for each in containers if each["deployment_id"] == entry["id"]],
        "priority": "1",
    }


def _vector_container(entry: Mapping[str, Any]) -> dict[str, Any]:
    name = {part: entry[f"image_{told}"] for part, told in _IMAGE_NAME.items()}
    return {
        "type": entry["type"],
        "image": {"id": entry["image_id"], "name": name, "notPullable": False},
        "securityContext": {"privileged": entry["privileged"]},
        "resources": {"cpuCoresLimit": entry["cpu_cores_limit"]},
    }


_IMAGE_NAME = {"fullName": "full_name", "registry": "registry", "remote": "remote", "tag": "tag"}


# ------------------------------------------------------------------------ sample data of pod-service 15.2


def sample_answers() -> Answers:
    """The sample data of pod-service 15.2, in its shortest form: what is a zero value is left out."""
    tables = sample()
    names = {uuid_text(sample_id("f", number)): name for number, name in enumerate(("shop", "billing", "ops"), 1)}
    clusters = {NORTH: "north", SOUTH: "south"}
    return {
        "pods.json": stream("pod", map(_sample_pod, tables.pods)),
        "deployments.json": stream("deployment", [_sample_deployment(row, names) for row in _sample_rows("deployments")]),
        "namespaces.json": listing(
            "namespaces",
            [
                {"metadata": {"id": uuid_text(row["id"]), "name": names[uuid_text(row["id"])],
                              "cluster_id": uuid_text(row["clusterid"]), "labels": row["labels"]}}
                for row in _sample_rows("namespaces")
            ],
        ),
        "clusters.json": listing(
            "clusters",
            [
                {"id": uuid_text(row["id"]), "name": clusters[uuid_text(row["id"])], "labels": row["labels"]}
                for row in _sample_rows("clusters")
            ],
        ),
    }  # fmt: skip


def _sample_rows(table: str) -> list[dict[str, Any]]:
    return sample().others[table]


def _sample_pod(row: Mapping[str, Any]) -> dict[str, Any]:
    digests = [live["imagedigest"] for live in _sample_rows("pods_live_instances") if live["pods_id"] == row["id"]]
    return {
        "id": uuid_text(row["id"]),
        "name": row["name"],
        "deployment_id": uuid_text(row["deploymentid"]) if row["deploymentid"] else "",
        "namespace": row["namespace"],
        "cluster_id": uuid_text(row["clusterid"]) if row["clusterid"] else "",
        "live_instances": [
            {"container_name": f"c{number}", "instance_id": {"id": f"run-{number}"}, "image_digest": digest}
            for number, digest in enumerate(digests)
        ],
    }


def _sample_deployment(row: Mapping[str, Any], namespaces: Mapping[str, str]) -> dict[str, Any]:
    created = datetime.fromtimestamp(row["created"] // 1_000_000, UTC)
    return {
        "id": uuid_text(row["id"]),
        "name": row["name"],
        "type": row["type"],
        "namespace": namespaces[uuid_text(row["namespaceid"])],
        "namespace_id": uuid_text(row["namespaceid"]),
        "cluster_id": SOUTH if row["clustername"] == "south" else NORTH,
        "cluster_name": row["clustername"],
        "labels": row["labels"],
        "pod_labels": row["podlabels"],
        "annotations": row["annotations"],
        "created": created.isoformat().replace("+00:00", "Z"),
        "service_account": row["serviceaccount"],
        "service_account_permission_level": row["serviceaccountpermissionlevel"],
        "image_pull_secrets": list(row["imagepullsecrets"] or ()),
        "risk_score": str(row["riskscore"]),
        "platform_component": row["platformcomponent"],
        "containers": [
            _sample_container(each)
            for each in _sample_rows("deployments_containers")
            if each["deployments_id"] == row["id"]
        ],
    }


def _sample_container(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "INIT" if row["type"] else "REGULAR",
        "image": {"name": {"full_name": row["image_name_fullname"], "registry": row["image_name_registry"],
                           "remote": row["image_name_remote"], "tag": row["image_name_tag"]}},
        "security_context": {"privileged": row["securitycontext_privileged"]} if row["securitycontext_privileged"] else None,
        "resources": {"cpu_cores_limit": row["resources_cpucoreslimit"]},
    }  # fmt: skip
