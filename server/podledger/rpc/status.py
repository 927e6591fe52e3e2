"""The error table: from any exception to a gRPC code, a message and details (pod-service 8).

As a stage it stands around the inner stages and the handler, so whatever they raise leaves it as
`CallFailed`. Unexpected exceptions become `internal error`; they are logged here, once, with their
traceback, and nothing of their text reaches the caller.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator, Sequence

import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from podledger import errors
from podledger.rpc.calls import Call, Method, Streaming, Unary, running

log = structlog.get_logger("podledger.rpc")

RETRY_AFTER_SECONDS = 1.0
"""Hint for a refusal that names no time of its own."""

CODES: tuple[tuple[type[errors.DomainError], int], ...] = (
    (errors.AlreadyExists, code_pb2.ALREADY_EXISTS),
    (errors.InvalidRequest, code_pb2.INVALID_ARGUMENT),
    (errors.NotFound, code_pb2.NOT_FOUND),
    (errors.ReferencedByAnother, code_pb2.FAILED_PRECONDITION),
    (errors.InvariantViolated, code_pb2.INTERNAL),
    (errors.Unauthenticated, code_pb2.UNAUTHENTICATED),
    (errors.NotPermitted, code_pb2.PERMISSION_DENIED),
    (errors.AuthorizationNotConfigured, code_pb2.UNIMPLEMENTED),
    (errors.ResourceExhausted, code_pb2.RESOURCE_EXHAUSTED),
    (errors.StoreUnavailable, code_pb2.UNAVAILABLE),
    (errors.Cancelled, code_pb2.CANCELLED),
    (errors.DeadlineExceeded, code_pb2.DEADLINE_EXCEEDED),
    (errors.ServerError, code_pb2.INTERNAL),
    (errors.NotImplementedYet, code_pb2.UNIMPLEMENTED),
    (errors.DomainError, code_pb2.INTERNAL),
)
"""The first class that an error, or a cause it is chained to, belongs to gives the code."""


class CallFailed(Exception):
    """The call ends with this status. `code` is the gRPC number, `details` go into google.rpc.Status."""

    def __init__(self, code: int, message: str, details: tuple[AnyMessage, ...] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.details = details


class Stalled(CallFailed):
    """The client took no message for too long. A door throws this into the batch iterator, which frees
    what the handler holds before the door tries to tell the client.
    """

    def __init__(self, seconds: float) -> None:
        message = f"no message was read for {seconds:g} seconds"
        super().__init__(code_pb2.RESOURCE_EXHAUSTED, message, (_retry(RETRY_AFTER_SECONDS),))


class Stopping(CallFailed):
    """The server ends, and with it this stream. Go on at another server, or at this one when it is back."""

    def __init__(self) -> None:
        super().__init__(code_pb2.UNAVAILABLE, "the server is stopping", (_retry(RETRY_AFTER_SECONDS),))


def translate(error: BaseException) -> CallFailed:
    """The status for an exception. A status raised inside wins over everything else."""
    if isinstance(error, CallFailed):
        return error
    if isinstance(error, errors.StoreFailed | errors.StoreUnavailable):
        # What the store says goes to the log only; the caller reads the two fixed texts of 8.3.
        fixed = errors.StoreFailed.base if isinstance(error, errors.StoreFailed) else errors.StoreUnavailable.base
        return CallFailed(_code([error]), fixed, _details(error, fixed))
    chain = list(_domain_errors(error))
    if not chain or chain[0] is not error:
        return CallFailed(code_pb2.INTERNAL, errors.DomainError.base)
    message = ": ".join(link.message for link in chain)
    return CallFailed(_code(chain), message, tuple(detail for link in chain for detail in _details(link, message))[:1])


def _domain_errors(error: BaseException | None) -> Iterator[errors.DomainError]:
    """The domain errors of a chain of causes, outermost first."""
    while error is not None:
        if isinstance(error, errors.DomainError):
            yield error
        error = error.__cause__


def _code(chain: Sequence[errors.DomainError]) -> int:
    return next(code for kind, code in CODES if any(isinstance(link, kind) for link in chain))


def _details(error: errors.DomainError, message: str) -> tuple[AnyMessage, ...]:
    match error:
        case errors.InvalidRequest():
            violation = BadRequest.FieldViolation(field=error.field, description=message)
            return (_packed(BadRequest(field_violations=[violation])),)
        case errors.StoreUnavailable():
            return (_retry(error.retry_after_seconds),)
        case errors.ResourceExhausted():
            return (_retry(RETRY_AFTER_SECONDS),)
    return ()


def _retry(seconds: float) -> AnyMessage:
    """A hint with jitter, so that refused clients do not come back together."""
    info = RetryInfo()
    info.retry_delay.FromMilliseconds(int(seconds * random.uniform(500, 1500)))  # noqa: S311 - spreads load, guards nothing
    return _packed(info)


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def cancelled_by_door() -> bool:
    """Whether the running task was asked to stop, as opposed to a stray `CancelledError` of our own.

    A stray one that reached a door would leave the client waiting for ever (operations 4.2).
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class ErrorTable:
    """The stage."""

    def unary(self, method: Method, handler: Unary) -> Unary:
        """Give the reply, or raise `CallFailed`."""

        async def run(call: Call) -> bytes:
            try:
                return await handler(call)
            except asyncio.CancelledError as stray:
                if cancelled_by_door():
                    raise
                raise _failure(method, call, stray) from stray
            except CallFailed:
                raise
            except Exception as error:
                raise _failure(method, call, error) from error

        return run

    def streaming(self, method: Method, handler: Streaming) -> Streaming:
        """Give the batches, and raise `CallFailed` where they end otherwise than well."""

        async def run(call: Call) -> AsyncGenerator[Sequence[bytes], None]:
            try:
                async with running(handler, call) as batches:
                    async for batch in batches:
                        yield batch
            except asyncio.CancelledError as stray:
                if cancelled_by_door():
                    raise
                raise _failure(method, call, stray) from stray
            except CallFailed:
                raise
            except Exception as error:
                raise _failure(method, call, error) from error

        return run


def _failure(method: Method, call: Call, error: BaseException) -> CallFailed:
    failure = translate(error)
    if failure.code in {code_pb2.INTERNAL, code_pb2.UNAVAILABLE}:
        log.error("call failed in the server", method=method.name, request_id=call.request_id, exc_info=error)
    return failure
