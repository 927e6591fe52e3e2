"""Settings: what they are, where they come from, and what is wrong with them.

A setting is named `group.field`. Its value comes from the first of: a flag (`--set group.field=value`),
the environment (`PODLEDGER_GROUP__FIELD`), the file of `--config` (TOML), the default. Everything wrong
is reported at once, one plain sentence each.

Only `cli` and `wiring` read this module; everything else is given the values it needs.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from podledger.errors import BadInput
from podledger.listeners import parse_address
from podledger.pods.merging import MergeMode
from podledger_gateway.settings import GatewaySettings, Names

PREFIX = "PODLEDGER_"
_FOREIGN = ("PODLEDGER_TEST_", "PODLEDGER_SERVER", "PODLEDGER_CA")
"""Variables that are no settings: those of tests, and the server that client commands call with its authorities."""

_NO_DEFAULTS: Mapping[str, str] = MappingProxyType({})
_FROZEN = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)


def data_directory() -> Path:
    """`podledger` in the user's data folder, by the XDG rules."""
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".local" / "share") / "podledger"


class StoreSettings(BaseModel):
    """Where pods are kept."""

    model_config = _FROZEN

    directory: Path = Field(
        default_factory=data_directory, json_schema_extra={"shown": "`podledger` in the user's data folder"}
    )
    """Data directory. Made with mode 0700 when it is missing."""
    url: str = Field(default="", json_schema_extra={"shown": "`podledger.db` in `store.directory`"})
    """The store: `sqlite:///FILE` (four slashes for an absolute path), or `memory:`, which forgets everything
    at the end."""

    @model_validator(mode="after")
    def _in_directory(self) -> StoreSettings:
        if not self.url:
            object.__setattr__(self, "url", f"sqlite:///{self.directory.absolute()}/podledger.db")
        return self


class GrpcSettings(BaseModel):
    """The gRPC listener."""

    model_config = _FROZEN

    listen: str = "127.0.0.1:50051"
    """`host:port` or `unix:PATH`; port 0 takes a free one. What other machines reach needs TLS."""
    reflection: Literal["open", "off", "authenticated"] = "open"
    """Whether tools may ask for the services and messages. They hold no pod data, so `open` is safe."""
    max_receive_bytes: int = Field(default=1024 * 1024, ge=1024)
    """Largest request, and what a compressed one may expand to. Those of PodService are small."""
    max_connections: int = Field(default=10_000, ge=1)
    """Connections at a time; the library has no cap of its own."""
    max_streams: int = Field(default=100, ge=1)
    """Calls at a time on one connection. Without a cap rapid resets cost memory and processor time."""
    max_calls: int = Field(default=1000, ge=1)
    """Calls at a time in all."""
    keepalive_seconds: float = Field(default=30.0, gt=0)
    """How long a connection may be silent before the server pings it."""
    keepalive_timeout_seconds: float = Field(default=10.0, gt=0)
    """How long the answer to a ping may take before the peer counts as dead."""
    idle_seconds: float = Field(default=900.0, gt=0)
    """How long a connection without calls is kept."""
    age_seconds: float = Field(default=3600.0, gt=0)
    """How long any connection is kept: the last resort against a peer that answers pings and never reads."""
    age_grace_seconds: float = Field(default=600.0, gt=0)
    """How long calls of a connection that is too old may still run."""


class HttpSettings(GatewaySettings):
    """The REST listener: the settings of the gateway, and where it listens."""

    model_config = _FROZEN

    listen: str = "127.0.0.1:8080"
    """`host:port` or `unix:PATH`; port 0 takes a free one. What other machines reach needs TLS."""
    forward_headers: Names = ("traceparent", "tracestate", "x-request-id")
    """Further request headers to pass on under their own names in lower case; these make a call traceable."""
    shutdown_seconds: float = Field(default=10.0, gt=0)
    """How long running requests may go on when the server stops; no longer than `drain.grace_seconds`."""


class AdminSettings(BaseModel):
    """The admin listener: metrics and probes."""

    model_config = _FROZEN

    listen: str = "127.0.0.1:9464"
    """`host:port` or `unix:PATH`; port 0 takes a free one; `off` serves neither metrics nor probes. It is plain HTTP
    for everyone who reaches it and holds no pod data: publish it within a host or a pod network, never beyond."""


class TlsSettings(BaseModel):
    """TLS of the gRPC and the REST listener. Unix sockets stay plaintext."""

    model_config = _FROZEN

    cert: Path | None = None
    """PEM file with the certificate of the server, followed by those between it and its authority."""
    key: Path | None = None
    """PEM file with the key of `tls.cert`, without a password."""
    reload_seconds: float = Field(default=30.0, gt=0)
    """How often both files are looked at. New connections get a new pair; one that is not usable is not taken."""
    allow_plaintext: bool = False
    """Serve without TLS to other machines: the flag `--allow-plaintext`, for a server behind a proxy that ends TLS."""


