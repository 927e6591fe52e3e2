"""The admin listener over real HTTP: probes, metrics, and how they tell what is wrong."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import aiohttp
import pytest

from podledger import probes, wiring
from podledger.errors import BadInput, StoreFailed
from podledger.listeners import parse_address
from podledger.probes import LoopLag, Probes
from podledger.rpc.health import Health
from podledger.settings import load, variable
from podledger.store.contract import Cluster
from podledger.store.memory import MemoryStore
from podledger.telemetry import Telemetry

PROD = Cluster(b"\x01" * 16, "prod-eu")


class Broken(MemoryStore):
    """A store whose reads, or only writes, fail."""

    def __init__(self, *, reads):
        super().__init__()
        self._reads = reads

    async def clusters(self):
        if self._reads:
            raise StoreFailed
        return await super().clusters()

    async def ready(self):
        raise StoreFailed


@pytest.fixture
def health():
    health = Health(["v1.PodService"])
    health.serve()
    return health


@pytest.fixture
def lag():
    return LoopLag(Telemetry())


@asynccontextmanager
async def asking(health, lag, store=None, disk=None):
    """Something that gets a path: status and JSON."""
    store = store or MemoryStore()
    await store.open()
    await store.put_cluster(PROD)
    answers = Probes(Telemetry(), store=store, health=health, lag=lag, disk=disk)
    async with (
        probes.listening(answers, parse_address("127.0.0.1:0")) as address,
        aiohttp.ClientSession(f"http://{address}") as session,
    ):

        async def get(path):
            async with session.get(path) as answer:
                return answer.status, await answer.json()

        yield get
    await store.close()


async def test_it_lives(health, lag):
    """Whatever else is wrong."""
    async with asking(health, lag, Broken(reads=True)) as get:
        assert await get("/livez") == (200, {"status": "alive"})


async def test_it_is_ready_when_every_check_is_ok(health, lag, tmp_path):
    """The body lists the checks, and each cluster with the age of its last change."""
    async with asking(health, lag, disk=tmp_path) as get:
        status, read = await get("/readyz")
        writes = (await get("/readyz?role=ingest"))[1]["checks"]

    assert status == 200
    assert read["checks"] == {"drain": "ok", "loop": "ok", "store": "ok"}
    assert read["clusters"] == [
        {"id": "01010101-0101-0101-0101-010101010101", "name": "prod-eu", "pods": 0, "last_change_seconds_ago": None}
    ]
    assert sorted(writes) == ["disk", "drain", "loop", "store", "writes"]


async def test_a_store_that_cannot_be_read_is_not_ready(health, lag):
    """The check says so in the words that callers read."""
    async with asking(health, lag, Broken(reads=True)) as get:
        status, answer = await get("/readyz")

    assert (status, answer["ready"], answer["checks"]["store"]) == (503, False, "Database operation failed")


async def test_a_store_that_cannot_be_written_still_reads(health, lag):
    """Only the role of ingest is out of service."""
    async with asking(health, lag, Broken(reads=False)) as get:
        read, ingest = await get("/readyz"), await get("/readyz?role=ingest")

    assert (read[0], ingest[0]) == (200, 503)
    assert ingest[1]["checks"]["writes"] == "Database operation failed"


async def test_a_full_disk_takes_no_writes(health, lag, tmp_path, monkeypatch):
    """Less than 5 % free is told."""
    monkeypatch.setattr(probes.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3, "total": 100}))
    async with asking(health, lag, disk=tmp_path) as get:
        status, answer = await get("/readyz?role=ingest")

    assert (status, answer["checks"]["disk"]) == (503, "3.0% of the disk is free")


async def test_a_server_that_drains_is_not_ready(health, lag):
    """So that balancers move away."""
    health.drain()
    async with asking(health, lag) as get:
        status, answer = await get("/readyz")
        healthy = await get("/healthz")

    assert (status, answer["checks"]["drain"]) == (503, "the server is stopping")
    assert healthy == (503, {"status": "NOT_SERVING"})


async def test_health_is_that_of_grpc(health, lag):
    """Per service; unknown names are not found, an unknown role is a mistake."""
    async with asking(health, lag) as get:
        known, unknown = await get("/healthz?service=v1.PodService"), await get("/healthz?service=v1.Nope")
        role = await get("/readyz?role=nope")

    assert known == (200, {"status": "SERVING"})
    assert unknown[0] == 404
    assert role[0] == 400


async def test_a_late_loop_is_measured(health):
    """By the gauge, and by readiness already while it is late."""
    telemetry = Telemetry()
    lag = LoopLag(telemetry)
    async with lag.sampled(), asking(health, lag) as get:
        await asyncio.sleep(0)
        time.sleep(probes.LAG_SAMPLE_SECONDS + probes.LAG_LIMIT_SECONDS + 0.2)  # what no handler may do
        status, answer = await get("/readyz")

    assert (status, answer["checks"]["loop"][:17]) == (503, "the event loop is")
    assert telemetry.registry.get_sample_value("podledger_event_loop_lag_seconds") > 1


FREE = [f"{name}.listen=127.0.0.1:0" for name in ("grpc", "http", "admin")]


@pytest.fixture
def settings(monkeypatch):
    monkeypatch.delenv(variable("store.url"), raising=False)
    return lambda *flags: load(flags=["store.url=memory:", *FREE, *flags]).settings


@pytest.mark.parametrize(
    ("accept", "kind"), [("", "text/plain"), ("application/openmetrics-text; version=1.0.0", "application/openmetrics")]
)
async def test_metrics_are_those_of_the_running_server(settings, accept, kind):
    """Both formats; calls, build and clusters are in it."""
    async with (
        wiring.running(settings(), demo=wiring.Demo()) as (addresses, _),
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"http://{addresses.http}/v1/pods") as answer:
            assert answer.status == 200
        async with session.get(f"http://{addresses.admin}/metrics", headers={"Accept": accept}) as answer:
            text, given = await answer.text(), answer.headers["Content-Type"]

    assert given.startswith(kind)
    assert 'grpc_server_handled_total{grpc_code="OK",grpc_method="GetPods",grpc_service="v1.PodService"' in text
    assert "podledger_build_info{" in text
    assert 'podledger_pods{cluster="prod-eu"}' in text


async def test_it_can_be_switched_off(settings):
    """Then there is no address."""
    async with wiring.running(settings("admin.listen=off")) as (addresses, _):
        assert sorted(addresses.told()) == ["grpc", "http"]


async def test_it_may_be_a_unix_socket(settings, tmp_path):
    """For one machine."""
    path = tmp_path / "admin.sock"
    async with (
        wiring.running(settings(f"admin.listen=unix:{path}")) as (addresses, _),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session,
        session.get("http://localhost/readyz") as answer,
    ):
        assert (answer.status, addresses.admin) == (200, f"unix:{path}")


def test_a_wrong_address_is_told():
    """Like those of the other listeners."""
    with pytest.raises(BadInput, match=r'^admin\.listen: must be host:port or unix:PATH, not "nowhere"$'):
        load(flags=["admin.listen=nowhere"])
