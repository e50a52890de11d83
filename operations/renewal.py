"""How long an engagement runs: another end, sooner or later, and whether it extends itself.

What takes time away needs nothing more than the permission. What gives more of it gives the roles again: of those that
are sensitive only after a recent proof of who is at the keyboard, and never to an agent that one belongs to.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from authz.actor import Access
from authz.life import runs_until
from errors import InvalidInput
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import engagement_change
from operations.facts import Held, facts, hold_to_change
from operations.granting import refuse_own_agent, step_up
from operations.idempotency import Answer, Request, once

if TYPE_CHECKING:
    from schema.renewal import RenewEngagementInput


class _Term(NamedTuple):
    expires_at: datetime
    auto_extend: bool


async def renew_engagement(access: Access, engagement_id: UUID, typed: RenewEngagementInput, request: Request) -> UUID:
    """Give the engagement another end; in its days of grace it is again what it was. Returns its id.

    The end that it has, and the same word on extension, change nothing. Refuses, first match wins:
    IdempotencyConflict, InvalidInput, NotFound, EngagementEnded, StaleVersion, RoleNotGrantable, StepUpRequired.
    """

    async def work(connection: Connection) -> Answer:
        expires_at = chosen_end(access, typed.expires_at)
        held = await hold_to_change(connection, access, engagement_id, typed.expected_version)
        before = _Term(runs_until(facts(held.row), access.policy, access.now), held.row["auto_extend"])
        after = _Term(expires_at, before.auto_extend if typed.auto_extend is None else typed.auto_extend)
        if after != before:
            _refuse(access, held, before, after)
            await _write(connection, access, held, before, after)
        answer = {"engagement": str(engagement_id)}
        await request.remember(connection, answer)
        return answer

    await once(request, lambda: unit_of_work(work))
    return engagement_id


def chosen_end(access: Access, typed: datetime) -> datetime:
    """An end that the caller chose: in the future, within the policy's maximum. Raises InvalidInput."""
    most = access.policy.engagements.max_days
    if typed <= access.now:
        raise InvalidInput("expiresAt", "choose a time in the future")
    if typed > access.now + timedelta(days=most):
        raise InvalidInput("expiresAt", f"choose a time within {most} days")
    return typed


def _refuse(access: Access, held: Held, before: _Term, after: _Term) -> None:
    gives_time = after.expires_at > before.expires_at or (after.auto_extend and not before.auto_extend)
    if gives_time:
        refuse_own_agent(access, held.agent_id, [grant.role for grant in held.grants])
        step_up(access, [access.policy.roles[key] for key in held.life.live_roles])


async def _write(connection: Connection, access: Access, held: Held, before: _Term, after: _Term) -> None:
    version = held.row["version"]
    then = "and extends itself from then on" if after.auto_extend else "unless it is renewed"
    summary = f"the work of {held.row['agent_legal_name']} runs until {after.expires_at.date()}, {then}"
    await engagement_change.change(
        connection,
        access,
        held,
        "engagement.renewed",
        summary,
        before={**_said(before), "version": version},
        after={**_said(after), "version": version + 1},
        columns=after._asdict(),
    )


def _said(term: _Term) -> dict[str, Any]:
    return {"expires_at": term.expires_at.isoformat(), "auto_extend": term.auto_extend}
