"""Audit events as their hash is made of them: ids and times as text, so that a row is hashed or exported as it comes.

PostgreSQL writes that text. In Python each event would cost four times as much, and a chain may have a million.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from models.connection import Row, read
from operations.record import EVENT_COLUMNS

BATCH = 500  # some milliseconds of work: others have their turn in between

# Of a time before Christ `to_char` leaves out that it is; null is no event's time, so the hash shows it.
_AT = """CASE WHEN at >= '0001-01-01Z' THEN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END"""
_TEXT = {"timestamptz": f"{_AT} AS %s", "uuid": "%s::text", "jsonb": "%s::text"}
JSON = tuple(name for name, kind in EVENT_COLUMNS.items() if kind == "jsonb")
AS_TEXT = ", ".join(_TEXT.get(kind, "%s").replace("%s", name) for name, kind in EVENT_COLUMNS.items())

_PAGE = f"""
SELECT {AS_TEXT} FROM audit_events v WHERE v.chain_id = $1 AND v.sequence > $2 AND v.sequence <= $3
AND ($4::timestamptz IS NULL OR v.at >= $4) AND ($5::timestamptz IS NULL OR v.at < $5)
ORDER BY v.sequence LIMIT $6
"""  # noqa: S608  (our own text)
_HEAD = "SELECT sequence, hash FROM audit_heads WHERE chain_id = $1"


@dataclass(frozen=True, slots=True)
class Head:
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Span:
    """Which events of a chain: at or after `since`, before `until`; all where neither is said."""

    chain_id: UUID
    since: datetime | None = None
    until: datetime | None = None


async def head(chain_id: UUID) -> Head | None:
    for row in await read(_HEAD, chain_id):
        return Head(row["sequence"], row["hash"])
    return None


def event(row: Row) -> dict[str, Any]:
    """Its JSON values by column. Raises JSONDecodeError where JSON was stored that no event ever had."""
    found = dict(row)
    for name in JSON:
        if found[name] is not None:
            found[name] = orjson.loads(found[name])
    if found["snapshot"] is None:  # as its hash is made: see `event_hash`
        del found["snapshot"]
    return found


Step = Callable[[Callable[[], Awaitable[list[Row]]]], Awaitable[list[Row]]]


async def pages(span: Span, last: int, step: Step) -> AsyncIterator[list[Row]]:
    """Up to the event with the sequence `last`, page after page, each a statement of its own that `step` makes.

    Between two pages no connection is held: a client may read as slowly as it likes.
    """
    after = 0
    while page := await step(partial(read, _PAGE, span.chain_id, after, last, span.since, span.until, BATCH)):
        yield page
        after = page[-1]["sequence"]
