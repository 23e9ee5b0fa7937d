"""What can go wrong at a target, named for what the caller must do next.

| situation                                                  | raise        | the delivery engine then      |
|------------------------------------------------------------|--------------|-------------------------------|
| never reached the target, or a read failed before any write | NotSent      | retries, nothing changed      |
| 423, 429, 503 with Retry-After: it says it did not do it   | Throttled    | waits at least `retry_after` s |
| time-out, reset, 5xx, unreadable, once a write was sent    | Ambiguous    | reads back before all else    |
| the target refused the data (400, 409, 422, one of many)   | Refused      | opens a business exception    |
| a value has no counterpart at the target                   | Unmapped     | opens a business exception    |
| 412 or 428: the target's copy moved under us               | Stale        | re-reads and decides again    |
| 401/403, wrong certificate                                 | Unauthorised | opens the breaker, alerts     |
| this platform cannot take this type or action              | NotSupported | cancels, says so              |
| taken, but the receiver says later what came of it         | Unanswered   | asks again, nothing is counted |
| of several in one request, surely not applied: push it alone | Separately | pushes it by itself, nothing is counted |
| 410 of a subscriber: it wants nothing more                 | Gone         | pauses the target, alerts     |

They speak of the request that failed. What earlier requests of the same push did is counted by `sync.http`.
"""

from __future__ import annotations

from dataclasses import dataclass


class SyncError(Exception):
    """Anything a target or a mapping can answer; `message` is fit for a person to read."""

    code = "sync_error"

    def __init__(self, message: str, *, status: int | None = None, body: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.body = body  # redacted excerpt, at most 2 kB


class NotSent(SyncError):
    code = "not_sent"


class Ambiguous(SyncError):
    code = "ambiguous"


class Unauthorised(SyncError):
    code = "unauthorised"


class Stale(SyncError):
    code = "stale"


class NotSupported(SyncError):
    code = "not_supported"


class Separately(SyncError):
    code = "separately"


class Gone(SyncError):
    code = "gone"


class Unanswered(SyncError):
    """`retry_after`: seconds until it is worth asking the first time; the engine asks less and less often."""

    code = "unanswered"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Throttled(SyncError):
    """`retry_after` in seconds; callers apply a floor, because Concur sends 0."""

    code = "throttled"

    def __init__(self, message: str, *, retry_after: float, status: int | None = None, body: str = "") -> None:
        super().__init__(message, status=status, body=body)
        self.retry_after = retry_after


@dataclass(frozen=True)
class FieldProblem:
    """One thing the platform did not like: its field, its code and its own words."""

    field: str
    code: str
    message: str


class Refused(SyncError):
    code = "refused"

    def __init__(
        self,
        message: str,
        *,
        problems: tuple[FieldProblem, ...] = (),
        status: int | None = None,
        body: str = "",
    ) -> None:
        super().__init__(message, status=status, body=body)
        self.problems = problems


class Unmapped(Refused):
    """A canonical value that the value map of this target does not know."""

    code = "unmapped"

    def __init__(self, *, path: str, value: str, table: str) -> None:
        super().__init__(
            f"“{value}” has no counterpart in the value map “{table}” of this target.",
            problems=(FieldProblem(path, "unmapped", f"Add a row for “{value}” to the map “{table}”."),),
        )
        self.path, self.value, self.table = path, value, table
