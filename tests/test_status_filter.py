"""A list filtered by status holds exactly those whose life says so: the rule in SQL and the rule in Python agree."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz.life import Facts, Status, life
from authz.load import load
from authz.policy import Policy
from models.asyncpg_client import AsyncpgClient
from operations.facts import COLUMNS, TABLES, facts
from resolvers.filters import engagement_status
from tests.conftest import Eraser
from tests.stored_facts import drawn, store
from tests.town import POLICIES, START

POLICY = load(POLICIES)
# Here a worker needs an agreement for what a biller sees, and none for a scheduler: the roles decide.
WORKER = replace(POLICY.agents["front_office_worker"], agreement_required_from="financial")
STRICTER = replace(POLICY, agents={**POLICY.agents, WORKER.key: WORKER})
STATUSES = [status.value for status in Status]


@st.composite
def stored_facts(draw: st.DrawFn) -> Facts:
    return drawn(lambda options: draw(st.sampled_from(list(options))), START)


async def filtered(
    database: AsyncpgClient, statuses: list[str], now: datetime = START, policy: Policy = POLICY
) -> set[UUID]:
    condition = engagement_status(statuses, policy, now)
    places = tuple(f"${number}" for number in range(1, len(condition.values) + 1))
    sql = f"SELECT e.id FROM {TABLES} WHERE {condition.sql % places}"
    return {row["id"] for row in await database.execute_query_dict(sql, list(condition.values))}


async def agree(
    database: AsyncpgClient, stored: dict[UUID, Facts], now: datetime = START, policy: Policy = POLICY
) -> dict[str, int]:
    """Compare; returns how many there were in each status."""
    lives = {key: life(each, policy, now).status.value for key, each in stored.items()}
    for status in STATUSES:
        expected = {key for key, found in lives.items() if found == status}
        wrong = await filtered(database, [status], now, policy) ^ expected
        assert not wrong, [(status, lives[key], stored[key]) for key in wrong]
    return {status: sum(found == status for found in lives.values()) for status in STATUSES}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(engagements=st.lists(stored_facts(), min_size=1, max_size=12))
async def test_the_filter_and_the_life_agree(database: AsyncpgClient, eraser: Eraser, engagements: list[Facts]) -> None:
    await eraser()
    stored = await store(engagements, START)
    await agree(database, stored)
    await agree(database, stored, policy=STRICTER)


async def test_the_filter_and_the_life_agree_over_many_at_once(database: AsyncpgClient) -> None:
    chance = random.Random(2026)
    many = [drawn(lambda options: chance.choice(list(options)), START) for _ in range(1500)]
    stored = await store(many, START)
    counts, stricter = await agree(database, stored), await agree(database, stored, policy=STRICTER)
    assert min(counts.values()) >= 20, counts
    assert stricter["awaiting_agreement"] > counts["awaiting_agreement"]


async def test_a_stored_row_is_read_back_as_the_facts_that_were_stored(database: AsyncpgClient) -> None:
    chance = random.Random(7)
    stored = await store([drawn(lambda options: chance.choice(list(options)), START) for _ in range(300)], START)
    rows = await database.execute_query_dict(f"SELECT {COLUMNS} FROM {TABLES}")
    assert {row["id"]: _without_ids(facts(row)) for row in rows} == stored


def _without_ids(found: Facts) -> Facts:
    return found._replace(grants=tuple(grant._replace(id="", granted_by="") for grant in found.grants))


@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
        datetime(2028, 2, 29, 0, 0, 0, 1, UTC),
    ],
)
async def test_they_agree_around_midnight_too(database: AsyncpgClient, now: datetime) -> None:
    chance = random.Random(now.toordinal())
    many = [drawn(lambda options: chance.choice(list(options)), now) for _ in range(200)]
    await agree(database, await store(many, now), now)


async def test_several_statuses_are_those_of_each_and_none_is_nothing(database: AsyncpgClient) -> None:
    chance = random.Random(1)
    stored = await store([drawn(lambda options: chance.choice(list(options)), START) for _ in range(100)], START)
    both: set[Any] = await filtered(database, ["ended", "active"])
    assert both == await filtered(database, ["ended"]) | await filtered(database, ["active"])
    assert await filtered(database, STATUSES) == set(stored)
    assert await filtered(database, []) == set()
