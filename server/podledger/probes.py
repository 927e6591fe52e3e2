"""The admin listener: metrics, and the questions that an orchestrator asks (operations 18, 19).

`/livez` says that the event loop answers, `/readyz` that reads can be answered, `/readyz?role=ingest` that
writes can, `/healthz` what gRPC health says. It is plain HTTP without authentication: it holds no pod data,
and belongs on loopback or a pod network. It is up before the store is opened and until all else is closed,
so that it can tell how start and end go.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import structlog
from aiohttp import web
from prometheus_client.exposition import choose_encoder

from podledger.errors import BadInput, DomainError
from podledger.listeners import Address
from podledger.pods.identity import uuid_text
from podledger.store.contract import ClusterStatus
from podledger.telemetry import Telemetry

log = structlog.get_logger("podledger.probes")

LAG_SAMPLE_SECONDS = 0.5
LAG_LIMIT_SECONDS = 1.0
"""A loop that is later than this answers nobody in time."""
FREE_LIMIT = 0.05
"""Part of the disk that must be free before anything is written."""
_CHECK_SECONDS = 5.0
_STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING"}


class Checked(Protocol):
    """What is asked of a store."""

    async def clusters(self) -> list[ClusterStatus]:
        """All clusters; raises when nothing can be read."""
        ...

    async def ready(self) -> None:
        """Return if reads and writes work."""
        ...


class States(Protocol):
    """What is asked of health."""

    @property
    def draining(self) -> bool:
        """Whether the server is going to stop."""
        ...

    def state(self, service: str) -> int | None:
        """The number of grpc.health.v1; None for a service that is not known."""
        ...


class LoopLag:
    """How late the event loop runs what is due, sampled twice a second."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._gauge = telemetry.event_loop_lag_seconds
        self._last = 0.0
        self._due = time.monotonic() + LAG_SAMPLE_SECONDS

    @property
    def seconds(self) -> float:
        """The last sample, or how late the next one is already."""
        return max(self._last, time.monotonic() - self._due)

    async def sample(self) -> None:
        """Sample until cancelled."""
        while True:
            self._due = time.monotonic() + LAG_SAMPLE_SECONDS
            await asyncio.sleep(LAG_SAMPLE_SECONDS)
            self._last = max(0.0, time.monotonic() - self._due)
            self._gauge.set(self._last)

    @asynccontextmanager
    async def sampled(self) -> AsyncIterator[None]:
        """Sample while the block runs."""
        task = asyncio.create_task(self.sample(), name="loop lag")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])


class Probes:
    """The answers. `disk` is a folder of the store's file system, None when the store has none."""

    def __init__(
        self, telemetry: Telemetry, *, store: Checked, health: States, lag: LoopLag, disk: Path | None = None
    ) -> None:
        self._telemetry = telemetry
        self._store = store
        self._health = health
        self._lag = lag
        self._disk = disk

    def application(self) -> web.Application:
        """The paths."""
        application = web.Application()
        for path, handler in (
            ("/metrics", self.metrics),
            ("/livez", self.live),
            ("/readyz", self.ready),
            ("/healthz", self.healthy),
        ):
            application.router.add_get(path, handler)
        return application

    async def metrics(self, request: web.Request) -> web.Response:
        """The registry in the format that is asked for."""
        await self._refresh()
        encode, kind = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(self._telemetry.registry), headers={"Content-Type": kind})

    async def live(self, _: web.Request) -> web.Response:
        """That this is answered is the answer."""
        return _json(200, {"status": "alive"})

    async def ready(self, request: web.Request) -> web.Response:
        """200 when every check is `ok`, 503 otherwise; each check is listed either way."""
        role = request.query.get("role", "read")
        if role not in ("read", "ingest"):
            return _json(400, {"error": "role must be read or ingest"})
        checks = {"drain": "the server is stopping" if self._health.draining else "ok", "loop": self._loop()}
        clusters, checks["store"] = await self._read()
        if role == "ingest":
            checks["writes"], checks["disk"] = await _outcome(self._store.ready), self._free()
        ready = all(outcome == "ok" for outcome in checks.values())
        answer = {"ready": ready, "role": role, "checks": checks, "clusters": [_told(each) for each in clusters]}
        return _json(200 if ready else 503, answer)

    async def healthy(self, request: web.Request) -> web.Response:
        """The state of `?service=`, of the whole server without one."""
        state = self._health.state(request.query.get("service", ""))
        if state is None:
            return _json(404, {"error": "unknown service"})
        return _json(200 if _STATES[state] == "SERVING" else 503, {"status": _STATES[state]})

    # checks: `ok`, or what is wrong

    def _loop(self) -> str:
        lag = self._lag.seconds
        return "ok" if lag < LAG_LIMIT_SECONDS else f"the event loop is {lag:.1f} s late"

    async def _read(self) -> tuple[list[ClusterStatus], str]:
        found: list[ClusterStatus] = []

        async def read() -> None:
            found.extend(await self._store.clusters())

        return found, await _outcome(read)

    def _free(self) -> str:
        free = self._free_ratio()
        return "ok" if free is None or free > FREE_LIMIT else f"{free:.1%} of the disk is free"

    def _free_ratio(self) -> float | None:
        with suppress(OSError):
            if self._disk is not None:
                usage = shutil.disk_usage(self._disk)
                return usage.free / usage.total
        return None

    async def _refresh(self) -> None:
        """Gauges that are read when they are asked for."""
        free = self._free_ratio()
        if free is not None:
            self._telemetry.store_free_ratio.set(free)
        clusters, _ = await self._read()
        self._telemetry.pods.clear()
        for status in clusters:
            self._telemetry.pods.labels(status.cluster.name).set(status.pods)
            if status.last_seen is not None:
                self._telemetry.cluster_last_event.labels(status.cluster.name).set(status.last_seen / 1e6)


async def _outcome(check: Callable[[], Awaitable[None]]) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except TimeoutError:
        return f"no answer for {_CHECK_SECONDS:g} s"
    except DomainError as error:
        return error.message
    return "ok"


def _told(status: ClusterStatus) -> dict[str, Any]:
    """A silent cluster is told and takes nobody out of service."""
    age = None if status.last_seen is None else round(time.time() - status.last_seen / 1e6, 3)
    return {
        "id": uuid_text(status.cluster.id),
        "name": status.cluster.name,
        "pods": status.pods,
        "last_change_seconds_ago": age,
    }


def _json(status: int, value: dict[str, Any]) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(
        status=status, body=json.dumps(value).encode(), content_type="application/json", headers=headers
    )


@asynccontextmanager
async def listening(probes: Probes, address: Address) -> AsyncIterator[str]:
    """Serve them while the block runs; gives the address that was really bound."""
    runner = web.AppRunner(probes.application(), access_log=None, keepalive_timeout=10, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.UnixSite(runner, address.path) if address.path else web.TCPSite(runner, address.host, address.port)
        try:
            await site.start()
        except OSError as error:
            raise BadInput(f"cannot listen on {address} for probes: is another program using it?") from error
        yield _bound(runner, address)
    finally:
        await runner.cleanup()


def _bound(runner: web.AppRunner, address: Address) -> str:
    return str(address if address.path else Address(address.host, runner.addresses[0][1]))
