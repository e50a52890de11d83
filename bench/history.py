"""Who could do what on an earlier day, in a practice whose record holds 100,000 events: promised under 1 s.

The peer reads the same last events with the statement that one writes first: every event with its snapshot, in the
order of the chain, and the last of each engagement kept. Both then derive the same answers from the snapshots.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson

from authz.agreement import AgreementFacts
from authz.life import Facts, Grant
from authz.load import load
from authz.policy import Policy
from bench import database, results
from models.connection import read
from operations.snapshot import restored, snapshot
from resolvers.history import rebuilt

POLICIES = Path(__file__).resolve().parent.parent / "policies"
EVENTS, ENGAGEMENTS, ROUNDS = 100_000, 1_000, 5
PRACTICE = UUID(int=1)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HALF_WAY = BEGAN + timedelta(seconds=EVENTS // 2)
RECORD = """
INSERT INTO audit_events (id, chain_id, sequence, practice_id, agent_id, engagement_id, at, type, party, actor,
    policy_digest, summary, snapshot, previous_hash, hash)
SELECT gen_random_uuid(), $1, n, $1, gen_random_uuid(),
    ('00000000-0000-7000-8000-' || lpad(to_hex(n % $4), 12, '0'))::uuid,
    $2::timestamptz + make_interval(secs => n), 'engagement.roles_set', 'practice', 'Somebody', '000000000000',
    'set the roles', $5::jsonb, repeat('0', 64), repeat('0', 64)
FROM generate_series(1, $3) n
"""
FIRST_TRY = "SELECT engagement_id, snapshot FROM audit_events WHERE chain_id = $1 AND at <= $2 ORDER BY sequence"


def main() -> None:
    with database.new() as embedded:
        table = asyncio.run(_measure(embedded.url))
        results.keep("history", table, ("asyncpg",), (results.postgresql(embedded.url),))


async def _measure(url: str) -> list[str]:
    async with database.migrated(url):
        await _fill(url)
        policy = load(POLICIES)
        rounds = [[await _ours(policy), await _first_try()] for _ in range(ROUNDS)]
    return list(_table(rounds))


async def _fill(url: str) -> None:
    signed = AgreementFacts(agent_signed_at=BEGAN, practice_signed_at=BEGAN, effective_on=BEGAN.date())
    grants = tuple(Grant(role, BEGAN, BEGAN) for role in ("auditor", "biller"))
    facts = Facts(BEGAN, BEGAN + timedelta(days=365), "billing_company", grants, signed, reviewed_at=BEGAN)
    assigned = [{"member": str(UUID(int=n)), "user": str(UUID(int=n)), "cap": None} for n in range(5)]
    stored = orjson.dumps(snapshot(facts, assigned)).decode()
    session = await asyncpg.connect(url)
    await session.execute("SET sparekey.acting = 'everywhere'")
    await session.execute(RECORD, PRACTICE, BEGAN, EVENTS, ENGAGEMENTS, stored)
    await session.execute("VACUUM ANALYZE audit_events")
    await session.close()


async def _ours(policy: Policy) -> float:
    began = time.perf_counter()
    found = await rebuilt(PRACTICE, HALF_WAY, policy)
    assert len(found) == ENGAGEMENTS, "the record told too little"  # noqa: S101  (a benchmark of nothing is none)
    assert all(each.permissions and len(each.people) == 5 for each in found)  # noqa: S101  (as above)
    return time.perf_counter() - began


async def _first_try() -> float:
    """The reading alone, without what follows from it."""
    began = time.perf_counter()
    last = {row["engagement_id"]: row["snapshot"] for row in await read(FIRST_TRY, PRACTICE, HALF_WAY)}
    found = [restored(orjson.loads(stored)) for stored in last.values()]
    assert len(found) == ENGAGEMENTS  # noqa: S101  (as above)
    return time.perf_counter() - began


def _table(rounds: list[list[float]]) -> Iterator[str]:
    ours, first_try = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(other / own for own, other in rounds)
    title = f"{EVENTS:,} events, {ENGAGEMENTS:,} engagements, median of {ROUNDS}"
    yield f"{title:<58} {'seconds':>8} {'ratio':>6}"
    yield f"{'who could do what half way (promised: 1 s)':<58} {ours:>8.3f} {1:>6}"
    yield f"{'every event up to then read in order, the last ones kept':<58} {first_try:>8.3f} {ratio:>6.2f}"
