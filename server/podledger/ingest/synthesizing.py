"""Fleets that never were, by seed: for benchmarks, for `demo --pods N`, for tests.

Out come clusters, each with the events that an API server would send about it: namespaces first, then
every workload with its owner objects before its pods, so that whoever reads the events in order knows
each owner when its pods arrive. The same arguments give the same bytes, on every machine. Nothing is
held: a fleet of a million pods is made one pod at a time.

`fleet` follows the aspects of the fleet profile (ingest 12) that a reader of pods can tell: kinds of
owners, replicas, containers, phases, restarts, shared images, names. `Source` and `Event` also serve
`demo_clusters`, which tells a story instead.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final, Literal

from podledger.ingest import shapes
from podledger.ingest.shapes import Container, Image, Owner, Pod

EPOCH: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""The present of every fleet; fixed, so that documentation can show what it holds."""

CLUSTER_NAMES: Final = ("prod-eu", "prod-us", "staging", "prod-ap", "dev", "edge")

EventType = Literal["ADDED", "MODIFIED", "DELETED"]

_SHARES: Final = {"Deployment": 0.62, "DaemonSet": 0.18, "StatefulSet": 0.08, "Job": 0.08, "Node": 0.01, "": 0.03}
"""Owners of pods; "" has none, `Node` stands for the mirror pods of the control plane."""
_REPLICAS: Final = ((0.30, 1, 1), (0.75, 2, 3), (0.95, 4, 20), (1.0, 21, 200))
"""(up to this quantile, from, to)"""
_CONTAINERS: Final = ((0.45, 1, 1), (0.76, 2, 2), (0.91, 3, 3), (1.0, 4, 7))
"""A little more than the profile has, so that the mean served pod has 0.9 kB as in the field."""
_EXITS: Final = (("Error", 1), ("Completed", 0), ("OOMKilled", 137), ("Unknown", 255), ("ContainerCannotRun", 128))
_EXIT_WEIGHTS: Final = (60, 18, 12, 7, 3)
_RUNTIMES: Final = ("containerd", "cri-o", "docker")
_RUNTIME_WEIGHTS: Final = (75, 23, 2)
_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes draws name suffixes from these, so that no words come out."""
_SERVICES: Final = (
    "customer-ledger",
    "shopping-cart",
    "order-checkout",
    "product-search",
    "invoice-archive",
    "stock-forecast",
    "user-profile",
    "price-engine",
    "mail-delivery",
    "route-planner",
)
_ROLES: Final = ("api", "worker", "frontend", "cache", "synchronizer", "gateway", "store", "event-feed")
_SIDECARS: Final = ("proxy", "log-shipper", "metrics", "vault-agent", "mesh", "tls")
_CONTROL_PLANE: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
_Maker = Callable[[str, Image, datetime, "Source"], Container]
_PODS_PER_NODE: Final = 30
_PODS_PER_NAMESPACE: Final = 60
_CONTAINERS_PER_DIGEST: Final = 25


@dataclass(frozen=True, slots=True)
class Event:
    """What a watch would report: kind and JSON of an object, and what became of it."""

    type: EventType
    kind: str
    object: bytes


@dataclass(frozen=True, slots=True)
class SyntheticCluster:
    """A cluster. `events` can be read once."""

    id: str
    name: str
    labels: Mapping[str, str]
    events: Iterator[Event]


@dataclass(slots=True)
class Source:
    """What is random in one cluster, with its clock of resource versions."""

    seed: int
    cluster_name: str
    rng: random.Random = field(init=False)
    runtime: str = field(init=False)
    version: int = field(init=False, default=1000)
    cluster_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.seed}/{self.cluster_name}")  # noqa: S311 - repeatable is the point
        self.runtime = self.rng.choices(_RUNTIMES, _RUNTIME_WEIGHTS)[0]
        self.cluster_id = self.uid()

    def uid(self) -> str:
        """A fresh uid."""
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def run(self) -> str:
        """A fresh id of a container run."""
        return f"{self.runtime}://{self.rng.randbytes(32).hex()}"

    def suffix(self, length: int) -> str:
        """What Kubernetes appends to a generated name."""
        return "".join(self.rng.choices(_ALPHABET, k=length))

    def next_version(self) -> int:
        """The resource version of the next change."""
        self.version += 1
        return self.version

    def past(self, *, days: int) -> datetime:
        """A whole minute of the last days."""
        return EPOCH - timedelta(minutes=self.rng.randrange(1, days * 24 * 60))

    def draw(self, table: Sequence[tuple[float, int, int]]) -> int:
        """A number by a table of quantiles."""
        at = self.rng.random()
        low, high = next((low, high) for quantile, low, high in table if at <= quantile)
        return self.rng.randint(low, high)

    def namespace(self, name: str, labels: Mapping[str, str], *, created: datetime) -> Event:
        """A new namespace. The uid of kube-system is the identity of the cluster (ingest 7.2)."""
        uid = self.cluster_id if name == "kube-system" else self.uid()
        data = shapes.namespace_object(name, uid=uid, version=self.next_version(), created=created, labels=labels)
        return Event("ADDED", "Namespace", data)

    def owner(
        self,
        owner: Owner,
        parent: Owner | None,
        *,
        namespace: str,
        created: datetime,
        labels: Mapping[str, str] = MappingProxyType({}),
    ) -> Event:
        """A new owner of pods."""
        data = shapes.owner_object(
            owner, namespace=namespace, parent=parent, version=self.next_version(), created=created, labels=labels
        )
        return Event("ADDED", owner.kind, data)


def image(repository: str, tag: str, *, seed: int) -> Image:
    """An image whose digest follows from its name, so that it is the same one in every cluster."""
    digest = hashlib.sha256(f"{seed}/{repository}:{tag}".encode()).hexdigest()
    return Image(repository, tag, f"sha256:{digest}")


def fleet(*, pods: int, clusters: int, seed: int) -> Iterator[SyntheticCluster]:
    """Make `clusters` clusters with `pods` pods in all, the first ones larger."""
    for name, size in zip(_names(clusters), _sizes(pods, clusters), strict=True):
        source = Source(seed, name)
        labels = {"environment": name.split("-")[0], "fleet": "synthetic"}
        yield SyntheticCluster(source.cluster_id, name, labels, _Workloads(source, size).events())


def _names(clusters: int) -> Iterator[str]:
    for number in range(clusters):
        lap, place = divmod(number, len(CLUSTER_NAMES))
        yield CLUSTER_NAMES[place] + (f"-{lap + 1}" if lap else "")


def _sizes(pods: int, clusters: int) -> list[int]:
    """Split by Zipf's law (1, 1/2, 1/3, ...); the roundings go to the first cluster."""
    whole = sum(1 / rank for rank in range(1, clusters + 1))
    sizes = [int(pods / rank / whole) for rank in range(1, clusters + 1)]
    sizes[0] += pods - sum(sizes)
    return sizes


