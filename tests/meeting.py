"""Two changes that meet at one engagement, in a known order, on two connections.

The first one is let in and stopped inside its transaction: a third connection holds the end of the practice's record,
which every change writes last. It has changed what it changes, holds its locks and has not committed when the second
one sets out. Only when that one waits for the first (PostgreSQL says who waits for whom), or is done without waiting,
may the first one go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

_HOLD_RECORD = "SELECT FROM audit_heads WHERE chain_id::text = $1 FOR UPDATE"
_WAITING_FOR = """
SELECT pid, query FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND $1 = ANY (pg_blocking_pids(pid))
"""
TRIES = 2000


class Met(NamedTuple):
    """What both were answered, and at which statement the second one waited for the first. None: it did not wait."""

    first: Any
    second: Any
    waited_at: str | None


class Meetings:
    """`gate` holds the record and `watch` looks who waits, because a transaction goes on to see what it saw first."""

    def __init__(self, gate: asyncpg.Connection, watch: asyncpg.Connection) -> None:
        self.gate, self.watch = gate, watch

    async def meet(
        self, practice: str, first: Callable[[], Awaitable[Any]], second: Callable[[], Awaitable[Any]]
    ) -> Met:
        started: list[asyncio.Future[Any]] = []
        try:
            async with self.gate.transaction():
                assert await self.gate.fetchrow(_HOLD_RECORD, practice) is not None
                one = asyncio.ensure_future(first())
                started.append(one)
                inside = await self._waits(self.gate.get_server_pid(), one)
                assert inside is not None, f"the first was done without writing into the record: {one.result()}"
                other = asyncio.ensure_future(second())
                started.append(other)
                behind = await self._waits(inside["pid"], other)
        finally:  # the gate is open again
            await asyncio.gather(*started, return_exceptions=True)
        return Met(one.result(), other.result(), behind["query"] if behind else None)

    async def _waits(self, pid: int, request: asyncio.Future[Any]) -> asyncpg.Record | None:
        """Who waits for this backend; nobody, if the request was answered."""
        for _ in range(TRIES):
            found = await self.watch.fetchrow(_WAITING_FOR, pid)
            if found is not None or request.done():
                return found
            await asyncio.sleep(0.001)
        raise AssertionError("the request was neither answered nor stopped by the other one's lock")
