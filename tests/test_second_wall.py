"""The second wall: what PostgreSQL shows and lets be changed, whatever the application asks for.

The tests ask as the application's role, which owns nothing. Tables are found in the database, so that a new one with a
practice in it fails here until it is behind the wall.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from authz.actor import Access, Actor, Place, Reach
from models.connection import readers
from models.identifier import uuid7
from models.tenancy import NOBODY, SERVICE, Acting, acting
from server.embedded import APPLICATION
from tests.asks import Ask, all_asks, outcome
from tests.callers import CALLERS, World
from tests.keeping import Kept
from tests.stored import as_application
from tests.test_matrix import OUTSIDE, PAGE, _line

# A code is redeemed by who is not of the agent, by its letters: this table is nobody's to list, and has no practice.
NOT_WALLED = {"connect_tokens"}
BEHIND = ("practice", "engagement", "staff", "event", "invitation", "agent_offer")


@pytest.fixture
async def application(world: World, database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of the application's role over a full world, in a transaction that is undone."""
    session = await asyncpg.connect(as_application(database_url))
    await session.execute("BEGIN")
    yield session
    await session.close()


async def walled(session: asyncpg.Connection) -> list[str]:
    rows = await session.fetch("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY 1")
    return [row["relname"] for row in rows]


async def count(session: asyncpg.Connection, table: str) -> int:
    return int(await session.fetchval(f"SELECT count(*) FROM {table}"))


async def as_user(session: asyncpg.Connection, world: World, caller: str) -> UUID:
    user = UUID(world.callers[caller].user_id)
    await session.execute(Acting(user).settings(local=True))
    return user


async def test_every_table_with_a_practice_is_behind_the_wall(application: asyncpg.Connection) -> None:
    rows = await application.fetch(
        "SELECT DISTINCT relname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE relkind = 'r' AND attname IN ('practice_id', 'engagement_id') AND relnamespace = 'public'::regnamespace"
    )
    assert {row["relname"] for row in rows} - NOT_WALLED | {"practices"} == set(await walled(application))


async def test_who_names_nobody_sees_no_row(application: asyncpg.Connection) -> None:
    for settings in (None, NOBODY.settings(local=True)):
        if settings:
            await application.execute(settings)
        assert {table: await count(application, table) for table in await walled(application)} == dict.fromkeys(
            await walled(application), 0
        )


async def test_the_service_sees_rows_in_every_table_that_has_any(application: asyncpg.Connection) -> None:
    await application.execute(SERVICE.settings(local=True))
    filled = {table for table in await walled(application) if await count(application, table)}
    assert filled >= {"practices", "staff_members", "engagements", "role_grants", "agreements", "audit_events"}


async def test_the_applications_role_owns_nothing_and_is_above_nothing(application: asyncpg.Connection) -> None:
    (role,) = await application.fetch(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    )
    assert set(role.values()) == {False}
    assert await application.fetchval("SELECT current_user") == APPLICATION
    assert await application.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET summary = 'nothing happened'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "DELETE FROM engagements",
        "DELETE FROM practices",
        "DELETE FROM revocation_receipts",
        "UPDATE policy_activations SET digest = 'another'",
        "ALTER TABLE engagements DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP POLICY engagements_select ON engagements",
        "CREATE TABLE mine (id int)",
        "CREATE OR REPLACE FUNCTION acting_practices() RETURNS uuid[] LANGUAGE sql AS 'SELECT NULL::uuid[]'",
        "SET ROLE postgres",
        "SET session_replication_role = replica",
    ],
)
async def test_what_is_no_part_of_the_work_is_denied(application: asyncpg.Connection, statement: str) -> None:
    await application.execute(SERVICE.settings(local=True))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(statement)


async def test_a_person_sees_the_rows_of_their_practice_and_no_others(
    application: asyncpg.Connection, world: World
) -> None:
    await as_user(application, world, "other owner")
    practices = {str(row["id"]) for row in await application.fetch("SELECT id FROM practices")}
    assert practices == {world.ids["practice other"]}
    engagements = {str(row["id"]) for row in await application.fetch("SELECT id FROM engagements")}
    assert engagements == {world.ids["engagement other"]}
    for table in ("role_grants", "agreements", "assignments"):
        found = {str(row["engagement_id"]) for row in await application.fetch(f"SELECT engagement_id FROM {table}")}
        assert found <= engagements
    chains = await application.fetch("SELECT DISTINCT practice_id FROM audit_events WHERE practice_id IS NOT NULL")
    assert {str(row["practice_id"]) for row in chains} == practices


async def test_an_agents_person_sees_its_engagements_and_of_the_practices_no_staff(
    application: asyncpg.Connection, world: World
) -> None:
    user = await as_user(application, world, "agent member")
    agents = await application.fetch("SELECT DISTINCT agent_id FROM engagements")
    assert {str(row["agent_id"]) for row in agents} == {world.ids["agent own"]}
    assert await application.fetchval("SELECT count(*) FROM staff_members WHERE user_id <> $1", user) == 0


@pytest.mark.parametrize("caller", ["stranger", "removed", "departed"])
async def test_who_belongs_nowhere_any_more_sees_no_tenant(
    application: asyncpg.Connection, world: World, caller: str
) -> None:
    user = await as_user(application, world, caller)
    for table in ("practices", "engagements", "role_grants", "agreements", "assignments"):
        assert await count(application, table) == 0, table
    assert await application.fetchval("SELECT count(*) FROM staff_members WHERE user_id <> $1", user) == 0


