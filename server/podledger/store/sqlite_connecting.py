"""A connection to a SQLite file: its settings, its SQL functions, its errors.

A `Session` is one connection with what belongs to it. It never changes its thread. Two things may stop
the job that runs on it: its deadline, and whoever gave the job. SQLite asks for both every thousand
instructions, and the functions below ask too, because SQLite does not while it waits for them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from podledger.errors import Cancelled, DeadlineExceeded, DomainError, StoreFailed, StoreUnavailable
from podledger.pods.identity import uuid_text
from podledger.query.patterns import compile_regex, like, regex_search

Result = TypeVar("Result")

_PRAGMAS: dict[str, str | int] = {
    "page_size": 16384,  # holds several pods; with 4 KiB most of them would spill into pages of their own
    "journal_mode": "WAL",
    "journal_size_limit": 4 * 1024 * 1024,
    "wal_autocheckpoint": 250,
    "foreign_keys": 1,
    "mmap_size": 0,
    "temp_store": "MEMORY",
    "trusted_schema": 0,
    "cell_size_check": 1,
}

BUSY_MILLISECONDS = 5000
"""Safety only: a second process may write too. Never a means of scheduling."""
STEPS_PER_CHECK = 1000
"""SQLite instructions between two looks at the clock; well below a millisecond."""
EVALUATIONS_PER_CHECK = 16
"""Patterns tried between two looks at the clock. A hostile one takes milliseconds on a long text, so the
200 rows that pod-service 3.9 allows would be too many."""
READER_CACHE_KIB = 2 * 1024
WRITER_CACHE_KIB = 64 * 1024
"""A batch touches a page per pod in each index; what does not fit is written before the commit, and again."""
REMEMBERED_ANSWERS = 16384
"""Answers kept during a job: namespaces, types and cluster names recur in row after row."""


# -------------------------------------------------------------------------------------------- connection


class Session:
    """A connection, and the limits of the job that owns it just now."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self._deadline: float | None = None
        self._stopped: Callable[[], bool] = _never
        self._evaluations = 0
        self._answers: dict[tuple[object, str, str], bool] = {}
        connection.set_progress_handler(self._must_stop, STEPS_PER_CHECK)
        functions: dict[str, Callable[..., Any]] = {
            "regexp": self._function(_regexp),
            "ilike": self._function(like),
            "uuid_text": _uuid_text,
            "array_order": _array_order,
        }
        for name, function in functions.items():
            connection.create_scalar_function(name, function, deterministic=True)

    def run(
        self,
        job: Callable[[Session], Result],
        *,
        deadline: float | None = None,
        stopped: Callable[[], bool] | None = None,
    ) -> Result:
        """Run a job within its limits, leave no transaction behind, and translate what goes wrong."""
        self._deadline, self._stopped = deadline, stopped or _never
        try:
            return job(self)
        except apsw.Error as error:
            raise self._translated(error) from error
        finally:
            self._deadline, self._stopped = None, _never
            self._answers.clear()
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection, in the thread that opened it."""
        self.connection.close()

    def check(self) -> None:
        """Raise when the job must stop."""
        if self._stopped():
            raise Cancelled
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise DeadlineExceeded

    def _must_stop(self) -> bool:
        return self._stopped() or (self._deadline is not None and time.monotonic() >= self._deadline)

    def _translated(self, error: Exception) -> DomainError:
        if isinstance(error, apsw.InterruptError):
            return Cancelled() if self._stopped() else DeadlineExceeded()
        return translated(error)

    def _function(self, compiled: Callable[[str], Callable[[str], bool]]) -> Callable[..., Any]:
        """An SQL function (pattern, text) that remembers its answers for the length of a job."""

        def holds(pattern: str, text: str | None) -> bool | None:
            if text is None:
                return None
            asked = (compiled, pattern, text)
            answer = self._answers.get(asked)
            if answer is None:
                self._evaluations += 1
                if self._evaluations % EVALUATIONS_PER_CHECK == 0:
                    self.check()
                answer = compiled(pattern)(text)
                if len(self._answers) < REMEMBERED_ANSWERS:
                    self._answers[asked] = answer
            return answer

        return holds


def connect(path: Path, *, writes: bool, synchronous: str, cache_kib: int = 0) -> Session:
    """Open a file that exists, with the settings of operations 10."""
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX
    connection = apsw.Connection(str(path), flags=flags, statementcachesize=200)
    try:
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        for name, value in _PRAGMAS.items():
            connection.pragma(name, value)
        connection.pragma("synchronous", synchronous)
        connection.pragma("cache_size", -(cache_kib or (WRITER_CACHE_KIB if writes else READER_CACHE_KIB)))
        connection.pragma("query_only", 0 if writes else 1)
        return Session(connection)
    except BaseException:
        connection.close(force=True)
        raise


# ----------------------------------------------------------------------------------------- SQL functions


def _never() -> bool:
    return False


def _regexp(pattern: str) -> Callable[[str], bool]:
    regex = compile_regex(pattern)
    return lambda text: regex_search(regex, text)


def _uuid_text(data: Any) -> Any:
    return None if data is None else uuid_text(data)


def _array_order(data: Any) -> Any:
    """A JSON array of texts as one text whose bytewise order is the one of its elements, one by one.

    Each element ends in two NULs, which come before everything that could go on; a NUL inside becomes
    another pair.
    """
    if data is None:
        return None
    return "".join(element.replace("\0", "\0\1") + "\0\0" for element in json.loads(data))


# ------------------------------------------------------------------------------------------------ errors

_UNAVAILABLE: tuple[tuple[type[Exception], str], ...] = (
    (apsw.BusyError, "another process keeps the database locked"),
    (apsw.LockedError, "another process keeps the database locked"),
    (apsw.FullError, "the disk of the database is full"),
    (apsw.IOError, "the database file cannot be read or written"),
    (apsw.ReadOnlyError, "the database file may not be written"),
    (apsw.CantOpenError, "the database file cannot be opened"),
)


def translated(error: Exception) -> DomainError:
    """The one table from driver errors to ours; interrupts are told apart by `Session`."""
    for kind, text in _UNAVAILABLE:
        if isinstance(error, kind):
            return StoreUnavailable(text)
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return StoreFailed("the database is damaged: stop the server and restore a backup")
    return StoreFailed()
