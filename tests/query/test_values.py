"""Values of text, uuid, bool, enum, array and map columns, and of derived labels."""

from __future__ import annotations

import pytest

from podledger.query.fields import ENUMS, FIELDS, field
from podledger.query.limits import QueryLimits
from podledger.query.syntax import (
    Always,
    Compare,
    Equals,
    IsNull,
    KeyPresent,
    Like,
    Matches,
    Never,
    Not,
    NotNull,
    OneOf,
    SomeElement,
    SomeEntry,
)
from podledger.query.texts import BadValueError
from podledger.query.values import Reading, value_patterns, value_test
from tests.fakes.strategies import NOW

READING = Reading(QueryLimits(), NOW)
LEVEL = "Service Account Permission Level"
PATH = "deployment.service_account_permission_level"
NO_ENUM = f'could not find corresponding enum at field "{PATH}" with value'
ID = bytes.fromhex("c200000000004000800000000000000b")
TEXT = "c2000000-0000-4000-8000-00000000000b"


def meaning(label: str, raw: str):
    return value_test(field(label), raw, READING)


@pytest.mark.parametrize(
    ("label", "raw", "expected"),
    [
        ("Pod Name", "led", Like("led")),
        ("Pod Name", '"led"', Equals("led")),
        ("Pod Name", "r/Led", Matches("Led")),
        ("Pod Name", "!led", Not(Like("led"))),
        ("Pod Name", '!"led"', Not(Equals("led"))),
        ("Pod Name", "!r/led", Not(Matches("led"))),
        ("Pod Name", "", Like("")),
        ("Pod Name", "*", NotNull()),
        ("Pod Name", "-", IsNull()),
        ("Pod Name", '"*"', Equals("*")),
        ("Pod Name", '"-"', Equals("-")),
        ("Pod Name", "!-", Not(Like("-"))),
        ("Pod Name", "!*", Not(Like("*"))),
        ("Pod Name", "!!", Not(Like("!"))),
        ("Cluster ID", TEXT, Equals(ID)),
        ("Cluster ID", f'"{TEXT.upper()}"', Equals(ID)),
        ("Cluster ID", "{" + TEXT + "}", Equals(ID)),
        ("Cluster ID", f"URN:UUID:{TEXT}", Equals(ID)),
        ("Cluster ID", ID.hex(), Equals(ID)),
        ("Cluster ID", f"!{TEXT}", Not(Equals(ID))),
        ("Cluster ID", f'!"{TEXT}"', Not(Equals(ID))),
        ("Cluster ID", "r/0b$", Matches("0b$")),
        ("Cluster ID", "!r/0b$", Not(Matches("0b$"))),
        *(("Cluster ID", raw, NotNull()) for raw in ("*", '"*"', "!*", "r/*", "!r/*")),
        *(("Cluster ID", raw, IsNull()) for raw in ("-", '"-"', "!-", "r/-", '!"-"')),
        *(("Privileged", raw, Equals(True)) for raw in ("1", "t", "T", "TRUE", "true", "True", "tr", "tRu")),
        *(("Privileged", raw, Equals(False)) for raw in ("0", "f", "F", "FALSE", "false", "False", "fa", "FaLs")),
        ("Privileged", "*", NotNull()),
        ("Privileged", "-", IsNull()),
        (LEVEL, "elev", OneOf(frozenset({3, 4}))),
        (LEVEL, "=elev", OneOf(frozenset({3, 4}))),
        (LEVEL, "== Elev", OneOf(frozenset({3, 4}))),
        (LEVEL, ">elev", Compare(">", 3)),
        (LEVEL, ">=elev", Compare(">=", 3)),
        (LEVEL, "<elev", Compare("<", 4)),
        (LEVEL, "<=elev", Compare("<=", 4)),
        (LEVEL, "", OneOf(frozenset(range(6)))),
        (LEVEL, ">", Compare(">", 0)),
        (LEVEL, "zzz", Never()),
        (LEVEL, ">zzz", Never()),
        (LEVEL, "1", Never()),
        (LEVEL, " none", Never()),
        (LEVEL, '"none"', OneOf(frozenset({1}))),
        (LEVEL, "r/^ELEV", OneOf(frozenset({3, 4}))),
        (LEVEL, "!elev", OneOf(frozenset({0, 1, 2, 5}))),
        (LEVEL, '!"elev"', OneOf(frozenset(range(6)))),
        (LEVEL, "!>=elev", OneOf(frozenset(range(6)))),
        (LEVEL, "!r/^elev", OneOf(frozenset({0, 1, 2, 5}))),
        *((LEVEL, raw, NotNull()) for raw in ("*", '"*"', "!*", "r/*")),
        *((LEVEL, raw, IsNull()) for raw in ("-", '"-"', "!-", "r/-")),
        ("Port Protocol", "l4_protocol_any", OneOf(frozenset({-1}))),
        ("Image Pull Secret", "reg", SomeElement(Like("reg"))),
        ("Image Pull Secret", '!"reg"', SomeElement(Not(Equals("reg")))),
        ("Image Pull Secret", "r/^r", SomeElement(Matches("^r"))),
        ("Image Pull Secret", "", SomeElement(Like(""))),
        ("Image Pull Secret", "*", NotNull()),
        ("Image Pull Secret", "-", IsNull()),
        ("Image Pull Secret", '"*"', SomeElement(Equals("*"))),
        ("Image Pull Secret", '"-"', SomeElement(Equals("-"))),
        ("Pod Label", "*", Always()),
        ("Pod Label", "app", SomeEntry(Like("app"), None)),
        ("Pod Label", "app=web", SomeEntry(Like("app"), Like("web"))),
        ("Pod Label", "app=a=b", SomeEntry(Like("app"), Like("a=b"))),
        ("Pod Label", '"app"="web"', SomeEntry(Equals("app"), Equals("web"))),
        ("Pod Label", '"app=web"', SomeEntry(Like('"app'), Like('web"'))),
        ("Pod Label", "r/^app=r/b$", SomeEntry(Matches("^app"), Matches("b$"))),
        ("Pod Label", "app=!web", SomeEntry(Like("app"), Not(Like("web")))),
        ("Pod Label", "app=*", SomeEntry(Like("app"), Like("*"))),
        ("Pod Label", "app=-", SomeEntry(Like("app"), Like("-"))),
        ("Pod Label", "=web", SomeEntry(None, Like("web"))),
        ("Pod Label", "=!web", SomeEntry(None, Not(Like("web")))),
        ("Pod Label", "=", SomeEntry(None, None)),
        ("Pod Label", "", SomeEntry(None, None)),
        ("Pod Label", "-", SomeEntry(Like("-"), None)),
        ("Pod Label", "app=", KeyPresent("app")),
        ("Pod Label", "*=", KeyPresent("*")),
        ("Pod Label", '"app"=', KeyPresent('"app"')),
        ("Pod Label", "r/k=", KeyPresent("r/k")),
        ("Pod Label", "!app=", KeyPresent("app", absent=True)),
        ("Pod Label", "!!app=", KeyPresent("!app", absent=True)),
        ("Pod Label", '""', SomeEntry(Equals(""), None)),
    ],
)
def test_a_value_means_this(label, raw, expected):
    assert expected == meaning(label, raw)


