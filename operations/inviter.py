"""Whether whoever made an invitation may still make it: an invitation gives nothing that its maker has lost meanwhile.

Asked of the rows as they are now, which stay locked until the transaction ends. How recently the inviter entered a
password is not asked again: they did when they invited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from authz.actor import Access, Actor, Place
from authz.decide import Seat
from errors import InvitationRejected, Refusal
from models import Invitation
from operations.granting import known_roles, refuse_together, refuse_ungrantable
from operations.invitation import about_of

_STAFF = """
SELECT u.id, u.name, t.roles FROM staff_members t JOIN users u ON u.id = t.user_id
WHERE t.practice_id = $1 AND t.user_id = $2 AND t.removed_at IS NULL AND u.disabled_at IS NULL FOR SHARE
"""
_MEMBER = """
SELECT u.id, u.name, m.admin FROM agent_members m JOIN users u ON u.id = m.user_id
WHERE m.agent_id = $1 AND m.user_id = $2 AND m.joined_at IS NOT NULL AND m.departed_at IS NULL
    AND m.suspended_at IS NULL AND u.disabled_at IS NULL FOR SHARE
"""


async def still_invites(connection: BaseDBAsyncClient, access: Access, offer: Invitation) -> str:
    """The name of the inviter, who may still give what it says. Raises InvitationRejected for every reason.

    `access` is that of the person who accepts: its policy and its time count.
    """
    invited_by: UUID = offer.invited_by_id  # type: ignore[attr-defined]  # the foreign key's
    about = about_of(offer)
    statement, place = (_STAFF, about.practice_id) if about.practice_id else (_MEMBER, about.agent_id)
    rows = await connection.execute_query_dict(statement, [place, invited_by])
    if not rows:
        raise InvitationRejected
    try:
        _refuse(access, offer, rows[0])
    except Refusal:
        raise InvitationRejected from None
    return str(rows[0]["name"])


def _refuse(accepting: Access, offer: Invitation, row: Mapping[str, Any]) -> None:
    about, policy = about_of(offer), accepting.policy
    if about.agent_id:
        seat = Seat("member", frozenset({"agent_admin" if row["admin"] else "agent_member"}))
        actor = Actor(row["id"], row["name"], policy, accepting.now, agents={about.agent_id: (seat,)})
        actor.access("members.invite", Place(agent=about.agent_id))
    elif about.practice_id:
        seat = Seat("staff", frozenset(row["roles"]))
        actor = Actor(row["id"], row["name"], policy, accepting.now, practices={about.practice_id: (seat,)})
        adding = actor.access("staff.add", Place(frozenset({about.practice_id})))
        roles = known_roles(policy, offer.roles)
        refuse_ungrantable(adding, roles, "staff", frozenset(policy.permissions))
        refuse_together(policy, roles)
