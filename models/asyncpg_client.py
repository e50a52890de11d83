"""Tortoise's PostgreSQL client with five repairs that production needs.

1. A task cancelled while it opens a transaction gives its connection back. The stock client keeps it, and
   after `maxsize` of those every request hangs. Cancellation is ordinary here: GraphQL cancels siblings.
2. Waiting for a free connection is bounded, so an exhausted pool is an answer and not a hang.
3. Who waits longest gets the next connection. In the pool's own queue somebody who has just given one back takes it
   again before those who wait, so that under load a few wait for ever. Some connections are for what is urgent.
4. A statement outside a unit of work ends with its request's deadline, and is cancelled on the server as well.
5. The URL goes to asyncpg whole: several hosts, unix sockets and TLS options mean what PostgreSQL says they
   mean, and the password never enters tortoise's own connection parameters, which it logs.

Tortoise picks its schema editor by finding "asyncpg" in the name of the module, hence this file's name.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections

import limits
from models import deadline, tenancy
from models.deadline import GIVEN_UP, DeadlinePassed
from models.setting import Setting
from models.turns import Turns

CLOSE_SECONDS = 1.0  # for connections that nobody gives back: the process is ending


_is_urgent: ContextVar[bool] = ContextVar("may use the reserved connections", default=False)


def urgently(urgent: bool) -> Setting[bool]:
    """What is done in the block, and in every task it starts, may use the reserved connections too, if it is urgent."""
    return Setting(_is_urgent, urgent)


def is_urgent() -> bool:
    return _is_urgent.get()


class PoolExhausted(Exception):
    """No connection became free in time. Says nothing about the request: the server is busy, try again."""


class Held(NamedTuple):
    """A connection of the pool, and the turn that goes back with it."""

    connection: Any
    turn: Turns


class AsyncpgClient(AsyncpgDBClient):
    def __init__(self, *, dsn: str, acquire_timeout: float, **options: Any) -> None:
        super().__init__(**options)
        self.dsn = dsn
        self.acquire_timeout = acquire_timeout
        reserved = min(limits.of("connections_reserved"), self.pool_maxsize - 1)
        self._turns = Turns(self.pool_maxsize - reserved)
        self._reserved_turns = Turns(reserved)

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        in_the_url = {"host", "port", "user", "password", "database", "loop"}
        return await asyncpg.create_pool(
            self.dsn, **{name: value for name, value in options.items() if name not in in_the_url}
        )

    async def pool(self) -> asyncpg.Pool:
        """The pool, opened by whoever needs it first."""
        if self._pool is None:
            async with self._pool_init_lock:
                if self._pool is None:
                    await self.create_connection(with_db=True)
        assert self._pool is not None  # noqa: S101  (create_connection sets it or raises; this tells mypy)
        return self._pool

    async def acquire(self) -> Held:
        """A connection, which `release` takes back."""
        pool, left = await self.pool(), deadline.left()
        if left == 0:
            raise DeadlinePassed
        try:
            async with asyncio.timeout(self.acquire_timeout if left is None else min(left, self.acquire_timeout)):
                return await self._acquire_in(self._turn(), pool)
        except TimeoutError:
            raise PoolExhausted("every database connection is in use") from None

    def _turn(self) -> Turns:
        reserved = is_urgent() and self._turns.is_closed and not self._reserved_turns.is_closed
        return self._reserved_turns if reserved else self._turns

    async def _acquire_in(self, turn: Turns, pool: asyncpg.Pool) -> Held:
        await turn.take(self.acquire_timeout)
        try:
            return Held(await pool.acquire(timeout=self.acquire_timeout), turn)
        except BaseException:
            turn.give_back()
            raise

    async def release(self, held: Held) -> None:
        """asyncpg shields this one itself; it rolls back whatever is still open."""
        try:
            if self._pool is not None:
                await self._pool.release(held.connection)
        finally:
            held.turn.give_back()

    async def _close(self) -> None:
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), CLOSE_SECONDS)
            except TimeoutError:
                self._pool.terminate()
            self._pool = None

    def acquire_connection(self) -> BoundedAcquire:
        return BoundedAcquire(self, self._pool_init_lock)

    def _in_transaction(self) -> TransactionContext:
        return Transaction(TransactionWrapper(self), self._pool_init_lock)


class BoundedAcquire(PoolConnectionWrapper[Any]):
    """One statement on a pooled connection, until the deadline."""

    client: AsyncpgClient

    async def __aenter__(self) -> Any:
        self.held = await self.client.acquire()
        self.bound = asyncio.timeout_at(deadline.moment())
        await self.bound.__aenter__()
        await self._tell()
        return self.held.connection

    async def _tell(self) -> None:
        """For whom it asks, until the pool resets the session. Nobody calls `__aexit__` after a failed `__aenter__`."""
        try:
            await self.held.connection.execute(tenancy.acting().settings())
        except BaseException as fault:
            await self.__aexit__(type(fault), fault, fault.__traceback__)
            raise

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            await self.bound.__aexit__(exc_type, exc_val, exc_tb)
        except TimeoutError:
            raise DeadlinePassed from None
        finally:
            with suppress(TimeoutError):  # the pool ends what it cannot reset in time; the statement's outcome stands
                await self.client.release(self.held)
        if isinstance(exc_val, GIVEN_UP):
            raise DeadlinePassed from exc_val


class Transaction(TransactionContextPooled):
    """A transaction whose connection goes back to the pool however the transaction ends."""

    client: TransactionWrapper

    async def __aenter__(self) -> TransactionalDBClient:
        self.held = await self._owner.acquire()
        self.client._connection = self.held.connection
        try:
            await self.client.begin()
            await self.held.connection.execute(tenancy.acting().settings(local=True))
        except BaseException:  # CancelledError above all: nobody calls __aexit__ after a failed __aenter__
            if self.client.transaction is not None:
                self.client.transaction._managed = True  # the release rolls it back; that is no fault to log
            await self._owner.release(self.held)
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            await self._finish(exc_type)
        finally:
            get_connections().reset(self.token)
            await self._owner.release(self.held)

    async def _finish(self, exc_type: type[BaseException] | None) -> None:
        if self.client._finalized:
            return
        if exc_type is None:
            await self.client.commit()
        else:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):  # the first failure is the news
                await self.client.rollback()

    @property
    def _owner(self) -> AsyncpgClient:
        owner = self.client._parent
        assert isinstance(owner, AsyncpgClient)  # noqa: S101  (`_in_transaction` made it; this tells mypy)
        return owner


client_class = AsyncpgClient