MAP = "cannot negate key and specify non-empty value"


@pytest.mark.parametrize(
    ("label", "raw", "text"),
    [
        ("Cluster ID", "", "value in search query cannot be empty"),
        ("Cluster ID", '""', "value in search query cannot be empty"),
        ("Cluster ID", '!""', "value in search query cannot be empty"),
        ("Cluster ID", "c2", 'value "c2" in search query must be valid UUID: invalid UUID length: 2'),
        ("Cluster ID", "!\u00e9", 'value "\u00e9" in search query must be valid UUID: invalid UUID length: 2'),
        ("Cluster ID", "x" * 36, f'value "{"x" * 36}" in search query must be valid UUID: invalid UUID format'),
        (
            "Cluster ID",
            f"urn:uuix:{TEXT}",
            f'value "urn:uuix:{TEXT}" in search query must be valid UUID: invalid urn prefix: "urn:uuix:"',
        ),
        ("Privileged", "!true", "modifiers for bool query not allowed: [Negation]"),
        ("Privileged", "", "empty value is neither true nor false"),
        ("Privileged", "yes", 'strconv.ParseBool: parsing "yes": invalid syntax'),
        ("Privileged", "truee", 'strconv.ParseBool: parsing "truee": invalid syntax'),
        ("Privileged", " true", 'strconv.ParseBool: parsing " true": invalid syntax'),
        ("Privileged", "10", 'strconv.ParseBool: parsing "10": invalid syntax'),
        (LEVEL, '"zzz"', f'{NO_ENUM} "zzz" and modifiers [Equality]'),
        (LEVEL, '""', f'{NO_ENUM} "" and modifiers [Equality]'),
        (LEVEL, "r/zzz", f'{NO_ENUM} "zzz" and modifiers [Regex]'),
        (LEVEL, "!r/.*", f'{NO_ENUM} ".*" and modifiers [Negation Regex]'),
        ("Pod Label", "!app", f"unsupported map query !app: {MAP}"),
        ("Pod Label", "!app=web", f"unsupported map query !app=web: {MAP}"),
        ("Pod Label", "!", f"unsupported map query !: {MAP}"),
        ("Pod Label", "!=", f"unsupported map query !=: {MAP}"),
        ("Pod Label", "!=web", f"unsupported map query !=web: {MAP}"),
        ("Pod Label", "!!app", f"unsupported map query !!app: {MAP}"),
        ("Pod Label", "!!app=web", f"unsupported map query !!app=web: {MAP}"),
        ("Pod Label", "!*", f"unsupported map query !*: {MAP}"),
        (
            "Pod Label",
            "app=!!web",
            "couldn't generate query for value from app=!!web: unsupported query modifier: AtLeastOne",
        ),
    ],
)
def test_a_value_is_refused_with_this_text(label, raw, text):
    with pytest.raises(BadValueError) as refused:
        meaning(label, raw)

    assert text == str(refused.value)


