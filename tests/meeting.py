"""Two changes that meet at one engagement, in a known order, on two connections.

A third connection stands in the way of the first one. At the end of the practice's record, which every change writes
last: then it has changed what it changes, holds its locks and has not committed when the second one sets out. Or at the
engagement: then it holds only what it locks before. When the second one waits for it (PostgreSQL says who waits for
whom), or was answered without waiting, the first may go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

# Places to meet: what stands in the way, of the practice $1.
RECORD = "SELECT FROM audit_heads WHERE chain_id::text = $1 FOR UPDATE"
ENGAGEMENT = "SELECT FROM engagements WHERE practice_id::text = $1 FOR UPDATE"

_WAITING_FOR = """
SELECT pid, query FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND $1 = ANY (pg_blocking_pids(pid))
"""
TRIES = 2000

Ask = Callable[[], Awaitable[Any]]


class Met(NamedTuple):
    """What both were answered, and at which statement the second one waited for the first. None: it did not wait."""

    first: Any
    second: Any
    waited_at: str | None


class Meetings:
    """`gate` stands in the way and `watch` looks who waits, because a transaction goes on to see what it saw first."""

    def __init__(self, gate: asyncpg.Connection, watch: asyncpg.Connection) -> None:
        self.gate, self.watch = gate, watch

    async def meet(self, place: str, practice: str, first: Ask, second: Ask) -> Met:
        started: list[asyncio.Future[Any]] = []
        try:
            async with self.gate.transaction():
                assert await self.gate.fetchrow(place, practice) is not None
                started.append(asyncio.ensure_future(first()))
                inside = await self._waits(self.gate.get_server_pid(), started[0])
                assert inside is not None, f"the first one met nobody: {started[0].result()}"
                started.append(asyncio.ensure_future(second()))
                behind = await self._waits(inside["pid"], started[1])
        finally:  # nothing stands in the way any more
            await asyncio.gather(*started, return_exceptions=True)
        one, other = (each.result() for each in started)
        return Met(one, other, behind["query"] if behind else None)

    async def _waits(self, pid: int, request: asyncio.Future[Any]) -> asyncpg.Record | None:
        """Who waits for this backend; nobody, if the request was answered."""
        for _ in range(TRIES):
            found = await self.watch.fetchrow(_WAITING_FOR, pid)
            if found is not None or request.done():
                return found
            await asyncio.sleep(0.001)
        raise AssertionError("the request was neither answered nor stopped by the other one's lock")


@asynccontextmanager
async def meetings(database_url: str) -> AsyncIterator[Meetings]:
    async with AsyncExitStack() as stack:
        sessions = [await asyncpg.connect(database_url) for _ in range(2)]
        for session in sessions:
            stack.push_async_callback(session.close)
        yield Meetings(*sessions)
