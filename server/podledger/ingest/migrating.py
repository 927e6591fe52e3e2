"""Answers of a StackRox / RHACS installation into the store, so that it can move over and be compared.

The same two steps as for Kubernetes objects (`importing`): every record is read and put into the stage, so
the order of the input does not matter and a mistake in it shows before anything is changed; then clusters
are registered, and their namespaces, workloads and pods are written, each cluster under its own fence.

Several clusters may come in one import (ingest 7.4). An unregistered one gets the name that the clusters
tell, else one that a deployment or namespace tells, else its id. Pods keep every field as sent and tell
nothing of their workloads, which are told by themselves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from podledger.errors import BadInput
from podledger.ingest.addressing import Address, usable
from podledger.ingest.reading import Record
from podledger.ingest.sinking import Change, LocalSink, Sunk
from podledger.pods import upstream, workload_bytes
from podledger.pods.from_kubernetes import content_hash
from podledger.pods.identity import NO_CLUSTER, uuid_or_none, uuid_text
from podledger.pods.upstream import Keep, UpstreamCluster, UpstreamNamespace
from podledger.store.contract import Cluster, NamespaceUpdate, Registry, Staged, Store, Upsert
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord

_ORDER: Final = ("namespace", "pod", "deployment")
"""Kinds of staged rows, in the order in which they are written: a workload that is told replaces what pods told."""
_PAGE_ROWS: Final = 500


@dataclass(slots=True)
class Answers:
    """The first step: records to rows of the stage, and what the second step must know of them all."""

    keep: Keep = field(default_factory=Keep)
    clusters: dict[bytes, UpstreamCluster] = field(default_factory=dict)
    """Told by themselves; of one id the later record."""
    names: dict[bytes, str] = field(default_factory=dict)
    """Names that other records give their clusters; the bytewise first one, so that order does not matter."""
    seen: set[bytes] = field(default_factory=set)
    """All clusters that a record names; none as long as no record was good."""
    records: int = 0
    """Malformed ones included."""
    cut: str = ""
    """What the record of a cut export says."""
    _sent: Counter[str] = field(default_factory=Counter)
    """Text of the input -> pods or deployments since its beginning, or since its last end."""

    def row(self, record: Record) -> Staged | None:
        """The row of a record, if it has one. Raises `BadInput` when it is malformed."""
        match record.implied_kind:
            case "error":
                self.cut = self.cut or f"{record.where}: the export was cut: {upstream.error_text(record.data)}"
                return None
            case "end":
                self._check_end(record)
                return None
            case "pod" | "deployment":
                self._sent[record.text] += 1
        self.records += 1
        return self._read(record.implied_kind, record.data)

    def _check_end(self, record: Record) -> None:
        sent = self._sent.pop(record.text, 0)
        try:
            count = upstream.decode_end(record.data)
        except BadInput as error:
            self.cut = self.cut or f"{record.where}: the end of the export cannot be read: {error}"
            return
        if count != sent:
            self.cut = self.cut or f"{record.where}: the export says it has {count:,} messages, but {sent:,} are there"

    def _read(self, kind: str, data: bytes) -> Staged | None:
        match kind:
            case "pod":
                pod = upstream.decode_pod(data)
                self._see(pod.cluster)
                name = f"{pod.record.pod.namespace}/{pod.record.pod.name}"
                return _staged(kind, pod.cluster, pod.id, name, pod.record.SerializeToString(deterministic=True))
            case "deployment":
                told = upstream.decode_workload(data, keep=self.keep)
                workload = told.workload
                self._see(told.cluster, workload.cluster_name)
                name = f"{workload.namespace}/{workload.name}"
                return _staged(kind, told.cluster, workload.deployment_id, name, workload_bytes.encode(workload))
            case "namespace":
                namespace = upstream.decode_namespace(data)
                self._see(namespace.cluster, namespace.cluster_name)
                return _staged(kind, namespace.cluster, namespace.id, namespace.name, _namespace_bytes(namespace))
            case _:
                cluster = upstream.decode_cluster(data)
                self.clusters[cluster.id] = cluster
                self._see(cluster.id)
                return None

    def _see(self, cluster: bytes, name: str = "") -> None:
        self.seen.add(cluster)
        if name and cluster != NO_CLUSTER:
            self.names[cluster] = min(name, self.names.get(cluster, name))

    def name_of(self, cluster: bytes) -> str:
        """The name to register a cluster under."""
        told = self.clusters[cluster].name if cluster in self.clusters else ""
        return told or self.names.get(cluster, "") or uuid_text(cluster)


def _staged(kind: str, cluster: bytes, identity: bytes, name: str, payload: bytes) -> Staged:
    return Staged(kind, f"{cluster.hex()}/{identity.hex()}", "", name, payload)


def _namespace_bytes(namespace: UpstreamNamespace) -> bytes:
    told = {"name": namespace.name, "labels": namespace.labels, "annotations": namespace.annotations}
    return json.dumps(told).encode("ascii")


# ------------------------------------------------------------------------------------ the second step


@dataclass(slots=True)
class Written:
    """What the second step has done."""

    clusters: dict[str, str] = field(default_factory=dict)
    """Id -> name of the clusters."""
    rows: Counter[str] = field(default_factory=Counter)
    """Kind -> records that were written."""
    other_clusters: int = 0
    """Records of clusters that were not picked."""


async def write_answers(
    store: Store, stage: str, answers: Answers, address: Address, *, sunk: Sunk, written: Written
) -> None:
    """Write what was read. `address` may pick one cluster; `sunk` and `written` tell how far it has come.

    Raises `BadInput`, with nothing changed, when the export was cut or a cluster cannot be registered.
    """
    if answers.cut:
        raise BadInput(answers.cut)
    picked = await _picked(store, answers, address)
    registered = await _register(store, answers, picked)
    written.clusters = {uuid_text(cluster.id): cluster.name for cluster in registered}
    sinks = {cluster: await LocalSink.take(store, cluster) for cluster in sorted(picked)}
    for sink in sinks.values():
        sink.sunk = sunk
    for kind in _ORDER:
        async for row in _rows(store, stage, kind):
            cluster, identity = map(bytes.fromhex, row.key.split("/"))
            if cluster in sinks:
                await sinks[cluster].put(_change(kind, identity, row.payload))
                written.rows[kind] += 1
            else:
                written.other_clusters += 1
    for sink in sinks.values():
        await sink.flush()


def _change(kind: str, identity: bytes, payload: bytes) -> Change:
    match kind:
        case "pod":
            record = PodRecord.FromString(payload)
            return Upsert(record, content_hash(record), tells_workload=False)
        case "deployment":
            return workload_bytes.decode(payload)
    return NamespaceUpdate(uuid_text(identity), **json.loads(payload))


async def _rows(store: Store, stage: str, kind: str) -> AsyncIterator[Staged]:
    after = ""
    while page := await store.staged(stage, kind, after=after, limit=_PAGE_ROWS):
        for row in page:
            yield row
        after = page[-1].key


# ------------------------------------------------------------------------------------------- clusters


async def _picked(registry: Registry, answers: Answers, address: Address) -> Collection[bytes]:
    """The clusters to write: all that the records name, or the one that the caller picks."""
    if address.register:
        raise BadInput("--register is for Kubernetes objects: these answers name their clusters themselves")
    if address.cluster_id:
        return {_seen(answers, uuid_or_none(address.cluster_id), address.cluster_id)}
    if address.cluster:
        registered = {status.cluster.name: status.cluster.id for status in await registry.clusters()}
        named = {answers.name_of(cluster): cluster for cluster in answers.seen if cluster != NO_CLUSTER}
        return {_seen(answers, registered.get(address.cluster, named.get(address.cluster)), address.cluster)}
    return answers.seen


def _seen(answers: Answers, cluster: bytes | None, given: str) -> bytes:
    if cluster is None or cluster not in answers.seen:
        raise BadInput(f'the input tells nothing of cluster "{given}"')
    return cluster


async def _register(registry: Registry, answers: Answers, picked: Collection[bytes]) -> list[Cluster]:
    """Register the clusters, or tell what is new of them. Nothing is changed when one of them cannot be."""
    known = {status.cluster.id: status.cluster for status in await registry.clusters()}
    wanted = [_wanted(answers, cluster, known) for cluster in sorted(picked) if cluster != NO_CLUSTER]
    owners = {cluster.name: cluster.id for cluster in known.values()}
    for cluster in wanted:
        owner = owners.setdefault(cluster.name, cluster.id)
        if owner != cluster.id:
            raise BadInput(
                f'the name "{cluster.name}" of cluster {uuid_text(cluster.id)} belongs to cluster {uuid_text(owner)}'
            )
    for cluster in wanted:
        if known.get(cluster.id) != cluster:
            await registry.put_cluster(cluster)
    return wanted


def _wanted(answers: Answers, identity: bytes, known: Mapping[bytes, Cluster]) -> Cluster:
    """A cluster as it is to be registered. A registered one keeps its name."""
    cluster = usable(known.get(identity) or Cluster(identity, answers.name_of(identity)))
    told = answers.clusters.get(identity)
    if told is None:
        return cluster
    return replace(
        cluster,
        labels=told.labels,
        type=told.platform_type,
        provider_type=told.provider_type,
        kubernetes_version=told.kubernetes_version,
    )
