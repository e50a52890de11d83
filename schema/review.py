"""The practice's repeated look at what an agent can do: what stands open, what speaks for it, and the decision."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import field

from schema.edges import edge
from schema.inputs import REPEAT, RoleInput, _optional
from schema.kinds import ReviewDecision
from schema.node import Node, Row
from schema.policy import Role

if TYPE_CHECKING:
    from schema.engagement import Engagement


@strawberry.type(description="When the agent last did something in the practice by virtue of one of its roles.")
class RoleUse:
    row: Row
    last_used_at: datetime | None = field(description="To the minute; null if the role was never used.")
    role: Role = edge("Which role it is.")


@strawberry.type(
    description="A review of one agent's access. Each engagement that has not ended has an open one; a month after its "
    "due day (the policy says how long) the engagement is SUSPENDED until it is decided."
)
class Review(Node):
    opened_at: datetime = field(description="When the one before it was decided, or the engagement began.")
    decided_at: datetime | None = field(description="When it was decided; null while it is open.")
    decision: ReviewDecision | None = field(description="What was decided; null while it is open.")
    engagement: Annotated[Engagement, strawberry.lazy("schema.engagement")] = edge("What is reviewed.")
    due_on: date = edge("The day (UTC) by which it has to be decided, or had to be. Setting roles moves it on.")
    overdue: bool = edge("Whether it is open and too late by so much that the engagement is suspended.")
    evidence: list[RoleUse] = edge(
        "The roles that are in question, or were when it was decided, each with its last use: one that is not used is "
        "one to take away."
    )


@strawberry.input(description="What shall become of an agent's access.")
class DecideReviewInput:
    review_id: strawberry.ID = field(description="An open review.")
    decision: ReviewDecision = field(description="What to do. END cannot be undone.")
    roles: list[RoleInput] | None = _optional(
        "With REDUCE: the roles that stay, fewer than there are or with an earlier end. One without `expiresAt` keeps "
        "the end that it has. Leave it out otherwise."
    )
    idempotency_key: str | None = _optional(REPEAT)
