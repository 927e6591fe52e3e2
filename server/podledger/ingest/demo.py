"""The demo fleet in a store: loaded once, told apart from real clusters, removed as a whole.

The clusters are registered with their `demo` mark, and a store that holds real clusters takes none:
made-up pods must not turn up in answers that somebody acts on. Loading passes through the same mapping
and sink as every other source. The last batch of a cluster carries a checkpoint that names what was
loaded; so a second start does nothing, and a load that was cut begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from podledger.errors import BadInput
from podledger.ingest.demo_clusters import demo
from podledger.ingest.importing import Intake
from podledger.ingest.sinking import LocalSink
from podledger.ingest.spooling import WORKLOAD_KINDS
from podledger.ingest.synthesizing import Event, SyntheticCluster, fleet
from podledger.ingest.tallying import Tally
from podledger.pods.identity import parse_uuid
from podledger.pods.merging import MergeMode
from podledger.store.contract import Checkpoint, Cluster, Removal, Store

FLEET_CLUSTERS: Final = 3
_MARK: Final = "demo"
"""Stands among the resource versions of a checkpoint, where no Kubernetes resource has this name."""


async def load_demo(store: Store, *, pods: int | None = None, seed: int = 1, merge_mode: MergeMode = "dedupe") -> None:
    """Load the demo clusters, or with `pods` a synthetic fleet of that size, in place of another one.

    Does nothing when the same fleet is there. Raises `BadInput` when the store holds real clusters.
    """
    wanted = list(demo(seed=seed) if pods is None else fleet(pods=pods, clusters=FLEET_CLUSTERS, seed=seed))
    mark = f"seed {seed}, {'story' if pods is None else f'{pods} pods'}"
    await _refuse_real(store)
    if await _is_loaded(store, wanted, mark):
        return
    await remove_demo(store)
    for cluster in wanted:
        await _load(store, cluster, mark, merge_mode)


async def remove_demo(store: Store) -> None:
    """Remove all demo clusters with everything that is known of them. Real clusters stay."""
    for status in await store.clusters():
        if status.cluster.demo:
            await store.remove_cluster(status.cluster.id)


async def _refuse_real(store: Store) -> None:
    real = [status.cluster.name for status in await store.clusters() if not status.cluster.demo]
    if real:
        raise BadInput(
            f'the store holds real clusters ("{real[0]}"); load the demo into a store of its own (store.url)'
        )


async def _is_loaded(store: Store, wanted: Sequence[SyntheticCluster], mark: str) -> bool:
    ids = {status.cluster.id for status in await store.clusters()}
    if ids != {parse_uuid(cluster.id) for cluster in wanted}:
        return False
    checkpoints = [await store.checkpoint(each) for each in ids]
    return all(checkpoint.versions.get(_MARK) == mark for checkpoint in checkpoints)


async def _load(store: Store, cluster: SyntheticCluster, mark: str, merge_mode: MergeMode) -> None:
    identity = parse_uuid(cluster.id)
    await store.put_cluster(Cluster(identity, cluster.name, cluster.labels, demo=True))
    intake = Intake(await LocalSink.take(store, identity), merge_mode, Tally())
    for event in cluster.events:
        await _tell(intake, event)
    await intake.sink.flush(Checkpoint(versions={_MARK: mark}))


async def _tell(intake: Intake, event: Event) -> None:
    if event.kind in WORKLOAD_KINDS:
        await intake.own(event.kind, event.object)
    elif event.kind == "Namespace":
        await intake.namespace(event.object)
    elif event.type == "DELETED":
        record = intake.mapped(event.object).record
        await intake.sink.put(Removal(parse_uuid(record.pod.id), "event", record))
    else:
        if event.type == "MODIFIED":  # of two versions in one batch the later one stands for both
            await intake.sink.flush()
        await intake.pod(event.object)
