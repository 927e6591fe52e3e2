"""Bindings: which HTTP request calls which method, read from `google.api.http` annotations.

What comes in are service descriptors, of generated modules or of any other pool; what goes out is a
list of `Binding` in file order. Everything that could fail later is checked here, at start: templates
parse, bound fields exist, body fields exist. All problems are reported at once, one sentence each.
`remarks` tells what is allowed but probably not meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor, ServiceDescriptor

from podledger_gateway.template import InvalidTemplate, Template, parse_template

_METHODS = {"get": "GET", "put": "PUT", "post": "POST", "delete": "DELETE", "patch": "PATCH"}


class BrokenRules(Exception):
    """The annotations cannot be served; `problems` holds one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, eq=False)
class Binding:
    """One HTTP method and path template of one gRPC method. Bindings are equal only to themselves."""

    method: str
    """Full name as on the wire, `/v1.PodService/GetPods`."""
    http_method: str
    template: Template
    descriptor: MethodDescriptor
    body: str = ""
    """`*` for the whole message, the name of a field, or empty for no body."""
    response_body: str = ""
    """Name of the field that is the response, or empty for the whole message."""

    @property
    def request(self) -> Descriptor:
        """The request message."""
        return self.descriptor.input_type

    @property
    def response(self) -> Descriptor:
        """The response message; of a stream, one of them."""
        return self.descriptor.output_type

    @property
    def streaming(self) -> bool:
        """Whether the method answers with a stream."""
        return bool(self.descriptor.server_streaming)

    @property
    def bound(self) -> tuple[tuple[str, ...], ...]:
        """Field paths that a query parameter cannot set: path variables and a body field."""
        paths = [variable.path for variable in self.template.variables]
        return (*paths, (self.body,)) if self.body not in ("", "*") else tuple(paths)

    @property
    def response_field(self) -> FieldDescriptor | None:
        """The field that is the response; None for the whole message."""
        return self.response.fields_by_name[self.response_body] if self.response_body else None

    def __str__(self) -> str:
        return f"{self.http_method} {self.template} of {self.method}"


def bindings(services: Iterable[ServiceDescriptor], *, auto_map: bool = False) -> list[Binding]:
    """All bindings of the services in file order. Raises `BrokenRules`.

    With `auto_map`, methods without an annotation are served as `POST /pkg.Service/Method` with the
    message as body. Methods with client streaming are left out; `remarks` names them.
    """
    found: list[Binding] = []
    problems: list[str] = []
    for method in _methods(services):
        if method.client_streaming:
            continue
        for rule in _rules(method, auto_map=auto_map):
            try:
                binding = _binding(method, rule)
            except InvalidTemplate as problem:
                problems.append(f"{method.full_name}: {problem}")
                continue
            found.append(binding)
            problems.extend(f"{method.full_name}: {problem}" for problem in _problems(binding))
    if problems:
        raise BrokenRules(problems)
    return found


def _methods(services: Iterable[ServiceDescriptor]) -> Iterator[MethodDescriptor]:
    for service in services:
        yield from service.methods


def _rules(method: MethodDescriptor, *, auto_map: bool) -> Iterator[http_pb2.HttpRule]:
    """The rule of a method and its additional bindings."""
    options = method.GetOptions()
    if options.HasExtension(annotations_pb2.http):
        rule = options.Extensions[annotations_pb2.http]
        yield rule
        yield from rule.additional_bindings
    elif auto_map:
        yield http_pb2.HttpRule(post=_wire_name(method), body="*")


def _binding(method: MethodDescriptor, rule: http_pb2.HttpRule) -> Binding:
    pattern = rule.WhichOneof("pattern")
    if pattern is None:
        raise InvalidTemplate("an http annotation without a method")
    if pattern == "custom":
        http_method, path = rule.custom.kind.upper(), rule.custom.path
    else:
        http_method, path = _METHODS[pattern], getattr(rule, pattern)
    return Binding(_wire_name(method), http_method, parse_template(path), method, rule.body, rule.response_body)


def _wire_name(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _problems(binding: Binding) -> Iterator[str]:
    """What makes a binding impossible to serve."""
    for variable in binding.template.variables:
        if problem := _path_problem(binding.request, variable.path):
            yield f"path variable {variable.name} {problem}"
    if binding.body not in ("", "*") and binding.body not in binding.request.fields_by_name:
        yield f"body field {binding.body} does not exist"
    if binding.response_body and binding.response_body not in binding.response.fields_by_name:
        yield f"response body field {binding.response_body} does not exist"


def _path_problem(message: Descriptor, path: Sequence[str]) -> str:
    *parents, last = path
    for name in parents:
        field = message.fields_by_name.get(name)
        if field is None or field.message_type is None or field.is_repeated:
            return f"goes through {name}, which is no singular message of {message.full_name}"
        message = field.message_type
    field = message.fields_by_name.get(last)
    if field is None:
        return f"names no field of {message.full_name}"
    return "is a map" if is_map(field) else ""


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def entry_fields(field: FieldDescriptor) -> tuple[FieldDescriptor, FieldDescriptor]:
    """Key and value of a map field."""
    entry = field.message_type
    assert entry is not None
    return entry.fields_by_name["key"], entry.fields_by_name["value"]


def field_at(message: Descriptor, path: Sequence[str]) -> FieldDescriptor:
    """The field that a path of existing names leads to."""
    *parents, last = path
    for name in parents:
        inner = message.fields_by_name[name].message_type
        assert inner is not None
        message = inner
    return message.fields_by_name[last]


def remarks(services: Iterable[ServiceDescriptor], found: Sequence[Binding]) -> list[str]:
    """What is served, or left out, in a way that its author may not expect."""
    left_out = [
        f"{method.full_name} has client streaming and is left out"
        for method in _methods(services)
        if method.client_streaming and method.GetOptions().HasExtension(annotations_pb2.http)
    ]
    return [*left_out, *_repeated_variables(found)]


def _repeated_variables(found: Sequence[Binding]) -> Iterator[str]:
    """Allowed by gateway 2.5, against the text of google.api.http."""
    for binding in found:
        for variable in binding.template.variables:
            if field_at(binding.request, variable.path).is_repeated:
                yield f"{binding}: path variable {variable.name} is repeated"
