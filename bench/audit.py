"""A chain of 1,000,000 events, followed from end to end by `sparekey audit verify`: promised under 60 s.

The peer reads the same rows, with the same cursor, and takes sha256 of the same bytes, which it was given ready: what
nobody can be faster than who reads the record and hashes it. What is beyond that is what it costs to write each event
as its hash is made, and to compare.
"""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from bench import database, results
from models.cursors import read_transaction
from operations.record import EVENT_COLUMNS, GENESIS, canonical, event_hash
from resolvers.audit_chain import BATCH, verify_stored
from resolvers.audit_rows import AS_TEXT, event

EVENTS, ROUNDS, PIECE = 1_000_000, 3, 20_000
BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)
PRACTICE = UUID("01900000-0000-7000-8001-000000000000")
ROLES: tuple[list[str], ...] = (["biller"], ["auditor", "biller"], [], ["manager", "scheduler"])
DAY, MOMENT = "2026-01-05", "2026-01-05T09:00:00+00:00"
AGREED = {
    "basis": "baa",
    "agent_signed_at": MOMENT,
    "practice_signed_at": MOMENT,
    "effective_on": DAY,
    "waived_at": None,
}
SNAPSHOT = {
    "agent_kind": "billing_company",
    "started_at": MOMENT,
    "expires_at": "2027-01-05T09:00:00+00:00",
    "ended_at": None,
    "grants": [
        {"role": role, "granted_at": MOMENT, "confirmed_at": MOMENT, "expires_at": None, "granted_by": str(PRACTICE)}
        for role in ("auditor", "biller")
    ],
    "agreement": AGREED,
    "assigned": [{"member": str(PRACTICE), "user": str(PRACTICE), "cap": None}],
}
READ = f"SELECT {AS_TEXT} FROM audit_events WHERE chain_id = $1 ORDER BY sequence"  # noqa: S608  (our own text)


def main() -> None:
    with database.new() as embedded:
        table = asyncio.run(_measure(embedded.url))
        results.keep("audit", table, ("asyncpg", "orjson"), (results.postgresql(embedded.url),))


async def _measure(url: str) -> list[str]:
    async with database.migrated(url):
        await _fill(url)
        ready = await _ready()
        works: tuple[Work, ...] = (_verify, lambda: _read_and_hash(ready))
        rounds = [[await _seconds(work) for work in works] for _ in range(ROUNDS)]
    return list(_table(rounds))


async def _fill(url: str) -> None:
    session = await asyncpg.connect(url)
    previous = GENESIS
    for first in range(0, EVENTS, PIECE):
        events = list(_events(first, previous))
        previous = events[-1]["hash"]
        records = [tuple(_stored(each[name]) for name in EVENT_COLUMNS) for each in events]
        await session.copy_records_to_table("audit_events", records=records, columns=list(EVENT_COLUMNS))
    await session.execute("INSERT INTO audit_heads VALUES ($1, $2, $3)", PRACTICE, EVENTS, previous)
    await session.execute("VACUUM ANALYZE")
    await session.close()


def _events(first: int, previous: str) -> Iterator[dict[str, Any]]:
    """As the roles of engagements are set, again and again."""
    for n in range(first, first + PIECE):
        engagement, user = UUID(int=PRACTICE.int + n % 997), UUID(int=PRACTICE.int + n % 31)
        found: dict[str, Any] = dict.fromkeys(EVENT_COLUMNS)
        found |= {
            "id": UUID(int=PRACTICE.int + n),
            "chain_id": PRACTICE,
            "sequence": n + 1,
            "practice_id": PRACTICE,
            "agent_id": UUID(int=PRACTICE.int + n % 101),
            "engagement_id": engagement,
            "at": BEGAN + timedelta(seconds=n, microseconds=n % 1_000_000),
            "type": "engagement.roles_set",
            "party": "practice",
            "actor": "Zoë Somebody",
            "actor_user_id": user,
            "policy_digest": "0123456789ab",
            "summary": f"the roles of ACME Billing are now {', '.join(ROLES[n % 4]) or 'none'}",
            "before": {"roles": ROLES[n % 4], "version": n},
            "after": {"roles": ROLES[(n + 1) % 4], "version": n + 1},
            "snapshot": SNAPSHOT,
            "previous_hash": previous,
        }
        previous = found["hash"] = event_hash(found)
        yield found


def _stored(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


async def _ready() -> list[bytes]:
    """What each event's hash is made of, written beforehand."""
    found = []
    async with read_transaction() as stored:
        async for rows in stored.batches(BATCH, READ, PRACTICE):
            for row in rows:
                content = event(row)
                del content["hash"]
                found.append(canonical(content))
    return found


Work = Callable[[], Awaitable[None]]


async def _seconds(work: Work) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def _verify() -> None:
    assert (await verify_stored(PRACTICE)).events == EVENTS  # noqa: S101  (a benchmark of nothing is none)


async def _read_and_hash(ready: list[bytes]) -> None:
    at = 0
    async with read_transaction() as stored:
        async for rows in stored.batches(BATCH, READ, PRACTICE):
            for row in rows:
                assert row["hash"] == hashlib.sha256(b"\x00" + ready[at]).hexdigest()  # noqa: S101  (or it measured less)
                at += 1


def _table(rounds: list[list[float]]) -> Iterator[str]:
    verified, bare = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(ours / other for ours, other in rounds)
    head = f"a chain of {EVENTS:,} events, median of {ROUNDS}"
    yield f"{head:<58} {'seconds':>8} {'µs/event':>9} {'ratio':>6}"
    by_event = [seconds / EVENTS * 1e6 for seconds in (verified, bare)]
    yield f"{'verified: audit verify (promised: 60 s)':<58} {verified:>8.1f} {by_event[0]:>9.1f} {ratio:>6.2f}"
    yield f"{'the same rows read, sha256 of the same bytes, ready':<58} {bare:>8.1f} {by_event[1]:>9.1f} {1:>6}"
