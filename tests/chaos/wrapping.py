"""The program with collaborators replaced: `python -m tests.chaos.wrapping NAME,... HOME serve ...`.

Each wrapper puts something else in the place of one name that `podledger.wiring`, the door or the gateway builds the
server of, and then the real command line runs. All of them are mutants, broken on purpose, but for `observed`,
which serves the metrics of the program and leaves their port in the file `metrics.port` of HOME.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import prometheus_client
from aiohttp import http_parser, web_protocol

from podledger import floors, wiring
from podledger.cli import app
from podledger.errors import Cancelled, DeadlineExceeded, StoreUnavailable
from podledger.pods.identity import PodKey, parse_uuid
from podledger.query.scope import Scope
from podledger.query.syntax import Query
from podledger.rpc.calls import Call
from podledger.rpc.doors import grpcio
from podledger.rpc.pods import PodMethods
from podledger.store.contract import Chunk, Reader
from podledger.store.sqlite import SqliteStore
from podledger_gateway import serving
from podledger_protos.storage.deployment_pb2 import Pod

# ------------------------------------------------------------------------------------------------ observed


class ObservedTelemetry(wiring.Telemetry):
    """Metrics that can be asked for."""

    def __init__(self) -> None:
        super().__init__()
        server, _ = prometheus_client.start_http_server(0, "127.0.0.1", registry=self.registry)
        Path("metrics.port").write_text(str(server.server_port))


def observed() -> None:
    """Serve the metrics."""
    wiring.Telemetry = ObservedTelemetry  # type: ignore[misc]


# ---------------------------------------------------------------------------------------- broken exports


class SwallowingPods(PodMethods):
    """Takes whatever ends an export early for its end."""

    async def export_pods(self, call: Call) -> AsyncIterator[Sequence[bytes]]:
        try:
            async for batch in super().export_pods(call):
                yield batch
        except (asyncio.CancelledError, Cancelled, DeadlineExceeded, StoreUnavailable):
            return


def swallowed_cancel() -> None:
    """A cut export ends with OK."""
    wiring.PodMethods = SwallowingPods  # type: ignore[misc]


class _BrokenReader:
    """A reader of the store whose `scan` is another one."""

    def __init__(self, store: SqliteStore, reader: Reader) -> None:
        self._store = store
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


class InclusiveReader(_BrokenReader):
    """`>=` where `>` belongs: a resumed scan begins with the pod it was to begin after."""

    async def scan(self, query: Query, *, after: PodKey | None = None, **limits: Any) -> AsyncGenerator[Chunk, None]:
        if after is not None and (message := await self._reader.get(after)) is not None:
            yield Chunk((message,), after)
        async for chunk in self._reader.scan(query, after=after, **limits):
            yield chunk


class OffsetReader(_BrokenReader):
    """Pages by how many pods came before, not by the last of them."""

    async def scan(
        self, query: Query, *, after: PodKey | None = None, chunk_rows: int = 256, **limits: Any
    ) -> AsyncGenerator[Chunk, None]:
        offset = 0
        while page := (await self._all(query, after))[offset : offset + chunk_rows]:
            yield Chunk(tuple(page), _key(page[-1]))
            offset += len(page)

    async def _all(self, query: Query, after: PodKey | None) -> list[bytes]:
        return [message async for chunk in self._reader.scan(query, after=after) for message in chunk.messages]


class HoldingReader(_BrokenReader):
    """Keeps the transaction of its first page until the last one."""

    async def scan(self, query: Query, **limits: Any) -> AsyncGenerator[Chunk, None]:
        with closing(apsw.Connection(str(self._store._path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM clusters").fetchall()
            async for chunk in self._reader.scan(query, **limits):
                yield chunk


def _key(message: bytes) -> PodKey:
    pod = Pod.FromString(message)
    return PodKey(parse_uuid(pod.cluster_id) if pod.cluster_id else bytes(16), parse_uuid(pod.id))


def _reading_with(kind: Callable[[SqliteStore, Reader], Any]) -> Callable[[], None]:
    class Store(SqliteStore):
        def reader(self, scope: Scope) -> Any:
            return kind(self, super().reader(scope))

    return lambda: _opening(Store)


def _opening(kind: type[SqliteStore]) -> None:
    def open_store(url: str, **options: Any) -> SqliteStore:
        return kind(url.removeprefix("sqlite:///"), **options)

    wiring.open_store = open_store


# ------------------------------------------------------------------------------------------ broken doors


def late_slot() -> None:
    """A stalled export frees what it holds only after its client was told, which may be never."""

    async def keep(batches: Any, failure: Any) -> Any:
        return failure

    grpcio._close = keep


class UncappedOptions(grpcio.GrpcOptions):
    """Any number of calls on a connection, as the library has it."""

    def arguments(self) -> list[tuple[str, int]]:
        return [pair for pair in super().arguments() if pair[0] != "grpc.max_concurrent_streams"]


def no_stream_cap() -> None:
    """Rapid resets cost what they like."""
    wiring.GrpcOptions = UncappedOptions  # type: ignore[misc]


class PatientConnection(serving._Connection):
    """The keep-alive timer that the HTTP library has by default."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **{**options, "keepalive_timeout": 3630})


def default_keepalive() -> None:
    """Half a request may wait for an hour."""
    serving._Connection = PatientConnection  # type: ignore[misc]


def python_parser() -> None:
    """The parser of the HTTP library that is written in Python; the checks that refuse it are off."""
    web_protocol.HttpRequestParser = http_parser.HttpRequestParserPy  # type: ignore[misc]
    floors.check = lambda: None


WRAPPERS: dict[str, Callable[[], None]] = {
    "observed": observed,
    "swallowed_cancel": swallowed_cancel,
    "inclusive_resume": _reading_with(InclusiveReader),
    "offset_paging": _reading_with(OffsetReader),
    "held_transaction": _reading_with(HoldingReader),
    "late_slot": late_slot,
    "no_stream_cap": no_stream_cap,
    "default_keepalive": default_keepalive,
    "python_parser": python_parser,
}


def main() -> None:
    """Wrap, and run the program."""
    names, home, *arguments = sys.argv[1:]
    os.chdir(home)
    for name in names.split(","):
        WRAPPERS[name]()
    sys.argv = ["podledger", *arguments]
    app.main()


if __name__ == "__main__":
    main()
