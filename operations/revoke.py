"""Ending an engagement: one transaction after which no decision allows anything, and a receipt for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from authz.actor import Access
from models import Assignment, RevocationReceipt, RoleGrant
from models.connection import Connection
from models.identifier import uuid7
from models.unit_of_work import unit_of_work
from operations import engagement_change, wording
from operations.facts import Held, hold
from operations.idempotency import Answer, Request, once
from operations.record import Event, who

if TYPE_CHECKING:
    from schema.inputs import RevokeAgentInput
    from schema.people import LeavePracticeInput

_MEMBERS = """
SELECT count(DISTINCT m.id) AS cut, count(k.id) AS keys
FROM agent_members m LEFT JOIN api_keys k ON k.member_id = m.id AND k.revoked_at IS NULL AND k.expires_at > $4
WHERE m.agent_id = $1 AND m.joined_at IS NOT NULL AND m.departed_at IS NULL AND m.suspended_at IS NULL AND (
    ($3 AND m.admin)
    OR EXISTS (SELECT 1 FROM assignments s WHERE s.engagement_id = $2 AND s.member_id = m.id AND s.removed_at IS NULL)
)
"""
LEFT = "left_by_agent"
_CANCEL_TOKENS = """
UPDATE connect_tokens SET state = 'cancelled', ended_at = $3
WHERE agent_id = $1 AND external_ref = $2 AND state = 'issued' AND expires_at > $3 RETURNING id
"""


async def revoke_agent(access: Access, engagement_id: UUID, typed: RevokeAgentInput, request: Request) -> UUID:
    """End an engagement for good and cut everything that hung on it. Returns the receipt's id.

    Needs nobody's consent and no version. The second call, also a simultaneous one, finds the first one's
    receipt. Refuses, first match wins: IdempotencyConflict, InvalidInput, NotFound.
    """
    return await _end_for_good(access, engagement_id, typed.reason, by_practice(access), request)


async def leave_practice(access: Access, engagement_id: UUID, typed: LeavePracticeInput, request: Request) -> UUID:
    """The same from the agent's side: the same cut, the same receipt, whichever side was first. Refuses as above."""
    return await _end_for_good(access, engagement_id, typed.reason, LEFT, request)


async def _end_for_good(access: Access, engagement_id: UUID, typed: str | None, why: str, request: Request) -> UUID:
    async def work(connection: Connection) -> Answer:
        reason = wording.optional("reason", typed, 500)
        held = await hold(connection, access, engagement_id)
        receipt = await RevocationReceipt.filter(engagement_id=engagement_id).using_db(connection).first()
        receipt_id = receipt.id if receipt else await end(connection, access, held, why, reason)
        answer = {"receipt": str(receipt_id)}
        await request.remember(connection, answer)
        return answer

    answer = await once(request, lambda: unit_of_work(work))
    return UUID(answer["receipt"])


async def end(connection: Connection, access: Access, held: Held, why: str, reason: str | None, **more: str) -> UUID:
    """End an engagement that has no receipt, and write one. Returns the receipt's id. `more` is recorded."""
    cut = await _cut(connection, access, held)
    ended = _how_it_ended(access, held, why, reason)
    before = {"status": held.life.status.value, "roles": cut["roles_removed"]}
    after = {**cut, "end_reason": ended["end_reason"], "note": reason, **more}
    name = held.row["agent_legal_name"]
    summary = f"{name} left the practice" if why == LEFT else f"ended the work of {name}"
    ended_earlier = held.row["ended_at"] is not None  # then the record has its end, and this is only the receipt
    if ended_earlier:
        about = engagement_change.about_engagement(held)
        given = Event(who(access, about), "engagement.receipt_given", about, summary, before, after)
        audit_hash = await engagement_change.happened(connection, given)
    else:
        audit_hash = await engagement_change.change(
            connection, access, held, "engagement.ended", summary, before=before, after=after, columns=ended
        )
    return await _write_receipt(connection, access, held, cut, audit_hash)


async def _cut(connection: Connection, access: Access, held: Held) -> dict[str, Any]:
    """Remove grants and assignments, cancel this client's tokens, and count what that took away."""
    by, now = access.actor.user_id, access.now
    own_member = held.row["agent_kind"] == "front_office_worker"
    (members,) = await connection.execute_query_dict(_MEMBERS, [held.agent_id, held.id, own_member, now])
    tokens = await connection.execute_query_dict(_CANCEL_TOKENS, [held.agent_id, held.row["external_ref"], now])
    grants = RoleGrant.filter(engagement_id=held.id, removed_at=None).using_db(connection)
    await grants.update(removed_at=now, removed_by_id=by)
    await Assignment.filter(engagement_id=held.id, removed_at=None).using_db(connection).update(removed_at=now)
    return {
        "roles_removed": sorted(grant.role for grant in held.grants),
        "members_cut": members["cut"],
        "api_keys_cut": members["keys"],
        "subscriptions_closed": 0,
        "tokens_cancelled": len(tokens),
    }


def _how_it_ended(access: Access, held: Held, why: str, reason: str | None) -> Mapping[str, Any]:
    """Why it ends now, or what ended it before (expiry, for example)."""
    if held.life.ended_at is not None:
        return {"ended_at": held.life.ended_at, "end_reason": held.life.end_reason}
    return {"ended_at": access.now, "end_reason": why, "ended_by_id": access.actor.user_id, "end_note": reason}


async def _write_receipt(
    connection: Connection, access: Access, held: Held, cut: Mapping[str, Any], audit_hash: str
) -> UUID:
    receipt = await RevocationReceipt.create(
        using_db=connection,
        id=uuid7(),
        engagement_id=held.id,
        at=access.now,
        by=access.actor.name,
        duties=_duties(access, held),
        audit_hash=audit_hash,
        **cut,
    )
    return receipt.id


def _duties(access: Access, held: Held) -> list[str]:
    """What a business associate still owes when its work ends (45 CFR 164.504(e)(2)(ii)(J))."""
    kind = access.policy.agents.get(held.row["agent_kind"])
    if kind is not None and kind.agreement == "not_needed":
        return []
    return [
        "The agent returns or destroys all protected health information it holds for the practice, copies included.",
        "Where that is not feasible, the agent protects it further and uses it for nothing else.",
    ]


def by_practice(access: Access) -> str:
    """The reason of an end that the agent did not choose."""
    by_platform = access.actor.operator and not access.actor.roles_at(access.place.practice)
    return "platform" if by_platform else "revoked_by_practice"