class AuthSettings(BaseModel):
    """Who may call. This release has no authentication: everyone who reaches a listener reads every pod."""

    model_config = _FROZEN

    allow_anonymous: bool = False
    """Serve everyone on other machines, too: the flag `--allow-anonymous`, for a network that you trust."""


class QuerySettings(BaseModel):
    """What one query may cost."""

    model_config = _FROZEN

    strict: bool = False
    """Refuse query parts without effect for every caller, not only for those who ask for it."""
    max_bytes: int = Field(default=8192, ge=1)
    """Bytes of a query text."""
    max_terms: int = Field(default=32, ge=1)
    """Parts of a query."""
    max_values: int = Field(default=256, ge=1)
    """Values in all parts together; thousands of them outlast the time of a call."""
    max_regexes: int = Field(default=8, ge=0)
    """Regular expressions in a query."""
    max_regex_bytes: int = Field(default=256, ge=1)
    """Bytes of one regular expression."""
    max_regex_program: int = Field(default=400, ge=1)
    """Instructions of a compiled regular expression; everyday patterns have fewer than 210."""
    max_offset: int = Field(default=0, ge=0)
    """Largest offset of a page; 0 means no cap, the time of the call bounds it anyway."""
    count_cap: int = Field(default=10_000, ge=1)
    """Matches up to which totals are exact without being asked for."""


class ExportSettings(BaseModel):
    """Streams of pods."""

    model_config = _FROZEN

    page_rows: int = Field(default=256, ge=1, le=500)
    """Pods read at a time."""
    page_bytes: int = Field(default=128 * 1024, ge=1)
    """The pod that reaches this size is the last of its page. Two pages are held per stalled stream."""
    stall_seconds: float = Field(default=30.0, gt=0)
    """How long a gRPC client may take no message before its stream is cut; for REST: `http.stall_seconds`."""


class IngestSettings(BaseModel):
    """How pods come in."""

    model_config = _FROZEN

    merge_mode: MergeMode = "dedupe"
    """How finished containers are kept: `dedupe` records each run once, `stackrox` as RHACS does."""


