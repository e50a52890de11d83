"""Mutations that stop for a while and let go on: one engagement, or an agent everywhere."""

from __future__ import annotations

import strawberry

from authz.actor import Access
from operations import agent_suspension, suspension
from resolvers import answers, places
from resolvers.answers import known, repeatable
from resolvers.context import context_of
from resolvers.guard import requires
from schema.engagement_result import EngagementResult
from schema.inputs import AgentInput, EngagementVersionInput
from schema.results import AgentResult, AgentSuccess
from schema.suspension import SuspendEngagementInput


@strawberry.type
class SuspensionMutation:
    @strawberry.mutation(
        description="Stop an engagement for a while: its roles are kept and give nothing. What the platform stops, "
        "only the platform lets go on.",
        extensions=requires("agents.suspend", places.engagement),
    )
    async def suspend_engagement(
        self, info: strawberry.Info, access: Access, input: SuspendEngagementInput
    ) -> EngagementResult:
        request = repeatable(info, access, input)
        key = await suspension.suspend_engagement(access, known(input.engagement_id), input, request)
        return await answers.changed(info, key)

    @strawberry.mutation(
        description="Let a suspended engagement go on. A review that is overdue still has to be decided.",
        extensions=requires("agents.suspend", places.engagement),
    )
    async def resume_engagement(
        self, info: strawberry.Info, access: Access, input: EngagementVersionInput
    ) -> EngagementResult:
        request, key = repeatable(info, access, input), known(input.engagement_id)
        await suspension.resume_engagement(access, key, input.expected_version, request)
        return await answers.changed(info, key)

    @strawberry.mutation(
        description="Stop an agent in all of its practices, and cancel its live tokens. Only for operators of the "
        "platform.",
        extensions=requires("agents.suspend_account", places.agent),
    )
    async def suspend_agent(self, info: strawberry.Info, access: Access, input: AgentInput) -> AgentResult:
        key = await agent_suspension.suspend_agent(access, known(input.agent_id), repeatable(info, access, input))
        return AgentSuccess(agent=await answers.agent(context_of(info), key))

    @strawberry.mutation(
        description="Let a suspended agent go on. Cancelled tokens stay so. Only for operators of the platform.",
        extensions=requires("agents.suspend_account", places.agent),
    )
    async def resume_agent(self, info: strawberry.Info, access: Access, input: AgentInput) -> AgentResult:
        key = await agent_suspension.resume_agent(access, known(input.agent_id), repeatable(info, access, input))
        return AgentSuccess(agent=await answers.agent(context_of(info), key))
