"""A member departs who works in 1,000 practices: promised under 2 s, with an event in the record of each.

Two peers change the same rows. The floor writes nothing but them, in two statements and one commit: no record, no
snapshot, nobody told. What one writes first goes from practice to practice and changes each as one change.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg

from authz.actor import Access, Actor, Place
from authz.decide import Seat
from authz.load import load
from authz.policy import Policy
from bench import database, results
from models import connection, migrate
from models.connection import Connection
from models.tenancy import SERVICE, Acting, acting_for
from models.unit_of_work import unit_of_work
from operations import engagement_change
from operations.departure import depart_member
from operations.facts import hold
from operations.idempotency import request
from server.embedded import Embedded

POLICIES = Path(__file__).resolve().parent.parent / "policies"
PRACTICES, ROUNDS = 1_000, 5
MEMBERS = 3 * ROUNDS  # each departs once
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AGENT, ADMIN = UUID(int=1), UUID(int=2)

# ruff: noqa: S608  (our own text)


def _id(table: int, n: str) -> str:
    return f"('00000000-0000-7000-800{table}-' || lpad(to_hex({n}), 12, '0'))::uuid"


PRACTICE, ENGAGEMENT, MEMBER = 3, 4, 5
EACH = f"FROM generate_series(1, {PRACTICES}) n"
FILL = f"""
INSERT INTO users (id, name, email, created_at) VALUES ('{ADMIN}', 'Admin', 'admin@acme.example', now());
INSERT INTO users (id, name, email, created_at)
    SELECT {_id(MEMBER, "n")}, 'Member ' || n, n || '@acme.example', now() FROM generate_series(1, {MEMBERS}) n;
INSERT INTO agents (id, kind, legal_name, address, city, phone, email, registered_at, registered_by_id, verified_at)
    VALUES ('{AGENT}', 'billing_company', 'ACME', '-', '-', '-', '-', now(), '{ADMIN}', now());
INSERT INTO agent_members (id, agent_id, user_id, admin, invited_at, invited_by_id, joined_at)
    VALUES ('{ADMIN}', '{AGENT}', '{ADMIN}', true, now(), '{ADMIN}', now());
INSERT INTO agent_members (id, agent_id, user_id, invited_at, invited_by_id, joined_at)
    SELECT {_id(MEMBER, "n")}, '{AGENT}', {_id(MEMBER, "n")}, now(), '{ADMIN}', now()
    FROM generate_series(1, {MEMBERS}) n;
INSERT INTO practices (id, name, kind, incorporated, created_at, created_by_id)
    SELECT {_id(PRACTICE, "n")}, 'Practice ' || n, 'independent_therapist', false, now(), '{ADMIN}' {EACH};
INSERT INTO engagements (id, purpose, started_at, expires_at, agent_id, practice_id, started_by_id)
    SELECT {_id(ENGAGEMENT, "n")}, 'contracted_service', '2026-11-01', '2027-11-01', '{AGENT}', {_id(PRACTICE, "n")},
        '{ADMIN}' {EACH};
INSERT INTO role_grants (id, role, granted_at, confirmed_at, engagement_id, granted_by_id)
    SELECT gen_random_uuid(), role, now(), now(), {_id(ENGAGEMENT, "n")}, '{ADMIN}'
    {EACH}, unnest(ARRAY['auditor', 'biller']) role;
INSERT INTO agreements (id, basis, engagement_id, agent_signed_at, practice_signed_at, effective_on)
    SELECT gen_random_uuid(), 'baa', {_id(ENGAGEMENT, "n")}, now(), now(), '2026-11-01' {EACH};
INSERT INTO assignments (id, engagement_id, member_id, assigned_at, assigned_by_id)
    SELECT gen_random_uuid(), {_id(ENGAGEMENT, "n")}, {_id(MEMBER, "m")}, now(), '{ADMIN}'
    {EACH}, generate_series(1, {MEMBERS}) m;
