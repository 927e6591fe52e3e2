"""HTTP/2 hostility (operations 23, promise 11): raw frames against the gRPC listener, while health is asked.

Attacks: calls that are begun and reset at once, by the thousand on each of several connections; a header block that
never ends; floods of SETTINGS and of PING; bytes that are no frames, and frames with a bit flipped. The server may close
a connection over any of them. It must go on to answer others, soon, and neither its memory nor its time may go.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hpack import Encoder
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame

from podledger.store.sqlite import SqliteStore
from podledger_protos.api.v1.pod_service_pb2 import ExportPodRequest
from tests.chaos.folders import folder
from tests.chaos.judging import Findings, Mutant, Options, command, leave
from tests.chaos.programs import Program
from tests.fakes.store_pods import fill, record

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PIECE = 16_384
"""The largest frame that a peer accepts unasked."""
FRAMES_AT_ONCE = 200

RESET_MICROSECONDS = 4e6 / (16 * 20_000)
"""Processor time that one reset may cost: 4 s for 16 connections of 20,000."""
CPU_NOISE_SECONDS = 0.15
MEMORY_MIB = 32.0
CONTINUATION_MIB = 128.0
HEALTH_SECONDS = 0.1
NOISY_HEALTH_SECONDS = 1.0
"""For the slowest answer of all: on a busy machine one of a thousand tells of other programs."""
PODS = 2000

_LAST = b"the last"
_ANSWER = PingFrame(0, _LAST, flags=["ACK"]).serialize()


# ------------------------------------------------------------------------------------------------ attacks


class Attacker:
    """A connection that speaks HTTP/2 by hand."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.sent = 0
        self._end = socket.create_connection((host, int(port)), timeout=30)
        self._settled = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.send(PREFACE + SettingsFrame(0).serialize() + SettingsFrame(0, flags=["ACK"]).serialize())

    def _read(self) -> None:
        """Look for the answer to our last PING in what the server says, and for its end."""
        tail = b""
        with suppress(OSError):
            while (data := self._end.recv(2**16)) and _ANSWER not in tail + data:
                tail = data[-len(_ANSWER) :]
        self._settled.set()
        with suppress(OSError):
            while self._end.recv(2**16):
                pass

    def send(self, data: bytes) -> bool:
        """False when the server has closed the connection."""
        try:
            self._end.sendall(data)
        except OSError:
            return False
        self.sent += len(data)
        return True

    def settle(self) -> None:
        """Wait until the server has read everything, or has closed the connection."""
        self.send(PingFrame(0, _LAST).serialize())
        self._settled.wait(timeout=30)

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)
        self._reader.join(timeout=10)
        self._end.close()


@contextmanager
def attacker(address: str) -> Iterator[Attacker]:
    """An attacker, closed in the end."""
    one = Attacker(address)
    try:
        yield one
    finally:
        one.close()


def resets(address: str, pieces: Sequence[bytes]) -> int:
    """Send calls that are reset at once; gives how many were sent before the server had enough."""
    with attacker(address) as one:
        sent = sum(map(one.send, pieces))
        one.settle()
        return FRAMES_AT_ONCE * sent


def calls_and_resets(times: int) -> list[bytes]:
    """Exports that begin and are reset, some per piece. Made before, so that an attack costs the attacker little."""
    encoder = Encoder()
    blocks = [encoder.encode(_headers()), encoder.encode(_headers())]  # the second refers to the first
    calls = [_call_and_reset(1 + 2 * number, blocks[number > 0]) for number in range(times)]
    return [b"".join(calls[first : first + FRAMES_AT_ONCE]) for first in range(0, times, FRAMES_AT_ONCE)]


def _headers() -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/v1.PodService/ExportPods"),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]


def _call_and_reset(stream: int, block: bytes) -> bytes:
    request = ExportPodRequest().SerializeToString()
    data = b"\0" + len(request).to_bytes(4, "big") + request
    return b"".join(
        frame.serialize()
        for frame in (
            HeadersFrame(stream, block, flags=["END_HEADERS"]),
            DataFrame(stream, data, flags=["END_STREAM"]),
            RstStreamFrame(stream, error_code=8),
        )
    )


def continuation(address: str, size: int) -> int:
    """A header block without end; gives how many bytes of it were sent."""
    block = b"".join(b"\0" + _text(f"x-{number:04d}") + _text("v" * 50) for number in range(PIECE // 60))[:PIECE]
    more = ContinuationFrame(1, block).serialize()
    with attacker(address) as one:
        one.send(HeadersFrame(1, Encoder().encode(_headers())).serialize())
        while one.sent < size and one.send(more):
            pass
        one.settle()
        return one.sent


def _text(text: str) -> bytes:
    """A literal of a header block, not compressed."""
    return bytes([len(text)]) + text.encode()


def flood(frame: Frame) -> Callable[[str, int], int]:
    """The same frame again and again."""
    many = frame.serialize() * FRAMES_AT_ONCE

    def attack(address: str, times: int) -> int:
        with attacker(address) as one:
            done = 0
            while done < times and one.send(many):
                done += FRAMES_AT_ONCE
            one.settle()
            return done

    return attack


settings = flood(SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 70_000}))
pings = flood(PingFrame(0, b"\0" * 8))


def garbage(address: str, times: int, rng: random.Random) -> int:
    """Connections that send bytes at random, or a call with one bit flipped."""
    call = _call_and_reset(1, Encoder().encode(_headers()))
    for number in range(times):
        with attacker(address) as one:
            if number % 2:
                one.send(rng.randbytes(rng.randrange(1, 4096)))
            else:
                place = rng.randrange(len(call))
                one.send(call[:place] + bytes([call[place] ^ 1 << rng.randrange(8)]) + call[place + 1 :])
    return times


