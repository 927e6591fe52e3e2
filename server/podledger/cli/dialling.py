"""How commands reach a server: the options, the channel, and how a failed call ends.

Loopback and unix sockets are called in plaintext, every other server over TLS, so that neither a query
nor a credential crosses a network in the clear unless `--plaintext` says so.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import grpc

from podledger.cli import output
from podledger.errors import BadInput
from podledger.listeners import parse_address

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""Pods of unusual size must fit; the library's own limit is 4 MiB."""
EXIT_CALL_FAILED = 64
"""Added to the gRPC code, so that a script can tell codes apart."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server and how to reach it: over TLS with the authorities of `ca`, or of the library when it is None."""

    server: str
    ca: Path | None
    plaintext: bool

    @property
    def encrypted(self) -> bool:
        """Whether the channel is TLS."""
        return not self.plaintext and (self.ca is not None or not _is_local(self.server))

    def credentials(self) -> grpc.ChannelCredentials:
        """Of a TLS channel. Raises `BadInput` when `ca` cannot be read."""
        try:
            return grpc.ssl_channel_credentials(self.ca.read_bytes() if self.ca else None)
        except OSError as error:
            raise BadInput(f"--ca {self.ca}: cannot be read: {error.strerror}") from error


def _is_local(server: str) -> bool:
    try:
        return parse_address(server).local
    except ValueError:
        return False


def target_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--server`, `--ca` and `--plaintext`; the command gets them as `target`."""

    @click.option(
        "--server",
        envvar="PODLEDGER_SERVER",
        default="127.0.0.1:50051",
        show_default=True,
        help="host:port or unix:PATH of the gRPC listener. [env: PODLEDGER_SERVER]",
    )
    @click.option(
        "--ca",
        envvar="PODLEDGER_CA",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Use TLS and trust the authorities in this PEM file. [env: PODLEDGER_CA]",
    )
    @click.option("--plaintext", is_flag=True, help="No TLS, although the server is not on this machine.")
    @functools.wraps(command)
    def with_target(*arguments: Any, server: str, ca: Path | None, plaintext: bool, **options: Any) -> None:
        if plaintext and ca:
            raise click.UsageError("--plaintext and --ca exclude each other")
        command(*arguments, target=Target(server, ca, plaintext), **options)

    return with_target


@contextmanager
def channel_to(target: Target) -> Iterator[grpc.Channel]:
    """A channel. The stream option makes the Python client read ten times faster."""
    options = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.experimental.single_threaded_unary_stream", 1),
    ]
    if target.encrypted:
        opened = grpc.secure_channel(target.server, target.credentials(), options=options)
    else:
        opened = grpc.insecure_channel(target.server, options=options)
    with opened as channel:
        yield channel


@contextmanager
def failures(more: Callable[[grpc.RpcError], str] = lambda _: "") -> Iterator[None]:
    """Turn a failed call into one sentence, what `more` adds to it, and exit status 64 + code."""
    try:
        yield
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        click.echo(f"Error: {code.name}: {output.escaped(error.details() or '')}{more(error)}", err=True)
        sys.exit(EXIT_CALL_FAILED + code.value[0])
