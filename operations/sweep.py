"""The sweeper: tells what time alone brought about, each thing once, however many sweep.

Nothing depends on it. What holds at an instant is worked out when somebody asks; the sweeper only makes events of it.
An event and the row of `notices` that says it was told are one transaction. `next_looks` says which engagements may
have something to tell, so that a million others cost nothing; engagements that somebody is changing wait for the next
time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from authz.life import Party
from authz.notices import ENDED, Notice, outlook, time_rules
from authz.policy import Policy
from models.connection import Connection, client
from models.identifier import uuid7
from models.tenancy import SERVICE, acting_for
from models.unit_of_work import unit_of_work
from operations.engagement_change import all_happened
from operations.facts import COLUMNS, TABLES, Row, facts
from operations.lapse import close_lapsed
from operations.record import About, Event, Who

NAME = "Sparekey"
BATCH = 100  # engagements in one transaction: their practices' records wait for it

# What is due comes first; then whatever was last looked at under other rules.
_CANDIDATES = """
SELECT engagement_id FROM (
    (SELECT engagement_id, look_at, 1 AS turn FROM next_looks WHERE look_at <= $2 ORDER BY look_at LIMIT $3)
    UNION ALL (SELECT engagement_id, look_at, 2 FROM next_looks WHERE rules < $1 LIMIT $3)
    UNION ALL (SELECT engagement_id, look_at, 2 FROM next_looks WHERE rules > $1 LIMIT $3)
) found GROUP BY engagement_id ORDER BY min(turn), min(look_at) LIMIT $3
"""
_LOCK = "SELECT id FROM engagements WHERE id = ANY ($1) ORDER BY id FOR UPDATE SKIP LOCKED"
_READ = f"SELECT {COLUMNS} FROM {TABLES} WHERE e.id = ANY ($1) ORDER BY e.id"  # noqa: S608  (our own text)
_TELL_ONCE = """
INSERT INTO notices (id, engagement_id, kind, due_at, told_at)
SELECT *, $5 FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
ON CONFLICT (engagement_id, kind, due_at) DO NOTHING RETURNING id
"""
_LOOKED = """
UPDATE next_looks n SET rules = $1, look_at = looked.at
FROM unnest($2::uuid[], $3::timestamptz[]) AS looked (id, at) WHERE n.engagement_id = looked.id
"""


class Found(NamedTuple):
    row: Row
    notice: Notice


async def sweep(policy: Policy, now: datetime, most: float = math.inf) -> Counter[str]:
    """Tell everything that is to be told at `now`: how many events of each type this sweeper recorded.

    `most`: how many engagements are looked at in one go, about; the others are the next sweep's.
    """
    told: Counter[str] = Counter()
    seen = 0
    with acting_for(SERVICE):
        while seen < most and (candidates := await _candidates(policy, now)):
            looked, events = await unit_of_work(partial(_batch, candidates=candidates, policy=policy, now=now))
            told.update(events)
            seen += looked
            if not looked:  # somebody else has them all
                break
    return told


async def _candidates(policy: Policy, now: datetime) -> list[UUID]:
    rows = await client().execute_query_dict(_CANDIDATES, [time_rules(policy), now, BATCH])
    return [row["engagement_id"] for row in rows]


async def _batch(
    connection: Connection, candidates: Sequence[UUID], policy: Policy, now: datetime
) -> tuple[int, Counter[str]]:
    """How many could be looked at, and the types of what was told."""
    locked = await connection.execute_query_dict(_LOCK, [list(candidates)])
    rows = await connection.execute_query_dict(_READ, [[row["id"] for row in locked]])
    looks: dict[UUID, datetime | None] = {}
    found: list[Found] = []
    for row in rows:
        due, looks[row["id"]] = outlook(facts(row), policy, now)
        found += [Found(row, notice) for notice in due]
    events = await _ended(connection, found, policy, now) + await _told(connection, found, policy, now)
    await all_happened(connection, events)
    await connection.execute_query_dict(_LOOKED, [time_rules(policy), list(looks), list(looks.values())])
    return len(rows), Counter(event.type for event in events)


async def _ended(connection: Connection, found: Sequence[Found], policy: Policy, now: datetime) -> list[Event]:
    over = [each.row["id"] for each in found if each.notice.kind == ENDED]
    return await close_lapsed(connection, over, policy, now, lambda about: _who(policy, now)) if over else []


async def _told(connection: Connection, found: Sequence[Found], policy: Policy, now: datetime) -> list[Event]:
    """Those that nobody told before, in the order in which they came about."""
    fresh = {uuid7(): each for each in found if each.notice.kind != ENDED}
    if not fresh:
        return []
    columns = [
        list(fresh),
        [each.row["id"] for each in fresh.values()],
        [each.notice.kind for each in fresh.values()],
        [each.notice.due_at for each in fresh.values()],
    ]
    told = await connection.execute_query_dict(_TELL_ONCE, [*columns, now])
    mine = sorted((fresh[row["id"]] for row in told), key=lambda each: each.notice.due_at)
    return [_event(each.row, each.notice, _who(policy, now)) for each in mine]


def _event(row: Mapping[str, object], notice: Notice, who: Who) -> Event:
    about = About(UUID(str(row["practice_id"])), UUID(str(row["agent_id"])), UUID(str(row["id"])))
    after = {**notice.says, "since": notice.due_at.isoformat()}
    return Event(who, notice.kind, about, notice.summary[:500], after=after)


def _who(policy: Policy, now: datetime) -> Who:
    return Who(NAME, None, Party.PLATFORM, policy.digest, now)
