"""What follows from an outline is what the whole life says: one authority, asked less often."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.agreement import AgreementFacts
from authz.life import NEVER, Facts, changes_at, grant_status, life
from authz.load import load
from authz.outline import Outline, standing
from models.asyncpg_client import AsyncpgClient
from operations.facts import OUTLINE, TABLES, outline
from tests.conftest import Eraser
from tests.stored_facts import INSTANT, drawn, store
from tests.town import POLICIES, START

POLICY = load(POLICIES)


def outlined(facts: Facts) -> Outline:
    """By hand, to compare with what the database says."""
    agreement = facts.agreement
    return Outline(
        agent_kind=facts.agent_kind,
        held=facts.grants,
        over=bool(facts.ended_at or facts.practice_closed_at or facts.agent_closed_at),
        suspended=bool(facts.suspended_at or facts.agent_suspended_at),
        basis=agreement.basis if agreement else None,
        agent_signed=bool(agreement and agreement.agent_signed_at),
        practice_signed=bool(agreement and agreement.practice_signed_at),
        waived=bool(agreement and agreement.waived_at),
        terminated=bool(agreement and agreement.terminated_at),
        effective_on=agreement.effective_on if agreement else None,
        expires_on=agreement.expires_on if agreement else None,
        covered_until=agreement.covered_until if agreement else None,
    )


def itself(*key: Any) -> Outline:
    return Outline(*key)


@st.composite
def stored_facts(draw: st.DrawFn) -> Facts:
    return drawn(lambda options: draw(st.sampled_from(list(options))), START)


def agree(facts: Facts, key: tuple[Any, ...], make: Any, now: datetime) -> None:
    expires_at = NEVER if facts.auto_extend else facts.expires_at
    found = standing(POLICY, key, make, expires_at, facts.reviewed_at or START, now)
    assert found.status is life(facts, POLICY, now).status
    assert [status for _, status in found.grants] == [grant_status(grant, now) for grant in facts.grants]
    assert [grant.expires_at for grant, _ in found.grants] == [grant.expires_at for grant in facts.grants]
    until = min([found.until, *([expires_at] if expires_at > now else [])])
    lasting = facts._replace(expires_at=expires_at, auto_extend=False)  # another end is no other status
    assert now < until <= changes_at(lasting, POLICY, now)


@settings(max_examples=300, deadline=None)
@given(stored_facts(), st.lists(st.sampled_from([-1, 0, 1, 29, 90, 400]), min_size=1, max_size=4))
def test_a_standing_is_what_the_life_says_whenever_it_is_asked(facts: Facts, days: list[int]) -> None:
    """Backwards in time, too: what was worked out for one instant must not be said about an earlier one."""
    for day in days:
        for around in (-INSTANT, timedelta(0), INSTANT):
            agree(facts, tuple(outlined(facts)), itself, START + timedelta(days=day) + around)


def test_engagements_that_are_alike_share_a_standing() -> None:
    facts = drawn(random.Random(4).choice, START)._replace(expires_at=START + timedelta(days=3))
    other = facts._replace(started_at=START - timedelta(days=1), expires_at=START + timedelta(days=9))
    one, two = (
        standing(POLICY, tuple(outlined(each)), itself, each.expires_at, START, START) for each in (facts, other)
    )
    assert one is two


async def test_the_columns_say_what_the_stored_facts_are(database: AsyncpgClient, eraser: Eraser) -> None:
    chance = random.Random(7)
    stored = await store([drawn(chance.choice, START) for _ in range(300)], START)
    columns = ", ".join(f"{sql} AS {name}" for name, sql in OUTLINE.items())
    closed = "a.kind, a.closed_at IS NOT NULL OR p.closed_at IS NOT NULL AS closed, a.suspended_at IS NOT NULL AS out"
    rows = await database.execute_query_dict(f"SELECT e.id, {columns}, {closed} FROM {TABLES}")
    assert len(rows) == len(stored)
    for row in rows:
        key = row["kind"], row["outline"], row["closed"] or row["ended"], row["out"] or row["suspended"]
        agree(stored[row["id"]], key, outline, START)


STALE = "SELECT count(*) FROM engagements WHERE outline <> engagement_outline(id)"
ONE = "(SELECT id FROM {} ORDER BY md5(id::text || $1) LIMIT 1)"
# Of those that count, one that the change makes different.
GRANT = ONE.format("role_grants WHERE removed_at IS NULL AND confirmed_at IS NOT NULL")
NEWER = "SELECT FROM agreements n WHERE n.engagement_id = s.engagement_id AND n.superseded_at IS NULL AND n.id > s.id"
AGREEMENT = ONE.format(
    f"agreements s WHERE superseded_at IS NULL AND practice_signed_at IS NOT NULL AND NOT EXISTS ({NEWER})"
)
CHANGES = (
    f"UPDATE role_grants SET removed_at = now() WHERE id = {GRANT}",
    f"UPDATE role_grants SET confirmed_at = NULL WHERE id = {GRANT}",
    f"UPDATE role_grants SET expires_at = now() + interval '9 days' WHERE id = {GRANT}",
    f"UPDATE role_grants SET engagement_id = {ONE.format('engagements')}, removed_at = NULL, role = $1"
    f" WHERE id = {GRANT}",
    f"DELETE FROM role_grants WHERE id = {GRANT}",
    f"UPDATE agreements SET practice_signed_at = NULL WHERE id = {AGREEMENT}",
    f"UPDATE agreements SET superseded_at = now() WHERE id = {AGREEMENT}",
    f"UPDATE agreements SET expires_on = date '2026-03-01' + length($1) WHERE id = {AGREEMENT}",
    f"DELETE FROM agreements WHERE id = {AGREEMENT}",
)


@pytest.mark.parametrize("change", CHANGES)
async def test_the_outline_is_kept_whatever_changes_a_part(
    database: AsyncpgClient, eraser: Eraser, change: str
) -> None:
    await store([drawn(random.Random(at).choice, START) for at in range(20)], START)
    before = await eraser.session.fetch("SELECT outline FROM engagements ORDER BY id")
    for turn in range(3):
        assert await eraser.session.execute(change, str(turn)) in ("UPDATE 1", "DELETE 1")
        assert await eraser.session.fetchval(STALE) == 0
    assert await eraser.session.fetch("SELECT outline FROM engagements ORDER BY id") != before


SIGN = "UPDATE agreements SET practice_signed_at = now() WHERE engagement_id = $1"
GIVE = (
    "INSERT INTO role_grants (id, engagement_id, role, granted_at, granted_by_id)"
    " SELECT gen_random_uuid(), id, 'biller', now(), started_by_id FROM engagements WHERE id = $1"
)


@pytest.mark.parametrize("acts", [(GIVE, SIGN), (SIGN, GIVE)])
async def test_of_two_changes_at_once_the_outline_has_both(
    database: AsyncpgClient, eraser: Eraser, database_url: str, acts: tuple[str, str]
) -> None:
    """Also by hands that lock nothing beforehand."""
    unsigned = AgreementFacts("baa", START, START, None, START.date())
    (key,) = await store([drawn(random.Random(1).choice, START)._replace(grants=(), agreement=unsigned)], START)
    one, two = [await asyncpg.connect(database_url) for _ in range(2)]
    try:
        async with one.transaction():
            await one.execute(acts[0], key)
            second = asyncio.create_task(two.execute(acts[1], key))
            await asyncio.sleep(0.1)
            assert not second.done(), "it waits for the first"
        await second
    finally:
        await one.close()
        await two.close()
    assert await eraser.session.fetchval("SELECT outline FROM engagements") == f"biller ?;baa -ap {START:%Y-%m-%d} - -"
