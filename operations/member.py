"""Inviting a person into an agent."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import limits
from authz.actor import Access
from errors import InvalidInput, LimitReached
from models import AgentMember, Invitation
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import wording
from operations.granting import step_up
from operations.idempotency import Answer, Request, once
from operations.invitation import Invited, invite, shown

if TYPE_CHECKING:
    from schema.inputs import InviteMemberInput


async def invite_member(access: Access, agent_id: UUID, typed: InviteMemberInput, request: Request) -> Invited:
    """Invite a person into the caller's agent.

    Administrators are named soon after the password was entered, because theirs is a sensitive role. Refuses,
    first match wins: IdempotencyConflict, InvalidInput, StepUpRequired, LimitReached.
    """

    async def work(connection: Connection) -> Answer:
        name, email = wording.text("name", typed.name, 200), wording.email("email", typed.email)
        if typed.admin:
            step_up(access, [access.policy.roles["agent_admin"]])
        same = AgentMember.filter(agent_id=agent_id, user__email=email, departed_at=None)
        if await same.using_db(connection).exists():
            raise InvalidInput("email", "this person belongs to the agent already")
        await refuse_full(connection, agent_id)
        offer = Invitation(agent_id=agent_id, email=email, name=name, roles=[], admin=bool(typed.admin))
        return await invite(connection, access, request, offer)

    return shown(await once(request, lambda: unit_of_work(work)), request)


async def refuse_full(connection: Connection, agent_id: UUID) -> None:
    """Raises LimitReached. Holds where the agent is locked."""
    most = limits.of("members_per_agent")
    members = await AgentMember.filter(agent_id=agent_id, departed_at=None).using_db(connection).count()
    if members >= most:
        raise LimitReached(most, "the agent has as many people as it may; let somebody depart first")
