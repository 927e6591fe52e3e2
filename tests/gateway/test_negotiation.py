"""Accept and its kin: lists, qualities, wildcards; nothing ever fails (gateway 3.3, 5.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podledger_gateway import negotiation


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "lines"),
        ("*/*", "lines"),
        ("application/json", "lines"),
        ("text/html", "lines"),
        ("text/event-stream", "sse"),
        ("Text/Event-Stream;charset=utf-8", "sse"),
        ("application/json-seq", "json-seq"),
        ("application/x-ndjson", "ndjson"),
        ('application/x-ndjson; wrapped="false"', "messages"),
        ("application/json;stream=array", "array"),
        ("application/json;stream=lines", "lines"),
        ("application/json, text/event-stream;q=0.5", "lines"),
        ("application/json;q=0.1, text/event-stream;q=0.5", "sse"),
        ("text/event-stream;q=0", "lines"),
        ("text/event-stream;q=0.2, */*;q=0.8", "lines"),
        ("text/event-stream, */*", "sse"),
        ("text/event-stream;q=x", "lines"),
    ],
)
def test_the_form_of_a_stream(accept, form):
    assert form == negotiation.stream_form(accept)


@pytest.mark.parametrize(
    ("accept", "pretty"),
    [
        ("application/json+pretty", True),
        ("application/json, application/json+pretty;q=0.5", False),
        ("", False),
        ("*/*", False),
    ],
)
def test_pretty_is_asked_for_by_name(accept, pretty):
    assert pretty == negotiation.wants_pretty(accept)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, gzip;q=0.1", True),
        ("gzip;q=0", False),
        ("*", True),
        ("identity", False),
        ("", False),
        ("x-gzip", True),
        ("*;q=0, gzip", True),
    ],
)
def test_gzip(header, accepted):
    assert accepted == negotiation.accepts_gzip(header)


def test_lists_in_several_headers():
    assert negotiation.accepts_trailers(["gzip", "Trailers;q=0.5"])
    assert not negotiation.accepts_trailers(["trailersx"])
    assert negotiation.prefers_strict(["wait=10, Handling=strict"])
    assert not negotiation.prefers_strict(["handling=lenient", "return=minimal"])


@pytest.mark.parametrize(
    ("header", "asked"), [(None, False), ("0", False), ("FALSE", False), ("", True), ("1", True), ("no", True)]
)
def test_proof_of_the_end(header, asked):
    assert asked == negotiation.asks_for_proof(header)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/x-www-form-urlencoded", True),
        ("APPLICATION/X-WWW-Form-Urlencoded; charset=x", True),
        ("application/json", False),
        ("", False),
    ],
)
def test_a_form_by_its_media_type(content_type, form):
    assert form == negotiation.is_form(content_type)


@pytest.mark.property
@given(st.text(st.sampled_from('aq=;,/*"0.1 \t') | st.characters(), max_size=60))
def test_no_header_fails(text):
    negotiation.stream_form(text)
    negotiation.wants_pretty(text)
    negotiation.accepts_gzip(text)
    negotiation.prefers_strict([text])
