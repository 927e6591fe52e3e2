"""From settings to a running server: the parts, the order in which they start, and how they stop.

Start: store, demo fleet, both listeners, health, ready file. Stop: health says NOT_SERVING, then (after
SIGTERM) a while in which balancers notice, then both listeners together, then the store (operations 18).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import structlog

from podledger.errors import BadInput
from podledger.floors import raise_descriptor_limit
from podledger.ingest.demo import load_demo
from podledger.listeners import parse_address
from podledger.query.parsing import QueryLimits
from podledger.query.scope import UNRESTRICTED
from podledger.rpc import health as health_checks
from podledger.rpc.chain import Chain, stages
from podledger.rpc.doors import reflection
from podledger.rpc.doors.grpcio import GrpcDoor, GrpcOptions
from podledger.rpc.doors.inprocess import InProcessBackend
from podledger.rpc.exporting import ExportLimits
from podledger.rpc.health import Health
from podledger.rpc.ledger import LedgerMethods
from podledger.rpc.pods import PodMethods
from podledger.settings import Settings
from podledger.store.contract import Store
from podledger.store.metering import MeteredReads
from podledger.store.opening import open_store
from podledger.telemetry import Telemetry
from podledger_gateway import app as gateway
from podledger_gateway.guard import LOOPBACK_NAMES
from podledger_gateway.rules import Binding, bindings
from podledger_protos.api.v1 import pod_service_pb2
from podledger_protos.podledger.ledger.v1 import ledger_service_pb2

log = structlog.get_logger("podledger.wiring")

SERVICES = (
    pod_service_pb2.DESCRIPTOR.services_by_name["PodService"],
    ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"],
)
HARD_EXIT_SECONDS = 19.0
"""After a signal the process is gone by then, whatever hangs (operations 18)."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo fleet to load: the story of three clusters, or with `pods` a made-up fleet of that size."""

    pods: int | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the listeners really are."""

    grpc: str
    http: str


async def serve(
    settings: Settings, *, ready_file: Path | None, demo: Demo | None, announce: Callable[[str], None]
) -> None:
    """Run until SIGINT or SIGTERM. Raises `BadInput` when something stands in the way of starting."""
    stop = _Signals()
    async with running(settings, demo=demo) as (addresses, health):
        if ready_file:
            _write_ready(ready_file, addresses)
        log.info("server started", grpc=addresses.grpc, http=addresses.http, store=settings.store.url)
        announce(_announcement(settings, addresses))
        number = await stop.wait()
        health.drain()
        log.info("server stops", signal=number.name)
        if number == signal.SIGTERM:
            await asyncio.sleep(settings.drain.propagation_seconds)


@asynccontextmanager
async def running(settings: Settings, *, demo: Demo | None = None) -> AsyncIterator[tuple[Addresses, Health]]:
    """The whole server inside `async with`, without signals and files around it."""
    store = open_store(settings.store.url, merge_mode=settings.ingest.merge_mode, exclusive=True)
    await store.open()
    try:
        if demo:
            await load_demo(store, pods=demo.pods, seed=demo.seed, merge_mode=settings.ingest.merge_mode)
        health = Health([service.full_name for service in SERVICES])
        chain = _chain(settings, store, health)
        async with _listening(_within_descriptors(settings), chain) as addresses:
            health.serve()
            yield addresses, health
    finally:
        await store.close()


def _chain(settings: Settings, store: Store, health: Health) -> Chain:
    """Every method behind every stage."""
    query, export = settings.query, settings.export
    telemetry = Telemetry()
    pods = PodMethods(
        MeteredReads(store, telemetry, engine=settings.store.url.partition(":")[0]),
        telemetry,
        limits=QueryLimits(
            max_bytes=query.max_bytes,
            max_parts=query.max_terms,
            max_values=query.max_values,
            max_regexes=query.max_regexes,
            max_regex_bytes=query.max_regex_bytes,
            max_regex_program=query.max_regex_program,
        ),
        export_limits=ExportLimits(page_rows=export.page_rows, page_bytes=export.page_bytes),
        strict=query.strict,
        max_offset=query.max_offset,
        count_cap=query.count_cap,
        now=lambda: time.time_ns() // 1000,
    )
    methods = (*pods.methods(), *LedgerMethods(store).methods(), *health.methods())
    return Chain(methods, stages(telemetry, scope=UNRESTRICTED))


@asynccontextmanager
async def _listening(settings: Settings, chain: Chain) -> AsyncIterator[Addresses]:
    """Both listeners; they stop together, and streams that run have a while to end."""
    door = GrpcDoor(chain, settings.grpc.listen, options=_grpc_options(settings), extra=_reflection(settings))
    grpc = await door.start()
    try:
        rest = await _rest(settings, chain)
    except BaseException:
        await door.stop(0)
        raise
    try:
        yield Addresses(grpc, rest.address)
    finally:
        await asyncio.gather(rest.close(), door.stop(settings.drain.grace_seconds))


async def _rest(settings: Settings, chain: Chain) -> gateway.Server:
    """The gateway in this process. Every caller is local, so the Host names that it answers to are local too."""
    address, routes = parse_address(settings.http.listen), bindings(SERVICES)
    application = gateway.application(
        InProcessBackend(chain),
        routes,
        settings.http,
        name="podledger",
        index=_index(routes),
        local_names={*LOOPBACK_NAMES, address.host},
    )
    try:
        return await gateway.serve(application, address.host or str(address), address.port, settings.http)
    except OSError as error:
        raise BadInput(f"cannot listen on {address} for HTTP: is another program using it?") from error


def _grpc_options(settings: Settings) -> GrpcOptions:
    grpc = settings.grpc
    return GrpcOptions(
        max_receive_bytes=grpc.max_receive_bytes,
        max_streams=grpc.max_streams,
        max_connections=grpc.max_connections,
        max_calls=grpc.max_calls,
        keepalive_seconds=grpc.keepalive_seconds,
        keepalive_timeout_seconds=grpc.keepalive_timeout_seconds,
        idle_seconds=grpc.idle_seconds,
        age_seconds=grpc.age_seconds,
        age_grace_seconds=grpc.age_grace_seconds,
        stall_seconds=settings.export.stall_seconds,
    )


def _reflection(settings: Settings) -> list[object]:
    if settings.grpc.reflection == "off":
        return []
    return reflection.handlers([*(service.full_name for service in SERVICES), health_checks.SERVICE])


def _within_descriptors(settings: Settings) -> Settings:
    """Connection caps that fit the limit of open files: half of it, the rest is for files and clients of ours."""
    limit = raise_descriptor_limit()
    grpc, http = settings.grpc.max_connections, settings.http.max_connections
    if limit >= 2 * (grpc + http):
        return settings
    share = limit / 2 / (grpc + http)
    log.warning("connection caps shrunk to the limit of open files", limit=limit, share=round(share, 3))
    return settings.model_copy(
        update={
            "grpc": settings.grpc.model_copy(update={"max_connections": max(1, int(grpc * share))}),
            "http": settings.http.model_copy(update={"max_connections": max(1, int(http * share))}),
        }
    )


def _index(routes: Sequence[Binding]) -> dict[str, object]:
    """What REST answers at /, for people who come without a manual."""
    paths = [f"{route.http_method} {route.template}" for route in routes]
    return {"name": "podledger", "version": version("podledger"), "paths": [*paths, "GET /healthz"]}


# ----------------------------------------------------------------------------------- telling and ending


def _write_ready(path: Path, addresses: Addresses) -> None:
    """Whole or not at all, and only once everything serves."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"grpc": addresses.grpc, "http": addresses.http}) + "\n")
    fresh.replace(path)


def _announcement(settings: Settings, addresses: Addresses) -> str:
    """For people: where it is, where the data is, what to try."""
    rest = addresses.http if addresses.http.startswith("unix:") else f"http://{addresses.http}"
    return "\n".join(
        [
            f"gRPC  {addresses.grpc}",
            f"REST  {rest}",
            f"Data  {settings.store.url.removeprefix('sqlite:///')}",
            f"Try   podledger pods list 'Namespace:kube-system' --server {addresses.grpc}",
        ]
    )


class _Signals:
    """The first SIGINT or SIGTERM asks for the end and sets the last limit; the second is the end."""

    def __init__(self) -> None:
        self._received: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._receive, number)

    def _receive(self, number: signal.Signals) -> None:
        if self._received.done():
            os._exit(128 + number)
        self._received.set_result(number)
        timer = threading.Timer(HARD_EXIT_SECONDS, os._exit, [1])
        timer.daemon = True
        timer.start()

    async def wait(self) -> signal.Signals:
        """The first signal."""
        return await self._received
