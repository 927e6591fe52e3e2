"""Go's `%q`, which error texts use."""

from __future__ import annotations

import pytest

from podledger.pods.quoting import quote


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("plain text", '"plain text"'),
        ('say "hi"\\', '"say \\"hi\\"\\\\"'),
        ("\a\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'),
        ("\x00\x1f\x7f", '"\\x00\\x1f\\x7f"'),
        ("\x85\xa0\u00ad\u2028", '"\\u0085\\u00a0\\u00ad\\u2028"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("größe 日本 😀 \ufffd", '"größe 日本 😀 \ufffd"'),
        (b"\xe6\x97\xa5", '"日"'),
        (b"urn:\xe6\x97", '"urn:\\xe6\\x97"'),
    ],
)
def test_a_text_is_quoted_as_go_does(text, quoted):
    """Named escapes, then the shortest numeric one; printable Unicode stays; broken bytes show as bytes."""
    assert quoted == quote(text)
