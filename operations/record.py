"""The audit chain: one event for each change, in the change's own transaction.

Every event carries the hash of the one before it in its chain, so that a removed or altered event shows. A
practice has its own chain; what happens outside a practice goes to the chain of the agent or the user, and what
concerns everybody, such as another policy, to the platform's. The row of the chain's end is locked while an event
is added: the events of one chain are in one order. An event about an engagement is told to its agent, too, as the next
one of the agent's feed (`models/change.py`), under the lock of the feed's end.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from authz.actor import Access, Actor
from authz.life import Party
from models.connection import Connection
from models.identifier import uuid7

GENESIS = "0" * 64
PLATFORM_CHAIN = UUID("00000000-0000-7000-8000-000000000000")  # no time, no chance: nobody else's id looks like it

EVENT_COLUMNS = {
    "id": "uuid",
    "chain_id": "uuid",
    "sequence": "bigint",
    "practice_id": "uuid",
    "agent_id": "uuid",
    "engagement_id": "uuid",
    "at": "timestamptz",
    "type": "text",
    "party": "text",
    "actor": "text",
    "actor_user_id": "uuid",
    "actor_member_id": "uuid",
    "actor_api_key_id": "uuid",
    "policy_digest": "text",
    "summary": "text",
    "before": "jsonb",
    "after": "jsonb",
    "snapshot": "jsonb",
    "previous_hash": "text",
    "hash": "text",
}
_HEADS = """
INSERT INTO audit_heads AS h (chain_id, sequence, hash) SELECT chain, 0, $2 FROM unnest($1::uuid[]) AS chain
ON CONFLICT (chain_id) DO UPDATE SET sequence = h.sequence RETURNING chain_id, sequence, hash
"""
_ADVANCE = """
UPDATE audit_heads h SET sequence = n.sequence, hash = n.hash
FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS n (chain_id, sequence, hash) WHERE h.chain_id = n.chain_id
"""
_CHANGES = """
WITH heads AS (
    INSERT INTO change_heads AS h (agent_id, number) SELECT * FROM unnest($1::uuid[], $2::bigint[])
    ON CONFLICT (agent_id) DO UPDATE SET number = h.number + excluded.number RETURNING agent_id, number
), counted AS (
    SELECT c.*, row_number() OVER (PARTITION BY agent_id ORDER BY place DESC) - 1 AS from_the_end
    FROM unnest($3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::timestamptz[], $8::text[])
        WITH ORDINALITY AS c (id, agent_id, practice_id, engagement_id, at, type, place)
)
INSERT INTO agent_changes (id, agent_id, number, practice_id, engagement_id, at, type)
SELECT id, agent_id, h.number - from_the_end, practice_id, engagement_id, at, type
FROM counted JOIN heads h USING (agent_id)
"""
_names = ", ".join(EVENT_COLUMNS)
_INSERT = (
    f"INSERT INTO audit_events ({_names}) SELECT * FROM unnest("  # noqa: S608  (our own column names)
    f"{', '.join(f'${n}::{kind}[]' for n, kind in enumerate(EVENT_COLUMNS.values(), 1))})"
)


@dataclass(frozen=True, slots=True)
class Who:
    """Who acted, under which policy, when."""

    name: str
    user_id: UUID | None
    party: Party
    policy_digest: str
    now: datetime
    member_id: UUID | None = None
    api_key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What an event is about. The chain is the practice's, else the agent's, else the user's, else the platform's."""

    practice_id: UUID | None = None
    agent_id: UUID | None = None
    engagement_id: UUID | None = None
    user_id: UUID | None = None
    platform: bool = False

    @property
    def chain_id(self) -> UUID:
        chain = self.practice_id or self.agent_id or self.user_id or (PLATFORM_CHAIN if self.platform else None)
        if chain is None:
            raise ValueError("an event is about a practice, an agent, a user or the platform")
        return chain


@dataclass(frozen=True, slots=True)
class Event:
    """`before` and `after` hold what changed, as JSON of strings, whole numbers, booleans, lists and objects; never a
    code, a password or anything about a patient."""

    who: Who
    type: str
    about: About
    summary: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    snapshot: Mapping[str, Any] | None = None  # of the engagement, see `operations/snapshot.py`


def who(access: Access, about: About) -> Who:
    """The actor of a change, on the side they stand on there."""
    actor = access.actor
    member = actor.members.get(about.agent_id) if about.agent_id else None
    party, key = _party(actor, about), actor.api_key_id
    return Who(actor.name, actor.user_id, party, access.policy.digest, access.now, member, key)


