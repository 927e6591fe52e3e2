"""One binding, ready to work: request parts → message bytes, reply bytes → JSON text.

Everything that depends only on the descriptor is prepared at start. Pure; the order of work is that
of gateway 1.1, with a body (1.1, 3.2) the body first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.api import httpbody_pb2
from google.protobuf.message import EncodeError, Message
from google.protobuf.message_factory import GetMessageClass

from podledger_gateway.body import merge_body
from podledger_gateway.gostyle import text_of
from podledger_gateway.jsonenc import Encoders
from podledger_gateway.query import PopulationError, Populator, split_query
from podledger_gateway.rules import Binding
from podledger_gateway.settings import GatewaySettings
from podledger_gateway.variables import Variables

_HTTP_BODY = httpbody_pb2.HttpBody.DESCRIPTOR.full_name


@dataclass(frozen=True, slots=True)
class Request:
    """The serialized request, and the parameters that no field has."""

    message: bytes
    ignored: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a request message is made of, beside the path."""

    query: str = ""
    """Raw, without the question mark."""
    body: bytes = b""
    form: bool = False
    """Whether the body is a form; its parameters then come before those of the query."""
    content_type: str = ""
    strict: bool = False
    """Whether unknown parameters are errors."""


@dataclass(frozen=True, slots=True)
class RawBody:
    """A response that is no JSON: google.api.HttpBody."""

    data: bytes
    content_type: str


class Endpoint:
    """What one binding does with requests and replies."""

    def __init__(self, binding: Binding, encoders: Encoders, settings: GatewaySettings) -> None:
        self.binding = binding
        self._class = GetMessageClass(binding.request)
        self._variables = Variables(binding)
        self._populator = Populator(
            binding.request,
            binding.bound,
            allowed=("pretty", *settings.tracing_params),
            indexed_messages=settings.indexed_messages,
            enum_any_case=settings.enum_any_case,
        )
        field = binding.response_field
        shown = binding.response if field is None else field.message_type
        self.raw = shown is not None and shown.full_name == _HTTP_BODY and not (field and field.is_repeated)
        self.encode = encoders.message(binding.response) if field is None else encoders.field(field)
        self._reply_class = GetMessageClass(binding.response)

    def request(self, values: Sequence[str], parts: Parts) -> Request:
        """Fill the request message. Raises `PopulationError` and `body.BadJson`.

        Path variables come before the query is looked at, but a form is read before both: so the first
        error is that of the reference.
        """
        message = self._class()
        form = split_query(text_of(parts.body)) if parts.form else ()
        if self.binding.body:
            self._read_body(message, parts.body, parts.content_type)
        self._variables.set(message, values)
        ignored: Sequence[str] = ()
        if self.binding.body != "*":
            pairs = [*form, *split_query(parts.query)]
            ignored = self._populator.populate(message, pairs, strict=parts.strict)
        try:
            return Request(message.SerializeToString(), ignored)
        except EncodeError as problem:
            raise PopulationError(str(problem)) from None

    def _read_body(self, message: Message, body: bytes, content_type: str) -> None:
        field = "" if self.binding.body == "*" else self.binding.body
        target: Any = getattr(message, field) if field else message
        if isinstance(target, Message) and target.DESCRIPTOR.full_name == _HTTP_BODY:
            target.MergeFrom(type(target)(data=body, content_type=content_type))
        else:
            merge_body(body, message, field=field, pool=self.binding.request.file.pool)

    def raw_body(self, reply: bytes) -> RawBody:
        """Content of an HttpBody response; without a content type it is any bytes."""
        message: Any = self._reply_class.FromString(reply)
        if self.binding.response_body:
            message = getattr(message, self.binding.response_body)
        return RawBody(message.data, message.content_type or "application/octet-stream")
