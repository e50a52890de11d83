"""The platform stops an agent in all of its practices at once, and lets it go on.

The agent's people still see everything and can do nothing; its programs are not let in at all. Each practice has it in
its own record, so that its history is complete without the agent's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from authz.actor import Access
from errors import InvalidInput, NotFound
from models import Agent
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import engagement_change
from operations.facts import Held, hold_live
from operations.idempotency import Answer, Request, once
from operations.record import About, Event, record, who

_CANCEL_TOKENS = """
UPDATE connect_tokens SET state = 'cancelled', ended_at = $2
WHERE agent_id = $1 AND state = 'issued' AND expires_at > $2 RETURNING id
"""
_ALL = "e.agent_id = $1"


async def suspend_agent(access: Access, agent_id: UUID, request: Request) -> UUID:
    """Stop an agent everywhere and cancel its live tokens. One that is stopped stays as it is.

    Refuses, first match wins: IdempotencyConflict, NotFound, InvalidInput (a closed agent).
    """
    return await _set(access, agent_id, access.now, request)


async def resume_agent(access: Access, agent_id: UUID, request: Request) -> UUID:
    """Let a suspended agent go on. One that is not suspended stays as it is. Refuses as `suspend_agent`."""
    return await _set(access, agent_id, None, request)


async def _set(access: Access, agent_id: UUID, since: datetime | None, request: Request) -> UUID:
    async def work(connection: Connection) -> Answer:
        agent = await _locked(connection, agent_id)
        if (agent.suspended_at is None) is not (since is None):
            await _change(connection, access, agent, since)
        answer = {"agent": str(agent_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return agent_id


async def _locked(connection: Connection, agent_id: UUID) -> Agent:
    """Whoever connects the agent shares this lock: its engagement is there before, or starts with what is after."""
    agent = await Agent.filter(id=agent_id).using_db(connection).select_for_update(no_key=True).first()
    if agent is None:
        raise NotFound
    if agent.closed_at:
        raise InvalidInput("agentId", "a closed agent is over; it can neither be suspended nor resumed")
    return agent


async def _change(connection: Connection, access: Access, agent: Agent, since: datetime | None) -> None:
    """Engagements before tokens, as who revokes; the agent's own row before the snapshots that show it."""
    held = await hold_live(connection, access, _ALL, agent.id)
    after: dict[str, object] = {"suspended": since is not None, "practices": len(held)}
    if since is not None:
        after["tokens_cancelled"] = len(await connection.execute_query_dict(_CANCEL_TOKENS, [agent.id, since]))
    agent.suspended_at = since
    await agent.save(using_db=connection, update_fields=["suspended_at"])
    verb = "suspended" if since else "resumed"
    await _tell_practices(connection, access, held, f"the platform {verb} {agent.legal_name}", f"agent_{verb}")
    about, summary = About(agent_id=agent.id), f"{verb} {agent.legal_name}"
    before = {"suspended": since is None}
    await record(connection, who(access, about), f"agent.{verb}", about, summary, before=before, after=after)


async def _tell_practices(
    connection: Connection, access: Access, held: Sequence[Held], summary: str, event: str
) -> None:
    suspended = event == "agent_suspended"
    before, after = {"agent_suspended": not suspended}, {"agent_suspended": suspended}
    events = []
    for each in held:
        about = engagement_change.about_engagement(each)
        events.append(Event(who(access, about), f"engagement.{event}", about, summary, before, after))
    await engagement_change.change_all(connection, events)
