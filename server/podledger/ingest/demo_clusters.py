"""The demo fleet: what happened one morning in three made-up clusters (ingest 12).

Sixty pods run in `prod-eu`, `prod-us` and `staging`, and each cluster has a past: the events are told
in order, so that pods which restarted, ended or were deleted leave their history behind.

- One image, `docker.io/library/nginx:1.25.3`, runs in all three clusters: "which pods run this digest".
- prod-eu: a `ledger-api` pod runs out of memory again and again and is in crash loop back-off; the
  StatefulSet pod `cart-db-0` was deleted and came back under the same name with another uid.
- prod-us: an evicted pod; a `checkout` pod whose sidecar was restarted twice.
- staging: a rollout replaced the pods of `frontend`; a pod cannot pull its image; a bare debug pod.
- Everywhere: last night's Job has finished, and the one of the night before is gone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from podledger.ingest import shapes
from podledger.ingest.shapes import Container, Image, Owner, Pod
from podledger.ingest.synthesizing import EPOCH, Event, EventType, Source, SyntheticCluster, image

Pods = Generator[Event, None, list[Pod]]
"""Tells how pods come up, and hands them over for what happens to them later."""

_TEAMS: Final = {"kube-system": "platform", "monitoring": "platform", "payments": "payments", "shop": "shop"}
_FOUNDED: Final = EPOCH - timedelta(days=200)
_OUT_OF_MEMORY_RUNS: Final = 5


def demo(*, seed: int) -> Iterator[SyntheticCluster]:
    """Make the three clusters. The seed changes ids and digests, never the story."""
    for name, environment, nodes, tell in (
        ("prod-eu", "production", 3, _prod_eu),
        ("prod-us", "production", 3, _prod_us),
        ("staging", "staging", 2, _staging),
    ):
        stage = _Stage(Source(seed, name), nodes)
        yield SyntheticCluster(stage.source.cluster_id, name, {"environment": environment}, tell(stage))


@dataclass(slots=True)
class _Stage:
    """One cluster while its story is told: makes owners and pods, and turns what happens into events."""

    source: Source
    nodes: int
    pods: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.source.runtime = "cri-o" if self.source.cluster_name == "prod-us" else "containerd"

    def image(self, repository: str, tag: str) -> Image:
        return image(repository, tag, seed=self.source.seed)

    def owner(self, kind: str, name: str) -> Owner:
        return Owner("batch/v1" if kind == "CronJob" else "apps/v1", kind, name, self.source.uid())

    def event(self, event_type: EventType, pod: Pod) -> Event:
        return Event(event_type, "Pod", shapes.pod_object(replace(pod, version=self.source.next_version())))

    def pod(self, name: str, namespace: str, images: Sequence[Image], *, hours: int) -> Pod:
        """A pod that has been running for so many hours, on the next node in turn."""
        self.pods += 1
        number = self.pods % self.nodes + 1
        created = EPOCH - timedelta(hours=hours)
        return Pod(
            name=name,
            namespace=namespace,
            uid=self.source.uid(),
            version=self.source.next_version(),
            created=created,
            phase="Running",
            containers=tuple(self._container(picture, created) for picture in images),
            labels={"app": name},
            node=f"{self.source.cluster_name}-node-{number}",
            host_ip=f"10.0.0.{number}",
            ip=f"10.64.{number}.{self.pods}",
        )

    def _container(self, picture: Image, created: datetime) -> Container:
        name = picture.repository.rsplit("/", 1)[-1]
        return Container(name, picture, shapes.running(created), run=self.source.run())

    def workload(self, owner: Owner, namespace: str) -> Event:
        """The object of a workload, with the labels that its team gave it."""
        labels = {"app": owner.name, "team": _TEAMS[namespace]}
        return self.source.owner(owner, None, namespace=namespace, created=_FOUNDED, labels=labels)

    def replica_set(
        self, parent: Owner, namespace: str, images: Sequence[Image], *, count: int, hours: int = 100
    ) -> Pods:
        """A ReplicaSet of a Deployment comes up with its pods."""
        source, hashed = self.source, self.source.suffix(9)
        owner = self.owner("ReplicaSet", f"{parent.name}-{hashed}")
        yield self.workload(parent, namespace)
        yield source.owner(owner, parent, namespace=namespace, created=EPOCH - timedelta(hours=hours))
        pods = [self.pod(f"{owner.name}-{source.suffix(5)}", namespace, images, hours=hours) for _ in range(count)]
        return (yield from self.owned(owner, pods, {"app": parent.name, "pod-template-hash": hashed}))

    def job(self, cron: Owner, namespace: str, images: Sequence[Image], *, hours: int) -> Pods:
        """A run of a CronJob starts, with its one pod."""
        source, created = self.source, EPOCH - timedelta(hours=hours)
        owner = Owner(cron.api_version, "Job", f"{cron.name}-{int(created.timestamp()) // 60}", source.uid())
        yield self.workload(cron, namespace)
        yield source.owner(owner, cron, namespace=namespace, created=created)
        pods = [self.pod(f"{owner.name}-{source.suffix(5)}", namespace, images, hours=hours)]
        return (yield from self.owned(owner, pods, {"batch.kubernetes.io/job-name": owner.name}))

    def daemon_set(self, name: str, namespace: str, *images: Image) -> Pods:
        """A DaemonSet puts a pod on each node."""
        pods = [self.pod(f"{name}-{self.source.suffix(5)}", namespace, images, hours=2000) for _ in range(self.nodes)]
        owner = self.owner("DaemonSet", name)
        yield self.workload(owner, namespace)
        return (yield from self.owned(owner, pods, {"app": name}))

    def stateful_set(self, name: str, namespace: str, *images: Image, count: int) -> Pods:
        """A StatefulSet comes up."""
        pods = [self.pod(f"{name}-{number}", namespace, images, hours=900) for number in range(count)]
        owner = self.owner("StatefulSet", name)
        yield self.workload(owner, namespace)
        return (yield from self.owned(owner, pods, {"app": name}))

    def owned(self, owner: Owner | None, pods: Sequence[Pod], labels: Mapping[str, str]) -> Pods:
        """These pods are seen for the first time."""
        found = [replace(pod, owner=owner, labels=labels) for pod in pods]
        for pod in found:
            yield self.event("ADDED", pod)
        return found


def _prod_eu(stage: _Stage) -> Iterator[Event]:
    yield from _platform(stage)
    database, ledger = yield from _shop(stage)
    yield from _recreated(stage, database)
    yield from _out_of_memory(stage, ledger)


def _prod_us(stage: _Stage) -> Iterator[Event]:
    yield from _platform(stage)
    _, ledger = yield from _shop(stage)
    name = ledger.name[:-5] + stage.source.suffix(5)
    pod = stage.pod(name, ledger.namespace, [container.image for container in ledger.containers], hours=50)
    (lost,) = yield from stage.owned(ledger.owner, [pod], ledger.labels)
    yield stage.event("MODIFIED", replace(lost, phase="Failed", reason="Evicted", ip=""))


def _staging(stage: _Stage) -> Iterator[Event]:
    yield from _platform(stage)
    frontend = stage.owner("Deployment", "frontend")
    old = yield from stage.replica_set(frontend, "shop", [_nginx(stage, "1.25.2")], count=2, hours=300)
    yield from stage.replica_set(frontend, "shop", [_nginx(stage)], count=2, hours=20)
    for pod in old:
        yield stage.event("DELETED", _ended(pod, finished=EPOCH - timedelta(hours=20)))
    yield from stage.replica_set(stage.owner("Deployment", "checkout"), "shop", _checkout(stage), count=1)
    yield from _image_missing(stage)
    debug = stage.pod("debug", "shop", [stage.image("docker.io/library/busybox", "1.36")], hours=1)
    yield stage.event("ADDED", debug)


def _nginx(stage: _Stage, tag: str = "1.25.3") -> Image:
    return stage.image("docker.io/library/nginx", tag)


def _checkout(stage: _Stage) -> list[Image]:
    return [
        stage.image("registry.example.com/shop/checkout", "4.2.0"),
        stage.image("docker.io/envoyproxy/envoy", "v1.29.1"),
    ]


def _platform(stage: _Stage) -> Iterator[Event]:
    """What every cluster has: namespaces, system pods, an agent on each node and a nightly Job."""
    for name, team in _TEAMS.items():
        yield stage.source.namespace(name, {"team": team}, created=_FOUNDED)
    dns = stage.image("registry.k8s.io/coredns/coredns", "v1.11.1")
    yield from stage.replica_set(stage.owner("Deployment", "coredns"), "kube-system", [dns], count=stage.nodes - 1)
    yield from stage.daemon_set("kube-proxy", "kube-system", stage.image("registry.k8s.io/kube-proxy", "v1.29.2"))
    yield from stage.daemon_set("node-agent", "monitoring", stage.image("quay.io/prometheus/node-exporter", "v1.7.0"))
    for component, tag in (("kube-apiserver", "v1.29.2"), ("etcd", "3.5.12-0")):
        yield from _mirror(stage, component, stage.image(f"registry.k8s.io/{component}", tag))
    yield from _nightly(stage)


def _mirror(stage: _Stage, component: str, picture: Image) -> Pods:
    """A pod of the control plane: the kubelet runs it, the API server shows its mirror."""
    pod = stage.pod(component, "kube-system", [picture], hours=2000)
    node = Owner("v1", "Node", pod.node, stage.source.uid())
    annotations = {"kubernetes.io/config.mirror": stage.source.suffix(32), "kubernetes.io/config.source": "file"}
    pod = replace(pod, name=f"{component}-{pod.node}", annotations=annotations, host_network=True, ip=pod.host_ip)
    return (yield from stage.owned(node, [pod], {"component": component, "tier": "control-plane"}))


def _nightly(stage: _Stage) -> Iterator[Event]:
    """Two nights of a CronJob: the last run has finished, the one before has been cleaned up."""
    cron = stage.owner("CronJob", "nightly-report")
    report = [stage.image("registry.example.com/payments/report", "1.9.3")]
    for hours in (31, 7):
        (pod,) = yield from stage.job(cron, "payments", report, hours=hours)
        pod = _ended(pod, finished=pod.created + timedelta(minutes=41))
        yield stage.event("MODIFIED", pod)
        if hours == 31:
            yield stage.event("DELETED", pod)


def _shop(stage: _Stage) -> Generator[Event, None, tuple[Pod, Pod]]:
    """The business of both production clusters. Hands over a database pod and a ledger pod."""
    ledger_image = stage.image("registry.example.com/payments/ledger-api", "2.4.1")
    database = yield from stage.stateful_set(
        "cart-db", "shop", stage.image("docker.io/library/postgres", "16.2"), count=2
    )
    yield from stage.replica_set(stage.owner("Deployment", "frontend"), "shop", [_nginx(stage)], count=4, hours=60)
    checkout = yield from stage.replica_set(stage.owner("Deployment", "checkout"), "shop", _checkout(stage), count=3)
    ledger = yield from stage.replica_set(stage.owner("Deployment", "ledger-api"), "payments", [ledger_image], count=3)
    yield from _sidecar_restarts(stage, checkout[0])
    return database[0], ledger[0]


def _sidecar_restarts(stage: _Stage, pod: Pod) -> Iterator[Event]:
    """The proxy beside a container crashes twice; the container itself goes on."""
    main, proxy = pod.containers
    started = pod.created
    for restarts in (1, 2):
        finished = started + timedelta(hours=12)
        last = shapes.terminated(proxy.run, started, finished, exit_code=1, reason="Error")
        started = finished + timedelta(seconds=10)
        proxy = replace(proxy, state=shapes.running(started), last=last, run=stage.source.run(), restarts=restarts)
        yield stage.event("MODIFIED", replace(pod, containers=(main, proxy)))


def _out_of_memory(stage: _Stage, pod: Pod) -> Iterator[Event]:
    """A container is killed, waits, runs, is killed again; now it waits."""
    (container,) = pod.containers
    started = EPOCH - timedelta(hours=2)
    for restarts in range(1, _OUT_OF_MEMORY_RUNS + 1):
        finished = started + timedelta(minutes=9)
        last = shapes.terminated(container.run, started, finished, exit_code=137, reason="OOMKilled")
        container = replace(container, state=shapes.waiting("CrashLoopBackOff"), last=last, restarts=restarts)
        yield stage.event("MODIFIED", replace(pod, containers=(container,)))
        if restarts < _OUT_OF_MEMORY_RUNS:
            started = finished + timedelta(minutes=restarts)
            container = replace(container, state=shapes.running(started), run=stage.source.run())
            yield stage.event("MODIFIED", replace(pod, containers=(container,)))


def _recreated(stage: _Stage, pod: Pod) -> Iterator[Event]:
    """A StatefulSet pod is deleted; the next one has its name and another uid."""
    yield stage.event("DELETED", _ended(pod, finished=EPOCH - timedelta(hours=3)))
    again = stage.pod(pod.name, pod.namespace, [container.image for container in pod.containers], hours=3)
    yield from stage.owned(pod.owner, [again], pod.labels)


def _image_missing(stage: _Stage) -> Iterator[Event]:
    """A pod whose image has a tag that does not exist."""
    picture = stage.image("registry.example.com/payments/ledger-api", "2.5.0-rc1")
    source, hashed = stage.source, stage.source.suffix(9)
    owner = stage.owner("ReplicaSet", f"ledger-api-{hashed}")
    parent = stage.owner("Deployment", "ledger-api")
    yield stage.workload(parent, "payments")
    yield source.owner(owner, parent, namespace="payments", created=EPOCH - timedelta(hours=2))
    pod = stage.pod(f"{owner.name}-{source.suffix(5)}", "payments", [picture], hours=2)
    stuck = Container("ledger-api", picture, shapes.waiting("ImagePullBackOff"))
    labels = {"app": "ledger-api", "pod-template-hash": hashed}
    yield from stage.owned(owner, [replace(pod, phase="Pending", containers=(stuck,))], labels)


def _ended(pod: Pod, *, finished: datetime) -> Pod:
    """The pod with all its containers completed."""
    containers = tuple(
        replace(
            container,
            state=shapes.terminated(container.run, pod.created, finished, exit_code=0, reason="Completed"),
        )
        for container in pod.containers
    )
    return replace(pod, phase="Succeeded", containers=containers)
