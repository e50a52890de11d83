from __future__ import annotations

import asyncio
import contextvars
import logging
from uuid import uuid4

import pytest
from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.transactions import in_transaction

from models import AuditHead, connection
from models.asyncpg_client import AsyncpgClient, PoolExhausted, urgently
from models.connection import Connection
from models.unit_of_work import unit_of_work
from server.embedded import Embedded
from tests.cancellation import cancel_at_every_await
from tests.conftest import all_given_back


async def test_a_transaction_cancelled_at_any_await_gives_its_connection_back(database: AsyncpgClient) -> None:
    async def write() -> None:
        async with in_transaction() as transaction:
            await transaction.execute_query(
                "INSERT INTO audit_heads (chain_id, sequence, hash) VALUES ($1, 1, '')", [str(uuid4())]
            )

    async def nothing_is_left() -> None:
        await all_given_back(database)
        open_ones = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
        assert (await database.execute_query_dict(open_ones))[0]["count"] == 0

    cuts = 0
    while cuts < 200:
        cuts += await cancel_at_every_await(write, nothing_is_left)


async def test_the_stock_client_loses_connections_there_so_ours_is_still_needed(
    postgres: Embedded, database_url: str, pool: AsyncpgClient
) -> None:
    """`pool` is there because the library's own works only where something is connected."""
    stock = AsyncpgDBClient(
        connection_name="default", user="postgres", database=database_url.rpartition("/")[2].partition("?")[0],
        host=str(postgres.socket_folder), minsize=1, maxsize=5,
    )  # fmt: skip
    await stock.create_connection(with_db=True)
    assert stock._pool is not None
    lost = 0

    async def begin() -> None:
        async with stock._in_transaction():
            pass

    async def count_lost() -> None:
        nonlocal lost
        assert stock._pool is not None
        lost = stock._pool.get_size() - stock._pool.get_idle_size()

    try:
        await asyncio.wait_for(cancel_at_every_await(begin, count_lost), 2)
    except TimeoutError:
        pass
    finally:
        stock._pool.terminate()
    assert lost > 0


async def test_an_exhausted_pool_is_an_answer_and_not_a_hang(
    database: AsyncpgClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "acquire_timeout", 0.05)
    assert database._pool is not None
    held = [await database._pool.acquire() for _ in range(database._pool.get_max_size())]
    try:
        async with asyncio.timeout(2):
            with pytest.raises(PoolExhausted):
                await database.execute_query("SELECT 1")
            with pytest.raises(PoolExhausted):
                await unit_of_work(_nothing)
    finally:
        for one in held:
            await database._pool.release(one)


async def test_who_waits_longest_gets_the_next_connection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the pool's own queue somebody who comes between the giving back and the waking up is served first."""
    single = AsyncpgClient(connection_name="default", **connection.options(database_url, minsize=1, maxsize=1))
    pool, order, late = await single.pool(), list[str](), list[asyncio.Task[None]]()
    give_back = pool._queue.put_nowait

    async def ask(name: str) -> None:
        await single.execute_query("SELECT 1")
        order.append(name)

    def give_back_when_somebody_comes(holder: object) -> None:
        if not late:
            late.append(asyncio.ensure_future(ask("late")))
        give_back(holder)

    monkeypatch.setattr(pool._queue, "put_nowait", give_back_when_somebody_comes)
    await asyncio.gather(*(ask(name) for name in ("first", "second", "third")))
    await late[0]
    await single.close()
    assert order == ["first", "second", "third", "late"]


async def test_when_everything_else_is_in_use_something_urgent_still_finds_a_connection(database_url: str) -> None:
    small = AsyncpgClient(connection_name="default", **connection.options(database_url, minsize=1, maxsize=3))
    held = await small.acquire()  # two of the three are reserved
    small.acquire_timeout = 0.05
    with pytest.raises(PoolExhausted):
        await small.execute_query("SELECT 1")
    with urgently(True):
        await small.execute_query("SELECT 1")
        more = [await small.acquire(), await small.acquire()]
        with pytest.raises(PoolExhausted):
            await small.execute_query("SELECT 1")
    for one in (held, *more):
        await small.release(one)
    await small.execute_query("SELECT 1")
    await small.close()


async def _nothing(_: Connection) -> None:
    pass


async def test_a_task_that_never_saw_the_start_can_query(database: AsyncpgClient) -> None:
    async def count() -> int:
        return await AuditHead.all().count()

    assert await asyncio.create_task(count(), context=contextvars.Context()) == 0


async def test_the_servers_limits_are_set_on_every_connection(database: AsyncpgClient) -> None:
    names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone", "application_name")
    shown = [(await database.execute_query_dict(f"SHOW {name}"))[0] for name in names]
    assert [next(iter(row.values())) for row in shown] == ["10s", "5s", "15s", "UTC", "sparekey"]


async def test_a_password_in_the_url_reaches_no_log(
    postgres: Embedded, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = database_url.replace("postgres@", "postgres:correct-horse@")
    other = AsyncpgClient(connection_name="default", **connection.options(url, minsize=1, maxsize=1))
    await other.execute_query("SELECT 1")
    await other.close()
    assert caplog.records
    assert "correct-horse" not in caplog.text


async def test_connecting_twice_is_refused(database: AsyncpgClient) -> None:
    with pytest.raises(RuntimeError, match="disconnect"):
        await connection.connect(database.dsn)
