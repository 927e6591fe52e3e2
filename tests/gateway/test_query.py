"""Query strings and forms → request messages: splitting, keys, assignment, unknown parameters (gateway 1)."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from podledger_gateway.query import PopulationError, Populator, ignored_header, is_bound, split_query
from tests.fakes.gateway_types import create, descriptor

EVERYTHING, RAW_QUERY = "gwtest.v1.Everything", "v1.RawQuery"


def filled(query: str, name: str = EVERYTHING, *, strict: bool = False, **options: Any) -> tuple[dict, list[str]]:
    """The message as JSON, and the keys that no field has."""
    message = create(name)
    unknown = Populator(descriptor(name), **options).populate(message, split_query(query), strict=strict)
    return json_format.MessageToDict(message), unknown


def refused(query: str, name: str = EVERYTHING, **options: Any) -> tuple[str, str]:
    """Message and field of the error."""
    with pytest.raises(PopulationError) as error:
        filled(query, name, **options)
    return error.value.message, error.value.field


# ------------------------------------------------------------------------------------------- splitting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("&&a&", [("a", "")]),
        ("a=b=c", [("a", "b=c")]),
        ("a+b=c+d", [("a b", "c d")]),
        ("a%3Db=%26", [("a=b", "&")]),
        ("=x", [("", "x")]),
        ("a=%C3%A9", [("a", "é")]),
        ("a=%ff", [("a", "\udcff")]),
    ],
)
def test_a_query_is_split_before_it_is_decoded(text, expected):
    assert expected == split_query(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b", "invalid semicolon separator in query"),
        ("a=%zz&b;c", "invalid semicolon separator in query"),
        ("a=%zz", 'invalid URL escape "%zz"'),
        ("a=1&b=%a", 'invalid URL escape "%a"'),
        ("a=%", 'invalid URL escape "%"'),
        ("a=%+1", 'invalid URL escape "%+1"'),
        ("a=x%y1z", 'invalid URL escape "%y1"'),
        ("a%1=%zz", 'invalid URL escape "%1"'),
        ("a=1&b=%q&c=%z", 'invalid URL escape "%q"'),
        ('a=%"a', 'invalid URL escape "%\\"a"'),
    ],
)
def test_a_malformed_query_concerns_no_field(text, message):
    assert refused(text) == (message, "")


def test_ten_thousand_parameters_are_read_and_one_more_is_refused():
    assert len(split_query("&".join(["a=1"] * 10_000))) == 10_000
    with pytest.raises(PopulationError, match="number of URL query parameters exceeded limit"):
        split_query("&".join(["a=1"] * 10_001))


# ------------------------------------------------------------------------------------------------ keys


@pytest.mark.parametrize(
    "key", ["pagination.sortOption.aggregateBy.aggrFunc", "pagination.sort_option.aggregateBy.aggrFunc"]
)
def test_both_spellings_of_a_name_can_be_mixed(key):
    expected = {"pagination": {"sortOption": {"aggregateBy": {"aggrFunc": "COUNT"}}}}
    assert (expected, []) == filled(f"{key}=COUNT", RAW_QUERY)


def test_a_json_name_replaces_the_derived_one():
    assert filled("customName=a&renamedField=b") == ({"customName": "a"}, ["renamedField"])
    assert filled("renamed_field=a") == ({"customName": "a"}, [])


def test_an_unknown_parameter_leaves_its_parents_present():
    assert filled("pagination.foo=1&bar=2", RAW_QUERY) == ({"pagination": {}}, ["pagination.foo", "bar"])


def test_a_name_is_matched_in_exact_case():
    assert filled("StringValue=a&STRING_VALUE=b") == ({}, ["StringValue", "STRING_VALUE"])


def test_a_oneof_is_no_field():
    assert filled("oneof_value=a") == ({}, ["oneof_value"])


@pytest.mark.parametrize(
    ("query", "segment"),
    [
        ("int32_value.x=1", "int32_value"),
        ("repeatedValue.x=1", "repeatedValue"),
        ("children.string_value=1", "children"),
        ("map_value.x=1", "map_value"),
        ("nested.int32Value.x=1", "int32Value"),
    ],
)
def test_only_singular_messages_have_fields(query, segment):
    assert refused(query)[0] == f'invalid path: "{segment}" is not a message'


def test_brackets_are_the_key_of_a_map():
    assert filled("map_value[a.b]=1&mapValue[c]=2")[0] == {"mapValue": {"a.b": "1", "c": "2"}}


def test_brackets_prepend_a_value_and_empty_ones_do_nothing_to_a_list():
    assert filled("repeated_value[x]=a")[0] == {"repeatedValue": ["x", "a"]}
    assert filled("repeated_value[]=a&repeated_value[]=b")[0] == {"repeatedValue": ["a", "b"]}
    assert refused("string_value[x]=a") == ('too many values for field "string_value": x, a', "string_value[x]")


# ------------------------------------------------------------------------------------------- assignment


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("string_value=a&string_value=b", 'too many values for field "string_value": a, b'),
        ("string_value=a&stringValue=b", 'too many values for field "string_value": a, b'),
        ("nested.int32_value=1&nested.int32_value=2", 'too many values for field "int32_value": 1, 2'),
        ("int32Value=ten", 'parsing field "int32_value": strconv.ParseInt: parsing "ten": invalid syntax'),
        ("repeatedInt32=1&repeatedInt32=x", 'parsing list "repeated_int32": strconv.ParseInt: parsing "x": invalid syntax'),
        ("map_value=v", 'more than one value provided for key "v" in map "gwtest.v1.Everything.map_value"'),
        ("map_value[k]=1&map_value[k]=2", 'more than one value provided for key "k" in map "gwtest.v1.Everything.map_value"'),
        ("map_value[k]=1&mapValue[k]=2", 'more than one value provided for key "k" in map "gwtest.v1.Everything.map_value"'),
        ("map_value3[x]=1", 'parsing map key "map_value3": strconv.ParseInt: parsing "x": invalid syntax'),
        ("map_value2[x]=y", 'parsing map value "map_value2": strconv.ParseInt: parsing "y": invalid syntax'),
        ("map_message[x]=y", 'parsing map value "map_message": unsupported message type: "gwtest.v1.Everything"'),
        ("oneof_bool_value=true&oneof_string_value=a", 'field already set for oneof "oneof_value"'),
        ("oneofStringValue=a&oneof_string_value=a", 'field already set for oneof "oneof_value"'),
        ("nested_oneof_int32_value=1&nested_oneof_value_one.int32_value=1", 'field already set for oneof "nested_oneof_value"'),
        ("nested=x", 'parsing field "nested": unsupported message type: "gwtest.v1.Everything"'),
        ("any_value=x", 'parsing field "any_value": unsupported message type: "google.protobuf.Any"'),
        ("empty_value=", 'parsing field "empty_value": unsupported message type: "google.protobuf.Empty"'),
        ("list_value=[]", 'parsing field "list_value": unsupported message type: "google.protobuf.ListValue"'),
        ("children=x", 'parsing list "children": unsupported message type: "gwtest.v1.Everything"'),
        ("string_value=%ff", 'parsing field "string_value": string field contains invalid UTF-8'),
        ("repeated_value=%ff", 'parsing list "repeated_value": string field contains invalid UTF-8'),
        ("map_value[%ff]=1", 'parsing map key "map_value": string field contains invalid UTF-8'),
        ("wrapper_string_value=%ff", 'parsing field "wrapper_string_value": string field contains invalid UTF-8'),
        ("bool_value=%ff", 'parsing field "bool_value": strconv.ParseBool: parsing "\\xff": invalid syntax'),
        ("enum_value=y", 'parsing field "enum_value": "y" is not a valid value'),
        ("enum_value=3", 'parsing field "enum_value": "3" is not a valid value'),
    ],
)  # fmt: skip
def test_what_cannot_be_assigned_is_told_as_the_reference_does(query, message):
    assert refused(query)[0] == message


def test_a_key_is_named_in_full_as_it_was_typed():
    assert refused("pagination.sortOption.aggregateBy.aggrFunc=AVG", RAW_QUERY) == (
        'parsing field "aggrFunc": "AVG" is not a valid value',
        "pagination.sortOption.aggregateBy.aggrFunc",
    )


def test_a_message_member_of_a_oneof_may_be_entered_twice():
    query = "nested_oneof_value_one.int32_value=1&nested_oneof_value_one.string_value=a"
    assert filled(query)[0] == {"nestedOneofValueOne": {"int32Value": 1, "stringValue": "a"}}


@pytest.mark.parametrize("query", ["optional_string=", "optional_value="])
def test_an_optional_field_is_present_with_an_empty_value(query):
    message = create(EVERYTHING)
    Populator(descriptor(EVERYTHING)).populate(message, split_query(query))
    assert message.HasField("optional_value") == query.startswith("optional_value")


def test_a_list_keeps_the_order_of_appearance_over_both_spellings():
    assert filled("repeated_value=a&repeatedValue=b&repeated_value=c")[0] == {"repeatedValue": ["a", "c", "b"]}


def test_a_field_mask_drops_empty_paths():
    assert filled("fieldmask_value=a,,b_c")[0] == {"fieldmaskValue": "a,bC"}
    assert filled("fieldmask_value=")[0] == {"fieldmaskValue": ""}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("timestamp_value.seconds=5", {"timestampValue": "1970-01-01T00:00:05Z"}),
        ("wrapper_int32_value=0", {"wrapperInt32Value": 0}),
        ("wrapper_int32_value.value=7", {"wrapperInt32Value": 7}),
        ("wrapper_string_value=", {"wrapperStringValue": ""}),
        ("struct_value_value=[1,null]", {"structValueValue": [1.0, None]}),
        ("struct_value=%7B%22a%22:true%7D", {"structValue": {"a": True}}),
        ("map_value16[a]=5", {"mapValue16": {"a": "5"}}),
        ("map_enum[a]=ZED", {"mapEnum": {"a": "Z"}}),
        ("bytes_value=_-8%3D", {"bytesValue": "/+8="}),
        ("repeated_timestamp=1970-01-01T00:00:01Z", {"repeatedTimestamp": ["1970-01-01T00:00:01Z"]}),
    ],
)
def test_messages_with_a_scalar_form_are_parameters(query, expected):
    assert expected == filled(query)[0]


def test_a_key_that_descends_too_deep_is_an_error_of_its_own():
    assert "is nested too deeply" in refused(".".join(["nested"] * 120) + ".int32_value=1")[0]


# ---------------------------------------------------------------------------------------------- filter


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("nested.string_value=a", {}),
        ("nested.stringValue=a", {}),
        ("nested.string_value.x=a", {}),
        ("nested.int32_value=1", {"nested": {"int32Value": 1}}),
    ],
)
def test_what_the_path_binds_no_parameter_sets(query, expected):
    assert (expected, []) == filled(query, bound=[("nested", "string_value")])


def test_a_path_with_an_unknown_segment_is_compared_as_typed():
    assert filled("nested.stringValue.no=1", bound=[("nested", "stringValue")]) == ({}, [])


def test_a_bound_path_is_a_prefix_by_segments():
    assert is_bound([("a", "b")], ("a", "b", "c"))
    assert not is_bound([("a", "b")], ("a", "bc"))
    assert not is_bound([("a", "b")], ("a",))


# --------------------------------------------------------------------------------------------- unknown


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("pagination.limt=1", 'unknown query parameter "pagination.limt"; did you mean "pagination.limit"?'),
        (
            "pagination.sortOption.aggregateBy.aggr_func=COUNT",
            'unknown query parameter "pagination.sortOption.aggregateBy.aggr_func"; did you mean "pagination.sortOption.aggregateBy.aggrFunc"?',
        ),
        ("aggr_func=COUNT", 'unknown query parameter "aggr_func"; did you mean "pagination.sortOption.aggregateBy.aggrFunc"?'),
        ("zzzzzz=1", 'unknown query parameter "zzzzzz"'),
        ("=1", 'unknown query parameter ""'),
        ("%ff=1", 'unknown query parameter "\\xff"'),
        ("Query=1", 'unknown query parameter "Query"; did you mean "query"?'),
    ],
)  # fmt: skip
def test_strict_mode_refuses_with_a_hint(query, message):
    assert message == refused(query, RAW_QUERY, strict=True)[0]


def test_the_allow_list_is_exempt_from_strictness_and_from_the_list():
    assert filled("pretty&trace=1", RAW_QUERY, strict=True, allowed=("pretty", "trace")) == ({}, [])


def test_a_valid_key_stays_valid_in_strict_mode():
    assert filled("query=a&pagination.offset=1", RAW_QUERY, strict=True)[1] == []


def test_ignored_keys_are_listed_once_and_cannot_forge_a_header():
    found = ignored_header(["b", "a", "b", "x\r\nSet-Cookie: y", "é,", "m[k]", "\udcff", ""])
    assert found == "b, a, x%0D%0ASet-Cookie%3A%20y, %C3%A9%2C, m[k], %FF"


def test_a_long_list_of_ignored_keys_is_cut_visibly():
    found = ignored_header(f"key{number:04}" for number in range(1000))
    assert len(found) <= 4096
    assert found.endswith(", ...")
    assert len(ignored_header(["a" * 4096])) == 4096
    assert ignored_header(["a" * 4097]) == "..."


# --------------------------------------------------------------------------------------------- options


def test_repeated_messages_by_index_are_an_option():
    query = (
        "pagination.sortOptions[5].field=b&pagination.sortOptions[0].field=a&pagination.sortOptions[5].reversed=true"
    )
    expected = {"pagination": {"sortOptions": [{"field": "a"}, {"field": "b", "reversed": True}]}}
    assert (expected, []) == filled(query, RAW_QUERY, indexed_messages=True)
    assert filled(query, RAW_QUERY)[0] == {"pagination": {}}


def test_enum_names_in_any_case_are_an_option():
    assert filled("enum_value=zed", enum_any_case=True)[0] == {"enumValue": "Z"}


@pytest.mark.property
@given(st.text(st.sampled_from("ab._[]=&+1é\x00\udcff") | st.characters(), max_size=40))
def test_no_query_fails_in_another_way(text):
    for options in ({}, {"indexed_messages": True}):
        try:
            filled(f"{text}&nested.{text}=1&map_value[{text}]={text}", **options)
        except PopulationError as error:
            error.message.encode()
