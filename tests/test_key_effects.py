"""What a key can do, and how it ends: its member's part in the scopes, over real connections, at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from authz.actor import Actor, Place
from authz.decide import permissions
from models import AgentMember, ApiKey, Assignment, Identity
from models.asyncpg_client import AsyncpgClient
from models.connection import client
from models.identifier import uuid7
from operations.access_token import issue_access_token
from resolvers.credential import Claims, Credential, Kind, of_secret
from resolvers.execution import RequestFacts
from tests import http_door
from tests.callers import World
from tests.keys import made, member_of, program, revoke
from tests.socket_door import World as Watched
from tests.socket_door import codes, socket, until
from tests.socket_door import served as watched
from tests.sockets import behind_uvicorn
from tests.statements import noted
from tests.test_credentials import KEY, bearer
from tests.town import COOKIE, Agency, House, Town

AGENT = "query ($id: ID!) { agent(id: $id) { id legalName } }"
PRACTICES = "{ practices { totalCount } }"
SOON = 1.5  # a second, on a busy machine


@contextlib.asynccontextmanager
async def connected(town: Town, secret: str) -> AsyncIterator[httpx2.AsyncClient]:
    """One connection to a real server, kept alive."""
    limits = httpx2.Limits(max_connections=1)
    async with behind_uvicorn(town.app) as port:
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, limits=limits) as http:
            yield http


async def answered(http: httpx2.AsyncClient, agency: Agency) -> int:
    response = await http.post("/graphql", json={"query": AGENT, "variables": {"id": agency.id}})
    return response.status_code if "errors" in response.json() else 200


async def test_a_revoked_key_is_refused_on_the_connection_that_it_was_used_on(town: Town, acme: Agency) -> None:
    key = await made(acme, "agents.read")
    async with connected(town, key["secret"]) as http:
        assert [await answered(http, acme) for _ in range(3)] == [200, 200, 200]
        await revoke(acme, key)
        assert [await answered(http, acme) for _ in range(3)] == [401, 401, 401]


ENDINGS = {
    "departed member": "UPDATE agent_members SET departed_at = now() WHERE agent_id = $1",
    "suspended member": "UPDATE agent_members SET suspended_at = now() WHERE agent_id = $1",
    "suspended agent": "UPDATE agents SET suspended_at = now() WHERE id = $1",
    "closed agent": "UPDATE agents SET closed_at = now() WHERE id = $1",
    "disabled account": """
        UPDATE users SET disabled_at = now() WHERE id IN (SELECT user_id FROM agent_members WHERE agent_id = $1)
    """,
    "expired": "UPDATE api_keys SET expires_at = created_at + interval '1 second' WHERE agent_id = $1",
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_key_ends_with_what_it_stands_on(town: Town, acme: Agency, ending: str) -> None:
    """And the access token that it was exchanged for."""
    key = await made(acme, "agents.read")
    form = {"grant_type": "client_credentials", "client_id": key["clientId"], "client_secret": key["secret"]}
    token = (await town.visitor().http.post("/oauth/token", data=form)).json()["access_token"]
    town.clock.advance(seconds=5)
    async with connected(town, key["secret"]) as http:
        assert [await answered(http, acme) for _ in range(2)] == [200, 200]
        http.headers["Authorization"] = f"Bearer {token}"
        assert [await answered(http, acme) for _ in range(2)] == [200, 200]
        await client().execute_query_dict(ENDINGS[ending], [acme.id])
        assert await answered(http, acme) == 401
        http.headers["Authorization"] = f"Bearer {key['secret']}"
        assert await answered(http, acme) == 401
        assert (await http.post("/oauth/token", data=form, headers={"Authorization": ""})).status_code in (400, 401)
    assert (await town.visitor().http.post("/oauth/token", data=form)).status_code == 401


async def test_a_revoked_key_answers_nothing_more_on_an_open_socket(town: Town, acme: Agency) -> None:
    key = await made(acme, "agents.read")
    async with (
        behind_uvicorn(town.app) as port,
        socket(port, cookie=None, headers=bearer(key["secret"])) as peer,
    ):
        await peer.subscribe("1", AGENT, variables={"id": acme.id})
        assert (await peer.hear_until("complete"))[0]["payload"]["data"] == {
            "agent": {"id": acme.id, "legalName": "ACME Billing"}
        }
        await revoke(acme, key)
        await peer.subscribe("2", AGENT, variables={"id": acme.id})
        assert codes(await peer.hear()) == ["NOT_SIGNED_IN"]


async def test_what_a_revoked_key_watches_ends_within_a_second() -> None:
    """The socket is closed, although nothing happens that could be told."""
    live = [True]

    async def open_context(facts: RequestFacts) -> http_door.Context:
        known = live[0] and facts.credential == of_secret(Kind.API_KEY, KEY)
        context = await world.open_context(facts)
        context.actor = "somebody" if known else None
        return context

    world = Watched()
    async with watched(world, open_context=open_context) as port:
        async with socket(port, cookie=None, headers=bearer(KEY)) as peer:
            await peer.subscribe("1", "subscription { silent }")
            await until(lambda: world.started == ["silent"])
            live[0] = False
            async with asyncio.timeout(SOON):
                assert (await peer.closed())[0] == 4403
        assert world.closed == ["silent"]


async def test_a_key_with_its_members_cookie_beside_it_is_refused(town: Town, acme: Agency) -> None:
    key = await made(acme, "agents.read")
    acme.admin.http.headers["Authorization"] = f"Bearer {key['secret']}"
    response = await acme.admin.send(AGENT, id=acme.id)
    assert response.status_code == 400
    del acme.admin.http.headers["Authorization"]
    assert (await acme.admin.ask(AGENT, id=acme.id))["id"] == acme.id, "and nobody is signed out by it"


async def test_an_answer_that_is_kept_for_a_key_is_not_given_to_a_cookie_of_the_same_text(world: World) -> None:
    """A cookie comes along from any page; a key has to be shown on purpose."""
    asked, practice = "query ($id: ID!) { practice(id: $id) { name } }", world.ids["practice own"]
    bot = world.browser("program")
    assert await bot.ask(asked, id=practice) == {"name": "Elm Street"}
    assert len(world.town.remembered.answers) == 1
    browser = world.town.visitor()
    browser.http.cookies.set(COOKIE, bot.http.headers["Authorization"].removeprefix("Bearer "))
    assert (await browser.send(asked, id=practice)).status_code == 401


async def test_what_an_issuer_said_holds_no_longer_than_it_said(town: Town) -> None:
    """Also on a connection that stays, where nobody looks at the token again."""
    ann = await town.person("ann@acme.example")
    await Identity.create(user_id=ann.user_id, issuer="https://id.example", subject="7", linked_at=town.clock.now)
    claims = Claims("https://id.example", "7", town.clock.now + timedelta(minutes=5))
    shown = of_secret(Kind.ISSUER, "a token", claims)
    for minutes, known in ((0, True), (4, True), (1, False)):
        town.clock.advance(minutes=minutes)
        facts = RequestFacts(shown, "127.0.0.1", town.clock.now, "request")
        assert ((await town.open_context(facts)).actor is not None) == known


async def test_a_key_costs_one_statement_and_none_while_nothing_changed(
    town: Town, acme: Agency, database: AsyncpgClient
) -> None:
    key = await made(acme, "agents.read")
    bot = program(town, key["secret"])
    async with noted(database) as first:
        await bot.ask(PRACTICES)
    async with noted(database) as again:
        await bot.ask(PRACTICES)
    assert len([each for each in first if "api_keys" in each and "UPDATE" not in each]) == 1
    assert [each for each in again if "api_keys" in each] == []


async def test_a_key_that_ends_while_it_is_exchanged_gets_no_token(town: Town, acme: Agency) -> None:
    key = await made(acme, "agents.read")
    shown = RequestFacts(of_secret(Kind.API_KEY, key["secret"]), "127.0.0.1", town.clock.now, "request")
    actor = (await town.open_context(shown)).actor
    assert actor is not None
    assert await issue_access_token(actor, ["agents.read"]) is not None
    await revoke(acme, key)
    assert await issue_access_token(actor, ["agents.read"]) is None


async def test_the_receipt_counts_the_keys_that_lost_the_practice(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    """Those of the members who worked there, as far as they still worked."""
    joe = await town.member(acme, "joe@acme.example")
    await elm_street.owner.set_roles(engagement, "biller", acknowledgeWarnings=True)
    given: dict[str, Any] = {"assigned_at": town.clock.now, "assigned_by_id": acme.admin.user_id}
    await Assignment.create(engagement_id=engagement["id"], member_id=await member_of(acme, joe), **given)
    for member in (joe, joe, acme.admin):
        await made(acme, "claims.read", member=member)
    await revoke(acme, await made(acme, "claims.read", member=joe))
    soon = town.clock.now.replace(minute=1).isoformat()
    await made(acme, "claims.read", member=joe, expiresAt=soon)
    town.clock.advance(minutes=1)
    receipt = (await elm_street.owner.revoke(engagement))["receipt"]
    assert (receipt["membersCut"], receipt["apiKeysCut"]) == (1, 2)


# --- the member's part in the scopes, and never more


async def test_a_key_has_what_its_member_has_there_as_far_as_its_scopes_go(world: World) -> None:
    """Whoever the member is, whatever else the person is, and whatever was written into the scopes."""
    draw, everything = random.Random(5), sorted(world.town.policy.permissions)
    await _make_the_owner_a_member_too(world)
    for caller in ("agent admin", "agent member", "rival member", "desk worker", "owner", "operator"):
        person = await _actor(world, world.browser(caller).credential)
        assert person is not None
        for member in await AgentMember.filter(user_id=person.user_id):
            for _ in range(12):
                scopes = frozenset(draw.sample(everything, draw.randint(0, len(everything))))
                key = await _actor(world, await _stored(world, member, scopes))
                assert key is not None
                _compare(world, key, person, member, scopes)


def _compare(world: World, key: Actor, person: Actor, member: AgentMember, scopes: frozenset[str]) -> None:
    agent = UUID(str(member.agent_id))  # type: ignore[attr-defined]  # the foreign key's
    assert key.permissions(Place()) <= scopes
    assert not key.operator
    assert key.agents.keys() == {agent}
    assert key.reauthenticated_at is None
    of_agent = permissions(world.town.policy, person.agents[agent])
    assert permissions(world.town.policy, key.agents[agent]) == of_agent & scopes
    for practice in person.practices.keys() | key.practices.keys():
        place = Place(frozenset({practice}))
        outside = [seat for seat in person.seats(place) if seat.held_by == "agent"]
        held = permissions(world.town.policy, key.seats(place))
        assert held == permissions(world.town.policy, outside) & scopes
        for permission in world.town.policy.permissions:
            if key.decide(permission, place).allowed:
                assert permission in scopes
                assert person.decide(permission, place).allowed


async def _make_the_owner_a_member_too(world: World) -> None:
    """And the operator: what they are elsewhere is not their key's."""
    now = world.town.clock.now
    for caller in ("owner", "operator"):
        who = world.browser(caller).user_id
        joined: dict[str, Any] = {"admin": caller == "owner", "invited_at": now, "joined_at": now, "invited_by_id": who}
        await AgentMember.create(agent_id=world.ids["agent other"], user_id=who, **joined)


async def _stored(world: World, member: AgentMember, scopes: frozenset[str]) -> Credential:
    """A key with scopes that no mutation would give."""
    credential, now = of_secret(Kind.API_KEY, str(uuid7())), world.town.clock.now
    await ApiKey.create(
        client_id=uuid7(),
        agent_id=member.agent_id,  # type: ignore[attr-defined]  # the foreign key's
        member_id=member.id,
        created_by_id=member.user_id,  # type: ignore[attr-defined]  # the foreign key's
        label="",
        prefix="",
        secret_hash=credential.name,
        scopes=sorted(scopes),
        created_at=now,
        expires_at=now.replace(year=2027),
        last_used_at=now,
    )
    return credential


async def _actor(world: World, credential: Credential | None) -> Actor | None:
    facts = RequestFacts(credential, "127.0.0.1", world.town.clock.now, "request")
    return (await world.town.open_context(facts)).actor
