"""API descriptions: names, parameters and definitions of the family, and what 3.1 says beyond (gateway 9)."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from podledger_gateway.comments import comments
from podledger_gateway.openapi import Api, openapi, swagger
from podledger_gateway.rules import bindings
from podledger_gateway.schemas import names
from podledger_gateway.settings import GatewaySettings
from podledger_protos.podledger.ledger.v1 import ledger_service_pb2
from tests.fakes.gateway_types import compile_protos
from tests.fakes.gateways import POD_SERVICE, TRANSCODE_TEST, listening

PODS = Api(bindings([POD_SERVICE]), title="pods", version="1")
TEST = Api(bindings([TRANSCODE_TEST]))
LEDGER_SERVICE = ledger_service_pb2.DESCRIPTOR.services_by_name["LedgerService"]

STRING, INT32, BOOLEAN = {"type": "string"}, {"type": "integer", "format": "int32"}, {"type": "boolean"}
TIME = {"type": "string", "format": "date-time"}


def reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def listed(name: str) -> dict[str, Any]:
    return {"type": "array", "items": reference(name)}


PROPERTIES = {
    "PodContainerInstanceList": {"instances": listed("storageContainerInstance")},
    "protobufAny": {"typeUrl": STRING, "value": {"type": "string", "format": "byte"}},
    "runtimeError": {"error": STRING, "code": INT32, "message": STRING, "details": listed("protobufAny")},
    "runtimeStreamError": {"grpcCode": INT32, "httpCode": INT32, "message": STRING, "httpStatus": STRING, "details": listed("protobufAny")},
    "storageContainerInstance": {
        "instanceId": reference("storageContainerInstanceID"), "containingPodId": STRING, "containerName": STRING,
        "containerIps": {"type": "array", "items": STRING}, "started": TIME, "imageDigest": STRING, "finished": TIME,
        "exitCode": INT32, "terminationReason": STRING,
    },
    "storageContainerInstanceID": {"containerRuntime": reference("storageContainerRuntime"), "id": STRING, "node": STRING},
    "storagePod": {
        "id": STRING, "name": STRING, "deploymentId": STRING, "namespace": STRING, "clusterId": STRING,
        "liveInstances": listed("storageContainerInstance"), "terminatedInstances": listed("PodContainerInstanceList"), "started": TIME,
    },
    "v1AggregateBy": {"aggrFunc": reference("v1Aggregation"), "distinct": BOOLEAN},
    "v1ExportPodResponse": {"pod": reference("storagePod")},
    "v1Pagination": {"limit": INT32, "offset": INT32, "sortOption": reference("v1SortOption"), "sortOptions": listed("v1SortOption")},
    "v1PodsResponse": {"pods": listed("storagePod")},
    "v1SortOption": {"field": STRING, "reversed": BOOLEAN, "aggregateBy": reference("v1AggregateBy")},
}  # fmt: skip
"""The description file of RHACS 4.5 for PodService, as far as its structure is known."""
ENUMS = {
    "storageContainerRuntime": ["UNKNOWN_CONTAINER_RUNTIME", "DOCKER_CONTAINER_RUNTIME", "CRIO_CONTAINER_RUNTIME"],
    "v1Aggregation": ["UNSET", "COUNT", "MIN", "MAX"],
}


# ------------------------------------------------------------------------------------------ Swagger 2.0


def test_the_definitions_are_those_of_rhacs_4_5():
    found = swagger(PODS)["definitions"]
    assert sorted([*PROPERTIES, *ENUMS]) == list(found)
    for name, properties in PROPERTIES.items():
        assert {"type": "object", "properties": properties} == {key: found[name][key] for key in ("type", "properties")}
    for name, values in ENUMS.items():
        assert found[name] == {"type": "string", "enum": values, "default": values[0]}


def test_the_operations_are_those_of_rhacs_4_5():
    paths = swagger(PODS)["paths"]
    get, export = paths["/v1/pods"]["get"], paths["/v1/export/pods"]["get"]
    assert (["/v1/pods", "/v1/export/pods"], "PodService_GetPods") == (list(paths), get["operationId"])
    assert (["PodService"], "PodService_ExportPods") == (export["tags"], export["operationId"])
    assert get["responses"]["200"] == {"description": "A successful response.", "schema": reference("v1PodsResponse")}
    assert get["responses"]["default"] == {
        "description": "An unexpected error response.",
        "schema": reference("runtimeError"),
    }
    stream = export["responses"]["200"]
    assert stream["description"] == "A successful response.(streaming responses)"
    assert stream["schema"] == {
        "type": "object",
        "title": "Stream result of v1ExportPodResponse",
        "properties": {"result": reference("v1ExportPodResponse"), "error": reference("runtimeStreamError")},
    }


def test_the_parameters_are_those_of_rhacs_4_5_in_order():
    paths = swagger(PODS)["paths"]
    enum = {"type": "string", "enum": ENUMS["v1Aggregation"], "default": "UNSET"}
    expected = [
        ("query", STRING), ("pagination.limit", INT32), ("pagination.offset", INT32), ("pagination.sortOption.field", STRING),
        ("pagination.sortOption.reversed", BOOLEAN), ("pagination.sortOption.aggregateBy.aggrFunc", enum),
        ("pagination.sortOption.aggregateBy.distinct", BOOLEAN),
    ]  # fmt: skip
    assert [{"name": name, "in": "query", "required": False, **kind} for name, kind in expected] == paths["/v1/pods"][
        "get"
    ]["parameters"]
    assert [found["name"] for found in paths["/v1/export/pods"]["get"]["parameters"]] == ["timeout", "query"]


@pytest.mark.parametrize(
    ("profile", "error", "members"),
    [
        ("rhacs-4.6", "googlerpcStatus", ["code", "message", "details"]),
        ("grpc-gateway-v2", "rpcStatus", ["code", "message", "details"]),
        ("rhacs-union", "runtimeError", ["error", "code", "message", "details"]),
    ],
)
def test_errors_follow_the_profile(profile, error, members):
    found = swagger(Api(PODS.bindings, profile=profile))
    assert members == list(found["definitions"][error]["properties"])
    assert found["paths"]["/v1/pods"]["get"]["responses"]["default"]["schema"] == reference(error)


def test_a_service_beside_pods_renames_nothing():
    both = swagger(Api(bindings([POD_SERVICE, LEDGER_SERVICE])))["definitions"]
    assert set(swagger(PODS)["definitions"]) <= set(both)


def test_a_name_is_the_shortest_that_is_unique_and_one_component_more():
    found = names([], ["a.b.X", "c.b.X", "d.Y", "e.f.Y.Z", "W"])
    assert found == {"a.b.X": "abX", "c.b.X": "cbX", "d.Y": "dY", "e.f.Y.Z": "YZ", "W": "W"}


def test_every_kind_of_binding_is_described():
    paths = swagger(TEST)["paths"]
    assert paths["/v1/two/{string_value}/{int32_value}"]["get"]["parameters"][:2] == [
        {"name": "string_value", "in": "path", "required": True, **STRING},
        {"name": "int32_value", "in": "path", "required": True, **INT32},
    ]
    assert paths["/v1/p/repint/{repeated_int32}"]["get"]["parameters"][0]["collectionFormat"] == "csv"
    body = {"name": "body", "in": "body", "required": True}
    assert paths["/v1/body"]["post"]["parameters"] == [{**body, "schema": reference("v1Everything")}]
    assert paths["/v1/bodyrep"]["put"]["parameters"][0] == {**body, "schema": {"type": "array", "items": STRING}}
    assert paths["/v1/things/{string_value}:archive"]["get"]["operationId"] == "TranscodeTest_Echo34"
    assert paths["/v1/download"]["get"]["responses"]["200"]["schema"] == {"type": "string", "format": "binary"}
    assert paths["/v1/rb/int64"]["get"]["responses"]["200"]["schema"] == {"type": "string", "format": "int64"}
    names_of = [found["name"] for found in paths["/v1/echo"]["get"]["parameters"]]
    assert {"repeatedEnum", "wrapperInt64Value", "structValue", "customName"} <= set(names_of)
    assert not {"nested", "children", "mapValue"} & {name.partition(".")[0] for name in names_of}


# ------------------------------------------------------------------------------------------- OpenAPI 3.1


def test_3_1_says_what_is_null_and_what_an_any_is():
    found = openapi(TEST)["components"]["schemas"]
    members = found["v1Everything"]["properties"]
    assert members["nested"] == {"anyOf": [{"$ref": "#/components/schemas/v1Everything"}, {"type": "null"}]}
    assert members["timestampValue"] == {"type": ["string", "null"], "format": "date-time"}
    assert members["oneofStringValue"] == STRING
    assert members["anyValue"]["anyOf"][0] == {"$ref": "#/components/schemas/protobufAny"}
    assert (True, ["@type"]) == (found["protobufAny"]["additionalProperties"], list(found["protobufAny"]["properties"]))
    assert list(found["gatewayError"]["properties"]) == ["error", "code", "message", "details"]


def test_3_1_names_every_form_of_a_stream():
    content = openapi(PODS)["paths"]["/v1/export/pods"]["get"]["responses"]["200"]["content"]
    assert list(content) == ["application/json", "application/x-ndjson", "text/event-stream", "application/json-seq"]
    assert list(content["application/json"]["schema"]["properties"]) == ["result", "error", "end"]


@pytest.mark.parametrize("document", [swagger(TEST), openapi(TEST), swagger(PODS), openapi(PODS)])
def test_every_reference_has_its_definition(document):
    text = json.dumps(document)
    defined = document.get("definitions") or document["components"]["schemas"]
    used = {piece.partition('"')[0].rpartition("/")[2] for piece in text.split('"$ref": "')[1:]}
    assert used <= set(defined)
    assert all(defined.values())


# --------------------------------------------------------------------------------------- words, serving


def test_comments_become_summaries_and_descriptions():
    texts = {
        "v1.PodService.GetPods": "GetPods returns\nthe pods.\n\nMore.",
        "storage.Pod": "A pod.",
        "v1.RawQuery.query": "Q.",
    }
    for document in (swagger(Api(PODS.bindings, comments=texts)), openapi(Api(PODS.bindings, comments=texts))):
        get = document["paths"]["/v1/pods"]["get"]
        assert ("GetPods returns the pods.", "More.", "Q.") == (
            get["summary"],
            get["description"],
            get["parameters"][0]["description"],
        )
        schemas = document.get("definitions") or document["components"]["schemas"]
        assert schemas["storagePod"]["description"] == "A pod."


COMMENTED = """
syntax = "proto3"; package c;
// A shelf.
message Shelf {
  // Its name.
  //  Unique.
  string name = 1; string plain = 2;
  // Inside.
  message Board { int32 width = 1; // In millimetres.
  }
  // How it is made.
  enum Kind {
    // Of wood.
    WOOD = 0;
  }
}
// All shelves.
service Shelves {
  // Finds one.
  rpc Find(Shelf) returns (Shelf);
}
// Top.
enum Top { TOP = 0; }
"""


def test_comments_are_read_from_source_info():
    assert comments(compile_protos({"c.proto": COMMENTED}).file) == {
        "c.Shelf": "A shelf.",
        "c.Shelf.name": "Its name.\nUnique.",
        "c.Shelf.Board": "Inside.",
        "c.Shelf.Board.width": "In millimetres.",
        "c.Shelf.Kind": "How it is made.",
        "c.Shelf.Kind.WOOD": "Of wood.",
        "c.Shelves": "All shelves.",
        "c.Shelves.Find": "Finds one.",
        "c.Top": "Top.",
    }


def test_the_comments_of_our_own_protos_are_shipped():
    data = files("podledger_protos").joinpath("descriptors.bin").read_bytes()
    found = swagger(Api(PODS.bindings, comments=comments(FileDescriptorSet.FromString(data).file)))
    assert found["paths"]["/v1/pods"]["get"]["summary"] == "Returns one page of the pods that match a query."
    assert len(found["definitions"]) == 14


async def test_both_documents_are_served():
    async with listening(settings=GatewaySettings(profile="rhacs-4.6"), name="pods", version="1") as gateway:
        for path, key in (("/swagger.json", "swagger"), ("/openapi.json", "openapi")):
            answer = await gateway.get(path)
            assert (200, "application/json") == (answer.status, answer.header("Content-Type"))
            assert {"title": "pods", "version": "1"} == json.loads(answer.text)["info"]
            assert key in json.loads(answer.text)
