"""The audit chain: one event for each change, in the change's own transaction.

Every event carries the hash of the one before it in its chain, so that a removed or altered event shows. A
practice has its own chain; what happens outside a practice goes to the chain of the agent or the user, and what
concerns everybody, such as another policy, to the platform's. The row of the chain's end is locked while an event
is added: the events of one chain are in one order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
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

_HEAD = """
INSERT INTO audit_heads AS h (chain_id, sequence, hash) VALUES ($1, 0, $2)
ON CONFLICT (chain_id) DO UPDATE SET sequence = h.sequence RETURNING sequence, hash
"""
_EVENT_COLUMNS = [
    "id",
    "chain_id",
    "sequence",
    "practice_id",
    "agent_id",
    "engagement_id",
    "at",
    "type",
    "party",
    "actor",
    "actor_user_id",
    "actor_member_id",
    "actor_api_key_id",
    "policy_digest",
    "summary",
    "before",
    "after",
    "previous_hash",
    "hash",
]
_INSERT = (
    f"INSERT INTO audit_events ({', '.join(_EVENT_COLUMNS)}) "  # noqa: S608  (our own column names)
    f"VALUES ({', '.join(f'${n}' for n in range(1, len(_EVENT_COLUMNS) + 1))})"
)
_ADVANCE = "UPDATE audit_heads SET sequence = $2, hash = $3 WHERE chain_id = $1"


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
    """Append one event to its chain and return its hash (64 hex characters).

    `before` and `after` hold what changed, as JSON of strings, whole numbers, booleans, lists and objects;
    never a code, a password or anything about a patient.
    """
    (head,) = await connection.execute_query_dict(_HEAD, [about.chain_id, GENESIS])
    event = _event(who, type, about, summary, before, after, head)
    values = [event[column] for column in _EVENT_COLUMNS]
    await connection.execute_query_dict(_INSERT, _as_stored(values))
    await connection.execute_query_dict(_ADVANCE, [about.chain_id, event["sequence"], event["hash"]])
    return str(event["hash"])


async def record_own(
    connection: Connection, access: Access, event: str, summary: str, after: Mapping[str, Any]
) -> None:
    """What somebody does to their own account, on its own chain."""
    actor = access.actor
    own = Who(actor.name, actor.user_id, Party.PLATFORM, access.policy.digest, access.now)
    await record(connection, own, event, About(user_id=actor.user_id), summary, after=after)


def _event(
    who: Who,
    type: str,
    about: About,
    summary: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    head: Mapping[str, Any],
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": uuid7(),
        "chain_id": about.chain_id,
        "sequence": head["sequence"] + 1,
        "practice_id": about.practice_id,
        "agent_id": about.agent_id,
        "engagement_id": about.engagement_id,
        "at": who.now,
        "type": type,
        "party": who.party.value,
        "actor": who.name,
        "actor_user_id": who.user_id,
        "actor_member_id": who.member_id,
        "actor_api_key_id": who.api_key_id,
        "policy_digest": who.policy_digest,
        "summary": summary,
        "before": before,
        "after": after,
        "previous_hash": head["hash"],
    }
    return event | {"hash": event_hash(event)}


def event_hash(event: Mapping[str, Any]) -> str:
    """sha256(0x00 ‖ canonical JSON of the event with its previous hash, without its own).

    Canonical: keys sorted, no white space, UTF-8 (RFC 8785 for values without fractions), ids as text, times
    in UTC with six decimals.
    """
    content = {key: _canonical(value) for key, value in event.items() if key != "hash"}
    return hashlib.sha256(b"\x00" + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, UUID) else value


def _as_stored(values: list[Any]) -> list[Any]:
    """asyncpg takes JSON as text."""
    return [orjson.dumps(value).decode() if isinstance(value, Mapping) else value for value in values]