@pytest.mark.parametrize(
    ("label", "raw", "begin"),
    [
        ("Pod Name", "r/[", "invalid regexp [: error parsing regexp: "),
        ("Pod Name", "!r/[A", "invalid regexp [A: error parsing regexp: "),
        ("Cluster ID", "r/[", "invalid regexp [: error parsing regexp: "),
        ("Image Pull Secret", "r/(", "invalid regexp (: error parsing regexp: "),
        (LEVEL, "r/[", "invalid regex: error parsing regexp: "),
        ("Pod Label", "r/[=x", "couldn't generate query for key from r/[=x: invalid regexp [: error parsing regexp: "),
        (
            "Pod Label",
            "x=r/[",
            "couldn't generate query for value from x=r/[: invalid regexp [: error parsing regexp: ",
        ),
        ("Pod Name", "r/a{900}", "invalid regexp a{900}: program too large: 904 instructions, limit 400"),
        (LEVEL, "r/a{900}", "invalid regex: program too large: 904 instructions, limit 400"),
        (
            "Pod Label",
            "=r/a{900}",
            "couldn't generate query for value from =r/a{900}: invalid regexp a{900}: program too large: 904 instructions",
        ),
    ],
)
def test_a_regular_expression_is_refused_with_a_text_that_begins(label, raw, begin):
    with pytest.raises(BadValueError) as refused:
        meaning(label, raw)

    assert str(refused.value).startswith(begin)


ONE_PER_KIND = [
    "Pod Name",
    "Pod ID",
    "CVSS",
    "Port",
    "Exposed Node Port",
    "Created",
    "Privileged",
    LEVEL,
    "Image Pull Secret",
]


@pytest.mark.parametrize("raw", ["!!x", "!!!x", "!!*", "!!-", '!!"x"', "!!r/["])
@pytest.mark.parametrize("label", ONE_PER_KIND)
def test_at_least_one_is_refused_before_anything_else(label, raw):
    with pytest.raises(BadValueError, match=r"^unsupported query modifier: AtLeastOne$"):
        meaning(label, raw)


def test_every_kind_but_maps_reads_modifiers():
    """A new kind must be in the list above."""
    assert {field(label).kind for label in ONE_PER_KIND} == {entry.kind for entry in FIELDS.values()} - {"", "map"}


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("Deployment Count", 'derived search field "Deployment Count" cannot be used in a query'),
        ("CVE Created Time Min", 'derived search field "CVE Created Time Min" cannot be used in a query'),
        ("CVSS Max", 'derived search field "CVSS Max" cannot be used in a query'),
        ("Low Severity Count", "unsupported derivation type CustomFieldType"),
        ("Component Risk Priority Score Max", "unsupported derivation type MaxReverseSortDerivationType"),
        ("Deployment Risk Priority", "unsupported derivation type SimpleReverseSortDerivationType"),
    ],
)
@pytest.mark.parametrize("raw", ["1", "*", "-", "!!x", "tea"])
def test_a_derived_label_is_refused_whatever_its_value(label, raw, text):
    with pytest.raises(BadValueError) as refused:
        meaning(label, raw)

    assert text == str(refused.value)


def test_every_derivation_has_a_text():
    for entry in FIELDS.values():
        if entry.reachable and entry.derived:
            with pytest.raises(BadValueError, match=r"derived search field|unsupported derivation type \w+"):
                value_test(entry, "1", READING)


@pytest.mark.parametrize(
    "label", [entry.label for entry in FIELDS.values() if entry.kind == "enum" and entry.condition]
)
def test_every_name_of_every_enum_is_found(label):
    for name, number in ENUMS[field(label).enum].items():
        assert OneOf(frozenset({number})) == meaning(label, f'"{name.lower()}"')


@pytest.mark.parametrize(
    ("label", "raw", "expected"),
    [
        ("Pod Name", "r/a", [("a", "invalid regexp a: ")]),
        ("Pod Name", "!r/a", [("a", "invalid regexp a: ")]),
        ("Pod Name", "a", []),
        ("CVSS", "r/5", [("5", "invalid regexp 5: ")]),
        (LEVEL, "r/e", [("e", "invalid regex: ")]),
        ("Pod Label", "r/a", [("a", "couldn't generate query for key from r/a: invalid regexp a: ")]),
        (
            "Pod Label",
            "r/a=!r/b",
            [
                ("a", "couldn't generate query for key from r/a=!r/b: invalid regexp a: "),
                ("b", "couldn't generate query for value from r/a=!r/b: invalid regexp b: "),
            ],
        ),
        ("Pod Label", "r/k=", []),
        ("Pod Label", "x", []),
    ],
)
def test_regular_expressions_are_found_before_values_are_checked(label, raw, expected):
    assert expected == value_patterns(field(label), raw)
