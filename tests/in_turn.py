"""Two requests that meet at one practice: both are past the guard and wait for its row, then go on in the order asked.

What the first one changes, the second one's caller could not know. Which of two goes first is said by the test, so
that both orders are seen each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import asyncpg

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def in_turn(database_url: str, *requests: Awaitable[Any]) -> list[Any]:
    """The answers, in the order in which the requests were let through."""
    session = await asyncpg.connect(database_url)
    started = []
    try:
        async with session.transaction():
            await session.execute("SELECT FROM practices FOR UPDATE")
            for number, request in enumerate(requests, start=1):
                started.append(asyncio.ensure_future(request))
                await _until_waiting(session, number)
        return list(await asyncio.gather(*started))
    finally:
        await session.close()


async def _until_waiting(session: asyncpg.Connection, number: int) -> None:
    for _ in range(500):
        if await session.fetchval(_WAITING) >= number:
            return
        await asyncio.sleep(0.002)
    raise AssertionError(f"request {number} never came to the practice's lock")
