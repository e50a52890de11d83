"""The unchanged page asked again: from memory while nothing it shows has changed, and never a moment longer.

Every answer is compared with that of an application over the same database that remembers nothing. The one that
remembers stands behind a real server: there the very same bytes are answered before anything of them is looked at
(`same_again.py`), while a request in pieces, as the in-process client sends it, goes the long way to the same memory.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx2
import orjson
import pytest
from graphql import parse, validate

from models import Agreement, Engagement, RoleGrant
from models.asyncpg_client import AsyncpgClient
from models.identifier import uuid7
from resolvers.schema import schema as api
from tests.callers import World
from tests.query_maker import Maker, flags
from tests.sockets import behind_uvicorn
from tests.statements import noted
from tests.stored import as_owner, rows
from tests.test_execution_differential import api_arguments
from tests.town import COOKIE, Agency, Client, House, Town, build

PAGE = """query ($practice: ID!) { practice(id: $practice) { name kind
    staff(first: 5) { totalCount nodes { active training { dueOn overdue } roles { key } user { name } } }
    engagements(first: 5) { totalCount nodes { id status version blockers { code } agent { legalName status }
        roles { status role { key } grantedBy { name } } permissions { key } agreement { state } } } } }"""


@pytest.fixture
async def plain(town: Town) -> AsyncIterator[Town]:
    """The same town behind an application that remembers nothing."""
    built = build(town.clock, remembers=False)
    yield built
    for client in built.clients:
        await client.http.aclose()
    await built.remembered.close()


class Asker:
    """One person in front of both."""

    def __init__(self, client: Client, plain: Town, document: str = PAGE, **variables: Any) -> None:
        self.client = client
        self.other = plain.visitor()
        self.other.http.cookies.set(COOKIE, client.reference or "")
        self.document, self.variables = document, variables

    async def ask(self) -> bytes:
        """The body, which is what it would be without memory."""
        found = await self.client.send(self.document, **self.variables)
        expected = await self.other.send(self.document, **self.variables)
        assert found.content == expected.content
        return found.content

    async def statements(self, database: AsyncpgClient) -> int:
        async with noted(database) as seen:
            await self.client.send(self.document, **self.variables)
        return len(seen)

    async def warm(self, database: AsyncpgClient) -> None:
        await self.ask()
        assert await self.statements(database) == 0


@pytest.fixture
async def port(town: Town) -> AsyncIterator[int]:
    """A real server in front of the town."""
    async with behind_uvicorn(town.app) as port:
        yield port


@pytest.fixture
async def asker(
    town: Town,
    plain: Town,
    elm_street: House,
    acme: Agency,
    engagement: dict[str, Any],
    database: AsyncpgClient,
    port: int,
) -> AsyncIterator[Asker]:
    """Olivia's page of Elm Street, from memory already."""
    await elm_street.owner.set_roles(engagement, "biller")
    await Agreement.create(
        id=uuid7(),
        engagement_id=engagement["id"],
        basis="baa",
        requested_at=town.clock.now,
        agent_signed_at=town.clock.now,
        practice_signed_at=town.clock.now,
        effective_on=town.clock.now.date(),
    )
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        http.cookies.set(COOKIE, elm_street.owner.reference or "")
        found = Asker(Client(http, email=elm_street.owner.email), plain, practice=elm_street.id)
        await found.warm(database)
        yield found


async def test_it_is_given_again_without_a_statement_and_to_the_last_byte(
    asker: Asker, database: AsyncpgClient
) -> None:
    first = await asker.client.send(PAGE, **asker.variables)
    again = await asker.client.send(PAGE, **asker.variables)
    assert again.content == first.content
    own = ("x-request-id",)
    assert [header for header in again.headers.items() if header[0] not in own] == [
        header for header in first.headers.items() if header[0] not in own
    ]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert "sparekey_graphql_given_again_total 0.0" not in (await asker.client.http.get("/metrics")).text
    assert await asker.statements(database) == 0


async def test_a_request_with_an_id_of_its_own_is_given_the_same_answer_under_that_id(
    asker: Asker, database: AsyncpgClient
) -> None:
    body = orjson.dumps({"query": PAGE, "variables": asker.variables})
    headers = {"content-type": "application/json", "x-request-id": "mine"}
    async with noted(database) as seen:
        answer = await asker.client.http.post("/graphql", content=body, headers=headers)
    assert answer.headers["x-request-id"] == "mine"
    assert answer.json()["data"]["practice"]["name"]
    assert seen == []


Change = Callable[["Place"], Awaitable[object]]


class Place:
    def __init__(self, town: Town, house: House, acme: Agency, engagement: dict[str, Any]) -> None:
        self.town, self.house, self.acme, self.engagement = town, house, acme, engagement


