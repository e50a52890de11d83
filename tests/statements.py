"""Every statement that reaches PostgreSQL, as the driver itself reports it: none can hide behind a layer of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from models.asyncpg_client import AsyncpgClient
from models.connection import readers

# What the driver sends for itself: a connection comes back to the pool, or meets a type for the first time.
# And what only says for whom the next ones ask: one small message, which no table is read for.
SAID = ("SET SESSION sparekey.acting", "SET LOCAL sparekey.acting")
ITS_OWN = ("pg_advisory_unlock_all", "typeinfo_tree", "'jit'", *SAID)


@asynccontextmanager
async def noted(client: AsyncpgClient, its_own: tuple[str, ...] = ITS_OWN) -> AsyncIterator[list[str]]:
    """The statements of the pool's connections while the block runs, but for the driver's own; the list grows."""
    seen: list[str] = []

    def note(logged: Any) -> None:
        if not any(words in logged.query for words in its_own):
            seen.append(logged.query)

    connections = await _all(client)
    for connection in connections:
        connection.add_query_logger(note)
    try:
        yield seen
        await asyncio.sleep(0)  # the driver reports in the next turn of the loop
    finally:
        for connection in connections:
            connection.remove_query_logger(note)


async def _all(client: AsyncpgClient) -> list[Any]:
    """Every connection that the pool can have, opened, so that no later one goes unnoticed."""
    pool = await client.pool()
    held = [await pool.acquire() for _ in range(pool.get_max_size())]
    connections = [proxy._con for proxy in held]
    for proxy in held:
        await pool.release(proxy)
    return [*connections, *await readers().all()]
