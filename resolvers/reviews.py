"""Mutations about the time an engagement has: its renewal and its reviews, and the fields that lead to those."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import orjson
import strawberry

from authz.actor import Access
from authz.life import review_due, review_overdue, usual_review_due
from models.connection import Row
from operations import renewal, review
from resolvers import answers, places
from resolvers.answers import known, repeatable
from resolvers.context import Context
from resolvers.edges import edge
from resolvers.guard import requires
from resolvers.lists import Condition, Listing, Selection
from resolvers.objects import review as shown
from resolvers.paging import Cut
from resolvers.relations import role_named
from schema.engagement import Engagement
from schema.engagement_result import EngagementResult
from schema.policy import Role
from schema.practice import Practice
from schema.renewal import RenewEngagementInput
from schema.review import DecideReviewInput, Review, RoleUse

REVIEWS = Listing(
    "reviews",
    "r.*",
    "reviews r JOIN engagements e ON e.id = r.engagement_id",
    "r.id",
    "r.practice_id",
)
MOST_OPEN = 1_000  # one for each agent of a practice
MOST_DECIDED = 100  # the newest; older ones are history that the audit keeps
_OPEN = Condition("r.decided_at IS NULL AND e.ended_at IS NULL")
_DECIDED = Condition("r.decided_at IS NOT NULL")


@edge(Practice, "reviews")
async def reviews_of_practice(context: Context, practice: Practice, open: bool | None) -> list[Review]:
    """Open ones by the day on which they are due, decided ones the newest first."""
    if open is False:
        newest = Cut(MOST_DECIDED, backwards=True, after=None, before=None)
        page = await context.lists.page(Selection(REVIEWS, UUID(practice.id), (_DECIDED,)), newest)
        return [shown(row) for row in sorted(page.rows, key=_decided_at, reverse=True)]
    first = Cut(MOST_OPEN, backwards=False, after=None, before=None)
    page = await context.lists.page(Selection(REVIEWS, UUID(practice.id), (_OPEN,)), first)
    engagements = await context.all_the("engagement", [row["engagement_id"] for row in page.rows])
    open_ones = [(context.engagement(engagements[row["engagement_id"]]), row) for row in page.rows]
    standing = [(_due_on(context, found), row) for found, row in open_ones if found.life.ended_at is None]
    return [shown(row) for _, row in sorted(standing, key=lambda each: (each[0], each[1]["id"]))]


def _decided_at(row: Row) -> datetime:
    found: datetime = row["decided_at"]
    return found


@edge(Engagement, "next_review_on")
def next_review_on(context: Context, engagement: Engagement) -> date | None:
    return review_due(engagement.facts, context.policy, engagement.life.live_roles) if _runs(engagement) else None


def _runs(engagement: Engagement) -> bool:
    """The life that is asked for holds until time changes it."""
    return engagement.life.ended_at is None


@edge(Review, "engagement")
async def engagement_of_review(context: Context, found: Review) -> Engagement:
    return await answers.engagement(context, found.row["engagement_id"])


@edge(Review, "due_on")
async def due_on(context: Context, found: Review) -> date:
    """Kept with the decision, because what it was worked out from goes on."""
    if found.row["due_on"]:
        decided: date = found.row["due_on"]
        return decided
    return _due_on(context, await engagement_of_review(context, found))


def _due_on(context: Context, engagement: Engagement) -> date:
    due = review_due(engagement.facts, context.policy, engagement.life.live_roles)
    return due or usual_review_due(engagement.facts, context.policy)


@edge(Review, "overdue")
async def overdue(context: Context, found: Review) -> bool:
    engagement = await engagement_of_review(context, found)
    if found.row["decided_at"] or engagement.life.ended_at:
        return False
    return review_overdue(engagement.facts, context.policy, engagement.life.live_roles, context.request.now)


@edge(Review, "evidence")
async def evidence(context: Context, found: Review) -> list[RoleUse]:
    row = await context.the("engagement", found.row["engagement_id"])
    used = await context.row("uses", found.row["engagement_id"])
    uses = orjson.loads(used["uses"]) if used else {}
    roles = found.row["roles_before"] or [grant.role for grant in context.engagement(row).facts.grants]
    return [RoleUse(row={"role": role}, last_used_at=_time(uses.get(role))) for role in sorted(roles)]


@edge(Engagement, "last_used_at")
async def last_used_at(context: Context, engagement: Engagement) -> datetime | None:
    """The last use of any role. The row keeps what was known before uses were."""
    used = await context.row("uses", engagement.row["id"])
    uses = [datetime.fromisoformat(text) for text in orjson.loads(used["uses"]).values()] if used else []
    return max([at for at in (engagement.row["last_used_at"], *uses) if at is not None], default=None)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@edge(RoleUse, "role")
def role_of_use(context: Context, use: RoleUse) -> Role:
    return role_named(context, use.row["role"])


@strawberry.type
class ReviewMutation:
    @strawberry.mutation(
        description="Give an engagement another end. One that has expired is again what it was; one that has ended is "
        "over. More time for sensitive roles needs a recent password.",
        extensions=requires("agents.renew", places.engagement),
    )
    async def renew_engagement(
        self, info: strawberry.Info, access: Access, input: RenewEngagementInput
    ) -> EngagementResult:
        request = repeatable(info, access, input)
        key = await renewal.renew_engagement(access, known(input.engagement_id), input, request)
        return await answers.changed(info, key)

    @strawberry.mutation(
        description="Answer a review: keep what the agent has, reduce it, or end it. The next review opens with it. "
        "What stays of sensitive roles needs a recent password.",
        extensions=requires("agents.review", places.review),
    )
    async def decide_review(self, info: strawberry.Info, access: Access, input: DecideReviewInput) -> EngagementResult:
        key = await review.decide_review(access, known(input.review_id), input, repeatable(info, access, input))
        return await answers.changed(info, key)
