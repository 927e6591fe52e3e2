"""A listener for the gateway, with the limits of operations 6.

aiohttp alone caps neither connections nor stalled writers, keeps half a request for an hour, and
answers what its parser refuses with text. The protocol class and the factory here mend that.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, cast
from typing import Protocol as Interface

from aiohttp import http_parser, web

from podledger_gateway.settings import GatewaySettings

log = logging.getLogger(__name__)

_BACKLOG = 1024
_CLEANUP_SECONDS = 15.0
_FLUSH_SECONDS = 3.0
"""After the last request, how long what was written may take to reach clients that read slowly."""


class Interruptible(Interface):
    """A stream that runs."""

    @property
    def task(self) -> asyncio.Task[Any]:
        """The task of its handler."""
        ...

    def interrupt(self) -> None:
        """End it with an error element."""
        ...


class Served(Interface):
    """What a listener needs of the application beside its handlers."""

    @property
    def streams(self) -> Collection[Interruptible]:
        """Those that run."""
        ...

    def failure(self, status: int) -> web.Response:
        """The answer to what the HTTP parser refused, or to an error of ours."""
        ...


SERVED: web.AppKey[Any] = web.AppKey("podledger_gateway.served")


class Server:
    """A listener that serves; `address` is `host:port` as really bound, or `unix:PATH`."""

    def __init__(
        self,
        runner: web.AppRunner,
        listener: asyncio.Server,
        served: Served,
        sockets: _Sockets,
        *,
        address: str,
        grace: float,
    ) -> None:
        self.address = address
        self._sockets = sockets
        self._runner = runner
        self._listener = listener
        self._served = served
        self._grace = grace

    async def close(self) -> None:
        """Stop listening, let requests finish for a while, end streams as unavailable, close everything."""
        self._listener.close()
        if running := {stream.task for stream in self._served.streams}:
            await asyncio.wait(running, timeout=self._grace)
        for stream in list(self._served.streams):
            stream.interrupt()
        await self._runner.cleanup()
        await self._sockets.flush(_FLUSH_SECONDS)
        if self.address.startswith("unix:"):
            _remove(Path(self.address.removeprefix("unix:")))


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def serve(
    application: web.Application,
    host: str,
    port: int,
    settings: GatewaySettings,
    *,
    ssl_context: ssl.SSLContext | None = None,
) -> Server:
    """Listen on a host and port (0 takes a free one), or on the unix socket that `host` is the path of."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise RuntimeError("aiohttp has no C parser here; install a wheel of it, the Python parser is not safe enough")
    served: Served = application[SERVED]
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=_CLEANUP_SECONDS, access_log=None)
    await runner.setup()
    sockets = _Sockets()
    try:
        listener, address = await _listen(_Factory(runner, served, settings, sockets), host, port, ssl_context)
    except BaseException:
        await runner.cleanup()
        raise
    return Server(runner, listener, served, sockets, address=address, grace=settings.shutdown_seconds)


async def _listen(
    factory: Callable[[], asyncio.Protocol], host: str, port: int, ssl_context: ssl.SSLContext | None
) -> tuple[asyncio.Server, str]:
    loop = asyncio.get_running_loop()
    path = host.removeprefix("unix:")
    if "/" in path or path != host:
        return await loop.create_unix_server(factory, path, ssl=ssl_context, backlog=_BACKLOG), f"unix:{path}"
    listener = await loop.create_server(factory, host, port, ssl=ssl_context, backlog=_BACKLOG)
    name, bound, *_ = listener.sockets[0].getsockname()
    return listener, f"[{name}]:{bound}" if ":" in name else f"{name}:{bound}"


class _Sockets:
    """Those that are open, each until its last byte has left.

    aiohttp closes connections and does not wait until they are closed. At the end of the process the rest
    of an answer would be lost, and with it the error element that ends a stream.
    """

    def __init__(self) -> None:
        self._open: dict[asyncio.Transport, asyncio.Future[None]] = {}

    def opened(self, transport: asyncio.Transport) -> None:
        """Begin to watch one."""
        self._open[transport] = asyncio.get_running_loop().create_future()

    def closed(self, transport: asyncio.Transport) -> None:
        """Forget one."""
        self._open.pop(transport).set_result(None)

    async def flush(self, seconds: float) -> None:
        """Wait until all are closed; abort those that take longer."""
        if self._open:
            await asyncio.wait(self._open.values(), timeout=seconds)
        for transport in self._open:
            transport.abort()


class _Factory:
    """Makes the protocol of each connection; closes those beyond the cap."""

    def __init__(self, runner: web.AppRunner, served: Served, settings: GatewaySettings, sockets: _Sockets) -> None:
        assert runner.server is not None
        self._server = runner.server
        self._served = served
        self._settings = settings
        self._sockets = sockets

    def __call__(self) -> asyncio.Protocol:
        settings = self._settings
        if len(self._server.connections) >= settings.max_connections:
            return _Refused()
        return _Connection(
            self._server,
            served=self._served,
            sockets=self._sockets,
            stall_seconds=settings.stall_seconds,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=settings.keepalive_seconds,
            max_line_size=settings.max_line_bytes,
            max_field_size=settings.max_field_bytes,
            max_headers=settings.max_headers,
            auto_decompress=False,
            access_log=None,
        )


class _Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class _Connection(web.RequestHandler):
    """One connection: errors as JSON, a limit on the time that a client may take to read an answer."""

    __slots__ = ("_served", "_socket", "_sockets", "_stall_seconds")

    def __init__(
        self, manager: web.Server, *, served: Served, sockets: _Sockets, stall_seconds: float, **options: Any
    ) -> None:
        super().__init__(manager, **options)
        self._served = served
        self._sockets = sockets
        self._stall_seconds = stall_seconds
        self._socket: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Watch the socket from here on: `transport` is forgotten before the socket is closed."""
        self._socket = cast("asyncio.Transport", transport)
        self._sockets.opened(self._socket)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The last byte has left, or never will."""
        if self._socket is not None:
            self._sockets.closed(self._socket)
        super().connection_lost(exc)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write the answer, or its end; cut a client that does not take it."""
        try:
            async with asyncio.timeout(self._stall_seconds):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()
            return resp, True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the parser's words would tell how it reads
    ) -> web.StreamResponse:
        """Answer what the parser refused. A body that has begun cannot be mended: it is cut."""
        if isinstance(exc, ConnectionError):
            raise exc
        if status >= 500:
            log.error("a request failed outside its handler", exc_info=exc)
        if request.writer.output_size > 0:
            if self.transport is not None:
                self.transport.abort()
            raise ConnectionError("the answer had already begun")
        response = self._served.failure(status)
        response.force_close()
        return response
