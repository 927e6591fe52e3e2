"""The gateway on its own: `python -m podledger_gateway --listen A --backend B (--descriptor-set FILE | --reflect)`.

Serves every annotated service of a gRPC server, without code of ours (gateway 8.7). What is wrong with
the options, the descriptors or the annotations ends the start with one sentence per problem.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import re
import signal
import ssl
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from aiohttp import web
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import DecodeError
from pydantic import ValidationError

from podledger_gateway.app import Server, application, serve
from podledger_gateway.backend import BackendError
from podledger_gateway.channel import Channel, ChannelBackend, filled_pool, open_channel, reflect
from podledger_gateway.comments import Comments, comments
from podledger_gateway.errors import ProfileName
from podledger_gateway.routes import shadowed
from podledger_gateway.rules import Binding, BrokenRules, bindings, remarks
from podledger_gateway.settings import StandaloneSettings

log = logging.getLogger("podledger_gateway")

_USAGE_ERROR = 2
_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]/]*)):(?P<port>[0-9]{1,5})")


class CannotStart(Exception):
    """The gateway cannot serve; `problems` holds one sentence each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; the exit code is 2 when the start failed."""
    options = _options(arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        asyncio.run(_run(options))
    except CannotStart as reason:
        for problem in reason.problems:
            log.error("%s", problem)  # noqa: TRY400 - a sentence for the user, no trace
        return _USAGE_ERROR
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m podledger_gateway", description="REST for any gRPC server with google.api.http annotations."
    )
    parser.add_argument("--listen", required=True, metavar="HOST:PORT", help="where to serve; port 0 takes a free one")
    parser.add_argument("--backend", required=True, metavar="HOST:PORT", help="the gRPC server; also unix:PATH")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--descriptor-set", type=Path, metavar="FILE", help="a FileDescriptorSet with its imports")
    source.add_argument("--reflect", action="store_true", help="ask the server for its descriptors, once at start")
    parser.add_argument("--profile", choices=get_args(ProfileName), help="dialect of errors (default: rhacs-4.5)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; may be repeated")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="written once requests are served")
    return parser.parse_args(arguments)


async def _run(options: argparse.Namespace) -> None:
    settings = _settings(options)
    async with open_channel(_backend(options.backend), ca=_file(settings.backend_ca)) as channel:
        services, texts = await _services(options, channel)
        found = _bindings(services, settings)
        app = application(ChannelBackend(channel), found, settings, comments=texts)
        server = await _serve(app, options.listen, settings)
        try:
            await _until_signal(server, options.ready_file, methods=len({binding.method for binding in found}))
        finally:
            await server.close()


def _settings(options: argparse.Namespace) -> StandaloneSettings:
    values: dict[str, Any] = {} if options.profile is None else {"profile": options.profile}
    for item in options.set:
        name, equals, value = item.partition("=")
        if not equals:
            raise CannotStart(f"--set takes name=value, not {item}.")
        values[name] = value
    try:
        return StandaloneSettings(**values)
    except ValidationError as problem:
        raise CannotStart(*(_sentence(error) for error in problem.errors())) from None


def _sentence(error: Any) -> str:
    name = ".".join(map(str, error["loc"]))
    return f"There is no setting {name}." if error["type"] == "extra_forbidden" else f"Setting {name}: {error['msg']}."


def _file(path: str) -> bytes | None:
    """Content of a file that a setting names; None where none is named."""
    try:
        return Path(path).read_bytes() if path else None
    except OSError as problem:
        raise CannotStart(f"Cannot read {path}: {problem.strerror}.") from None


def _backend(address: str) -> str:
    if not address.startswith("unix:"):
        _host_and_port("--backend", address)
    return address


def _host_and_port(option: str, address: str) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65_535:
        raise CannotStart(f"{option} takes host:port, not {address}.")
    return match["six"] or match["host"] or "127.0.0.1", int(match["port"])


async def _services(options: argparse.Namespace, channel: Channel) -> tuple[list[ServiceDescriptor], Comments]:
    """Services, and the comments that a descriptor set may hold; reflection gives none."""
    if not options.reflect:
        return _services_of(options.descriptor_set)
    try:
        return await reflect(channel), {}
    except BackendError as problem:
        raise CannotStart(f"No descriptors from {options.backend}: {problem.message}.") from None


def _services_of(path: Path) -> tuple[list[ServiceDescriptor], Comments]:
    """Services of a descriptor set in file order."""
    data = _file(str(path)) or b""
    try:
        files = FileDescriptorSet.FromString(data).file
        pool = filled_pool(files)
    except (DecodeError, TypeError) as problem:
        raise CannotStart(f"{path} is no FileDescriptorSet with all its imports: {problem}.") from None
    names = [proto.name for proto in files]
    services = [service for name in names for service in pool.FindFileByName(name).services_by_name.values()]
    return services, comments(files)


def _bindings(services: Sequence[ServiceDescriptor], settings: StandaloneSettings) -> list[Binding]:
    try:
        found = bindings(services, auto_map=settings.auto_map)
    except BrokenRules as broken:
        raise CannotStart(*(f"{problem}." for problem in broken.problems)) from None
    if not found:
        raise CannotStart("No method has a google.api.http annotation.")
    _warn([*remarks(services, found), *shadowed(found, decoding=settings.path_decoding)])
    return found


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        log.warning("%s.", sentence)


async def _serve(app: web.Application, listen: str, settings: StandaloneSettings) -> Server:
    host, port = _host_and_port("--listen", listen)
    try:
        return await serve(app, host, port, settings, ssl_context=_tls(settings))
    except OSError as problem:
        reason = os.strerror(problem.errno) if problem.errno else str(problem)
        raise CannotStart(f"Cannot listen on {listen}: {reason}.") from None


def _tls(settings: StandaloneSettings) -> ssl.SSLContext | None:
    if not settings.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key or None)
    except (OSError, ssl.SSLError) as problem:
        raise CannotStart(f"Cannot use tls_cert and tls_key: {problem}.") from None
    return context


async def _until_signal(server: Server, ready_file: Path | None, *, methods: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    log.info("Serving %d methods on %s.", methods, server.address)
    if ready_file is not None:
        _write(ready_file, json.dumps({"http": server.address}))
    await stop.wait()


def _write(path: Path, text: str) -> None:
    """Write a file as a whole: who sees it sees all of it."""
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{text}\n")
        Path(name).replace(path)
    except OSError as problem:
        raise CannotStart(f"Cannot write {path}: {problem.strerror}.") from None


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
