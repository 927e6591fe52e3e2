"""`podledger call`: list, describe and call any gRPC server by reflection, so that no other tool is needed.

Messages go to stdout as the canonical JSON of protobuf; statuses, their details and metadata to stderr.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import grpc
from google.protobuf import descriptor_pool, json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from podledger.cli import output
from podledger.cli.describing import described
from podledger.cli.dialling import Target, channel_to, failures, target_options
from podledger.cli.reflecting import Reflection
from podledger.errors import BadInput

DETAILS = "grpc-status-details-bin"
_DETAIL_POOL: Any = error_details_pb2.DESCRIPTOR.pool
"""Where the usual details of google.rpc are known; descriptors of the server are asked first."""

Metadata = Sequence[tuple[str, str | bytes]]


@click.command("call")
@click.option("-d", "--data", default="", metavar="JSON", help="The request: JSON, @FILE, or - for standard input.")
@click.option("-H", "--header", "headers", multiple=True, metavar="KEY: VALUE", help="Metadata; repeat for more.")
@click.option(
    "--deadline", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Longest time to wait."
)
@click.option("--defaults", is_flag=True, help="Print fields that have their default value, too.")
@click.option("-v", "--verbose", is_flag=True, help="Print response metadata on standard error.")
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(("json", "ndjson")),
    help="Indented, or a line per message. Default: json on a terminal, ndjson otherwise.",
)
@target_options
@click.argument("what", metavar="list|describe|METHOD")
@click.argument("symbol", default="")
def call(
    what: str,
    symbol: str,
    target: Target,
    *,
    data: str,
    headers: Sequence[str],
    form: str | None,
    deadline: float | None,
    defaults: bool,
    verbose: bool,
) -> None:
    """List, describe and call the methods of any gRPC server that offers reflection.

    `list` prints the services, `list SERVICE` its methods. `describe SYMBOL` prints a service, method,
    message or enum. METHOD, for example v1.PodService/GetPods, is called; every message of the answer
    is printed as it arrives. A method that takes a stream gets every JSON value of the request, one
    after the other.

    Exit status is 64 + the gRPC code of a call that fails.
    """
    metadata = [_header(text) for text in headers]
    with channel_to(target) as channel, failures(_details):
        reflection = Reflection(channel, metadata=metadata, timeout=deadline)
        if what == "list":
            _list(reflection, symbol)
        elif what == "describe":
            _describe(reflection, symbol)
        elif symbol:
            raise click.UsageError("a method is called with -d JSON, not with an argument")
        else:
            method = reflection.method(what)
            printer = _Printer(reflection.pool, indented=_indented(form), defaults=defaults)
            requests = _requests(method, _text(data), reflection.pool)
            _run(channel, method, requests, printer, metadata=metadata, deadline=deadline, verbose=verbose)


def _list(reflection: Reflection, service: str) -> None:
    names: Iterable[str] = reflection.services()
    if service:
        found = reflection.find(service)
        if not isinstance(found, ServiceDescriptor):
            raise BadInput(f"{service} is not a service; `podledger call list` prints them")
        names = (f"{found.full_name}/{method.name}" for method in found.methods)
    for name in names:
        click.echo(output.escaped(name))


def _describe(reflection: Reflection, symbol: str) -> None:
    if not symbol:
        raise click.UsageError("describe needs the full name of a service, method, message or enum")
    click.echo(described(reflection.find(symbol)))


# ------------------------------------------------------------------------------------------- request


def _header(text: str) -> tuple[str, str | bytes]:
    """`key: value`; the value of a key that ends in `-bin` is base64."""
    key, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not key:
        raise click.UsageError(f"-H {text}: must be KEY: VALUE")
    if not key.endswith("-bin"):
        return key.lower(), value
    try:
        return key.lower(), base64.b64decode(value, validate=True)
    except binascii.Error:
        raise click.UsageError(f"-H {text}: the value of a -bin key must be base64") from None


def _text(data: str) -> str:
    try:
        if data == "-":
            return sys.stdin.read()
        return Path(data[1:]).read_text("utf-8") if data.startswith("@") else data
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"-d {data}: cannot be read: {error}") from error


def _requests(method: MethodDescriptor, text: str, pool: descriptor_pool.DescriptorPool) -> list[bytes]:
    """The messages to send. Nothing at all stands for one empty message."""
    kind = GetMessageClass(method.input_type)
    try:
        messages = [json_format.Parse(value, kind(), descriptor_pool=pool) for value in _values(text)]
    except (ValueError, json_format.ParseError, RecursionError) as error:
        raise click.UsageError(f"-d: is not a {method.input_type.full_name}: {error}") from error
    if not method.client_streaming and len(messages) > 1:
        raise click.UsageError(f"-d: {method.full_name} takes one message, not {len(messages)}")
    return [message.SerializeToString() for message in messages or [kind()]]


def _values(text: str) -> Iterator[str]:
    """The JSON values of a text, one after the other."""
    decoder = json.JSONDecoder()
    rest = text.strip()
    while rest:
        _, end = decoder.raw_decode(rest)
        yield rest[:end]
        rest = rest[end:].strip()


# -------------------------------------------------------------------------------------------- answer


class _Printer:
    """Prints messages of one method."""

    def __init__(self, pool: descriptor_pool.DescriptorPool, *, indented: bool, defaults: bool) -> None:
        self._pool = pool
        self._indent = 2 if indented else None
        self._defaults = defaults

    def __call__(self, message: Message) -> None:
        """On one line, or indented for a person; at once, since a stream may pause."""
        try:
            text = json_format.MessageToJson(
                message,
                indent=self._indent,
                always_print_fields_with_no_presence=self._defaults,
                descriptor_pool=self._pool,
            )
        except (TypeError, ValueError) as error:
            raise BadInput(f"a {message.DESCRIPTOR.full_name} has no JSON form: {error}") from error
        click.echo(text)
        sys.stdout.flush()


def _indented(form: str | None) -> bool:
    return sys.stdout.isatty() if form is None else form == "json"


def _run(
    channel: grpc.Channel,
    method: MethodDescriptor,
    requests: Sequence[bytes],
    show: _Printer,
    *,
    metadata: Metadata,
    deadline: float | None,
    verbose: bool,
) -> None:
    """Call a method of any kind and show what arrives."""
    kind = GetMessageClass(method.output_type)
    path = f"/{method.containing_service.full_name}/{method.name}"
    opened: Any = (channel.stream_stream if method.client_streaming else channel.unary_stream)(path)
    stream = opened(iter(requests) if method.client_streaming else requests[0], metadata=metadata, timeout=deadline)
    try:
        if verbose:
            _show_metadata("header", stream.initial_metadata())
        for message in stream:
            show(_decoded(kind, message))
        if verbose:
            _show_metadata("trailer", stream.trailing_metadata())
    finally:
        stream.cancel()


def _decoded(kind: type[Message], data: bytes) -> Message:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise BadInput(f"the server sent a message that is no {kind.DESCRIPTOR.full_name}") from error


def _show_metadata(label: str, pairs: Iterable[tuple[str, str | bytes]] | None) -> None:
    for key, value in pairs or ():
        text = value if isinstance(value, str) else base64.b64encode(value).decode()
        click.echo(output.escaped(f"{label} {key}: {text}"), err=True)


def _details(error: Any) -> str:
    """The details of a failed call, a line each."""
    found = dict(error.trailing_metadata() or ()).get(DETAILS, b"")
    try:
        details = Status.FromString(found).details
    except DecodeError:
        return ""
    return "".join(f"\n  {_detail(each)}" for each in details)


def _detail(packed: AnyMessage) -> str:
    """As JSON; of a type that nobody knows, its name and bytes."""
    try:
        return json_format.MessageToJson(packed, indent=None, descriptor_pool=_DETAIL_POOL)
    except (TypeError, ValueError, KeyError, DecodeError):
        return json.dumps({"@type": packed.type_url, "value": base64.b64encode(packed.value).decode()})
