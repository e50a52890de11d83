"""What happened to an agent's engagements, as a feed: for programs that keep their own books in step."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from schema.kinds import EngagementStatus


@strawberry.type(
    description="Something that happened to an engagement of the agent. Each has its place in the agent's feed, "
    "without a gap, and is never altered."
)
class Change:
    cursor: str = field(
        description="Its place in the feed. Keep it once you have dealt with the change, and go on with it as `after`; "
        "its content means nothing and may change."
    )
    at: datetime = field(description="When it happened.")
    type: str = field(description="What happened, as a stable name: `engagement.roles_set`. New names may come.")
    engagement_id: strawberry.ID = field(description="The engagement that it happened to.")
    status: EngagementStatus = field(
        description="Where the engagement stands now, worked out when you ask; not where it stood when this happened. "
        "Of several changes of one engagement on a page all say the same."
    )
    external_ref: str | None = field(
        description="The agent's own client number for the engagement, as given to `issueToken`; null without one."
    )


@strawberry.type(description="A part of an agent's feed, the oldest change first.")
class ChangePage:
    changes: list[Change] = field(description="The changes behind `after`, in the order in which they happened.")
    cursor: str = field(
        description="Where to go on: pass it as `after` the next time. On an empty page it is where you are already."
    )
    more: bool = field(description="Whether there are more already: ask again at once.")
