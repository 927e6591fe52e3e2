"""Request ids, and the scope of the local principal."""

from __future__ import annotations

import pytest
from structlog.contextvars import get_contextvars

from podledger.query.scope import UNRESTRICTED, Scope
from podledger.rpc.calls import Call, Method
from podledger.rpc.identifying import Identified, Principal

METHOD = Method("/a.B/C")


async def identified(*metadata):
    call = Call(METHOD.name, b"", metadata=metadata)
    seen = []

    async def handler(call):
        seen.append(get_contextvars())
        return b""

    await Identified().unary(METHOD, handler)(call)
    return call, seen[0]


async def test_a_given_id_is_kept_and_returned():
    """In both kinds of metadata, and on the log lines of the call."""
    call, context = await identified(("x-request-id", "mine-1"))

    assert call.request_id == "mine-1"
    assert ("x-request-id", "mine-1") in call.initial
    assert ("x-request-id", "mine-1") in call.trailing
    assert context == {"request_id": "mine-1", "method": "/a.B/C"}


async def test_the_log_context_ends_with_the_call():
    """The next call in the same task starts clean."""
    await identified(("x-request-id", "mine-1"))

    assert get_contextvars() == {}


@pytest.mark.parametrize("given", ["", " ", "a b", "é", "a\x7f", "x" * 129])
async def test_a_missing_or_unusable_id_is_replaced(given):
    """What could not be sent back, or could forge a log line, is not taken."""
    call, _ = await identified(("x-request-id", given))

    assert call.request_id != given
    assert len(call.request_id) == 32


async def test_two_calls_have_two_ids():
    """Ids are made, not counted per process."""
    first, _ = await identified()
    second, _ = await identified()

    assert first.request_id != second.request_id


async def test_the_principal_has_the_given_scope():
    """Whatever scope the chain was built with."""
    narrow = Scope(clusters={bytes(16): None})
    seen = []

    async def handler(call):
        seen.append(call.scope)
        return b""

    await Principal(narrow).unary(METHOD, handler)(Call("/a.B/C", b""))
    await Principal(UNRESTRICTED).unary(METHOD, handler)(Call("/a.B/C", b""))

    assert seen == [narrow, UNRESTRICTED]


async def test_an_exempt_method_gets_no_scope():
    """Health sees no pods."""
    seen = []

    async def handler(call):
        seen.append(call.scope)
        return b""

    await Principal(UNRESTRICTED).unary(Method("/h.H/Check", exempt=True), handler)(Call("/h.H/Check", b""))

    assert seen == [Scope()]
