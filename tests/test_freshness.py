"""What was committed before `confirm` was called is known when it returns, whoever committed it and in what order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from models import freshness, memory
from models.asyncpg_client import AsyncpgClient
from models.freshness import Freshness
from models.identifier import uuid7
from models.memory import Changes, Memory
from resolvers.lists import Listing
from resolvers.pages import MEMBER_OF, MEMBERS, OF_AGENT, STAFF, STAFF_OF
from resolvers.reads import OF_PRACTICE
from resolvers.rows import WATCHED
from tests.town import Agency, House, Town

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LISTS = (STAFF, STAFF_OF, MEMBERS, MEMBER_OF, OF_PRACTICE, OF_AGENT)


class Knower:
    """A worker's memory with the one thing in it that a test watches."""

    def __init__(self, dsn: str) -> None:
        self.kept: Memory[str] = Memory(10)
        self.changes = Changes(self.kept)
        self.freshness = Freshness(dsn, self.changes, {})

    def keep(self, key: memory.Key) -> None:
        with self.changes.recorded() as made:
            memory.note(key)
        assert self.kept.keep("it", "kept", made, NOW)

    async def knows(self) -> bool:
        """Whether what was kept is still there, after asking."""
        assert await self.freshness.confirm()
        return self.kept.get("it", NOW) is not None


@pytest.fixture
async def knower(database: AsyncpgClient) -> AsyncIterator[Knower]:
    found = Knower(database.dsn)
    assert await found.freshness.confirm()
    yield found
    await found.freshness.close()


@pytest.fixture
async def other(database_url: str, database: AsyncpgClient) -> AsyncIterator[asyncpg.Connection]:
    session = await asyncpg.connect(database_url)
    yield session
    await session.close()


async def user(session: Any, key: UUID) -> None:
    insert = "INSERT INTO users (id, name, email, created_at) VALUES ($1, 'A', $2, now())"
    await session.execute(insert, key, f"{key}@elm.example")


async def test_a_committed_change_is_known_and_another_rows_is_nobodys_business(
    knower: Knower, other: asyncpg.Connection
) -> None:
    mine, theirs = uuid7(), uuid7()
    await user(other, mine)
    await user(other, theirs)
    await knower.freshness.confirm()
    knower.keep(("users.id", mine))
    assert await knower.knows()
    await other.execute("UPDATE users SET name = 'B' WHERE id = $1", theirs)
    assert await knower.knows()
    await other.execute("UPDATE users SET name = 'B' WHERE id = $1", mine)
    assert not await knower.knows()


async def test_a_transaction_that_began_earlier_and_commits_later_is_known_when_it_commits(
    knower: Knower, other: asyncpg.Connection, database_url: str
) -> None:
    """Its number is lower than that of one whose change was seen before."""
    key = uuid7()
    await user(other, key)
    slow = other.transaction()
    await slow.start()
    await other.execute("UPDATE users SET name = 'slow' WHERE id = $1", key)
    quick = await asyncpg.connect(database_url)
    await user(quick, uuid7())
    await quick.close()
    await knower.freshness.confirm()
    knower.keep(("users.id", key))
    assert await knower.knows()
    await slow.commit()
    assert not await knower.knows()


async def test_what_is_rolled_back_has_not_happened(knower: Knower, other: asyncpg.Connection) -> None:
    key = uuid7()
    await user(other, key)
    await knower.freshness.confirm()
    knower.keep(("users.id", key))
    undone = other.transaction()
    await undone.start()
    await other.execute("UPDATE users SET name = 'B' WHERE id = $1", key)
    await undone.rollback()
    assert await knower.knows()


async def test_pruning_leaves_nobody_behind_who_has_not_read(knower: Knower, other: asyncpg.Connection) -> None:
    key = uuid7()
    await user(other, key)
    await knower.freshness.confirm()
    knower.keep(("users.id", key))
    await other.execute("UPDATE users SET name = 'B' WHERE id = $1", key)
    async with asyncio.timeout(20):
        while [row["key"] for row in await other.fetch("SELECT key FROM row_changes")] != ["*"]:
            await freshness.prune(most=0)  # again while a transaction of another test in this cluster may still see it
    assert not await knower.knows()


async def test_few_rows_are_not_pruned(knower: Knower, other: asyncpg.Connection) -> None:
    await user(other, uuid7())
    await freshness.prune(most=1)
    assert [row["key"] for row in await other.fetch("SELECT key FROM row_changes")] != ["*"]


async def test_a_lost_connection_forgets_everything_and_the_next_question_opens_another(
    knower: Knower, other: asyncpg.Connection
) -> None:
    knower.keep(("users.id", uuid7()))
    assert knower.freshness._connection is not None
    await other.execute("SELECT pg_terminate_backend($1)", knower.freshness._connection.get_server_pid())
    await knower.freshness.confirm()  # True if the driver had noticed before
    assert len(knower.kept) == 0
    assert await knower.freshness.confirm()


async def test_an_emptied_table_forgets_everything(knower: Knower, other: asyncpg.Connection) -> None:
    knower.keep(("users.id", uuid7()))
    await other.execute("TRUNCATE assignments")
    assert not await knower.knows()


