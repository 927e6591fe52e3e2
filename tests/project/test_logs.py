"""Log lines: one form for our events and those of libraries; secrets masked, strangers' data tamed."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from podledger import logs


@pytest.fixture
def lines():
    """Configure logging into a buffer; gives a function that reads the lines written so far."""
    before = structlog.get_config()
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    stream = io.StringIO()

    def configured(level="info", form="json"):
        logs.configure(level, form, stream=stream)
        return lambda: stream.getvalue().splitlines()

    yield configured
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def log():
    return structlog.get_logger("podledger.test")


def test_an_event_is_one_json_object(lines):
    """Time, level and event first, then the values and the context of the call."""
    read = lines()
    with bound_contextvars(request_id="r"):
        log().info("call finished", pods=3, seconds=0.5)
    line = json.loads(read()[0])

    assert list(line)[:3] == ["time", "level", "event"]
    assert line["time"].endswith("Z")
    assert {key: line[key] for key in ("level", "event", "pods", "seconds", "request_id")} == {
        "level": "info", "event": "call finished", "pods": 3, "seconds": 0.5, "request_id": "r",
    }  # fmt: skip


def test_a_library_takes_the_same_form(lines):
    """With the name of its logger."""
    read = lines()
    logging.getLogger("aiohttp.server").error("odd %s", "thing")
    line = json.loads(read()[0])

    assert (line["level"], line["event"], line["logger"]) == ("error", "odd thing", "aiohttp.server")


def test_levels_below_the_chosen_one_are_silent(lines):
    """Ours and those of libraries."""
    read = lines("warning")
    log().info("not seen")
    logging.getLogger("aiohttp").info("not seen")
    log().warning("seen")

    assert [json.loads(line)["event"] for line in read()] == ["seen"]


@pytest.mark.parametrize("key", ["authorization", "Cookie", "token", "password", "dsn"])
def test_secrets_are_masked_by_name(lines, key):
    """Whoever logs them."""
    read = lines()
    log().info("event", **{key: "hunter2"})

    assert json.loads(read()[0])[key] == "***"


def test_credentials_in_addresses_are_masked(lines):
    """A DSN in a text of its own."""
    read = lines()
    log().info("event", text="cannot reach postgresql://user:hunter2@db:5432/x now")

    assert json.loads(read()[0])["text"] == "cannot reach postgresql://***@db:5432/x now"


def test_values_are_cut(lines):
    """At 1 KiB."""
    read = lines()
    log().info("event", value="x" * 5000)

    assert json.loads(read()[0])["value"] == "x" * 1024 + "…"


HOSTILE = ["a\nb", "a\r\nlevel=error", "\x1b[2J", "\u2028", "\u2029", "\x00", "\x9b31m", '"', "\\"]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("form", ["json", "text"])
def test_hostile_values_stay_on_their_line_and_print_as_text(lines, form, value):
    """Neither a new line nor a control character comes through."""
    read = lines(form=form)
    log().info("event", value=value)

    assert len(read()) == 1
    assert read()[0].isprintable()
    assert form == "text" or json.loads(read()[0])["value"] == value


def test_text_is_for_eyes(lines):
    """Time, level, event, key=value."""
    read = lines(form="text")
    log().warning("server stops", signal="SIGTERM", seconds=1.5)

    assert read()[0].split(" ", 1)[1] == "warning server stops signal=SIGTERM seconds=1.5"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_is_there(lines, form):
    """Escaped line by line in text, one value in JSON."""
    read = lines(form=form)
    try:
        int("bad \x1b thing")
    except ValueError as error:
        log().error("call failed in the server", exc_info=error)
    text = "\n".join(read())

    assert "ValueError: invalid literal for int() with base 10: 'bad \\\\x1b thing'" in text
    assert "Traceback" in text


def test_automatic_form_is_json_off_a_terminal(lines):
    """A buffer is no terminal."""
    read = lines(form="auto")
    log().info("event")

    assert json.loads(read()[0])["event"] == "event"
