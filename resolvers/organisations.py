"""Mutations about practices with their staff, and agents."""

from __future__ import annotations

import strawberry

from authz.actor import Access
from operations import agent, practice, staff
from resolvers import answers, places
from resolvers.answers import known, repeatable
from resolvers.context import context_of
from resolvers.guard import requires
from schema.inputs import (
    AgentInput,
    CreatePracticeInput,
    RegisterAgentInput,
    SetStaffRolesInput,
)
from schema.results import (
    AgentResult,
    AgentSuccess,
    PracticeResult,
    PracticeSuccess,
    StaffResult,
    StaffSuccess,
)


@strawberry.type
class OrganisationMutation:
    @strawberry.mutation(description="Found a practice. You become its owner.", extensions=requires("practices.create"))
    async def create_practice(
        self, info: strawberry.Info, access: Access, input: CreatePracticeInput
    ) -> PracticeResult:
        key = await practice.create_practice(access, input, repeatable(info, access, input))
        await context_of(info).refresh()
        return PracticeSuccess(practice=await answers.practice(context_of(info), key))

    @strawberry.mutation(
        description="Replace the roles of a person of the staff. Nobody changes their own.",
        extensions=requires("staff.set_roles", places.staff),
    )
    async def set_staff_roles(self, info: strawberry.Info, access: Access, input: SetStaffRolesInput) -> StaffResult:
        request = repeatable(info, access, input)
        key = await staff.set_staff_roles(access, known(input.staff_id), input.roles, request)
        return StaffSuccess(staff=await answers.staff(context_of(info), key))

    @strawberry.mutation(
        description="Register an outside agent. You become its admin; it can do nothing until it is verified.",
        extensions=requires("agents.register"),
    )
    async def register_agent(self, info: strawberry.Info, access: Access, input: RegisterAgentInput) -> AgentResult:
        key = await agent.register_agent(access, input, repeatable(info, access, input))
        await context_of(info).refresh()
        return AgentSuccess(agent=await answers.agent(context_of(info), key))

    @strawberry.mutation(
        description="Vouch for an agent's name and address. Only for operators of the platform.",
        extensions=requires("agents.verify", places.agent),
    )
    async def verify_agent(self, info: strawberry.Info, access: Access, input: AgentInput) -> AgentResult:
        key = await agent.verify_agent(access, known(input.agent_id), repeatable(info, access, input))
        return AgentSuccess(agent=await answers.agent(context_of(info), key))
