"""How elements are framed in each form (gateway 5.3)."""

from __future__ import annotations

import pytest

from podledger_gateway.forms import FORMS, Framer


@pytest.mark.parametrize(
    ("form", "whole", "failed", "empty", "content_type"),
    [
        ("lines", '{"result":1}\n{"result":2}\n{"end":{"count":2}}\n', '{"result":1}\n{"error":{}}\n', "", "application/json"),
        ("ndjson", '{"result":1}\n{"result":2}\n{"end":{"count":2}}\n', '{"result":1}\n{"error":{}}\n', "", "application/x-ndjson"),
        ("messages", '1\n2\n{"end":{"count":2}}\n', '1\n{"error":{}}\n', "", "application/x-ndjson"),
        (
            "sse",
            'data: {"result":1}\n\ndata: {"result":2}\n\nevent: end\ndata: {"end":{"count":2}}\n\n',
            'data: {"result":1}\n\nevent: error\ndata: {"error":{}}\n\n',
            "",
            "text/event-stream",
        ),
        (
            "json-seq",
            '\x1e{"result":1}\n\x1e{"result":2}\n\x1e{"end":{"count":2}}\n',
            '\x1e{"result":1}\n\x1e{"error":{}}\n',
            "",
            "application/json-seq",
        ),
        ("array", '[{"result":1},{"result":2},{"end":{"count":2}}]', '[{"result":1},{"error":{}}]', "[]", "application/json"),
    ],
)  # fmt: skip
def test_a_form_frames_results_errors_and_the_end(form, whole, failed, empty, content_type):
    framer = Framer(FORMS[form])
    assert whole == framer.result("1") + framer.result("2") + framer.end(2) + framer.finish()
    framer = Framer(FORMS[form])
    assert failed == framer.result("1") + framer.error('{"error":{}}')
    assert (empty, content_type) == (Framer(FORMS[form]).finish(), FORMS[form].content_type)
