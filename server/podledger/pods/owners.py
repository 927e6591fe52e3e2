"""Owners: a pod's owner references and what is known about the owners -> its deployment id.

`Owners` maps the uid of an object to its tracked parents. A parent's own object is not needed: the
reference tells its uid, kind and name. So a walk up from a pod ends at the first owner of which no
tracked parent is known: the top (ingest 5). When an owner becomes known later, or its parents change,
`updates` says what follows for the pods that hang on it; carrying that out is the store's work.

No clock and no pod status is kept here: how long a deleted owner stays known is for the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from podledger.pods.identity import static_deployment_id
from podledger.pods.objects import OwnerReference, Pod, PodMetadata

TRACKED_KINDS: Final = frozenset(
    {
        "Deployment",
        "DaemonSet",
        "Pod",
        "ReplicationController",
        "ReplicaSet",
        "StatefulSet",
        "CronJob",
        "Job",
        "DeploymentConfig",
    }
)
_OWNED_KINDS: Final = frozenset({"ReplicaSet", "Job", "ReplicationController", "Pod"})
"""Kinds that may have owners themselves: while their object is not known, the walk has not reached the top."""
_NATIVE_SUFFIXES: Final = (".k8s.io", ".openshift.io")
_MAX_DEPTH: Final = 10
_STATIC_NAMESPACE: Final = "kube-system"
_STATIC_LABELS: Final = ("component", "k8s-app")


@dataclass(frozen=True, slots=True)
class Owner:
    """An object as owner references name it; `controller` when the reference is the controlling one."""

    uid: str
    kind: str
    name: str
    controller: bool = False


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the owner walk found for a pod."""

    deployment_id: str
    top_kind: str
    top_name: str
    top_uid: str
    tracked_owner_uid: str = ""
    """The direct owner that the walk went through; empty without a tracked owner."""
    resolved: bool = True
    """False while the top is of a kind that may be owned itself and its object is not known."""
    guessed: bool = False
    """Kind and name of the top follow from naming conventions, not from an object (ingest 5.5)."""
    ambiguous: bool = False
    """The references lead to several tops, of which this is the chosen one (ingest 5.2)."""


def is_native(api_version: str) -> bool:
    """True unless the API group is one of a custom resource, as far as its name tells (ingest 5.1)."""
    group, slash, _ = api_version.partition("/")
    return not slash or group.count(".") < 2 or group.endswith(_NATIVE_SUFFIXES)


def tracked(reference: OwnerReference) -> bool:
    """True for a reference that the walk follows (ingest 5.1). The controller flag does not matter."""
    return bool(reference.uid) and reference.kind in TRACKED_KINDS and is_native(reference.api_version or "")


def static_component(namespace: str, labels: Mapping[str, str | None]) -> str | None:
    """The component that a static pod of the control plane belongs to; None for any other pod.

    Asked of pods without tracked owner only. The first label that is present counts, empty or not (ingest 5.3).
    """
    if namespace != _STATIC_NAMESPACE:
        return None
    return next((labels[key] or "" for key in _STATIC_LABELS if key in labels), None)


@dataclass(frozen=True, slots=True)
class _Known:
    """An object of the map. `component` is set for static pods."""

    owner: Owner
    parents: tuple[Owner, ...]
    component: str | None = None


