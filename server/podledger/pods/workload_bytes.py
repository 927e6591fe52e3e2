"""Workloads as bytes: to put a told one aside before it is written, and to see whether one has changed.

Equal workloads give equal bytes, and different ones different bytes: what is absent, what is empty and
what is not told stay apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from podledger.pods.workloads import Env, Exposure, Port, Secret, Volume, Workload, WorkloadContainer


def encode(workload: Workload) -> bytes:
    """A workload as bytes."""
    return json.dumps(workload, default=_plain, sort_keys=True, separators=(",", ":")).encode("ascii")


def _plain(value: Any) -> Any:
    """What JSON knows, for ids and for the classes above. `dataclasses.asdict` would copy each text."""
    if isinstance(value, bytes):
        return value.hex()
    return {name: getattr(value, name) for name in value.__slots__}


def decode(data: bytes) -> Workload:
    """The workload of these bytes."""
    told: dict[str, Any] = json.loads(data)
    namespace_id = told["namespace_id"]
    return Workload(
        **told
        | {
            "deployment_id": bytes.fromhex(told["deployment_id"]),
            "namespace_id": None if namespace_id is None else bytes.fromhex(namespace_id),
            "image_pull_secrets": _texts(told["image_pull_secrets"]),
            "containers": tuple(map(_decoded_container, told["containers"])),
            "ports": tuple(map(_decoded_port, told["ports"])),
        }
    )


def _decoded_container(told: Mapping[str, Any]) -> WorkloadContainer:
    lists = {
        "add_capabilities": _texts(told["add_capabilities"]),
        "drop_capabilities": _texts(told["drop_capabilities"]),
        "envs": tuple(Env(**each) for each in told["envs"]),
        "volumes": tuple(Volume(**each) for each in told["volumes"]),
        "secrets": tuple(Secret(**each) for each in told["secrets"]),
    }
    return WorkloadContainer(**{**told, **lists})


def _decoded_port(told: Mapping[str, Any]) -> Port:
    return Port(told["exposure"], tuple(map(_decoded_exposure, told["infos"])))


def _decoded_exposure(told: Mapping[str, Any]) -> Exposure:
    lists = {name: _texts(told[name]) for name in ("external_ips", "external_hostnames")}
    return Exposure(**{**told, **lists})


def _texts(told: list[str] | None) -> tuple[str, ...] | None:
    return None if told is None else tuple(told)