class LogSettings(BaseModel):
    """What is logged, to standard error."""

    model_config = _FROZEN

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines to print; `info` is the life of the server and one line per call."""
    format: Literal["auto", "json", "text"] = "auto"
    """`auto` is text on a terminal and JSON elsewhere."""


class DrainSettings(BaseModel):
    """The end of a server."""

    model_config = _FROZEN

    propagation_seconds: float = Field(default=3.0, ge=0, le=8)
    """After SIGTERM, how long calls are still taken while health says NOT_SERVING, so that balancers notice.
    After Ctrl-C it is skipped."""
    grace_seconds: float = Field(default=10.0, ge=0, le=10)
    """How long running calls may go on then. Streams that need longer end as UNAVAILABLE and can be resumed."""


class Settings(BaseSettings):
    """All groups."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, hide_input_in_errors=True
    )

    store: StoreSettings = Field(default_factory=StoreSettings)
    grpc: GrpcSettings = Field(default_factory=GrpcSettings)
    http: HttpSettings = Field(default_factory=HttpSettings)
    admin: AdminSettings = Field(default_factory=AdminSettings)
    tls: TlsSettings = Field(default_factory=TlsSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)
    query: QuerySettings = Field(default_factory=QuerySettings)
    export: ExportSettings = Field(default_factory=ExportSettings)
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    drain: DrainSettings = Field(default_factory=DrainSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature of the library
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given: `load` reads the sources one by one, to know which value came from where."""
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings in force, and for each `group.field` that is not a default where it came from."""

    settings: Settings
    origins: Mapping[str, str]


def load(
    *, config: Path | None = None, flags: Sequence[str] = (), defaults: Mapping[str, str] = _NO_DEFAULTS
) -> Loaded:
    """Read all sources. `flags` are texts `group.field=value`; `defaults` replace the built-in ones.

    Raises `BadInput` with one line per problem.
    """
    problems: list[str] = []
    values: dict[str, Any] = dict(defaults)
    origins: dict[str, str] = {}
    for origin, found in (
        (f"file {config}", _file(config, problems)),
        ("environment", _environment(problems)),
        ("flag --set", _flags(flags, problems)),
    ):
        values |= found
        origins |= dict.fromkeys(found, origin)
    settings = _validated(values, origins, problems)
    if settings is None or problems:
        raise BadInput("\n".join(problems))
    return Loaded(settings, origins)


def verify(settings: Settings) -> list[str]:
    """What no single field can tell is wrong."""
    problems = [
        problem
        for name, listen in (("grpc.listen", settings.grpc.listen), ("http.listen", settings.http.listen))
        for problem in _listener_problems(name, listen, settings)
    ]
    if (settings.tls.cert is None) != (settings.tls.key is None):
        problems.append("tls.cert, tls.key: give both or none")
    if settings.admin.listen != "off":
        problems += _address_problems("admin.listen", settings.admin.listen)
    if settings.grpc.reflection == "authenticated":
        problems.append(
            "grpc.reflection: `authenticated` needs authentication, which this release does not have; use open or off"
        )
    return problems


def _address_problems(name: str, listen: str) -> Iterator[str]:
    try:
        parse_address(listen)
    except ValueError as error:
        yield f"{name}: {error}, not {json.dumps(listen)}"


def _listener_problems(name: str, listen: str, settings: Settings) -> Iterator[str]:
    """What other machines can reach is encrypted and knows its callers, unless somebody says otherwise."""
    try:
        address = parse_address(listen)
    except ValueError as error:
        yield f"{name}: {error}, not {json.dumps(listen)}"
        return
    if address.local:
        return
    if settings.tls.cert is None and not settings.tls.allow_plaintext:
        yield (
            f"{name}: {listen} can be reached from other machines and would serve plaintext; "
            "set tls.cert and tls.key, or allow it with --allow-plaintext"
        )
    if not settings.auth.allow_anonymous:
        yield (
            f"{name}: {listen} can be reached from other machines, and this release has no authentication; "
            "listen on 127.0.0.1, [::1] or unix:PATH, or let everyone read every pod with --allow-anonymous"
        )


# -------------------------------------------------------------------------------------------- sources


def fields(model: type[BaseModel] = Settings, prefix: str = "") -> dict[str, FieldInfo]:
    """All settings by dotted name, in the order of their definition."""
    found: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= fields(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = info
    return found


def variable(path: str) -> str:
    """Name of the environment variable of a setting."""
    return PREFIX + path.replace(".", "__").upper()


def _flags(texts: Sequence[str], problems: list[str]) -> dict[str, Any]:
    found = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals:
            problems.append(f"--set {text}: must be group.field=value")
        elif path not in fields():
            problems.append(f"--set {path}: is not a setting{_nearest(path, fields())}")
        else:
            found[path] = value
    return found


def _environment(problems: list[str]) -> dict[str, Any]:
    known = {variable(path): path for path in fields()}
    found = {}
    for name, value in os.environ.items():
        if name in known:
            found[known[name]] = value
        elif name.startswith(PREFIX) and not name.startswith(_FOREIGN):
            problems.append(f"environment variable {name}: is not a setting{_nearest(name, known)}")
    return found


def _file(config: Path | None, problems: list[str]) -> dict[str, Any]:
    if config is None:
        return {}
    try:
        found = dict(_leaves(tomllib.loads(config.read_text("utf-8"))))
    except OSError as error:
        problems.append(f"--config {config}: cannot be read: {error.strerror}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"--config {config}: is not TOML: {error}")
        return {}
    unknown = [path for path in found if path not in fields()]
    problems += [f"--config {config}: {path} is not a setting{_nearest(path, fields())}" for path in unknown]
    return {path: value for path, value in found.items() if path not in unknown}


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _nearest(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]}?" if close else "; `podledger config show` lists all"


# ------------------------------------------------------------------------------------------- problems


def _validated(values: Mapping[str, Any], origins: Mapping[str, str], problems: list[str]) -> Settings | None:
    tree: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        group, _, name = path.partition(".")
        tree.setdefault(group, {})[name] = value
    try:
        settings = Settings(**tree)  # type: ignore[arg-type]  # groups as dictionaries
    except ValidationError as error:
        problems += [_sentence(each, origins) for each in error.errors(include_url=False)]
        return None
    problems += verify(settings)
    return settings


def _sentence(error: ErrorDetails, origins: Mapping[str, str]) -> str:
    """A validation error in plain words."""
    path = ".".join(str(step) for step in error["loc"][:2])
    origin = origins.get(path, "default")
    where = variable(path) if origin == "environment" else origin
    return f"{path}: {_expectation(error)} ({where})"


def _expectation(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "int_parsing" | "int_type" | "int_from_float":
            return "must be a whole number"
        case "float_parsing" | "float_type":
            return "must be a number"
        case "bool_parsing" | "bool_type":
            return "must be true or false"
        case "literal_error":
            return f"must be {context['expected'].replace(chr(39), '')}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}"
        case "greater_than":
            return f"must be more than {context['gt']:g}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
        case "string_type" | "path_type":
            return "must be a text"
        case "tuple_type":
            return "must be a list of texts"
        case "value_error":
            return str(context["error"])
    return error["msg"][:1].lower() + error["msg"][1:]
