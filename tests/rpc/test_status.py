"""The error table, row by row (pod-service 8)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
import structlog
from google.rpc import code_pb2
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from podledger import errors
from podledger.rpc.calls import Call, Method
from podledger.rpc.status import CODES, CallFailed, ErrorTable, Stalled, translate

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "query.json").read_text())
ERROR_CODES = next(group["cases"] for group in VECTORS["groups"] if group["group"] == "error_codes")
CLASSES = [
    value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.DomainError)
]


@pytest.mark.parametrize("case", ERROR_CODES, ids=lambda case: case["id"])
def test_base_texts_have_the_codes_of_the_vectors(case):
    """The class with this base text; any other exception is internal."""
    kind = next((kind for kind in CLASSES if kind.base == case["input"]), RuntimeError)

    assert translate(kind()).code == case["expect"]["grpc_number"]


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        (errors.AlreadyExists, 6, "already exists"),
        (errors.InvalidRequest, 3, "invalid arguments"),
        (errors.NotFound, 5, "not found"),
        (errors.ReferencedNotFound, 5, "referenced object not found"),
        (errors.ReferencedByAnother, 9, "referenced by another object"),
        (errors.InvariantViolated, 13, "invariant violation"),
        (errors.Unauthenticated, 16, "credentials not found"),
        (errors.NotPermitted, 7, "not authorized"),
        (errors.AuthorizationNotConfigured, 12, "service authorization is misconfigured"),
        (errors.ResourceExhausted, 8, "resource exhausted"),
        (errors.Cancelled, 1, "context canceled"),
        (errors.DeadlineExceeded, 4, "context deadline exceeded"),
        (errors.ServerError, 13, "server error"),
        (errors.NotImplementedYet, 12, "not implemented"),
        (errors.StoreFailed, 13, "Database operation failed"),
        (errors.StoreUnavailable, 14, "service unavailable"),
        (errors.StoreClosed, 14, "service unavailable"),
        (errors.Fenced, 13, "another writer holds this cluster"),
        (errors.SchemaTooNew, 13, "the database was written by a newer release"),
        (errors.BadInput, 13, "unusable input"),
        (errors.DomainError, 13, "internal error"),
        (RuntimeError, 13, "internal error"),
    ],
)
def test_each_class_has_its_code_and_text(kind, code, message):
    """The whole tree."""
    failed = translate(kind())

    assert (failed.code, failed.message) == (code, message)


def test_no_class_is_forgotten():
    """The table ends with the root, so every error of ours has a row."""
    assert CODES[-1][0] is errors.DomainError
    assert all(any(issubclass(kind, row) for row, _ in CODES) for kind in CLASSES)


def test_an_invalid_request_names_its_field():
    """One violation, described by the text itself."""
    failed = translate(errors.InvalidRequest('value "abc" is odd', field="Pod ID"))
    detail = BadRequest()
    failed.details[0].Unpack(detail)

    assert len(failed.details) == 1
    assert [(v.field, v.description) for v in detail.field_violations] == [("Pod ID", 'value "abc" is odd')]


@pytest.mark.parametrize(
    ("error", "seconds"), [(errors.StoreUnavailable(retry_after_seconds=4), 4), (errors.ResourceExhausted(), 1)]
)
def test_a_refusal_says_when_to_come_back(error, seconds):
    """With jitter, so that clients do not come back together."""
    delays = set()
    for _ in range(20):
        info = RetryInfo()
        translate(error).details[0].Unpack(info)
        delays.add(info.retry_delay.ToMilliseconds())

    assert all(seconds * 500 <= delay <= seconds * 1500 for delay in delays)
    assert len(delays) > 1


def test_other_codes_have_no_details():
    """Only invalid requests and refusals."""
    assert translate(errors.NotFound()).details == ()
    assert translate(errors.DeadlineExceeded()).details == ()


def chained(outer, inner):
    """`raise outer from inner`."""
    outer.__cause__ = inner
    return outer


def test_the_message_is_the_chain_of_texts_and_the_first_row_gives_the_code():
    """Outermost first, joined by a colon."""
    failed = translate(chained(errors.ServerError("reading"), errors.NotFound("pod x")))

    assert (failed.code, failed.message) == (5, "reading: pod x")


def test_driver_text_in_the_chain_stays_inside():
    """Causes that are not ours never reach the caller, nor does what the store says."""
    failed = translate(chained(errors.StoreFailed("select * from pods"), OSError("disk /secret")))

    assert failed.message == "Database operation failed"


def test_an_unexpected_error_hides_a_domain_error_below_it():
    """A bug while handling an error is a bug."""
    failed = translate(chained(KeyError("bug"), errors.NotFound("pod x")))

    assert (failed.code, failed.message) == (13, "internal error")


def test_a_status_raised_inside_wins():
    """It passes as it is."""
    status = CallFailed(code_pb2.ABORTED, "as given")

    assert translate(status) is status


def test_a_stall_is_resource_exhausted():
    """With the limit in words and a hint."""
    stalled = Stalled(30.0)

    assert (stalled.code, stalled.message) == (8, "no message was read for 30 seconds")
    assert len(stalled.details) == 1


async def test_an_unexpected_error_is_logged_once_with_its_traceback():
    """And with method and request id."""

    async def handler(_):
        raise RuntimeError("secret")

    run = ErrorTable().unary(Method("/a.B/C", unary=handler), handler)
    with structlog.testing.capture_logs() as lines, pytest.raises(CallFailed):
        await run(Call("/a.B/C", b"", request_id="r"))

    assert [(line["event"], line["method"], line["request_id"], str(line["exc_info"])) for line in lines] == [
        ("call failed in the server", "/a.B/C", "r", "secret")
    ]


async def test_a_bad_request_is_not_logged():
    """The caller's mistakes are the caller's business."""

    async def handler(_):
        raise errors.InvalidRequest("bad", field="query")

    run = ErrorTable().unary(Method("/a.B/C", unary=handler), handler)
    with structlog.testing.capture_logs() as lines, pytest.raises(CallFailed):
        await run(Call("/a.B/C", b""))

    assert lines == []


async def test_a_real_cancellation_passes():
    """The door asked for it: nobody waits for a status."""
    began = asyncio.Event()

    async def handler(_):
        began.set()
        await asyncio.sleep(30)

    task = asyncio.create_task(ErrorTable().unary(Method("/a.B/C", unary=handler), handler)(Call("/a.B/C", b"")))
    await began.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