def _party(actor: Actor, about: About) -> Party:
    if about.practice_id and actor.roles_at(about.practice_id):
        return Party.PRACTICE
    if about.agent_id and about.agent_id in actor.agents:
        return Party.AGENT
    return Party.PLATFORM if actor.operator else Party.PRACTICE


async def record(
    connection: Connection,
    who: Who,
    type: str,
    about: About,
    summary: str,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> str:
    """Append one event to its chain and return its hash (64 hex characters)."""
    (made,) = await record_all(connection, [Event(who, type, about, summary, before, after)])
    return made


async def record_all(connection: Connection, events: Sequence[Event]) -> list[str]:
    """Append events to their chains, in this order, and return their hashes.

    A few statements, however many there are. The ends of chains are locked in the order of their ids, so that two who
    record in the same chains wait for each other and never in a circle; the ends of feeds come after them.
    """
    if not events:
        return []
    chains = sorted({event.about.chain_id for event in events})
    heads = {row["chain_id"]: row for row in await connection.execute_query_dict(_HEADS, [chains, GENESIS])}
    rows = []
    for event in events:
        row = heads[event.about.chain_id] = _event(event, heads[event.about.chain_id])
        rows.append(row)
    await connection.execute_query_dict(_INSERT, [[_as_stored(row[name]) for row in rows] for name in EVENT_COLUMNS])
    ends = [[heads[chain][name] for chain in chains] for name in ("sequence", "hash")]
    await connection.execute_query_dict(_ADVANCE, [chains, *ends])
    await _tell_agents(connection, [row for row in rows if row["agent_id"] and row["engagement_id"]])
    return [str(row["hash"]) for row in rows]


async def _tell_agents(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Events about engagements, in the feeds of their agents."""
    if not rows:
        return
    counts = Counter(row["agent_id"] for row in rows)
    agents = sorted(counts)
    columns = [[row[name] for row in rows] for name in ("id", "agent_id", "practice_id", "engagement_id", "at", "type")]
    await connection.execute_query_dict(_CHANGES, [agents, [counts[agent] for agent in agents], *columns])


async def record_own(
    connection: Connection, access: Access, event: str, summary: str, after: Mapping[str, Any]
) -> None:
    """What somebody does to their own account, on its own chain."""
    actor = access.actor
    own = Who(actor.name, actor.user_id, Party.PLATFORM, access.policy.digest, access.now)
    await record(connection, own, event, About(user_id=actor.user_id), summary, after=after)


def _event(event: Event, head: Mapping[str, Any]) -> dict[str, Any]:
    who, about = event.who, event.about
    row: dict[str, Any] = {
        "id": uuid7(),
        "chain_id": about.chain_id,
        "sequence": head["sequence"] + 1,
        "practice_id": about.practice_id,
        "agent_id": about.agent_id,
        "engagement_id": about.engagement_id,
        "at": who.now,
        "type": event.type,
        "party": who.party.value,
        "actor": who.name,
        "actor_user_id": who.user_id,
        "actor_member_id": who.member_id,
        "actor_api_key_id": who.api_key_id,
        "policy_digest": who.policy_digest,
        "summary": event.summary,
        "before": event.before,
        "after": event.after,
        "snapshot": event.snapshot,
        "previous_hash": head["hash"],
    }
    return row | {"hash": event_hash(row)}


def event_hash(event: Mapping[str, Any]) -> str:
    """sha256(0x00 ‖ canonical JSON of the event with its previous hash, without its own).

    Canonical: keys sorted, no white space, UTF-8 (RFC 8785 for values without fractions), ids as text, times
    in UTC with six decimals. An event without a snapshot has no such key.
    """
    left_out = ("hash", "snapshot") if event.get("snapshot") is None else ("hash",)
    return hash_of(canonical({key: _canonical(value) for key, value in event.items() if key not in left_out}))


def canonical(content: Mapping[str, Any]) -> bytes:
    """Of JSON values, which have no ids and times any more."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def hash_of(content: bytes) -> str:
    return hashlib.sha256(b"\x00" + content).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return str(value) if isinstance(value, UUID) else value


def instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _as_stored(value: Any) -> Any:
    """asyncpg takes JSON as text."""
    return orjson.dumps(value).decode() if isinstance(value, Mapping) else value
