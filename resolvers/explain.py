"""`explainAccess`: the decision about one engagement, made again with its steps in words."""

from __future__ import annotations

from uuid import UUID

from authz.decide import Seat
from authz.explain import Background, explain
from authz.life import life
from errors import NotFound
from models.identifier import parse
from operations.facts import facts
from resolvers import policy_objects
from resolvers.actors import organisation_seat
from resolvers.context import Context
from resolvers.standing import background, member_seat
from schema.explanation import Explanation, ExplanationStep, ReasonCode


async def explain_access(context: Context, engagement_id: UUID, permission: str, member_id: str | None) -> Explanation:
    """About one member, or about the widest that anybody of the agent can have. Raises NotFound for a stranger."""
    seat, known = await _seat(context, engagement_id, member_id)
    found = explain(context.policy, (seat,), permission, background={seat: known})
    return Explanation(
        allowed=found.decision.allowed,
        reason=ReasonCode(found.decision.reason.name.lower()),
        policy_digest=found.decision.digest,
        steps=[ExplanationStep(check=step.check, passed=step.passed, detail=step.detail) for step in found.steps],
        would_be_allowed_by=[policy_objects.role(role) for role in found.would_be_allowed_by],
    )


async def _seat(context: Context, engagement_id: UUID, member_id: str | None) -> tuple[Seat, Background]:
    row = await context.the("engagement", engagement_id)
    if member_id is None:
        stored = facts(row)
        seat = organisation_seat(stored, context.policy, context.now)
        return seat, background(row, life(stored, context.policy, context.now))
    key = parse(member_id)
    found = await member_seat(row, key, context.policy, context.now) if key else None
    if found is None:
        raise NotFound
    return found
