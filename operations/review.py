"""Deciding a review: the practice says again that it wants what the agent can do, or less of it, or an end.

Each engagement has one open review. Who decides it starts the time to the next one; until then, and after too long a
silence, `authz.life` says what holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from authz.actor import Access
from authz.life import Grant, review_due, usual_review_due
from errors import EngagementEnded, InvalidInput, NotFound, RoleNotGrantable, UnknownRole
from models import Review, RoleGrant
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import engagement_change, revoke
from operations.facts import Held, facts, hold
from operations.granting import refuse_own_agent, refuse_ungrantable, step_up
from operations.idempotency import Answer, Request, once
from operations.roles import take_away

if TYPE_CHECKING:
    from schema.inputs import RoleInput
    from schema.review import DecideReviewInput

KEEP, REDUCE, END = "keep", "reduce", "end"


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of the grants: those that go, those that end sooner, and those that stay whole or shortened."""

    removed: tuple[Grant, ...]
    shortened: tuple[Grant, ...]
    kept: tuple[Grant, ...]

    @property
    def roles(self) -> list[str]:
        return [grant.role for grant in self.kept]


async def open_review(connection: Connection, engagement_id: UUID, now: datetime) -> None:
    """For an engagement without one."""
    await Review.create(using_db=connection, engagement_id=engagement_id, opened_at=now)


async def decide_review(access: Access, review_id: UUID, typed: DecideReviewInput, request: Request) -> UUID:
    """Keep, reduce or end what the agent has. Returns the engagement's id.

    Who repeats a decision finds it done. Refuses, first match wins: IdempotencyConflict, NotFound, InvalidInput (it
    was decided otherwise), EngagementEnded, InvalidInput, UnknownRole, RoleNotGrantable, StepUpRequired.
    """

    async def work(connection: Connection) -> Answer:
        held, review = await _hold(connection, access, review_id)
        if review.decided_at is None:
            await _decide(connection, access, held, review, typed)
        elif not _is_the_same(review, typed):
            raise InvalidInput("reviewId", f"this review was decided: {review.decision}; look at the open one")
        answer = {"engagement": str(held.id)}
        await request.remember(connection, answer)
        return answer

    answer = await once(request, lambda: unit_of_work(work))
    return UUID(answer["engagement"])


async def _hold(connection: Connection, access: Access, review_id: UUID) -> tuple[Held, Review]:
    """The engagement first, as everybody who changes it does. Raises NotFound."""
    found = await Review.filter(id=review_id).using_db(connection).first()
    if found is None:
        raise NotFound
    held = await hold(connection, access, found.engagement_id)  # type: ignore[attr-defined]  # the foreign key's
    return held, await Review.get(id=review_id, using_db=connection)


def _is_the_same(review: Review, typed: DecideReviewInput) -> bool:
    wanted = sorted(role.role for role in typed.roles or [])
    return review.decision == typed.decision.value and (review.decision != REDUCE or wanted == review.roles_after)


async def _decide(connection: Connection, access: Access, held: Held, review: Review, typed: DecideReviewInput) -> None:
    decision = str(typed.decision.value)
    if held.life.ended_at:
        raise EngagementEnded(held.life.ended_at, held.life.end_reason or "expired")
    if (decision == REDUCE) != (typed.roles is not None):
        raise InvalidInput("roles", "name the roles that stay with REDUCE, and none otherwise")
    rest = _rest(access, held, typed.roles, decision)
    if decision != END:
        _refuse(access, held, rest)
    await _close(connection, access, held, review, decision, rest)
    if decision == END:
        await revoke.end(connection, access, held, revoke.by_practice(access), None, review=str(review.id))
        return
    await take_away(connection, access, rest.removed)
    for grant in rest.shortened:
        await RoleGrant.filter(id=UUID(grant.id)).using_db(connection).update(expires_at=grant.expires_at)
    await open_review(connection, held.id, access.now)
    await _record(connection, access, held, review, decision, rest)


def _rest(access: Access, held: Held, typed: Sequence[RoleInput] | None, decision: str) -> _Rest:
    """What the decision leaves. Raises InvalidInput, UnknownRole, RoleNotGrantable."""
    if decision == KEEP:
        return _Rest((), (), held.grants)
    if decision == END:
        return _Rest(held.grants, (), ())
    present = {grant.role: grant for grant in held.grants}
    kept = {}
    for place, role in enumerate(typed or []):
        if role.role in kept:
            raise InvalidInput(f"roles.{place}.role", "name each role once")
        kept[str(role.role)] = _narrowed(access, present.get(role.role), role, f"roles.{place}.expiresAt")
    removed = tuple(grant for grant in held.grants if grant.role not in kept)
    shortened = tuple(grant for grant in kept.values() if grant != present[grant.role])
    if not (removed or shortened):
        raise InvalidInput("roles", "leave a role out, or let one end sooner; decide KEEP to leave all as it is")
    return _Rest(removed, shortened, tuple(sorted(kept.values(), key=lambda grant: grant.role)))


def _narrowed(access: Access, present: Grant | None, typed: RoleInput, field: str) -> Grant:
    """The grant as it stays; without an end it keeps the one that it has."""
    if present is None:
        if typed.role not in access.policy.roles:
            raise UnknownRole(typed.role[:80], access.policy.nearest_role(typed.role))
        raise RoleNotGrantable(typed.role, "a review only takes away; set roles to add one")
    if typed.expires_at is None:
        return present
    if typed.expires_at <= access.now:
        raise InvalidInput(field, "choose a time in the future, or leave the role out")
    if present.expires_at is not None and typed.expires_at > present.expires_at:
        raise RoleNotGrantable(typed.role, "a review only takes away; set roles to let one end later")
    return present._replace(expires_at=typed.expires_at)


def _refuse(access: Access, held: Held, rest: _Rest) -> None:
    """Who keeps roles gives them again; who takes some away needs what it takes to do that."""
    roles = access.policy.roles
    refuse_own_agent(access, held.agent_id, [grant.role for grant in held.grants])
    kind = access.policy.agents.get(held.row["agent_kind"])
    taken = [roles[grant.role] for grant in (*rest.removed, *rest.shortened) if grant.role in roles]
    refuse_ungrantable(access, taken, "agent", kind.ceiling if kind else frozenset())
    step_up(access, [roles[key] for key in rest.roles if key in held.life.live_roles])


async def _close(
    connection: Connection, access: Access, held: Held, review: Review, decision: str, rest: _Rest
) -> None:
    due = review_due(facts(held.row), access.policy, held.life.live_roles)
    review.decided_at, review.decision = access.now, decision
    review.due_on = due or usual_review_due(facts(held.row), access.policy)
    review.roles_before = [grant.role for grant in held.grants]
    review.roles_after = rest.roles
    review.decided_by_id = access.actor.user_id
    await review.save(using_db=connection)


async def _record(
    connection: Connection, access: Access, held: Held, review: Review, decision: str, rest: _Rest
) -> None:
    version = held.row["version"]
    titles = ", ".join(access.policy.roles[key].title for key in rest.roles if key in access.policy.roles) or "none"
    await engagement_change.change(
        connection,
        access,
        held,
        "engagement.reviewed",
        f"reviewed the access of {held.row['agent_legal_name']}; its roles: {titles}",
        before={"roles": review.roles_before, "version": version},
        after={
            "review": str(review.id),
            "decision": decision,
            "roles": rest.roles,
            "shortened": {grant.role: grant.expires_at.isoformat() for grant in rest.shortened if grant.expires_at},
            "version": version + 1,
        },
        columns={"reviewed_at": access.now},
    )
