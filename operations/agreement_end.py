"""Ending an agreement, and going without one where the policy only recommends it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from authz.actor import Access
from authz.agreement import AgreementState
from errors import InvalidInput
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import agreement_rows as rows
from operations import wording
from operations.facts import Held, hold_open, hold_to_change
from operations.idempotency import Answer, Request, once
from operations.step_up import require_recent

if TYPE_CHECKING:
    from schema.agreement import WaiveAgreementInput


async def terminate_agreement(access: Access, engagement_id: UUID, expected_version: int, request: Request) -> UUID:
    """End whatever covers the engagement, a renewal that waits included: what waits for an agreement is not permitted
    from here on. One that is over already stays as it is.

    Refuses, first match wins: IdempotencyConflict, NotFound, EngagementEnded, StaleVersion, InvalidInput where there
    is none. Returns the engagement's id.
    """

    async def work(connection: Connection) -> Answer:
        held = await hold_to_change(connection, access, engagement_id, expected_version)
        stored = await rows.newest(connection, held)
        if stored is None:
            raise InvalidInput("engagementId", "there is no agreement to end")
        if held.life.agreement not in (AgreementState.TERMINATED, AgreementState.EXPIRED):
            changed = await rows.change(connection, access, stored, {"terminated_at": access.now})
            await rows.tell(connection, access, held, "agreement.terminated", "ended the agreement with", changed)
        answer = {"engagement": str(engagement_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return engagement_id


async def waive_agreement(access: Access, engagement_id: UUID, typed: WaiveAgreementInput, request: Request) -> UUID:
    """Go without, knowingly. It opens nothing: where one is required, now or later, the waiver does not count.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, NotFound, EngagementEnded, NotPermitted for somebody
    of the agent, InvalidInput where one is required or in force, StepUpRequired. Returns the engagement's id.
    """

    async def work(connection: Connection) -> Answer:
        reason = wording.text("reason", typed.reason, 500)
        held = await hold_open(connection, access, engagement_id)
        rows.refuse_own(access, held)
        _refuse_needed(access, held)
        if held.life.agreement is not AgreementState.WAIVED:
            require_recent(access)
            waived = {"waived_at": access.now, "waived_by_id": access.actor.user_id, "waive_reason": reason}
            made = await rows.begin(connection, access, held, await rows.newest(connection, held), waived)
            await rows.tell(connection, access, held, "agreement.waived", "waived the agreement with", made)
        answer = {"engagement": str(engagement_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return engagement_id


def _refuse_needed(access: Access, held: Held) -> None:
    """Roles that wait for their confirmation count, too: it must not become needed by that."""
    kind = access.policy.agents.get(held.row["agent_kind"])
    roles = [grant.role for grant in held.grants]
    if kind is None or kind.agreement != "recommended" or access.policy.agreement_needed(kind.key, roles):
        raise InvalidInput("engagementId", "only an agreement that is recommended can be waived; this one is not")
    if held.life.agreement_in_force:
        raise InvalidInput("engagementId", "an agreement is in force; there is nothing to waive")
