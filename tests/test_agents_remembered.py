"""Agents that many pages show come from memory, and are never shown as they were before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from models.asyncpg_client import AsyncpgClient
from resolvers import agents_met
from resolvers.context import Context
from tests.statements import noted
from tests.stored import as_owner
from tests.town import COOKIE, Agency, Client, Clock, House, Town, build

PAGE = """query ($id: ID!, $n: Int) { practice(id: $id) { name engagements(first: $n) {
    nodes { id status agent { id legalName kind city } roles { status role { key } } } } } }"""
CHANGES = (
    "UPDATE agents SET legal_name = 'Acme & Daughters'",
    "UPDATE agents SET suspended_at = (SELECT min(started_at) FROM engagements)",
    "UPDATE agents SET closed_at = (SELECT min(started_at) FROM engagements)",
)


@pytest.fixture
async def contexts(town: Town, clock: Clock) -> AsyncIterator[tuple[Town, list[Context]]]:
    """The same town behind another application, with every context that it opened."""
    seen: list[Context] = []
    built = build(clock, seen.append)
    yield built, seen
    for client in built.clients:
        await client.http.aclose()
    await built.remembered.close()


@pytest.fixture
async def plain(town: Town, clock: Clock) -> AsyncIterator[Town]:
    built = build(clock, remembers=False)
    yield built
    for client in built.clients:
        await client.http.aclose()
    await built.remembered.close()


def same_person(town: Town, client: Client) -> Client:
    other = town.visitor()
    other.http.cookies.set(COOKIE, client.reference or "")
    return other


@pytest.mark.parametrize("change", CHANGES)
async def test_a_changed_agent_is_shown_as_it_is_in_the_very_next_page(
    town: Town, plain: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], change: str
) -> None:
    owner, other = elm_street.owner, same_person(plain, elm_street.owner)
    for size in (1, 2, 3):
        await owner.send(PAGE, id=elm_street.id, n=size)
    assert len(town.remembered.agents) == 1
    before = (await owner.send(PAGE, id=elm_street.id, n=3)).content
    await as_owner(change)
    after = (await owner.send(PAGE, id=elm_street.id, n=3)).content
    assert after == (await other.send(PAGE, id=elm_street.id, n=3)).content
    assert after != before


async def test_another_page_with_the_same_agents_reads_them_no_more(
    town: Town, elm_street: House, acme: Agency, engagement: dict[str, Any], database: AsyncpgClient
) -> None:
    for size in (1, 2, 3):
        await elm_street.owner.send(PAGE, id=elm_street.id, n=size)
    async with noted(database) as statements:
        await elm_street.owner.send(PAGE, id=elm_street.id, n=4)
    assert len(statements) == 1
    assert "agents" not in statements[0]


async def test_what_an_operation_saw_earlier_is_not_what_is_kept(
    contexts: tuple[Town, list[Context]], elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    """Of a row that was read before the last look at what changed nobody would ever hear."""
    built, seen = contexts
    await same_person(built, elm_street.owner).send(PAGE, id=elm_street.id, n=1)
    context, key = seen[-1], UUID(acme.id)
    assert context.request.confirmed
    (stale,) = (await context.all_the("agent", [key])).values()
    await as_owner(CHANGES[0])
    assert await built.remembered.confirm()
    assert len(built.remembered.agents) == 0
    (fresh,) = await agents_met.meet(context, [key])
    assert (stale["legal_name"], fresh["legal_name"]) == ("ACME Billing", "Acme & Daughters")
    assert built.remembered.agents.the(key) is fresh


async def test_a_mutation_sees_what_it_changed_and_nothing_from_memory(
    contexts: tuple[Town, list[Context]], elm_street: House, acme: Agency, engagement: dict[str, Any]
) -> None:
    """What this operation did is confirmed for the next one only."""
    built, seen = contexts
    for size in (1, 2):
        await same_person(built, elm_street.owner).send(PAGE, id=elm_street.id, n=size)
    context, key = seen[-1], UUID(acme.id)
    remembered = built.remembered.agents.the(key)
    await as_owner(CHANGES[0])
    context.mutations = 1
    (fresh,) = await agents_met.meet(context, [key])
    assert fresh["legal_name"] == "Acme & Daughters"
    assert built.remembered.agents.the(key) is remembered