class Owners:
    """The owner map of one cluster, filled from ReplicaSets, Jobs, ReplicationControllers and pods.

    Pods need to be in it only as far as other pods name them as owners.
    """

    def __init__(self) -> None:
        self._objects: dict[str, _Known] = {}
        self._children: dict[str, set[str]] = {}

    def add(self, uid: str, kind: str, name: str, references: Iterable[OwnerReference] | None) -> bool:
        """Make an object known, or give it other parents. True when pods may resolve otherwise now."""
        return self._put(_Known(Owner(uid, kind, name), _tracked_owners(references)))

    def add_pod(self, pod: Pod) -> bool:
        """Make a pod known that other pods may name as their owner. True as for `add`."""
        metadata = pod.metadata or PodMetadata()
        owner = Owner(metadata.uid or "", "Pod", metadata.name or "")
        component = static_component(metadata.namespace or "", metadata.labels or {})
        return self._put(_Known(owner, _tracked_owners(metadata.owner_references), component))

    def _put(self, known: _Known) -> bool:
        uid = known.owner.uid
        if self._objects.get(uid) == known:
            return False
        self.remove(uid)
        self._objects[uid] = known
        for parent in known.parents:
            self._children.setdefault(parent.uid, set()).add(uid)
        return True

    def remove(self, uid: str) -> None:
        """Forget an object; for those that name it, it is a top again. Unknown is no error."""
        known = self._objects.pop(uid, None)
        for parent in known.parents if known is not None else ():
            children = self._children[parent.uid]
            children.discard(uid)
            if not children:
                del self._children[parent.uid]

    def tops(self, uid: str) -> frozenset[str]:
        """Uids at the top of all walks up from `uid`; itself when no tracked parent of it is known."""
        return frozenset(self._tops((Owner(uid, "", ""),), depth=0))

    def resolve(self, pod: Pod, *, cluster_id: str) -> Resolution:
        """Find the deployment of a pod, which need not be in the map (ingest 5.2, 5.3, 5.5)."""
        metadata = pod.metadata or PodMetadata()
        labels = metadata.labels or {}
        if parents := _tracked_owners(metadata.owner_references):
            return self._climb(parents, labels, cluster_id)
        component = static_component(metadata.namespace or "", labels)
        if component is not None:
            return _static(component, cluster_id)
        uid = metadata.uid or ""
        return Resolution(uid, "Pod", metadata.name or "", uid)

    def updates(self, uid: str, *, cluster_id: str) -> list[Resolution]:
        """What holds now for the pods that hang on `uid`, and on what hangs on it (ingest 5.4).

        Each result is for all pods whose tracked direct owner is its `tracked_owner_uid`. A pod of the
        map counts only when something hangs on it.
        """
        return [self._climb((self._objects[each].owner,), {}, cluster_id) for each in self._below(uid)]

    def _below(self, uid: str) -> Iterator[str]:
        """Known owners of pods from `uid` downwards, each once."""
        level, seen = [uid], {uid}
        while level:
            yield from (each for each in level if self._owns_pods(each))
            level = sorted({child for each in level for child in self._children.get(each, ())} - seen)
            seen.update(level)

    def _owns_pods(self, uid: str) -> bool:
        known = self._objects.get(uid)
        return known is not None and (known.owner.kind != "Pod" or uid in self._children)

    def _climb(self, parents: Sequence[Owner], labels: Mapping[str, str | None], cluster_id: str) -> Resolution:
        """The deployment that is reached from these direct owners. `labels` are those of the pod below them."""
        tops = self._tops(parents, depth=1)
        top = self._chosen(parents) if len(tops) > 1 else next(iter(tops.values()))
        direct = parents[0] if len(parents) == 1 else self._leading(parents, top)
        found = self._found(top, labels if top.uid == direct.uid else {}, cluster_id)
        return replace(found, tracked_owner_uid=direct.uid, ambiguous=len(tops) > 1)

    def _tops(self, start: Sequence[Owner], *, depth: int) -> dict[str, Owner]:
        """Walk up level by level. Owners that own each other have no top: the last ones seen stand for it."""
        tops: dict[str, Owner] = {}
        level = {owner.uid: owner for owner in start}
        seen = set(level)
        for _ in range(depth, _MAX_DEPTH):
            above: dict[str, Owner] = {}
            for owner in level.values():
                parents = self._parents(owner)
                above.update((parent.uid, parent) for parent in parents if parent.uid not in seen)
                if not parents:
                    tops[owner.uid] = owner
            if not above:
                return tops or level
            seen.update(above)
            level = above
        return tops | level

    def _parents(self, owner: Owner) -> tuple[Owner, ...]:
        known = self._objects.get(owner.uid)
        return known.parents if known is not None else ()

    def _chosen(self, parents: Sequence[Owner]) -> Owner:
        """Of several tops the one above the controlling references, else the one with the smallest uid."""
        passed: set[str] = set()
        while len(passed) < _MAX_DEPTH - 1:
            controller = next((parent for parent in parents if parent.controller), None)
            if controller is None or controller.uid in passed:
                break
            passed.add(controller.uid)
            parents = self._parents(controller)
            if not parents:
                return controller
        tops = self._tops(parents, depth=1 + len(passed))
        return tops[min(tops)]

    def _leading(self, parents: Sequence[Owner], top: Owner) -> Owner:
        """The direct owner below `top`, the controlling one first."""
        ordered = sorted(parents, key=lambda parent: not parent.controller)
        return next((parent for parent in ordered if top.uid in self._tops((parent,), depth=1)), ordered[0])

    def _found(self, top: Owner, labels: Mapping[str, str | None], cluster_id: str) -> Resolution:
        known = self._objects.get(top.uid)
        if known is not None and known.component is not None and not known.parents:
            return _static(known.component, cluster_id)
        resolved = known is not None or top.kind not in _OWNED_KINDS
        guess = None if resolved else _guessed(top, labels)
        kind, name = guess or (top.kind, top.name)
        return Resolution(top.uid, kind, name, top.uid, resolved=resolved, guessed=guess is not None)


def _tracked_owners(references: Iterable[OwnerReference] | None) -> tuple[Owner, ...]:
    """The tracked ones of an object's owner references."""
    return tuple(
        Owner(reference.uid or "", reference.kind or "", reference.name or "", bool(reference.controller))
        for reference in references or ()
        if tracked(reference)
    )


def _static(component: str, cluster_id: str) -> Resolution:
    """The deployment that the static pods of one component share (ingest 5.3)."""
    deployment_id = static_deployment_id(cluster_id, component)
    return Resolution(deployment_id, "StaticPods", f"static-{component}-pods", deployment_id)


def _guessed(owner: Owner, labels: Mapping[str, str | None]) -> tuple[str, str] | None:
    """Kind and name of the owner's owner, from how controllers name what they create (ingest 5.5)."""
    if owner.kind == "ReplicaSet" and (template := labels.get("pod-template-hash")):
        name = owner.name.removesuffix(f"-{template}")
        return ("Deployment", name) if name not in ("", owner.name) else None
    name, _, minutes = owner.name.rpartition("-")
    if owner.kind == "Job" and name and 8 <= len(minutes) <= 10 and minutes.isascii() and minutes.isdigit():
        return "CronJob", name
    return None