async def test_all_who_ask_during_one_look_share_the_next(knower: Knower, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    async def look(original: Any = knower.freshness._look) -> None:
        nonlocal looks
        looks += 1
        await original()

    monkeypatch.setattr(knower.freshness, "_look", look)
    first = asyncio.ensure_future(knower.freshness.confirm())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert all(await asyncio.gather(*(knower.freshness.confirm() for _ in range(50))))
    assert await first
    assert looks == 2


async def test_one_who_goes_away_takes_the_answer_from_nobody(knower: Knower) -> None:
    asking = [asyncio.ensure_future(knower.freshness.confirm()) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    assert await asyncio.gather(*asking[1:]) == [True, True]


async def test_where_the_database_does_not_answer_nothing_is_confirmed(knower: Knower) -> None:
    away = Freshness("postgresql://nobody@127.0.0.1:1/nothing", knower.changes, {})
    assert not await away.confirm()
    await away.close()


# --- every row that is remembered is watched


@pytest.fixture
async def filled(town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]) -> None:
    await elm_street.owner.set_roles(engagement, "biller")
    await town.member(acme, "kim@acme.example")


@pytest.mark.parametrize("watched", [*WATCHED.values(), "sessions.id"])
async def test_a_change_of_any_row_that_is_found_by_its_id_is_noted(
    filled: None, other: asyncpg.Connection, watched: str
) -> None:
    table, _, column = watched.partition(".")
    touched = {"sessions": "ended_at = ended_at"}.get(table, "id = id")
    await other.execute("DELETE FROM row_changes")
    found = await other.fetch(f"UPDATE {table} SET {touched} RETURNING {column}")
    keys = {row["key"] for row in await other.fetch("SELECT key FROM row_changes")}
    assert found
    assert {f"{watched}:{row[column]}" for row in found} <= keys


@pytest.mark.parametrize("listing", LISTS, ids=lambda listing: listing.name)
async def test_a_row_that_comes_to_a_list_or_leaves_it_is_noted_by_whose_list_it_is(
    filled: None, other: asyncpg.Connection, listing: Listing
) -> None:
    """Both the list that it leaves and the one that it comes to."""
    assert listing.parent is not None
    column = listing.parent.partition(".")[2]
    (row,) = await other.fetch(f"SELECT id, {column} AS parent FROM {listing.watched} LIMIT 1")
    await other.execute("SET session_replication_role = replica")  # without foreign keys, and without triggers
    await other.execute("DELETE FROM row_changes")
    await other.execute(f"ALTER TABLE {listing.watched} ENABLE ALWAYS TRIGGER {listing.watched}_noted")
    elsewhere = uuid7()
    await other.execute(f"UPDATE {listing.watched} SET {column} = $2 WHERE id = $1", row["id"], elsewhere)
    await other.execute(f"ALTER TABLE {listing.watched} ENABLE TRIGGER {listing.watched}_noted")
    keys = {found["key"] for found in await other.fetch("SELECT key FROM row_changes")}
    assert {f"{listing.watched}.{column}:{row['parent']}", f"{listing.watched}.{column}:{elsewhere}"} <= keys


@pytest.mark.parametrize("table", ["role_grants", "agreements", "assignments"])
async def test_a_change_of_a_part_of_an_engagement_is_one_of_the_engagement(
    filled: None, other: asyncpg.Connection, table: str, engagement: dict[str, Any]
) -> None:
    columns = {
        "role_grants": "(id, engagement_id, role, granted_at, granted_by_id)",
        "agreements": "(id, engagement_id, basis, requested_at)",
        "assignments": "(id, engagement_id, member_id, assigned_at, assigned_by_id)",
    }
    values = {
        "role_grants": "$1, $2, 'auditor', now(), (SELECT id FROM users LIMIT 1)",
        "agreements": "$1, $2, 'baa', now()",
        "assignments": "$1, $2, (SELECT id FROM agent_members LIMIT 1), now(), (SELECT id FROM users LIMIT 1)",
    }
    await other.execute("DELETE FROM row_changes")
    key = UUID(engagement["id"])
    await other.execute(f"INSERT INTO {table} {columns[table]} SELECT {values[table]}", uuid7(), key)
    (row,) = await other.fetch("SELECT id, practice_id, agent_id FROM engagements WHERE id = $1", key)
    keys = {found["key"] for found in await other.fetch("SELECT key FROM row_changes")}
    assert keys == {f"engagements.{name}:{row[name]}" for name in ("id", "practice_id", "agent_id")}


async def test_another_policy_in_force_is_a_change_of_everything(filled: None, other: asyncpg.Connection) -> None:
    await other.execute("DELETE FROM row_changes")
    await other.execute(
        "INSERT INTO policy_activations (id, number, digest, source_digest, name, version, activated_at)"
        " VALUES ($1, 7, repeat('0', 12), repeat('0', 64), 'p', '1', now())",
        uuid7(),
    )
    assert [row["key"] for row in await other.fetch("SELECT key FROM row_changes")] == ["*"]


async def test_the_last_use_of_a_session_is_no_change(filled: None, other: asyncpg.Connection) -> None:
    await other.execute("DELETE FROM row_changes")
    await other.execute("UPDATE sessions SET last_seen_at = now()")
    assert await other.fetch("SELECT key FROM row_changes") == []
