"""Annotations → bindings, checked at the start (gateway 8.5)."""

from __future__ import annotations

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor

from podledger_gateway.rules import BrokenRules, bindings, remarks
from tests.fakes.gateway_types import compile_protos
from tests.fakes.gateways import POD_SERVICE, TRANSCODE_TEST

HEAD = 'syntax = "proto3"; package t; import "google/api/annotations.proto";'
MESSAGE = "message M { string name = 1; M inner = 2; map<string, string> labels = 3; repeated string list = 4; repeated M many = 5; }"


def service(*methods: str) -> ServiceDescriptor:
    text = f"{HEAD} {MESSAGE} service S {{ {' '.join(methods)} }}"
    pool = descriptor_pool.DescriptorPool()
    for file in compile_protos({"t.proto": text}).file:
        pool.Add(file)
    return pool.FindServiceByName("t.S")


def method(rule: str, name: str = "A") -> str:
    return f"rpc {name}(M) returns (M) {{ option (google.api.http) = {{ {rule} }}; }}"


def test_bindings_stand_in_file_order():
    assert [str(binding) for binding in bindings([POD_SERVICE])] == [
        "GET /v1/pods of /v1.PodService/GetPods",
        "GET /v1/export/pods of /v1.PodService/ExportPods",
    ]
    assert len(bindings([TRANSCODE_TEST])) == 58


def test_every_kind_of_rule_is_read():
    rules = bindings(
        [
            service(
                method('put: "/a" body: "inner" response_body: "name"'),
                method('custom { kind: "head" path: "/b" }', "B"),
            )
        ]
    )
    assert [(rule.http_method, rule.body, rule.response_body) for rule in rules] == [
        ("PUT", "inner", "name"),
        ("HEAD", "", ""),
    ]
    assert rules[0].bound == (("inner",),)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ('get: "v1"', 't.S.A: a template starts with a slash: "v1" at character 1'),
        ('get: "/{nome}"', "t.S.A: path variable nome names no field of t.M"),
        ('get: "/{labels}"', "t.S.A: path variable labels is a map"),
        ('get: "/{many.name}"', "t.S.A: path variable many.name goes through many, which is no singular message of t.M"),
        ('get: "/{name.x}"', "t.S.A: path variable name.x goes through name, which is no singular message of t.M"),
        ('post: "/" body: "nome"', "t.S.A: body field nome does not exist"),
        ('get: "/" response_body: "nome"', "t.S.A: response body field nome does not exist"),
        ('body: "*"', "t.S.A: an http annotation without a method"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_one_sentence(rule, problem):
    with pytest.raises(BrokenRules) as error:
        bindings([service(method(rule))])
    assert [problem] == list(error.value.problems)


def test_all_problems_are_told_at_once():
    with pytest.raises(BrokenRules) as error:
        bindings([service(method('get: "v1"'), method('get: "/{nome}"', "B"))])
    assert len(error.value.problems) == 2


def test_a_method_without_a_rule_is_mapped_only_on_request():
    plain = service("rpc Plain(M) returns (M);")
    assert bindings([plain]) == []
    (found,) = bindings([plain], auto_map=True)
    assert (str(found), found.body) == ("POST /t.S/Plain of /t.S/Plain", "*")


def test_what_its_author_may_not_expect_is_remarked():
    odd = service(
        method('get: "/{list}"'),
        'rpc Up(stream M) returns (M) { option (google.api.http) = { post: "/up" body: "*" }; }',
    )
    assert remarks([odd], bindings([odd])) == [
        "t.S.Up has client streaming and is left out",
        "GET /{list=*} of /t.S/A: path variable list is repeated",
    ]
