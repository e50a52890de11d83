"""Where the events of subscriptions come from: what is new in a table since the last look, told by its id.

Each source begins to listen before it looks for the first time, and looks again whenever it is woken
(`models/listening.py`). What it looks at has everything in one order, given under a lock that is held until the commit:
the agent's feed, or the practice's record. So the place up to which it has told is all it remembers, and who comes
back to that place misses nothing.

A source reads for the person who subscribed, so the database shows it what that person may see (`models/tenancy.py`).
Whether it may be told is asked afterwards, for each event (`resolvers/subscription.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import limits
from errors import NotFound
from models.connection import Row, listening, read
from resolvers import changes, objects
from resolvers.context import Context
from resolvers.rows import QUERIES
from resolvers.subscription import Event
from schema.agent import ConnectToken
from schema.change import Change
from schema.engagement import Engagement
from schema.kinds import TokenStatus

MOST = 200  # read at once: a source that has much to tell is asked for one event at a time
# A page is asked for, and then what changes on it, or the other way round: what happened in between is told.
BEFORE = timedelta(seconds=10)

_FEED_END = "SELECT number FROM change_heads WHERE agent_id = $1"
_FEED = """
SELECT number AS change_number, at AS change_at, type AS change_type, engagement_id
FROM agent_changes WHERE agent_id = $1 AND number > $2 ORDER BY number LIMIT $3
"""
_RECORD_THEN = "SELECT sequence FROM audit_events WHERE chain_id = $1 AND at < $2 ORDER BY sequence DESC LIMIT 1"
_RECORD = """
SELECT sequence, engagement_id FROM audit_events WHERE chain_id = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class FeedGrew(Event):
    """`row`: the change's own columns; the engagement is read when it is shown."""

    row: Row

    async def shown(self, context: Context) -> Change:
        return changes.change(context, self.row, await _engagement(context, self.row["engagement_id"]))


@dataclass(frozen=True, slots=True)
class EngagementMoved(Event):
    engagement_id: UUID

    async def shown(self, context: Context) -> Engagement:
        return context.engagement(await _engagement(context, self.engagement_id))


@dataclass(frozen=True, slots=True)
class TokenMoved(Event):
    token_id: UUID

    async def shown(self, context: Context) -> ConnectToken:
        row = await context.the("token", self.token_id)
        return objects.token(row, context.policy.tokens.attempts, context.now)


async def _engagement(context: Context, key: UUID) -> Row:
    row = await context.row("engagement", key)
    if row is None:  # who sees no such engagement any more
        raise NotFound
    return row


async def feed(agent_id: UUID, after: str | None) -> AsyncGenerator[Event, None]:
    """Everything behind `after` in the agent's feed, then whatever comes; without it, what comes from now on.

    Raises InvalidInput.
    """
    with listening().to(f"agent {agent_id}") as woken:
        found = await read(_FEED_END, agent_id)
        end = found[0]["number"] if found else 0
        told = end if after is None else changes.place_of(agent_id, after)
        changes.refuse_ahead(told, end)
        while True:
            woken.clear()
            rows = await read(_FEED, agent_id, told, MOST)
            for row in rows:
                told = row["change_number"]
                yield FeedGrew(row)
            if len(rows) < MOST:
                await woken.wait()


async def engagements(context: Context, practice_id: UUID) -> AsyncGenerator[Event, None]:
    """Each engagement of the practice about which there is something new in the practice's record. What happens to one
    several times between two looks is told once."""
    since = context.request.now - BEFORE
    with listening().to(f"practice {practice_id}") as woken:
        found = await read(_RECORD_THEN, practice_id, since)
        told = found[0]["sequence"] if found else 0
        while True:
            woken.clear()
            rows = await read(_RECORD, practice_id, told, MOST)
            for key in dict.fromkeys(row["engagement_id"] for row in rows if row["engagement_id"]):
                yield EngagementMoved(key)
            told = rows[-1]["sequence"] if rows else told
            if len(rows) < MOST:
                await woken.wait()


async def token(context: Context, token_id: UUID) -> AsyncGenerator[Event, None]:
    """The token as it is, then whenever it differs from what was told last; until it is over, which is told, too."""
    clock = context.request.clock or (lambda: context.request.now)
    told = None
    with listening().to(f"token {token_id}") as woken:
        while told is None or told[0] is TokenStatus.ISSUED:
            woken.clear()
            (row,) = await read(QUERIES["token"], [token_id])
            found = objects.token(row, context.policy.tokens.attempts, clock())
            seen = (found.status, found.attempts_remaining, row["engagement_id"])
            if seen != told:
                told = seen
                yield TokenMoved(token_id)
            if found.status is TokenStatus.ISSUED:
                await _woken_or(woken, found.expires_at, clock)


async def _woken_or(woken: asyncio.Event, moment: datetime, clock: Callable[[], datetime]) -> None:
    """Until there is something to look at, or the clock says that it is time. A clock can be set: it is looked at now
    and then."""
    while not woken.is_set() and (left := (moment - clock()).total_seconds()) > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, limits.of("watch_milliseconds") / 1000)):
                await woken.wait()
