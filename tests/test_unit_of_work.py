from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from errors import StaleVersion
from models import AuditHead
from models.asyncpg_client import AsyncpgClient
from models.connection import Connection
from models.unit_of_work import RETRIES, settle, unit_of_work
from tests.cancellation import cancel_at_every_await

CHAIN = UUID("01975f0e-0000-7000-8000-000000000001")
RAISE_SEQUENCE = "UPDATE audit_heads SET sequence = sequence + 1 WHERE chain_id = $1"


async def one_head() -> None:
    await AuditHead.create(chain_id=CHAIN, sequence=0, hash="")


async def sequence() -> int:
    head = await AuditHead.get(chain_id=CHAIN)
    return int(head.sequence)


async def nothing(_: Connection) -> None:
    pass


async def test_models_inside_a_unit_of_work_use_its_transaction(database: AsyncpgClient) -> None:
    refusal = StaleVersion(engagement_id="")

    async def write_and_refuse(_: Connection) -> None:
        await one_head()
        assert await sequence() == 0
        raise refusal

    with pytest.raises(StaleVersion) as raised:
        await unit_of_work(write_and_refuse)
    assert raised.value is refusal
    assert await AuditHead.all().count() == 0


async def test_a_unit_of_work_finishes_after_its_caller_was_cancelled_at_any_await(database: AsyncpgClient) -> None:
    await one_head()
    asked = 0

    async def raise_slowly(transaction: Connection) -> None:
        await transaction.execute_query(RAISE_SEQUENCE, [str(CHAIN)])
        await transaction.execute_query("SELECT pg_sleep(0.01)")

    async def ask() -> None:
        nonlocal asked
        asked += 1
        await unit_of_work(raise_slowly)

    async def it_was_done() -> None:
        assert await settle() == 0
        assert await sequence() == asked

    assert await cancel_at_every_await(ask, it_was_done) > 0


async def test_settling_says_how_many_are_still_running(database: AsyncpgClient) -> None:
    async def sleep(transaction: Connection) -> None:
        await transaction.execute_query("SELECT pg_sleep(0.2)")

    running = [asyncio.ensure_future(unit_of_work(sleep)) for _ in range(3)]
    await asyncio.sleep(0)
    assert await settle(0.01) == 3
    assert await settle() == 0
    await asyncio.gather(*running)


async def test_a_fault_that_nobody_hears_is_logged_by_its_kind_alone(
    database: AsyncpgClient, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(transaction: Connection) -> None:
        await transaction.execute_query("SELECT pg_sleep(0.02)")
        raise ValueError("owner@elm.example")

    caller = asyncio.ensure_future(unit_of_work(fail))
    await asyncio.sleep(0.005)
    caller.cancel()
    await settle()
    await asyncio.sleep(0)
    assert "ValueError" in caplog.text
    assert "owner@elm.example" not in caplog.text


async def test_a_unit_of_work_cannot_contain_another(database: AsyncpgClient) -> None:
    async def nest(_: Connection) -> None:
        await unit_of_work(nothing)

    with pytest.raises(RuntimeError, match="pass the connection on"):
        await unit_of_work(nest)


class Rival:
    """Work that reads a row, lets another transaction change it `times` times, and then changes it as well."""

    def __init__(self, other: AsyncpgClient, times: int) -> None:
        self.other = other
        self.times = times
        self.attempts = 0

    async def __call__(self, transaction: Connection) -> None:
        self.attempts += 1
        await transaction.execute_query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        await transaction.execute_query("SELECT sequence FROM audit_heads")
        if self.attempts <= self.times:
            await self.other.execute_query(RAISE_SEQUENCE, [str(CHAIN)])
        await transaction.execute_query(RAISE_SEQUENCE, [str(CHAIN)])


@pytest.mark.parametrize("times", range(RETRIES + 1))
async def test_a_serialization_failure_is_retried_until_it_succeeds(database: AsyncpgClient, times: int) -> None:
    await one_head()
    work = Rival(database, times)
    await unit_of_work(work)
    assert work.attempts == times + 1
    assert await sequence() == times + 1


async def test_after_three_retries_the_failure_is_the_callers(database: AsyncpgClient) -> None:
    await one_head()
    work = Rival(database, RETRIES + 1)
    with pytest.raises(asyncpg.SerializationError):
        await unit_of_work(work)
    assert work.attempts == RETRIES + 1
    assert await sequence() == RETRIES + 1


async def test_two_units_in_a_deadlock_both_succeed(database: AsyncpgClient) -> None:
    first, second = uuid4(), uuid4()
    for chain in (first, second):
        await AuditHead.create(chain_id=chain, sequence=0, hash="")
    both_hold_one = asyncio.Barrier(2)
    attempts = 0

    def lock(*chains: UUID) -> Any:
        async def work(transaction: Connection) -> None:
            nonlocal attempts
            attempts += 1
            await transaction.execute_query("SET LOCAL deadlock_timeout = '20ms'")
            await transaction.execute_query(RAISE_SEQUENCE, [str(chains[0])])
            if attempts <= 2:
                await both_hold_one.wait()
            await transaction.execute_query(RAISE_SEQUENCE, [str(chains[1])])

        return work

    await asyncio.gather(unit_of_work(lock(first, second)), unit_of_work(lock(second, first)))
    assert attempts == 3
    assert {head.sequence for head in await AuditHead.all()} == {2}
