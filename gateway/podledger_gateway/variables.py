"""Path variables → fields of a request message (gateway 2.5).

Top-level fields have a grammar of their own, repeated ones are split at commas; nested variables
follow the rules of query parameters. A field that the body has set is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message

from podledger_gateway.query import PopulationError, Populator, check_oneof, real_oneof, set_field
from podledger_gateway.rules import Binding
from podledger_gateway.values import path_parser


class Variables:
    """Sets the path variables of one binding."""

    def __init__(self, binding: Binding) -> None:
        self._binding = binding
        self._nested = Populator(binding.request)

    def set(self, message: Message, texts: Sequence[str]) -> None:
        """Set every variable. Raises `PopulationError`."""
        for variable, text in zip(self._binding.template.variables, texts, strict=True):
            try:
                if len(variable.path) == 1:
                    self._set_top(message, variable.name, text)
                else:
                    self._nested.populate(message, [(variable.name, text)])
            except (ValueError, PopulationError) as cause:
                problem = f"type mismatch, parameter: {variable.name}, error: {cause}"
                raise PopulationError(problem, variable.name) from None

    def _set_top(self, message: Message, name: str, text: str) -> None:
        field = self._binding.request.fields_by_name[name]
        parse = path_parser(field)
        message.ClearField(name)
        if field.is_repeated:
            getattr(message, name).extend(parse(item) for item in text.split(","))
            return
        if oneof := real_oneof(field):
            check_oneof(message, field, oneof)
        set_field(message, field, parse(text))
