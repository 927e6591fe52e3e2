"""`podledger.ledger.v1.LedgerService`: what the ledger knows beyond the pods that run now.

So far the clusters, which give names to the ids of `v1.PodService`.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from podledger.errors import InvalidRequest
from podledger.pods.identity import uuid_text
from podledger.rpc.calls import Call, Method
from podledger.store.contract import ClusterStatus, Registry
from podledger_protos.podledger.ledger.v1.ledger_service_pb2 import (
    Cluster,
    ListClustersRequest,
    ListClustersResponse,
)


class LedgerMethods:
    """Handlers over one store."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def methods(self) -> Sequence[Method]:
        """The methods as the chain takes them."""
        return [Method("/podledger.ledger.v1.LedgerService/ListClusters", unary=self.list_clusters)]

    async def list_clusters(self, call: Call) -> bytes:
        """Give every cluster of which the caller may see anything, ordered by name."""
        try:
            ListClustersRequest.FromString(call.request)
        except DecodeError as error:
            raise InvalidRequest("the request is not a ListClustersRequest") from error
        statuses = await self._registry.clusters()
        visible = [status for status in statuses if call.scope.everything or status.cluster.id in call.scope.clusters]
        return ListClustersResponse(clusters=map(_message, visible)).SerializeToString()


def _message(status: ClusterStatus) -> Cluster:
    return Cluster(
        id=uuid_text(status.cluster.id),
        name=status.cluster.name,
        generation=status.generation,
        live_pods=status.pods,
        gone_pods=status.tombstones,
        first_seen=_timestamp(status.first_seen),
        last_change=_timestamp(status.last_seen),
    )


def _timestamp(microseconds: int | None) -> Timestamp | None:
    if microseconds is None:
        return None
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)
