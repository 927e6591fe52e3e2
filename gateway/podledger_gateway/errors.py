"""gRPC status → HTTP: the code table, and error bodies in the dialect of a profile (gateway 0.1, 4).

Everything here is pure. `ErrorBodies` writes the two shapes: a unary error body, and the error element
of a stream. `Refusal` is an answer that the gateway gives by itself, before any backend is called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2

from podledger_gateway.gostyle import printable
from podledger_gateway.jsonforms import text

ProfileName = Literal["rhacs-4.5", "rhacs-4.6", "grpc-gateway-v2", "rhacs-union"]

CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = 1, 2, 3, 4, 5
PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 7, 8, 12, 13, 14, 16

DEADLINE_TEXT = "context deadline exceeded"
CLIENT_CLOSED_REQUEST = 499
"""The status of nginx for a client that went away; HTTP has no reason phrase for it."""

_STATUS: Mapping[int, int] = {
    0: 200,
    UNKNOWN: 500,
    INVALID_ARGUMENT: 400,
    DEADLINE_EXCEEDED: 504,
    NOT_FOUND: 404,
    6: 409,
    PERMISSION_DENIED: 403,
    RESOURCE_EXHAUSTED: 429,
    9: 400,
    10: 409,
    11: 400,
    UNIMPLEMENTED: 501,
    INTERNAL: 500,
    UNAVAILABLE: 503,
    15: 500,
    UNAUTHENTICATED: 401,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """What differs between the dialects: members of both error shapes, two HTTP statuses, one header."""

    unary: tuple[str, ...]
    stream: tuple[str, ...]
    cancelled: int = CLIENT_CLOSED_REQUEST
    wrong_method: int = 405
    cache_control: str = "no-store"
    pretty_accept: bool = True
    """Whether `?pretty` is told to the backend as an Accept header (gateway 6.1)."""


_V1_UNARY = ("error", "code", "message", "details")
_V2_STREAM = ("code", "message", "details")

PROFILES: Mapping[ProfileName, Profile] = {
    "rhacs-4.5": Profile(_V1_UNARY, ("grpcCode", "httpCode", "message", "httpStatus", "details"), cancelled=408),
    "rhacs-4.6": Profile(("code", "message", "details", "error"), _V2_STREAM, cache_control="no-store, no-cache"),
    "grpc-gateway-v2": Profile(_V2_STREAM, _V2_STREAM, wrong_method=501, pretty_accept=False),
    "rhacs-union": Profile(
        _V1_UNARY, ("code", "grpcCode", "httpCode", "message", "httpStatus", "details"), cancelled=408
    ),
}


class Refusal(Exception):
    """An answer of the gateway itself. `status` None means the HTTP status of the code."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        status: int | None = None,
        details: Sequence[AnyMessage] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.details = details
        self.headers = headers or {}


def reason_phrase(status: int) -> str:
    """The HTTP reason phrase of a status, empty if there is none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class ErrorBodies:
    """Writes errors in the shapes of one profile."""

    profile: Profile
    render_any: Callable[[AnyMessage], str] = field(repr=False)
    """Any → JSON; must not fail on unknown types."""

    def http_status(self, code: int) -> int:
        """The HTTP status of a gRPC code."""
        return self.profile.cancelled if code == CANCELLED else _STATUS.get(code, 500)

    def unary(self, code: int, message: str, details: Sequence[AnyMessage] = ()) -> str:
        """The body of a failed unary call, of a routing error, and of every error before a stream."""
        return self._members(self.profile.unary, code, message, details)

    def element(self, code: int, message: str, details: Sequence[AnyMessage] = ()) -> str:
        """The error element of a stream, without its framing."""
        return f'{{"error":{self._members(self.profile.stream, code, message, details)}}}'

    def _members(self, names: Sequence[str], code: int, message: str, details: Sequence[AnyMessage]) -> str:
        status, message = self.http_status(code), printable(message)
        values = {
            "code": str(code),
            "grpcCode": str(code),
            "httpCode": str(status),
            "httpStatus": text(reason_phrase(status)),
            "message": text(message),
            "error": text(message),
            "details": f"[{','.join(map(self.render_any, details))}]",
        }
        return f"{{{','.join(f'{text(name)}:{values[name]}' for name in names)}}}"


def field_violation(message: str, path: str) -> AnyMessage:
    """The detail of a population error: which parameter is wrong, and why (gateway 1.9)."""
    violation = error_details_pb2.BadRequest.FieldViolation(field=path, description=message)
    packed = AnyMessage()
    packed.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    return packed


def retry_after(details: Sequence[AnyMessage]) -> str:
    """Whole seconds, rounded up, of a RetryInfo among the details; empty if there is none."""
    for packed in details:
        if packed.type_url.rpartition("/")[2] == error_details_pb2.RetryInfo.DESCRIPTOR.full_name:
            try:
                delay = error_details_pb2.RetryInfo.FromString(packed.value).retry_delay
            except DecodeError:
                continue
            return str(max(delay.seconds + (delay.nanos > 0), 0))
    return ""
