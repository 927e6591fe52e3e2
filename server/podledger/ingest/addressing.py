"""Which cluster an import belongs to (ingest 7.2).

One invocation of Kubernetes objects is for one cluster (for upstream answers see `migrating`). The caller
names it by id or by registered name, or the input tells it: the uid of the namespace kube-system is the
identity of a cluster. A cluster that is not registered yet needs a name, because every pod is found by it
(search label `Cluster`); so the caller must give one with `--register`, and the error says with which
command.

`find` runs before more than the first file is read, so that a wrong flag costs little time; `settle` runs
after.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from podledger.errors import BadInput
from podledger.pods.identity import NO_CLUSTER, uuid_or_none, uuid_text
from podledger.store.contract import Cluster, Registry


@dataclass(frozen=True, slots=True)
class Address:
    """What the caller says about the cluster. Empty texts say nothing."""

    cluster_id: str = ""
    cluster: str = ""
    """The name of a registered cluster."""
    register: str = ""
    """The name to register the cluster under."""
    ignore_identity: bool = False
    """Accept that the input tells another identity than the caller."""


async def find(registry: Registry, address: Address, *, paths: Sequence[str]) -> Cluster | None:
    """The cluster as far as the caller alone tells it; None when the input must tell it.

    Raises `BadInput` when the flags fit neither each other nor the registered clusters.
    """
    if address.cluster and (address.cluster_id or address.register):
        raise BadInput("--cluster names a registered cluster; it goes with neither --cluster-id nor --register")
    known = await _known(registry)
    if address.cluster:
        return usable(_named(address.cluster, known))
    if address.register:
        _check_name(address.register)
    return _identified(_cluster_id(address.cluster_id), address, known, paths) if address.cluster_id else None


async def settle(
    registry: Registry, address: Address, *, told: Cluster | None, found: Collection[str], paths: Sequence[str]
) -> Cluster:
    """The cluster, registered. `told` is what `find` gave, `found` the identities seen in the input.

    Raises `BadInput` when they disagree or when neither tells.
    """
    identities = sorted({identity for uid in found if (identity := uuid_or_none(uid))})
    if told is None and not identities:
        raise BadInput(
            "the input does not tell which cluster it belongs to: give --cluster-id UUID, or --cluster NAME"
            " of a registered one, or add its namespaces (kubectl get namespaces -o json)"
        )
    if told is None and len(identities) > 1:
        raise BadInput(f"the input holds several clusters ({_listed(identities)}); import them one by one")
    if told is not None and not address.ignore_identity and set(identities) - {told.id}:
        raise BadInput(
            f"the input belongs to cluster {_listed(identities)}, not to {uuid_text(told.id)};"
            " give the right one, or --ignore-identity"
        )
    known = await _known(registry)
    cluster = told or _identified(identities[0], address, known, paths)
    if cluster.id not in known:
        await registry.put_cluster(cluster)
    return cluster


async def _known(registry: Registry) -> dict[bytes, Cluster]:
    return {status.cluster.id: status.cluster for status in await registry.clusters()}


def _named(name: str, known: dict[bytes, Cluster]) -> Cluster:
    for cluster in known.values():
        if cluster.name == name:
            return cluster
    raise BadInput(f'no cluster is registered as "{name}"; `podledger clusters list` shows them all')


def _identified(identity: bytes, address: Address, known: dict[bytes, Cluster], paths: Sequence[str]) -> Cluster:
    """The registered cluster with this identity, or the one to be registered."""
    cluster, name = known.get(identity), address.register
    if cluster is None and not name:
        given = ["--cluster-id", address.cluster_id] if address.cluster_id else []
        command = shlex.join(["podledger", "import", *given, "--register", "NAME", *paths])
        raise BadInput(f"cluster {uuid_text(identity)} is not registered; choose a name for it: {command}")
    if cluster is not None and name not in ("", cluster.name):
        raise BadInput(f'cluster {uuid_text(identity)} is registered as "{cluster.name}"; leave --register out')
    for other in known.values():
        if other.name == name and other.id != identity:
            raise BadInput(f'the name "{name}" belongs to cluster {uuid_text(other.id)}; choose another one')
    return usable(cluster or Cluster(identity, name))


def usable(cluster: Cluster) -> Cluster:
    """The cluster itself. Raises `BadInput` for one of the demo fleet."""
    if cluster.demo:
        raise BadInput(f'"{cluster.name}" is a cluster of the demo fleet; remove that first: podledger demo remove')
    return cluster


def _cluster_id(text: str) -> bytes:
    identity = uuid_or_none(text)
    if identity is None or identity == NO_CLUSTER:
        raise BadInput(f'--cluster-id "{text}" is no UUID of a cluster')
    return identity


def _check_name(name: str) -> None:
    if not name.isprintable() or name != name.strip() or len(name) > 253:
        raise BadInput("a cluster name has at most 253 printable characters and no spaces around it")


def _listed(identities: Sequence[bytes]) -> str:
    return ", ".join(map(uuid_text, identities))
