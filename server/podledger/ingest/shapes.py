"""Made-up Kubernetes objects, as an API server would send them.

In goes what the generator of `synthesizing` decided about a pod, an owner or a namespace; out comes
the JSON of the whole object, with everything around it that real objects carry and podledger does not
read (volumes, environment, tolerations, conditions), so that sizes and decoding costs are real.

Nothing here is random and no clock is read: equal shapes give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

Json = dict[str, Any]

_PROJECTED_TOKEN: Json = {
    "defaultMode": 420,
    "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
        {
            "downwardAPI": {
                "items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]
            }
        },
    ],
}
_TOLERATIONS = [
    {"effect": "NoExecute", "key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "tolerationSeconds": 300}
    for trouble in ("not-ready", "unreachable")
]
_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass(frozen=True, slots=True)
class Image:
    """An image in a registry. `digest` has the form `sha256:<64 hex digits>`."""

    repository: str
    tag: str
    digest: str

    @property
    def reference(self) -> str:
        """What a pod spec says."""
        return f"{self.repository}:{self.tag}"

    @property
    def image_id(self) -> str:
        """What the runtime reports once the image is pulled."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, slots=True)
class Owner:
    """An object that owns others."""

    api_version: str
    kind: str
    name: str
    uid: str

    def reference(self) -> Json:
        """The entry of `ownerReferences` in what it owns."""
        return {
            "apiVersion": self.api_version,
            "blockOwnerDeletion": True,
            "controller": True,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
        }


@dataclass(frozen=True, slots=True)
class Container:
    """A regular container of a pod and its status. `state` and `last` come from the functions below."""

    name: str
    image: Image
    state: Json
    last: Json = field(default_factory=dict)
    run: str = ""
    """Id of the container's current or latest run, `<runtime>://<64 hex digits>`; empty before the first."""
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod at one moment. Without `containers` it has no statuses, as when it was evicted."""

    name: str
    namespace: str
    uid: str
    version: int
    created: datetime
    phase: str
    containers: tuple[Container, ...]
    labels: Mapping[str, str]
    owner: Owner | None = None
    node: str = ""
    host_ip: str = ""
    ip: str = ""
    reason: str = ""
    service_account: str = "default"
    annotations: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False


def running(started: datetime) -> Json:
    """The state of a container that runs."""
    return {"running": {"startedAt": moment(started)}}


def waiting(reason: str) -> Json:
    """The state of a container that does not run yet, or not now."""
    return {"waiting": {"reason": reason, "message": f"container is waiting: {reason}"}}


def terminated(run: str, started: datetime, finished: datetime, *, exit_code: int, reason: str) -> Json:
    """The state of a run that ended."""
    return {
        "terminated": {
            "containerID": run,
            "exitCode": exit_code,
            "finishedAt": moment(finished),
            "reason": reason,
            "startedAt": moment(started),
        }
    }


@lru_cache(maxsize=4096)
def moment(when: datetime) -> str:
    """RFC 3339 in whole seconds of UTC, as Kubernetes writes it."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_object(pod: Pod) -> bytes:
    """The JSON of a pod."""
    return _bytes(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": _pod_metadata(pod),
            "spec": _spec(pod),
            "status": _status(pod),
        }
    )


def owner_object(
    owner: Owner,
    *,
    namespace: str,
    parent: Owner | None,
    version: int,
    created: datetime,
    labels: Mapping[str, str],
) -> bytes:
    """The JSON of an owner, with its own owner."""
    metadata = {
        "annotations": {"deployment.kubernetes.io/revision": "1"} if owner.kind == "Deployment" else {},
        "creationTimestamp": moment(created),
        "labels": dict(labels),
        "name": owner.name,
        "namespace": namespace,
        "ownerReferences": [parent.reference()] if parent else [],
        "resourceVersion": str(version),
        "uid": owner.uid,
    }
    return _bytes({"apiVersion": owner.api_version, "kind": owner.kind, "metadata": metadata, "spec": {}, "status": {}})


def namespace_object(name: str, *, uid: str, version: int, created: datetime, labels: Mapping[str, str]) -> bytes:
    """The JSON of a namespace."""
    metadata = {
        "creationTimestamp": moment(created),
        "labels": {"kubernetes.io/metadata.name": name, **labels},
        "name": name,
        "resourceVersion": str(version),
        "uid": uid,
    }
    return _bytes({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata, "status": {"phase": "Active"}})


def _bytes(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _pod_metadata(pod: Pod) -> Json:
    metadata: Json = {
        "annotations": dict(pod.annotations),
        "creationTimestamp": moment(pod.created),
        "labels": dict(pod.labels),
        "name": pod.name,
        "namespace": pod.namespace,
        "resourceVersion": str(pod.version),
        "uid": pod.uid,
    }
    if pod.owner:
        metadata["generateName"] = pod.owner.name + "-"
        metadata["ownerReferences"] = [pod.owner.reference()]
    return metadata


def _spec(pod: Pod) -> Json:
    volume = "kube-api-access-" + pod.uid[:5]
    return {
        "containers": [_spec_container(container, pod, volume) for container in pod.containers],
        "dnsPolicy": "ClusterFirst",
        "enableServiceLinks": True,
        "hostNetwork": pod.host_network,
        "nodeName": pod.node,
        "priority": 0,
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {"runAsNonRoot": True},
        "serviceAccountName": pod.service_account,
        "terminationGracePeriodSeconds": 30,
        "tolerations": _TOLERATIONS,
        "volumes": [{"name": volume, "projected": _PROJECTED_TOKEN}],
    }


def _spec_container(container: Container, pod: Pod, volume: str) -> Json:
    return {
        "env": [
            {"name": "POD_NAME", "value": pod.name},
            {"name": "LOG_LEVEL", "value": "info"},
            {"name": "HTTP_PORT", "value": "8080"},
        ],
        "image": container.image.reference,
        "imagePullPolicy": "IfNotPresent",
        "name": container.name,
        "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "periodSeconds": 10},
        "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "terminationMessagePath": "/dev/termination-log",
        "volumeMounts": [
            {"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": volume, "readOnly": True}
        ],
    }


def _status(pod: Pod) -> Json:
    status: Json = {"phase": pod.phase, "qosClass": "Burstable"}
    if pod.reason:
        status |= {"reason": pod.reason, "message": f"The pod was stopped: {pod.reason}"}
    if pod.node:
        status |= {"hostIP": pod.host_ip, "startTime": moment(pod.created)}
    if pod.ip:
        status |= {"podIP": pod.ip, "podIPs": [{"ip": pod.ip}]}
    if not pod.reason:
        status["conditions"] = [_condition(kind, pod) for kind in _CONDITIONS]
        status["containerStatuses"] = [_container_status(container) for container in pod.containers if pod.node]
    return status


def _condition(kind: str, pod: Pod) -> Json:
    holds = pod.phase == "Running" or (kind == "PodScheduled" and bool(pod.node))
    return {
        "lastProbeTime": None,
        "lastTransitionTime": moment(pod.created),
        "status": "True" if holds else "False",
        "type": kind,
    }


def _container_status(container: Container) -> Json:
    status: Json = {
        "image": container.image.reference,
        "imageID": container.image.image_id if container.run else "",
        "lastState": container.last,
        "name": container.name,
        "ready": "running" in container.state,
        "restartCount": container.restarts,
        "started": "running" in container.state,
        "state": container.state,
    }
    if container.run:
        status["containerID"] = container.run
    return status
