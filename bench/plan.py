"""A plan over 1,000,000 live engagements: promised under 2 s, names and practices without anybody left included.

The peer gives the same answer to the same first question, which classes there are and how many engagements in each,
with the statement that one writes first: the roles and the agreement of each engagement as sub-selects.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import asyncpg

from authz.load import load
from authz.policy import Policy
from bench import database, results
from models.connection import client
from operations.policy_holders import Holders
from operations.policy_planning import make_plan

POLICIES = Path(__file__).resolve().parent.parent / "policies"
ENGAGEMENTS, PRACTICES, AGENTS, ROUNDS = 1_000_000, 50_000, 1_000, 5

# ruff: noqa: S608  (our own text)
USER = "'00000000-0000-7000-8000-000000000001'::uuid"


def _id(table: int, n: str) -> str:
    """In the order of creation, as real ones are."""
    return f"('00000000-0000-7000-800{table}-' || lpad(to_hex({n}), 12, '0'))::uuid"


PRACTICE, AGENT, ENGAGEMENT = 1, 2, 3
KINDS = "ARRAY['billing_company', 'practice_management_company', 'front_office_worker']"
COUNTED = f"FROM generate_series(0, {ENGAGEMENTS} - 1) n"
PEOPLE = f"""
INSERT INTO users (id, name, email, created_at) VALUES ({USER}, 'Somebody', 'somebody@elm.example', now());
INSERT INTO practices (id, name, kind, incorporated, created_at, created_by_id)
    SELECT {_id(PRACTICE, "n")}, 'Practice ' || n, 'independent_therapist', false, now(), {USER}
    FROM generate_series(0, {PRACTICES} - 1) n;
INSERT INTO staff_members (id, roles, added_at, added_by_id, practice_id, user_id)
    SELECT gen_random_uuid(), ARRAY['owner'], now(), {USER}, {_id(PRACTICE, "n")}, {USER}
    FROM generate_series(0, {PRACTICES} - 1) n;
INSERT INTO agents (id, kind, legal_name, address, city, phone, email, registered_at, registered_by_id)
    SELECT {_id(AGENT, "n")}, ({KINDS})[1 + n % 3], 'Agent ' || n, '-', '-', '-', '-', now(), {USER}
    FROM generate_series(0, {AGENTS} - 1) n;
"""
WORK = f"""
INSERT INTO engagements
    (id, purpose, started_at, expires_at, agent_id, practice_id, started_by_id, last_used_at)
    SELECT {_id(ENGAGEMENT, "n")}, 'contracted_service', now(), now() + interval '1 year',
        {_id(AGENT, f"(n / 20 * 37 + n % 20 * 50) % {AGENTS}")}, {_id(PRACTICE, "n / 20")}, {USER},
        now() - make_interval(days => n % 90)
    {COUNTED}
"""
GRANTS = f"""
INSERT INTO role_grants (id, role, granted_at, confirmed_at, engagement_id, granted_by_id)
    SELECT gen_random_uuid(), role, now(), now(), {_id(ENGAGEMENT, "n")}, {USER}
    {COUNTED}, unnest(CASE n % 10 WHEN 0 THEN ARRAY['manager']
        WHEN 1 THEN ARRAY['biller', 'scheduler'] WHEN 2 THEN ARRAY['scheduler'] WHEN 3 THEN ARRAY['auditor']
        WHEN 4 THEN ARRAY['auditor', 'biller'] ELSE ARRAY['biller'] END) role
"""
AGREEMENTS = f"""
INSERT INTO agreements (id, basis, engagement_id, agent_signed_at, practice_signed_at, effective_on)
    SELECT gen_random_uuid(), 'baa', {_id(ENGAGEMENT, "n")}, now(), now(), current_date {COUNTED} WHERE n % 7 <> 0
