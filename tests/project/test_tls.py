"""TLS with real certificates and real clients: what is refused at start, and rotation while calls run."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter
from contextlib import asynccontextmanager

import aiohttp
import grpc
import pytest

from podledger import wiring
from podledger.errors import BadInput
from podledger.settings import load, variable
from podledger.telemetry import Telemetry
from podledger.tls import Certificates
from podledger_protos.api.v1.pod_service_pb2_grpc import PodServiceStub
from podledger_protos.api.v1.search_service_pb2 import RawQuery
from tests.fakes.certificates import Authority, serial_of

FREE = [f"{name}.listen=127.0.0.1:0" for name in ("grpc", "http", "admin")]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def settings(monkeypatch):
    monkeypatch.delenv(variable("store.url"), raising=False)

    def loaded(pair, *flags):
        tls = [f"tls.cert={pair.certificate}", f"tls.key={pair.key}", "tls.reload_seconds=0.05"]
        return load(flags=["store.url=memory:", "drain.grace_seconds=0", *FREE, *tls, *flags]).settings

    return loaded


@asynccontextmanager
async def dialled(address, authority):
    """A channel of its own: a new connection, and so a new handshake."""
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes())
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        yield PodServiceStub(channel)


def session_of(authority):
    context = ssl.create_default_context(cafile=str(authority.ca))
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, force_close=True))


async def served_serial(address):
    """The serial number of the certificate that a new connection gets."""
    host, _, port = address.rpartition(":")
    return serial_of((await asyncio.to_thread(ssl.get_server_certificate, (host, int(port)))).encode())


async def until(condition, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


# ---------------------------------------------------------------------------------------------- serving


async def test_both_listeners_serve_over_tls(authority, settings):
    """With one certificate; browsers are told to stay with it."""
    async with wiring.running(settings(authority.issue()), demo=wiring.Demo()) as (addresses, _):
        async with dialled(addresses.grpc, authority) as stub:
            page = await stub.GetPods(RawQuery(query="Namespace:kube-system"))
        async with session_of(authority) as session, session.get(f"https://{addresses.http}/v1/pods") as answer:
            pods = (await answer.json())["pods"]

    assert len(page.pods) > 0
    assert len(pods) > 0
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")


async def test_plaintext_is_not_answered(authority, settings):
    """On neither listener."""
    async with (
        wiring.running(settings(authority.issue())) as (addresses, _),
        grpc.aio.insecure_channel(addresses.grpc) as channel,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(grpc.aio.AioRpcError):
            await PodServiceStub(channel).GetPods(RawQuery(), timeout=5)
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"http://{addresses.http}/v1/pods")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("listener", ["grpc", "http"])
@pytest.mark.parametrize(
    ("version", "taken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
async def test_the_oldest_version_is_tls_1_2(authority, settings, listener, version, taken):
    """Asked by a client that would take any."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.ca)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    async with wiring.running(settings(authority.issue())) as (addresses, _):
        host, _, port = getattr(addresses, listener).rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port), ssl=context, server_hostname="localhost")
        except (ssl.SSLError, ConnectionError):
            found = False
        else:
            found = True
            writer.transport.abort()

    assert found is taken


async def test_a_unix_socket_stays_plaintext(authority, settings, tmp_path):
    """It has the rights of a file."""
    path = f"unix:{tmp_path}/grpc.sock"
    async with (
        wiring.running(settings(authority.issue(), f"grpc.listen={path}")) as (addresses, _),
        grpc.aio.insecure_channel(addresses.grpc) as channel,
    ):
        assert list((await PodServiceStub(channel).GetPods(RawQuery())).pods) == []


