"""Path templates: grammar, matching, the four ways to decode (gateway 2.1-2.3)."""

from __future__ import annotations

import pytest

from podledger_gateway.template import BadPath, InvalidTemplate, parse_template, split_path


def values(template: str, path: str, decoding="legacy") -> dict[str, str] | None:
    parsed = parse_template(template)
    found = parsed.match(split_path(path, decoding), decoding)
    return None if found is None else dict(zip((variable.name for variable in parsed.variables), found, strict=True))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("/", "/"),
        ("/v1/{x}", "/v1/{x=*}"),
        ("/v1/{a.b_c=x/*/**}:do", "/v1/{a.b_c=x/*/**}:do"),
        ("/v1/{x}:b:c", "/v1/{x=*}:b:c"),
        ("/v1/a:b:c", "/v1/a:b:c"),
        ("/a:b/c", "/a:b/c"),
        ("/v1/**/tail", "/v1/**/tail"),
        ("/v1/%41~!$&'()+,;=@", "/v1/%41~!$&'()+,;=@"),
    ],
)
def test_a_template_has_one_written_form(text, canonical):
    assert canonical == str(parse_template(text))


@pytest.mark.parametrize(
    "text",
    ["", "v1", "/v1/", "//", "/v1//a", "/v1{name}", "/{a}b", "/{9name}", "/{field-name}", "/{a.}", "/{}", "/{a", "/é",
     "/**/**", "/{a=**}/{b=**}", "/{a={b}}", "/%zz", "/a b", "/{a=}", "/{a=/x}", "/a?b"],
)  # fmt: skip
def test_what_is_no_template_is_refused(text):
    with pytest.raises(InvalidTemplate):
        parse_template(text)


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/v1/pods", "/v1/pods", {}),
        ("/v1/pods", "/v1%2Fpods", {}),
        ("/v1/pods", "/v1/po%64s", {}),
        ("/v1/pods", "/v1/Pods", None),
        ("/v1/pods", "/v1/pods/", None),
        ("/v1/pods", "//v1/pods", None),
        ("/v1/pods", "/v1/./pods", None),
        ("/v1/pods", "/v1/pods:", None),
        ("/v1/{id}", "/v1/", {"id": ""}),
        ("/v1/{id}", "/v1/a%20b+c", {"id": "a b+c"}),
        ("/v1/{id}", "/v1/a%2Fb", None),
        ("/v1/{id}", "/v1/a%252F", {"id": "a%2F"}),
        ("/v1/{id}", "/v1/%ff", {"id": "\udcff"}),
        ("/v1/{name=o/**}", "/v1/o", {"name": "o/"}),
        ("/v1/{name=**}", "/v1", {"name": ""}),
        ("/v1/{name=o/**}", "/v1/o/a/b", {"name": "o/a/b"}),
        ("/v1/{name=**}/tail", "/v1/a/b/tail", {"name": "a/b"}),
        ("/v1/{a=**}/x/{b}", "/v1/p/q/x/r", {"a": "p/q", "b": "r"}),
        ("/{a}/{b}", "/x/y", {"a": "x", "b": "y"}),
        ("/things/{id}:archive", "/things/1:archive", {"id": "1"}),
        ("/things/{id}:archive", "/things/:archive", None),
        ("/things/{id}", "/things/1:archive", {"id": "1:archive"}),
        ("/things:list", "/things:list", {}),
        ("/", "/", {}),
    ],
)
def test_a_path_matches_segment_by_segment(template, path, expected):
    assert expected == values(template, path)


@pytest.mark.parametrize("path", ["", "v1/pods", "*", "/v1/%", "/v1/%zz", "/v1/%4"])
def test_a_bad_path_is_no_path(path):
    with pytest.raises(BadPath, match="Bad Request"):
        split_path(path)


@pytest.mark.parametrize(
    ("decoding", "single", "deep"),
    [
        ("legacy", None, "a/b!c d"),
        ("all-except-reserved", "a/b!c d", "a%2fb%21c d"),
        ("all-except-slash", "a/b!c d", "a%2fb!c d"),
        ("all", None, "a/b!c d"),
    ],
)
def test_the_modes_differ_in_what_stays_encoded(decoding, single, deep):
    found = values("/v1/{x}", "/v1/a%2fb%21c%20d", decoding)
    assert (single, {"x": deep}) == (found and found["x"], values("/v1/{x=**}", "/v1/a%2fb%21c%20d", decoding))


@pytest.mark.parametrize("decoding", ["all-except-reserved", "all-except-slash", "all"])
def test_a_path_is_decoded_once_and_literals_not_at_all(decoding):
    assert values("/v1/{x}", "/v1/%2520", decoding) == {"x": "%20"}
    assert values("/v1/{x=**}", "/v1/%2525", decoding) == {"x": "%25"}
    assert values("/v1/pods", "/v1/po%64s", decoding) is None