"""
FIRST_TRY = """
SELECT a.kind, ARRAY(SELECT g.role FROM role_grants g WHERE g.engagement_id = e.id AND g.removed_at IS NULL
        AND g.confirmed_at IS NOT NULL AND (g.expires_at IS NULL OR g.expires_at > now()) ORDER BY g.role) AS roles,
    EXISTS (SELECT FROM agreements s WHERE s.engagement_id = e.id AND s.terminated_at IS NULL
        AND s.superseded_at IS NULL AND s.waived_at IS NULL
        AND (s.covered_until >= current_date OR (s.practice_signed_at IS NOT NULL
        AND (s.agent_signed_at IS NOT NULL OR s.basis = 'workforce_training') AND s.effective_on <= current_date
        AND (s.expires_on IS NULL OR s.expires_on >= current_date)))) AS in_force, count(*) AS holders
FROM engagements e JOIN agents a ON a.id = e.agent_id JOIN practices p ON p.id = e.practice_id
WHERE e.ended_at IS NULL AND e.expires_at > now() - interval '30 days' AND a.closed_at IS NULL AND p.closed_at IS NULL
GROUP BY 1, 2, 3
"""


def main() -> None:
    with database.new() as embedded:
        table = asyncio.run(_measure(embedded.url))
        results.keep("plan", table, ("asyncpg",), (results.postgresql(embedded.url),))


async def _measure(url: str) -> list[str]:
    async with database.migrated(url):
        await _fill(url)
        old = load(POLICIES)
        new = _without_recorded_payments(old)
        (row,) = await client().execute_query_dict("SELECT now() AS now")
        works = (_plan, _classes, _first_try)
        rounds = [[await _seconds(work, old, new, row["now"]) for work in works] for _ in range(ROUNDS)]
    return list(_table(rounds))


async def _fill(url: str) -> None:
    await asyncio.gather(*(_run(url, script) for script in (PEOPLE, WORK, GRANTS, AGREEMENTS)))
    await _run(url, "VACUUM ANALYZE")


async def _run(url: str, script: str) -> None:
    session = await asyncpg.connect(url)
    await session.execute("SET session_replication_role = replica")  # foreign keys hold by construction
    await session.execute(script)
    await session.close()


def _without_recorded_payments(policy: Policy) -> Policy:
    """Half of all engagements, and every owner, lose something."""
    roles = {key: replace(r, permissions=r.permissions - {"payments.record"}) for key, r in policy.roles.items()}
    return replace(policy, roles=roles, digest="0" * 12)


Work = Callable[[Policy, Policy, datetime], Awaitable[object]]


async def _seconds(work: Work, old: Policy, new: Policy, now: datetime) -> float:
    began = time.perf_counter()
    await work(old, new, now)
    return time.perf_counter() - began


async def _plan(old: Policy, new: Policy, now: datetime) -> None:
    planned = (await make_plan(old, new, now)).plan
    agents = sum(change.live.holders for change in planned.changes if change.live.held_by == "agent")
    assert agents > ENGAGEMENTS // 3, "the plan found too little"  # noqa: S101  (a benchmark of nothing is none)
    assert [each.practices for each in planned.nobody_left] == [PRACTICES]  # noqa: S101  (or it measured less)


async def _classes(old: Policy, new: Policy, now: datetime) -> None:
    found = await Holders.of(old, new, now).found()
    counted = sum(each.live.holders for each in found if each.live.held_by == "agent")
    assert counted == ENGAGEMENTS  # noqa: S101  (or it measured less)


async def _first_try(old: Policy, new: Policy, now: datetime) -> None:
    rows = await client().execute_query_dict(FIRST_TRY)
    assert sum(row["holders"] for row in rows) == ENGAGEMENTS  # noqa: S101  (or it measured less)


def _table(rounds: list[list[float]]) -> Iterator[str]:
    plan, classes, first_try = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(other / ours for _, ours, other in rounds)
    yield f"{f'plan over {ENGAGEMENTS:,} engagements, median of {ROUNDS}':<58} {'seconds':>8} {'ratio':>6}"
    yield f"{'whole plan, names included (promised: 2 s)':<58} {plan:>8.2f}"
    yield f"{'of it the counting: one GROUP BY, roles as bits':<58} {classes:>8.2f} {1:>6}"
    yield f"{'the same counting, roles and agreement as sub-selects':<58} {first_try:>8.2f} {ratio:>6.2f}"
