"""Order of checks, caps, dropped parts, strict mode."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podledger.errors import InvalidRequest
from podledger.query import parsing
from podledger.query.fields import field
from podledger.query.limits import QueryLimits
from podledger.query.syntax import EVERYTHING, Condition, IsNull, Like, Query
from tests.fakes import strategies
from tests.fakes.strategies import NOW, any_text

LIMITS = QueryLimits()


def refused(text: str, *, limits: QueryLimits = LIMITS, strict: bool = False) -> tuple[str, str]:
    """Text and field of the error."""
    with pytest.raises(InvalidRequest) as error:
        parsing.parse(text, limits=limits, strict=strict, now=NOW)
    return error.value.message, error.value.field


def conditions(text: str) -> list[tuple[str, tuple[str, ...]]]:
    query = parsing.parse(text, now=NOW)
    return [(condition.spelling, condition.values) for condition in query.conditions]


# ---------------------------------------------------------------------------------------------- tree


def test_the_caps_have_their_defaults():
    assert (
        LIMITS.max_bytes,
        LIMITS.max_parts,
        LIMITS.max_values,
        LIMITS.max_regexes,
        LIMITS.max_regex_bytes,
        LIMITS.max_regex_program,
    ) == (8192, 32, 256, 8, 256, 400)


def test_an_empty_text_is_every_pod():
    assert EVERYTHING == parsing.parse("", now=NOW) == parsing.parse(" \u00a0\n", now=NOW)


def test_a_condition_holds_field_spelling_tests_and_raw_values():
    query = parsing.parse("pod name: x,-", now=NOW)

    assert query.conditions == (Condition(field("Pod Name"), "pod name", (Like("x"), IsNull()), ("x", "-")),)
    assert query.conditions[0].nullable


def test_conditions_come_in_bytewise_order_of_their_spelling():
    assert conditions("pod name:a+Pod Name:b+Cluster:c") == [
        ("Cluster", ("c",)),
        ("Pod Name", ("b",)),
        ("pod name", ("a",)),
    ]


def test_the_same_spelling_replaces_and_another_one_adds():
    assert conditions("Pod Name:a+pod name:b+Pod Name:c") == [("Pod Name", ("c",)), ("pod name", ("b",))]


def test_a_part_without_value_replaces_nothing():
    assert conditions("Pod Name:a+Pod Name:") == [("Pod Name", ("a",))]


def test_white_space_is_trimmed_around_keys_and_value_texts_only():
    assert conditions("\u3000Pod Name\t:\u00a0a , b\n") == [("Pod Name", ("a ", " b"))]
    assert conditions("Pod Name:\u200bx\x1c") == [("Pod Name", ("\u200bx\x1c",))]


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        ("Policy:x", True),
        ("_id:x", True),
        ("Test Bool:x", True),
        ("Policy:x+Nmespace:y+foo", True),
        ("Policy:x+policy:y", True),
        ("Policy:x+Pod Name:y", False),
        ("Nmespace:y", False),
        ("", False),
    ],
)
def test_unreachable_labels_alone_find_nothing(text, nothing):
    query = parsing.parse(text, now=NOW)

    assert nothing is query.nothing
    assert not (nothing and query.conditions)


def test_values_of_unreachable_labels_are_not_interpreted():
    assert parsing.parse("Policy:!!x,r/[+Risk Score:tea", now=NOW).nothing


def test_a_derived_label_is_reachable_and_refused():
    assert refused("Policy:x+deployment count:2") == (
        'derived search field "Deployment Count" cannot be used in a query',
        "Deployment Count",
    )


# --------------------------------------------------------------------------------------- dropped parts


def test_dropped_parts_are_reported_in_input_order():
    text = "foo:1 + +Pod Name:a+ Namespace:+Policy:x+Pod Name:b+Policy:y+:+no colon"
    parts = parsing.read(text)

    assert parts.ignored == ("foo:1 +", "Pod Name:a", "Namespace:", "Policy:x", "Policy:y", ":+no colon")
    assert parts.ignored == parsing.interpret(parts, now=NOW).ignored


def test_a_part_is_never_empty_and_reported():
    assert parsing.read("+").ignored == ("+",)
    assert parsing.read("   +a:b").ignored == ("a:b",)
    assert parsing.read("").ignored == ()


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("Nmespace:x", 'unknown search field "Nmespace", did you mean "Namespace"?', "Nmespace"),
        ('we"ird x', 'query part "we\\"ird x" is not of the form field:value', "query"),
        ('we"ird:x', 'unknown search field "we\\"ird"', 'we"ird'),
        ("zzzzzz:x", 'unknown search field "zzzzzz"', "zzzzzz"),
        ("POLICY:x", 'search field "Policy" is not available for pods', "Policy"),
        ("Policy:x+Pod Name:y", 'search field "Policy" is not available for pods', "Policy"),
        (" foo ", 'query part "foo" is not of the form field:value', "query"),
        ("namespace : ", 'query part "namespace :" has no value', "Namespace"),
        ("zzzzzz:", 'query part "zzzzzz:" has no value', "zzzzzz"),
        (":", 'query part ":" has no value', "query"),
        (":x", 'unknown search field ""', "query"),
        ("pod name:a+pod name:b", 'search field "Pod Name" is given more than once', "Pod Name"),
        ("Pod Name:a+zzzzzz:b+Pod Name:c", 'search field "Pod Name" is given more than once', "Pod Name"),
        ("zzzzzz:b+Pod Name:a+Pod Name:c", 'unknown search field "zzzzzz"', "zzzzzz"),
    ],
)
def test_strict_mode_refuses_the_first_dropped_part(text, message, at):
    assert (message, at) == refused(text, strict=True)


def test_strict_mode_takes_empty_parts_and_two_spellings():
    assert parsing.parse("  ++Pod Name:a+pod name:b", strict=False, now=NOW).ignored == ("+",)
    assert parsing.parse("Pod Name:a+pod name:b", strict=True, now=NOW).ignored == ()
    assert parsing.parse(" ", strict=True, now=NOW) == EVERYTHING


# ----------------------------------------------------------------------------------------------- caps


def test_the_text_is_measured_in_bytes():
    assert parsing.read("\u00e9" * 4096)
    assert refused("\u00e9" * 4097) == ("query text too long: 8194 bytes, limit 8192", "query")


def test_a_nul_is_refused_after_the_size():
    assert refused("Pod Name:\0") == ("query text contains a NUL character", "query")
    assert refused("\0" * 8193)[0].startswith("query text too long")


def test_parts_are_counted_with_empty_and_dropped_ones():
    """A plus separates only before a colon, so the empty parts are those between two pluses."""
    assert parsing.read("a+" + "+".join(f"foo:{n}" for n in range(31)))
    text = "+".join(f"foo:{n}" for n in range(33))

    assert refused(text) == ("too many query parts: 33, limit 32", "query")
    assert refused(text, strict=True)[0].startswith("too many query parts")


def test_values_are_counted_over_labels_that_are_known():
    half = ",".join("x" * 128)

    assert parsing.read(f"Pod Name:{half}+Policy:{half}")
    assert parsing.read(f"Pod Name:{half},x+Policy:{half}+Policy:x+Nmespace:{half}")
    assert refused(f"Pod Name:{half},x+Policy:{half}") == ("too many query values: 257, limit 256", "query")
    assert refused(f"Deployment Count:{half},x+Policy:{half}") == ("too many query values: 257, limit 256", "query")


def test_regular_expressions_are_counted_over_reachable_labels():
    eight = ",".join(f"r/{n}" for n in range(8))

    assert parsing.read(f"Pod Name:{eight}+Policy:{eight}")
    assert parsing.read(f"Pod Name:{eight}+Pod Label:r/k=")
    assert refused(f"Pod Name:{eight}+Namespace:!r/x") == ("too many regular expressions: 9, limit 8", "query")
    assert refused(f"Pod Name:{eight}+Pod Label:r/a=r/b") == ("too many regular expressions: 10, limit 8", "query")


def test_a_regular_expression_is_measured_before_any_value_is_checked():
    long = "r/" + "a" * 257
    text = f"invalid regexp {'a' * 257}: pattern too long: 257 bytes, limit 256"

    assert (text, "Pod Name") == refused(f"Cluster ID:c2+pod name:{long}")
    assert refused(f"Container Type:{long}") == (
        "invalid regex: pattern too long: 257 bytes, limit 256",
        "Container Type",
    )
    assert (f"couldn't generate query for value from x={long}: {text}", "Pod Label") == refused(f"Pod Label:x={long}")


def test_caps_in_force_are_printed():
    few = replace(
        LIMITS, max_bytes=20, max_parts=1, max_values=1, max_regexes=0, max_regex_bytes=1, max_regex_program=3
    )

    assert refused("x" * 21, limits=few)[0] == "query text too long: 21 bytes, limit 20"
    assert refused("a:b+c:d", limits=few)[0] == "too many query parts: 2, limit 1"
    assert refused("Pod Name:a,b", limits=few)[0] == "too many query values: 2, limit 1"
    assert refused("Pod Name:r/a", limits=few)[0] == "too many regular expressions: 1, limit 0"
    few = replace(few, max_regexes=1)
    assert refused("Pod Name:r/ab", limits=few)[0].endswith("pattern too long: 2 bytes, limit 1")
    assert refused("Pod Name:r/a", limits=few)[0].endswith("instructions, limit 3")


# ---------------------------------------------------------------------------------------------- order


def test_the_first_bad_value_in_order_of_spelling_is_the_error():
    assert refused("Privileged:yes+CVSS:tea,coffee")[0] == 'cannot parse "tea" as a number'
    assert refused("Pod Name:!!a+pod name:r/[")[0] == "unsupported query modifier: AtLeastOne"


def test_an_error_names_the_label_in_its_registered_spelling():
    assert refused("cluster id:c2")[1] == ("Cluster ID")


# ---------------------------------------------------------------------------------------- any text


def attempt(text: str, *, strict: bool) -> tuple[parsing.Parts, Query] | InvalidRequest:
    try:
        parts = parsing.read(text, strict=strict)
        return parts, parsing.interpret(parts, now=NOW)
    except InvalidRequest as error:
        return error


@settings(max_examples=500)
@given(st.one_of(any_text, strategies.query_texts(), st.text(alphabet=':+,"!rab/ =', max_size=30)), st.booleans())
def test_any_text_gives_a_query_or_an_invalid_request(text, strict):
    """And what is not refused is told apart completely: each part is a condition, reported, or empty."""
    found = attempt(text, strict=strict)
    if isinstance(found, InvalidRequest):
        assert "" not in (found.message, found.field)
        return

    parts, query = found
    empty = sum(part.dropped == "empty" for part in parts.parts)
    assert len(parts.parts) == len(parts.conditions) + len(parts.ignored) + empty
    assert len(query.conditions) == len(parts.conditions)
    assert not (strict and query.ignored)


@given(strategies.query_texts(), st.randoms())
def test_the_order_of_parts_has_no_influence(text, random):
    """As long as no spelling is given twice."""
    found = parsing.read(text)
    parts = [part.text for part in found.parts]
    if len({part.key for part in found.parts}) < len(parts) or not all(parts):
        return
    random.shuffle(parts)
    other = parsing.read("+".join(parts))

    assert set(found.conditions) == set(other.conditions) or [part.text for part in other.parts] != parts
