"""The feed of an agent's changes: a page of it, and one change of it as it is shown.

The numbers of a feed have no gap, and are given in the order of the commits (`models/change.py`): whoever has read up
to a number has missed nothing below it.
"""

from __future__ import annotations

from uuid import UUID

import strawberry

from errors import InvalidInput
from models.connection import Row, watched_read
from models.memory import note
from operations.facts import COLUMNS, TABLES
from resolvers.context import Context
from resolvers.paging import cursor, cut
from schema.change import Change, ChangePage

# The feed's end comes with every page: also with an empty one, and also if it lies before the place that was asked for.
_PAGE = f"""
SELECT head.number AS head, page.*
FROM (SELECT coalesce(max(number), 0) AS number FROM change_heads WHERE agent_id = $1) head
LEFT JOIN LATERAL (
    SELECT c.number AS change_number, c.at AS change_at, c.type AS change_type, {COLUMNS}
    FROM agent_changes c JOIN ({TABLES}) ON e.id = c.engagement_id
    WHERE c.agent_id = $1 AND c.number > $2 ORDER BY c.number LIMIT $3
) page ON TRUE ORDER BY page.change_number
"""  # noqa: S608  (our own text)
AHEAD = (
    "this cursor lies ahead of the feed, as it does after the service was restored from a backup: "
    "read everything anew, then go on without a cursor"
)


async def page(context: Context, agent_id: UUID, first: int | None, after: str | None) -> ChangePage:
    """One statement, however many changes. Raises InvalidInput."""
    asked = cut(feed(agent_id), first, after, None, None, int)
    place = number(asked.after)
    note(("agent_changes.agent_id", agent_id), ("engagements.agent_id", agent_id))
    rows = await watched_read(_PAGE, agent_id, place, asked.limit + 1)
    refuse_ahead(place, rows[0]["head"])
    found = [row for row in rows if row["change_number"] is not None]
    shown = found[: asked.limit]
    return ChangePage(
        changes=[change(context, row, row) for row in shown],
        cursor=cursor(feed(agent_id), shown[-1]["change_number"] if shown else place),
        more=len(found) > asked.limit,
    )


def place_of(agent_id: UUID, after: str) -> int:
    """The number in a cursor of this agent's feed. Raises InvalidInput."""
    return number(cut(feed(agent_id), None, after, None, None, int).after)


def refuse_ahead(place: int, head: int) -> None:
    """Numbers that are not given yet were not given by this database."""
    if place > head:
        raise InvalidInput("after", AHEAD)


def feed(agent_id: UUID) -> str:
    """The name of an agent's feed in its cursors. Another form of them begins with another figure."""
    return f"changes 1 {agent_id}"


def number(place: UUID | int | None) -> int:
    """The beginning of a feed is before its first number, which is 1."""
    return place if isinstance(place, int) else 0


def change(context: Context, told: Row, engagement: Row) -> Change:
    """A change from its row, and its engagement as it is now."""
    agent_id: UUID = engagement["agent_id"]
    own = context.actor is not None and agent_id in context.actor.agents
    return Change(
        cursor=cursor(feed(agent_id), told["change_number"]),
        at=told["change_at"],
        type=told["change_type"],
        engagement_id=strawberry.ID(str(engagement["id"])),
        status=context.engagement(engagement).status,
        external_ref=engagement["external_ref"] if own else None,
    )
