"""The counts of `tests/data/real/counts.json`, found in a SQLite store after an import."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from podledger.pods.images import image_digest
from podledger.store.rows import unpacked
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, PodRecord
from tests.fakes.holdings import rows

OWNER_KINDS = ("ReplicaSet", "Job", "ReplicationController")


def counted(database: Path) -> dict[str, Any]:
    """What the store holds, under the names of the table."""
    records = [unpacked(message, side) for message, side in rows(database, "SELECT blob, side FROM pods")]
    every = [container for record in records for container in record.containers if container.state]
    regular = [container for container in every if container.kind == "regular"]
    init = [container for container in every if container.kind in ("init", "sidecar")]
    owned = [record for record in records if record.direct_owner.kind in OWNER_KINDS]
    states = Counter(container.state for container in regular)
    return {
        "pods": len(records),
        "containers with status": len(regular),
        "state running/waiting/terminated": f"{states['running']}/{states['waiting']}/{states['terminated']}",
        "lastState.terminated": _ended_before(regular),
        "finished instances (state + lastState, distinct)": rows(database, "SELECT count(*) FROM finished_runs")[0][0],
        "init statuses (of which sidecars)": f"{len(init)} ({sum(each.kind == 'sidecar' for each in init)})",
        "init terminated / lastState": f"{sum(each.state == 'terminated' for each in init)}/{_ended_before(init)}",
        "ephemeral statuses": sum(container.kind == "ephemeral" for container in every),
        "owner kinds": _tallied(record.direct_owner.kind for record in records if record.HasField("direct_owner")),
        "owners ReplicaSet/Job/ReplicationController found in the same input": _resolved(owned),
        "pods without owner": sum(not record.HasField("direct_owner") for record in records),
        "pods without containerStatuses": sum(not _has_status(record) for record in records),
        "phases": _tallied(record.phase for record in records),
        "restarts (regular containers)": sum(container.restart_count for container in regular),
        "distinct digests": len({image_digest(each.image_id) for each in regular} - {""}),
        "bare sha256 imageIDs": sum(each.image_id.startswith("sha256:") for each in regular),
        "empty imageIDs": sum(not each.image_id for each in regular),
    }


def _ended_before(containers: Iterable[Container]) -> int:
    return sum(container.HasField("last_terminated") for container in containers)


def _tallied(values: Iterable[str]) -> str:
    return ", ".join(f"{value} {count}" for value, count in sorted(Counter(values).items())) or "-"


def _resolved(owned: list[PodRecord]) -> str:
    return f"{sum(record.owner_resolved for record in owned)} of {len(owned)} pods"


def _has_status(record: PodRecord) -> bool:
    return any(container.kind == "regular" and container.state for container in record.containers)
