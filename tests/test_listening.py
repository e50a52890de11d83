"""The connection that hears of changes: who is woken, and what happens when it is lost, with or without a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from models import listening
from models.listening import CHANNEL, NAME, Listening
from tests.conftest import query
from tests.policy_workers import Wire

KILL = (
    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    f" WHERE application_name = '{NAME}' AND datname = current_database()"
)


@pytest.fixture
async def ears(database_url: str) -> AsyncIterator[Listening]:
    found = Listening(database_url)
    yield found
    await found.close()


async def woken(event: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await event.wait()
    event.clear()


async def quiet(*events: asyncio.Event) -> bool:
    await asyncio.sleep(0.1)
    return not any(event.is_set() for event in events)


async def test_who_waits_is_woken_once_it_listens_and_then_by_its_own_topic(ears: Listening, database_url: str) -> None:
    with ears.to("agent 1") as one, ears.to("agent 1") as same, ears.to("agent 2") as other:
        for event in (one, same, other):
            await woken(event)
        await query(database_url, f"SELECT pg_notify('{CHANNEL}', 'agent 1')")
        await woken(one)
        await woken(same)
        assert await quiet(one, same, other)
    assert ears._waiting == {}


async def test_what_is_not_committed_is_not_told(ears: Listening, database_url: str) -> None:
    session = await asyncpg.connect(database_url)
    with ears.to("agent 1") as event:
        await woken(event)
        await session.execute(f"BEGIN; SELECT pg_notify('{CHANNEL}', 'agent 1')")
        assert await quiet(event)
        await session.execute("ROLLBACK")
        assert await quiet(event)
    await session.close()


async def test_when_the_connection_is_ended_everybody_is_woken_by_the_next_one(
    ears: Listening, database_url: str
) -> None:
    with ears.to("agent 1") as event:
        for _ in range(3):
            await woken(event)
            await query(database_url, KILL)
        await woken(event)


async def test_a_connection_that_dies_without_a_word_is_found_out(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(listening, "ANSWER_SECONDS", 0.4)
    wire = Wire(database_url)
    async with wire.laid() as url:
        ears = Listening(url)
        with ears.to("agent 1") as event:
            await woken(event)
            assert await quiet(event)
            wire.whole.clear()
            await query(database_url, f"SELECT pg_notify('{CHANNEL}', 'agent 1')")
            async with asyncio.timeout(5):
                while not caplog.records:  # noqa: ASYNC110  # a log has no events
                    await asyncio.sleep(0.01)
            assert not event.is_set()
            wire.whole.set()
            await woken(event)
            await query(database_url, f"SELECT pg_notify('{CHANNEL}', 'agent 1')")
            await woken(event)
        await ears.close()
    assert [record.message for record in caplog.records] == ["nothing is heard of changes at present: TimeoutError"]
