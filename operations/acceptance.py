"""Accepting an invitation under one's own login, after a look at who invites to what.

The address in the invitation proves nothing and is not compared: the code is what was handed over. Unknown, expired,
used, cancelled, and no longer backed by its inviter are one answer; what is over is not even found, as what never was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from authz.actor import Access
from authz.life import Party
from errors import InvalidInput, InvitationRejected
from models import Agent, AgentMember, ApiKey, Assignment, Invitation, Practice, StaffMember
from models.connection import Connection, client
from models.tenancy import SERVICE, acting_for
from models.unit_of_work import unit_of_work
from operations.idempotency import Answer, Request, once
from operations.invitation import about_of, code_hash, place_is_open, said
from operations.inviter import still_invites
from operations.member import refuse_full
from operations.record import Who, record


@dataclass(frozen=True, slots=True)
class Card:
    """What an invitation says to whoever holds its code."""

    invited_by: str
    practice: str | None
    agent: str | None
    roles: tuple[str, ...]
    admin: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """What came of it: one of the two."""

    staff_id: UUID | None
    member_id: UUID | None


async def preview_invitation(access: Access, code: str) -> Card:
    """Who invites to what. Changes nothing. Refuses: InvitationRejected."""
    with acting_for(SERVICE):  # who holds a code belongs nowhere yet
        offer = await _open(client(), code, access.now)
        inviter = await _backed(client(), access, offer)
        about = about_of(offer)
        practice = await Practice.get_or_none(id=about.practice_id) if about.practice_id else None
        agent = await Agent.get_or_none(id=about.agent_id) if about.agent_id else None
    names = practice.name if practice else None, agent.legal_name if agent else None
    return Card(inviter, *names, tuple(offer.roles), offer.admin, offer.expires_at)


async def accept_invitation(access: Access, code: str, request: Request) -> Accepted:
    """Join the practice's staff or the agent. Whoever belonged there earlier returns with what this invitation says.

    Refuses, first match wins: IdempotencyConflict, InvitationRejected, InvalidInput (you belong there already; the
    invitation stays open), LimitReached.
    """

    async def work(connection: Connection) -> Answer:
        offer = await _open(connection, code, access.now, lock=True)
        await _backed(connection, access, offer)
        into = _into_practice if about_of(offer).practice_id else _into_agent
        answer = await into(connection, access, offer)
        offer.accepted_at, offer.accepted_by_id = access.now, access.actor.user_id
        await offer.save(using_db=connection, update_fields=["accepted_at", "accepted_by_id"])
        await request.remember(connection, answer)
        return answer

    with acting_for(SERVICE):  # as above
        answer = await once(request, lambda: unit_of_work(work))
    staff, member = answer.get("staff"), answer.get("member")
    return Accepted(UUID(staff) if staff else None, UUID(member) if member else None)


async def _open(connection: BaseDBAsyncClient, code: str, now: datetime, lock: bool = False) -> Invitation:
    usable = Invitation.filter(code_hash=code_hash(code), accepted_at=None, cancelled_at=None, expires_at__gt=now)
    found = await (usable.select_for_update() if lock else usable).using_db(connection).first()
    if found is None:
        raise InvitationRejected
    return found


async def _backed(connection: BaseDBAsyncClient, access: Access, offer: Invitation) -> str:
    """The inviter's name, where the place is open and they may still invite there."""
    if not await place_is_open(connection, offer):
        raise InvitationRejected
    return await still_invites(connection, access, offer)


async def _into_practice(connection: Connection, access: Access, offer: Invitation) -> Answer:
    """The place's lock lets one person's invitations to it follow each other."""
    place = {"practice_id": about_of(offer).practice_id, "user_id": access.actor.user_id}
    staff = await StaffMember.filter(**place).using_db(connection).select_for_update().first()
    if staff is not None and staff.removed_at is None:
        raise InvalidInput("code", "you are on the practice's staff already; sign in as whom it is for")
    given = {"roles": sorted(offer.roles), "added_at": access.now, "added_by_id": _inviter(offer), "removed_at": None}
    if staff is None:
        staff = await StaffMember.create(using_db=connection, **place, **given)
    else:
        await staff.update_from_dict(given).save(using_db=connection, update_fields=list(given))
    await _record(connection, access, offer, "staff.added", "joined the staff", {"staff": str(staff.id)})
    return {"staff": str(staff.id)}


async def _into_agent(connection: Connection, access: Access, offer: Invitation) -> Answer:
    """As into a practice."""
    agent_id = offer.agent_id  # type: ignore[attr-defined]  # the foreign key's
    place = {"agent_id": agent_id, "user_id": access.actor.user_id}
    member = await AgentMember.filter(**place).using_db(connection).select_for_update().first()
    if member is not None and member.departed_at is None:
        raise InvalidInput("code", "you belong to the agent already; sign in as whom it is for")
    await refuse_full(connection, agent_id)
    given = {
        "admin": offer.admin,
        "invited_at": offer.invited_at,
        "invited_by_id": _inviter(offer),
        "joined_at": access.now,
        "suspended_at": None,
        "departed_at": None,
    }
    if member is None:
        member = await AgentMember.create(using_db=connection, **place, **given)
    else:
        await _cut_what_is_left(connection, access, member)
        await member.update_from_dict(given).save(using_db=connection, update_fields=list(given))
    after = {"member": str(member.id)}
    await _record(connection, access, offer, "member.joined", "joined", after, member.id)
    return {"member": str(member.id)}


async def _cut_what_is_left(connection: Connection, access: Access, member: AgentMember) -> None:
    """Who returns is given anew what they do: nothing that slept beside the departed member wakes up with it."""
    assigned = Assignment.filter(member_id=member.id, removed_at=None).using_db(connection)
    await assigned.update(removed_at=access.now)
    keys = ApiKey.filter(member_id=member.id, revoked_at=None).using_db(connection)
    await keys.update(revoked_at=access.now, revoked_by_id=access.actor.user_id)


async def _record(
    connection: Connection,
    access: Access,
    offer: Invitation,
    event: str,
    summary: str,
    joined: dict[str, str],
    member_id: UUID | None = None,
) -> None:
    """Whoever accepts acts on the side they are joining."""
    actor, party = access.actor, Party.AGENT if member_id else Party.PRACTICE
    who = Who(actor.name, actor.user_id, party, access.policy.digest, access.now, member_id)
    after = {**joined, **said(offer)} | {"invited_by": str(_inviter(offer))}
    await record(connection, who, event, about_of(offer), summary, after=after)


def _inviter(offer: Invitation) -> UUID:
    found: UUID = offer.invited_by_id  # type: ignore[attr-defined]  # the foreign key's
    return found
