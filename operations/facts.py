"""An engagement's stored facts, read inside a transaction and locked until it ends."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from authz.actor import Access
from authz.life import AgreementFacts, Facts, Grant, Life, life
from errors import EngagementEnded, NotFound, StaleVersion
from models import Agent, Agreement, Engagement, Practice, RoleGrant
from models.connection import Connection


@dataclass(frozen=True, slots=True)
class Held:
    """An engagement that this transaction holds: its row, its live grants and what they mean now."""

    row: Engagement
    agent: Agent
    grants: tuple[RoleGrant, ...]
    life: Life


async def hold(connection: Connection, access: Access, engagement_id: UUID) -> Held:
    """Lock the engagement and read everything its life depends on. Raises NotFound."""
    row = await Engagement.filter(id=engagement_id).using_db(connection).select_for_update().first()
    if row is None:
        raise NotFound
    agent = await Agent.filter(id=access.place.agent).using_db(connection).get()
    practice = await Practice.filter(id=access.place.practice).using_db(connection).get()
    grants = await RoleGrant.filter(engagement_id=row.id, removed_at=None).using_db(connection).order_by("role")
    agreement = await (
        Agreement.filter(engagement_id=row.id, terminated_at=None, superseded_at=None).using_db(connection).first()
    )
    facts = Facts(
        started_at=row.started_at,
        expires_at=row.expires_at,
        agent_kind=agent.kind,
        grants=tuple(Grant(g.role, g.granted_at, g.confirmed_at, g.expires_at) for g in grants),
        agreement=_agreement(agreement),
        suspended_at=row.suspended_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        agent_suspended_at=agent.suspended_at,
        agent_closed_at=agent.closed_at,
        practice_closed_at=practice.closed_at,
    )
    return Held(row, agent, tuple(grants), life(facts, access.policy, access.now))


async def hold_to_change(connection: Connection, access: Access, engagement_id: UUID, expected: int) -> Held:
    """The same for a change that says which version it saw.

    Refuses, first match wins: NotFound, EngagementEnded, StaleVersion.
    """
    held = await hold(connection, access, engagement_id)
    if held.life.ended_at:
        raise EngagementEnded(held.life.ended_at, held.life.end_reason or "expired")
    if held.row.version != expected:
        raise StaleVersion(held.row.id)
    return held


def _agreement(row: Agreement | None) -> AgreementFacts | None:
    if row is None:
        return None
    return AgreementFacts(
        basis=row.basis,
        requested_at=row.requested_at,
        agent_signed_at=row.agent_signed_at,
        practice_signed_at=row.practice_signed_at,
        effective_on=row.effective_on,
        expires_on=row.expires_on,
        waived_at=row.waived_at,
        terminated_at=row.terminated_at,
    )
