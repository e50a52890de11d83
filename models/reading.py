"""Reads outside a unit of work: one statement each, on connections that do nothing else.

Tortoise's pool asks PostgreSQL twice for every statement (the second time to reset the session) and makes a dictionary
of each row: 119 µs of the processor for a row by its id, where the driver on a held connection takes 20. What is read
here cannot change a session or a row (the connections are read-only), so there is nothing to reset.

A statement says itself for whom it asks (`asked_for`): that ends with it, so a connection belongs to nobody, and it
costs no round trip of its own, which would be a fifth of a page.

A connection on which a statement was cut short is closed, not used again: what is left on it is nobody's answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import asyncpg

import limits
from models import deadline, tenancy
from models.asyncpg_client import PoolExhausted, is_urgent
from models.deadline import GIVEN_UP, DeadlinePassed
from models.tenancy import SETTING
from models.turns import Turns

Row: TypeAlias = Mapping[str, Any]  # asyncpg's Record; of that, what is looked up by column name


class Readers:
    """At most `most` connections, and a few for what is urgent, opened when they are first needed."""

    def __init__(self, dsn: str, most: int, acquire_seconds: float, options: Mapping[str, Any]) -> None:
        self._dsn = dsn
        self._options = dict(options)
        self._acquire_seconds = acquire_seconds
        self._most = most
        self._free = Turns(most)
        self._reserved = Turns(limits.of("connections_reserved"))
        self._idle: deque[asyncpg.Connection] = deque()

    async def read(self, sql: str, *values: Any) -> list[Row]:
        """The rows of one statement. Raises PoolExhausted when no connection becomes free in time, DeadlinePassed when
        the request's time is over."""
        left = deadline.left()
        if left == 0:
            raise DeadlinePassed
        turn = await self._turn(self._acquire_seconds if left is None else min(left, self._acquire_seconds))
        try:
            return await self._on(await self._connection(), sql, values)
        finally:
            turn.give_back()

    async def _turn(self, seconds: float) -> Turns:
        reserved = self._free.is_closed and is_urgent() and not self._reserved.is_closed
        turn = self._reserved if reserved else self._free
        try:
            await turn.take(seconds)
        except TimeoutError:
            raise PoolExhausted("every reading connection is in use") from None
        return turn

    async def _connection(self) -> asyncpg.Connection:
        """The one used last: the others can grow old."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await self._opened()

    async def _opened(self) -> asyncpg.Connection:
        """A caller who goes away meanwhile leaves it to the next one."""
        opening = asyncio.ensure_future(asyncpg.connect(self._dsn, **self._options))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._keep)
            raise

    def _keep(self, opening: asyncio.Future[asyncpg.Connection]) -> None:
        if not opening.cancelled() and opening.exception() is None:
            self._give_back(opening.result())

    async def _on(self, connection: asyncpg.Connection, sql: str, values: tuple[Any, ...]) -> list[Row]:
        asked, who = asked_for(sql, len(values) + 1), tenancy.acting().who
        try:
            rows: list[Row] = await connection.fetch(asked, *values, who, timeout=deadline.left())
        except asyncpg.PostgresError as fault:  # the statement was refused; the connection is as good as before
            self._give_back(connection)
            if isinstance(fault, GIVEN_UP):
                raise DeadlinePassed from None
            raise
        except TimeoutError:
            connection.terminate()
            raise DeadlinePassed from None
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
        for _ in range(self._most):
            await self._free.take(self._acquire_seconds)
        held = [await self._connection() for _ in range(self._most)]
        for connection in held:
            self._give_back(connection)
            self._free.give_back()
        return held

    def close(self) -> None:
        """Whatever still runs on one fails."""
        while self._idle:
            self._idle.pop().terminate()


@lru_cache(maxsize=1024)
def asked_for(sql: str, place: int) -> str:
    """The statement, asked for whoever parameter `place` names, and for nobody once it is over.

    PostgreSQL evaluates what is LATERAL for each row of what it refers to (its documentation, 7.2.1.5), and OFFSET 0
    keeps the planner from merging the two: so the setting is there before row-level security looks for it. Were it
    ever not, the statement would be nobody's and would see no rows.
    """
    setting = f"SELECT set_config('{SETTING}', ${place}, true) AS told OFFSET 0"
    return (
        f"SELECT asked.* FROM ({setting}) acting CROSS JOIN LATERAL"  # noqa: S608  (our own text)
        f" (SELECT * FROM ({sql}) statement WHERE acting.told IS NOT NULL OFFSET 0) asked"
    )
