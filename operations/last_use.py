"""When sessions were last used, written down a moment later: one statement for all that were used meanwhile.

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

# A session that somebody else is changing is left out: two workers that write the same ones must not wait crosswise.
_WRITE = """
WITH used AS (
    SELECT s.id, noted.at FROM unnest($1::uuid[], $2::timestamptz[]) AS noted (id, at) JOIN sessions s USING (id)
    WHERE s.last_seen_at < noted.at FOR UPDATE OF s SKIP LOCKED
)
UPDATE sessions s SET last_seen_at = used.at FROM used WHERE s.id = used.id
"""


class LastUses:
    def __init__(self) -> None:
        self._noted: dict[UUID, datetime] = {}
        self._since: datetime | None = None  # of what is noted, the first
        self._writing: asyncio.Task[None] | None = None

    def note(self, session: UUID, at: datetime) -> None:
        self._noted[session] = at
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
        if not noted:
            return
        try:
            await client().execute_query_dict(_WRITE, [list(noted), list(noted.values())])
        except Exception as fault:
            LOGGER.warning("the last use of %d sessions was not written: %s", len(noted), type(fault).__name__)

    async def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            self._writing.cancel()
        await self.write()
