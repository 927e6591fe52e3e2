"""A SQLite file before it is served: library, rights, lock, identity, soundness, schema.

Whatever is wrong is told in one sentence that says what to do.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import apsw

from podledger.errors import BadInput
from podledger.store import migrations
from podledger.store.migrations import StepKey
from podledger.store.sqlite_connecting import Session, connect, translated

APPLICATION_ID = 0x504C4447
"""Marks our files: `PLDG`."""

_OLDEST_SQLITE = (3, 51, 3)
_WITHDRAWN_SQLITE = (3, 52, 0)


def check_library() -> None:
    """Refuse an SQLite that may corrupt a file (operations 2). Raises `BadInput`."""
    version = tuple(map(int, apsw.sqlite_lib_version().split(".")))
    if not apsw.using_amalgamation:
        raise BadInput("apsw uses the SQLite of the system: install the apsw wheel, which carries its own")
    if version < _OLDEST_SQLITE or version == _WITHDRAWN_SQLITE:
        raise BadInput(f"SQLite {apsw.sqlite_lib_version()} is not safe to use: install apsw 3.51.3.0 or later")


def make_file(path: Path) -> None:
    """Make the file and its folder, both for their owner alone. SQLite gives its other files the same rights.

    A file that is there is only looked at: closing a descriptor of it would drop the locks that SQLite has
    on it in this process.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.is_file():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        elif not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise BadInput(f"the database {path} cannot be opened: {error.strerror}") from error


def lock_file(path: Path) -> int:
    """Claim the database for one server; gives the descriptor that holds the lock.

    A file of its own: closing a descriptor of the database would drop the locks that SQLite has on it.
    """
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise BadInput(
            f"{path} is in use by another podledger server: stop that one, or choose another store.url"
        ) from error
    return descriptor


def log_remains(path: Path) -> bool:
    """Whether the last one who used the file left without closing it, or still uses it."""
    log = path.with_name(path.name + "-wal")
    return log.exists() and log.stat().st_size > 0


def prepare(path: Path, *, synchronous: str, verify: bool, now: int) -> Session:
    """Open the file for writing, sound (when that is to be verified) and with the schema of this release.

    Raises `BadInput` and `SchemaTooNew`.
    """
    session = None
    try:
        session = connect(path, writes=True, synchronous=synchronous)
        _identify(session.connection, path)
        if verify:
            _verify(session.connection)
        _migrate(session.connection, now)
    except BaseException as error:
        if session is not None:
            session.close()
        if isinstance(error, apsw.NotADBError | apsw.CorruptError):
            raise BadInput(f"{path} is damaged, or is no database: restore a backup, or choose another file") from error
        raise translated(error) if isinstance(error, apsw.Error) else error from error
    return session


def _identify(connection: apsw.Connection, path: Path) -> None:
    """Mark a new file as ours, and refuse one of something else."""
    found = connection.pragma("application_id")
    if found == APPLICATION_ID:
        return
    if found or connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise BadInput(f"{path} is a database of something else: choose another file")
    connection.pragma("application_id", APPLICATION_ID)


def _verify(connection: apsw.Connection) -> None:
    if connection.pragma("quick_check") != "ok":
        raise apsw.CorruptError


def _migrate(connection: apsw.Connection, now: int) -> None:
    """Run what is pending, all or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(migrations.record("sqlite"))
        applied = {StepKey(*row) for row in connection.execute("SELECT number, step FROM migrations")}
        for step in migrations.pending("sqlite", applied):
            connection.execute(step.sql)
            connection.execute(
                "INSERT INTO migrations (number, step, name, applied_at) VALUES (?, ?, ?, ?)",
                (*step.key, step.name, now),
            )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
