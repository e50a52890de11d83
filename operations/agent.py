"""Registering an outside agent, and the platform's word that it is who it says."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import limits
from authz.actor import Access
from authz.life import Party
from errors import InvalidInput, LimitReached, NotFound
from models import Agent, AgentMember
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import wording
from operations.idempotency import Answer, Request, once
from operations.people import take_turns
from operations.record import About, Who, record, who

if TYPE_CHECKING:
    from schema.inputs import RegisterAgentInput


async def register_agent(access: Access, typed: RegisterAgentInput, request: Request) -> UUID:
    """Register an agent whose first admin is the caller. It can do nothing until it is verified.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, LimitReached.
    """

    async def work(connection: Connection) -> Answer:
        described = _described(typed)
        await _refuse_too_many(connection, access)
        agent = await Agent.create(
            using_db=connection, registered_at=access.now, registered_by_id=access.actor.user_id, **described
        )
        await _make_admin(connection, access, agent.id)
        by = Who(access.actor.name, access.actor.user_id, Party.AGENT, access.policy.digest, access.now)
        about = About(agent_id=agent.id)
        await record(connection, by, "agent.registered", about, f"registered {agent.legal_name}", after=described)
        answer = {"agent": str(agent.id)}
        await request.remember(connection, answer)
        return answer

    answer = await once(request, lambda: unit_of_work(work))
    return UUID(answer["agent"])


async def verify_agent(access: Access, agent_id: UUID, request: Request) -> UUID:
    """The platform vouches for the agent's name and address. Verifying a verified agent changes nothing.

    Refuses, first match wins: IdempotencyConflict, NotFound, InvalidInput (a closed agent).
    """

    async def work(connection: Connection) -> Answer:
        agent = await Agent.filter(id=agent_id).using_db(connection).select_for_update().first()
        if agent is None:
            raise NotFound
        if agent.closed_at:
            raise InvalidInput("agentId", "a closed agent cannot be verified; it registers anew")
        if agent.verified_at is None:
            await _verify(connection, access, agent)
        answer = {"agent": str(agent_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return agent_id


def _described(typed: RegisterAgentInput) -> dict[str, str]:
    return {
        "kind": typed.kind.value,
        "legal_name": wording.text("legalName", typed.legal_name, 200),
        "address": wording.text("address", typed.address, 300),
        "city": wording.text("city", typed.city, 100),
        "phone": wording.phone("phone", typed.phone),
        "email": wording.email("email", typed.email),
    }


async def _refuse_too_many(connection: Connection, access: Access) -> None:
    await take_turns(connection, access.actor.user_id)
    most = limits.of("agents_per_user")
    registered = await Agent.filter(registered_by_id=access.actor.user_id).using_db(connection).count()
    if registered >= most:
        raise LimitReached(most, "you registered as many agents as one person may; ask the platform for more")


async def _make_admin(connection: Connection, access: Access, agent_id: UUID) -> None:
    user_id = access.actor.user_id
    await AgentMember.create(
        using_db=connection,
        agent_id=agent_id,
        user_id=user_id,
        admin=True,
        invited_at=access.now,
        invited_by_id=user_id,
        joined_at=access.now,
    )


async def _verify(connection: Connection, access: Access, agent: Agent) -> None:
    agent.verified_at, agent.verified_by_id = access.now, access.actor.user_id
    await agent.save(using_db=connection, update_fields=["verified_at", "verified_by_id"])
    about = About(agent_id=agent.id)
    summary = f"verified {agent.legal_name}"
    before, after = {"status": "registered"}, {"status": "active"}
    await record(connection, who(access, about), "agent.verified", about, summary, before=before, after=after)
