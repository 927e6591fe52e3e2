"""Pods to put into a store, and what a store says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from podledger.pods.identity import NO_CLUSTER, PodKey, parse_uuid, uuid_text
from podledger.query import paging, parsing
from podledger.query.paging import Paging
from podledger.query.scope import UNRESTRICTED, Scope
from podledger.query.syntax import Query
from podledger.store.contract import Applied, Batch, Cluster, Removal, Store, Upsert
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, PodRecord, TopOwner
from podledger_protos.storage.deployment_pb2 import ContainerInstance, Pod

NOW = 1_718_064_000_000_000
"""2024-06-11 00:00 UTC, for queries."""


def cluster_id(number: int) -> bytes:
    return bytes([0xC0, *bytes(14), number])


NORTH, SOUTH, EAST = map(cluster_id, (1, 2, 3))
NAMES = {NORTH: "north", SOUTH: "south", EAST: "east"}


def pod_id(number: int) -> bytes:
    """Ids in the order of their numbers."""
    return bytes([0xE0, *bytes(11), *number.to_bytes(4, "big")])


def deployment_id(number: int) -> bytes:
    return bytes([0xD0, *bytes(14), number])


def number_of(message: bytes | Pod) -> int:
    pod = message if isinstance(message, Pod) else Pod.FromString(message)
    return int.from_bytes(parse_uuid(pod.id)[-4:], "big")


def key(number: int, cluster: bytes = NORTH) -> PodKey:
    return PodKey(cluster, pod_id(number))


def key_of(message: bytes) -> PodKey:
    pod = Pod.FromString(message)
    return PodKey(parse_uuid(pod.cluster_id) if pod.cluster_id else NO_CLUSTER, parse_uuid(pod.id))


def instance(
    name: str = "app", run: str = "", *, started: int = 0, finished: int = 0, digest: str = "", **fields: Any
) -> ContainerInstance:
    """A container instance; times in seconds, 0 for none."""
    made = ContainerInstance(container_name=name, image_digest=digest, **fields)
    made.instance_id.id = run
    if started:
        made.started.seconds = started
    if finished:
        made.finished.seconds = finished
    return made


def record(
    number: int,
    *,
    cluster: bytes = NORTH,
    name: str | None = None,
    namespace: str = "shop",
    deployment: int | str = 0,
    created: int = 0,
    uid: str | None = None,
    owner: tuple[str, str] = ("", ""),
    tracked_owner: str = "",
    digests: Sequence[str] = (),
    live: Sequence[ContainerInstance] = (),
    phase: str = "Running",
    containers: Sequence[Container] = (),
) -> PodRecord:
    """A pod as mapped. `deployment` is a number, or a text as it stands; 0 for none. `owner` is kind and name."""
    workload = deployment if isinstance(deployment, str) else uuid_text(deployment_id(deployment)) if deployment else ""
    pod = Pod(
        id=uuid_text(pod_id(number)),
        name=f"pod-{number:05d}" if name is None else name,
        namespace=namespace,
        cluster_id=uuid_text(cluster) if cluster != NO_CLUSTER else "",
        deployment_id=workload,
        live_instances=[*live, *(instance(f"c{n}", f"run-{number}-{n}", digest=d) for n, d in enumerate(digests))],
    )
    if created:
        pod.started.seconds = created
    made = PodRecord(
        pod=pod,
        uid=f"uid-{number:05d}" if uid is None else uid,
        phase=phase,
        tracked_owner_uid=tracked_owner,
        containers=containers,
        owner_resolved=True,
    )
    if owner != ("", ""):
        made.top_owner.CopyFrom(TopOwner(kind=owner[0], name=owner[1], uid=workload))
    return made


def content_hash(made: PodRecord) -> bytes:
    return blake2b(made.SerializeToString(deterministic=True), digest_size=8).digest()


def upsert(made: PodRecord, carried: Sequence[ContainerInstance] = ()) -> Upsert:
    return Upsert(made, content_hash(made), carried=tuple(carried))


@dataclass
class Hand:
    """The writer of one cluster."""

    store: Store
    cluster: bytes
    fence: int

    @classmethod
    async def take(cls, store: Store, cluster: bytes = NORTH, name: str | None = None) -> Hand:
        """Register the cluster and take it."""
        if cluster != NO_CLUSTER:
            await store.put_cluster(Cluster(cluster, NAMES.get(cluster, cluster.hex()) if name is None else name))
        return cls(store, cluster, await store.take(cluster, b"epoch"))

    async def apply(self, **changes: Any) -> Applied:
        return await self.store.apply(Batch(self.cluster, self.fence, **changes))

    async def put(self, *records: PodRecord) -> Applied:
        return await self.apply(upserts=tuple(map(upsert, records)))

    async def remove(self, *numbers: int, reason: str = "event", last: PodRecord | None = None) -> Applied:
        return await self.apply(removals=tuple(Removal(pod_id(number), reason, last) for number in numbers))


async def fill(store: Store, records: Iterable[PodRecord]) -> dict[bytes, Hand]:
    """Write pods of several clusters, in batches."""
    hands: dict[bytes, Hand] = {}
    by_cluster: dict[bytes, list[PodRecord]] = {}
    for each in records:
        cluster = parse_uuid(each.pod.cluster_id) if each.pod.cluster_id else NO_CLUSTER
        by_cluster.setdefault(cluster, []).append(each)
    for cluster, members in by_cluster.items():
        hands[cluster] = await Hand.take(store, cluster)
        for first in range(0, len(members), 500):
            await hands[cluster].put(*members[first : first + 500])
    return hands


# ------------------------------------------------------------------------------------------------ reading


def query(text: str) -> Query:
    """The meaning of a query text."""
    return parsing.parse(text, now=NOW)


def window(limit: int = 1000, offset: int = 0, *sort: str) -> Paging:
    """A page; `-Label` sorts in reverse."""
    options = Pagination(limit=limit, offset=offset)
    for label in sort:
        options.sort_options.add(field=label.removeprefix("-"), reversed=label.startswith("-"))
    return paging.order(paging.window(options))


async def found(store: Store, text: str = "", *sort: str, scope: Scope = UNRESTRICTED) -> list[int]:
    """The numbers of the matching pods, by the given order."""
    page = await store.reader(scope).page(query(text), window(1000, 0, *sort))
    return [number_of(message) for message in page.messages]


async def scanned(store: Store, text: str | Query = "", *, scope: Scope = UNRESTRICTED, **options: Any) -> list[PodKey]:
    """The keys of the matching pods, by export."""
    asked = text if isinstance(text, Query) else query(text)
    return [key_of(message) async for chunk in store.reader(scope).scan(asked, **options) for message in chunk.messages]


async def counted(store: Store, text: str = "", *, scope: Scope = UNRESTRICTED, at_most: int | None = None) -> Any:
    return await store.reader(scope).count(query(text), at_most=at_most)


async def served(store: Store, number: int, cluster: bytes = NORTH) -> Pod | None:
    """The message of one pod."""
    message = await store.reader(UNRESTRICTED).get(key(number, cluster))
    return None if message is None else Pod.FromString(message)