async def _roles(place: Place) -> None:
    current = await Engagement.get(id=place.engagement["id"])
    await place.house.owner.set_roles(
        {"id": place.engagement["id"], "version": current.version}, "auditor", acknowledgeWarnings=True
    )


CHANGES: dict[str, Change] = {
    "roles set": _roles,
    "revoked": lambda place: place.house.owner.revoke(place.engagement),
    "the agent renamed": lambda place: rows("UPDATE agents SET legal_name = 'Other'"),
    "the agent suspended": lambda place: rows("UPDATE agents SET suspended_at = now()"),
    "the practice renamed": lambda place: rows("UPDATE practices SET name = 'Other'"),
    "the practice closed": lambda place: rows("UPDATE practices SET closed_at = now()"),
    "somebody joined the staff": lambda place: place.town.staff(place.house, "sam@elm.example", "scheduler"),
    "the owner's roles taken": lambda place: rows("UPDATE staff_members SET roles = '{scheduler}'"),
    "the owner removed": lambda place: rows("UPDATE staff_members SET removed_at = now()"),
    "the owner renamed": lambda place: rows("UPDATE users SET name = 'Other' WHERE name LIKE 'Owner%'"),
    "the account disabled": lambda place: rows("UPDATE users SET disabled_at = now()"),
    "signed out elsewhere": lambda place: rows("UPDATE sessions SET ended_at = now()"),
    "the agreement terminated": lambda place: Agreement.all().update(terminated_at=place.town.clock.now),
    "the agreement's last day set": lambda place: Agreement.all().update(expires_on=place.town.clock.now.date()),
    "the engagement suspended": lambda place: Engagement.all().update(suspended_at=place.town.clock.now),
    "the grants deleted": lambda place: as_owner("DELETE FROM role_grants"),
    "a grant ends": lambda place: RoleGrant.all().update(expires_at=place.town.clock.now + timedelta(seconds=30)),
}


NOT_SHOWN = ("a grant ends",)  # in half a minute; until then the page is the same


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_of_anything_it_shows_is_in_the_next_answer(
    asker: Asker, town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], change: str
) -> None:
    before = await asker.ask()
    await CHANGES[change](Place(town, elm_street, acme, engagement))
    assert (await asker.ask() != before) or change in NOT_SHOWN


@pytest.mark.parametrize(
    ("seconds", "statements"), [(30, 0), (59, 0), (60, 1), (61, 1)], ids=["soon", "before", "on", "after"]
)
async def test_a_session_s_use_is_written_down_every_minute_all_the_same(
    asker: Asker, town: Town, database: AsyncpgClient, seconds: int, statements: int
) -> None:
    """Otherwise somebody who only looks would be signed out as idle."""
    town.clock.advance(seconds=seconds)
    assert (await asker.statements(database) > 0) is bool(statements)
    await town.remembered.uses.write()  # which happens by itself, a second later
    (row,) = await rows("SELECT max(last_seen_at) AS seen FROM sessions")
    assert (row["seen"] == town.clock.now) is bool(statements)


STATUS = "query ($practice: ID!) { practice(id: $practice) { engagements(first: 5) { nodes { status } } } }"


async def test_the_moment_an_engagement_expires_a_page_that_shows_only_its_status_says_so(
    asker: Asker, plain: Town, town: Town, database: AsyncpgClient
) -> None:
    await Engagement.all().update(expires_at=town.clock.now + timedelta(seconds=30))
    page = Asker(asker.client, plain, STATUS, **asker.variables)
    await page.warm(database)
    town.clock.advance(seconds=29)
    assert b'"ACTIVE"' in await page.ask()
    town.clock.advance(seconds=1)
    assert b'"EXPIRED"' in await page.ask()


async def test_the_moment_a_grant_lapses_the_page_says_so(asker: Asker, town: Town, database: AsyncpgClient) -> None:
    await RoleGrant.all().update(expires_at=town.clock.now + timedelta(seconds=30))
    await asker.warm(database)
    town.clock.advance(seconds=29, milliseconds=999)
    assert await asker.statements(database) == 0
    assert b'"ACTIVE"' in await asker.ask()
    town.clock.advance(milliseconds=1)
    assert b'"LAPSED"' in await asker.ask()


async def test_at_midnight_training_falls_due(asker: Asker, town: Town, database: AsyncpgClient) -> None:
    assert b'"overdue":false' in await asker.ask()
    midnight = town.clock.now.replace(hour=0, minute=0) + timedelta(days=1)
    town.clock.advance(seconds=(midnight - town.clock.now).total_seconds() - 1)
    asker.client.http.cookies.set(COOKIE, (await town.person(asker.client.email)).reference or "")
    asker.other.http.cookies.set(COOKIE, asker.client.reference or "")
    await asker.warm(database)
    town.clock.advance(seconds=1)
    assert b'"overdue":true' in await asker.ask()


