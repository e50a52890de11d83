"""How long the present request may still take, known to everybody below the door who waits for the database.

The door sets the deadline, tasks inherit it, and statements and units of work end with it: a client that is told
"too long" does not leave work behind. A stream outlives the request that opened it, so `within` also replaces the
deadline for each of its steps, and `within(None)` lifts it.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

import asyncpg

from models.setting import Setting

NOT_READ = "this took too long; try again later"
NOT_DONE = "this took too long and was not done; try again"
UNKNOWN = "this took too long, and whether it was done is not known; repeat it with the same idempotency key"

# PostgreSQL gave up: the statement ran too long, or it waited too long for somebody else's row.
GIVEN_UP = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)

_moment: ContextVar[float | None] = ContextVar("deadline of the request", default=None)


class DeadlinePassed(Exception):
    """The time is over. The message says what is known about the work, and may be shown to the caller."""

    def __init__(self, message: str = NOT_READ) -> None:
        super().__init__(message)


def within(seconds: float | None) -> Setting[float | None]:
    """Everything in the block, and every task it starts, ends in so many seconds. Replaces an outer deadline."""
    return Setting(_moment, None if seconds is None else time.monotonic() + seconds)


def moment() -> float | None:
    """In time.monotonic(), which is the event loop's time, too; None without a deadline."""
    return _moment.get()


def left() -> float | None:
    """Seconds, at least 0; None without a deadline."""
    at = _moment.get()
    return None if at is None else max(0.0, at - time.monotonic())
