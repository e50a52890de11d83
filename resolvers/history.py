"""`accessAsOf`: who could do what in a practice at an earlier instant, from its record alone.

Each event about an engagement carries a snapshot of what it became. The last one before the instant is what the
engagement was then, and the policy that was in force then says what that gave. No table of today is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
import strawberry

from authz.decide import Seat, permissions
from authz.life import Facts, Status, life
from authz.policy import Policy
from errors import InvalidInput
from models.connection import read
from models.memory import spoil
from operations.snapshot import Assigned, restored
from resolvers import objects
from resolvers.actors import organisation_seat
from resolvers.context import Context
from resolvers.edges import to_one
from schema.history import HistoricalAccess, HistoricalPerson

# First which events: an index holds all that is asked for (`audit_events_as_of`). Then their snapshots. What the chain
# holds last is what happened last, also where two clocks disagreed.
_LAST = """
SELECT e.engagement_id, e.snapshot FROM (
    SELECT DISTINCT ON (engagement_id) chain_id, sequence FROM audit_events
    WHERE chain_id = $1 AND engagement_id IS NOT NULL AND at <= $2 ORDER BY engagement_id, sequence DESC
) last JOIN audit_events e USING (chain_id, sequence) WHERE e.snapshot IS NOT NULL ORDER BY e.engagement_id
"""
_POLICY = "SELECT source_digest FROM policy_activations WHERE activated_at <= $1 ORDER BY number DESC LIMIT 1"

to_one(HistoricalAccess, "engagement", "engagement", "engagement_id", lambda context, row: context.engagement(row))
to_one(HistoricalPerson, "member", "member", "member_id", lambda context, row: objects.member(row))


async def access_as_of(context: Context, practice_id: UUID, at: datetime) -> list[HistoricalAccess]:
    """Every engagement that had begun and not ended at `at`. Raises InvalidInput for an instant that has not come, and
    for one whose policy is not known here."""
    spoil()
    if at > context.request.now:
        raise InvalidInput("at", "choose a time in the past")
    return await rebuilt(practice_id, at, await _policy_of(context, at))


async def rebuilt(practice_id: UUID, at: datetime, policy: Policy) -> list[HistoricalAccess]:
    """The same under the policy that was in force then."""
    found = [(row["engagement_id"], *restored(_json(row["snapshot"]))) for row in await read(_LAST, practice_id, at)]
    shown = [_access(key, facts, assigned, policy, at) for key, facts, assigned in found]
    return [each for each in shown if each.status is not objects.ENGAGEMENT_STATUSES[Status.ENDED.value]]


async def _policy_of(context: Context, at: datetime) -> Policy:
    """Before the first policy there was nothing to look back at, so that one will do."""
    rows = await read(_POLICY, at)
    if not rows or rows[0]["source_digest"] == context.policy.source_digest:
        return context.policy
    found = await context.stored_policy(rows[0]["source_digest"]) if context.stored_policy else None
    if found is None:
        raise InvalidInput("at", "the policy that was in force then is not stored here")
    return found


def _access(key: UUID, facts: Facts, assigned: Iterable[Assigned], policy: Policy, at: datetime) -> HistoricalAccess:
    found, widest = life(facts, policy, at), organisation_seat(facts, policy, at)
    return HistoricalAccess(
        row={"engagement_id": key},
        status=objects.ENGAGEMENT_STATUSES[found.status.value],
        roles=_keys(found.live_roles),
        permissions=_keys(permissions(policy, [widest])),
        people=[_person(each, widest, policy) for each in assigned],
        policy_digest=policy.digest,
    )


def _person(assigned: Assigned, widest: Seat, policy: Policy) -> HistoricalPerson:
    seat = Seat("agent", widest.roles, widest.active, widest.agent_kind, widest.agreement_in_force, cap=assigned.cap)
    return HistoricalPerson(row={"member_id": assigned.member}, permissions=_keys(permissions(policy, [seat])))


def _keys(found: Iterable[str]) -> list[strawberry.ID]:
    return [strawberry.ID(key) for key in sorted(found)]


def _json(stored: Any) -> Mapping[str, Any]:
    """asyncpg gives JSON as text."""
    found: Mapping[str, Any] = orjson.loads(stored) if isinstance(stored, str | bytes) else stored
    return found
