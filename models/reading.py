"""Reads outside a unit of work: one statement each, on connections that do nothing else.

Tortoise's pool asks PostgreSQL twice for every statement (the second time to reset the session) and makes a dictionary
of each row: 119 µs of the processor for a row by its id, where the driver on a held connection takes 20. What is read
here cannot change a session or a row (the connections are read-only), so there is nothing to reset.

A connection on which a statement was cut short is closed, not used again: what is left on it is nobody's answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, TypeAlias

import asyncpg

from models.asyncpg_client import PoolExhausted

Row: TypeAlias = Mapping[str, Any]  # asyncpg's Record; of that, what is looked up by column name


class Readers:
    """At most `most` connections, opened when they are first needed."""

    def __init__(self, dsn: str, most: int, acquire_seconds: float, options: Mapping[str, Any]) -> None:
        self._dsn = dsn
        self._options = dict(options)
        self._acquire_seconds = acquire_seconds
        self._most = most
        self._free = asyncio.Semaphore(most)
        self._idle: deque[asyncpg.Connection] = deque()

    async def read(self, sql: str, *values: Any) -> list[Row]:
        """The rows of one statement. Raises PoolExhausted when no connection becomes free in time."""
        await self._acquire()
        try:
            return await self._on(await self._connection(), sql, values)
        finally:
            self._free.release()

    async def _acquire(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        try:
            async with asyncio.timeout(self._acquire_seconds):
                await self._free.acquire()
        except TimeoutError:
            raise PoolExhausted("every reading connection is in use") from None

    async def _connection(self) -> asyncpg.Connection:
        while self._idle:
            connection = self._idle.pop()  # the one used last: its caches are warm, and the others can grow old
            if not connection.is_closed():
                return connection
        return await asyncpg.connect(self._dsn, **self._options)

    async def _on(self, connection: asyncpg.Connection, sql: str, values: tuple[Any, ...]) -> list[Row]:
        try:
            rows: list[Row] = await connection.fetch(sql, *values)
        except asyncpg.PostgresError:  # the statement was refused; the connection is as good as before
            self._give_back(connection)
            raise
        except BaseException:
            connection.terminate()
            raise
        self._give_back(connection)
        return rows

    def _give_back(self, connection: asyncpg.Connection) -> None:
        if not connection.is_closed():
            self._idle.append(connection)

    async def all(self) -> list[asyncpg.Connection]:
        """Every connection there can be, opened: for whoever wants to watch them."""
        held = []
        for _ in range(self._most):
            await self._acquire()
            held.append(await self._connection())
        for connection in held:
            self._give_back(connection)
            self._free.release()
        return held

    @property
    def in_use(self) -> int:
        return self._most - self._free._value

    def close(self) -> None:
        """Whatever still runs on one fails."""
        while self._idle:
            self._idle.pop().terminate()
