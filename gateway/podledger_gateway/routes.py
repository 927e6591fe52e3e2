"""Which binding answers a request: the last registered template that matches (gateway 2.2, 2.4, 2.6).

Pure: method, raw path and two facts about the request go in; a `Route` comes out, or one of the
routing errors with the methods that the path allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from podledger_gateway.rules import Binding
from podledger_gateway.template import Decoding, split_path


@dataclass(frozen=True, slots=True)
class Route:
    """The binding of a request, the text of its path variables, and whether a form is its query."""

    binding: Binding
    values: tuple[str, ...]
    form: bool = False


class NotFound(Exception):
    """No template matches the path."""


class WrongMethod(Exception):
    """The path is known, but not with this method; `allowed` goes into the Allow header."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("Method Not Allowed")
        self.allowed = allowed


class Router:
    """Searches bindings backwards, so that the last registered one wins."""

    def __init__(self, bindings: Iterable[Binding], *, decoding: Decoding = "legacy") -> None:
        self._decoding = decoding
        self._by_method: dict[str, list[Binding]] = {}
        for binding in bindings:
            self._by_method.setdefault(binding.http_method, []).insert(0, binding)
        self._plain = dict(self._plain_routes())

    def _plain_routes(self) -> Iterator[tuple[tuple[str, str], Route]]:
        """Paths without a wildcard, for the look-up that spares the search."""
        for method, bindings in self._by_method.items():
            for path in (str(binding.template) for binding in bindings):
                with suppress(NotFound):
                    if "*" not in path and (route := self._search(method, path)):
                        yield (method, path), route

    def find(self, method: str, path: str, *, form: bool = False, override: str = "") -> Route:
        """The route of a request. `path` is raw; `form` says that this is a POST with a form body.

        HEAD falls back to GET. A form POST falls back to GET as well, unless `override` (upper case)
        names another method: only reads are reached in this way (operations 6). A binding to POST that has
        no body takes a form as well, as in the reference. Raises `NotFound`, `WrongMethod` and
        `template.BadPath`.
        """
        if route := self._plain.get((method, path)) or self._search(method, path):
            return Route(route.binding, route.values, form=True) if form and not route.binding.body else route
        fallback = "GET" if method == "HEAD" or (form and override in ("", "GET")) else ""
        if fallback and (route := self._search(fallback, path)):
            return Route(route.binding, route.values, form=form)
        raise WrongMethod(allowed) if (allowed := self.allowed(path)) else NotFound("Not Found")

    def allowed(self, path: str) -> list[str]:
        """Methods for the Allow header; empty when no template matches."""
        segments = split_path(path, self._decoding)
        methods = [
            method
            for method, bindings in self._by_method.items()
            if any(binding.template.match(segments, self._decoding) is not None for binding in bindings)
        ]
        if "GET" in methods and "HEAD" not in methods:
            methods.insert(methods.index("GET") + 1, "HEAD")
        return [*methods, *([] if "OPTIONS" in methods else ["OPTIONS"])] if methods else []

    def _search(self, method: str, path: str) -> Route | None:
        segments = split_path(path, self._decoding)
        for binding in self._by_method.get(method, ()):
            if binding.template.names_verb(segments[-1]):
                raise NotFound("Not Found")
            values = binding.template.match(segments, self._decoding)
            if values is not None:
                return Route(binding, values)
        return None


def shadowed(bindings: Sequence[Binding], *, decoding: Decoding = "legacy") -> list[str]:
    """One sentence per binding that no request can reach, because later ones take all its paths."""
    router = Router(bindings, decoding=decoding)
    found = []
    for binding in bindings:
        winners = [_winner(router, binding.http_method, path) for path in _samples(binding)]
        if binding not in winners:
            by = f"{winners[-1]} is declared later and matches the same paths" if winners[-1] else "its path is empty"
            found.append(f"{binding} is never reached: {by}")
    return found


def _winner(router: Router, method: str, path: str) -> Binding | None:
    try:
        return router.find(method, path).binding
    except NotFound:
        return None


def _samples(binding: Binding) -> list[str]:
    """Paths that stand for all that a template matches: wildcards take texts that no literal has."""
    template = binding.template
    paths = []
    for length in (0, 1, 2, 7) if template.deep >= 0 else (1,):
        segments: list[str] = []
        for index, segment in enumerate(template.segments):
            repeat = length if segment == "**" else 1
            plain = segment not in ("*", "**")
            segments.extend([segment if plain else f"~~{index}~~"] * repeat)
        paths.append("/" + "/".join(segments) + (f":{template.verb}" if template.verb else ""))
    return paths
