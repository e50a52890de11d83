"""Writing down that an engagement has ended by itself: its grace was over. Who asks `authz.life` knew it all along.

The row is written when it is in somebody's way, or when the sweeper comes by: whoever is first, and once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from authz.notices import ENDED
from authz.policy import Policy
from models.connection import Connection
from operations.record import About, Event, Who

_HOLD = """
SELECT id FROM engagements
WHERE practice_id = $1 AND agent_id = $2 AND ended_at IS NULL AND NOT auto_extend AND expires_at + $4 <= $3 FOR UPDATE
"""
_LAPSED = """
UPDATE engagements SET ended_at = expires_at + $3, end_reason = 'expired', version = version + 1
WHERE id = ANY ($1) AND ended_at IS NULL AND NOT auto_extend AND expires_at + $3 <= $2
RETURNING id, practice_id, agent_id
"""


async def hold_lapsed(
    connection: Connection, practice_id: UUID | None, agent_id: UUID, policy: Policy, now: datetime
) -> list[UUID]:
    """Lock what stands in the way of a new engagement and is over. Before the token, in the order of who revokes."""
    rows = await connection.execute_query_dict(_HOLD, [practice_id, agent_id, now, _grace(policy)])
    return [row["id"] for row in rows]


async def close_lapsed(
    connection: Connection, engagement_ids: Sequence[UUID], policy: Policy, now: datetime, by: Callable[[About], Who]
) -> list[Event]:
    """Of these engagements, end those whose grace is over. The events are the caller's to record."""
    rows = await connection.execute_query_dict(_LAPSED, [list(engagement_ids), now, _grace(policy)])
    about = [About(row["practice_id"], row["agent_id"], row["id"]) for row in rows]
    after = {"end_reason": "expired"}
    return [Event(by(each), ENDED, each, "the engagement had expired", after=after) for each in about]


def _grace(policy: Policy) -> timedelta:
    return timedelta(days=policy.engagements.grace_days)