@dataclass(frozen=True, slots=True)
class _Workload:
    """What the pods of one owner have in common."""

    name: str
    namespace: str
    created: datetime
    images: tuple[Image, ...]
    owner: Owner | None
    labels: Mapping[str, str]


@dataclass(slots=True)
class _Workloads:
    """The workloads of one cluster, one after the other."""

    source: Source
    pods: int
    namespaces: list[str] = field(init=False)
    nodes: int = field(init=False)
    made: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        count = min(max(self.pods // _PODS_PER_NAMESPACE, 3), 5000)
        self.namespaces = [f"commerce-team-{number:03d}" for number in range(1, count)]
        self.nodes = self.pods // _PODS_PER_NODE + 1

    def events(self) -> Iterator[Event]:
        founded = EPOCH - timedelta(days=400)
        for name in ("kube-system", *self.namespaces):
            yield self.source.namespace(name, {"team": name}, created=founded)
        for kind, count in self._counts().items():
            left = count
            while left > 0:
                size = min(left, self._size(kind))
                yield from self._workload(kind, size)
                left -= size

    def _counts(self) -> dict[str, int]:
        counts = {kind: int(share * self.pods) for kind, share in _SHARES.items()}
        counts["Deployment"] += self.pods - sum(counts.values())
        return counts

    def _size(self, kind: str) -> int:
        if kind == "DaemonSet":
            return self.nodes
        return self.source.draw(_REPLICAS) if kind in ("Deployment", "StatefulSet") else 1

    def _workload(self, kind: str, size: int) -> Iterator[Event]:
        rng = self.source.rng
        self.made += 1
        name = f"{rng.choice(_SERVICES)}-{rng.choice(_ROLES)}-{self.made}"
        in_system = kind == "Node" or (kind == "DaemonSet" and rng.random() < 0.7)
        namespace = "kube-system" if in_system else self.namespaces[self._leaning(len(self.namespaces))]
        template = partial(_Workload, namespace=namespace, created=self.source.past(days=90), images=self._images())
        if kind == "Deployment":
            yield from self._deployment(template, name, size)
        elif kind == "Job":
            yield from self._job(template, name)
        elif kind == "Node":
            yield self._mirror(template)
        else:
            yield from self._direct(template, kind, name, size)

    def _leaning(self, length: int) -> int:
        """An index that leans towards the front, much as Zipf's law has it."""
        return int(length * self.source.rng.random() ** 3)

    def _images(self) -> tuple[Image, ...]:
        """The images of a new workload: its own one first, then those of its sidecars."""
        digests = max(self.pods * 2 // _CONTAINERS_PER_DIGEST, 8)
        count = self.source.draw(_CONTAINERS)
        numbers = [self._leaning(digests) for _ in range(count)]
        return tuple(
            image(self._repository(number), f"1.{number % 40}.{number % 7}", seed=self.source.seed)
            for number in numbers
        )

    def _repository(self, number: int) -> str:
        """Three of ten images are the same ones in every cluster."""
        part = "base" if number % 10 < 3 else self.source.cluster_name
        return f"registry.example.com/{part}/{_SERVICES[number % len(_SERVICES)]}-{number}"

    def _deployment(self, template: partial[_Workload], name: str, size: int) -> Iterator[Event]:
        source, hashed = self.source, self.source.suffix(9)
        parent = Owner("apps/v1", "Deployment", name, source.uid())
        owner = Owner("apps/v1", "ReplicaSet", f"{name}-{hashed}", source.uid())
        workload = template(name=name, owner=owner, labels={"app": name, "pod-template-hash": hashed})
        yield self._top(parent, workload)
        yield source.owner(owner, parent, namespace=workload.namespace, created=workload.created)
        for _ in range(size):
            yield self._pod(workload, f"{owner.name}-{source.suffix(5)}")

    def _job(self, template: partial[_Workload], name: str) -> Iterator[Event]:
        source = self.source
        minute = int(source.past(days=3).timestamp()) // 60
        scheduled = source.rng.random() < 0.5
        parent = Owner("batch/v1", "CronJob", name, source.uid()) if scheduled else None
        owner = Owner("batch/v1", "Job", f"{name}-{minute}" if scheduled else name, source.uid())
        workload = template(name=name, owner=owner, labels={"batch.kubernetes.io/job-name": owner.name})
        if parent:
            yield self._top(parent, workload)
        yield source.owner(owner, parent, namespace=workload.namespace, created=workload.created)
        yield self._pod(workload, f"{owner.name}-{source.suffix(5)}")

    def _direct(self, template: partial[_Workload], kind: str, name: str, size: int) -> Iterator[Event]:
        """Pods of a DaemonSet or StatefulSet, whose reference says all about the owner, or of none."""
        source = self.source
        owner = Owner("apps/v1", kind, name, source.uid()) if kind else None
        workload = template(name=name, owner=owner, labels={"app": name})
        if owner:
            yield self._top(owner, workload)
        for number in range(size):
            ending = {"DaemonSet": f"-{source.suffix(5)}", "StatefulSet": f"-{number}"}.get(kind, "")
            yield self._pod(workload, name + ending, node=number if kind == "DaemonSet" else None)

    def _top(self, owner: Owner, workload: _Workload) -> Event:
        """The object of the workload itself."""
        labels = {"app": workload.name, "team": workload.namespace}
        return self.source.owner(owner, None, namespace=workload.namespace, created=workload.created, labels=labels)

    def _mirror(self, template: partial[_Workload]) -> Event:
        """A pod of the control plane. Counting on gives every node each component once."""
        place, part = divmod(self.made, len(_CONTROL_PLANE))
        component, node = _CONTROL_PLANE[part], place % self.nodes
        owner = Owner("v1", "Node", self._node(node), self.source.uid())
        workload = template(name=component, owner=owner, labels={"component": component, "tier": "control-plane"})
        return self._pod(workload, f"{component}-{owner.name}", node=node)

    def _node(self, number: int) -> str:
        return f"node-{number:04d}.{self.source.cluster_name}.cluster.example.internal"

    def _pod(self, workload: _Workload, name: str, *, node: int | None = None) -> Event:
        source = self.source
        number = source.rng.randrange(self.nodes) if node is None else node
        pod = Pod(
            name=name,
            namespace=workload.namespace,
            uid=source.uid(),
            version=source.next_version(),
            created=workload.created,
            phase="Running",
            containers=(),
            labels=workload.labels,
            owner=workload.owner,
            node=self._node(number),
            host_ip=f"10.{number >> 16 & 63}.{number >> 8 & 255}.{number & 255}",
            ip=f"10.{source.rng.randint(64, 127)}.{source.rng.randint(0, 255)}.{source.rng.randint(1, 254)}",
            service_account=workload.name,
            annotations={"checksum/config": source.suffix(20), "prometheus.io/scrape": "true"},
        )
        return Event("ADDED", "Pod", shapes.pod_object(_lived(pod, workload, source)))


def _lived(pod: Pod, workload: _Workload, source: Source) -> Pod:
    """The pod in one of the situations that pods of its kind are found in."""
    at = source.rng.random()
    if pod.owner and pod.owner.kind == "Job":
        phase = "Succeeded" if at < 0.62 else "Failed" if at < 0.72 else "Running"
        make = _running if phase == "Running" else partial(_ended, succeeded=phase == "Succeeded")
        return replace(pod, phase=phase, containers=_containers(pod, workload, source, make))
    if at < 0.01:
        return replace(pod, phase="Pending", node="", ip="", containers=_containers(pod, workload, source, _unstarted))
    if at < 0.02:
        return replace(pod, phase="Pending", ip="", containers=_containers(pod, workload, source, _unstarted))
    if at < 0.03:
        containers = _containers(pod, workload, source, _unstarted)
        return replace(pod, phase="Failed", reason="Evicted", ip="", containers=containers)
    return replace(pod, containers=_containers(pod, workload, source, _looping if at < 0.037 else _running))


def _containers(pod: Pod, workload: _Workload, source: Source, make: _Maker) -> tuple[Container, ...]:
    return tuple(
        make(workload.name if number == 0 else _SIDECARS[number - 1], picture, pod.created, source)
        for number, picture in enumerate(workload.images)
    )


def _unstarted(name: str, picture: Image, _created: datetime, _source: Source) -> Container:
    return Container(name, picture, shapes.waiting("ContainerCreating"))


def _running(name: str, picture: Image, created: datetime, source: Source) -> Container:
    """A container that runs; one in four has been restarted."""
    if source.rng.random() < 0.75:
        return Container(name, picture, shapes.running(created), run=source.run())
    restarts = 1
    while source.rng.random() < 0.6 and restarts < 10_000:
        restarts += 1
    again = created + timedelta(minutes=17 * restarts)
    last = _terminated(source.run(), created, again, source)
    return Container(name, picture, shapes.running(again), last, source.run(), restarts)


def _looping(name: str, picture: Image, created: datetime, source: Source) -> Container:
    """A container in crash loop back-off: its id is that of the dead run (ingest 4.3)."""
    run = source.run()
    last = _terminated(run, created, created + timedelta(minutes=2), source)
    return Container(name, picture, shapes.waiting("CrashLoopBackOff"), last, run, source.rng.randint(3, 400))


def _ended(name: str, picture: Image, created: datetime, source: Source, *, succeeded: bool) -> Container:
    run, finished = source.run(), created + timedelta(minutes=source.rng.randint(1, 240))
    if succeeded:
        state = shapes.terminated(run, created, finished, exit_code=0, reason="Completed")
    else:
        state = shapes.terminated(run, created, finished, exit_code=1, reason="Error")
    return Container(name, picture, state, run=run)


def _terminated(run: str, started: datetime, finished: datetime, source: Source) -> shapes.Json:
    reason, code = source.rng.choices(_EXITS, _EXIT_WEIGHTS)[0]
    return shapes.terminated(run, started, finished, exit_code=code, reason=reason)
