"""Random fleets and questions from a seed, for comparisons of more cases than hypothesis has time for.

Everything that a store can hold is thrown: pods that tell their workload and pods that do not, workloads told
as a whole with all their children, owner objects, namespaces, clusters. Cells and values of queries come from the
same small pools, so that questions find something.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from podledger.errors import InvalidRequest
from podledger.pods.identity import NO_CLUSTER, PodKey, uuid_text
from podledger.pods.workloads import Env, Exposure, Port, Secret, Volume, Workload, WorkloadContainer
from podledger.query import paging, parsing
from podledger.query.fields import ENUMS, FIELDS, Field
from podledger.query.paging import SortKey
from podledger.query.scope import UNRESTRICTED, Scope
from podledger.query.syntax import Query
from podledger.store.contract import Batch, Cluster, NamespaceUpdate, OwnerMetadata, Removal, Store, Upsert
from podledger.store.sql import TABLES
from podledger_protos.api.v1.pagination_pb2 import Pagination
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, Label, PodRecord, TopOwner
from podledger_protos.storage.deployment_pb2 import ContainerInstance, Pod
from tests.fakes import strategies as pools

Made = TypeVar("Made")

CLUSTERS = [NO_CLUSTER, *pools.CLUSTERS]
SPACES = ["web", "WEB-1", "", "\u0130stanbul", "stra\u00dfe"]
HASHES = [0, 1, 2, 255, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 12_345_678_901_234_567_890]
PORTS = [0, 1, 443, 30443, -1, 2**31 - 1, -(2**31)]
KEYS = ["app", "App", "tier", "", "\u212aey", "a b", "k8s.io/x-y"]
IMAGES = ["acme.io/web:v1", "web", "acme.io:5000/a/b@sha256:" + "0" * 64, "localhost/x", "UPPER/Case"]
PATTERNS = ["^web", "b$", "[a-z]+_?\\d", ".", "\u017f", "k", "(?i)WEB|\u00df", "^$", "\\bi", "\\bw", "\\pL{2}", "\\B"]
WIDE = ["w", "i", "k", "s", "1", "_", "%a", "%1%", "__", "sha", "acme", "v"]

HELD = [entry.label for entry in FIELDS.values() if entry.condition and entry.table in TABLES]
OTHERS = [entry.label for entry in FIELDS.values() if entry.condition and entry.table not in TABLES]
SORTABLE = [entry.label for entry in FIELDS.values() if entry.sortable]
HELD_SORTABLE = [entry.label for entry in FIELDS.values() if entry.sortable and entry.table in TABLES]


@dataclass(frozen=True)
class Question:
    """A query with all that a reader may be asked beside it."""

    text: str
    query: Query
    order: tuple[SortKey, ...]
    scope: Scope
    limit: int
    offset: int
    after: PodKey | None


@dataclass(frozen=True)
class Fleet:
    """What is written: clusters, then batch by batch."""

    clusters: tuple[Cluster, ...]
    batches: tuple[tuple[bytes, Mapping[str, tuple[Any, ...]]], ...]

    async def write(self, store: Store) -> None:
        """Begin anew and write it."""
        for id_ in CLUSTERS:
            await store.remove_cluster(id_)
        for cluster in self.clusters:
            await store.put_cluster(cluster)
        fences = {id_: await store.take(id_, b"") for id_ in CLUSTERS}
        for id_, changes in self.batches:
            await store.apply(Batch(id_, fences[id_], **changes))


class Dice:
    """One sequence of throws."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one(self, options: Sequence[Made]) -> Made:
        return self._random.choice(options)

    def often(self, chance: float) -> bool:
        return self._random.random() < chance

    def several(self, most: int, make: Callable[[], Made]) -> tuple[Made, ...]:
        return tuple(make() for _ in range(self._random.randint(0, most)))

    def maybe(self, make: Callable[[], Made]) -> Made | None:
        return None if self.often(0.2) else make()

    # cells

    def text(self) -> str:
        if self.often(0.75):
            return self.one(pools.WORDS)
        letters = pools.LETTERS + pools.LIVE + "\0\x08\u0301"
        return "".join(self.several(5, lambda: self.one(letters)))

    def map(self) -> dict[str, str]:
        return dict(self.several(3, lambda: (self.one(KEYS) if self.often(0.8) else self.text(), self.text())))

    def texts(self) -> tuple[str, ...]:
        return self.several(3, self.text)

    def enum(self, label: str) -> int:
        return self.one([*ENUMS[FIELDS[label].enum].values(), 99])

    def number(self) -> float:
        return float(self.one(pools.NUMBERS))

    # fleets

    def fleet(self) -> Fleet:
        names = self._random.sample(pools.WORDS, len(pools.CLUSTERS))
        clusters = tuple(map(self._cluster, pools.CLUSTERS, names))
        batches = [(id_, self._batch(id_)) for id_ in CLUSTERS for _ in range(self._random.randint(1, 2))]
        self._random.shuffle(batches)
        return Fleet(clusters, tuple(batches))

    def _cluster(self, id_: bytes, name: str) -> Cluster:
        return Cluster(
            id_,
            name,
            self.map(),
            kubernetes_version=self.maybe(self.text),
            type=self.maybe(lambda: self.enum("cluster platform type")),
            provider_type=self.maybe(lambda: self.enum("cluster type")),
        )

    def _batch(self, cluster: bytes) -> dict[str, tuple[Any, ...]]:
        return {
            "namespaces": self.several(2, self._namespace),
            "metadata": self.several(2, self._metadata),
            "upserts": self.several(5, lambda: Upsert(self._record(cluster), b"", tells_workload=self.often(0.6))),
            "removals": self.several(1, lambda: Removal(self.one(pools.PODS), "event")),
            "workloads": self.several(2, self._workload),
        }

    def _namespace(self) -> NamespaceUpdate:
        id_ = uuid_text(self.one(pools.NAMESPACES))
        return NamespaceUpdate(id_, self.one(SPACES), self.map(), self.map(), gone=self.often(0.1))

    def _metadata(self) -> OwnerMetadata:
        id_ = uuid_text(self.one(pools.DEPLOYMENTS))
        created = self.maybe(lambda: self.one(pools.TIMES))
        return OwnerMetadata(id_, self.map(), self.map(), created, gone=self.often(0.1))

    def _record(self, cluster: bytes) -> PodRecord:
        id_, deployment = self.one(pools.PODS), self.one([*pools.DEPLOYMENTS, None])
        made = PodRecord(
            pod=Pod(
                id=uuid_text(id_),
                cluster_id=uuid_text(cluster) if cluster != NO_CLUSTER else "",
                name=self.text(),
                namespace=self.one(SPACES),
                deployment_id=uuid_text(deployment) if deployment else self.one(["", "no uuid"]),
                live_instances=[
                    ContainerInstance(image_digest=digest) for digest in self.several(3, lambda: self.one(pools.IMAGES))
                ],
            ),
            uid=uuid_text(id_),
            service_account=self.text(),
            labels=[Label(key=key, value=value) for key, value in sorted(self.map().items())],
            containers=self.several(2, self._container),
        )
        made.pod.started.seconds = self._random.randint(0, 2)
        if self.often(0.5):
            made.top_owner.CopyFrom(TopOwner(kind=self.one(["Deployment", "Job"]), name=self.text()))
        return made

    def _container(self) -> Container:
        kind = self.one(["regular", "init", "sidecar", "ephemeral"])
        return Container(name=self.text(), kind=kind, spec_image=self.one(IMAGES), image_id=self.one(pools.IMAGES))

    def _workload(self) -> Workload:
        return Workload(
            deployment_id=self.one(pools.DEPLOYMENTS),
            name=self.text(),
            type=self.one(["Deployment", "DaemonSet", "Pod"]),
            namespace=self.one(SPACES),
            namespace_id=self.maybe(lambda: self.one(pools.NAMESPACES)),
            cluster_name=self.text(),
            labels=self.maybe(self.map),
            pod_labels=self.maybe(self.map),
            annotations=self.maybe(self.map),
            created=self.maybe(lambda: self.one(pools.TIMES)),
            hash=self.maybe(lambda: self.one(HASHES)),
            service_account=self.maybe(self.text),
            service_account_permission_level=self.maybe(lambda: self.enum("service account permission level")),
            image_pull_secrets=self.maybe(self.texts),
            risk_score=self.maybe(self.number),
            orchestrator_component=self.maybe(lambda: self.often(0.5)),
            platform_component=self.maybe(lambda: self.often(0.5)),
            containers=self.several(2, self._workload_container),
            ports=self.several(2, self._port),
        )

    def _workload_container(self) -> WorkloadContainer:
        return WorkloadContainer(
            type=self.maybe(lambda: self.enum("container type")),
            image_full_name=self.maybe(lambda: self.one(IMAGES)),
            image_registry=self.maybe(self.text),
            image_remote=self.maybe(self.text),
            image_tag=self.maybe(self.text),
            image_id=self.maybe(lambda: self.one(pools.IMAGES)),
            image_id_v2=self.maybe(self.text),
            privileged=self.maybe(lambda: self.often(0.5)),
            read_only_root=self.maybe(lambda: self.often(0.5)),
            add_capabilities=self.maybe(self.texts),
            drop_capabilities=self.maybe(self.texts),
            cpu_request=self.maybe(self.number),
            cpu_limit=self.maybe(self.number),
            memory_request=self.maybe(self.number),
            memory_limit=self.maybe(self.number),
            envs=self.several(
                2, lambda: Env(self.text(), self.maybe(self.text), self.enum("environment variable source"))
            ),
            volumes=self.several(
                2, lambda: Volume(self.text(), self.text(), self.text(), self.text(), self.often(0.5))
            ),
            secrets=self.several(2, lambda: Secret(self.text(), self.text())),
        )

    def _port(self) -> Port:
        return Port(self.enum("max exposure level"), self.several(2, self._exposure))

    def _exposure(self) -> Exposure:
        return Exposure(
            self.enum("exposure level"),
            self.text(),
            self.one(PORTS),
            self.one(PORTS),
            self.maybe(self.texts),
            self.maybe(self.texts),
        )

    # questions

    def question(self) -> Question:
        """A query that is accepted."""
        while True:
            text = "+".join(self.several(3, self._part))
            try:
                query = parsing.parse(text, now=pools.NOW)
            except InvalidRequest:
                continue
            after = PodKey(self.one(CLUSTERS), self.one(pools.PODS)) if self.often(0.5) else None
            limit, offset = self._random.randint(1, 5), self._random.randint(0, 4)
            return Question(text, query, self._order(), self._scope(), limit, offset, after)

    def _order(self) -> tuple[SortKey, ...]:
        asked = Pagination()
        for label in self.several(2, lambda: self.one(HELD_SORTABLE if self.often(0.95) else SORTABLE)):
            asked.sort_options.add(field=label, reversed=self.often(0.5))
        return paging.order(paging.window(asked)).order if asked.sort_options else ()

    def _scope(self) -> Scope:
        if self.often(0.6):
            return UNRESTRICTED
        names = lambda: None if self.often(0.4) else frozenset(self.several(3, lambda: self.one(SPACES)))  # noqa: E731 - once
        return Scope(clusters=dict(self.several(3, lambda: (self.one(pools.CLUSTERS), names()))))

    def _part(self) -> str:
        label = self.one(HELD if self.often(0.93) else OTHERS)
        spelled = self.one([label, label, label.lower(), label.upper()])
        values = (self._value(FIELDS[label.lower()]), *self.several(1, lambda: self._value(FIELDS[label.lower()])))
        return f"{spelled}:{','.join(values)}"

    def _value(self, asked: Field) -> str:
        if self.often(0.12):
            return self.one(["*", "-", "-", ""])
        match asked.kind:
            case "uuid":
                return self._uuid_value()
            case "numeric" | "integer" | "biginteger":
                return self._number_value(asked)
            case "datetime":
                return self._time_value()
            case "bool":
                return self.one(["true", "fal", "1", "F"])
            case "enum":
                return self._enum_value(asked)
            case "map":
                return self._map_value()
        return self._text_value()

    def _uuid_value(self) -> str:
        known = uuid_text(self.one([*pools.CLUSTERS, *pools.DEPLOYMENTS, *pools.NAMESPACES, *pools.PODS]))
        return self.one([known, known, f"!{known}", "r/^e0", "!r/0[01]$", '"*"', "!-"])

    def _number_value(self, asked: Field) -> str:
        pool = HASHES if asked.column == "hash" else PORTS if asked.kind == "integer" else pools.NUMBERS
        sign = self.one(["", "", ">", ">=", "<", "<=", "=", "=="])
        forms = [
            f"{sign}{self.one(pool)}",
            f"{sign}{self.one(pool)}",
            f"{self.one(pool)}-{self.one(pool)}",
            f"{sign}{self.one(['inf', '-inf', 'nan', '1e300', '0.5', '9.3e18'])}",
        ]
        return self.one(forms)

    def _time_value(self) -> str:
        sign = self.one(["", "", ">", ">=", "<", "<=", "=", "=="])
        days = f"{self._random.randint(-1, 40)}d"
        date = self.one(["05/10/2024", "05/10/2024 8:00 AM", "06/06/2024 12:34:55 PM", "06/11/2024 12:34:56 PM GMT-1"])
        return self.one([sign + days, sign + date, "1d-10d", "tr/1715328000000-1718109296789"])

    def _enum_value(self, asked: Field) -> str:
        name = self.one([*ENUMS[asked.enum], "e", "un", "x"]).lower()
        sign = self.one(["", "", ">", ">=", "<", "<=", "="])
        return self.one([sign + name, sign + name, f"!{name}", f'"{name}"', f'!"{name}"', f"r/{name}", f"!r/{name}"])

    def _map_value(self) -> str:
        key = self.one([*KEYS, *KEYS, "!app", '"app"', "r/^a", "t"])
        return key if self.often(0.3) else f"{key}={self.one([self._text_value(), ''])}"

    def _text_value(self) -> str:
        word = self.one([*pools.WORDS, *IMAGES, *pools.IMAGES, self.text().replace("\0", "")])
        part = word[: self._random.randint(0, len(word))]
        plain = [word, part, part.upper(), part.lower(), part.swapcase(), self.one(WIDE), f"%{part[1:]}"]
        forms = [*plain, *plain, f'"{word}"', f'"{word}"', f"r/{self.one(PATTERNS)}", f"r/{self.one(PATTERNS)}"]
        return self.one(["", "", "!"]) + self.one(forms)


async def answers(store: Store, asked: Question) -> dict[str, Any]:
    """All that a store says to a question."""
    reader = store.reader(asked.scope)
    whole = await reader.page(asked.query, paging.Paging(1000, 0, asked.order))
    part = await reader.page(asked.query, paging.Paging(asked.limit, asked.offset, asked.order))
    scan = [chunk async for chunk in reader.scan(asked.query, after=asked.after, chunk_rows=asked.limit)]
    return {
        "whole": whole,
        "part": part,
        "scan": [message for chunk in scan for message in chunk.messages],
        "count": await reader.count(asked.query, at_most=None),
        "few": min((await reader.count(asked.query, at_most=asked.limit)).value, asked.limit),
    }
