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

_LAPSED = """
UPDATE engagements SET ended_at = expires_at + $3, end_reason = 'expired', version = version + 1
WHERE id = ANY ($1) AND ended_at IS NULL AND NOT auto_extend AND expires_at + $3 <= $2
RETURNING id, practice_id, agent_id
"""


async def close_lapsed(
    connection: Connection, engagement_ids: Sequence[UUID], policy: Policy, now: datetime, by: Callable[[About], Who]
) -> list[Event]:
    """Of these engagements, end those whose grace is over. The events are the caller's to record."""
    grace = timedelta(days=policy.engagements.grace_days)
    rows = await connection.execute_query_dict(_LAPSED, [list(engagement_ids), now, grace])
    about = [About(row["practice_id"], row["agent_id"], row["id"]) for row in rows]
    after = {"end_reason": "expired"}
    return [Event(by(each), ENDED, each, "the engagement had expired", after=after) for each in about]
