"""The gateway as an aiohttp application: one unary and one streaming handler, errors, built-in pages.

What a request may be is decided by the pure modules; here their results are put in order. Everything
the gateway answers by itself is an error in the shape of the profile, never text. `serve` opens a
listener with the limits of operations 6.
"""

from __future__ import annotations

import asyncio
import logging
import time
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import HttpVersion11, web
from google.protobuf.message import DecodeError

from podledger_gateway import negotiation, trailers
from podledger_gateway.answers import HSTS, Answers, respond
from podledger_gateway.backend import Backend, BackendError, Reply
from podledger_gateway.bodies import Bodies
from podledger_gateway.body import BadJson
from podledger_gateway.comments import Comments
from podledger_gateway.console import console_pages
from podledger_gateway.endpoint import Endpoint, Parts, Request
from podledger_gateway.errors import (
    DEADLINE_EXCEEDED,
    DEADLINE_TEXT,
    INTERNAL,
    INVALID_ARGUMENT,
    NOT_FOUND,
    PROFILES,
    UNIMPLEMENTED,
    ErrorBodies,
    Refusal,
    field_violation,
)
from podledger_gateway.forms import FORMS
from podledger_gateway.guard import Guard
from podledger_gateway.health import Health
from podledger_gateway.jsonenc import Encoders
from podledger_gateway.metadata import BadHeader, parse_timeout, request_metadata, response_headers, trailer_headers
from podledger_gateway.openapi import Api, openapi, swagger
from podledger_gateway.pages import METHODS, Page, document_page, health_page, index_page
from podledger_gateway.query import PopulationError, ignored_header
from podledger_gateway.routes import NotFound, Route, Router, WrongMethod
from podledger_gateway.rules import Binding
from podledger_gateway.serving import SERVED, Server, serve
from podledger_gateway.settings import GatewaySettings
from podledger_gateway.stream import PROOF, Delivery, Elements, JsonElements, RawElements, Wishes
from podledger_gateway.template import BadPath

__all__ = ["Gateway", "Server", "application", "serve"]

log = logging.getLogger(__name__)

IGNORED = "X-Podledger-Ignored-Parameters"
_THREAD_FROM = 64 * 1024
"""Bytes of parameters or of a body from which filling the message could hold the loop for too long."""
_ENCODE_THREAD_FROM = 256 * 1024
"""Bytes of a reply from which encoding takes longer than a slice of the loop (5 ms)."""


def application(
    backend: Backend,
    bindings: Sequence[Binding],
    settings: GatewaySettings,
    *,
    name: str = "podledger_gateway",
    version: str = "version not set",
    index: Mapping[str, object] | None = None,
    local_names: Collection[str] | None = None,
    comments: Comments | None = None,
) -> web.Application:
    """The application that serves `bindings` from `backend`.

    `name` stands in the Server header and, with `version` and `comments`, in the API description; `index`
    is the JSON at `/` (None: there is none). `local_names` switches local mode on: only these names, or
    those of `allowed_hosts`, may be in the Host header, and forwarded requests are refused.
    """
    api = Api(bindings, profile=settings.profile, title=name, version=version, comments=comments or {})
    gateway = Gateway(backend, api, settings, index=index, local_names=local_names)
    router = _EveryPath(gateway)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        app = web.Application(router=router)
    app[SERVED] = gateway
    app.on_response_prepare.append(gateway.before_headers)
    return app


