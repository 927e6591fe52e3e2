"""What gateway/README.md says is run: both commands, the program, and what curl shows."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import google.api
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

from tests.fakes.gateway_backends import RealServer, Script
from tests.fakes.gateway_types import compile_protos
from tests.fakes.gateways import commanded
from tests.fakes.program import ROOT
from tests.fakes.raw_http import fetch

README = (ROOT / "gateway" / "README.md").read_text()
GOOGLEAPIS = Path(next(iter(google.api.__path__))).parents[1]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


PROTO, PROGRAM = blocks("proto")[0], blocks("python")[0]
COMMANDS = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
SERVES = [command for command in COMMANDS if "podledger_gateway" in command]
SHOWN = re.findall(r"^\$ curl -s '(.*)'\n(.*)\n", README, re.MULTILINE)


def library() -> ServiceDescriptor:
    pool = descriptor_pool.DescriptorPool()
    for file in compile_protos({"shelf.proto": PROTO}).file:
        pool.Add(file)
    return pool.FindServiceByName("shelf.v1.Library")


@pytest.fixture
async def server() -> AsyncIterator[RealServer]:
    """A server of the library that gives back what it is asked."""
    found = RealServer()
    found.streaming = lambda method: method.endswith("/WatchBooks")
    found.script = Script(lambda method, message: b"", mode="echo")
    await found.start([library()])
    yield found
    await found.server.stop(0)


async def assert_shown(address: str) -> None:
    assert SHOWN
    for url, body in SHOWN:
        answer = await fetch(address, "GET", url.removeprefix("http://127.0.0.1:8080"))
        assert body == answer.text.rstrip("\n")


@pytest.mark.parametrize("command", SERVES, ids=["by reflection", "by a descriptor set"])
async def test_the_command_serves_the_service(server: RealServer, command: str, tmp_path: Path) -> None:
    (tmp_path / "shelf.proto").write_text(PROTO)
    for other in COMMANDS:
        if "grpc_tools.protoc" in other:
            shown = other.replace("python", sys.executable, 1)
            subprocess.run(
                ["bash", "-c", shown], check=True, cwd=tmp_path, env={**os.environ, "GOOGLEAPIS": str(GOOGLEAPIS)}
            )
    arguments = command.replace("127.0.0.1:8080", "127.0.0.1:0").replace("127.0.0.1:50052", server.address).split()[3:]
    async with commanded(tmp_path, *arguments) as address:
        await assert_shown(address)
        described = (await fetch(address, "GET", "/swagger.json")).text
    assert ("Finds one book." in described) == ("--descriptor-set" in command)


async def test_the_program_serves_the_service(server: RealServer) -> None:
    names = "from podledger_gateway.app import application, serve\nimport asyncio\n"
    names += "from podledger_gateway.channel import ChannelBackend, open_channel, reflect\n"
    names += "from podledger_gateway.rules import bindings\nfrom podledger_gateway.settings import GatewaySettings\n"
    text = PROGRAM.replace("127.0.0.1:50052", server.address).replace('"127.0.0.1", 8080', '"127.0.0.1", 0')
    lines = text.replace("await asyncio.Event().wait()", "await check(server)").splitlines()
    scope: dict[str, object] = {}
    exec(names + "async def program(check):\n" + "\n".join(f"    {line}" for line in lines), scope)

    async def check(served) -> None:
        await assert_shown(served.address)
        await served.close()

    assert len(lines) == 5
    async with asyncio.timeout(20):
        await scope["program"](check)
