"""Bindings → API descriptions (gateway 9): Swagger 2.0 in the manner of the family, and OpenAPI 3.1.

The 2.0 document has the names, parameters and definitions that the generators of grpc-gateway write, so
clients made from theirs fit; its errors are those of the profile. The 3.1 document says more: nulls, the
forms of a stream, what an Any looks like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from podledger_gateway.comments import Comments
from podledger_gateway.errors import PROFILES, ProfileName
from podledger_gateway.forms import FORMS
from podledger_gateway.leaves import Leaf, query_leaves
from podledger_gateway.negotiation import JSON
from podledger_gateway.rules import Binding, field_at
from podledger_gateway.schemas import ANY, Schema, Schemas, names

_RUNTIME_ERROR, _RUNTIME_STREAM_ERROR = "grpc.gateway.runtime.Error", "grpc.gateway.runtime.StreamError"
_STATUS_NAMES: Mapping[ProfileName, str] = {"rhacs-4.6": "googlerpcStatus", "grpc-gateway-v2": "rpcStatus"}
"""What the later dialects call their one error type; RHACS has other types named Status."""
_STATUS = ("code", "message", "details")
_OK, _OK_STREAM = "A successful response.", "A successful response.(streaming responses)"
_FAILED = "An unexpected error response."
_IGNORED: Mapping[str, Any] = {
    "X-Podledger-Ignored-Parameters": {
        "description": "Query parameters that no field has, separated by commas. Absent when there is none.",
        "schema": {"type": "string"},
    }
}


@dataclass(frozen=True, slots=True)
class Api:
    """What is described: the bindings and a few words about them."""

    bindings: Sequence[Binding]
    profile: ProfileName = "rhacs-4.5"
    title: str = "podledger_gateway"
    version: str = "version not set"
    comments: Comments = field(default_factory=dict)

    @property
    def naming(self) -> dict[str, str]:
        """Names of all types that the generators of the family would see."""
        files = {file.name: file for binding in self.bindings for file in _files(binding)}
        return names(files.values(), (_RUNTIME_ERROR, _RUNTIME_STREAM_ERROR, ANY))


def _files(binding: Binding) -> Iterator[Any]:
    yield binding.descriptor.containing_service.file
    yield binding.request.file
    yield binding.response.file


@dataclass(frozen=True, slots=True)
class _Operation:
    """One binding with what is written about it in both documents."""

    binding: Binding
    number: int
    """Of the bindings of its method, counted from 1."""

    @property
    def id(self) -> str:
        name = f"{self.tag}_{self.binding.descriptor.name}"
        return name if self.number == 1 else f"{name}{self.number}"

    @property
    def tag(self) -> str:
        return str(self.binding.descriptor.containing_service.name)

    @property
    def path(self) -> str:
        """The template with plain variables: the pattern of a variable cannot be told."""
        template = self.binding.template
        parts = list(template.segments)
        for variable in reversed(template.variables):
            parts[variable.start : variable.end] = [f"{{{variable.name}}}"]
        return "/" + "/".join(parts) + (f":{template.verb}" if template.verb else "")

    def words(self, comments: Comments) -> dict[str, str]:
        """The first paragraph of the comment is the summary, the rest the description."""
        summary, _, rest = comments.get(self.binding.descriptor.full_name, "").partition("\n\n")
        found = {"summary": " ".join(summary.split()), "description": rest}
        return {name: text for name, text in found.items() if text}

    def path_fields(self) -> list[tuple[str, FieldDescriptor]]:
        request = self.binding.request
        return [(found.name, field_at(request, found.path)) for found in self.binding.template.variables]

    def query_leaves(self) -> list[Leaf]:
        """With the whole message as body there is no query."""
        return [] if self.binding.body == "*" else query_leaves(self.binding.request, self.binding.bound)


def _operations(bindings: Sequence[Binding]) -> list[_Operation]:
    """In file order. Of two at the same place the later one is described: it is the one that answers."""
    counted: dict[str, int] = {}
    found: dict[tuple[str, str], _Operation] = {}
    for binding in bindings:
        counted[binding.method] = counted.get(binding.method, 0) + 1
        operation = _Operation(binding, counted[binding.method])
        found[operation.path, binding.http_method] = operation
    return list(found.values())


def _placed(operations: Sequence[_Operation], described: Mapping[str, Schema]) -> dict[str, dict[str, Schema]]:
    paths: dict[str, dict[str, Schema]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.binding.http_method.lower()] = described[operation.id]
    return paths


def _reply(binding: Binding, schemas: Schemas) -> Schema:
    shown = binding.response_field
    return schemas.message(binding.response) if shown is None else schemas.field(shown)


def _members(names_of_members: Sequence[str], details: Schema) -> Schema:
    """An error object with these members."""
    kinds: dict[str, Schema] = {"details": {"type": "array", "items": details}}
    numbers = ("code", "grpcCode", "httpCode")
    kinds.update((name, {"type": "integer", "format": "int32"}) for name in numbers)
    properties = {name: dict(kinds.get(name, {"type": "string"})) for name in names_of_members}
    return {"type": "object", "properties": properties}


def _tags(operations: Sequence[_Operation], comments: Comments) -> list[dict[str, str]]:
    services = {operation.tag: operation.binding.descriptor.containing_service for operation in operations}
    texts = {tag: comments.get(service.full_name, "") for tag, service in services.items()}
    return [{"name": tag, "description": text} if text else {"name": tag} for tag, text in texts.items()]


def _define_nested(operations: Sequence[_Operation], schemas: Schemas) -> None:
    """The generators define what a request is made of even where it only stands in a query."""
    for operation in operations:
        schemas.nested(operation.binding.request)


# ------------------------------------------------------------------------------------------ Swagger 2.0


def swagger(api: Api) -> Schema:
    """The Swagger 2.0 document."""
    naming = api.naming
    schemas = Schemas("2.0", naming, api.comments)
    operations = _operations(api.bindings)
    errors = _swagger_errors(api.profile, naming, schemas)
    described = {operation.id: _swagger_operation(operation, schemas, errors, api) for operation in operations}
    _define_nested(operations, schemas)
    return {
        "swagger": "2.0",
        "info": {"title": api.title, "version": api.version},
        "tags": _tags(operations, api.comments),
        "consumes": [JSON],
        "produces": [JSON],
        "paths": _placed(operations, described),
        "definitions": schemas.definitions,
    }


def _swagger_errors(profile: ProfileName, naming: Mapping[str, str], schemas: Schemas) -> tuple[Schema, Schema]:
    """References to the definitions of a plain error and of the error in a stream."""
    details = schemas.any_message()
    if (name := _STATUS_NAMES.get(profile)) is not None:
        status = schemas.define(name, _members(_STATUS, details))
        return status, status
    shapes = PROFILES[profile]
    return (
        schemas.define(naming[_RUNTIME_ERROR], _members(shapes.unary, details)),
        schemas.define(naming[_RUNTIME_STREAM_ERROR], _members(shapes.stream, details)),
    )


def _swagger_operation(
    operation: _Operation, schemas: Schemas, errors: tuple[Schema, Schema], api: Api
) -> dict[str, Any]:
    reply, binding = _reply(operation.binding, schemas), operation.binding
    text = _OK
    if binding.streaming:
        text = _OK_STREAM
        title = f"Stream result of {reply.get('$ref', '').rpartition('/')[2] or binding.response.name}"
        reply = {"type": "object", "properties": {"result": reply, "error": errors[1]}, "title": title}
    return {
        **operation.words(api.comments),
        "operationId": operation.id,
        "responses": {
            "200": {"description": text, "schema": reply},
            "default": {"description": _FAILED, "schema": errors[0]},
        },
        "parameters": list(_swagger_parameters(operation, schemas)),
        "tags": [operation.tag],
    }


def _swagger_parameters(operation: _Operation, schemas: Schemas) -> Iterator[Schema]:
    binding = operation.binding
    for name, bound in operation.path_fields():
        yield {**_swagger_parameter(name, bound, schemas, separated="csv"), "in": "path", "required": True}
    if binding.body:
        whole = binding.body == "*"
        schema = schemas.message(binding.request) if whole else schemas.field(_body_field(binding))
        yield {"name": "body", "in": "body", "required": True, "schema": schema}
    for leaf in operation.query_leaves():
        yield {**_swagger_parameter(leaf.name, leaf.field, schemas), "in": "query", "required": False}


def _swagger_parameter(name: str, leaf: FieldDescriptor, schemas: Schemas, *, separated: str = "multi") -> Schema:
    schema = schemas.parameter(leaf)
    if leaf.is_repeated:
        schema = {"type": "array", "items": schema, "collectionFormat": separated}
    return {"name": name, "in": "", "required": False, **schemas.described(schema, leaf.full_name)}


def _body_field(binding: Binding) -> FieldDescriptor:
    return binding.request.fields_by_name[binding.body]


# ------------------------------------------------------------------------------------------- OpenAPI 3.1


def openapi(api: Api) -> Schema:
    """The OpenAPI 3.1 document."""
    schemas = Schemas("3.1", api.naming, api.comments)
    operations = _operations(api.bindings)
    details, shapes = schemas.any_message(), PROFILES[api.profile]
    error = schemas.define("gatewayError", _members(shapes.unary, details))
    stream_error = schemas.define("gatewayStreamError", _members(shapes.stream, details))
    described = {
        operation.id: _openapi_operation(operation, schemas, (error, stream_error), api) for operation in operations
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": api.title, "version": api.version},
        "tags": _tags(operations, api.comments),
        "paths": _placed(operations, described),
        "components": {"schemas": schemas.definitions},
    }


def _openapi_operation(
    operation: _Operation, schemas: Schemas, errors: tuple[Schema, Schema], api: Api
) -> dict[str, Any]:
    binding = operation.binding
    reply = _reply(binding, schemas)
    raw = reply.get("format") == "binary"
    content: Schema = {"*/*": {}} if raw else {JSON: {"schema": reply}}
    if binding.streaming and not raw:
        content = _stream_content(reply, errors[1])
    found: dict[str, Any] = {
        **operation.words(api.comments),
        "operationId": operation.id,
        "tags": [operation.tag],
        "parameters": list(_openapi_parameters(operation, schemas)),
    }
    if binding.body:
        whole = binding.body == "*"
        schema = schemas.message(binding.request) if whole else schemas.field(_body_field(binding))
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    text = _OK_STREAM if binding.streaming else _OK
    found["responses"] = {
        "200": {"description": text, "headers": dict(_IGNORED), "content": content},
        "default": {"description": _FAILED, "content": {JSON: {"schema": errors[0]}}},
    }
    return found


def _stream_content(reply: Schema, error: Schema) -> Schema:
    """JSON Schema describes one value, a stream is many: so the schema is that of an element."""
    element: Schema = {
        "type": "object",
        "description": "One such element per message, each on a line of its own. An element with an error is the "
        "last one. After the request header X-Export-Complete a whole stream ends with the element end.",
        "properties": {
            "result": reply,
            "error": error,
            "end": {"type": "object", "properties": {"count": {"type": "integer"}}},
        },
    }
    return {form.content_type: {"schema": element} for form in FORMS.values()}


def _openapi_parameters(operation: _Operation, schemas: Schemas) -> Iterator[Schema]:
    for name, bound in operation.path_fields():
        yield {**_openapi_parameter(name, bound, schemas), "in": "path", "required": True}
    for leaf in operation.query_leaves():
        yield {**_openapi_parameter(leaf.name, leaf.field, schemas), "in": "query"}


def _openapi_parameter(name: str, leaf: FieldDescriptor, schemas: Schemas) -> Schema:
    # Without the default of an enum: the page would send it, and a sent leaf makes its parents present.
    schema = {key: value for key, value in schemas.parameter(leaf).items() if key != "default"}
    if leaf.is_repeated:
        schema = {"type": "array", "items": schema}
    return schemas.described({"name": name, "in": "", "schema": schema}, leaf.full_name)
