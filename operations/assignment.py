"""Which of the agent's people work in an engagement: the agent's own to say, and never more than its roles give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import limits
from authz.actor import Access
from errors import InvalidInput, NotFound
from models import Assignment
from models.connection import Connection
from models.identifier import parse
from models.unit_of_work import unit_of_work
from operations import engagement_change
from operations.facts import Held, hold_open
from operations.granting import known_roles
from operations.idempotency import Answer, Request, once

if TYPE_CHECKING:
    from schema.people import AssignMemberInput

# Locked before the engagement, as a departure does, so that nobody is assigned who is just leaving.
_MEMBER = """
SELECT joined_at IS NOT NULL AND departed_at IS NULL AND suspended_at IS NULL AS works FROM agent_members
WHERE id = $1 AND agent_id = $2 FOR SHARE
"""


async def assign_member(access: Access, engagement_id: UUID, typed: AssignMemberInput, request: Request) -> UUID:
    """Let a member work in the engagement, with all of its roles or only those of a cap.

    Assigning again replaces the cap; the same again changes nothing. Refuses, first match wins: IdempotencyConflict,
    NotFound (also somebody else's member), InvalidInput (a member who does not work for the agent), EngagementEnded,
    UnknownRole, InvalidInput (an empty cap, roles that the engagement lacks, or too many people).
    """

    async def work(connection: Connection) -> Answer:
        member_id = await _member(connection, access, typed.member_id, must_work=True)
        held = await hold_open(connection, access, engagement_id)
        cap = None if typed.cap is None else _cap(access, held, typed.cap)
        live = await _live(connection, held, member_id)
        if live is None:
            await _refuse_too_many(connection, held)
        if live is None or live.cap != cap:
            await _assign(connection, access, held, member_id, live, cap)
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


async def unassign_member(access: Access, engagement_id: UUID, typed: AssignMemberInput, request: Request) -> UUID:
    """Take a member out of the engagement. One who is not in it stays out, and nothing changes.

    Refuses, first match wins: IdempotencyConflict, InvalidInput (a cap), NotFound, EngagementEnded.
    """

    async def work(connection: Connection) -> Answer:
        if typed.cap is not None:
            raise InvalidInput("cap", "leave it out: unassigning takes all roles; to keep some, assign with a cap")
        member_id = await _member(connection, access, typed.member_id, must_work=False)
        held = await hold_open(connection, access, engagement_id)
        live = await _live(connection, held, member_id)
        if live is not None:
            await _remove(connection, access, held, live)
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


async def _member(connection: Connection, access: Access, typed: str, *, must_work: bool) -> UUID:
    member_id = parse(typed)
    rows = await connection.execute_query_dict(_MEMBER, [member_id, access.place.agent])
    if member_id is None or not rows:
        raise NotFound
    if must_work and not rows[0]["works"]:
        raise InvalidInput("memberId", "assign somebody who works for the agent now; this member does not")
    return member_id


def _cap(access: Access, held: Held, typed: Sequence[str]) -> list[str]:
    """Sorted role keys. A role that the engagement loses later stays in the cap and gives nothing."""
    if not typed:
        raise InvalidInput("cap", "name at least one role; to give none, unassign the member")
    known_roles(access.policy, typed, "cap")
    there = {grant.role for grant in held.grants}
    for place, key in enumerate(typed):
        if key not in there:
            raise InvalidInput(f"cap.{place}", "the engagement has no such role; a cap only narrows what it has")
    return sorted(map(str, typed))


async def _live(connection: Connection, held: Held, member_id: UUID) -> Assignment | None:
    found = Assignment.filter(engagement_id=held.id, member_id=member_id, removed_at=None)
    return await found.using_db(connection).first()


async def _refuse_too_many(connection: Connection, held: Held) -> None:
    assigned = await Assignment.filter(engagement_id=held.id, removed_at=None).using_db(connection).count()
    if assigned >= limits.of("members_per_engagement"):
        raise InvalidInput("memberId", "as many people as there may be work in this practice; take somebody out first")


async def _assign(
    connection: Connection,
    access: Access,
    held: Held,
    member_id: UUID,
    live: Assignment | None,
    cap: list[str] | None,
) -> None:
    """Another cap is another assignment: who had which, and since when, stays in the table."""
    if live is not None:
        live.removed_at = access.now
        await live.save(using_db=connection, update_fields=["removed_at"])
    await Assignment.create(
        using_db=connection,
        engagement_id=held.id,
        member_id=member_id,
        cap=cap,
        assigned_at=access.now,
        assigned_by_id=access.actor.user_id,
    )
    before = _said(member_id, live is not None, live.cap if live else None)
    summary = "narrowed or widened what a member may do" if live else "assigned a member to the practice"
    await _record(
        connection, access, held, ("engagement.member_assigned", summary), before, _said(member_id, True, cap)
    )


async def _remove(connection: Connection, access: Access, held: Held, live: Assignment) -> None:
    live.removed_at = access.now
    await live.save(using_db=connection, update_fields=["removed_at"])
    member_id: UUID = live.member_id  # type: ignore[attr-defined]  # the foreign key's
    before, after = _said(member_id, True, live.cap), _said(member_id, False, None)
    what = ("engagement.member_unassigned", "took a member out of the practice")
    await _record(connection, access, held, what, before, after)


def _said(member_id: UUID, assigned: bool, cap: list[str] | None) -> dict[str, Any]:
    return {"member": str(member_id), "assigned": assigned} | ({"cap": cap} if assigned else {})


async def _record(
    connection: Connection,
    access: Access,
    held: Held,
    what: tuple[str, str],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    event, summary = what
    await engagement_change.change(connection, access, held, event, summary, before=before, after=after)


async def _answer(connection: Connection, request: Request, engagement_id: UUID) -> Answer:
    answer = {"engagement": str(engagement_id)}
    await request.remember(connection, answer)
    return answer
