"""Settings of the gateway: one frozen model, which an embedding program uses as a settings group.

Every field is documented by the text below it: meaning, unit, and why the default is what it is.
Limits are those of operations 6, hosts and origins those of operations 17.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from podledger_gateway.errors import ProfileName
from podledger_gateway.metadata import is_key
from podledger_gateway.template import Decoding


def _listed(value: Any) -> Any:
    """Lists may be written as one text with commas, on a command line or in the environment."""
    return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class GatewaySettings(BaseModel):
    """REST: dialect, options of the transcoding, limits."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    profile: ProfileName = "rhacs-4.5"
    """Dialect of errors and of a few headers. The default is what clients of RHACS up to 4.5 know."""
    strict_query_params: bool = False
    """Answer 400 to unknown query parameters, with a hint at the nearest name. Off: they are ignored, as the
    family does, and listed in the header `X-Podledger-Ignored-Parameters`."""
    error_details: bool = True
    """Name the wrong parameter in `details` of a 400. Off: `details` is empty, as in the family."""
    indexed_messages: bool = False
    """Accept repeated messages by index, `pagination.sortOptions[0].field=…`. The family ignores such keys."""
    enum_any_case: bool = False
    """Accept enum names in any letter case. The family compares exactly."""
    tracing_params: Names = ()
    """Query parameters that are never unknown, for keys that proxies or browsers add; `pretty` always is one."""
    path_decoding: Decoding = "legacy"
    """How `%XX` in a path is read. `legacy` decodes before the path is split, as RHACS does."""
    form_post: bool = True
    """Serve a POSTed form on a GET route: for queries that are longer than a URL may be."""
    method_override: bool = True
    """Honour `X-HTTP-Method-Override` on such a POST, towards reading methods only."""
    auth_realm: str = "api"
    """Realm of the challenge in `WWW-Authenticate` of a 401."""
    stream_flush: Literal["batched", "each"] = "batched"
    """`batched` writes what has arrived in pieces of up to 64 KiB and waits for nothing; `each` writes one HTTP
    chunk per message, as the family does, at several times the cost."""
    early_headers: bool = False
    """Send the headers of a stream with the server's metadata, not with its first message: for load balancers
    that give up on a quiet start. An error can then no longer set the HTTP status."""
    forward_headers: Names = ()
    """Further request headers to pass on under their own names in lower case, `traceparent` for instance."""
    default_timeout: Seconds | None = None
    """Limit in seconds of a call without `Grpc-Timeout`. None, as in the family: the server decides."""
    max_timeout: Seconds | None = None
    """Longest limit in seconds that a client may ask for; also the limit of a call without one."""
    http_trailers: bool = False
    """Send trailing metadata as real HTTP trailers to clients that accept them. Off: as headers, which every
    proxy passes."""
    auto_map: bool = False
    """Serve methods without an annotation as `POST /package.Service/Method`."""

    max_body_bytes: Count = 10_000_000
    """Bytes of a request body, above which the answer is 413; the form limit of the family."""
    max_bodies_bytes: Count = 64 * 1024 * 1024
    """Bytes of all request bodies held at a time, above which the answer is 503."""
    body_seconds: Seconds = 10.0
    """Time in seconds for a whole request body; nothing else limits one that drips."""
    stall_seconds: Seconds = 30.0
    """Time in seconds in which a client must take what was written to it, else its connection is cut."""
    keepalive_seconds: Seconds = 10.0
    """Time in seconds that a connection may be idle, or dribble the headers of a request."""
    heartbeat_seconds: Seconds = 15.0
    """Silence in seconds after which an event stream (SSE) gets a comment, so that proxies keep it open."""
    max_connections: Count = 5_000
    """Open connections; further ones are closed at once. The HTTP library has no such limit."""
    max_line_bytes: Count = 65_536
    """Bytes of the request line: search queries are long."""
    max_field_bytes: Count = 16_384
    """Bytes of one request header."""
    max_headers: Count = 64
    """Headers of a request."""
    shutdown_seconds: Seconds = 10.0
    """Time in seconds that running requests get when the server stops; streams then end as unavailable."""

    allowed_hosts: Names = ()
    """Names that the Host header may have, without port; empty allows all. In an embedding program's local mode
    an empty list means the loopback names and the address that is listened on."""
    cors_origins: Names = ()
    """Exact origins whose pages may read answers, `https://ui.example.com`. Empty: none."""

    @field_validator("forward_headers")
    @classmethod
    def _lower_case_keys(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        lowered = tuple(name.lower() for name in names)
        if bad := [name for name in lowered if not is_key(name) or name.endswith("-bin")]:
            raise ValueError(f"must be names that metadata can have, not {', '.join(bad)}")
        return lowered

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if bad := [origin for origin in origins if "://" not in origin or origin.endswith("/") or "*" in origin]:
            raise ValueError(f"must be exact origins such as https://ui.example.com, not {', '.join(bad)}")
        return origins


class StandaloneSettings(GatewaySettings):
    """What a gateway needs in addition when it runs on its own: keys and certificates."""

    backend_ca: str = ""
    """PEM file with the authorities of the backend's certificate. Empty: the backend is called in plaintext."""
    tls_cert: str = ""
    """PEM file with the certificate chain of the gateway. Empty: plaintext."""
    tls_key: str = ""
    """PEM file with the key of `tls_cert`."""
