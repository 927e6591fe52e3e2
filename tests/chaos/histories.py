"""What a fleet went through: a writer that changes pods at random, and what its history allows an export to say.

Each version of a pod is known with the moments between which it was committed, so a record of an export can be
told from one that never was, or was no more when the stream began. Some uids exist in two clusters.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from podledger.pods.identity import NO_CLUSTER, PodKey, parse_uuid, uuid_text
from podledger.store.contract import Batch, Removal, Store
from podledger_protos.podledger.ingest.v1.record_pb2 import PodRecord
from podledger_protos.storage.deployment_pb2 import Pod
from tests.fakes.store_pods import NORTH, SOUTH, Hand, instance, pod_id, record, upsert

CLUSTERS = (NO_CLUSTER, NORTH, SOUTH)
NAMESPACES = ("bank", "shop")
CHANGES_PER_BATCH = 12
_FILL = 500


@dataclass
class Change:
    """A pod came to be `version` (None: gone) between two moments; `done` is infinite before it is acknowledged."""

    version: int | None
    begun: float
    done: float = float("inf")


@dataclass
class History:
    """All changes of each pod, in order."""

    changes: dict[PodKey, list[Change]] = field(default_factory=lambda: defaultdict(list))

    def could_be(self, told: Told, *, begun: float, received: float) -> bool:
        """Whether a stream that began then could tell this version, received at that moment."""
        changes = self.changes[told.key]
        ends = [change.done for change in changes[1:]] + [float("inf")]
        return told.version is not None and any(
            change.version == told.version and change.begun <= received and end >= begun
            for change, end in zip(changes, ends, strict=True)
        )

    def throughout(self, namespace: str, begun: float, ended: float) -> set[PodKey]:
        """Pods that existed from one moment to another, all the time in a namespace (empty: in any)."""
        return {key for key, changes in self.changes.items() if _stayed(key, changes, namespace, begun, ended)}


def _stayed(key: PodKey, changes: Iterable[Change], namespace: str, begun: float, ended: float) -> bool:
    number, state = number_in(key), None
    for change in changes:
        if change.begun > ended:
            break
        matches = change.version is not None and namespace in ("", namespace_of(number, change.version))
        if change.done >= begun and not (matches and state):
            return False
        state = matches
    return bool(state)


def namespace_of(number: int, version: int) -> str:
    """One pod of five moves from version to version; the others stay where they are."""
    return NAMESPACES[(version if number % 5 == 0 else number) % 2]


def made(cluster: bytes, number: int, version: int) -> PodRecord:
    """A version of a pod, of about the size that pods have in the field. All parts of it tell the version."""
    return record(
        number,
        cluster=cluster,
        name=f"pod-{number}-{version}",
        namespace=namespace_of(number, version),
        deployment=number % 250 + 1,
        live=[
            instance(f"c{place}", run, digest=f"sha256:{number:064x}")
            for place, run in enumerate(_runs(number, version))
        ],
    )


def _runs(number: int, version: int) -> list[str]:
    return [f"{number}-{version}-{place}" for place in range(6)]


# --------------------------------------------------------------------------------------- what a record tells


@dataclass(frozen=True, slots=True)
class Told:
    """A record of an export: which pod, and which version; None when its parts are not of one version."""

    key: PodKey
    version: int | None

    @property
    def resume(self) -> str:
        """The key as `x-podledger-after` has it (pod-service 7.4)."""
        cluster = "" if self.key.cluster == NO_CLUSTER else uuid_text(self.key.cluster)
        return f"{cluster}/{uuid_text(self.key.pod)}"


def told_by_message(pod: Pod) -> Told:
    """What a message tells."""
    runs = [each.instance_id.id for each in pod.live_instances]
    return _told(pod.cluster_id, pod.id, (pod.name, pod.namespace, runs))


def told_by_json(pod: Mapping[str, Any]) -> Told:
    """What JSON tells."""
    runs = [each["instanceId"]["id"] for each in pod["liveInstances"]]
    return _told(pod["clusterId"], pod["id"], (pod["name"], pod["namespace"], runs))


def _told(cluster: str, pod: str, parts: tuple[str, str, list[str]]) -> Told:
    key = PodKey(parse_uuid(cluster) if cluster else NO_CLUSTER, parse_uuid(pod))
    number, told = number_in(key), parts[0].rpartition("-")[2]
    version = int(told) if told.isdecimal() else -1
    whole = (f"pod-{number}-{version}", namespace_of(number, version), _runs(number, version)) == parts
    return Told(key, version if whole else None)


def number_in(key: PodKey) -> int:
    """The number of a pod."""
    return int.from_bytes(key.pod[-4:], "big")


# ---------------------------------------------------------------------------------------------- the writer


class Churn:
    """The writer: a fleet of `pods` pods, then changes until it is told to stop."""

    def __init__(self, store: Store, *, pods: int, rng: random.Random, pause: float) -> None:
        self.history = History()
        self.batches = 0
        self._store = store
        self._rng = rng
        self._pause = pause
        self._numbers = _numbers(pods)
        self._versions: dict[PodKey, int] = {}
        self._alive: dict[PodKey, bool] = {}
        self._hands: dict[bytes, Hand] = {}

    async def take(self) -> None:
        """Become the writer of all clusters."""
        self._hands = {cluster: await Hand.take(self._store, cluster) for cluster in CLUSTERS}

    async def fill(self) -> None:
        """Write the first version of two of three pods."""
        await self.take()
        for cluster, numbers in self._numbers.items():
            some = [number for number in numbers if self._rng.random() < 0.67]
            for first in range(0, len(some), _FILL):
                await self._apply(cluster, dict.fromkeys(some[first : first + _FILL], True))

    async def run(self, stop: asyncio.Event) -> None:
        """Change pods until told to stop."""
        while not stop.is_set():
            await self.change()
            await asyncio.sleep(self._pause)

    async def change(self) -> None:
        """One batch: most of its pods get another version, some come and some go."""
        cluster = self._rng.choices(CLUSTERS, [len(self._numbers[each]) for each in CLUSTERS])[0]
        await self._apply(cluster, self._drawn(cluster))
        self.batches += 1

    def _drawn(self, cluster: bytes) -> dict[int, bool]:
        """Number -> whether it lives on."""
        numbers = self._rng.sample(self._numbers[cluster], min(CHANGES_PER_BATCH, len(self._numbers[cluster])))
        return {number: not self._is_alive(cluster, number) or self._rng.random() < 0.67 for number in numbers}

    def _is_alive(self, cluster: bytes, number: int) -> bool:
        return self._alive.get(PodKey(cluster, pod_id(number)), False)

    async def _apply(self, cluster: bytes, drawn: dict[int, bool]) -> None:
        """Write a batch, and its changes into the history."""
        hand, upserts, removals, begun = self._hands[cluster], [], [], []
        for number, lives in drawn.items():
            key = PodKey(cluster, pod_id(number))
            version = self._versions[key] = self._versions.get(key, 0) + 1
            self._alive[key] = lives
            change = Change(version if lives else None, time.monotonic())
            self.history.changes[key].append(change)
            begun.append(change)
            if lives:
                upserts.append(upsert(made(cluster, number, version)))
            else:
                removals.append(Removal(pod_id(number), "event"))
        batch = Batch(cluster, hand.fence, upserts=tuple(upserts), removals=tuple(removals))
        await self._store.apply(batch)
        done = time.monotonic()
        for change in begun:
            change.done = done


def _numbers(pods: int) -> dict[bytes, list[int]]:
    """Half of the pods in each cluster, a fifth of them in both; some in none."""
    total = pods * 3 // 2  # two of three are there at a time
    few, half = total // 20, total // 2
    return {
        NO_CLUSTER: list(range(1, few + 1)),
        NORTH: list(range(1, half + 1)),
        SOUTH: list(range(half - total // 5, half - total // 5 + half)),
    }
