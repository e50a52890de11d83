"""Reading more than fits into memory, as it was at one instant: one transaction, and cursors of the server's in it.

For commands. A request never holds a connection for as long as its client reads.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from models import tenancy
from models.connection import Row, client


@dataclass(frozen=True, slots=True)
class ReadTransaction:
    connection: Any  # asyncpg's, which has no types

    async def read(self, sql: str, *values: Any) -> list[Row]:
        rows: list[Row] = await self.connection.fetch(sql, *values)
        return rows

    async def batches(self, size: int, sql: str, *values: Any) -> AsyncIterator[list[Row]]:
        """The rows of one statement in its order, never more than `size` of them in memory."""
        cursor = await self.connection.cursor(sql, *values)
        while rows := await cursor.fetch(size):
            yield rows


@asynccontextmanager
async def read_transaction() -> AsyncIterator[ReadTransaction]:
    """What was committed before it began, whatever is committed meanwhile."""
    held = await client().acquire()
    try:
        async with held.connection.transaction(isolation="repeatable_read", readonly=True):
            await held.connection.execute(tenancy.acting().settings(local=True))
            yield ReadTransaction(held.connection)
    finally:
        await client().release(held)
