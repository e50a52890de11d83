"""The mutations the product is named for: issue a token, connect an agent, set its roles, take the access back."""

from __future__ import annotations

import strawberry

from authz.actor import Access
from operations import connect, revoke, roles, spelling, token
from resolvers import answers, places, shown_once
from resolvers.answers import known, repeatable
from resolvers.context import context_of
from resolvers.guard import requires
from schema.inputs import (
    CancelTokenInput,
    ConnectAgentInput,
    EngagementVersionInput,
    IssueTokenInput,
    PreviewTokenInput,
    RevokeAgentInput,
    SetRolesInput,
)
from schema.results import (
    CancelTokenResult,
    CancelTokenSuccess,
    ConnectAgentResult,
    ConnectAgentSuccess,
    IssueTokenResult,
    IssueTokenSuccess,
    PreviewTokenResult,
    RevokeAgentResult,
    RevokeAgentSuccess,
    SetRolesResult,
    SetRolesSuccess,
)


@strawberry.type
class AccessMutation:
    @strawberry.mutation(
        description="Get letters and a code to read out to a practice on the phone.",
        extensions=requires("tokens.issue", places.agent),
    )
    async def issue_token(self, info: strawberry.Info, access: Access, input: IssueTokenInput) -> IssueTokenResult:
        issued = await token.issue_token(access, input, repeatable(info, access, input))
        shown = await answers.token(context_of(info), issued.token_id)
        return IssueTokenSuccess(token=shown, code=spelling.shown(issued.code))

    @strawberry.mutation(
        description="Take a token back before it is used. One that is over already stays as it is.",
        extensions=requires("tokens.cancel", places.token),
    )
    async def cancel_token(self, info: strawberry.Info, access: Access, input: CancelTokenInput) -> CancelTokenResult:
        key = await token.cancel_token(access, known(input.token_id), repeatable(info, access, input))
        return CancelTokenSuccess(token=await answers.token(context_of(info), key))

    @strawberry.mutation(
        description="See whose token it is before you agree. A mutation, because a wrong code spends an attempt.",
        extensions=requires("agents.connect", places.practice),
    )
    async def preview_token(
        self, info: strawberry.Info, access: Access, input: PreviewTokenInput
    ) -> PreviewTokenResult:
        found = await connect.preview_token(access, input)
        return shown_once.preview(found, access.policy)

    @strawberry.mutation(
        description="Connect exactly the agent that the preview showed. It has no role and can do nothing yet.",
        extensions=requires("agents.connect", places.practice),
    )
    async def connect_agent(
        self, info: strawberry.Info, access: Access, input: ConnectAgentInput
    ) -> ConnectAgentResult:
        key = await connect.connect_agent(access, input, repeatable(info, access, input))
        shown = await answers.engagement(context_of(info), key)
        return ConnectAgentSuccess(engagement=shown, next_step=connect.NEXT_STEP)

    @strawberry.mutation(
        description="Replace all roles of an engagement.", extensions=requires("agents.set_roles", places.engagement)
    )
    async def set_roles(self, info: strawberry.Info, access: Access, input: SetRolesInput) -> SetRolesResult:
        request = repeatable(info, access, input)
        key = await roles.set_roles(access, known(input.engagement_id), input, request)
        return SetRolesSuccess(engagement=await answers.engagement(context_of(info), key))

    @strawberry.mutation(
        description="Confirm the sensitive roles that somebody else granted. Only for the practice's owner.",
        extensions=requires("agents.confirm_roles", places.engagement),
    )
    async def confirm_roles(
        self, info: strawberry.Info, access: Access, input: EngagementVersionInput
    ) -> SetRolesResult:
        request = repeatable(info, access, input)
        key = await roles.confirm_roles(access, known(input.engagement_id), input.expected_version, request)
        return SetRolesSuccess(engagement=await answers.engagement(context_of(info), key))

    @strawberry.mutation(
        description="The red button: end an engagement at once and for good. Pressed twice, it answers the same.",
        extensions=requires("agents.revoke", places.engagement),
    )
    async def revoke_agent(self, info: strawberry.Info, access: Access, input: RevokeAgentInput) -> RevokeAgentResult:
        context, engagement_id = context_of(info), known(input.engagement_id)
        key = await revoke.revoke_agent(access, engagement_id, input, repeatable(info, access, input))
        receipt = shown_once.receipt(await context.the("receipt", key))
        return RevokeAgentSuccess(receipt=receipt, engagement=await answers.engagement(context, engagement_id))
