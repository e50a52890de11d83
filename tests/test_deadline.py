"""The deadline of a request reaches the database, and what is said about a change at that moment is true."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from uuid import UUID

import pytest

from models import AuditHead, deadline
from models.asyncpg_client import AsyncpgClient, PoolExhausted
from models.connection import Connection
from models.deadline import NOT_DONE, UNKNOWN, DeadlinePassed
from models.unit_of_work import settle, unit_of_work
from tests.conftest import all_given_back
from tests.stored import as_owner

CHAIN = UUID("01975f0e-0000-7000-8000-000000000001")
AT_WORK = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%pg_sleep(7)%'"


async def insert(_: Connection) -> None:
    await AuditHead.create(chain_id=CHAIN, sequence=0, hash="")


async def insert_and_dawdle(transaction: Connection) -> None:
    await insert(transaction)
    await transaction.execute_query("SELECT pg_sleep(7)")


async def at_work(database: AsyncpgClient) -> int:
    """Statements that PostgreSQL still executes, the counting one left out."""
    states = f"{AT_WORK} AND state = 'active' AND pid <> pg_backend_pid()"
    return int((await database.execute_query_dict(states))[0]["count"])


async def test_a_statement_ends_with_its_deadline_here_and_in_postgresql(database: AsyncpgClient) -> None:
    began = time.monotonic()
    with deadline.within(0.2), pytest.raises(DeadlinePassed):
        await database.execute_query_dict("SELECT pg_sleep(7)")
    assert 0.15 < time.monotonic() - began < 1
    await all_given_back(database)
    assert await at_work(database) == 0


async def test_a_statement_in_time_is_answered_and_the_next_request_has_its_own_deadline(
    database: AsyncpgClient,
) -> None:
    with deadline.within(0.1):
        assert await database.execute_query_dict("SELECT 1 AS one") == [{"one": 1}]
        await asyncio.sleep(0.15)
        with pytest.raises(DeadlinePassed):
            await database.execute_query_dict("SELECT 1")
        with deadline.within(None):
            assert await database.execute_query_dict("SELECT 1 AS one") == [{"one": 1}]
    assert deadline.left() is None


async def test_waiting_for_a_connection_is_no_longer_than_the_deadline(database: AsyncpgClient) -> None:
    assert database._pool is not None
    held = [await database._pool.acquire() for _ in range(database._pool.get_max_size())]
    began = time.monotonic()
    try:
        with deadline.within(0.1), pytest.raises(PoolExhausted):
            await database.execute_query_dict("SELECT 1")
    finally:
        for one in held:
            await database._pool.release(one)
    assert time.monotonic() - began < 0.5


async def test_a_unit_at_its_deadline_is_undone_completely_and_said_to_be(database: AsyncpgClient) -> None:
    began = time.monotonic()
    with deadline.within(0.2), pytest.raises(DeadlinePassed, match=NOT_DONE):
        await unit_of_work(insert_and_dawdle)
    assert time.monotonic() - began < 1
    assert await settle() == 0
    assert await AuditHead.all().count() == 0
    assert await at_work(database) == 0


async def test_a_unit_ends_with_the_deadline_when_its_caller_has_gone(database: AsyncpgClient) -> None:
    with deadline.within(0.2):
        caller = asyncio.ensure_future(unit_of_work(insert_and_dawdle))
    await asyncio.sleep(0.05)
    caller.cancel()
    began = time.monotonic()
    assert await settle() == 0
    assert time.monotonic() - began < 1
    assert await AuditHead.all().count() == 0


async def test_work_that_hides_its_cancellation_is_not_committed_all_the_same(database: AsyncpgClient) -> None:
    async def stubborn(transaction: Connection) -> None:
        await insert(transaction)
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(7)

    with deadline.within(0.1), pytest.raises(DeadlinePassed, match=NOT_DONE):
        await unit_of_work(stubborn)
    assert await settle() == 0
    assert await AuditHead.all().count() == 0


async def test_a_commit_that_was_sent_is_not_interrupted_and_the_caller_is_told_that_nobody_knows(
    database: AsyncpgClient,
) -> None:
    """A deferred trigger makes the COMMIT itself slow."""
    await as_owner(SLOW_COMMIT)
    try:
        began = time.monotonic()
        with deadline.within(0.3), pytest.raises(DeadlinePassed, match=UNKNOWN):
            await unit_of_work(insert)
        assert time.monotonic() - began < 0.6
        assert await settle() == 0
        assert await AuditHead.all().count() == 1
    finally:
        await as_owner("DROP FUNCTION dawdle CASCADE")


SLOW_COMMIT = """
CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.8); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER dawdles AFTER INSERT ON audit_heads DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION dawdle();
"""


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
async def test_where_postgresql_gives_up_first_the_answer_is_the_same(database: AsyncpgClient, limit: str) -> None:
    await AuditHead.create(chain_id=CHAIN, sequence=0, hash="")
    held = asyncio.Event()

    async def hold(transaction: Connection) -> None:
        await transaction.execute_query("SELECT FROM audit_heads FOR UPDATE")
        held.set()
        await asyncio.sleep(0.4)

    async def wait_for_it(transaction: Connection) -> None:
        await transaction.execute_query(f"SET LOCAL {limit} = '50ms'")
        await transaction.execute_query("SELECT FROM audit_heads FOR UPDATE")

    holder = asyncio.ensure_future(unit_of_work(hold))
    await held.wait()
    with pytest.raises(DeadlinePassed, match=NOT_DONE):
        await unit_of_work(wait_for_it)
    await holder
