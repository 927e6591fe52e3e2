"""A gateway that really listens, over either of the two backends that play a script."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

from podledger_gateway.app import application, serve
from podledger_gateway.backend import Backend
from podledger_gateway.rules import bindings
from podledger_gateway.settings import GatewaySettings
from podledger_protos.api.v1 import pod_service_pb2
from tests.fakes.gateway_backends import InProcess, RealServer, Script, real_backend
from tests.fakes.gateway_types import create, gwtest_pool
from tests.fakes.raw_http import Answer, fetch

POD_SERVICE = pod_service_pb2.DESCRIPTOR.services_by_name["PodService"]
BACKENDS = ("in process", "channel")
"""The same cases run over both (gateway 8.6)."""


def service(name: str) -> ServiceDescriptor:
    return gwtest_pool().FindServiceByName(name) if name.startswith("gwtest.") else POD_SERVICE


TRANSCODE_TEST = service("gwtest.v1.TranscodeTest")


def method_of(services: Iterable[ServiceDescriptor], wire_name: str) -> MethodDescriptor:
    name = wire_name.rpartition("/")[2]
    return next(found.methods_by_name[name] for found in services if name in found.methods_by_name)


def _application(
    backend: Backend, services: Sequence[ServiceDescriptor], settings: GatewaySettings, options: dict[str, Any]
) -> web.Application:
    return application(backend, bindings(services, auto_map=settings.auto_map), settings, **options)


@dataclass
class Gateway:
    """A listening gateway, and the backend behind it."""

    address: str
    backend: InProcess | RealServer
    services: Sequence[ServiceDescriptor]

    def play(self, script: dict[str, Any] | None = None, **fields: Any) -> None:
        """What the backend answers from now on; the fields are those of the shared vectors."""
        self.backend.script = Script.of(self.render, {**(script or {}), **fields})

    def render(self, method: str, message: Any) -> bytes:
        return create(method_of(self.services, method).output_type.full_name, message).SerializeToString()

    async def get(self, target: str, *headers: tuple[str, str], method: str = "GET", body: bytes = b"") -> Answer:
        return await fetch(self.address, method, target, headers, body)

    async def post(self, target: str, body: str, *headers: tuple[str, str]) -> Answer:
        form = ("Content-Type", "application/x-www-form-urlencoded")
        return await fetch(self.address, "POST", target, [form, *headers], body.encode())


@asynccontextmanager
async def listening(
    kind: str = "in process",
    *services: ServiceDescriptor,
    settings: GatewaySettings | None = None,
    address: str = "",
    **options: Any,
) -> AsyncIterator[Gateway]:
    """A gateway for the services; `address` is that of another backend than the scripted one."""
    services = services or (POD_SERVICE,)
    settings = settings or GatewaySettings()
    async with AsyncExitStack() as stack:
        scripted: InProcess | RealServer = InProcess() if kind == "in process" else RealServer()
        backend: Backend
        if isinstance(scripted, RealServer):
            scripted.streaming = lambda method: bool(method_of(services, method).server_streaming)
            await scripted.start()
            assert scripted.server is not None
            stack.push_async_callback(scripted.server.stop, 0)
            backend = await stack.enter_async_context(real_backend(scripted, address=address))
        else:
            backend = scripted
        server = await serve(_application(backend, services, settings, options), "127.0.0.1", 0, settings)
        stack.push_async_callback(server.close)
        gateway = Gateway(server.address, scripted, services)
        gateway.play()
        yield gateway


@asynccontextmanager
async def commanded(folder: Path, *arguments: str) -> AsyncIterator[str]:
    """The gateway as its own program; gives the address that it serves."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "podledger_gateway", *arguments, "--ready-file", str(ready)]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(30):
            while not ready.exists():
                if process.returncode is not None:
                    raise AssertionError((await process.communicate())[1].decode())
                await asyncio.sleep(0.02)
        yield json.loads(ready.read_text())["http"]
        process.terminate()
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
