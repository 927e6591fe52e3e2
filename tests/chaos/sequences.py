"""A writer whose every state follows from one number: how many batches of its cluster are committed.

Batch n makes four pods, rewrites one of the batch before and removes one of the batch before that. So after
a crash the number of the last batch, which is the checkpoint of the cluster, tells exactly what must be
there, and a batch that is there by half shows.
"""

from __future__ import annotations

from podledger.pods.identity import PodKey, uuid_text
from podledger.query.scope import UNRESTRICTED
from podledger.query.syntax import Query
from podledger.store.contract import Batch, Checkpoint, Cluster, Removal, Store
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.store_pods import cluster_id, instance, number_of, pod_id, record, upsert

PER_BATCH = 4
CLUSTERS = tuple(cluster_id(number) for number in (1, 2, 3))


class Sequence:
    """The batches of one cluster, from the first one that is not committed."""

    def __init__(self, store: Store, cluster: bytes, fence: int, following: int) -> None:
        self.cluster = cluster
        self.following = following
        self._store = store
        self._fence = fence

    @classmethod
    async def resume(cls, store: Store, cluster: bytes) -> Sequence:
        """Take the cluster and go on after its checkpoint."""
        await store.put_cluster(Cluster(cluster, cluster.hex()))
        fence = await store.take(cluster, b"sequence")
        return cls(store, cluster, fence, (await store.checkpoint(cluster)).sequence + 1)

    async def write(self) -> int:
        """Write the next batch; gives its number once the store has acknowledged it."""
        number = self.following
        self.following += 1
        await self.attempt(number)
        return number

    async def attempt(self, number: int) -> None:
        """Write a batch by its number."""
        await self._store.apply(self._batch(number))

    def _batch(self, number: int) -> Batch:
        made = [(number * PER_BATCH + place, number) for place in range(PER_BATCH)]
        rewritten = [((number - 1) * PER_BATCH, number)] if number > 1 else []
        gone = [(number - 2) * PER_BATCH + 1] if number > 2 else []
        return Batch(
            self.cluster,
            self._fence,
            upserts=tuple(upsert(_record(self.cluster, *each)) for each in made + rewritten),
            removals=tuple(Removal(pod_id(each), "event") for each in gone),
            checkpoint=Checkpoint(sequence=number),
        )


def _record(cluster: bytes, number: int, version: int):
    runs = [instance(f"c{place}", f"{number}-{version}-{place}", digest=f"sha256:{number:064x}") for place in range(6)]
    return record(number, cluster=cluster, name=f"pod-{number}-{version}", deployment=number % 200 + 1, live=runs)


def expected(committed: int, *, since: int = 1) -> dict[int, int]:
    """Number -> version of the pods that are there after `committed` batches, of batches from `since` on."""
    pods = {}
    for batch in range(since, committed + 1):
        first = batch * PER_BATCH
        pods |= {first: min(batch + 1, committed), first + 2: batch, first + 3: batch}
        if batch + 2 > committed:
            pods[first + 1] = batch
    return pods


def whole(pod: Pod) -> bool:
    """Whether all parts of a pod are of the same version."""
    number, version = number_of(pod), version_of(pod)
    return [each.instance_id.id for each in pod.live_instances] == [f"{number}-{version}-{place}" for place in range(6)]


def version_of(pod: Pod) -> int:
    """The version that a pod shows."""
    return int(pod.name.rpartition("-")[2])


def count(committed: int) -> int:
    """How many pods are there after `committed` batches."""
    return PER_BATCH * committed - max(0, committed - 2)


async def faults(store: Store, cluster: bytes, *, acknowledged: int, since: int = 1) -> list[str]:
    """What is wrong with a cluster after a crash: `lost`, `gap` and `torn`, each as often as it occurs."""
    committed = (await store.checkpoint(cluster)).sequence
    status = {each.cluster.id: each for each in await store.clusters()}.get(cluster)
    found = ["lost"] * max(0, acknowledged - committed)
    if status is not None and (status.revision, status.pods) != (committed, count(committed)):
        found.append("gap")
    members = await _members(store, cluster, since)
    found += ["torn" for pod in members if not whole(pod)]
    if [(number_of(pod), version_of(pod)) for pod in members] != sorted(expected(committed, since=since).items()):
        found.append("gap")
    return found


async def _members(store: Store, cluster: bytes, since: int) -> list[Pod]:
    """The pods of a cluster, of batches from `since` on, in the order of their ids."""
    members: list[Pod] = []
    after = PodKey(cluster, pod_id(since * PER_BATCH - 1))
    async for chunk in store.reader(UNRESTRICTED).scan(Query(), after=after):
        pods = [Pod.FromString(message) for message in chunk.messages]
        members += [pod for pod in pods if pod.cluster_id == uuid_text(cluster)]
        if pods[-1].cluster_id != uuid_text(cluster):
            break
    return members
