"""When agents last used each of their roles, written down a moment later: what a review of them goes by.

As the last use of sessions (`operations/last_use.py`), it is kept to the minute, and what is lost when the process dies
is a second of it.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from datetime import datetime, timedelta
from logging import getLogger
from typing import TypeAlias
from uuid import UUID

from models.connection import client
from models.identifier import uuid7
from models.tenancy import SERVICE, acting_for

EVERY = timedelta(seconds=60)
WRITTEN_AFTER = 1.0  # seconds
MOST = 20_000  # pairs whose last use is kept in mind; then it is forgotten, and the next use is written again
LOGGER = getLogger("sparekey.roles")

Pair: TypeAlias = tuple[UUID, str]  # an engagement and a role of it

_WRITE = """
INSERT INTO role_uses AS u (id, engagement_id, role, last_used_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
ON CONFLICT (engagement_id, role) DO UPDATE SET last_used_at = excluded.last_used_at
WHERE u.last_used_at < excluded.last_used_at
"""


class RoleUses:
    def __init__(self) -> None:
        self._last: dict[Pair, datetime] = {}
        self._noted: dict[Pair, datetime] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, engagement_id: UUID, role: str, at: datetime) -> datetime:
        """When a use of it is to be noted again."""
        pair = (engagement_id, role)
        last = self._last.get(pair)
        if last is not None and last <= at < last + EVERY:
            return last + EVERY
        if len(self._last) >= MOST:
            self._last.clear()
        self._last[pair] = self._noted[pair] = at
        if self._writing is None or self._writing.done():
            # In a context of its own: it is nobody's request, and no request's deadline is its own.
            self._writing = asyncio.get_running_loop().create_task(self._write_soon(), context=Context())
        return at + EVERY

    async def _write_soon(self) -> None:
        while self._noted:
            await asyncio.sleep(WRITTEN_AFTER)
            await self.write()

    async def write(self) -> None:
        """In one order, so that two workers never wait crosswise. What cannot be written is noted by the next use."""
        noted, self._noted = sorted(self._noted.items()), {}
        if not noted:
            return
        columns = [
            [uuid7() for _ in noted],
            [engagement for (engagement, _), _ in noted],
            [role for (_, role), _ in noted],
            [at for _, at in noted],
        ]
        try:
            with acting_for(SERVICE):  # whoever used it need not be of the practice that looks at it
                await client().execute_query_dict(_WRITE, columns)
        except Exception as fault:
            LOGGER.warning("the last use of %d roles was not written: %s", len(noted), type(fault).__name__)

    async def close(self) -> None:
        """Write what is left."""
        if self._writing is not None:
            self._writing.cancel()
        await self.write()