async def test_nobody_is_given_somebody_else_s_answer(asker: Asker, town: Town, plain: Town) -> None:
    stranger = Asker(await town.person("stranger@nowhere.example"), plain, **asker.variables)
    assert b'"practice":null' in await stranger.ask()
    nobody = town.visitor()
    assert (await nobody.send(PAGE, **asker.variables)).status_code == 401


@pytest.mark.parametrize(
    "document",
    [
        "query ($practice: ID!) { practice(id: $practice) { auditEvents(last: 3) { nodes { summary } } } }",
        "query ($practice: ID!) { practice(id: $practice) { engagements(first: 3, status: [ACTIVE]) { totalCount } } }",
        "query ($practice: ID!) { viewer { session { startedAt } permissions(practiceId: $practice) } }",
        "query ($practice: ID!) { nodes(ids: [$practice]) { id } }",
    ],
)
async def test_what_reads_something_that_nobody_watches_is_read_every_time(
    asker: Asker, plain: Town, database: AsyncpgClient, document: str
) -> None:
    page = Asker(asker.client, plain, document, **asker.variables)
    await page.ask()
    assert await page.statements(database) > 0


async def test_an_answer_with_an_error_is_not_kept(asker: Asker, plain: Town, database: AsyncpgClient) -> None:
    clerk = await build_clerk(asker, plain)
    await clerk.ask()
    assert await clerk.statements(database) > 0


async def build_clerk(asker: Asker, plain: Town) -> Asker:
    (row,) = await rows("SELECT id FROM practices")
    await rows("UPDATE staff_members SET roles = '{scheduler}'")
    return Asker(asker.client, plain, PAGE, practice=str(row["id"]))


async def test_a_mutation_is_never_answered_from_memory(asker: Asker, town: Town, elm_street: House) -> None:
    document = 'mutation ($practice: ID!) { previewToken(input: {practiceId: $practice, letters: "BCDF", code: "1"}) {'
    document += " __typename } }"
    for _ in range(3):
        await asker.client.send(document, practice=elm_street.id)
    found = await rows("SELECT short_count FROM attempt_budgets WHERE scope = 'code_user'")
    assert len(town.remembered.answers) == 1  # the page
    assert found == [] or found[0]["short_count"] >= 1


async def test_in_any_world_any_page_is_what_it_would_be_without_memory(world: World, database: AsyncpgClient) -> None:
    """Generated documents between generated changes."""
    chance = random.Random(26)
    other = build(world.town.clock, remembers=False)
    client = world.browser("owner")
    pages: list[str] = []
    while len(pages) < 20:
        pages += filter(None, [_document(world, chance)])
    askers = [Asker(client, other, text, **flags(chance)) for text in pages]
    again = 0
    for _ in range(60):
        await chance.choice(SHAKES)(chance, world)
        for asker in chance.sample(askers, 5):
            again += await asker.statements(database) == 0
            await asker.ask()
    for visitor in other.clients:
        await visitor.http.aclose()
    await other.remembered.close()
    assert again > 20, "hardly anything was answered from memory"


def _document(world: World, chance: random.Random) -> str:
    text = Maker(api.graphql_schema, chance, api_arguments(world, chance), most=12).document(depth=4)
    return "" if validate(api.graphql_schema, parse(text)) or "practice" not in text else text


async def _nothing(chance: random.Random, world: World) -> None:
    pass


async def _time_passes(chance: random.Random, world: World) -> None:
    world.town.clock.advance(seconds=chance.choice([1, 20]))


async def _something_changes(chance: random.Random, world: World) -> None:
    table, what = chance.choice(
        [
            ("agents", "legal_name = legal_name || 'x'"),
            ("practices", "name = name || 'x'"),
            ("engagements", "version = version + 1"),
            ("engagements", "suspended_at = CASE WHEN suspended_at IS NULL THEN now() END"),
            ("staff_members", "training_completed_on = current_date"),
            ("users", "name = name || 'x'"),
            ("agent_members", "admin = NOT admin"),
        ]
    )
    await rows(f"UPDATE {table} SET {what} WHERE id = (SELECT id FROM {table} ORDER BY random() LIMIT 1)")


async def _a_grant_goes(chance: random.Random, world: World) -> None:
    await as_owner("DELETE FROM role_grants WHERE id = (SELECT id FROM role_grants ORDER BY random() LIMIT 1)")


SHAKES = (_nothing, _nothing, _time_passes, _something_changes, _something_changes, _a_grant_goes)
