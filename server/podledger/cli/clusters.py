"""`podledger clusters list`: the registered clusters, read from the store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import click

from podledger.cli import output
from podledger.cli.configuring import Sources, settings_options
from podledger.cli.storing import opened
from podledger.pods.identity import uuid_text
from podledger.settings import Settings
from podledger.store.contract import ClusterStatus

COLUMNS = ("name", "id", "pods", "tombstones", "last_seen", "demo", "labels")


@click.group()
def clusters() -> None:
    """Look at the clusters of the store."""


@clusters.command("list")
@output.output_option
@settings_options
def list_clusters(sources: Sources, *, form: str | None) -> None:
    """Print the registered clusters by name.

    Opens the store directly, also beside a running server. `last_seen` is when the store last took a
    change of the cluster; `tombstones` are pods that are gone and remembered.
    """
    statuses = asyncio.run(_statuses(sources().settings))
    output.write(map(_row, statuses), COLUMNS, output.choose(form))


async def _statuses(settings: Settings) -> list[ClusterStatus]:
    async with opened(settings) as store:
        return await store.clusters()


def _row(status: ClusterStatus) -> Mapping[str, object]:
    cluster = status.cluster
    return {
        "name": cluster.name,
        "id": uuid_text(cluster.id),
        "pods": status.pods,
        "tombstones": status.tombstones,
        "generation": status.generation,
        "revision": status.revision,
        "first_seen": _moment(status.first_seen),
        "last_seen": _moment(status.last_seen),
        "demo": cluster.demo,
        "labels": dict(cluster.labels),
    }


def _moment(microseconds: int | None) -> str | None:
    if microseconds is None:
        return None
    return datetime.fromtimestamp(microseconds / 1e6, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
