"""How a worker knows that what it remembers is still true: it asks the database, after the question has arrived.

Every change of a row that can be remembered writes the row's keys into `row_changes`, in its own transaction, by
triggers (migration 0003), whoever makes it and by whatever means. `confirm` reads, in one statement and so in one
snapshot, which changes have become visible since the snapshot before, and forgets what depends on them. Therefore:

    what was committed before `confirm` was called is known when it has returned.

That is all a read needs to be as fresh as a query: an answer from memory is one that a query begun after the question
arrived would have given. It holds for any number of workers, because each of them asks for itself and nobody has to
be told; a revocation that was answered is in the snapshot of every question that comes after it, in every worker.

Why nothing is missed: a change is seen once its transaction is in the snapshot and was not in the one before
(`pg_visible_in_snapshot`), so commits out of order make no gaps. A result is kept only if none of its rows changed
between the snapshot before its first read and its keeping (`memory.Recording`). When the connection is lost, all is
forgotten: that covers restarts, failover, and the table being unlogged. Old rows are pruned by a statement that leaves
`*`, everything, behind: whoever has not read since then forgets all.

Why it is cheap: all who ask while one look is under way share the next one, as writers share a commit. Under load it
is some microseconds a request; alone it is one round trip, which the query it saves would have cost, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

import asyncpg

from models.connection import client
from models.memory import Changes, Key

TIMEOUT = 1.0  # then a look has failed, and the question is answered by the database itself
MOST_ROWS = 20_000  # of the table, before it is pruned
PRUNE_SECONDS = 60.0
EVERYTHING = "*"

_SNAPSHOT = "SELECT pg_current_snapshot()::text"
_LOOK = """
SELECT pg_current_snapshot()::text AS snapshot, ARRAY(
    SELECT DISTINCT key FROM row_changes
    WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
) AS keys
"""
PRUNE = """
WITH pruned AS (
    DELETE FROM row_changes WHERE xid < pg_snapshot_xmin(pg_current_snapshot())
    AND (SELECT count(*) FROM row_changes) > $1 RETURNING 1
)
INSERT INTO row_changes (key) SELECT '*' WHERE EXISTS (SELECT 1 FROM pruned)
"""


class Freshness:
    """One connection that does nothing but look. It is opened by the first who asks."""

    def __init__(self, dsn: str, changes: Changes, server_settings: Mapping[str, str]) -> None:
        self._dsn = dsn
        self._changes = changes
        self._settings = {**server_settings, "default_transaction_read_only": "on"}
        self._connection: asyncpg.Connection | None = None
        self._snapshot = ""
        self._silent_until = 0.0  # who has just not answered in time is not waited for by everybody
        self._asking: list[asyncio.Future[bool]] = []
        self._looking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # asked for once: in Python 3.11 it is a system call

    async def confirm(self) -> bool:
        """Whether all that was committed before this call is known now. When it is not, nothing is remembered."""
        if time.monotonic() < self._silent_until:
            return False
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = self._loop.create_future()
        self._asking.append(answer)
        if self._looking is None or self._looking.done():
            self._looking = self._loop.create_task(self._look_until_nobody_asks())
        return await answer

    async def _look_until_nobody_asks(self) -> None:
        while self._asking:
            asking, self._asking = self._asking, []
            known = False
            try:
                known = await self._looked()
            finally:
                _answer(asking, known)

    async def _looked(self) -> bool:
        try:
            await self._look()
        except TimeoutError:
            self._silent_until = time.monotonic() + TIMEOUT
            self.lose()
        except Exception:  # whatever it was, nothing is known; the driver has many words for a lost connection
            self.lose()
        else:
            return True
        return False

    async def _look(self) -> None:
        if self._connection is None or self._connection.is_closed():
            self.lose()
            self._connection = await asyncpg.connect(self._dsn, server_settings=self._settings, timeout=TIMEOUT)
            self._snapshot = await self._connection.fetchval(_SNAPSHOT, timeout=TIMEOUT)
            return
        row = await self._connection.fetchrow(_LOOK, self._snapshot, timeout=TIMEOUT)
        self._snapshot = row["snapshot"]
        if row["keys"]:
            self._tell(row["keys"])

    def _tell(self, keys: Sequence[str]) -> None:
        if EVERYTHING in keys:
            self._changes.anything_may_have()
        else:
            self._changes.happened(map(_key, keys))

    def lose(self) -> None:
        """Forget everything, and the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        self._changes.anything_may_have()

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            with suppress(asyncio.CancelledError):
                await self._looking
        _answer(self._asking, False)
        self._asking = []
        self.lose()


def _answer(asking: Iterable[asyncio.Future[bool]], known: bool) -> None:
    """Some have gone away meanwhile."""
    for each in asking:
        if not each.done():
            each.set_result(known)


def _key(text: str) -> Key:
    name, _, value = text.partition(":")
    return name, UUID(value)


async def prune(most: int = MOST_ROWS) -> None:
    """Remove old rows where there are more than `most`. Any worker may do it at any time."""
    await client().execute_query_dict(PRUNE, [most])


async def prune_now_and_then() -> None:
    """For ever. When it fails, the next time will do."""
    while True:
        await asyncio.sleep(PRUNE_SECONDS)
        with suppress(Exception):
            await prune()
