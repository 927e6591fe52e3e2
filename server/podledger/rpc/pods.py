"""`v1.PodService`: parse the request, read the store, hand over stored bytes. Nothing else.

The order of checks is pod-service 2. Everything before the first read depends on the request alone,
so a bad request is refused the same way on an empty store.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from podledger.errors import InvalidRequest
from podledger.query import paging, parsing
from podledger.query.paging import Paging
from podledger.query.parsing import QueryLimits
from podledger.query.syntax import Always, Condition, Query
from podledger.rpc import metadata
from podledger.rpc.calls import Call, Method
from podledger.rpc.exporting import ExportLimits, deadline_of, export
from podledger.rpc.framing import joined
from podledger.store.contract import Count, Page, Reader
from podledger.store.metering import Reads
from podledger.telemetry import Telemetry
from podledger_protos.api.v1.pod_service_pb2 import ExportPodRequest
from podledger_protos.api.v1.search_service_pb2 import RawQuery

GET_PODS_SECONDS = 10.0
"""Store time of one GetPods call (pod-service 13.2)."""

Request = TypeVar("Request", bound=Message)


class PodMethods:
    """Handlers over one store. `now` gives microseconds since 1970 UTC, for relative times in queries."""

    def __init__(
        self,
        store: Reads,
        telemetry: Telemetry,
        *,
        limits: QueryLimits,
        export_limits: ExportLimits,
        strict: bool,
        max_offset: int,
        count_cap: int,
        now: Callable[[], int],
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._limits = limits
        self._export_limits = export_limits
        self._strict = strict
        self._max_offset = max_offset
        self._count_cap = count_cap
        self._now = now

    def methods(self) -> Sequence[Method]:
        """The methods as the chain takes them."""
        return [
            Method("/v1.PodService/GetPods", unary=self.get_pods),
            Method("/v1.PodService/ExportPods", streaming=self.export_pods, counted=metadata.COUNT),
        ]

    async def get_pods(self, call: Call) -> bytes:
        """One page of the matching pods, and in metadata how many match."""
        request = _decoded(RawQuery, call)
        parts = self._read(request.query, call)
        window = paging.window(request.pagination, max_offset=self._max_offset)
        query = self._interpret(parts, call)
        if query.nothing:
            call.initial += metadata.totals(Count(0, exact=True), truncated=False)
            return b""
        order = paging.order(window)
        deadline = deadline_of(GET_PODS_SECONDS, begun=time.monotonic(), call_deadline=call.deadline)
        at_most = None if metadata.exact_count(call) else self._count_cap
        reader = self._store.reader(call.scope)
        page = await reader.page(query, order, deadline=deadline)
        total = await _total(reader, query, order, page, at_most=at_most, deadline=deadline)
        call.initial += metadata.totals(total, truncated=page.more)
        return joined(page.messages)

    async def export_pods(self, call: Call) -> AsyncIterator[Sequence[bytes]]:
        """Every matching pod, in the order of their keys. A timeout in the request becomes the call's."""
        begun = time.monotonic()
        request = _decoded(ExportPodRequest, call)
        call.deadline = deadline_of(request.timeout, begun=begun, call_deadline=call.deadline)
        after = metadata.resume_key(call)
        query = self._interpret(self._read(request.query, call), call)
        if query.nothing:
            return
        reader = self._store.reader(call.scope)
        async with aclosing(
            export(reader, query, after=after, deadline=call.deadline, limits=self._export_limits)
        ) as batches:
            async for batch in batches:
                yield batch

    def _read(self, text: str, call: Call) -> parsing.Parts:
        return parsing.read(text, limits=self._limits, strict=metadata.strict(call, default=self._strict))

    def _interpret(self, parts: parsing.Parts, call: Call) -> Query:
        query = parsing.interpret(parts, limits=self._limits, now=self._now())
        call.initial += metadata.ignored_parts(query.ignored)
        self._telemetry.query_ignored_parts.inc(len(query.ignored))
        return query


def _decoded(kind: type[Request], call: Call) -> Request:
    try:
        return kind.FromString(call.request)
    except DecodeError as error:
        raise InvalidRequest(f"the request is not a {kind.DESCRIPTOR.name}") from error


async def _total(
    reader: Reader, query: Query, order: Paging, page: Page, *, at_most: int | None, deadline: float | None
) -> Count:
    """The number of matches. A page that is not full has told it; only otherwise the store counts."""
    if not page.more and (page.messages or not order.offset):
        return Count(order.offset + len(page.messages), exact=True)
    return await reader.count(_with_sort_joins(query, order), at_most=at_most, deadline=deadline)


def _with_sort_joins(query: Query, order: Paging) -> Query:
    """The query with the joins that its sort keys make: pods they drop are missing from the total too (6.2)."""
    joins = tuple(
        Condition(field=key.field, spelling=key.field.label, tests=(Always(),), values=())
        for key in order.order
        if key.field.table != "pods"
    )
    return replace(query, conditions=query.conditions + joins) if joins else query