"""
UNASSIGN = """
UPDATE assignments SET removed_at = $2 WHERE member_id = $1 AND removed_at IS NULL RETURNING engagement_id
"""
DEPART = "UPDATE agent_members SET departed_at = $2 WHERE id = $1"
COUNT = "UPDATE engagements SET version = version + 1 WHERE id = ANY ($1)"
ONE = "UPDATE assignments SET removed_at = $3 WHERE member_id = $1 AND engagement_id = $2"
WORKS_IN = "SELECT engagement_id FROM assignments WHERE member_id = $1 AND removed_at IS NULL ORDER BY engagement_id"


def main() -> None:
    with database.new() as embedded:
        table = asyncio.run(_measure(embedded))
        results.keep("depart", table, ("asyncpg",), (results.postgresql(embedded.url),))


async def _measure(embedded: Embedded) -> list[str]:
    await _fill(embedded.url)
    await connection.connect(embedded.application_url)
    try:
        access = _access(load(POLICIES))
        works = (_depart, _floor, _one_by_one)
        with acting_for(Acting(ADMIN)):  # behind the second wall, as in a request
            rounds = [
                [await _seconds(work, access, 3 * turn + place + 1) for place, work in enumerate(works)]
                for turn in range(ROUNDS)
            ]
    finally:
        await connection.disconnect()
    return list(_table(rounds))


async def _fill(url: str) -> None:
    await connection.connect(url, statement_seconds=60, acting=SERVICE)
    await migrate.migrate()
    await connection.disconnect()
    session = await asyncpg.connect(url)
    await session.execute(FILL)
    await session.execute("VACUUM ANALYZE")
    await session.close()


def _access(policy: Policy) -> Access:
    seat = Seat("member", frozenset({"agent_admin"}))
    actor = Actor(ADMIN, "Admin", policy, NOW, agents={AGENT: (seat,)}, members={AGENT: ADMIN})
    return actor.access("members.depart", Place(agent=AGENT))


Work = Callable[[Access, UUID], Awaitable[None]]


async def _seconds(work: Work, access: Access, member: int) -> float:
    key = UUID(f"00000000-0000-7000-800{MEMBER}-{member:012x}")
    began = time.perf_counter()
    await work(access, key)
    return time.perf_counter() - began


async def _depart(access: Access, member: UUID) -> None:
    departed = await depart_member(access, member, request(ADMIN, NOW, "departMember", None, {}))
    assert departed.practices_notified == PRACTICES, "not every practice was told"  # noqa: S101  (or it measured less)


async def _floor(access: Access, member: UUID) -> None:
    async def work(session: Connection) -> None:
        rows = await session.execute_query_dict(UNASSIGN, [member, NOW])
        await session.execute_query_dict(COUNT, [[row["engagement_id"] for row in rows]])
        await session.execute_query_dict(DEPART, [member, NOW])
        assert len(rows) == PRACTICES  # noqa: S101  (or it measured less)

    await unit_of_work(work)


async def _one_by_one(access: Access, member: UUID) -> None:
    async def work(session: Connection) -> None:
        for row in await session.execute_query_dict(WORKS_IN, [member]):
            held = await hold(session, access, row["engagement_id"])
            await session.execute_query_dict(ONE, [member, held.id, NOW])
            await engagement_change.change(session, access, held, "engagement.member_departed", "left")
        await session.execute_query_dict(DEPART, [member, NOW])

    await unit_of_work(work)


def _table(rounds: list[list[float]]) -> Iterator[str]:
    columns = list(zip(*rounds, strict=True))
    ours, floor, one_by_one = (statistics.median(column) for column in columns)
    ratios = [statistics.median(each[place] / each[0] for each in rounds) for place in (1, 2)]
    yield f"{f'one member out of {PRACTICES:,} practices, median of {ROUNDS}':<62} {'seconds':>8} {'ratio':>6}"
    yield f"{'departMember, each practice told (promised: 2 s)':<62} {ours:>8.3f} {1:>6}"
    yield f"{'bare set-based UPDATE of the same rows, one commit, no record':<62} {floor:>8.3f} {ratios[0]:>6.2f}"
    yield f"{'the same changes practice by practice, one commit':<62} {one_by_one:>8.3f} {ratios[1]:>6.2f}"
    yield f"slowest departMember: {max(columns[0]):.3f}"