class _EveryPath(web.UrlDispatcher):
    """Hands every request to the gateway, whose own routes are `google.api.http` templates.

    aiohttp's dispatcher looks at every prefix of a path, which takes a quarter of a second for 64 KiB of
    slashes, and answers unknown paths with text. Giving a dispatcher to an application is deprecated
    there, without a replacement that would spare the look-up.
    """

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self._route = web.ResourceRoute("*", gateway.handle, web.PlainResource("/"), expect_handler=gateway.expectation)

    async def resolve(self, request: web.Request) -> web.UrlMappingMatchInfo:  # noqa: ARG002 - all are alike
        """The one route."""
        return web.UrlMappingMatchInfo({}, self._route)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, as far as it is understood before its route is known."""

    http: web.Request
    method: str
    path: str
    query: str
    form: bool
    """A POST whose body is a form."""
    pretty: bool


class Gateway:
    """Everything that one application needs, prepared at start."""

    def __init__(
        self,
        backend: Backend,
        api: Api,
        settings: GatewaySettings,
        *,
        index: Mapping[str, object] | None,
        local_names: Collection[str] | None,
    ) -> None:
        self._backend = backend
        self._settings = settings
        self._profile = PROFILES[settings.profile]
        encoders = Encoders(binding.request.file.pool for binding in api.bindings)
        self._endpoints = {binding: Endpoint(binding, encoders, settings) for binding in api.bindings}
        self._router = Router(api.bindings, decoding=settings.path_decoding)
        hosts = settings.allowed_hosts or local_names or ()
        self._guard = Guard(hosts=hosts, local=local_names is not None, origins=settings.cors_origins)
        bodies = ErrorBodies(self._profile, encoders.any)
        self._answers = Answers(settings, bodies, name=api.title, vary_by_origin=bool(settings.cors_origins))
        self._bodies = Bodies(settings)
        self._pages = self._builtin_pages(Health(backend, encoders), api, index)
        self.streams: set[Delivery] = set()

    def _builtin_pages(self, health: Health, api: Api, index: Mapping[str, object] | None) -> dict[str, Page]:
        pages = {
            "/healthz": health_page(self._answers, health),
            "/openapi.json": document_page(self._answers, partial(openapi, api)),
            "/swagger.json": document_page(self._answers, partial(swagger, api)),
            **console_pages(self._answers),
        }
        if index is not None:
            pages["/"] = index_page(self._answers, index)
        return {path: page for path, page in pages.items() if not self._router.allowed(path)}

    # ------------------------------------------------------------------------------ what aiohttp calls

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, whatever it is."""
        pretty = False
        try:
            ask = self._ask(request)
            pretty = ask.pretty
            return await self._answer(ask)
        except Refusal as refusal:
            return self._answers.refusal(refusal, pretty=pretty)
        except BackendError as error:
            return self._failed(error, pretty=pretty)
        except ConnectionError:
            raise
        except Exception:
            log.exception("a request failed")
            return self._answers.refusal(Refusal(INTERNAL, "internal error"), pretty=pretty)

    async def expectation(self, request: web.Request) -> web.StreamResponse | None:
        """`Expect: 100-continue` gets its answer, any other expectation is refused."""
        if request.headers.get("Expect", "").lower() != "100-continue":
            return self._answers.refusal(Refusal(INVALID_ARGUMENT, "unknown expectation", status=417))
        try:
            self._bodies.check(request)
        except Refusal as refusal:
            return self._answers.refusal(refusal)
        if request.version >= HttpVersion11:
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        return None

    async def before_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Headers that depend on the connection and the origin, for every answer."""
        if request.secure:
            response.headers.setdefault(*HSTS)
        if self._settings.cors_origins and "Access-Control-Allow-Origin" not in response.headers:
            origin = request.headers.get("Origin", "")
            response.headers.update(self._guard.cross_origin(origin, list(response.headers)))

    def failure(self, status: int) -> web.Response:
        """The answer to what the HTTP parser refused, or to an error outside `handle`."""
        if status >= 500:
            return self._answers.refusal(Refusal(INTERNAL, "internal error", status=status))
        return self._answers.refusal(Refusal(INVALID_ARGUMENT, "Bad Request", status=status))

    # ----------------------------------------------------------------------------------------- routing

    def _ask(self, request: web.Request) -> Ask:
        path, query = _target(request.raw_path)
        headers = request.headers
        form = request.method == "POST" and negotiation.is_form(headers.get("Content-Type", ""))
        pretty = _asks_for_pretty(query) or negotiation.wants_pretty(headers.get("Accept", ""))
        return Ask(request, request.method, path, query, form and self._settings.form_post, pretty)

    async def _answer(self, ask: Ask) -> web.StreamResponse:
        self._guard.check(ask.method, ask.http.headers)
        if ask.method == "OPTIONS":
            return self._options(ask)
        if (page := self._pages.get(ask.path)) is not None:
            return await self._show(page, ask)
        return await self._call(ask, self._route(ask))

    def _options(self, ask: Ask) -> web.StreamResponse:
        """204 with the methods of a path; a preflight of a listed origin is answered as well."""
        allowed = self._allowed(ask.path)
        if not allowed and ask.path != "*":
            raise Refusal(NOT_FOUND, "Not Found")
        headers = {"Allow": ", ".join(allowed)} if allowed else {}
        asked = ask.http.headers
        if "Access-Control-Request-Method" in asked:
            wanted = asked.get("Access-Control-Request-Headers", "")
            headers.update(self._guard.preflight(asked.get("Origin", ""), allowed, wanted))
        return self._answers.no_content(headers)

    def _allowed(self, path: str) -> Sequence[str]:
        if path == "*":
            return ()
        if path in self._pages:
            return METHODS
        try:
            return self._router.allowed(path)
        except BadPath as problem:
            raise Refusal(INVALID_ARGUMENT, str(problem)) from None

    async def _show(self, page: Page, ask: Ask) -> web.StreamResponse:
        if ask.method not in METHODS:
            raise self._wrong_method(METHODS)
        return await page(ask.http, ask.query)

    def _route(self, ask: Ask) -> Route:
        override = ask.http.headers.get("X-HTTP-Method-Override", "") if self._settings.method_override else ""
        try:
            return self._router.find(ask.method, ask.path, form=ask.form, override=override.upper())
        except NotFound:
            raise Refusal(NOT_FOUND, "Not Found") from None
        except BadPath as problem:
            raise Refusal(INVALID_ARGUMENT, str(problem)) from None
        except WrongMethod as problem:
            raise self._wrong_method(problem.allowed) from None

    def _wrong_method(self, allowed: Sequence[str]) -> Refusal:
        headers = {"Allow": ", ".join(allowed)}
        return Refusal(UNIMPLEMENTED, "Method Not Allowed", status=self._profile.wrong_method, headers=headers)

    # ----------------------------------------------------------------------------------------- calling

    async def _call(self, ask: Ask, route: Route) -> web.StreamResponse:
        """Headers first, then the message, as the reference does: so the first error is the same."""
        endpoint = self._endpoints[route.binding]
        try:
            metadata, deadline = self._metadata(ask)
            request = await self._request(ask, route, endpoint)
        except BadHeader as problem:
            raise Refusal(INVALID_ARGUMENT, str(problem)) from None
        except BadJson as problem:
            raise Refusal(INVALID_ARGUMENT, str(problem)) from None
        except PopulationError as problem:
            raise self._population_refusal(problem) from None
        call = _Call(ask, endpoint, request, metadata, deadline)
        if deadline is not None and deadline <= time.monotonic():
            raise Refusal(DEADLINE_EXCEEDED, DEADLINE_TEXT, headers=dict(call.extra))
        return await (self._stream(call) if endpoint.binding.streaming else self._unary(call))

    def _metadata(self, ask: Ask) -> tuple[Sequence[tuple[str, str | bytes]], float | None]:
        """Metadata for the backend, and the deadline on the monotonic clock."""
        settings = self._settings
        accept = negotiation.PRETTY if self._profile.pretty_accept and _asks_for_pretty(ask.query) else ""
        metadata = request_metadata(
            ask.http.headers.items(), peer=ask.http.remote or "", forward=settings.forward_headers, accept=accept
        )
        timeout = parse_timeout(
            ask.http.headers.get("Grpc-Timeout", ""), default=settings.default_timeout, maximum=settings.max_timeout
        )
        return metadata, None if timeout is None else time.monotonic() + timeout

    async def _request(self, ask: Ask, route: Route, endpoint: Endpoint) -> Request:
        if not ask.http.body_exists:
            return await self._filled(ask, route, endpoint, b"")
        keep = route.form or bool(endpoint.binding.body)
        async with self._bodies.read(ask.http, keep=keep) as body:
            return await self._filled(ask, route, endpoint, body)

    async def _filled(self, ask: Ask, route: Route, endpoint: Endpoint, body: bytes) -> Request:
        headers = ask.http.headers
        parts = Parts(
            query=ask.query,
            body=body,
            form=route.form,
            content_type=headers.get("Content-Type", ""),
            strict=self._settings.strict_query_params or negotiation.prefers_strict(headers.getall("Prefer", ())),
        )
        if len(body) + len(ask.query) >= _THREAD_FROM:
            return await asyncio.to_thread(endpoint.request, route.values, parts)
        return endpoint.request(route.values, parts)

    def _population_refusal(self, problem: PopulationError) -> Refusal:
        details = [field_violation(problem.message, problem.field)] if self._settings.error_details else []
        return Refusal(INVALID_ARGUMENT, problem.message, details=details)

    # ------------------------------------------------------------------------------------------- unary

    async def _unary(self, call: _Call) -> web.StreamResponse:
        binding = call.endpoint.binding
        try:
            reply = await self._backend.unary(binding.method, call.request.message, call.metadata, call.remaining())
        except BackendError as error:
            response = self._failed(error, extra=call.extra, pretty=call.ask.pretty)
            return await self._with_trailers(call, response, error.trailing)
        extra = [*response_headers(reply.initial), *call.extra]
        return await self._with_trailers(call, await self._reply(call, reply, extra), reply.trailing)

    async def _reply(self, call: _Call, reply: Reply, extra: Sequence[tuple[str, str]]) -> web.Response:
        endpoint = call.endpoint
        try:
            if endpoint.raw:
                raw = endpoint.raw_body(reply.message)
                return respond(200, self._answers.headers(raw.content_type, extra), raw.data)
            if len(reply.message) >= _ENCODE_THREAD_FROM:
                text = await asyncio.to_thread(endpoint.encode, reply.message)
            else:
                text = endpoint.encode(reply.message)
        except (ValueError, DecodeError, RecursionError) as problem:
            log.exception("a reply of the backend has no JSON form")
            message = f"the reply has no JSON form: {problem}"
            raise Refusal(INTERNAL, message, headers=dict(call.extra)) from None
        return await self._answers.json(call.ask.http, text, extra=extra, pretty=call.ask.pretty)

    def _failed(
        self, error: BackendError, *, extra: Iterable[tuple[str, str]] = (), pretty: bool = False
    ) -> web.Response:
        refusal = Refusal(error.code, error.message, details=error.details)
        return self._answers.refusal(refusal, extra=[*response_headers(error.initial), *extra], pretty=pretty)

    async def _with_trailers(
        self, call: _Call, response: web.Response, trailing: Sequence[tuple[str, str | bytes]]
    ) -> web.StreamResponse:
        """Trailing metadata for clients that accept trailers: as such if enabled, else as headers."""
        http = call.ask.http
        if not trailing or not negotiation.accepts_trailers(http.headers.getall("TE", ())):
            return response
        found = trailer_headers(trailing)
        if not trailers.wanted(http, enabled=self._settings.http_trailers) or http.method == "HEAD":
            response.headers.extend(found)
            return response
        return await trailers.send(http, response, found)

    # ---------------------------------------------------------------------------------------- streaming

    async def _stream(self, call: _Call) -> web.StreamResponse:
        headers = call.ask.http.headers
        binding = call.endpoint.binding
        elements = self._elements(call.endpoint, headers.get("Accept", ""))
        if call.ask.method == "HEAD" and binding.http_method != "HEAD":
            return respond(200, self._answers.headers(elements.content_type(None), call.extra), b"")
        wishes = Wishes(
            gzip=negotiation.accepts_gzip(headers.get("Accept-Encoding", "")),
            proof=negotiation.asks_for_proof(headers.get(PROOF)),
            extra=call.extra,
        )
        stream = self._backend.stream(binding.method, call.request.message, call.metadata, call.remaining())
        delivery = Delivery(
            call.ask.http, stream, elements, answers=self._answers, settings=self._settings, wishes=wishes
        )
        self.streams.add(delivery)
        try:
            return await delivery.run()
        finally:
            self.streams.discard(delivery)

    def _elements(self, endpoint: Endpoint, accept: str) -> Elements:
        if endpoint.raw:
            return RawElements(endpoint.raw_body)
        return JsonElements(FORMS[negotiation.stream_form(accept)], endpoint.encode)


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that is ready to be made."""

    ask: Ask
    endpoint: Endpoint
    request: Request
    metadata: Sequence[tuple[str, str | bytes]]
    deadline: float | None

    def remaining(self) -> float | None:
        """Seconds until the deadline."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.001)

    @property
    def extra(self) -> list[tuple[str, str]]:
        """Headers that every answer to this call carries."""
        ignored = ignored_header(self.request.ignored)
        return [(IGNORED, ignored)] if ignored else []


def _target(raw: str) -> tuple[str, str]:
    """Path and query of a request target, which may be in absolute form (RFC 9112 3.2.2)."""
    if not raw.startswith("/") and "://" in raw:
        rest = raw.partition("://")[2]
        start = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        raw = rest[start:] if rest[start : start + 1] == "/" else "/" + rest[start:]
    path, _, query = raw.partition("?")
    return path, query


def _asks_for_pretty(query: str) -> bool:
    """The mere presence of `pretty` counts, with any value (gateway 3.3)."""
    return "pretty" in query and any(piece.partition("=")[0] == "pretty" for piece in query.split("&"))
