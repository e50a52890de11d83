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
from typing import Any, NamedTuple, TypeAlias

import asyncpg

import limits
from models import deadline, tenancy
from models.asyncpg_client import PoolExhausted, is_urgent
from models.deadline import GIVEN_UP, DeadlinePassed
from models.tenancy import Acting

Row: TypeAlias = Mapping[str, Any]  # asyncpg's Record; of that, what is looked up by column name


class Idle(NamedTuple):
    """A connection and for whom it asks; `told` once PostgreSQL knows."""

    connection: asyncpg.Connection
    acting: Acting
    told: bool = True


class Readers:
    """At most `most` connections, and a few for what is urgent, opened when they are first needed."""

    def __init__(self, dsn: str, most: int, acquire_seconds: float, options: Mapping[str, Any]) -> None:
        self._dsn = dsn
        self._options = dict(options)
        self._acquire_seconds = acquire_seconds
        self._most = most
        self._free = asyncio.Semaphore(most)
        self._reserved = asyncio.Semaphore(limits.of("connections_reserved"))
        self._idle: deque[Idle] = deque()

    async def read(self, sql: str, *values: Any) -> list[Row]:
        """The rows of one statement. Raises PoolExhausted when no connection becomes free in time, DeadlinePassed when
        the request's time is over."""
        left = deadline.left()
        if left == 0:
            raise DeadlinePassed
        turn = await self._turn(self._acquire_seconds if left is None else min(left, self._acquire_seconds))
        try:
            return await self._on(await self._connection(tenancy.acting()), sql, values)
        finally:
            turn.release()

    async def _turn(self, seconds: float) -> asyncio.Semaphore:
        reserved = self._free.locked() and is_urgent() and not self._reserved.locked()
        turn = self._reserved if reserved else self._free
        if not turn.locked():
            await turn.acquire()
            return turn
        try:
            async with asyncio.timeout(seconds):
                await turn.acquire()
        except TimeoutError:
            raise PoolExhausted("every reading connection is in use") from None
        return turn

    async def _connection(self, acting: Acting) -> Idle:
        """One that asks for this caller already, or else the one used last: the others can grow old."""
        while self._idle:
            at = next((at for at, idle in enumerate(self._idle) if idle.acting == acting), -1)
            idle = self._idle[at]
            del self._idle[at]
            if not idle.connection.is_closed():
                return Idle(idle.connection, acting, told=idle.acting == acting)
        return Idle(await self._opened(), acting, told=acting == tenancy.NOBODY)

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
            self._give_back(Idle(opening.result(), tenancy.NOBODY))

    async def _on(self, idle: Idle, sql: str, values: tuple[Any, ...]) -> list[Row]:
        connection = idle.connection
        if not idle.told:
            await _tell(idle)
        try:
            rows: list[Row] = await connection.fetch(sql, *values, timeout=deadline.left())
        except asyncpg.PostgresError as fault:  # the statement was refused; the connection is as good as before
            self._give_back(idle)
            if isinstance(fault, GIVEN_UP):
                raise DeadlinePassed from None
            raise
        except TimeoutError:
            connection.terminate()
            raise DeadlinePassed from None
        except BaseException:
            connection.terminate()
            raise
        self._give_back(idle)
        return rows

    def _give_back(self, idle: Idle) -> None:
        if not idle.connection.is_closed():
            self._idle.append(idle)

    async def all(self) -> list[asyncpg.Connection]:
        """Every connection there can be, opened: for whoever wants to watch them."""
        for _ in range(self._most):
            await self._free.acquire()
        held = [await self._connection(tenancy.acting()) for _ in range(self._most)]
        for idle in held:
            if not idle.told:
                await _tell(idle)
            self._give_back(idle)
            self._free.release()
        return [idle.connection for idle in held]

    def close(self) -> None:
        """Whatever still runs on one fails."""
        while self._idle:
            self._idle.pop().connection.terminate()


async def _tell(idle: Idle) -> None:
    """PostgreSQL, for whom the connection asks from now on. Where that fails, it asks for nobody any more."""
    try:
        await idle.connection.execute(idle.acting.settings(), timeout=deadline.left())
    except BaseException as fault:
        idle.connection.terminate()
        if isinstance(fault, TimeoutError | asyncpg.QueryCanceledError):
            raise DeadlinePassed from None
        raise