# ------------------------------------------------------------------------------------------------ watching


class Watch:
    """Health asked all the time, and what the server needs meanwhile."""

    def __init__(self, program: Program) -> None:
        self.answers: list[float] = []
        self.refused = 0
        self._program = program
        self._peak = 0.0

    async def over(self, attack: Callable[..., int], *given: object, connections: int = 1) -> dict[str, float]:
        """Run an attack on so many connections; what was sent, and what it cost."""
        before, spent, begun = self._program.memory, self._program.cpu, time.monotonic()
        asking = asyncio.create_task(self._ask())
        try:
            attacks = [asyncio.to_thread(attack, self._program.grpc, *given) for _ in range(connections)]
            sent = sum(await asyncio.gather(*attacks))
            await asyncio.sleep(0.3)
        finally:
            asking.cancel()
            await asyncio.wait([asking])
        return {
            "sent": sent,
            "mib": round(self._peak - before, 1),
            "cpu": round(self._program.cpu - spent, 2),
            "secs": round(time.monotonic() - begun, 1),
        }

    async def _ask(self) -> None:
        self._peak = 0.0
        async with grpc.aio.insecure_channel(self._program.grpc) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            while True:
                self._peak = max(self._peak, self._program.memory)
                begun = time.monotonic()
                try:
                    await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)
                except grpc.aio.AioRpcError:
                    self.refused += 1
                self.answers.append(time.monotonic() - begun)
                await asyncio.sleep(0.01)


async def _served(place: Path, wrapped: Sequence[str]) -> Program:
    store = SqliteStore(place / "store.db")
    await store.open()
    await fill(store, [record(number, name="x" * 500) for number in range(1, PODS)])
    await store.close()
    program = Program(place, place / "store.db", wrapped=wrapped)
    await program.start()
    return program


async def attack_all(place: Path, given: Options) -> Findings:
    """Every attack, one after the other."""
    findings = Findings()
    program = await _served(place, ())
    try:
        watch = Watch(program)
        done = await _resets(watch, findings, connections=given.connections, times=given.resets)
        findings.floor("resets", done, given.connections)
        for name, attack, times in (("settings", settings, given.floods), ("pings", pings, given.floods)):
            findings.figures[name] = cost = await watch.over(attack, times)
            findings.require("memory", cost["mib"] <= MEMORY_MIB)
        findings.figures["garbage"] = await watch.over(garbage, given.garbage, random.Random(given.seed))
        findings.figures["continuation"] = cost = await watch.over(continuation, given.continuation * 2**20)
        findings.require("continuation", cost["mib"] <= CONTINUATION_MIB)
        _health(watch, findings)
        findings.require("alive", program.alive)
    finally:
        program.kill()
        await program.gone()
    return findings


async def _resets(watch: Watch, findings: Findings, *, connections: int, times: int) -> float:
    pieces = await asyncio.to_thread(calls_and_resets, times)
    findings.figures["resets"] = cost = await watch.over(resets, pieces, connections=connections)
    findings.require("memory", cost["mib"] <= MEMORY_MIB)
    findings.require("cpu", cost["cpu"] <= connections * times * RESET_MICROSECONDS / 1e6 + CPU_NOISE_SECONDS)
    return cost["sent"]


def _health(watch: Watch, findings: Findings) -> None:
    answers = sorted(watch.answers)
    usual = answers[int(len(answers) * 0.99)]
    findings.figures |= {"health": len(answers), "health_ms": [round(usual * 1000, 1), round(answers[-1] * 1000, 1)]}
    findings.figures["health_refused"] = watch.refused
    findings.require("health", usual <= HEALTH_SECONDS and answers[-1] <= NOISY_HEALTH_SECONDS and not watch.refused)


# ------------------------------------------------------------------------------------------------ command


def trial(given: Options) -> Findings:
    """The mutant."""

    async def run(place: Path) -> Findings:
        findings = Findings()
        program = await _served(place, ["no_stream_cap"])
        try:
            await _resets(Watch(program), findings, connections=1, times=10_000)
        finally:
            program.kill()
            await program.gone()
        return findings

    with folder() as place:
        return asyncio.run(run(place))


def judge(given: Options) -> Findings:
    """The product."""
    with folder() as place:
        return asyncio.run(attack_all(place, given))


def options(parser: argparse.ArgumentParser) -> None:
    """Those of this command."""
    parser.add_argument("--all", action="store_true", help="every attack at its full size; else a fiftieth")
    parser.add_argument("--connections", type=int, default=16, help="connections that reset calls")
    parser.add_argument("--resets", type=int, default=0, help="resets of each")
    parser.add_argument("--floods", type=int, default=0, help="SETTINGS, and PINGs")
    parser.add_argument("--continuation", type=int, default=0, help="MiB of a header block")
    parser.add_argument("--garbage", type=int, default=0, help="connections that send garbage")


def sized(given: Options) -> Options:
    """The sizes that were not given."""
    share = 1 if given.all else 50
    for name, size in {"resets": 20_000, "floods": 1_000_000, "continuation": 1024, "garbage": 1000}.items():
        setattr(given, name, getattr(given, name) or size // share)
    return given


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    return command(
        "frames",
        argv,
        describe="Send hostile HTTP/2 frames.",
        options=options,
        mutants={"no_stream_cap": Mutant(trial, frozenset({"memory", "cpu"}))},
        judge=lambda given: judge(sized(given)),
    )


if __name__ == "__main__":
    leave(main())
