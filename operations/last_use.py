"""When sessions and API keys were last used, written down a moment later: one statement for all used meanwhile.

The last use is kept to the minute, so a session that is used all the time is written once a minute. In a transaction
of its own, each of these would cost as much as the page that was asked for. What is lost when the process dies is a
second of that minute.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from datetime import datetime, timedelta
from logging import getLogger
from uuid import UUID

from models.connection import client

WRITTEN_AFTER = 1.0  # seconds
OVERDUE = timedelta(seconds=10)  # by the clock of the requests: then whoever asks next does not wait for the writer
LOGGER = getLogger("sparekey.sessions")

# What somebody else is changing is left out: two workers that write the same rows must not wait crosswise.
_WRITE = """
WITH used AS (
    SELECT s.id, noted.at FROM unnest($1::uuid[], $2::timestamptz[]) AS noted (id, at) JOIN {table} s USING (id)
    WHERE s.{column} IS NULL OR s.{column} < noted.at FOR UPDATE OF s SKIP LOCKED
)
UPDATE {table} s SET {column} = used.at FROM used WHERE s.id = used.id
"""
_STATEMENTS = {
    "sessions": _WRITE.format(table="sessions", column="last_seen_at"),
    "api_keys": _WRITE.format(table="api_keys", column="last_used_at"),
}


def used_by(session_id: UUID | None, api_key_id: UUID | None) -> tuple[str, UUID] | None:
    """The row that keeps the last use; None where a request was made with neither."""
    if session_id is not None:
        return "sessions", session_id
    return None if api_key_id is None else ("api_keys", api_key_id)


class LastUses:
    def __init__(self) -> None:
        self._noted: dict[tuple[str, UUID], datetime] = {}
        self._since: datetime | None = None  # of what is noted, the first
        self._writing: asyncio.Task[None] | None = None

    def note(self, table: str, key: UUID, at: datetime) -> None:
        self._noted[table, key] = at
        self._since = self._since or at
        if self._writing is None or self._writing.done():
            # In a context of its own: it is nobody's request, and no request's deadline is its own.
            self._writing = asyncio.get_running_loop().create_task(self._write_soon(), context=Context())

    async def _write_soon(self) -> None:
        while self._noted:
            await asyncio.sleep(WRITTEN_AFTER)
            await self.write()

    async def catch_up(self, now: datetime) -> None:
        """Before somebody is judged by what is written."""
        if self._since is not None and now - self._since > OVERDUE:
            await self.write()

    async def write(self) -> None:
        """What cannot be written is noted again by the next use, a minute later."""
        noted, self._noted, self._since = self._noted, {}, None
        for table, statement in _STATEMENTS.items():
            keys = {key: at for (name, key), at in noted.items() if name == table}
            if keys:
                await _write(statement, table, keys)

    async def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            self._writing.cancel()
        await self.write()


async def _write(statement: str, table: str, keys: dict[UUID, datetime]) -> None:
    try:
        await client().execute_query_dict(statement, [list(keys), list(keys.values())])
    except Exception as fault:
        LOGGER.warning("the last use of %d %s was not written: %s", len(keys), table, type(fault).__name__)
