"""From settings to a running server: the parts, the order in which they start, and how they stop.

Start: probes, store, demo fleet, both listeners, health, ready file. Stop: health says NOT_SERVING, then (after
SIGTERM) a while in which balancers notice, then both listeners together, the store, the probes (operations 18).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import structlog
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from podledger.errors import BadInput
from podledger.floors import raise_descriptor_limit
from podledger.ingest.demo import load_demo
from podledger.listeners import parse_address
from podledger.probes import LoopLag, Probes
from podledger.probes import listening as listening_for_probes
from podledger.query.parsing import QueryLimits
from podledger.query.scope import UNRESTRICTED
from podledger.rpc import health as health_checks
from podledger.rpc.chain import Chain, stages
from podledger.rpc.doors import reflection
from podledger.rpc.doors.grpcio import GrpcDoor, GrpcOptions
from podledger.rpc.doors.inprocess import InProcessBackend
from podledger.rpc.draining import Drain
from podledger.rpc.exporting import ExportLimits
from podledger.rpc.health import Health
from podledger.rpc.ledger import LedgerMethods
from podledger.rpc.pods import PodMethods
from podledger.settings import HttpSettings, Settings
from podledger.stopping import Signals
from podledger.store.contract import Store
from podledger.store.metering import MeteredReads
from podledger.store.opening import open_store
from podledger.telemetry import Telemetry
from podledger.tls import Certificates
from podledger_gateway import app as gateway
from podledger_gateway.comments import Comments, comments
from podledger_gateway.guard import LOOPBACK_NAMES
from podledger_gateway.rules import Binding, bindings
from podledger_protos.api.v1 import pod_service_pb2
from podledger_protos.podledger.ledger.v1 import ledger_service_pb2

log = structlog.get_logger("podledger.wiring")

SERVICES = (
    pod_service_pb2.DESCRIPTOR.services_by_name["PodService"],
    ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"],
)
CUT_BEFORE_SECONDS = 1.0
"""So long before the grace is over, streams are ended with a status of ours; then their transports cut them."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo fleet to load: the story of three clusters, or with `pods` a made-up fleet of that size."""

    pods: int | None = None
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the listeners really are; `admin` is empty when that one is off."""

    grpc: str
    http: str
    admin: str

    def told(self) -> dict[str, str]:
        """Those that there are, by name."""
        return {name: address for name, address in asdict(self).items() if address}


async def serve(
    settings: Settings, *, ready_file: Path | None, demo: Demo | None, announce: Callable[[str], None]
) -> None:
    """Run until SIGINT or SIGTERM. Raises `BadInput` when something stands in the way of starting."""
    stop = Signals()
    async with running(settings, demo=demo) as (addresses, health):
        if ready_file:
            _write_ready(ready_file, addresses)
        log.info("server started", **addresses.told(), store=settings.store.url)
        announce(_announcement(settings, addresses))
        number = await stop.first()
        health.drain()
        log.info("server stops", signal=number.name)
        if number == signal.SIGTERM:
            await asyncio.sleep(settings.drain.propagation_seconds)


@asynccontextmanager
async def running(settings: Settings, *, demo: Demo | None = None) -> AsyncIterator[tuple[Addresses, Health]]:
    """The whole server inside `async with`, without signals and files around it."""
    telemetry, health = Telemetry(), Health([service.full_name for service in SERVICES])
    store = open_store(settings.store.url, merge_mode=settings.ingest.merge_mode, exclusive=True)
    async with AsyncExitStack() as parts:
        certificates = await _certificates(settings, telemetry, parts=parts)
        admin = await _admin(settings, telemetry, store, health, parts=parts)
        await store.open()
        parts.push_async_callback(store.close)
        if demo:
            await load_demo(store, pods=demo.pods, seed=demo.seed, merge_mode=settings.ingest.merge_mode)
        drain = Drain()
        chain = _chain(settings, telemetry, store, health, drain)
        listeners = _listening(_within_descriptors(settings), chain, certificates, drain)
        grpc, http = await parts.enter_async_context(listeners)
        health.serve()
        yield Addresses(grpc, http, admin), health


async def _certificates(settings: Settings, telemetry: Telemetry, *, parts: AsyncExitStack) -> Certificates | None:
    """The certificate of both listeners, kept fresh; None for plaintext."""
    tls = settings.tls
    if tls.cert is None or tls.key is None:
        return None
    certificates = Certificates(tls.cert, tls.key, telemetry)
    await parts.enter_async_context(certificates.watched(every_seconds=tls.reload_seconds))
    return certificates


async def _admin(
    settings: Settings, telemetry: Telemetry, store: Store, health: Health, *, parts: AsyncExitStack
) -> str:
    """Metrics and probes, which begin before everything else and end after it; gives their address."""
    if settings.admin.listen == "off":
        return ""
    lag = LoopLag(telemetry)
    await parts.enter_async_context(lag.sampled())
    disk = Path(settings.store.url.removeprefix("sqlite:///")).parent if _in_file(settings) else None
    probes = Probes(telemetry, store=store, health=health, lag=lag, disk=disk)
    return await parts.enter_async_context(listening_for_probes(probes, parse_address(settings.admin.listen)))


def _in_file(settings: Settings) -> bool:
    return settings.store.url.startswith("sqlite:///")


def _chain(settings: Settings, telemetry: Telemetry, store: Store, health: Health, drain: Drain) -> Chain:
    """Every method behind every stage."""
    query, export = settings.query, settings.export
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
    return Chain(methods, stages(telemetry, scope=UNRESTRICTED, drain=drain))


@asynccontextmanager
async def _listening(
    settings: Settings, chain: Chain, certificates: Certificates | None, drain: Drain
) -> AsyncIterator[tuple[str, str]]:
    """Both listeners; they stop together, and streams that run have a while to end."""
    door = GrpcDoor(
        chain,
        settings.grpc.listen,
        options=_grpc_options(settings),
        extra=_reflection(settings),
        credentials=certificates.for_grpc() if certificates and _encrypted(settings, settings.grpc.listen) else None,
    )
    grpc = await door.start()
    try:
        rest = await _rest(settings, chain, certificates)
    except BaseException:
        await door.stop(0)
        raise
    try:
        yield grpc, rest.address
    finally:
        grace = settings.drain.grace_seconds
        cut = asyncio.get_running_loop().call_later(max(grace - CUT_BEFORE_SECONDS, grace / 2), drain.end_streams)
        await asyncio.gather(rest.close(), door.stop(grace))
        cut.cancel()


async def _rest(settings: Settings, chain: Chain, certificates: Certificates | None) -> gateway.Server:
    """The gateway in this process. Where every caller is local, the Host names that it answers to are local too."""
    address, routes = parse_address(settings.http.listen), bindings(SERVICES)
    application = gateway.application(
        InProcessBackend(chain),
        routes,
        settings.http,
        name="podledger",
        version=version("podledger"),
        index=_index(routes),
        local_names={*LOOPBACK_NAMES, address.host} if address.local else None,
        comments=_comments(),
    )
    context = certificates.for_http() if certificates and _encrypted(settings, settings.http.listen) else None
    try:
        return await gateway.serve(
            application, address.host or str(address), address.port, _bounded(settings), ssl_context=context
        )
    except OSError as error:
        raise BadInput(f"cannot listen on {address} for HTTP: is another program using it?") from error


def _encrypted(settings: Settings, listen: str) -> bool:
    """Whether a listener speaks TLS: every one but a unix socket, which has the rights of a file."""
    return settings.tls.cert is not None and not listen.startswith("unix:")


def _bounded(settings: Settings) -> HttpSettings:
    """Requests over REST get no more time at the end than calls over gRPC."""
    seconds = min(settings.http.shutdown_seconds, settings.drain.grace_seconds)
    return settings.http.model_copy(update={"shutdown_seconds": seconds})


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
    beside = [f"GET {path}" for path in ("/healthz", "/docs", "/openapi.json", "/swagger.json")]
    return {"name": "podledger", "version": version("podledger"), "paths": [*paths, *beside]}


def _comments() -> Comments:
    """Texts of the API description: the comments of the .proto files, which generated modules do not hold."""
    data = files("podledger_protos").joinpath("descriptors.bin").read_bytes()
    return comments(FileDescriptorSet.FromString(data).file)


# ----------------------------------------------------------------------------------- telling and ending


def _write_ready(path: Path, addresses: Addresses) -> None:
    """Whole or not at all, and only once everything serves."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_text(json.dumps(addresses.told()) + "\n")
    fresh.replace(path)


def _announcement(settings: Settings, addresses: Addresses) -> str:
    """For people: where it is, where the data is, what to try."""
    scheme = "https" if _encrypted(settings, addresses.http) else "http"
    rest = addresses.http if addresses.http.startswith("unix:") else f"{scheme}://{addresses.http}"
    authority = " --ca CA.pem" if _encrypted(settings, addresses.grpc) else ""
    admin = [f"Admin {addresses.admin}"] if addresses.admin else []
    return "\n".join(
        [
            f"gRPC  {addresses.grpc}",
            f"REST  {rest}",
            *admin,
            f"Data  {settings.store.url.removeprefix('sqlite:///')}",
            f"Try   podledger pods list 'Namespace:kube-system' --server {addresses.grpc}{authority}",
        ]
    )
