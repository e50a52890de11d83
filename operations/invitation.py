"""Inviting somebody to a practice's staff or into an agent, and taking an invitation back.

Who is invited is not looked up: they may have an account already, or open one, under any address. Whoever shows the
code within the hour is taken in (`operations/acceptance.py`). The code is made of a random seed under the pepper, as
connect codes are, so that a repeated request can be shown the same one. The seed is kept only beside an idempotency
key.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

import limits
from authz.actor import Access
from errors import InvalidInput, LimitReached
from models import Invitation
from models.connection import Connection
from models.identifier import uuid7
from models.unit_of_work import unit_of_work
from operations import pepper
from operations.idempotency import Answer, Request, once
from operations.record import About, record, who

_PRACTICE = "SELECT closed_at FROM practices WHERE id = $1 FOR NO KEY UPDATE"
_AGENT = "SELECT closed_at FROM agents WHERE id = $1 FOR NO KEY UPDATE"
_OPEN = """
SELECT count(*) AS open FROM invitations
WHERE (practice_id = $1 OR agent_id = $2) AND accepted_at IS NULL AND cancelled_at IS NULL AND expires_at > $3
"""


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation and its code, which is shown once and stored nowhere."""

    invitation_id: UUID
    code: str

    def __repr__(self) -> str:
        return f"Invited({self.invitation_id})"


def code_hash(code: str) -> bytes:
    """sha256: 256 random bits need no slow hash."""
    return hashlib.sha256(code.encode()).digest()


def shown(answer: Answer, request: Request) -> Invited:
    """What the inviter is shown, also when the request is repeated."""
    return Invited(UUID(answer["invitation"]), _code(bytes.fromhex(answer["seed"]), request))


async def place_is_open(connection: BaseDBAsyncClient, offer: Invitation) -> bool:
    """Whether the practice or the agent still takes people in. Its lock makes counts hold, and its people's too."""
    lock, place = (_PRACTICE, offer.practice_id) if offer.practice_id else (_AGENT, offer.agent_id)  # type: ignore[attr-defined]  # the foreign keys'
    rows = await connection.execute_query_dict(lock, [place])
    return bool(rows) and rows[0]["closed_at"] is None


async def invite(connection: Connection, access: Access, request: Request, offer: Invitation) -> Answer:
    """Write the invitation, whose place, name, address and offer are given, with its event. It is open for an hour.

    Refuses, first match wins: InvalidInput (the place is closed), LimitReached.
    """
    about = about_of(offer)
    if not await place_is_open(connection, offer):
        place = "practice" if about.practice_id else "agent"
        raise InvalidInput(f"{place}Id", f"a closed {place} takes in nobody")
    await _refuse_too_many(connection, access, about)
    seed = secrets.token_bytes(32)
    offer.id, offer.code_hash = uuid7(), code_hash(_code(seed, request))
    offer.invited_at, offer.invited_by_id = access.now, access.actor.user_id
    offer.expires_at = access.now + timedelta(seconds=limits.of("invitation_seconds"))
    await offer.save(using_db=connection, force_create=True)
    await _record_invitation(connection, access, offer, about)
    answer = {"invitation": str(offer.id), "seed": seed.hex()}
    await request.remember(connection, answer)
    return answer


async def cancel_invitation(access: Access, invitation_id: UUID, request: Request) -> UUID:
    """Take an open invitation back. One that is cancelled or expired already stays as it is.

    Refuses, first match wins: IdempotencyConflict, InvalidInput (it was accepted).
    """

    async def work(connection: Connection) -> Answer:
        found = await Invitation.filter(id=invitation_id).using_db(connection).select_for_update().get()
        if found.accepted_at is not None:
            raise InvalidInput("invitationId", "the invitation was accepted; end the person's access instead")
        if found.cancelled_at is None and found.expires_at > access.now:
            await _cancel(connection, access, found)
        answer = {"invitation": str(invitation_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return invitation_id


def about_of(offer: Invitation) -> About:
    return About(practice_id=offer.practice_id, agent_id=offer.agent_id)  # type: ignore[attr-defined]  # the foreign keys'


def said(offer: Invitation) -> dict[str, object]:
    """What the record says of an invitation: nothing about the person, who may turn out to be another."""
    given: dict[str, object] = {"roles": list(offer.roles)} if about_of(offer).practice_id else {"admin": offer.admin}
    return {"invitation": str(offer.id)} | given


def _code(seed: bytes, request: Request) -> str:
    """256 bits in base64url: 43 characters."""
    drawn = pepper.keyed("invitation", seed, (request.key or "").encode())
    return base64.urlsafe_b64encode(drawn).rstrip(b"=").decode()


async def _refuse_too_many(connection: Connection, access: Access, about: About) -> None:
    most = limits.of("open_invitations_per_place")
    (row,) = await connection.execute_query_dict(_OPEN, [about.practice_id, about.agent_id, access.now])
    if row["open"] >= most:
        raise LimitReached(most, "there are as many open invitations as there may be; cancel one or let it expire")


async def _record_invitation(connection: Connection, access: Access, offer: Invitation, about: About) -> None:
    event, whom = ("staff.invited", "a person to the staff") if about.practice_id else ("member.invited", "a member")
    await record(connection, who(access, about), event, about, f"invited {whom}", after=said(offer))


async def _cancel(connection: Connection, access: Access, offer: Invitation) -> None:
    offer.cancelled_at = access.now
    await offer.save(using_db=connection, update_fields=["cancelled_at"])
    about, summary = about_of(offer), "cancelled an invitation"
    await record(connection, who(access, about), "invitation.cancelled", about, summary, after=said(offer))