# --------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda _, pair: pair.certificate.unlink(), r"^tls\.cert: \S+ cannot be read: No such file or directory$"),
        (lambda _, pair: pair.certificate.write_text("x"), r"^tls\.cert: \S+ holds no PEM certificate$"),
        (lambda _, pair: pair.key.write_text("x"), r"^tls\.key: \S+ holds no PEM private key$"),
        (
            lambda authority, pair: pair.key.write_bytes(authority.issue("other").key.read_bytes()),
            r"^tls\.key: \S+ is not the key of the certificate in \S+$",
        ),
        (
            lambda authority, _: authority.issue(begins=-9, ends=-1),
            r"^tls\.cert: the certificate in \S+ expired on \d{4}-\d\d-\d\d; renew it$",
        ),
        (
            lambda authority, _: authority.issue(begins=1),
            r"^tls\.cert: the certificate in \S+ is not valid before \d{4}-\d\d-\d\d \d\d:\d\d UTC$",
        ),
        (lambda authority, pair: authority.lock(pair), r"^tls\.key: the key in \S+ has a password; give one without$"),
    ],
    ids=["missing", "no certificate", "no key", "another key", "expired", "early", "password"],
)
async def test_a_pair_that_cannot_be_served_ends_the_start(authority, settings, spoil, sentence):
    """With one sentence, before a listener is there."""
    pair = authority.issue()
    spoil(authority, pair)
    with pytest.raises(BadInput, match=sentence):
        async with wiring.running(settings(pair)):
            pass


# ---------------------------------------------------------------------------------------------- rotation


@pytest.mark.timeout(60)
async def test_certificates_are_replaced_while_calls_run(authority, settings):
    """No call fails, each over a connection of its own, and in the end both listeners have the newest."""
    outcomes: Counter[str] = Counter()
    done = asyncio.Event()

    async def call_grpc(address):
        while not done.is_set():
            async with dialled(address, authority) as stub:
                await stub.GetPods(RawQuery(), timeout=10)
            outcomes["grpc"] += 1

    async def call_http(address):
        async with session_of(authority) as session:
            while not done.is_set():
                async with session.get(f"https://{address}/v1/pods") as answer:
                    assert answer.status == 200
                    await answer.read()
                outcomes["http"] += 1

    async with wiring.running(settings(authority.issue())) as (addresses, _), asyncio.TaskGroup() as calls:
        for _ in range(2):
            calls.create_task(call_grpc(addresses.grpc))
            calls.create_task(call_http(addresses.http))
        for _ in range(5):
            await asyncio.sleep(0.3)
            newest = serial_of(authority.issue().certificate.read_bytes())

        async def replaced():
            return {await served_serial(addresses.grpc), await served_serial(addresses.http)} == {newest}

        await until(replaced)
        done.set()

    assert outcomes["grpc"] > 20
    assert outcomes["http"] > 20


def reloads(telemetry, result):
    return telemetry.registry.get_sample_value("podledger_tls_reload_total", {"result": result}) or 0


async def test_a_broken_pair_keeps_the_old_one(authority, settings, caplog):
    """One log line and one count for it, however often the files are looked at; the next good pair is taken."""
    caplog.set_level(logging.INFO)
    pair = authority.issue()
    telemetry = Telemetry()
    certificates = Certificates(pair.certificate, pair.key, telemetry)
    expiry = telemetry.registry.get_sample_value("podledger_certificate_expiry_timestamp_seconds", {"name": "server"})
    pair.key.write_text("half of a")
    for _ in range(3):
        certificates.check()
    kept = reloads(telemetry, "kept_old"), reloads(telemetry, "taken")
    authority.issue(ends=60)
    certificates.check()
    later = telemetry.registry.get_sample_value("podledger_certificate_expiry_timestamp_seconds", {"name": "server"})

    assert kept == (1, 0)
    assert reloads(telemetry, "taken") == 1
    assert 29 < (later - expiry) / 86400 < 31


async def test_files_that_vanish_are_told_once(authority):
    """And again when they vanish again."""
    pair, telemetry = authority.issue(), Telemetry()
    certificates = Certificates(pair.certificate, pair.key, telemetry)
    kept = pair.key.read_bytes()
    for _ in range(2):
        pair.key.unlink()
        certificates.check()
        certificates.check()
        pair.key.write_bytes(kept)
        certificates.check()

    assert reloads(telemetry, "kept_old") == 2


async def test_a_server_with_a_broken_new_pair_goes_on(authority, settings):
    """With the certificate that it has, on both listeners."""
    pair = authority.issue()
    first = serial_of(pair.certificate.read_bytes())
    async with wiring.running(settings(pair)) as (addresses, _):
        pair.certificate.write_text("broken")

        async def told():
            async with aiohttp.ClientSession() as session, session.get(f"http://{addresses.admin}/metrics") as answer:
                return 'podledger_tls_reload_total{result="kept_old"} 1.0' in await answer.text()

        await until(told)
        serials = {await served_serial(addresses.grpc), await served_serial(addresses.http)}

    assert serials == {first}
