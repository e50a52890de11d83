"""Mutations of the agent's own side: who works where, who departs, which roles it wishes for, and leaving."""

from __future__ import annotations

import strawberry

from authz.actor import Access
from operations import assignment, departure, revoke, role_request
from resolvers import answers, assignments, places, shown_once  # noqa: F401  (assignments registers edges)
from resolvers.answers import known, repeatable
from resolvers.context import context_of
from resolvers.guard import requires
from schema.engagement_result import EngagementResult
from schema.people import (
    AssignMemberInput,
    LeavePracticeInput,
    MemberInput,
    MemberResult,
    MemberSuccess,
    RequestRolesInput,
)
from schema.results import RevokeAgentResult, RevokeAgentSuccess


@strawberry.type
class PeopleMutation:
    @strawberry.mutation(
        description="Let one of the agent's people work in an engagement, with all of its roles or only some. Again "
        "with another cap, it replaces the cap.",
        extensions=requires("members.assign", places.engagement),
    )
    async def assign_member(self, info: strawberry.Info, access: Access, input: AssignMemberInput) -> EngagementResult:
        request = repeatable(info, access, input)
        key = await assignment.assign_member(access, known(input.engagement_id), input, request)
        return await answers.changed(info, key)

    @strawberry.mutation(
        description="Take one of the agent's people out of an engagement. One who is not in it stays out.",
        extensions=requires("members.assign", places.engagement),
    )
    async def unassign_member(
        self, info: strawberry.Info, access: Access, input: AssignMemberInput
    ) -> EngagementResult:
        request = repeatable(info, access, input)
        key = await assignment.unassign_member(access, known(input.engagement_id), input, request)
        return await answers.changed(info, key)

    @strawberry.mutation(
        description="End a person's work for the agent: cut in every practice at once, with their API keys and "
        "tokens, and told to each of those practices. They can be invited again. The last administrator cannot depart.",
        extensions=requires("members.depart", places.member),
    )
    async def depart_member(self, info: strawberry.Info, access: Access, input: MemberInput) -> MemberResult:
        departed = await departure.depart_member(access, known(input.member_id), repeatable(info, access, input))
        context = context_of(info)
        await context.refresh()
        shown = await answers.member(context, departed.member_id)
        return MemberSuccess(member=shown, practices_notified=departed.practices_notified)

    @strawberry.mutation(
        description="Ask a practice for other roles. Nothing is granted: the practice sees it and uses `setRoles`.",
        extensions=requires("engagements.request_roles", places.engagement),
    )
    async def request_roles(self, info: strawberry.Info, access: Access, input: RequestRolesInput) -> EngagementResult:
        request = repeatable(info, access, input)
        key = await role_request.request_roles(access, known(input.engagement_id), input, request)
        return await answers.changed(info, key)

    @strawberry.mutation(
        description="End an engagement from the agent's side, at once and for good. The receipt says what is still "
        "owed; after a revocation it is that one's.",
        extensions=requires("engagements.leave", places.engagement),
    )
    async def leave_practice(
        self, info: strawberry.Info, access: Access, input: LeavePracticeInput
    ) -> RevokeAgentResult:
        context, engagement_id = context_of(info), known(input.engagement_id)
        key = await revoke.leave_practice(access, engagement_id, input, repeatable(info, access, input))
        receipt = shown_once.receipt(await context.the("receipt", key))
        return RevokeAgentSuccess(receipt=receipt, engagement=await answers.engagement(context, engagement_id))