INTO = {
    "a colleague": "INSERT INTO staff_members (id, practice_id, user_id, roles, added_at, added_by_id)"
    " VALUES ($1, $2, $3, '{owner}', now(), $3)",
    "a record": "INSERT INTO audit_events (id, chain_id, sequence, practice_id, at, type, party, actor, policy_digest,"
    " summary, previous_hash, hash) VALUES ($1, $2, 999, $2, now(), 'x', 'practice', 'x', 'x',"
    " $3::uuid::text, 'x', 'x')",
    "an invitation": "INSERT INTO invitations (id, practice_id, email, name, roles, code_hash, invited_at,"
    " invited_by_id, expires_at) VALUES ($1, $2, 'a@b.example', 'x', '{owner}', 'x', now(), $3, now())",
}


@pytest.mark.parametrize("what", INTO)
@pytest.mark.parametrize("caller", ["other owner", "agent admin", "stranger", "removed"])
async def test_nobody_puts_a_row_into_anothers_practice(
    application: asyncpg.Connection, world: World, caller: str, what: str
) -> None:
    user = await as_user(application, world, caller)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(INTO[what], uuid7(), UUID(world.ids["practice own"]), user)


@pytest.mark.parametrize("caller", ["agent admin", "desk worker", "other owner"])
async def test_no_agent_engages_itself_and_no_owner_engages_for_another_practice(
    application: asyncpg.Connection, world: World, caller: str
) -> None:
    user = await as_user(application, world, caller)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await application.execute(
            "INSERT INTO engagements (id, practice_id, agent_id, purpose, started_at, started_by_id, expires_at)"
            " VALUES ($1, $2, $3, 'contracted_service', now(), $4, now() + interval '1 day')",
            uuid7(),
            UUID(world.ids["practice own"]),
            UUID(world.ids["agent newcomer"]),
            user,
        )


@pytest.mark.parametrize(
    "table", ["practices", "staff_members", "engagements", "role_grants", "agreements", "assignments", "invitations"]
)
async def test_a_change_without_its_filter_touches_no_other_tenant(
    application: asyncpg.Connection, world: World, table: str
) -> None:
    await application.execute(SERVICE.settings(local=True))
    everything = await count(application, table)
    await as_user(application, world, "other owner")
    touched = int((await application.execute(f"UPDATE {table} SET id = id")).split()[1])
    assert touched == await count(application, table)
    assert touched < everything or everything == 0


async def test_a_request_is_answered_for_its_caller_and_leaves_nothing_of_it_behind(world: World) -> None:
    before = acting()
    await world.browser("owner").ask("{ practices { totalCount } }")
    assert acting() == before


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's own check, replaced by yes: every permission, everywhere, and nothing is hidden."""

    def access(actor: Actor, permission: str, place: Place) -> Access:
        return Access(actor, permission, place)

    monkeypatch.setattr(Actor, "access", access)
    monkeypatch.setattr(Actor, "require", access)
    monkeypatch.setattr(Actor, "reach", lambda actor, permission: Reach(actor, permission, everywhere=True))


async def test_with_the_applications_check_replaced_by_yes_another_tenant_stays_hidden_and_unchanged(
    kept: Kept, world: World, allowed: None
) -> None:
    """Every field at every place of the other practice, by everybody who does not belong to it."""
    before, shown = await kept.restore.digest(), []
    for ask in all_asks(world):
        if ask.kind in BEHIND and ask.place == "other":
            for caller in OUTSIDE:
                shown += await _shown(world, ask, caller)
    assert "\n".join(shown) == ""
    assert [table for table in await kept.restore.digest() if table[0] not in BOOKKEEPING] == [
        table for table in before if table[0] not in BOOKKEEPING
    ]


async def _shown(world: World, ask: Ask, caller: str) -> list[str]:
    """A refusal shows nothing, whichever rule gave it, and an internal error is what the wall's own refusal becomes."""
    said = outcome(await world.browser(caller).send(ask.document, **ask.variables))
    return [f"{ask.field} {caller}: {said}"] if said.startswith("ok") and said != "ok 0" else []


BOOKKEEPING = ("attempt_budgets", "sessions", "row_changes")


@pytest.fixture
def open_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were no row-level security: every statement is the service's."""
    everywhere = SERVICE.who
    monkeypatch.setattr(Acting, "who", property(lambda acting: everywhere, lambda acting, who: None))


@pytest.mark.parametrize("caller", CALLERS)
async def test_with_row_level_security_off_the_table_of_all_answers_is_the_same(
    kept: Kept, world: World, open_wall: None, caller: str
) -> None:
    page, wrong = set(PAGE.read_text().splitlines()), []
    for ask in all_asks(world):
        said = outcome(await world.browser(caller).send(ask.document, **ask.variables))
        if ask.changes and not said.startswith(("401", "NOT_FOUND", "NOT_PERMITTED")):
            await kept.restore()
        line = _line(ask, caller, said)
        wrong += [] if line in page else [line]
    assert wrong == []


async def test_a_connection_that_reads_for_one_person_never_answers_another(world: World) -> None:
    """In turns, over the few connections that there are."""

    async def practices(caller: str) -> set[str]:
        found: dict[str, Any] = await world.browser(caller).ask("{ practices { nodes { id } } }")
        return {each["id"] for each in found["nodes"]}

    for _ in range(3):
        assert await practices("other owner") == {world.ids["practice other"]}
        assert world.ids["practice other"] not in await practices("owner")
        assert await practices("stranger") == set()
    said = [await each.fetchval("SELECT current_setting('sparekey.acting', true)") for each in await readers().all()]
    assert set(said) <= {None, ""}, "for whom it asked ends with the statement"
