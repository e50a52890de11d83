"""Taking a person into an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import limits
from authz.actor import Access
from errors import InvalidInput, LimitReached, NotFound
from models import Agent, AgentMember
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import wording
from operations.granting import step_up
from operations.idempotency import Answer, Request, once
from operations.people import person
from operations.record import About, record, who

if TYPE_CHECKING:
    from schema.inputs import InviteMemberInput


async def invite_member(access: Access, agent_id: UUID, typed: InviteMemberInput, request: Request) -> UUID:
    """Take a person into the caller's agent. Returns the membership's id.

    A person who has an account is a member at once; anybody else is INVITED until they sign up with this
    e-mail. Administrators are named soon after the password was entered, because theirs is a sensitive role.
    Refuses, first match wins: IdempotencyConflict, InvalidInput, StepUpRequired, NotFound, LimitReached.
    """

    async def work(connection: Connection) -> Answer:
        name, email = wording.text("name", typed.name, 200), wording.email("email", typed.email)
        if typed.admin:
            step_up(access, [access.policy.roles["agent_admin"]])
        await _lock_agent(connection, agent_id)
        await _refuse_too_many(connection, agent_id)
        user = await person(connection, name, email, access.now)
        if await AgentMember.filter(agent_id=agent_id, user_id=user.id).using_db(connection).exists():
            raise InvalidInput("email", "this person belongs to the agent already")
        joined_at = access.now if user.password_hash else None
        member = await AgentMember.create(
            using_db=connection,
            agent_id=agent_id,
            user_id=user.id,
            admin=bool(typed.admin),
            invited_at=access.now,
            invited_by_id=access.actor.user_id,
            joined_at=joined_at,
        )
        about = About(agent_id=agent_id)
        after = {"member": str(member.id), "admin": member.admin}
        await record(connection, who(access, about), "member.invited", about, "invited a member", after=after)
        answer = {"member": str(member.id)}
        await request.remember(connection, answer)
        return answer

    answer = await once(request, lambda: unit_of_work(work))
    return UUID(answer["member"])


async def _lock_agent(connection: Connection, agent_id: UUID) -> None:
    agent = await Agent.filter(id=agent_id).using_db(connection).select_for_update().first()
    if agent is None:
        raise NotFound
    if agent.closed_at:
        raise InvalidInput("agentId", "a closed agent takes in nobody")


async def _refuse_too_many(connection: Connection, agent_id: UUID) -> None:
    most = limits.of("members_per_agent")
    members = await AgentMember.filter(agent_id=agent_id, departed_at=None).using_db(connection).count()
    if members >= most:
        raise LimitReached(most, "the agent has as many people as it may; let somebody depart first")
