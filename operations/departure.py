"""A member leaves the agent: cut in every practice at once, in one transaction, and every practice is told.

The proposed Security Rule gives a business associate 24 hours to say that somebody's access ended; here the practice's
record has it before the call is answered. A few statements, however many practices there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from authz.actor import Access
from errors import InvalidInput, NotFound
from models import AgentMember
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import engagement_change
from operations.facts import Held, hold_live
from operations.idempotency import Answer, Request, once
from operations.record import About, Event, record, who

# Locks in this order: invitations, the agent, the member, as who accepts; then engagements, connect tokens, as who
# revokes.
_OFFERS = """
SELECT id FROM invitations WHERE agent_id = $1 AND invited_by_id = $2 AND accepted_at IS NULL AND cancelled_at IS NULL
ORDER BY id FOR UPDATE
"""
_AGENT = "SELECT kind FROM agents WHERE id = $1 FOR NO KEY UPDATE"
_OTHER_ADMINS = """
SELECT 1 FROM agent_members m JOIN users u ON u.id = m.user_id
WHERE m.agent_id = $1 AND m.id <> $2 AND m.admin AND m.joined_at IS NOT NULL AND m.departed_at IS NULL
    AND m.suspended_at IS NULL AND u.disabled_at IS NULL LIMIT 1
"""
_CANCEL_OFFERS = """
UPDATE invitations SET cancelled_at = $3
WHERE agent_id = $1 AND invited_by_id = $2 AND accepted_at IS NULL AND cancelled_at IS NULL AND expires_at > $3
RETURNING id
"""
_CANCEL_TOKENS = """
UPDATE connect_tokens SET state = 'cancelled', ended_at = $2
WHERE issued_by_id = $1 AND state = 'issued' AND expires_at > $2 RETURNING id
"""
_REVOKE_KEYS = """
UPDATE api_keys SET revoked_at = $2, revoked_by_id = $3 WHERE member_id = $1 AND revoked_at IS NULL RETURNING id
"""
_END_ACCESS_TOKENS = "DELETE FROM access_tokens WHERE api_key_id = ANY ($1)"
_UNASSIGN = "UPDATE assignments SET removed_at = $2 WHERE member_id = $1 AND removed_at IS NULL"
_ASSIGNED = (
    "EXISTS (SELECT 1 FROM assignments s WHERE s.engagement_id = e.id AND s.member_id = $1 AND s.removed_at IS NULL)"
)
_OF_AGENT = "e.agent_id = (SELECT m.agent_id FROM agent_members m WHERE m.id = $1)"


@dataclass(frozen=True, slots=True)
class Departed:
    """`practices_notified`: how many have the event in their record; none where the member had departed before."""

    member_id: UUID
    practices_notified: int


async def depart_member(access: Access, member_id: UUID, request: Request) -> Departed:
    """End a member's work for the agent, everywhere and at once: assignments, API keys, tokens, invitations.

    One who has departed stays so, and nothing changes. Refuses, first match wins: IdempotencyConflict, NotFound,
    InvalidInput (the last administrator).
    """

    async def work(connection: Connection) -> Answer:
        member, agent_kind = await _locked(connection, access, member_id)
        told = 0 if member.departed_at else await _depart(connection, access, member, agent_kind)
        answer = {"member": str(member_id), "practices": str(told)}
        await request.remember(connection, answer)
        return answer

    answer = await once(request, lambda: unit_of_work(work))
    return Departed(member_id, int(answer["practices"]))


async def _locked(connection: Connection, access: Access, member_id: UUID) -> tuple[AgentMember, str]:
    """The member, and the agent's kind. The agent's lock lets departures of one agent follow each other."""
    found = await AgentMember.get_or_none(id=member_id, agent_id=access.place.agent, using_db=connection)
    if found is None:
        raise NotFound
    await connection.execute_query_dict(_OFFERS, [access.place.agent, _user(found)])
    (agent,) = await connection.execute_query_dict(_AGENT, [access.place.agent])
    member = await AgentMember.filter(id=member_id).using_db(connection).select_for_update(no_key=True).get()
    return member, agent["kind"]


async def _depart(connection: Connection, access: Access, member: AgentMember, agent_kind: str) -> int:
    """The member's own row is written last: who cuts themselves off acts for the agent until then."""
    await _refuse_last_admin(connection, access, member)
    own_member = member.admin and agent_kind == "front_office_worker"
    held = await hold_live(connection, access, _OF_AGENT if own_member else _ASSIGNED, member.id)
    await connection.execute_query_dict(_UNASSIGN, [member.id, access.now])
    tokens = await connection.execute_query_dict(_CANCEL_TOKENS, [member.id, access.now])
    cut = {
        "member": str(member.id),
        "api_keys_revoked": await _revoke_keys(connection, access, member),
        "tokens_cancelled": len(tokens),
        "invitations_cancelled": await _cancel_offers(connection, access, member),
        "practices": len(held),
    }
    await _record(connection, access, held, cut)
    member.departed_at = access.now
    await member.save(using_db=connection, update_fields=["departed_at"])
    return len(held)


async def _refuse_last_admin(connection: Connection, access: Access, member: AgentMember) -> None:
    if member.admin and not await connection.execute_query_dict(_OTHER_ADMINS, [access.place.agent, member.id]):
        raise InvalidInput("memberId", "this is the agent's last administrator; invite another one first")


async def _revoke_keys(connection: Connection, access: Access, member: AgentMember) -> int:
    revoked = await connection.execute_query_dict(_REVOKE_KEYS, [member.id, access.now, access.actor.user_id])
    await connection.execute_query_dict(_END_ACCESS_TOKENS, [[row["id"] for row in revoked]])
    return len(revoked)


async def _cancel_offers(connection: Connection, access: Access, member: AgentMember) -> int:
    """Nobody could accept them any more; cancelled they no longer count as open either."""
    values = [access.place.agent, _user(member), access.now]
    return len(await connection.execute_query_dict(_CANCEL_OFFERS, values))


async def _record(connection: Connection, access: Access, held: Sequence[Held], cut: dict[str, Any]) -> None:
    summary = "a member left the agent and has no access any more"
    events = []
    for each in held:
        about = engagement_change.about_engagement(each)
        after = {"member": cut["member"], "assigned": False}
        events.append(Event(who(access, about), "engagement.member_departed", about, summary, after=after))
    await engagement_change.change_all(connection, events)
    about = About(agent_id=access.place.agent)
    said = "ended a member's access everywhere"
    await record(connection, who(access, about), "member.departed", about, said, after=cut)


def _user(member: AgentMember) -> UUID:
    found: UUID = member.user_id  # type: ignore[attr-defined]  # the foreign key's
    return found
