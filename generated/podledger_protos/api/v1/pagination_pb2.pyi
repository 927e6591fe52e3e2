from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Aggregation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNSET: _ClassVar[Aggregation]
    COUNT: _ClassVar[Aggregation]
    MIN: _ClassVar[Aggregation]
    MAX: _ClassVar[Aggregation]
UNSET: Aggregation
COUNT: Aggregation
MIN: Aggregation
MAX: Aggregation

class AggregateBy(_message.Message):
    __slots__ = ("aggrFunc", "distinct")
    AGGRFUNC_FIELD_NUMBER: _ClassVar[int]
    DISTINCT_FIELD_NUMBER: _ClassVar[int]
    aggrFunc: Aggregation
    distinct: bool
    def __init__(self, aggrFunc: _Optional[_Union[Aggregation, str]] = ..., distinct: _Optional[bool] = ...) -> None: ...

class SortOption(_message.Message):
    __slots__ = ("field", "reversed", "aggregate_by")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    REVERSED_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_BY_FIELD_NUMBER: _ClassVar[int]
    field: str
    reversed: bool
    aggregate_by: AggregateBy
    def __init__(self, field: _Optional[str] = ..., reversed: _Optional[bool] = ..., aggregate_by: _Optional[_Union[AggregateBy, _Mapping]] = ...) -> None: ...

class Pagination(_message.Message):
    __slots__ = ("limit", "offset", "sort_option", "sort_options")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SORT_OPTION_FIELD_NUMBER: _ClassVar[int]
    SORT_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    limit: int
    offset: int
    sort_option: SortOption
    sort_options: _containers.RepeatedCompositeFieldContainer[SortOption]
    def __init__(self, limit: _Optional[int] = ..., offset: _Optional[int] = ..., sort_option: _Optional[_Union[SortOption, _Mapping]] = ..., sort_options: _Optional[_Iterable[_Union[SortOption, _Mapping]]] = ...) -> None: ...
