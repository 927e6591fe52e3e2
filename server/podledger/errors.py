"""The errors of the domain, one small class per case.

    DomainError
    ├── AlreadyExists
    ├── InvalidRequest
    ├── NotFound
    │   └── ReferencedNotFound
    ├── ReferencedByAnother
    ├── InvariantViolated
    ├── Unauthenticated
    ├── NotPermitted
    ├── AuthorizationNotConfigured
    ├── ResourceExhausted
    ├── Cancelled
    ├── DeadlineExceeded
    ├── ServerError
    ├── NotImplementedYet
    ├── StoreFailed
    ├── StoreUnavailable
    │   └── StoreClosed
    ├── Fenced
    ├── SchemaTooNew
    └── BadInput

Raised by the pure rooms and by the store engines, translated to gRPC once, in `rpc.status`. The text
of an error is what the caller reads: it says what to do and holds no driver text (that is chained as
the cause and goes to the log).
"""

from __future__ import annotations

from typing import ClassVar


class DomainError(Exception):
    """Something the caller or the operator can act on. Without a text it reads as its base text."""

    base: ClassVar[str] = "internal error"

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.base)

    @property
    def message(self) -> str:
        """The text for the caller."""
        return str(self)


class AlreadyExists(DomainError):
    """A name or key is taken. Choose another one."""

    base = "already exists"


class InvalidRequest(DomainError):
    """The request cannot be carried out as it stands. Mend `field` and send it again.

    `field` is the search label, `query`, or the path of the request field at fault; empty when there
    is none.
    """

    base = "invalid arguments"

    def __init__(self, message: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NotFound(DomainError):
    """The named thing does not exist, or lies outside the caller's scope."""

    base = "not found"


class ReferencedNotFound(NotFound):
    """Something that the request refers to does not exist."""

    base = "referenced object not found"


class ReferencedByAnother(DomainError):
    """The thing is in use. Remove what refers to it first."""

    base = "referenced by another object"


class InvariantViolated(DomainError):
    """A rule that always holds does not. Report it."""

    base = "invariant violation"


class Unauthenticated(DomainError):
    """No acceptable credentials were given."""

    base = "credentials not found"


class NotPermitted(DomainError):
    """The caller is known and may not do this."""

    base = "not authorized"


class AuthorizationNotConfigured(DomainError):
    """The server has no rule for this method. The operator must add one."""

    base = "service authorization is misconfigured"


class ResourceExhausted(DomainError):
    """A limit is reached. Try again later."""

    base = "resource exhausted"


class Cancelled(DomainError):
    """The caller went away."""

    base = "context canceled"


class DeadlineExceeded(DomainError):
    """The time given for the work is over. Ask for less, or give more time."""

    base = "context deadline exceeded"


class ServerError(DomainError):
    """The server failed in a way it can name."""

    base = "server error"


class NotImplementedYet(DomainError):
    """The request is valid, and this release does not serve it."""

    base = "not implemented"


class StoreFailed(DomainError):
    """The store refused a statement. The log holds the driver's text."""

    base = "Database operation failed"


class StoreUnavailable(DomainError):
    """The store cannot take work now. Retry after `retry_after_seconds`."""

    base = "service unavailable"

    def __init__(self, message: str = "", *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StoreClosed(StoreUnavailable):
    """The store was used after `close()`."""

    base = "the store is closed"


class Fenced(DomainError):
    """Another writer took the cluster over. Nothing was written; stop, or take the fence again."""

    base = "another writer holds this cluster"


class SchemaTooNew(DomainError):
    """The database was written by a newer release. Run that release, or restore a backup."""

    base = "the database was written by a newer release"


class BadInput(DomainError):
    """A file, a setting or an environment is not usable. The text names it and what to do."""

    base = "unusable input"
