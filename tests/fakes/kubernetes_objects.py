"""Small Kubernetes objects for tests: only what a test is about has to be said."""

from __future__ import annotations

import json
from typing import Any

from podledger.pods.from_kubernetes import Mapped, map_pod
from podledger.pods.merging import MergeMode
from podledger.pods.objects import OwnerReference, Pod, decode_pod
from podledger.pods.owners import Owners

CLUSTER = "aaaaaaaa-bbbb-4011-0000-111111111111"
UID = "ebf487f0-a7c3-11e8-8600-42010a8a0066"


def pod_object(
    *,
    uid: Any = UID,
    name: Any = "web-1",
    namespace: Any = "shop",
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    """The JSON value of a pod. Further arguments are metadata, by their Kubernetes names."""
    return {
        "metadata": {"uid": uid, "name": name, "namespace": namespace, **metadata},
        "spec": spec,
        "status": status,
    }


def pod(**parts: Any) -> Pod:
    """A decoded pod; arguments as for `pod_object`."""
    return decode_pod(json.dumps(pod_object(**parts)).encode())


def mapped(
    owners: Owners | None = None, *, mode: MergeMode = "dedupe", cluster_id: str = CLUSTER, **parts: Any
) -> Mapped:
    """A pod, decoded and mapped; arguments as for `pod_object`."""
    return map_pod(pod(**parts), cluster_id=cluster_id, owners=owners or Owners(), mode=mode)


def running(name: str = "web", **fields: Any) -> dict[str, Any]:
    """The status of a container that runs."""
    state = {"running": {"startedAt": "2024-03-01T08:00:00Z"}}
    return {"name": name, "containerID": "containerd://run", "state": state, **fields}


def ended(
    *,
    id: str | None = None,  # noqa: A002 - as Kubernetes calls it
    started: str | None = None,
    finished: str | None = None,
    code: int = 0,
    reason: str = "Completed",
) -> dict[str, Any]:
    """A terminated state."""
    return {"startedAt": started, "finishedAt": finished, "exitCode": code, "reason": reason, "containerID": id}


def reference(
    uid: str, kind: str, name: str = "", *, api_version: str = "apps/v1", controller: bool | None = None
) -> OwnerReference:
    """A decoded owner reference."""
    return OwnerReference(
        api_version=api_version, kind=kind, name=name or f"{kind.lower()}-{uid}", uid=uid, controller=controller
    )


def owned_by(*references: OwnerReference) -> list[dict[str, Any]]:
    """Owner references as JSON values."""
    return [
        {
            "apiVersion": each.api_version,
            "kind": each.kind,
            "name": each.name,
            "uid": each.uid,
            "controller": each.controller,
        }
        for each in references
    ]
