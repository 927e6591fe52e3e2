"""Stored pod + pod as seen -> pod to store: live instances, and the buckets of terminated ones.

The rules are those of pod-service 11, in the two modes of the setting `ingest.merge_mode`:
`stackrox` copies upstream exactly, duplicates included; `dedupe` records every finished run once. All
other fields of the pod come from the event, empty ones too. Nothing here reads or writes a store, and
no argument is changed: what the caller holds stays as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from podledger.pods.identity import RunKey, containing_pod_id, run_key
from podledger.pods.images import runtime_number
from podledger.pods.times import YEAR_ONE
from podledger_protos.podledger.ingest.v1.record_pb2 import Container, PodRecord
from podledger_protos.storage.container_runtime_pb2 import ContainerRuntime
from podledger_protos.storage.deployment_pb2 import ContainerInstance, ContainerInstanceID, Pod

MergeMode = Literal["dedupe", "stackrox"]
_M = TypeVar("_M", ContainerInstance, Pod)

VISIBLE_RUNS = 10
"""Most finished runs of one container that a pod shows (pod-service 11.1 rule 4, 11.2 rule 5)."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The pod to store, and the keys of the runs that this merge recorded for the first time.

    `finished` and the `known` keys given to `merge` are together all runs recorded for the pod.
    """

    pod: Pod
    finished: tuple[RunKey, ...]


def merge(
    stored: Pod | None,
    record: PodRecord,
    *,
    known: Collection[RunKey],
    carried: Sequence[ContainerInstance] = (),
    mode: MergeMode,
) -> Merged:
    """Merge the event `record` into the pod as `stored` (None: not seen before).

    `known` are the keys of all runs ever recorded for the pod, also of those no longer visible.
    `carried` are instances that finished in versions of the pod skipped on the way (ingest 8.7); they
    and `record.containers` count in `dedupe` mode only.
    """
    if mode == "stackrox":
        return _stackrox(stored, record.pod, known)
    if not known and not carried and _without_runs(stored, record):
        return Merged(_with_instances(record.pod, _by_id(record.pod.live_instances), ()), ())
    return _dedupe(stored, record, known, carried)


# ------------------------------------------------------------------------------------------- stackrox


def _stackrox(stored: Pod | None, event: Pod, known: Collection[RunKey]) -> Merged:
    """The rules of pod-service 11.1, by their numbers."""
    if stored is None:  # 1: stored exactly as sent; a finished instance stays live
        pod = _copy(event)
        return Merged(pod, _unknown(_terminated(pod), known))
    live = [instance for instance in event.live_instances if not instance.HasField("finished")]
    finished = [instance for instance in event.live_instances if instance.HasField("finished")]
    pod = _with_instances(event, live, stored.terminated_instances)  # 2: the event's own buckets are thrown away
    _append_all(pod, finished)
    return Merged(pod, _unknown([*_terminated(stored), *finished], known))


def _append_all(pod: Pod, finished: Iterable[ContainerInstance]) -> None:
    """Rules 3 and 4: put finished instances into the buckets of their names.

    A bucket that is opened here stays out of the index: a second finished instance of that name in
    the same event opens another one, as upstream does.
    """
    buckets = {bucket.instances[0].container_name: bucket for bucket in pod.terminated_instances if bucket.instances}
    for instance in finished:
        bucket = buckets.get(instance.container_name)
        if bucket is None:
            bucket = pod.terminated_instances.add()
        if len(bucket.instances) == VISIBLE_RUNS:
            del bucket.instances[0]
        bucket.instances.append(instance)


def _unknown(instances: Iterable[ContainerInstance], known: Collection[RunKey]) -> tuple[RunKey, ...]:
    """The keys of `instances` that are not `known`, each once."""
    recorded = set(known)
    return tuple(key for key in dict.fromkeys(map(run_key, instances)) if key not in recorded)


# --------------------------------------------------------------------------------------------- dedupe


def _without_runs(stored: Pod | None, record: PodRecord) -> bool:
    """True when neither the stored pod nor the event tells of a finished run: most pods, most of the time."""
    if (stored is not None and stored.terminated_instances) or record.pod.terminated_instances:
        return False
    if any(instance.HasField("finished") for instance in record.pod.live_instances):
        return False
    return not any(container.HasField("last_terminated") for container in record.containers)


def _dedupe(
    stored: Pod | None,
    record: PodRecord,
    known: Collection[RunKey],
    carried: Iterable[ContainerInstance],
) -> Merged:
    """The rules of pod-service 11.2."""
    runs = _Runs(known, stored)
    for instance in carried:
        runs.add_completed(instance)
    for instance in _harvested(record):
        runs.add_completed(instance)
    for instance in _terminated(record.pod):
        runs.add(instance)
    for instance in record.pod.live_instances:
        if instance.HasField("finished"):
            runs.add(instance)
    live = [runs.shown(instance) for instance in record.pod.live_instances if not instance.HasField("finished")]
    return Merged(_with_instances(record.pod, _by_id(live), runs.buckets()), tuple(runs.new))


def _harvested(record: PodRecord) -> Iterator[ContainerInstance]:
    """The last terminated runs of the regular containers, by container name (ingest 6.3)."""
    remembered = [c for c in record.containers if c.kind == "regular" and c.HasField("last_terminated")]
    for container in sorted(remembered, key=lambda container: container.name):
        yield _last_run(container, record)


def _last_run(container: Container, record: PodRecord) -> ContainerInstance:
    last = container.last_terminated
    # The kubelet does not name the runtime of a run apart from its id; a pod never changes its runtime.
    identity = ContainerInstanceID(
        container_runtime=runtime_number(container.runtime) if last.id else ContainerRuntime.UNKNOWN_CONTAINER_RUNTIME,
        id=last.id,
        node=record.node,
    )
    return ContainerInstance(
        instance_id=identity,
        containing_pod_id=containing_pod_id(record.pod.name, record.pod.namespace, record.uid),
        container_name=container.name,
        started=last.started if last.HasField("started") else None,
        finished=last.finished if last.HasField("finished") else None,
        exit_code=last.exit_code,
        termination_reason=last.reason,
    )


class _Runs:
    """The recorded runs of one pod while an event is merged into them."""

    def __init__(self, known: Collection[RunKey], stored: Pod | None) -> None:
        self.new: list[RunKey] = []
        self._recorded = set(known)
        self._stored = stored
        self._buckets: dict[str, dict[RunKey, ContainerInstance]] = {}
        for instance in _terminated(stored) if stored is not None else ():
            self._keep(instance)

    def _keep(self, instance: ContainerInstance) -> None:
        """Take over a stored run; buckets of `stackrox` mode are put in order on the way (rule 8)."""
        key = run_key(instance)
        self._bucket(key).setdefault(key, instance)
        if key not in self._recorded:
            self._note(key)

    def _bucket(self, key: RunKey) -> dict[RunKey, ContainerInstance]:
        return self._buckets.setdefault(key.container, {})

    def _note(self, key: RunKey) -> None:
        self._recorded.add(key)
        self.new.append(key)

    def add(self, instance: ContainerInstance) -> None:
        """Record a run of the event, or let the recorded one take the better values (rules 3 and 4)."""
        key = run_key(instance)
        if key in self._recorded:
            self._improve(key, instance)
        else:
            self._bucket(key)[key] = instance
            self._note(key)

    def add_completed(self, instance: ContainerInstance) -> None:
        """Record a harvested or carried run, a new one completed from what was stored live (rule 4)."""
        key = run_key(instance)
        alive = None if key in self._recorded else self._stored_live(key)
        self.add(instance if alive is None else _completed(instance, alive))

    def _stored_live(self, key: RunKey) -> ContainerInstance | None:
        instances = self._stored.live_instances if self._stored is not None else ()
        return next((instance for instance in instances if run_key(instance) == key), None)

    def _improve(self, key: RunKey, told: ContainerInstance) -> None:
        bucket = self._buckets.get(key.container, {})
        if key in bucket:  # else it is recorded and no longer visible
            bucket[key] = _better(bucket[key], told)

    def shown(self, instance: ContainerInstance) -> ContainerInstance:
        """A live instance as the pod shows it (rule 6).

        In crash loop back-off the kubelet gives the id of the dead run; that run is in a bucket already.
        """
        if instance.HasField("started") or not instance.instance_id.id or run_key(instance) not in self._recorded:
            return instance
        waiting = _copy(instance)
        waiting.instance_id.id = ""
        waiting.instance_id.container_runtime = ContainerRuntime.UNKNOWN_CONTAINER_RUNTIME
        return waiting

    def buckets(self) -> Iterator[Pod.ContainerInstanceList]:
        """The buckets as the pod shows them: the last runs of each (rule 5)."""
        for runs in self._buckets.values():
            yield Pod.ContainerInstanceList(instances=list(runs.values())[-VISIBLE_RUNS:])


def _better(kept: ContainerInstance, told: ContainerInstance) -> ContainerInstance:
    """`kept`, or a copy with the times and the reason that it lacks and `told` has (rule 3)."""
    times = [name for name in ("started", "finished") if _is_vague(kept, name) and not _is_vague(told, name)]
    reason = kept.termination_reason or told.termination_reason
    if not times and reason == kept.termination_reason:
        return kept
    better = _copy(kept)
    better.termination_reason = reason
    for name in times:
        getattr(better, name).CopyFrom(getattr(told, name))
    return better


def _completed(instance: ContainerInstance, alive: ContainerInstance) -> ContainerInstance:
    """A copy of `instance` with the addresses, digest and start that it lacks and `alive` has."""
    complete = _copy(instance)
    if not complete.container_ips:
        complete.container_ips.extend(alive.container_ips)
    complete.image_digest = complete.image_digest or alive.image_digest
    if _is_vague(complete, "started") and not _is_vague(alive, "started"):
        complete.started.CopyFrom(alive.started)
    return complete


def _is_vague(instance: ContainerInstance, name: str) -> bool:
    """True when a time is unset, or set to year 1, which Kubernetes writes for null."""
    time: Timestamp = getattr(instance, name)
    return not instance.HasField(name) or time.seconds == YEAR_ONE.seconds


# ----------------------------------------------------------------------------------------------- pods


def _terminated(pod: Pod) -> Iterator[ContainerInstance]:
    """All instances in the buckets of a pod, bucket by bucket."""
    return (instance for bucket in pod.terminated_instances for instance in bucket.instances)


def _by_id(instances: Iterable[ContainerInstance]) -> list[ContainerInstance]:
    """Instances stably by id; comparing code points orders as comparing UTF-8 bytes does."""
    return sorted(instances, key=lambda instance: instance.instance_id.id)


def _with_instances(
    event: Pod,
    live: Iterable[ContainerInstance],
    buckets: Iterable[Pod.ContainerInstanceList],
) -> Pod:
    """A copy of `event` with these instances in place of its own."""
    pod = _copy(event)
    pod.ClearField("live_instances")
    pod.ClearField("terminated_instances")
    pod.live_instances.extend(live)
    pod.terminated_instances.extend(buckets)
    return pod


def _copy(message: _M) -> _M:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
