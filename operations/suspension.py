"""Stopping an engagement for a while: its roles are kept and give nothing until it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from authz.actor import Access
from authz.life import Party
from errors import InvalidInput
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import engagement_change, wording
from operations.facts import Held, hold_to_change
from operations.idempotency import Answer, Request, once
from operations.record import who

if TYPE_CHECKING:
    from schema.suspension import SuspendEngagementInput

_RUNNING: Mapping[str, Any] = {
    "suspended_at": None,
    "suspended_by_id": None,
    "suspend_reason": None,
    "suspended_by_platform": False,
}


async def suspend_engagement(
    access: Access, engagement_id: UUID, typed: SuspendEngagementInput, request: Request
) -> UUID:
    """Stop an engagement. One that is stopped stays as it is, unless the platform stops what the practice had stopped.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, NotFound, EngagementEnded, StaleVersion.
    """

    async def work(connection: Connection) -> Answer:
        reason = wording.text("reason", typed.reason, 500)
        held = await hold_to_change(connection, access, engagement_id, typed.expected_version)
        if held.row["suspended_at"] is None or (_by_platform(access, held) and not held.row["suspended_by_platform"]):
            await _suspend(connection, access, held, reason)
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


async def resume_engagement(access: Access, engagement_id: UUID, expected_version: int, request: Request) -> UUID:
    """Let a suspended engagement go on. One that is not suspended stays as it is; an overdue review stays overdue.

    Refuses, first match wins: IdempotencyConflict, NotFound, EngagementEnded, StaleVersion, InvalidInput (the platform
    suspended it, and only the platform lifts that).
    """

    async def work(connection: Connection) -> Answer:
        held = await hold_to_change(connection, access, engagement_id, expected_version)
        if held.row["suspended_by_platform"] and not _by_platform(access, held):
            raise InvalidInput("engagementId", "the platform suspended this engagement; only the platform resumes it")
        if held.row["suspended_at"] is not None:
            await _resume(connection, access, held)
        return await _answer(connection, request, engagement_id)

    await once(request, lambda: unit_of_work(work))
    return engagement_id


def _by_platform(access: Access, held: Held) -> bool:
    return who(access, engagement_change.about_engagement(held)).party is Party.PLATFORM


async def _suspend(connection: Connection, access: Access, held: Held, reason: str) -> None:
    by_platform = _by_platform(access, held)
    columns = {
        "suspended_at": held.row["suspended_at"] or access.now,
        "suspended_by_id": access.actor.user_id,
        "suspend_reason": reason,
        "suspended_by_platform": by_platform,
    }
    after = {"suspended": True, "by_platform": by_platform, "reason": reason}
    await _record(connection, access, held, "engagement.suspended", columns, after)


async def _resume(connection: Connection, access: Access, held: Held) -> None:
    await _record(connection, access, held, "engagement.resumed", _RUNNING, {"suspended": False})


async def _record(
    connection: Connection,
    access: Access,
    held: Held,
    event: str,
    columns: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    row = held.row
    suspended = row["suspended_at"] is not None
    before = {"suspended": suspended} | ({"by_platform": row["suspended_by_platform"]} if suspended else {})
    summary = f"{event.partition('.')[2]} the work of {row['agent_legal_name']}"
    await engagement_change.change(
        connection, access, held, event, summary, before=before, after=after, columns=columns
    )


async def _answer(connection: Connection, request: Request, engagement_id: UUID) -> Answer:
    answer = {"engagement": str(engagement_id)}
    await request.remember(connection, answer)
    return answer
