"""A TCP proxy that does to a connection what networks do: slow it, cut it, forget it, spoil it.

A verb acts on the connections that are open; those that come later are whole again, apart from `delay`,
`bandwidth` and `drip`, which stay until `heal`. Sockets have small buffers, so that little is under way when a verb
acts. `target` may be changed while it runs, for a server that comes back elsewhere.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal, Self

_BUFFER = 64 * 1024
_PIECE = 16 * 1024
_SEGMENT = 1448
"""Segments as on Ethernet. Those of the loopback are so large that the sender buffers a megabyte."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing sends RST and drops what is under way."""

End = Literal["client", "server"]


@dataclass(frozen=True)
class Weather:
    """What all pieces suffer: seconds of delay, bytes per second (0: any), and whether bytes come one by one."""

    delay: float = 0.0
    bandwidth: float = 0.0
    drip: bool = False


class FaultProxy:
    """A listener in front of `target` (`host:port`)."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.address = ""
        self.weather = Weather()
        self._listener = socket.socket()
        self._links: set[_Link] = set()
        self._accepting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _shrink(self._listener)
        self._listener.setblocking(False)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(256)
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._accepting = asyncio.create_task(self._accept())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._accepting is not None
        self._accepting.cancel()
        await asyncio.wait([self._accepting])
        self._listener.close()
        await self.cut()

    @property
    def links(self) -> int:
        """Connections that are open."""
        return len(self._links)

    # verbs

    def delay(self, seconds: float) -> None:
        """Every piece comes later."""
        self.weather = replace(self.weather, delay=seconds)

    def bandwidth(self, bytes_per_second: float) -> None:
        """Pieces come no faster than this, each way."""
        self.weather = replace(self.weather, bandwidth=bytes_per_second)

    def drip(self) -> None:
        """Bytes come one by one, `bandwidth` of them in a second."""
        self.weather = replace(self.weather, drip=True)

    def heal(self) -> None:
        """Good weather again."""
        self.weather = Weather()

    async def cut(self) -> None:
        """RST to both ends."""
        await asyncio.gather(*(link.cut() for link in list(self._links)))

    def half_close(self, towards: End) -> None:
        """FIN to one end, and nothing more for it."""
        for link in self._links:
            link.half_close(towards)

    def blackhole(self) -> None:
        """Nothing passes any more, and nobody is told."""
        for link in self._links:
            link.silent = True

    def flip(self, towards: End) -> None:
        """Change one bit in the middle of the next piece."""
        for link in self._links:
            link.flips.add(towards)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            client.setblocking(False)
            link = _Link(self, client)
            self._links.add(link)
            link.task = asyncio.create_task(link.run())
            link.task.add_done_callback(lambda _, link=link: self._links.discard(link))


class _Link:
    """A connection on both sides of the proxy."""

    def __init__(self, proxy: FaultProxy, client: socket.socket) -> None:
        self.silent = False
        self.flips: set[End] = set()
        self.task: asyncio.Task[None] | None = None
        self._proxy = proxy
        self._client = client
        self._server = socket.socket()
        self._closed: set[End] = set()

    async def run(self) -> None:
        host, _, port = self._proxy.target.rpartition(":")
        self._server.setblocking(False)
        _shrink(self._server)
        try:
            await asyncio.get_running_loop().sock_connect(self._server, (host, int(port)))
            await asyncio.gather(
                self._pump(self._client, self._server, "server"), self._pump(self._server, self._client, "client")
            )
        except OSError:
            self._reset()
        finally:
            self._client.close()
            self._server.close()

    async def cut(self) -> None:
        assert self.task is not None
        self._reset()
        self.task.cancel()
        await asyncio.wait([self.task])

    def _reset(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def half_close(self, towards: End) -> None:
        self._closed.add(towards)
        with suppress(OSError):
            (self._client if towards == "client" else self._server).shutdown(socket.SHUT_WR)

    async def _pump(self, source: socket.socket, sink: socket.socket, towards: End) -> None:
        """Carry pieces until their end, and carry that too."""
        loop = asyncio.get_running_loop()
        while piece := await loop.sock_recv(source, _PIECE):
            if towards in self.flips:
                self.flips.discard(towards)
                piece = _flipped(piece)
            await self._carry(piece, sink, towards)
        if not self.silent and towards not in self._closed:
            self.half_close(towards)

    async def _carry(self, piece: bytes, sink: socket.socket, towards: End) -> None:
        weather = self._proxy.weather
        await asyncio.sleep(weather.delay)
        for part in (piece[n : n + 1] for n in range(len(piece))) if weather.drip else (piece,):
            if weather.bandwidth:
                await asyncio.sleep(len(part) / weather.bandwidth)
            while self.silent:
                await asyncio.sleep(3600)
            if towards not in self._closed:
                await asyncio.get_running_loop().sock_sendall(sink, part)


def _shrink(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _flipped(piece: bytes) -> bytes:
    middle = len(piece) // 2
    return piece[:middle] + bytes([piece[middle] ^ 1]) + piece[middle + 1 :]
