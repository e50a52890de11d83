"""Who of the agent works in an engagement, what each of them can do there, what was asked for, and what its end cut."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import limits
from authz.decide import permissions
from errors import NotFound
from models.connection import Row
from models.identifier import parse
from models.memory import hold_until
from resolvers import objects, policy_objects, shown_once
from resolvers.actors import organisation_seat
from resolvers.context import Context
from resolvers.edges import edge, to_one
from resolvers.lists import Condition, Listing, Selection
from resolvers.paging import Cut
from resolvers.relations import role_named
from resolvers.standing import MEMBER, seat_of_member
from schema.agent import AgentMember
from schema.engagement import Assignment, Engagement, RevocationReceipt, RoleRequest
from schema.person import User
from schema.policy import Permission, Role

# An assignment is a part of its engagement, whose change its own one is (migration 0003).
ASSIGNMENTS = Listing(
    "assignments",
    "s.id, s.member_id, s.cap, s.assigned_at",
    "engagements e JOIN assignments s ON s.engagement_id = e.id",
    "s.id",
    "e.id",
    "s.removed_at IS NULL",
    "engagements",
)
RECEIPTS = Listing("receipts", "r.*", "revocation_receipts r", "r.id", "r.engagement_id")
MEMBERS = Listing(
    "members_in_engagements",
    MEMBER,
    "engagements e JOIN agents a ON a.id = e.agent_id JOIN agent_members m ON m.agent_id = a.id",
    "e.id",
    "e.id",
)
ONE = Cut(1, backwards=False, after=None, before=None)


def _member(context: Context, row: Row) -> AgentMember:
    return objects.member(row)


def _user(context: Context, row: Row) -> User:
    return objects.user(row)


to_one(Assignment, "member", "member", "member_id", _member)
to_one(RoleRequest, "by", "user", "requested_by_id", _user)


@edge(Engagement, "assignments")
async def assignments(context: Context, engagement: Engagement) -> list[Assignment]:
    """All of them, in the order in which they were made."""
    everybody = Cut(limits.of("members_per_engagement"), backwards=False, after=None, before=None)
    found = await context.lists.page(Selection(ASSIGNMENTS, UUID(engagement.id)), everybody)
    return [Assignment(row=row, assigned_at=row["assigned_at"]) for row in found.rows]


@edge(Assignment, "cap")
def cap(context: Context, assignment: Assignment) -> list[Role] | None:
    keys = assignment.row["cap"]
    return None if keys is None else [role_named(context, key) for key in keys]


@edge(Engagement, "requested_roles")
def requested_roles(context: Context, engagement: Engagement) -> RoleRequest | None:
    """Nobody can answer it once the engagement has ended."""
    row = engagement.row
    if row["requested_roles"] is None or engagement.life.ended_at:
        return None
    return RoleRequest(row=row, reason=row["request_reason"], at=row["requested_at"])


@edge(RoleRequest, "roles")
def roles_of_request(context: Context, request: RoleRequest) -> list[Role]:
    return [role_named(context, key) for key in request.row["requested_roles"]]


@edge(Engagement, "receipt")
async def receipt(context: Context, engagement: Engagement) -> RevocationReceipt | None:
    """There is one only where somebody wrote the end down."""
    if engagement.row["ended_at"] is None:
        return None
    found = await context.lists.page(Selection(RECEIPTS, UUID(engagement.id)), ONE)
    return shown_once.receipt(found.rows[0]) if found.rows else None


def _of_organisation(context: Context, engagement: Engagement, given: Mapping[str, Any]) -> list[Permission] | None:
    """The widest that anybody of the agent can have there now, which follows from the engagement."""
    if given.get("member_id") is not None:
        return None
    hold_until(engagement.until)
    seat = organisation_seat(engagement.facts, context.policy, context.request.now)
    return [
        policy_objects.permission(context.policy.permissions[key])
        for key in sorted(permissions(context.policy, [seat]))
    ]


@edge(Engagement, "permissions", at_hand=_of_organisation)
async def permissions_of_engagement(
    context: Context, engagement: Engagement, member_id: str | None
) -> list[Permission]:
    """Raises NotFound for somebody who is not of the agent, known or not."""
    found = _of_organisation(context, engagement, {"member_id": member_id})
    if found is not None:
        return found
    chosen = Condition("m.id = %s", (parse(str(member_id)),))
    members = await context.lists.page(Selection(MEMBERS, UUID(engagement.id), (chosen,)), ONE)
    if not members.rows:
        raise NotFound
    seat = seat_of_member({**engagement.row, **members.rows[0]}, engagement.life)
    return [
        policy_objects.permission(context.policy.permissions[key])
        for key in sorted(permissions(context.policy, [seat]))
    ]
