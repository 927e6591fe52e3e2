"""What the program stands on: versions of its libraries, the least that is safe, and file descriptors.

The floors are operations 2; behind most of them is a hole that the version closes. Libraries that have
one owner in this project are looked at here by name and not used.
"""

from __future__ import annotations

import importlib
import platform
import resource
from collections.abc import Iterator
from importlib.metadata import version

from podledger.errors import BadInput

FLOORS = {
    "grpcio": (1, 85, 1),
    "grpcio-health-checking": (1, 85, 1),
    "grpcio-reflection": (1, 85, 1),
    "grpcio-status": (1, 85, 1),
    "protobuf": (7, 35, 1),
    "aiohttp": (3, 14, 1),
    "google-re2": (1, 1, 20251105),
}
SQLITE = (3, 51, 3)
SQLITE_WITHDRAWN = (3, 52, 0)
OTHERS = (
    "apsw",
    "msgspec",
    "pydantic",
    "pydantic-settings",
    "click",
    "cryptography",
    "structlog",
    "prometheus-client",
    "PyYAML",
)


def numbers(text: str) -> tuple[int, ...]:
    """`1.85.1` as numbers; what follows a number that is not one, such as `rc1`, is cut."""
    found = []
    for part in text.split("."):
        digits = part[: next((index for index, each in enumerate(part) if not each.isdecimal()), len(part))]
        if not digits:
            break
        found.append(int(digits))
    return tuple(found)


def check() -> None:
    """Refuse to start on libraries that are too old or built without their fast, safe parts.

    Raises `BadInput` with one sentence per problem.
    """
    if problems := list(_problems()):
        raise BadInput("\n".join(problems))


def _problems() -> Iterator[str]:
    for name, floor in FLOORS.items():
        if numbers(version(name)) < floor:
            yield f"{name} {version(name)} is too old; install {_dotted(floor)} or newer"
    family = {version(name).rpartition(".")[0] for name in FLOORS if name.startswith("grpcio")}
    if len(family) > 1:
        yield f"grpcio and its satellites are of different releases ({', '.join(sorted(family))}); install one of them"
    if _protobuf_implementation() != "upb":
        yield f"protobuf runs its {_protobuf_implementation()} implementation; install a protobuf wheel with upb"
    if not _aiohttp_has_c_parser():
        yield "aiohttp runs its pure Python HTTP parser; install an aiohttp wheel and unset AIOHTTP_NO_EXTENSIONS"
    sqlite, bundled = _sqlite()
    if not bundled:
        yield "apsw uses the SQLite of the system; install the apsw wheel, which carries its own"
    if numbers(sqlite) < SQLITE or numbers(sqlite)[:3] == SQLITE_WITHDRAWN:
        yield f"SQLite {sqlite} is not safe to use; install an apsw that carries {_dotted(SQLITE)} or newer, not 3.52.0"


def _dotted(floor: tuple[int, ...]) -> str:
    return ".".join(map(str, floor))


def _protobuf_implementation() -> str:
    return str(importlib.import_module("google.protobuf.internal.api_implementation").Type())


def _aiohttp_has_c_parser() -> bool:
    parser = importlib.import_module("aiohttp.http_parser")
    return parser.HttpRequestParser is not parser.HttpRequestParserPy


def _sqlite() -> tuple[str, bool]:
    apsw = importlib.import_module("apsw")
    return str(apsw.sqlite_lib_version()), bool(apsw.using_amalgamation)


def versions() -> dict[str, str]:
    """Name -> version of everything that matters in a report."""
    shown = {"python": platform.python_version(), **{name: version(name) for name in ("podledger", *FLOORS, *OTHERS)}}
    return {**shown, "SQLite": _sqlite()[0], "protobuf implementation": _protobuf_implementation()}


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; gives the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
